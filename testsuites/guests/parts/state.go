package parts

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// stateSuffix makes the name of an upload's state object from that of its target.
const stateSuffix = "~upload"

// stateMark begins a state object; eight hexadecimal digits say how long the text is, this line
// included, and after the text comes the tail.
const (
	stateMark   = "berth part upload 1 "
	firstLine   = len(stateMark) + 8 + 1
	maxState    = 2 << 20  // 10,000 parts of 60 bytes, three times
	inlineState = 16 << 10 // what is cheaper to answer at once than to hold a connection for
)

// token names an upload, and what its writer began with.
type token struct {
	id     string
	writer string
	base   string // the tag of the state object when the upload was opened, "" when there was none
	path   string
}

func newToken(c *berth.Call, id, base, path string) token {
	t := token{id: id, writer: random(c, 8), base: base, path: path}
	if id == "" {
		t.id = random(c, 16)
	}
	return t
}

func random(c *berth.Call, n int) string {
	raw := make([]byte, n)
	c.Random(raw)
	return hexadecimal(raw)
}

func hexadecimal(raw []byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(raw))
	for _, b := range raw {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}

func (t token) String() string { return t.id + " " + t.writer + " " + t.base + " " + t.path }

func parseToken(s string) (token, error) {
	fields := strings.SplitN(s, " ", 4)
	if len(fields) != 4 {
		return token{}, berth.NewError(berth.KindInvalidArgument, "not a token of this driver")
	}
	return token{fields[0], fields[1], fields[2], fields[3]}, nil
}

// state is a state object.
type state struct {
	id     string
	writer string
	parts  []berth.Receipt
	last   *berth.Receipt // the last part, while a commit is under way
	tail   int64

	etag string        // of the object that was read
	rest berth.Content // the tail of the object that was read
}

// text encodes what comes before the tail.
func (s *state) text() []byte {
	b := append(make([]byte, 0, 256+64*len(s.parts)), stateMark+"00000000\n"...)
	b = append(b, "upload "+s.id+"\nwriter "+s.writer+"\ntail "+strconv.FormatInt(s.tail, 10)+"\n"...)
	for i := range s.parts {
		b = appendReceipt(b, "part ", &s.parts[i])
	}
	if s.last != nil {
		b = appendReceipt(b, "last ", s.last)
	}
	length := strconv.FormatInt(int64(len(b)), 16)
	copy(b[firstLine-1-len(length):], length)
	return b
}

func appendReceipt(b []byte, what string, r *berth.Receipt) []byte {
	b = append(b, what...)
	b = append(strconv.AppendInt(b, int64(r.Number), 10), ' ')
	b = append(strconv.AppendInt(b, r.Offset, 10), ' ')
	b = append(strconv.AppendInt(b, r.Size, 10), ' ')
	return append(append(b, r.Data...), '\n')
}

// textLength returns the length that the first line says.
func textLength(first string) (int, bool) {
	digits, ok := strings.CutPrefix(first, stateMark)
	n, err := strconv.ParseUint(strings.TrimSuffix(digits, "\n"), 16, 32)
	return int(n), ok && err == nil && n >= uint64(firstLine) && n <= maxState
}

// parse decodes what comes after the first line.
func (s *state) parse(text string) bool {
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		what, value, _ := strings.Cut(line, " ")
		var err error
		ok := true
		switch what {
		case "upload":
			s.id = value
		case "writer":
			s.writer = value
		case "tail":
			s.tail, err = strconv.ParseInt(value, 10, 64)
		case "part":
			var r berth.Receipt
			r, ok = parseReceipt(value)
			s.parts = append(s.parts, r)
		case "last":
			var r berth.Receipt
			r, ok = parseReceipt(value)
			s.last = &r
		}
		if err != nil || !ok {
			return false
		}
	}
	return s.id != "" && s.writer != ""
}

func parseReceipt(s string) (berth.Receipt, bool) {
	fields := strings.Split(s, " ")
	if len(fields) != 4 {
		return berth.Receipt{}, false
	}
	number, err1 := strconv.Atoi(fields[0])
	offset, err2 := strconv.ParseInt(fields[1], 10, 64)
	size, err3 := strconv.ParseInt(fields[2], 10, 64)
	return berth.Receipt{Number: number, Offset: offset, Size: size, Data: []byte(fields[3])}, err1 == nil && err2 == nil && err3 == nil
}

// load reads the state object of the upload to path; nil when there is none. The caller closes it.
func (d *driver) load(c *berth.Call, path string) (*state, error) {
	resp, err := c.HTTP(&berth.Request{Method: "GET", URL: d.url(path + stateSuffix), Max: inlineState, Want: wantTag})
	if err != nil {
		return nil, err
	}
	switch resp.Status {
	case 404:
		resp.Close()
		return nil, nil
	case 200:
	default:
		return nil, failure(c, "GET of an upload's state", resp)
	}
	s := &state{etag: tagOf(resp)}
	if err := s.read(resp); err != nil {
		resp.Close()
		return nil, err
	}
	return s, nil
}

var wantTag = []string{"etag"}

func tagOf(resp *berth.Response) string { return strings.Trim(resp.Header("etag"), `"`) }

// read reads the text, exactly: the body then stands where the tail begins.
func (s *state) read(resp *berth.Response) error {
	corrupt := berth.NewError(berth.KindCorrupt, "an upload's state cannot be understood")
	next := func(n int) (string, bool) {
		if resp.Body != nil {
			b := make([]byte, n)
			for at := 0; at < n; {
				got, err := resp.Body.Read(b[at:])
				if at += got; err != nil && at < n {
					return "", false
				}
			}
			return string(b), true
		}
		if n > len(resp.Data) {
			return "", false
		}
		text := string(resp.Data[:n])
		resp.Data = resp.Data[n:]
		return text, true
	}
	first, ok := next(firstLine)
	if !ok {
		return corrupt
	}
	length, ok := textLength(first)
	if !ok {
		return corrupt
	}
	text, ok := next(length - firstLine)
	if !ok || !s.parse(text) || s.tail != resp.Length-int64(length) {
		return corrupt
	}
	s.rest = berth.Content{Length: s.tail, Body: resp.Body}
	if resp.Body == nil {
		s.rest.Data = resp.Data
	}
	return nil
}

// close gives the tail back.
func (s *state) close() {
	if s != nil && s.rest.Body != nil {
		s.rest.Body.Close()
	}
}

// save writes s, with tail after it, where t's writer left off, or Conflict: then somebody else has written.
func (d *driver) save(c *berth.Call, t token, s *state, tail *berth.Stream) error {
	condition, err := d.condition(c, t)
	if err != nil {
		return err
	}
	text := s.text()
	r := &berth.Request{Method: "PUT", URL: d.url(t.path + stateSuffix), Headers: condition, Want: none}
	var resp *berth.Response
	if tail == nil {
		r.Data = text
		resp, err = c.HTTP(r)
	} else {
		resp, err = d.spliced(c, r, text, tail)
	}
	if err != nil {
		return err
	}
	switch resp.Status {
	case 200, 201:
		resp.Close()
		return nil
	case 412:
		resp.Close()
		return conflict("another writer has moved on")
	}
	return failure(c, "PUT of an upload's state", resp)
}

// spliced sends text, and tail after it, which stays with the host.
func (d *driver) spliced(c *berth.Call, r *berth.Request, text []byte, tail *berth.Stream) (*berth.Response, error) {
	sink, err := c.Begin(r, int64(len(text))+tail.Size())
	if err != nil {
		return nil, err
	}
	defer sink.Close()
	if _, err := sink.Write(text); err != nil {
		return nil, err
	}
	if _, err := sink.Splice(tail, -1); err != nil {
		return nil, err
	}
	return sink.Finish(maxText, none)
}

// condition returns the header under which t's writer may write: what it began with, or what it
// has itself written since, is still there.
func (d *driver) condition(c *berth.Call, t token) ([]string, error) {
	resp, err := d.do(c, "HEAD of an upload's state", &berth.Request{Method: "HEAD", URL: d.url(t.path + stateSuffix), Want: wantTag}, 200, 404)
	if err != nil {
		return nil, err
	}
	resp.Close()
	if resp.Status == 404 {
		if t.base != "" {
			return nil, conflict("another writer has ended the upload")
		}
		return []string{"If-None-Match", "*"}, nil
	}
	tag := tagOf(resp)
	if tag != t.base {
		s, err := d.load(c, t.path)
		if err != nil {
			return nil, err
		}
		s.close()
		if s == nil || s.id != t.id || s.writer != t.writer {
			return nil, conflict("another writer has moved on")
		}
		tag = s.etag
	}
	return []string{"If-Match", `"` + tag + `"`}, nil
}

// drop removes the state object if it is still the one with the tag, and reports whether it was.
func (d *driver) drop(c *berth.Call, path, tag string) (bool, error) {
	r := &berth.Request{Method: "DELETE", URL: d.url(path + stateSuffix), Headers: []string{"If-Match", `"` + tag + `"`}, Want: none}
	resp, err := d.do(c, "DELETE of an upload's state", r, 204, 404, 412)
	if err != nil {
		return false, err
	}
	resp.Close()
	return resp.Status != 412, nil
}
