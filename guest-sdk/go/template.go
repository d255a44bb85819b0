package berth

import "math"

// Template is a request that a driver makes all the time, all but the end of its URL. It is encoded once
// for all of them. Calls may share it.
type Template struct {
	request Request
	message []byte // as far as the end of request's URL, which comes last
	length  int    // where in it the URL's length is, in two bytes
}

// NewTemplate returns the Template of r, which must have no Body and is not changed afterwards. Its
// URL is what the URLs of all the requests begin with.
func NewTemplate(r Request) *Template {
	t := &Template{request: r}
	t.request.Body = nil
	var e encoder
	o := e.object()
	o.str("method", r.Method)
	_ = encodeAfterURL(o, &t.request) // fails for bodies only, and there is none
	o.key("url").head(0xda, 0, 2)
	t.length = len(e.b) - 2
	t.message = append(e.b, r.URL...)
	return t
}

// append appends to b the message of the request whose URL ends with rest. The URL must not be longer than
// maxTemplateURL.
func (t *Template) append(b []byte, rest string) []byte {
	b = append(b, t.message...)
	n := len(t.message) + len(rest) - t.length - 2
	b[t.length], b[t.length+1] = byte(n>>8), byte(n)
	return append(b, rest...)
}

// maxTemplateURL is what two bytes can count.
const maxTemplateURL = math.MaxUint16

// To returns the request whose URL ends with rest.
func (t *Template) To(rest string) *Request {
	r := t.request
	r.URL += rest
	return &r
}

// Ask runs the request of t whose URL ends with rest, as HTTP does.
func (c *Call) Ask(t *Template, rest string) (*Response, error) { return c.host.Ask(t, rest) }
