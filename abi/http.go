package abi

// HTTPRequest is the request of HostHTTP. Slices are reused by the next Decode.
type HTTPRequest struct {
	Method  string   `json:"method,omitempty"`
	URL     string   `json:"url,omitempty"`
	Headers []string `json:"headers,omitempty"` // name, value, name, value, ...
	Data    []byte   `json:"data,omitempty"`
	Body    []Handle `json:"body,omitempty"`
	Max     int64    `json:"max,omitempty"`
	// Want lists the response headers to return; All returns every one.
	Want []string `json:"want,omitzero"`
	// All says that "want" is absent.
	All bool `json:"-"`
	// Outlast has the request not be broken off when the call ends.
	Outlast bool `json:"outlast,omitempty"`
	Signing
}

func (m *HTTPRequest) reset() {
	*m = HTTPRequest{Headers: m.Headers[:0], Body: m.Body[:0], Want: m.Want[:0], All: true}
}

func (m *HTTPRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyMethod:
		m.Method = d.str()
	case KeyURL:
		m.URL = d.str()
	case KeyHeaders:
		m.Headers = d.strings(m.Headers[:0])
	case KeyData:
		m.Data = d.bin(nil) // net/http may read it after the call: a copy of its own
	case KeyBody:
		m.Body = d.handles(m.Body[:0])
	case KeyMax:
		m.Max = d.size()
	case KeyWant:
		m.Want, m.All = d.strings(m.Want[:0]), false
	case KeyOutlast:
		m.Outlast = d.bool()
	default:
		return m.Signing.field(d, key)
	}
	return true
}

func (m *HTTPRequest) put(e *encoder) {
	e.begin(m.Method != "", m.URL != "", len(m.Headers) > 0, len(m.Data) > 0, len(m.Body) > 0, m.Max != 0, !m.All, m.Outlast,
		m.Credential != "", len(m.SHA256) > 0, len(m.Keyed) > 0)
	e.str(KeyMethod, m.Method)
	e.str(KeyURL, m.URL)
	e.strings(KeyHeaders, m.Headers)
	e.bin(KeyData, m.Data)
	e.handles(KeyBody, m.Body)
	e.int(KeyMax, m.Max)
	putWant(e, m.Want, m.All)
	e.bool(KeyOutlast, m.Outlast)
	m.Signing.put(e)
}

func putWant(e *encoder, want []string, all bool) {
	if all {
		return
	}
	e.key(KeyWant)
	e.array(len(want))
	for _, name := range want {
		e.text(name)
	}
}

// HTTPReply is the reply of HostHTTP and HostHTTPFinish. Len -1 means that the length is
// not known.
type HTTPReply struct {
	Status  int      `json:"status,omitempty"`
	Headers []string `json:"headers,omitempty"`
	Len     int64    `json:"len,omitempty"`
	Body    Handle   `json:"body,omitempty"`
	Data    []byte   `json:"data,omitempty"`
}

func (m *HTTPReply) reset() { *m = HTTPReply{Headers: m.Headers[:0], Data: m.Data[:0]} }

func (m *HTTPReply) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyStatus:
		m.Status = int(d.size())
	case KeyHeaders:
		m.Headers = d.strings(m.Headers[:0])
	case KeyLen:
		m.Len = d.int()
	case KeyBody:
		m.Body = Handle(d.size())
	case KeyData:
		m.Data = d.bin(m.Data[:0])
	default:
		return false
	}
	return true
}

func (m *HTTPReply) put(e *encoder) {
	e.begin(m.Status != 0, len(m.Headers) > 0, m.Len != 0, m.Body != 0, len(m.Data) > 0)
	e.int(KeyStatus, int64(m.Status))
	e.strings(KeyHeaders, m.Headers)
	e.int(KeyLen, m.Len)
	e.int(KeyBody, int64(m.Body))
	e.bin(KeyData, m.Data)
}

// HTTPAllRequest is the request of HostHTTPAll.
type HTTPAllRequest struct {
	Requests []HTTPRequest `json:"requests,omitempty"`
}

func (m *HTTPAllRequest) reset() { *m = HTTPAllRequest{} }

func (m *HTTPAllRequest) field(d *decoder, key []byte) bool {
	if string(key) != KeyRequests {
		return false
	}
	n := d.arrayLen(1)
	if n > MaxHTTPAll {
		d.fail("%d requests, more than %d", n, MaxHTTPAll)
		return true
	}
	m.Requests = make([]HTTPRequest, n)
	for i := range m.Requests {
		m.Requests[i].reset()
		if d.message(&m.Requests[i]); d.err != nil {
			return true
		}
	}
	d.depth--
	return true
}

func (m *HTTPAllRequest) put(e *encoder) {
	e.begin(len(m.Requests) > 0)
	if len(m.Requests) == 0 {
		return
	}
	e.key(KeyRequests)
	e.array(len(m.Requests))
	for i := range m.Requests {
		m.Requests[i].put(e)
	}
}

// HTTPAllReply is the reply of HostHTTPAll: one for each request, in their order.
type HTTPAllReply struct {
	Replies []HTTPOutcome `json:"replies,omitempty"`
}

// HTTPOutcome is what came of one request: a response, or an error.
type HTTPOutcome struct {
	HTTPReply
	Err *Error `json:"err,omitempty"`
}

func (m *HTTPAllReply) reset() { *m = HTTPAllReply{} }

func (m *HTTPAllReply) field(d *decoder, key []byte) bool {
	if string(key) != KeyReplies {
		return false
	}
	n := d.arrayLen(1)
	if n > MaxHTTPAll {
		d.fail("%d replies, more than %d", n, MaxHTTPAll)
		return true
	}
	m.Replies = make([]HTTPOutcome, n)
	for i := range m.Replies {
		if d.message(&m.Replies[i]); d.err != nil {
			return true
		}
	}
	d.depth--
	return true
}

func (m *HTTPAllReply) put(e *encoder) {
	e.begin(len(m.Replies) > 0)
	if len(m.Replies) == 0 {
		return
	}
	e.key(KeyReplies)
	e.array(len(m.Replies))
	for i := range m.Replies {
		m.Replies[i].put(e)
	}
}

func (m *HTTPOutcome) reset() { *m = HTTPOutcome{} }

func (m *HTTPOutcome) field(d *decoder, key []byte) bool {
	if string(key) == KeyErr {
		m.Err = new(Error)
		d.message(m.Err)
		return true
	}
	return m.HTTPReply.field(d, key)
}

func (m *HTTPOutcome) put(e *encoder) {
	if m.Err != nil {
		m.Err.put(e)
		return
	}
	m.HTTPReply.put(e)
}

// HTTPBeginRequest is the request of HostHTTPBegin. Size -1 means not known.
type HTTPBeginRequest struct {
	Method  string   `json:"method,omitempty"`
	URL     string   `json:"url,omitempty"`
	Headers []string `json:"headers,omitempty"`
	Size    int64    `json:"size,omitempty"`
	Signing
}

func (m *HTTPBeginRequest) reset() { *m = HTTPBeginRequest{} }

func (m *HTTPBeginRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeyMethod:
		m.Method = d.str()
	case KeyURL:
		m.URL = d.str()
	case KeyHeaders:
		m.Headers = d.strings(nil)
	case KeySize:
		m.Size = d.int()
	default:
		return m.Signing.field(d, key)
	}
	return true
}

func (m *HTTPBeginRequest) put(e *encoder) {
	e.begin(m.Method != "", m.URL != "", len(m.Headers) > 0, m.Size != 0, m.Credential != "", len(m.SHA256) > 0, len(m.Keyed) > 0)
	e.str(KeyMethod, m.Method)
	e.str(KeyURL, m.URL)
	e.strings(KeyHeaders, m.Headers)
	e.int(KeySize, m.Size)
	m.Signing.put(e)
}

// HTTPBeginReply is the reply of HostHTTPBegin.
type HTTPBeginReply struct {
	Sink Handle `json:"sink,omitempty"`
}

func (m *HTTPBeginReply) reset() { *m = HTTPBeginReply{} }

func (m *HTTPBeginReply) field(d *decoder, key []byte) bool {
	if string(key) != KeySink {
		return false
	}
	m.Sink = Handle(d.size())
	return true
}

func (m *HTTPBeginReply) put(e *encoder) {
	e.begin(m.Sink != 0)
	e.int(KeySink, int64(m.Sink))
}

// HTTPFinishRequest is the request of HostHTTPFinish.
type HTTPFinishRequest struct {
	Sink Handle   `json:"sink,omitempty"`
	Max  int64    `json:"max,omitempty"`
	Want []string `json:"want,omitzero"`
	All  bool     `json:"-"`
}

func (m *HTTPFinishRequest) reset() { *m = HTTPFinishRequest{All: true} }

func (m *HTTPFinishRequest) field(d *decoder, key []byte) bool {
	switch string(key) {
	case KeySink:
		m.Sink = Handle(d.size())
	case KeyMax:
		m.Max = d.size()
	case KeyWant:
		m.Want, m.All = d.strings(nil), false
	default:
		return false
	}
	return true
}

func (m *HTTPFinishRequest) put(e *encoder) {
	e.begin(m.Sink != 0, m.Max != 0, !m.All)
	e.int(KeySink, int64(m.Sink))
	e.int(KeyMax, m.Max)
	putWant(e, m.Want, m.All)
}
