package webdav

import (
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// driver is one WebDAV collection. It may be used concurrently.
type driver struct {
	berth.Unimplemented
	origin        string // scheme://host:port
	root          string // the collection's path on the server, unescaped, "" or beginning with a slash
	base          string // the collection's URL, without a slash at its end
	authorization string
	putReplaces   bool // a PUT replaces a file in one step, a MOVE does not
	confirm       bool // a GET's answer counts only when the file is still the same afterwards
	snapshots     snapshots
	shapes        shapes

	// What is asked all the time, below base.
	propfindSelf, propfindBelow, get, putFile, moveFile *berth.Template
	wantContent                                         []string // the headers of a GET
}

// lockedPauses are how long the driver waits for a lock: some servers lock a path for the time of each
// request, so that two at once meet 423 although nobody holds a lock for long.
const (
	lockedAttempts = 12
	lockedPause    = time.Millisecond
	lockedMost     = 200 * time.Millisecond
)

// do sends a request. A request that finds its target locked was not carried out, so it is sent again, but
// for MOVE, which has a rule of its own.
func (d *driver) do(c *berth.Call, r *berth.Request) (*berth.Response, error) {
	return d.send(c, d.authorized(r))
}

// authorized adds to r what authorizes it.
func (d *driver) authorized(r *berth.Request) *berth.Request {
	if d.authorization != "" {
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], "Authorization", d.authorization)
	}
	return r
}

// ask is do for a template and the path, escaped.
func (d *driver) ask(c *berth.Call, t *berth.Template, path string) (*berth.Response, error) {
	resp, err := c.Ask(t, path)
	return d.unlocked(c, t, path, resp, err)
}

// unlocked returns resp and err, which answer a request, unless that has found its target locked.
func (d *driver) unlocked(c *berth.Call, t *berth.Template, path string, resp *berth.Response, err error) (*berth.Response, error) {
	if err == nil && resp.Status == 423 {
		return d.again(c, t.To(berth.Varying{Path: path}), resp)
	}
	return resp, err
}

// send is do for what is authorized.
func (d *driver) send(c *berth.Call, r *berth.Request) (*berth.Response, error) {
	resp, err := c.HTTP(r)
	if err == nil && resp.Status == 423 && r.Method != "MOVE" {
		return d.again(c, r, resp)
	}
	return resp, err
}

// again sends r as long as its target is locked, as resp says.
func (d *driver) again(c *berth.Call, r *berth.Request, resp *berth.Response) (*berth.Response, error) {
	for attempt := 0; attempt < lockedAttempts; attempt++ {
		resp.Close()
		err := pause(c, attempt)
		if err == nil {
			resp, err = c.HTTP(r)
		}
		if err != nil {
			return nil, err
		}
		if resp.Status != 423 {
			break
		}
	}
	return resp, nil
}

// pause waits before another attempt, longer each time and never as long as somebody else who waits.
func pause(c *berth.Call, attempt int) error {
	var b [1]byte
	c.Random(b[:])
	d := min(lockedPause<<attempt, lockedMost)
	return c.Sleep(d/2 + d*time.Duration(b[0])/256)
}

// Stat implements berth.Driver.
func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	resp, err := c.Ask(d.propfindSelf, escape(path))
	var r resource
	if err == nil && d.shapes.read(resp, &r) {
		return r.entry(""), nil
	}
	if r, err = d.examine(c, path, resp, err); err != nil {
		r, err = d.explain(c, path, err)
	}
	if err != nil {
		return berth.Entry{}, err
	}
	return r.entry(""), nil
}

func (r *resource) entry(name string) berth.Entry {
	e := berth.Entry{Name: name, Dir: r.dir}
	if !r.dir {
		e.Size, e.ModTime = max(r.size, 0), r.modTime
	}
	return e
}

// number reads a decimal number without sign.
func number[T string | []byte](s T) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 18 {
		return 0, false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}
