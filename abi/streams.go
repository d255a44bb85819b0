package abi

// StreamRequest is the request of OpStream. For a reader, State and Body are those that the read was answered with; for an upload
// Body is a piece of Size bytes and State what the piece before it was answered with.
type StreamRequest struct {
	Path  string `json:"path,omitempty"`
	State []byte `json:"state,omitempty"`
	Body  Handle `json:"body,omitempty"`
	Size  int64  `json:"size,omitempty"`
	Sink  Handle `json:"sink,omitempty"`
}

func (m *StreamRequest) reset() { *m = StreamRequest{} }

func (m *StreamRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeyState:
		m.State = d.bin(nil)
	case KeyBody:
		m.Body = Handle(d.size())
	case KeySize:
		m.Size = d.size()
	case KeySink:
		m.Sink = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *StreamRequest) put(e *encoder) {
	e.begin(m.Path != "", len(m.State) > 0, m.Body != 0, m.Size != 0, m.Sink != 0)
	e.str(KeyPath, m.Path)
	e.bin(KeyState, m.State)
	e.int(KeyBody, int64(m.Body))
	e.int(KeySize, m.Size)
	e.int(KeySink, int64(m.Sink))
}

// StreamReply is the reply of OpStream: the state that the next call for the same upload is given.
type StreamReply struct {
	State []byte `json:"state,omitempty"`
}

func (m *StreamReply) reset() { *m = StreamReply{} }

func (m *StreamReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyState {
		return false
	}
	m.State = d.bin(nil)
	return true
}

func (m *StreamReply) put(e *encoder) {
	e.begin(len(m.State) > 0)
	e.bin(KeyState, m.State)
}

// CommittingRequest is the request of OpCommitting. State and Sink are there for a transformed upload only.
type CommittingRequest struct {
	Path  string `json:"path,omitempty"`
	Size  int64  `json:"size,omitempty"`
	State []byte `json:"state,omitempty"`
	Sink  Handle `json:"sink,omitempty"`
}

func (m *CommittingRequest) reset() { *m = CommittingRequest{} }

func (m *CommittingRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyPath:
		m.Path = d.str()
	case KeySize:
		m.Size = d.size()
	case KeyState:
		m.State = d.bin(nil)
	case KeySink:
		m.Sink = Handle(d.size())
	default:
		return false
	}
	return true
}

func (m *CommittingRequest) put(e *encoder) {
	e.begin(m.Path != "", m.Size != 0, len(m.State) > 0, m.Sink != 0)
	e.str(KeyPath, m.Path)
	e.int(KeySize, m.Size)
	e.bin(KeyState, m.State)
	e.int(KeySink, int64(m.Sink))
}
