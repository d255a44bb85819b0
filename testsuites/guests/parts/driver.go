package parts

import (
	"strconv"
	"sync"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

type driver struct {
	berth.Unimplemented
	config config
	origin string

	mu    sync.Mutex
	begun string // the upload that was last seen begun: saves asking again for each part
}

// url is the object's at path.
func (d *driver) url(path string) string { return d.origin + "/objects" + path }

// do runs a request that answers with little, and makes an error of every status but those of ok.
func (d *driver) do(c *berth.Call, what string, r *berth.Request, ok ...int) (*berth.Response, error) {
	r.Max = maxText
	resp, err := c.HTTP(r)
	if err != nil {
		return nil, err
	}
	for _, status := range ok {
		if resp.Status == status {
			return resp, nil
		}
	}
	return resp, failure(c, what, resp)
}

// Stat implements berth.Driver. Where there is no object there may be a directory: a prefix of others.
func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	if path != "/" {
		resp, err := d.do(c, "HEAD", &berth.Request{Method: "HEAD", URL: d.url(path), Want: wantEntry}, 200, 404)
		if err != nil {
			return berth.Entry{}, err
		}
		resp.Close()
		if resp.Status == 200 {
			return berth.Entry{Size: resp.Length, ModTime: modified(resp.Header("modified"))}, nil
		}
	}
	page, err := d.list(c, listing{prefix: below(path), limit: 1})
	if err != nil {
		return berth.Entry{}, err
	}
	if len(page.Entries) == 0 && path != "/" {
		return berth.Entry{}, berth.NewError(berth.KindNotFound)
	}
	return berth.Entry{Dir: true}, nil
}

var wantEntry = []string{"modified"}

func modified(nanoseconds string) time.Time {
	n, err := strconv.ParseInt(nanoseconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// Put implements berth.Driver: the store replaces an object in one step.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	resp, err := d.do(c, "PUT", &berth.Request{Method: "PUT", URL: d.url(path), Body: []*berth.Stream{body}, Want: none}, 200, 201)
	return closed(resp, err)
}

var none = []string{}

// closed closes the response of a request whose answer says nothing more.
func closed(resp *berth.Response, err error) error {
	if resp != nil {
		resp.Close()
	}
	return err
}

// Delete implements berth.Driver. There are no empty directories to be removed.
func (d *driver) Delete(c *berth.Call, path string) error {
	return closed(d.do(c, "DELETE", &berth.Request{Method: "DELETE", URL: d.url(path), Want: none}, 204))
}

// DeleteTree implements berth.Driver.
func (d *driver) DeleteTree(c *berth.Call, path string) error {
	if err := d.AbortUploads(c, path); err != nil {
		return err
	}
	return closed(d.do(c, "DELETE of a tree", &berth.Request{Method: "DELETE", URL: d.url(path) + "?tree", Want: none}, 204))
}

// Copy implements berth.Driver.
func (d *driver) Copy(c *berth.Call, source, dest string) error {
	r := &berth.Request{Method: "PUT", URL: d.url(dest), Headers: []string{"Copy-From", "/objects" + source}, Want: none}
	return closed(d.do(c, "PUT of a copy", r, 200, 201))
}

// Redirect implements berth.Driver: the store asks nobody who they are.
func (d *driver) Redirect(_ *berth.Call, path string, options berth.RedirectOptions) (string, error) {
	if options.Method != "GET" && options.Method != "HEAD" {
		return "", nil
	}
	return d.url(path), nil
}
