package runtime

import (
	"net/http"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// service runs the operations that need nothing but the host.
func (in *instance) service(op abi.HostOp, request []byte) (abi.Message, error) {
	switch op {
	case abi.HostSecret:
		return in.secret(request)
	case abi.HostHash:
		return in.hash(request)
	case abi.HostHashBegin:
		return in.hashBegin(request)
	case abi.HostHashFinish:
		return in.hashFinish(request)
	case abi.HostCompress:
		return in.compress(request)
	case abi.HostTimeFormat:
		return timeFormat(request)
	case abi.HostTimeParse:
		return timeParse(request)
	case abi.HostMetric:
		return in.metric(request)
	}
	return nil, storagedriver.Errorf(storagedriver.KindUnsupported, "host operation %v", op)
}

// secret answers what the operator lets the driver read. Whether one that it may not read is there is not said.
func (in *instance) secret(request []byte) (abi.Message, error) {
	var m abi.SecretRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, there := in.d.m.cfg.Secrets[m.Name]
	if !there || !s.Readable {
		return nil, storagedriver.Errorf(storagedriver.KindDenied, "the driver may not read the secret %q: the operator lends it under secrets, with readable: true", guest.Clip(m.Name, abi.MaxName))
	}
	return &abi.SecretReply{Data: []byte(s.Value)}, nil
}

// timeLayouts are the formats of times. All but rfc3339, which may have an offset when it is read, are in UTC.
var timeLayouts = map[string]string{"rfc3339": time.RFC3339, "http": http.TimeFormat, "iso-basic": "20060102T150405Z", "date": "20060102"}

func timeLayout(format string) (string, error) {
	if layout, known := timeLayouts[format]; known {
		return layout, nil
	}
	return "", storagedriver.Errorf(storagedriver.KindInvalidArgument, "the format of a time is rfc3339, http, iso-basic or date, not %q", guest.Clip(format, 80))
}

func timeFormat(request []byte) (abi.Message, error) {
	var m abi.TimeRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	layout, err := timeLayout(m.Format)
	if err != nil {
		return nil, err
	}
	return &abi.TimeReply{Text: time.Unix(0, m.Time).UTC().Format(layout)}, nil
}

// The years that nanoseconds in 64 bits have from their first day to their last.
const firstYear, lastYear = 1678, 2261

func timeParse(request []byte) (abi.Message, error) {
	var m abi.TimeRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	layout, err := timeLayout(m.Format)
	if err != nil {
		return nil, err
	}
	t, err := time.Parse(layout, m.Text)
	if m.Format == "http" {
		t, err = http.ParseTime(m.Text) // as a recipient must: the two obsolete forms as well
	}
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%q is no time of the format %s", guest.Clip(m.Text, 80), m.Format)
	}
	t = t.UTC()
	if t.Year() < firstYear || t.Year() > lastYear {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the time %q is not in the years %d to %d", guest.Clip(m.Text, 80), firstYear, lastYear)
	}
	return &abi.TimeReply{Time: t.UnixNano()}, nil
}

// metrics are the names that a driver has given to its metrics, and of which type each is. It may be used concurrently.
type metrics struct {
	mu    sync.Mutex
	types map[string]string
}

// admit notes the metric of that name, or says why it may not be.
func (m *metrics) admit(name, kind string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch before, known := m.types[name]; {
	case known && before != kind:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the metric %s is a %s, not a %s", name, before, kind)
	case known:
		return nil
	case len(m.types) >= abi.MaxMetrics:
		return storagedriver.Errorf(storagedriver.KindLimit, "the metric %s would be one more than the %d of a driver", name, abi.MaxMetrics)
	case m.types == nil:
		m.types = map[string]string{}
	}
	m.types[name] = kind
	return nil
}

func (in *instance) metric(request []byte) (abi.Message, error) {
	var m abi.MetricRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	counter := m.Type == "counter"
	if !counter && m.Type != "gauge" {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the type of a metric is counter or gauge, not %q", guest.Clip(m.Type, 80))
	}
	if err := abi.CheckName(m.Name); err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "metric: %w", err)
	}
	if counter && m.Value < 0 {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the counter %s cannot be given %d: it only goes up", m.Name, m.Value)
	}
	if err := in.d.metrics.admit(m.Name, m.Type); err != nil {
		return nil, err
	}
	if tell := in.d.m.cfg.Metric; tell != nil {
		tell(in.d.Name(), m.Name, counter, m.Value)
	}
	return &abi.Empty{}, nil
}
