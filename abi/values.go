package abi

// TimeRequest is the request of HostTimeFormat, and without Text that of HostTimeParse without Time.
type TimeRequest struct {
	Time   int64  `json:"time,omitempty"` // nanoseconds since 1970 UTC
	Text   string `json:"text,omitempty"`
	Format string `json:"format,omitempty"`
}

func (m *TimeRequest) reset() { *m = TimeRequest{} }

func (m *TimeRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyTime:
		m.Time = d.int()
	case KeyText:
		m.Text = d.str()
	case KeyFormat:
		m.Format = d.str()
	default:
		return false
	}
	return true
}

func (m *TimeRequest) put(e *encoder) {
	e.begin(m.Time != 0, m.Text != "", m.Format != "")
	e.int(KeyTime, m.Time)
	e.str(KeyText, m.Text)
	e.str(KeyFormat, m.Format)
}

// TimeReply is the reply of HostTimeFormat, in Text, and of HostTimeParse, in Time.
type TimeReply struct {
	Time int64  `json:"time,omitempty"`
	Text string `json:"text,omitempty"`
}

func (m *TimeReply) reset() { *m = TimeReply{} }

func (m *TimeReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyTime:
		m.Time = d.int()
	case KeyText:
		m.Text = d.str()
	default:
		return false
	}
	return true
}

func (m *TimeReply) put(e *encoder) {
	e.begin(m.Time != 0, m.Text != "")
	e.int(KeyTime, m.Time)
	e.str(KeyText, m.Text)
}

// MetricRequest is the request of HostMetric.
type MetricRequest struct {
	Name  string `json:"name,omitempty"`
	Type  string `json:"type,omitempty"`
	Value int64  `json:"value,omitempty"`
}

func (m *MetricRequest) reset() { *m = MetricRequest{} }

func (m *MetricRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyName:
		m.Name = d.str()
	case KeyType:
		m.Type = d.str()
	case KeyValue:
		m.Value = d.int()
	default:
		return false
	}
	return true
}

func (m *MetricRequest) put(e *encoder) {
	e.begin(m.Name != "", m.Type != "", m.Value != 0)
	e.str(KeyName, m.Name)
	e.str(KeyType, m.Type)
	e.int(KeyValue, m.Value)
}
