package webdav

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Read implements berth.Driver.
func (d *driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	if length == 0 {
		return d.atEnd(c, path, offset, false)
	}
	if offset != 0 || length > 0 {
		resp, err := d.askRange(c, path, offset, length)
		return d.read(c, path, offset, length, resp, err)
	}
	at := escape(path)
	resp, err := c.Ask(d.get, at)
	if err == nil && resp.Status == 200 && resp.Length > 0 && len(resp.Headers) == 0 {
		return berth.Content{Length: resp.Length, Body: resp.Body}, nil
	}
	resp, err = d.unlocked(c, d.get, at, resp, err)
	return d.read(c, path, offset, length, resp, err)
}

// read makes the most of a GET's first answer.
func (d *driver) read(c *berth.Call, path string, offset, length int64, resp *berth.Response, err error) (berth.Content, error) {
	for attempt := 1; ; attempt++ {
		if err != nil {
			return berth.Content{}, err
		}
		content, failure := d.content(c, path, resp, offset, length)
		if failure == nil && content.Body != nil {
			if !d.confirm {
				return content, nil
			}
			if failure = d.confirmed(c, path, resp); failure == nil {
				return content, nil
			}
		}
		resp.Close()
		switch {
		case failure == errReplaced && attempt < confirmAttempts:
			if err := pause(c, min(attempt-1, confirmSlowest)); err != nil {
				return berth.Content{}, err
			}
		case failure != errContradicted:
			return berth.Content{}, failure
		case attempt >= readAttempts:
			return berth.Content{}, statusError("GET", resp)
		}
		resp, err = d.askRange(c, path, offset, length)
	}
}

// askRange sends a GET for a range.
func (d *driver) askRange(c *berth.Call, path string, offset, length int64) (*berth.Response, error) {
	r := &berth.Request{Method: "GET", URL: d.url(path), Want: d.wantContent}
	if offset > 0 || length > 0 {
		r.Headers = []string{"Range", rangeOf(offset, length)}
	}
	return d.do(c, r)
}

// readAttempts is how often a GET is sent that is refused although a PROPFIND finds the file: servers that
// replace a file in two steps are met between them.
const readAttempts = 3

var errContradicted = berth.NewError(berth.KindUnavailable, "GET is refused although the file is there")

var wantContent = []string{"content-range", "content-encoding", "location", "retry-after"}

func rangeOf(offset, length int64) string {
	r := "bytes=" + strconv.FormatInt(offset, 10) + "-"
	if length > 0 && offset+length > offset {
		r += strconv.FormatInt(offset+length-1, 10)
	}
	return r
}

func (d *driver) content(c *berth.Call, path string, resp *berth.Response, offset, length int64) (berth.Content, error) {
	if resp.Header("content-encoding") != "" && resp.Status/100 == 2 {
		return berth.Content{}, berth.NewError(berth.KindCorrupt, "the server encodes content that nobody asked it to encode")
	}
	switch resp.Status {
	case 200:
		return d.whole(c, path, resp, offset, length)
	case 206:
		return partial(resp, offset, length)
	case 416:
		total := resp.Header("content-range")
		if size, ok := number(strings.TrimPrefix(total, "bytes */")); ok {
			return empty(offset, size, true)
		}
		return d.atEnd(c, path, offset, true)
	}
	if !isAmbiguous(resp.Status) && resp.Status/100 != 3 {
		return berth.Content{}, statusError("GET", resp)
	}
	// Directories are answered with anything, and so are paths below a file.
	r, err := d.find(c, path)
	switch {
	case err != nil:
		return berth.Content{}, err
	case r.dir:
		return berth.Content{}, notFound()
	}
	return berth.Content{}, errContradicted
}

// whole takes the range out of an answer with everything.
func (d *driver) whole(c *berth.Call, path string, resp *berth.Response, offset, length int64) (berth.Content, error) {
	size := resp.Length
	if size < 0 {
		r, err := d.lookup(c, path)
		if err != nil {
			return berth.Content{}, err
		}
		size = r.size
	}
	if offset >= size {
		return empty(offset, size, false)
	}
	if offset > 0 {
		if err := drop(resp.Body, offset); err != nil {
			return berth.Content{}, err
		}
	}
	left := size - offset
	if length >= 0 {
		left = min(left, length)
	}
	return berth.Content{Length: left, Body: resp.Body}, nil
}

// drop reads n bytes and forgets them.
func drop(body *berth.Stream, n int64) error {
	buf := make([]byte, min(n, 256<<10))
	for n > 0 {
		got, err := body.Read(buf[:min(n, int64(len(buf)))])
		n -= int64(got)
		if err != nil && n > 0 {
			return &berth.Error{Kind: berth.KindCorrupt, Temporary: true, Msg: "the content ended before the offset: " + err.Error()}
		}
	}
	return nil
}

// partial checks that the answer is the range that was asked for.
func partial(resp *berth.Response, offset, length int64) (berth.Content, error) {
	first, last, total, ok := contentRange(resp.Header("content-range"))
	got := last - first + 1
	switch {
	case !ok || resp.Body == nil:
		return berth.Content{}, wrongRange("has no range that can be read")
	case first != offset:
		return berth.Content{}, wrongRange("begins elsewhere")
	case length > 0 && got > length:
		return berth.Content{}, wrongRange("is longer than was asked for")
	case resp.Length >= 0 && resp.Length != got:
		return berth.Content{}, wrongRange("has another length than its range")
	case total >= 0 && last != total-1 && (length < 0 || got < length):
		return berth.Content{}, wrongRange("ends too early")
	case total < 0 && length > 0 && got < length:
		return berth.Content{}, wrongRange("ends too early for all one can tell")
	}
	return berth.Content{Length: got, Body: resp.Body}, nil
}

func wrongRange(why string) error {
	return berth.NewError(berth.KindCorrupt, "the server's partial answer ", why)
}

// contentRange reads "bytes FIRST-LAST/TOTAL"; total is -1 when it is "*".
func contentRange(v string) (first, last, total int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	if !ok {
		return 0, 0, 0, false
	}
	span, size, ok := strings.Cut(v, "/")
	if !ok {
		return 0, 0, 0, false
	}
	from, to, ok := strings.Cut(span, "-")
	first, ok1 := number(from)
	last, ok2 := number(to)
	total, ok3 := number(size)
	if size == "*" {
		total, ok3 = -1, true
	}
	ok = ok && ok1 && ok2 && ok3 && first <= last && (total < 0 || last < total)
	return first, last, total, ok
}

// atEnd answers a read of nothing, or one that the server found to begin at the end.
func (d *driver) atEnd(c *berth.Call, path string, offset int64, mustBeEnd bool) (berth.Content, error) {
	r, err := d.find(c, path)
	if err != nil {
		return berth.Content{}, err
	}
	if r.dir {
		return berth.Content{}, notFound()
	}
	return empty(offset, r.size, mustBeEnd)
}

func empty(offset, size int64, mustBeEnd bool) (berth.Content, error) {
	switch {
	case offset > size:
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset, "the offset is past the end at ", strconv.FormatInt(size, 10))
	case mustBeEnd && offset < size:
		return berth.Content{}, berth.NewError(berth.KindCorrupt, "the server refuses a range that its file has")
	}
	return berth.Content{}, nil
}
