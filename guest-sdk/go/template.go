package berth

import "math"

// Template is a request that a driver makes all the time, but for what Varying says. It is encoded once for all of them.
// Calls may share it.
type Template struct {
	request Request
	message []byte // as far as the end of request's URL, which comes last
	value   int    // where in it a header's value is to be put in; 0 when none varies
	length  int    // where in it the URL's length is, in two bytes
}

// maxTemplateURL is what two bytes can count.
const maxTemplateURL = math.MaxUint16

// Varying is what differs between the requests of a Template.
type Varying struct {
	// Path is the end of the URL.
	Path string
	// Header is the value of the last of the Template's headers, if that has none.
	Header string
	// Body is the body of a Template that has no Data; nil is none.
	Body *Stream
	// SHA256 is that of Body, as in Request.
	SHA256 []byte
}

// NewTemplate returns the Template of r, whose Body, SHA256 and Keyed are left out and which is not changed afterwards. Its
// URL is what the URLs of all the requests begin with. If the value of its last header is "", it
// varies.
func NewTemplate(r Request) *Template {
	t := &Template{request: r}
	t.request.Body, t.request.SHA256, t.request.Keyed = nil, nil, nil
	var e encoder
	o := e.object()
	o.str("method", r.Method)
	o.bin("data", r.Data)
	encodeWant(o, r.Max, r.Want)
	o.bool("outlast", r.Outlast)
	o.str("credential", r.Credential)
	o.strs("headers", r.Headers)
	if t.varies() {
		e.b = e.b[:len(e.b)-1] // the empty value
		t.value = len(e.b)
	}
	o.key("url").head(0xda, 0, 2)
	t.length = len(e.b) - 2
	t.message = append(e.b, r.URL...)
	return t
}

func (t *Template) varies() bool {
	n := len(t.request.Headers)
	return n > 0 && t.request.Headers[n-1] == ""
}

// To returns the request.
func (t *Template) To(v Varying) *Request {
	r := t.request
	r.URL += v.Path
	if t.varies() {
		r.Headers = append(r.Headers[:len(r.Headers)-1:len(r.Headers)-1], v.Header)
	}
	if v.Body != nil {
		r.Body, r.SHA256 = []*Stream{v.Body}, v.SHA256
	}
	return &r
}

// encode replaces what e has by the message of the request whose URL ends with path, which is not
// longer than maxTemplateURL.
func (t *Template) encode(e *encoder, path string) {
	e.b = withPath(append(e.b[:0], t.message...), t.length, path)
}

// withPath ends the URL at the end of b, whose length is in b at length.
func withPath(b []byte, length int, path string) []byte {
	n := len(b) - length - 2 + len(path)
	b[length], b[length+1] = byte(n>>8), byte(n)
	return append(b, path...)
}

// encodeVarying is encode for requests of which more varies.
func (t *Template) encodeVarying(e *encoder, v *Varying) error {
	e.b = append(e.b[:0], t.message[:t.value]...)
	if t.value > 0 {
		e.str(v.Header)
	}
	length := len(e.b) + t.length - t.value
	e.b = withPath(append(e.b, t.message[t.value:]...), length, v.Path)
	if v.Body == nil {
		return nil
	}
	h, err := handleOf(v.Body)
	if err != nil {
		return err
	}
	o := object{e, 0}
	o.key("body").arrayLen(1)
	e.int(h)
	o.bin("sha256", v.SHA256)
	return nil
}

// Ask runs the request of t whose URL ends with path, as HTTP does.
func (c *Call) Ask(t *Template, path string) (*Response, error) { return c.host.Ask(t, path) }

// Send is Ask for requests of which more varies.
func (c *Call) Send(t *Template, v Varying) (*Response, error) { return c.host.Send(t, v) }

// Join returns the parts in one string, as strings.Join does with "" between them. In a guest it is cut from a
// larger piece of memory, which costs less than an allocation.
func (c *Call) Join(parts ...string) string {
	if c.texts != nil {
		return c.texts.join(parts)
	}
	return joined(parts)
}
