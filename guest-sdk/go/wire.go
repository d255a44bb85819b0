package berth

import (
	"io"
	"time"
)

// imports are the functions of module berth, with slices in place of pointers.
type imports interface {
	call(op int32, request, out []byte) int64
	take(out []byte) int64
	read(handle int64, p []byte) int64
	write(handle int64, p []byte) int64
	splice(dst, src, n int64) int64
	close(handle int64) int64
	now() int64
	random(p []byte) int64
	log(level int32, line []byte) int64
}

// wireHost is the Host of a sandboxed driver. One call at a time uses it, so
// its buffers are reused from call to call.
type wireHost struct {
	im      imports
	request encoder
	replies replies
	answers answers
	texts   texts
}

func newWireHost(im imports) *wireHost {
	return &wireHost{im: im, request: encoder{b: make([]byte, 0, 1024)}}
}

// failure turns the negative result of an import into an error.
func failure(op string, n int64) error {
	kind := KindUnknown
	if k := -(n + 1); k > 0 && k < int64(len(kindNames)) {
		kind = Kind(k)
	}
	return &Error{Kind: kind, Temporary: kind == KindUnavailable, Msg: "the host refused " + op}
}

// roundTrip sends the message in w.request. shared says that the reply lies in w.replies,
// where the next round trip overwrites it.
func (w *wireHost) roundTrip(op int32, name string) (reply []byte, shared bool, err error) {
	if len(w.request.b) > MaxMessage {
		return nil, false, errTooLong
	}
	room := w.replies.room()
	n := w.im.call(op, w.request.b, room)
	if uint64(n) <= uint64(len(room)) {
		return room[:n], true, nil
	}
	reply, err = w.long(n, name)
	return reply, false, err
}

// long takes the reply for which the room was not enough.
func (w *wireHost) long(n int64, name string) ([]byte, error) {
	switch {
	case n < 0:
		return nil, failure(name, n)
	case n > MaxMessage:
		return nil, errTooLong
	}
	own := make([]byte, n)
	if got := w.im.take(own); got != n {
		return nil, failure(name, got)
	}
	return own, nil
}

// HTTP implements Host.
func (w *wireHost) HTTP(r *Request) (*Response, error) {
	if err := encodeRequest(w.message(), r); err != nil {
		return nil, err
	}
	return w.exchange()
}

// Ask implements Host.
func (w *wireHost) Ask(t *Template, path string) (*Response, error) {
	if len(t.request.URL)+len(path) > maxTemplateURL {
		return w.HTTP(t.To(Varying{Path: path}))
	}
	t.encode(&w.request, path)
	return w.exchange()
}

// Send implements Host.
func (w *wireHost) Send(t *Template, v Varying) (*Response, error) {
	if len(t.request.URL)+len(v.Path) > maxTemplateURL {
		return w.HTTP(t.To(v))
	}
	if err := t.encodeVarying(&w.request, &v); err != nil {
		return nil, err
	}
	return w.exchange()
}

// exchange runs the request in w.request. It is roundTrip for what most replies are.
func (w *wireHost) exchange() (*Response, error) {
	if len(w.request.b) > MaxMessage {
		return nil, errTooLong
	}
	room := w.replies.room()
	n := w.im.call(hostHTTP, w.request.b, room)
	if uint64(n) > uint64(len(room)) {
		reply, err := w.long(n, "http")
		if err != nil {
			return nil, err
		}
		return w.decodeResponse(reply, false)
	}
	var v [len(responseKeys)]flatValue
	if flat(room[:n], responseKeys[:], v[:]) {
		return w.response(int(n), &v), nil
	}
	return w.decodeResponse(room[:n], true)
}

// message begins the message of the next round trip.
func (w *wireHost) message() object {
	w.request.b = w.request.b[:0]
	return w.request.object()
}

func encodeRequest(o object, r *Request) error {
	o.str("method", r.Method)
	o.str("url", r.URL)
	o.strs("headers", r.Headers)
	if r.Data != nil && r.Body != nil {
		return NewError(KindInvalidArgument, "a request has both Data and Body")
	}
	o.bin("data", r.Data)
	if r.Body != nil {
		if err := o.streams("body", r.Body); err != nil {
			return err
		}
	}
	encodeWant(o, r.Max, r.Want)
	o.bool("outlast", r.Outlast)
	return encodeSigning(o, r)
}

// streams adds the handles of streams.
func (o object) streams(k string, streams []*Stream) error {
	o.key(k).arrayLen(len(streams))
	for _, s := range streams {
		h, err := handleOf(s)
		if err != nil {
			return err
		}
		o.e.int(h)
	}
	return nil
}

func encodeWant(o object, max int, want []string) {
	o.int("max", int64(max))
	if want != nil { // none is not the same as all
		o.key("want").strs(want)
	}
}

// responseKeys are those of a response without headers.
var responseKeys = [...]flatKey{
	newFlatKey("status", familyUint), newFlatKey("len", familyUint), newFlatKey("body", familyUint), newFlatKey("data", familyBin),
}

// response makes a Response of a reply of n bytes in w.replies that flat has read.
func (w *wireHost) response(n int, v *[len(responseKeys)]flatValue) *Response {
	a := w.answers.next()
	r := &a.response
	r.Status, r.Length, r.Data = int(v[0].number), v[1].number, v[3].bytes
	if len(r.Data) > 0 {
		w.replies.keep(n)
	}
	if v[2].number != 0 {
		r.Body = w.stream(a, v[2].number, r.Length)
	}
	return r
}

func (w *wireHost) decodeResponse(reply []byte, shared bool) (*Response, error) {
	d := decoder{b: reply}
	a := w.answers.next()
	r := &a.response
	var body int64
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch key := d.strBytes(); {
		case string(key) == "body":
			body = d.int()
		case string(key) == "err":
			return nil, decodeError(&d)
		case !r.field(&d, key):
			d.skip()
		}
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	if shared && len(r.Data) > 0 {
		w.replies.keep(len(reply))
	}
	if body != 0 {
		r.Body = w.stream(a, body, r.Length)
	}
	return r, nil
}

// field reads the value of one of a response's keys but its body's. Data is part of the message.
func (r *Response) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "status":
		r.Status = int(d.int())
	case "headers":
		r.Headers = d.strs()
	case "len":
		r.Length = d.int()
	case "data":
		r.Data = d.bin()
	default:
		return false
	}
	return true
}

// stream returns the Stream of a handle, which is kept in a.
func (w *wireHost) stream(a *answer, h, size int64) *Stream {
	a.handle = handle{w, h}
	a.body = Stream{&a.handle, size}
	return &a.body
}

// decodeError reads the error map that d stands before.
func decodeError(d *decoder) error {
	e := &Error{}
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch string(d.strBytes()) {
		case "kind":
			if k := d.int(); k > 0 && k < int64(len(kindNames)) {
				e.Kind = Kind(k)
			}
		case "tmp":
			e.Temporary = d.bool()
		case "after":
			e.RetryAfter = time.Duration(d.int()) * time.Millisecond
		case "status":
			e.Status = int(d.int())
		case "msg":
			e.Msg = d.str()
		default:
			d.skip()
		}
	}
	if d.err != nil {
		return d.err
	}
	return e
}

// decodeReply decodes a reply with field, which reads the value of a key it knows.
func decodeReply(reply []byte, field func(d *decoder, key []byte) bool) error {
	d := decoder{b: reply}
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch key := d.strBytes(); {
		case string(key) == "err":
			return decodeError(&d)
		case !field(&d, key):
			d.skip()
		}
	}
	return d.end()
}

// emptyReply decodes a reply in which only an error matters.
func emptyReply(reply []byte) error {
	return decodeReply(reply, func(*decoder, []byte) bool { return false })
}

// ask sends the message in w.request and decodes the reply with field, whose bytes must be copied to be kept.
func (w *wireHost) ask(op int32, name string, field func(d *decoder, key []byte) bool) error {
	reply, _, err := w.roundTrip(op, name)
	if err != nil {
		return err
	}
	return decodeReply(reply, field)
}

// askNothing is ask for replies in which only an error matters.
func (w *wireHost) askNothing(op int32, name string) error {
	return w.ask(op, name, func(*decoder, []byte) bool { return false })
}

// askInt is ask for one number, which may be a handle.
func (w *wireHost) askInt(op int32, name, key string) (h int64, err error) {
	err = w.ask(op, name, func(d *decoder, k []byte) bool {
		if string(k) == key {
			h = d.int()
		}
		return string(k) == key
	})
	return h, err
}

// askText is ask for one string.
func (w *wireHost) askText(op int32, name, key string) (text string, err error) {
	err = w.ask(op, name, func(d *decoder, k []byte) bool {
		if string(k) == key {
			text = d.str()
		}
		return string(k) == key
	})
	return text, err
}

// Begin implements Host.
func (w *wireHost) Begin(r *Request, size int64) (HostSink, error) {
	o := w.message()
	o.str("method", r.Method)
	o.str("url", r.URL)
	o.strs("headers", r.Headers)
	o.int("size", size)
	if err := encodeSigning(o, r); err != nil {
		return nil, err
	}
	sink, err := w.askInt(hostHTTPBegin, "http_begin", "sink")
	if err != nil {
		return nil, err
	}
	return &handle{w, sink}, nil
}

// Now implements Host.
func (w *wireHost) Now() int64 { return w.im.now() }

// Random implements Host.
func (w *wireHost) Random(p []byte) { w.im.random(p) }

// Log implements Host.
func (w *wireHost) Log(level Level, line string) {
	if len(line) > MaxText {
		line = line[:MaxText]
	}
	w.im.log(int32(level), []byte(line))
}

// Sleep implements Host. The wait is WASI's, which the host ends with the call.
func (w *wireHost) Sleep(nanoseconds int64) error {
	sleep(nanoseconds)
	return nil
}

// handle is a handle of the host's: a HostStream or a HostSink.
type handle struct {
	w *wireHost
	h int64
}

func handleOf(s *Stream) (int64, error) {
	if h, ok := s.host.(*handle); ok {
		return h.h, nil
	}
	return 0, NewError(KindInvalidArgument, "a stream of another host")
}

func (h *handle) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	switch n := h.w.im.read(h.h, p); {
	case n < 0:
		return 0, failure("to read", n)
	case n == 0:
		return 0, io.EOF
	case n > int64(len(p)):
		return 0, errFormat
	default:
		return int(n), nil
	}
}

func (h *handle) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if n := h.w.im.write(h.h, p); n < 0 {
		return 0, failure("to write", n)
	}
	return len(p), nil
}

func (h *handle) Splice(src *Stream, n int64) (int64, error) {
	from, err := handleOf(src)
	if err != nil {
		return 0, err
	}
	moved := h.w.im.splice(h.h, from, n)
	if moved < 0 {
		return 0, failure("to splice", moved)
	}
	return moved, nil
}

func (h *handle) Finish(max int, want []string) (*Response, error) {
	o := h.w.message()
	o.int("sink", h.h)
	encodeWant(o, max, want)
	reply, shared, err := h.w.roundTrip(hostHTTPFinish, "http_finish")
	if err != nil {
		return nil, err
	}
	h.h = 0
	return h.w.decodeResponse(reply, shared)
}

func (h *handle) Close() error {
	if h.h == 0 {
		return nil
	}
	n := h.w.im.close(h.h)
	h.h = 0
	if n < 0 {
		return failure("to close", n)
	}
	return nil
}
