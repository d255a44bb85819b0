package abi

// HashRequest is the request of HostHash: the digests of Data, or of what the handles have, one after the other.
type HashRequest struct {
	Algs []string `json:"algs,omitempty"`
	Data []byte   `json:"data,omitempty"`
	Body []Handle `json:"body,omitempty"`
}

func (m *HashRequest) reset() { *m = HashRequest{} }

func (m *HashRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyAlgs:
		m.Algs = d.strings(nil)
	case KeyData:
		m.Data = d.bin(nil)
	case KeyBody:
		m.Body = d.handles(nil)
	default:
		return false
	}
	return true
}

func (m *HashRequest) put(e *encoder) {
	e.begin(len(m.Algs) > 0, len(m.Data) > 0, len(m.Body) > 0)
	e.strings(KeyAlgs, m.Algs)
	e.bin(KeyData, m.Data)
	e.handles(KeyBody, m.Body)
}

// HashBeginRequest is the request of HostHashBegin.
type HashBeginRequest struct {
	Algs []string `json:"algs,omitempty"`
}

func (m *HashBeginRequest) reset() { *m = HashBeginRequest{} }

func (m *HashBeginRequest) field(d *decoder, key []byte) bool {
	if string(key) != KeyAlgs {
		return false
	}
	m.Algs = d.strings(nil)
	return true
}

func (m *HashBeginRequest) put(e *encoder) {
	e.begin(len(m.Algs) > 0)
	e.strings(KeyAlgs, m.Algs)
}

// SinkMessage is the reply of HostHashBegin and HostStoreBegin, and the request of HostHashFinish and HostStoreFinish.
type SinkMessage struct {
	Sink Handle `json:"sink,omitempty"`
}

func (m *SinkMessage) reset() { *m = SinkMessage{} }

func (m *SinkMessage) field(d *decoder, key []byte) bool {
	if string(key) != KeySink {
		return false
	}
	m.Sink = Handle(d.size())
	return true
}

func (m *SinkMessage) put(e *encoder) {
	e.begin(m.Sink != 0)
	e.int(KeySink, int64(m.Sink))
}

// HashReply is the reply of HostHash and HostHashFinish: raw digests by algorithm, and of how many bytes.
type HashReply struct {
	Digests map[string][]byte `json:"digests,omitempty"`
	Size    int64             `json:"size,omitempty"`
}

func (m *HashReply) reset() { *m = HashReply{} }

func (m *HashReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyDigests:
		m.Digests = d.digests()
	case KeySize:
		m.Size = d.size()
	default:
		return false
	}
	return true
}

func (m *HashReply) put(e *encoder) {
	e.begin(len(m.Digests) > 0, m.Size != 0)
	putDigests(e, m.Digests)
	e.int(KeySize, m.Size)
}

// CompressRequest is the request of HostCompress. With Undo it decompresses, at most Max bytes if Max is not 0.
type CompressRequest struct {
	Alg   string   `json:"alg,omitempty"`
	Undo  bool     `json:"undo,omitempty"`
	Level int64    `json:"level,omitempty"`
	Body  []Handle `json:"body,omitempty"`
	Max   int64    `json:"max,omitempty"`
}

func (m *CompressRequest) reset() { *m = CompressRequest{} }

func (m *CompressRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyAlg:
		m.Alg = d.str()
	case KeyUndo:
		m.Undo = d.bool()
	case KeyLevel:
		m.Level = d.int()
	case KeyBody:
		m.Body = d.handles(nil)
	case KeyMax:
		m.Max = d.size()
	default:
		return false
	}
	return true
}

func (m *CompressRequest) put(e *encoder) {
	e.begin(m.Alg != "", m.Undo, m.Level != 0, len(m.Body) > 0, m.Max != 0)
	e.str(KeyAlg, m.Alg)
	e.bool(KeyUndo, m.Undo)
	e.int(KeyLevel, m.Level)
	e.handles(KeyBody, m.Body)
	e.int(KeyMax, m.Max)
}

// CompressReply is the reply of HostCompress.
type CompressReply struct {
	Body Handle `json:"body,omitempty"`
}

func (m *CompressReply) reset() { *m = CompressReply{} }

func (m *CompressReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyBody {
		return false
	}
	m.Body = Handle(d.size())
	return true
}

func (m *CompressReply) put(e *encoder) {
	e.begin(m.Body != 0)
	e.int(KeyBody, int64(m.Body))
}
