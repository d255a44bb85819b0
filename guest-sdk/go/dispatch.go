package berth

import "unicode/utf8"

// guest answers the host's operations. It is used by one goroutine at a time.
type guest struct {
	host     *wireHost
	call     *Call
	manifest Manifest
	open     OpenFunc
	driver   Driver
	reply    encoder
}

func newGuest(im imports, m Manifest, open OpenFunc) *guest {
	host := newWireHost(im)
	return &guest{host: host, call: &Call{host: host, texts: &host.texts}, manifest: m, open: open, reply: encoder{b: make([]byte, 0, 1024)}}
}

// request is every key that a request may have.
type request struct {
	params, path, cursor, dest, after, method, remote, forwarded, token []byte

	paths              []string
	limit, off, length int64
	size, body, num    int64
	receipts, sink     int64
	append             bool
	digests            map[string][]byte
	state              []byte
}

// decode reads a request. Byte slices are part of it.
func (r *request) decode(b []byte) error {
	d := decoder{b: b}
	for n := d.mapLen(); n > 0 && d.err == nil; n-- {
		switch string(d.strBytes()) {
		case "path":
			r.path = d.strBytes()
		case "off":
			r.off = d.int()
		case "len":
			r.length = d.int()
		case "size":
			r.size = d.int()
		case "body":
			r.body = d.int()
		case "cursor":
			r.cursor = d.strBytes()
		case "limit":
			r.limit = d.int()
		case "dest":
			r.dest = d.strBytes()
		case "paths":
			r.paths = d.strs()
		case "after":
			r.after = d.strBytes()
		case "method":
			r.method = d.strBytes()
		case "remote":
			r.remote = d.strBytes()
		case "forwarded":
			r.forwarded = d.strBytes()
		case "append":
			r.append = d.bool()
		case "receipts":
			r.receipts = d.int()
		case "token":
			r.token = d.strBytes()
		case "num":
			r.num = d.int()
		case "digests":
			r.digests = decodeDigests(&d)
		case "params":
			r.params = d.bin()
		case "state":
			r.state = d.bin()
		case "sink":
			r.sink = d.int()
		default:
			d.skip()
		}
	}
	return d.end()
}

// pathKeys are those of a request about one path.
var pathKeys = [...]flatKey{newFlatKey("path", familyStr), newFlatKey("off", familyUint), newFlatKey("len", familyUint)}

func decodeDigests(d *decoder) map[string][]byte {
	n := d.mapLen()
	if n == 0 {
		return nil
	}
	digests := make(map[string][]byte, n)
	for ; n > 0 && d.err == nil; n-- {
		name := d.str()
		digests[name] = append([]byte(nil), d.bin()...)
	}
	return digests
}

// dispatch runs one operation and returns the reply, which is good until the next one.
func (g *guest) dispatch(op uint32, message []byte) []byte {
	g.reply.b = g.reply.b[:0]
	var v [len(pathKeys)]flatValue
	var err error
	switch {
	case op == opStat && g.driver != nil && flat(message, pathKeys[:], v[:]):
		err = g.runStat(g.text(v[0].bytes))
	case op == opRead && g.driver != nil && flat(message, pathKeys[:], v[:]):
		err = g.runRead(g.text(v[0].bytes), v[1].number, v[2].number)
	default:
		err = g.decodeAndRun(op, message)
	}
	if err == nil && len(g.reply.b) > MaxMessage {
		err = errTooLong
	}
	if err != nil {
		g.encodeError(err)
	}
	return g.reply.b
}

func (g *guest) decodeAndRun(op uint32, message []byte) error {
	var r request
	if err := r.decode(message); err != nil {
		return err
	}
	return g.run(op, &r)
}

func (g *guest) encodeError(err error) {
	e := asError(err)
	if e == nil {
		e = &Error{Msg: err.Error()}
	}
	msg := e.Msg
	if err != error(e) {
		msg = err.Error()
	}
	g.reply.b = g.reply.b[:0]
	o := g.reply.object()
	o.key("err")
	o = g.reply.object()
	o.int("kind", int64(e.Kind))
	o.bool("tmp", e.Temporary)
	o.int("after", e.RetryAfter.Milliseconds())
	o.int("status", int64(e.Status))
	o.str("msg", oneLine(msg))
}

// oneLine makes a text fit for the wire: valid UTF-8 without control characters, at most MaxText bytes.
func oneLine(s string) string {
	clean := len(s) <= MaxText && utf8.ValidString(s)
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' '
	}
	if clean {
		return s
	}
	out := make([]byte, 0, min(len(s), MaxText))
	for _, r := range s {
		if r < ' ' {
			r = ' '
		}
		if len(out)+utf8.RuneLen(r) > MaxText {
			break
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// run runs op and leaves its reply in g.reply.
func (g *guest) run(op uint32, r *request) error {
	switch op {
	case opDescribe:
		g.reply.object().bin("manifest", g.manifest.JSON())
		return nil
	case opOpen:
		return g.runOpen(r)
	}
	if g.driver == nil {
		return NewError(KindInvalidArgument, "the driver is not open")
	}
	switch op {
	case opStat:
		return g.runStat(g.text(r.path))
	case opRead:
		return g.runRead(g.text(r.path), r.off, r.length)
	case opList, opListTree, opListUploads:
		return g.runList(op, r)
	case opPut:
		return g.empty(g.driver.Put(g.call, g.text(r.path), g.stream(r.body, r.size)))
	case opDelete:
		return g.empty(g.driver.Delete(g.call, g.text(r.path)))
	case opDeleteTree:
		return g.empty(g.driver.DeleteTree(g.call, g.text(r.path)))
	case opCopy:
		return g.empty(g.driver.Copy(g.call, g.text(r.path), g.text(r.dest)))
	case opMove:
		return g.empty(g.driver.Move(g.call, g.text(r.path), g.text(r.dest)))
	case opConcat:
		return g.empty(g.driver.Concat(g.call, g.text(r.dest), r.paths))
	case opRedirect:
		return g.runRedirect(r)
	case opStream:
		return g.runStream(r)
	case opCommitting:
		return g.empty(g.driver.Committing(g.call, g.text(r.path), r.size, r.state, g.output(r.sink)))
	}
	return g.runUpload(op, r)
}

func (g *guest) empty(err error) error {
	if err == nil {
		g.reply.object()
	}
	return err
}

// stream wraps the handle of a source; nil when there is none.
func (g *guest) stream(h, size int64) *Stream {
	if h == 0 {
		return nil
	}
	return g.host.stream(g.host.answers.next(), h, size)
}

// text returns b, which is part of the request, as a string that the driver may keep.
func (g *guest) text(b []byte) string { return g.host.texts.copy(b) }

func (g *guest) runOpen(r *request) error {
	params := r.params
	if len(params) == 0 {
		params = []byte("{}")
	}
	driver, abilities, maxObject, err := g.open(g.call, params)
	if err != nil {
		return err
	}
	g.driver = driver
	o := g.reply.object()
	o.int("caps", int64(abilities))
	o.int("maxobj", maxObject)
	return nil
}

func (g *guest) runStat(path string) error {
	entry, err := g.driver.Stat(g.call, path)
	if err != nil {
		return err
	}
	entry.Name = ""
	encodeEntry(&g.reply, &entry)
	return nil
}

func encodeEntry(e *encoder, entry *Entry) {
	o := e.object()
	o.str("name", entry.Name)
	o.int("size", entry.Size)
	if !entry.ModTime.IsZero() {
		o.int("time", entry.ModTime.UnixNano())
	}
	o.bool("dir", entry.Dir)
}

func (g *guest) runList(op uint32, r *request) error {
	var page Page
	var err error
	switch op {
	case opList:
		page, err = g.driver.List(g.call, g.text(r.path), g.text(r.cursor), int(r.limit))
	case opListTree:
		page, err = g.driver.ListTree(g.call, g.text(r.path), g.text(r.after), g.text(r.cursor), int(r.limit))
	default:
		page, err = g.driver.ListUploads(g.call, g.text(r.path), g.text(r.cursor), int(r.limit))
	}
	if err != nil {
		return err
	}
	o := g.reply.object()
	if len(page.Entries) > 0 {
		o.key("entries").arrayLen(len(page.Entries))
	}
	for i := range page.Entries {
		encodeEntry(&g.reply, &page.Entries[i])
	}
	o.str("cursor", page.Cursor)
	return nil
}

func (g *guest) runRead(path string, offset, length int64) error {
	content, err := g.driver.Read(g.call, path, offset, length)
	if err != nil {
		return err
	}
	if len(content.State) > 0 {
		return encodeState(g.reply.object(), &content)
	}
	return encodeContent(g.reply.object(), &content)
}

// encodeContent adds the length, and the bytes or a handle.
func encodeContent(o object, c *Content) error {
	o.int("len", c.Length)
	if c.Body == nil {
		data := c.Data
		if len(c.Version) > 0 {
			data = data[:min(len(data), MaxInline)]
		}
		o.bin("data", data)
		o.bin("version", c.Version)
		return nil
	}
	h, err := handleOf(c.Body)
	if err != nil {
		return err
	}
	o.int("body", h)
	return nil
}

func (g *guest) runRedirect(r *request) error {
	url, err := g.driver.Redirect(g.call, g.text(r.path), RedirectOptions{
		Method: g.text(r.method), RemoteAddr: g.text(r.remote), ForwardedFor: g.text(r.forwarded),
	})
	if err != nil {
		return err
	}
	g.reply.object().str("url", url)
	return nil
}
