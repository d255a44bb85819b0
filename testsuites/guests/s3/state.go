package s3

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	// stateSuffix and tailSuffix make the names of an upload's objects from that of its target.
	stateSuffix = "~upload"
	tailSuffix  = "~tail."
	// stateMark is the first line of a state object.
	stateMark = "berth s3 upload 1\n"
	maxState  = 2 << 20 // 10,000 parts of 60 bytes, three times
)

// token names an upload, and what its writer began with.
type token struct {
	id     string
	writer string
	base   string // the writer of the state object when the upload was opened, "-" when there was none
	path   string
}

func (t token) String() string { return t.id + " " + t.writer + " " + t.base + " " + t.path }

func parseToken(s string) (token, error) {
	fields := strings.SplitN(s, " ", 4)
	if len(fields) != 4 {
		return token{}, berth.NewError(berth.KindInvalidArgument, "not a token of this driver")
	}
	return token{fields[0], fields[1], fields[2], fields[3]}, nil
}

// state is a state object: a line for each of these.
type state struct {
	id     string
	writer string // a new one each time it is opened
	tail   string // the object with the tail, "" if there is none
	length int64  // of the tail
	parts  []berth.Receipt

	tag string // of the object, where it was read from one
}

func (s *state) text() []byte {
	b := append(make([]byte, 0, 256+64*len(s.parts)), stateMark...)
	b = append(b, "upload "+s.id+"\nwriter "+s.writer+"\n"...)
	if s.tail != "" {
		b = append(b, "tail "+strconv.FormatInt(s.length, 10)+" "+s.tail+"\n"...)
	}
	for i := range s.parts {
		r := &s.parts[i]
		b = append(b, "part "...)
		for _, n := range []int64{int64(r.Number), r.Offset, r.Size} {
			b = append(strconv.AppendInt(b, n, 10), ' ')
		}
		b = append(append(b, r.Data...), '\n')
	}
	return b
}

func parseState(text string) (*state, bool) {
	text, ok := strings.CutPrefix(text, stateMark)
	s := &state{}
	for ok && len(text) > 0 {
		var line string
		line, text, ok = strings.Cut(text, "\n")
		what, value, _ := strings.Cut(line, " ")
		var err error
		switch what {
		case "upload":
			s.id = value
		case "writer":
			s.writer = value
		case "tail":
			size, name, _ := strings.Cut(value, " ")
			s.tail = name
			s.length, err = strconv.ParseInt(size, 10, 64)
		case "part":
			f := strings.SplitN(value, " ", 4)
			if len(f) != 4 {
				return nil, false
			}
			number, err1 := strconv.Atoi(f[0])
			offset, err2 := strconv.ParseInt(f[1], 10, 64)
			size, err3 := strconv.ParseInt(f[2], 10, 64)
			ok = ok && err1 == nil && err2 == nil && err3 == nil
			s.parts = append(s.parts, berth.Receipt{Number: number, Offset: offset, Size: size, Data: []byte(f[3])})
		}
		ok = ok && err == nil
	}
	return s, ok && s.id != "" && s.writer != ""
}

// load reads the state object of the upload to path; nil when there is none.
func (d *driver) load(c *berth.Call, path string) (*state, error) {
	resp, err := d.send(c, "GET of an upload's state", &berth.Request{Method: "GET", URL: d.url(path + stateSuffix), Max: berth.MaxInline, Want: wantTag}, 200, 404)
	if err != nil {
		return nil, err
	}
	defer resp.Close()
	if resp.Status == 404 {
		return nil, nil
	}
	data := resp.Data
	if resp.Body != nil {
		if data, err = resp.Body.ReadAll(maxState); err != nil {
			return nil, err
		}
	}
	s, ok := parseState(string(data))
	if !ok {
		return nil, berth.NewError(berth.KindCorrupt, "an upload's state cannot be understood")
	}
	s.tag = resp.Header("etag")
	return s, nil
}

// save stores s as the state of t's upload where that is still before, as current has loaded it: of two writers that found the same one has it.
func (d *driver) save(c *berth.Call, t token, s, before *state) error {
	for i := 1; ; i++ {
		condition := []string{"If-None-Match", "*"}
		if before != nil {
			condition = []string{"If-Match", before.tag}
		}
		err := d.do(c, "PUT of an upload's state", &berth.Request{Method: "PUT", URL: d.url(t.path + stateSuffix), Headers: condition, Data: s.text()}, 200)
		if code := status(err); i == attempts || code != 404 && code != 409 && code != 412 {
			return err
		}
		// It was this writer itself, with another part or a request without an answer, or another.
		if before, err = d.current(c, t); err != nil {
			return err
		}
	}
}

// current loads the state, or answers Conflict when it is another writer's than t's and not what t's began with.
func (d *driver) current(c *berth.Call, t token) (*state, error) {
	s, err := d.load(c, t.path)
	switch {
	case err != nil:
		return nil, err
	case s == nil && t.base != noWriter:
		return nil, conflict("another writer has ended the upload")
	case s != nil && s.writer != t.writer && s.writer != t.base:
		return nil, conflict("another writer has moved on")
	}
	return s, nil
}

// noWriter stands in a token where there was no state.
const noWriter = "-"

// forget removes a state and then what it names, but for the upload. s may be nil.
func (d *driver) forget(c *berth.Call, path string, s *state) error {
	if s == nil {
		return nil
	}
	if err := d.Delete(c, path+stateSuffix); err != nil || s.tail == "" {
		return err
	}
	return d.Delete(c, s.tail)
}

// deleteUnnamedTail deletes the tail of a state that is not there, unless what is there names it: s may have been there before.
func (d *driver) deleteUnnamedTail(c *berth.Call, path string, s *state) error {
	now, err := d.load(c, path)
	if err != nil || s.tail == "" || now != nil && now.tail == s.tail {
		return err
	}
	return d.Delete(c, s.tail)
}

func random(c *berth.Call, n int) string {
	const digits = "0123456789abcdef"
	raw := make([]byte, n)
	c.Random(raw)
	text := make([]byte, 0, 2*n)
	for _, b := range raw {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}
