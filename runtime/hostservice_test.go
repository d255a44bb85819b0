package runtime_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
)

// servicePath has the guest run an operation; see testdata/exercise/services.go.
func servicePath(t *testing.T, kind string, op abi.HostOp, m abi.Message, objects ...string) string {
	t.Helper()
	b, err := abi.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/services/%s/%d/%s", kind, op, hex.EncodeToString(b))
	if len(objects) > 0 {
		path += "/" + strings.Join(objects, "+")
	}
	return path
}

// readAll reads length bytes at path, -1 all.
func readAll(ctx context.Context, d storagedriver.Backend, path string, length int64) ([]byte, error) {
	r, _, err := d.Read(ctx, path, 0, length)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return b, err
}

// serve has the guest run an operation and decodes the reply.
func serve(t *testing.T, d storagedriver.Backend, op abi.HostOp, m, reply abi.Message, objects ...string) *abi.Error {
	t.Helper()
	b, err := readAll(t.Context(), d, servicePath(t, "call", op, m, objects...), -1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := abi.DecodeReply(b, reply)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// wantRefusal wants an error of the kind that says all of parts.
func wantRefusal(t *testing.T, e *abi.Error, kind abi.Kind, parts ...string) {
	t.Helper()
	if e == nil || e.Kind != kind {
		t.Fatalf("got %+v, want kind %v", e, kind)
	}
	for _, p := range parts {
		if !strings.Contains(e.Message, p) {
			t.Errorf("the error %q does not mention %q", e.Message, p)
		}
	}
}

func TestSecretsThatAreReadable(t *testing.T) {
	d, _, _ := open(t, runtime.Config{Secrets: map[string]runtime.Secret{
		"salt": {Value: "pinch", Readable: true}, "key": {Value: "hidden-value", Origins: []string{"http://127.0.0.1:1"}},
	}}, nil)
	var r abi.SecretReply
	if e := serve(t, d, abi.HostSecret, &abi.SecretRequest{Name: "salt"}, &r); e != nil || string(r.Data) != "pinch" {
		t.Errorf("got %q, %+v, want pinch", r.Data, e)
	}
	hidden := serve(t, d, abi.HostSecret, &abi.SecretRequest{Name: "key"}, &r)
	wantRefusal(t, hidden, abi.KindDenied, `"key"`, "secrets", "readable: true")
	if strings.Contains(hidden.Message, "hidden-value") {
		t.Errorf("the error %q has the secret", hidden.Message)
	}
	missing := serve(t, d, abi.HostSecret, &abi.SecretRequest{Name: "none"}, &r)
	wantRefusal(t, missing, abi.KindDenied, `"none"`)
	if strings.ReplaceAll(missing.Message, "none", "key") != hidden.Message {
		t.Errorf("a guest can tell %q from %q", missing.Message, hidden.Message)
	}
}

func TestTimes(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	const at = 1700000000 * int64(1e9)
	for format, text := range map[string]string{
		"rfc3339": "2023-11-14T22:13:20Z", "http": "Tue, 14 Nov 2023 22:13:20 GMT", "iso-basic": "20231114T221320Z", "date": "20231114",
	} {
		var r abi.TimeReply
		if e := serve(t, d, abi.HostTimeFormat, &abi.TimeRequest{Time: at + 123456789, Format: format}, &r); e != nil || r.Text != text {
			t.Errorf("%s: written as %q, %+v, want %q", format, r.Text, e, text)
		}
		want := at
		if format == "date" {
			want -= (22*3600 + 13*60 + 20) * 1e9
		}
		if e := serve(t, d, abi.HostTimeParse, &abi.TimeRequest{Text: text, Format: format}, &r); e != nil || r.Time != want {
			t.Errorf("%s: read as %d, %+v, want %d", format, r.Time, e, want)
		}
	}
	for text, c := range map[string]struct {
		format string
		want   int64
	}{
		"2023-11-15T00:13:20.5+02:00":     {"rfc3339", at + 5e8},
		"Tuesday, 14-Nov-23 22:13:20 GMT": {"http", at},
		"Tue Nov 14 22:13:20 2023":        {"http", at},
		"1969-12-31T23:59:59Z":            {"rfc3339", -1e9},
	} {
		var r abi.TimeReply
		if e := serve(t, d, abi.HostTimeParse, &abi.TimeRequest{Text: text, Format: c.format}, &r); e != nil || r.Time != c.want {
			t.Errorf("%q: read as %d, %+v, want %d", text, r.Time, e, c.want)
		}
	}
	var r abi.TimeReply
	wantRefusal(t, serve(t, d, abi.HostTimeFormat, &abi.TimeRequest{Format: "unix"}, &r), abi.KindInvalidArgument, `"unix"`, "rfc3339, http, iso-basic or date")
	wantRefusal(t, serve(t, d, abi.HostTimeParse, &abi.TimeRequest{Text: "yesterday", Format: "http"}, &r), abi.KindInvalidArgument, `"yesterday"`, "http")
	wantRefusal(t, serve(t, d, abi.HostTimeParse, &abi.TimeRequest{Text: "1677-12-31T00:00:00Z", Format: "rfc3339"}, &r), abi.KindInvalidArgument, "1678 to 2261")
	wantRefusal(t, serve(t, d, abi.HostTimeParse, &abi.TimeRequest{Text: "2262-01-01T00:00:00Z", Format: "rfc3339"}, &r), abi.KindInvalidArgument, "1678 to 2261")
}

// told are the metrics that a Config was told of.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (m *told) metric(driver, name string, counter bool, value int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, fmt.Sprint(driver, " ", name, " ", counter, " ", value))
}

func TestMetrics(t *testing.T) {
	var m told
	d, _, _ := open(t, runtime.Config{Metric: m.metric}, nil)
	metric := func(name, kind string, value int64) *abi.Error {
		return serve(t, d, abi.HostMetric, &abi.MetricRequest{Name: name, Type: kind, Value: value}, &abi.Empty{})
	}
	for _, e := range []*abi.Error{metric("retries", "counter", 2), metric("retries", "counter", 0), metric("depth", "gauge", -7)} {
		if e != nil {
			t.Error(e)
		}
	}
	if got := strings.Join(m.lines, ","); got != "exercise retries true 2,exercise retries true 0,exercise depth false -7" {
		t.Errorf("told of %s", got)
	}
	wantRefusal(t, metric("retries", "counter", -1), abi.KindInvalidArgument, "retries", "-1", "only goes up")
	wantRefusal(t, metric("retries", "gauge", 1), abi.KindInvalidArgument, "retries is a counter")
	wantRefusal(t, metric("retries", "histogram", 1), abi.KindInvalidArgument, "counter or gauge", `"histogram"`)
	wantRefusal(t, metric("Re tries", "counter", 1), abi.KindInvalidArgument, `"Re tries"`, "lower-case letters")
	for i := 2; i < abi.MaxMetrics; i++ {
		if e := metric("m"+strconv.Itoa(i), "gauge", 1); e != nil {
			t.Fatal(e)
		}
	}
	wantRefusal(t, metric("straw", "gauge", 1), abi.KindLimit, "straw", "64")
	if e := metric("depth", "gauge", 1); e != nil {
		t.Errorf("a metric that is there: %+v", e)
	}
	if n := len(m.lines); n != 3+abi.MaxMetrics-2+1 {
		t.Errorf("told of %d values", n)
	}
}
