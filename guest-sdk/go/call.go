package berth

import (
	"io"
	"time"
)

// Call is one operation's access to the world. It is used by one goroutine and ends with the
// method it was given to.
type Call struct {
	host  Host
	texts *texts // what Join cuts strings from; nil natively
}

// NewCall returns a Call on host. Drivers never need it; who runs them does.
func NewCall(host Host) *Call { return &Call{host: host} }

// Level is how loud a log line is.
type Level int32

// The levels.
const (
	LevelDebug Level = 0
	LevelInfo  Level = 1
	LevelWarn  Level = 2
	LevelError Level = 3
)

// Request is an HTTP request. Host, Content-Length, Connection and their like are the host's to set.
type Request struct {
	Method string
	URL    string
	// Headers are names and values in turn.
	Headers []string
	// Data is a body from the driver's memory; Body one of streams, sent in order, each
	// opened when it is reached. At most one of the two.
	Data []byte
	Body []*Stream
	// Max is the longest response body to be answered as Data; at most MaxInline. With 0 it
	// is always a Stream.
	Max int
	// Want names the response headers to return, in lower case; nil means all, an empty
	// slice none.
	Want []string
	// Outlast has the host not break the request off when the call is canceled once it was sent. It is for the one that makes a change, of which a
	// service might do half, and which may then land after what was done next; not with Body.
	Outlast bool
	// Credential names one of the operator's with which the host signs the request; the driver then
	// sets none of the headers of the credential's scheme. "" is none.
	Credential string
	// SHA256 is the body's raw digest, if the driver knows it: a scheme that signs the body then need not
	// have it read twice.
	SHA256 []byte
	// Keyed are values made of keys that the driver names and never has; at most MaxKeyed.
	Keyed []Keyed
}

// Response is an HTTP response. Redirects are not followed and content is not decompressed.
type Response struct {
	Status int
	// Headers are names, in lower case, and values in turn.
	Headers []string
	// Length is the body's length, -1 when it is unknown.
	Length int64
	// Body is the body; nil when it is in Data or there is none.
	Body *Stream
	Data []byte
}

// Header returns the first value of the header with the lower-case name, or "".
func (r *Response) Header(name string) string {
	for i := 0; i+1 < len(r.Headers); i += 2 {
		if r.Headers[i] == name {
			return r.Headers[i+1]
		}
	}
	return ""
}

// Close closes the body, if there is one.
func (r *Response) Close() {
	if r.Body != nil {
		r.Body.Close()
	}
}

// HTTP runs a request. Any status is a response; an error says that the exchange failed, and for a
// request that changes something it may have happened all the same. The caller closes
// the response's body, unless it answers with it.
func (c *Call) HTTP(r *Request) (*Response, error) { return c.host.HTTP(r) }

// Exchange is what came of one of several requests: the response, or Err.
type Exchange struct {
	Response
	Err error
}

// HTTPAll runs 1 to MaxHTTPAll requests side by side, in no order that a driver may count on, so that several take the time of one.
// It answers one Exchange for each, in the requests' order. A request has no Body, and Max is that of all together at most MaxInline.
// Responses have Data alone, whether their length was known or not; what is longer than its request's Max is KindLimit, and what that
// request did is done. An error of HTTPAll itself says that nothing was sent, that the call is over, or that the answers do not fit a
// message: 16 times all headers may not, so Want names those that are needed.
func (c *Call) HTTPAll(requests ...*Request) ([]Exchange, error) { return c.host.HTTPAll(requests) }

// Begin starts a request whose body the driver writes into the Sink; size -1 means that its length is
// not known. r's Data, Body, Max and Want are not looked at. The Sink is closed by whoever began it, unless it was finished.
func (c *Call) Begin(r *Request, size int64) (*Sink, error) {
	s, err := c.host.Begin(r, size)
	if err != nil {
		return nil, err
	}
	return &Sink{host: s}, nil
}

// Now returns the time.
func (c *Call) Now() time.Time { return time.Unix(0, c.host.Now()).UTC() }

// Random fills p with random bytes.
func (c *Call) Random(p []byte) { c.host.Random(p) }

// Log writes one line to the host's log: at most MaxText bytes, escaped and rate-limited there.
func (c *Call) Log(level Level, line string) { c.host.Log(level, line) }

// Sleep waits for d, or returns an error as soon as the call is over.
func (c *Call) Sleep(d time.Duration) error { return c.host.Sleep(int64(d)) }

// Stream is bytes that the host holds: the body of an operation or of a response. The first kind may
// be named in a request body again and again and is sent from its first byte; the
// second is sent from where it stands.
type Stream struct {
	host HostStream
	size int64
}

// NewStream returns a Stream on s; size -1 means unknown. Drivers never need it.
func NewStream(s HostStream, size int64) *Stream { return &Stream{host: s, size: size} }

// Host returns the other side.
func (s *Stream) Host() HostStream { return s.host }

// Size is the number of bytes of the whole, -1 when it is not known.
func (s *Stream) Size() int64 { return s.size }

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) { return s.host.Read(p) }

// Close gives the stream back.
func (s *Stream) Close() error { return s.host.Close() }

// ReadAll reads what is left, at most limit bytes; more is KindLimit.
func (s *Stream) ReadAll(limit int) ([]byte, error) {
	var out []byte
	if s.size >= 0 && s.size <= int64(limit) {
		out = make([]byte, 0, s.size+1)
	} else {
		out = make([]byte, 0, 4096)
	}
	for {
		if len(out) == cap(out) {
			out = append(out, 0)[:len(out)]
		}
		n, err := s.host.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > limit:
			return nil, NewError(KindLimit, "a body is longer than was expected")
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, err
		}
	}
}

// Sink is the body of a request that is being written.
type Sink struct{ host HostSink }

// Write implements io.Writer.
func (s *Sink) Write(p []byte) (int, error) { return s.host.Write(p) }

// Splice moves n bytes of src, -1 for all, without their passing through the driver.
func (s *Sink) Splice(src *Stream, n int64) (int64, error) { return s.host.Splice(src, n) }

// Finish ends the body and returns the response; max and want are as in Request.
func (s *Sink) Finish(max int, want []string) (*Response, error) { return s.host.Finish(max, want) }

// Close aborts the request unless it was finished.
func (s *Sink) Close() error { return s.host.Close() }

// Receipts is the table of an upload's receipts, which the host keeps.
type Receipts struct{ host HostReceipts }

// NewReceipts returns a table on host. Drivers never need it.
func NewReceipts(host HostReceipts) *Receipts { return &Receipts{host: host} }

// All calls f for each receipt, ascending by number, until it returns an error.
func (r *Receipts) All(f func(Receipt) error) error {
	after := 0
	for {
		page, err := r.host.Page(after, MaxReceiptPage)
		if err != nil {
			return err
		}
		for _, receipt := range page {
			if err := f(receipt); err != nil {
				return err
			}
			after = receipt.Number
		}
		if len(page) < MaxReceiptPage {
			return nil
		}
	}
}

// Set adds receipts, or replaces those of the same number.
func (r *Receipts) Set(receipts []Receipt) error {
	for len(receipts) > 0 {
		n := min(len(receipts), MaxReceiptPage)
		if err := r.host.Set(receipts[:n]); err != nil {
			return err
		}
		receipts = receipts[n:]
	}
	return nil
}
