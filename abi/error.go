package abi

// Handle names something of the host's within one call: generation<<32 | slot. 0 is none.
type Handle int64

// Error is the reply of an operation that failed.
type Error struct {
	Kind      Kind   `json:"kind,omitempty"`
	Temporary bool   `json:"tmp,omitempty"`
	After     int64  `json:"after,omitempty"` // milliseconds
	Status    int    `json:"status,omitempty"`
	Message   string `json:"msg,omitempty"`
}

func (m *Error) reset() { *m = Error{} }

func (m *Error) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyKind:
		m.Kind = KindUnknown
		if n := d.size(); n < NumKinds {
			m.Kind = Kind(n)
		}
	case KeyTemporary:
		m.Temporary = d.bool()
	case KeyAfter:
		m.After = d.size()
	case KeyStatus:
		m.Status = int(d.size())
	case KeyMessage:
		m.Message = d.str()
	default:
		return false
	}
	return true
}

// put writes the reply as a whole: the error under its key.
func (m *Error) put(e *encoder) {
	e.begin(true)
	e.key(KeyErr)
	e.begin(m.Kind != 0, m.Temporary, m.After != 0, m.Status != 0, m.Message != "")
	e.int(KeyKind, int64(m.Kind))
	e.bool(KeyTemporary, m.Temporary)
	e.int(KeyAfter, m.After)
	e.int(KeyStatus, int64(m.Status))
	e.str(KeyMessage, m.Message)
}

// Empty is a message without keys.
type Empty struct{}

func (m *Empty) reset()                      {}
func (m *Empty) field(*decoder, []byte) bool { return false }
func (m *Empty) put(e *encoder)              { e.begin() }
