package s3

import (
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// maxPut is what S3 takes in one request.
const maxPut = 5 << 30

type driver struct {
	berth.Unimplemented
	config config
	bucket string // its URL
}

func (d *driver) url(path string) string { return d.bucket + path }

// send signs and runs a request, and makes an error of every status but those of ok.
func (d *driver) send(c *berth.Call, what string, r *berth.Request, ok ...int) (*berth.Response, error) {
	r.Credential = credential
	if r.Max == 0 {
		r.Max = maxText
	}
	resp, err := c.HTTP(r)
	if err != nil {
		return nil, err
	}
	for _, status := range ok {
		if resp.Status == status {
			return resp, nil
		}
	}
	return nil, failure(what, resp)
}

// do is send for requests whose answers say nothing but that.
func (d *driver) do(c *berth.Call, what string, r *berth.Request, ok ...int) error {
	r.Want = none
	resp, err := d.send(c, what, r, ok...)
	if err == nil {
		resp.Close()
	}
	return err
}

var none = []string{}

// Stat implements berth.Driver. Where there is no object there may be a directory: a prefix of others.
func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	if path == "/" {
		_, err := d.list(c, listing{limit: 1})
		return berth.Entry{Dir: true}, err
	}
	entry, found, err := d.head(c, path)
	if err != nil || found {
		return entry, err
	}
	page, err := d.list(c, listing{prefix: path[1:] + "/", limit: 1})
	if err == nil && len(page.Entries) == 0 {
		err = berth.NewError(berth.KindNotFound)
	}
	return berth.Entry{Dir: true}, err
}

func (d *driver) head(c *berth.Call, path string) (berth.Entry, bool, error) {
	resp, err := d.send(c, "HEAD", &berth.Request{Method: "HEAD", URL: d.url(path), Want: wantModified}, 200, 404)
	if err != nil {
		return berth.Entry{}, false, err
	}
	defer resp.Close()
	if resp.Status == 404 {
		return berth.Entry{}, false, nil
	}
	at, err := c.ParseTime(resp.Header("last-modified"), berth.TimeHTTP)
	if err != nil {
		at = time.Time{} // unknown
	}
	return berth.Entry{Size: resp.Length, ModTime: at}, true, nil
}

var wantModified = []string{"last-modified"}

// Put implements berth.Driver: the service replaces an object in one step.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	return d.placed(c, path, func() error {
		return d.do(c, "PUT", &berth.Request{Method: "PUT", URL: d.url(path), Body: []*berth.Stream{body}}, 200)
	})
}

// attempts is how often a write is tried that met a directory which was just being removed.
const attempts = 5

// placed runs a write to path, and makes what it fails with where there can be no file InvalidPath.
func (d *driver) placed(c *berth.Call, path string, write func() error) error {
	if d.config.checkTree {
		if err := d.place(c, path); err != nil {
			return err
		}
	}
	for i := 1; ; i++ {
		err := write()
		removing := status(err) == 403 && d.config.checkTree // what minio says of a directory that is just being removed
		if s := status(err); s != 409 && s != 500 && !removing {
			return err
		}
		if wrong := d.place(c, path); wrong != nil {
			return wrong
		}
		if i == attempts {
			return err
		}
	}
}

// place is KindInvalidPath where there can be no file: below one, or in the place of a directory.
func (d *driver) place(c *berth.Call, path string) error {
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if _, found, err := d.head(c, path[:i]); err != nil || found {
			return orInvalid(err, path[:i]+" is a file")
		}
	}
	page, err := d.list(c, listing{prefix: directory(path), limit: 1})
	if err != nil || len(page.Entries) > 0 {
		return orInvalid(err, "there is a directory")
	}
	return nil
}

func orInvalid(err error, why string) error {
	if err != nil {
		return err
	}
	return berth.NewError(berth.KindInvalidPath, why)
}

// Delete implements berth.Driver. There are no empty directories to be removed.
func (d *driver) Delete(c *berth.Call, path string) error {
	return d.do(c, "DELETE", &berth.Request{Method: "DELETE", URL: d.url(path)}, 204, 404)
}

// Copy implements berth.Driver. A failure may come after the answer has begun with 200.
func (d *driver) Copy(c *berth.Call, source, dest string) error {
	r := &berth.Request{Method: "PUT", URL: d.url(dest), Headers: []string{"X-Amz-Copy-Source", "/" + d.config.bucket + source}, Want: none}
	return d.placed(c, dest, func() error {
		resp, err := d.send(c, "PUT of a copy", r, 200)
		if err == nil {
			err = afterAll("PUT of a copy", resp)
		}
		if status(err) != 500 {
			return err
		}
		// versitygw says no more when the source goes while it is copied.
		if _, found, headErr := d.head(c, source); headErr == nil && !found {
			return berth.NewError(berth.KindNotFound)
		}
		return err
	})
}

// Read implements berth.Driver: the response's body is the answer.
func (d *driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	if path == "/" {
		return berth.Content{}, berth.NewError(berth.KindNotFound, "it is a directory")
	}
	r := &berth.Request{Method: "GET", URL: d.url(path), Want: none}
	switch {
	case length > 0:
		r.Headers = []string{"Range", "bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10)}
	case offset > 0 || length == 0:
		r.Headers = []string{"Range", "bytes=" + strconv.FormatInt(offset, 10) + "-"}
	}
	resp, err := d.open(c, "GET", r, 200, 206, 416)
	switch {
	case err != nil:
		return berth.Content{}, err
	case resp.Status == 416:
		resp.Close()
		return d.atEnd(c, path, offset)
	case resp.Length < 0:
		resp.Close()
		return berth.Content{}, berth.NewError(berth.KindCorrupt, "the service does not say how long the content is")
	case length == 0 || resp.Body == nil:
		resp.Close()
		return berth.Content{}, nil
	}
	return berth.Content{Length: resp.Length, Body: resp.Body}, nil
}

// open is send for requests whose answer is a body to be passed on.
func (d *driver) open(c *berth.Call, what string, r *berth.Request, ok ...int) (*berth.Response, error) {
	r.Credential, r.Max = credential, 0
	resp, err := c.HTTP(r)
	if err != nil {
		return nil, err
	}
	for _, status := range ok {
		if resp.Status == status {
			return resp, nil
		}
	}
	return nil, failure(what, resp)
}

// atEnd is what a range that cannot be satisfied means: nothing at the very end, an error beyond.
func (d *driver) atEnd(c *berth.Call, path string, offset int64) (berth.Content, error) {
	entry, found, err := d.head(c, path)
	switch {
	case err != nil:
	case !found:
		err = berth.NewError(berth.KindNotFound)
	case offset > entry.Size:
		err = berth.NewError(berth.KindInvalidOffset, "the content has ", strconv.FormatInt(entry.Size, 10), " bytes")
	case offset < entry.Size:
		err = berth.NewError(berth.KindConflict, "the content was replaced meanwhile")
	}
	return berth.Content{}, err
}

// Redirect implements berth.Driver with a presigned URL.
func (d *driver) Redirect(c *berth.Call, path string, options berth.RedirectOptions) (string, error) {
	if options.Method != "GET" && options.Method != "HEAD" {
		return "", nil
	}
	return c.Presign(options.Method, d.url(path), nil, credential, time.Duration(d.config.redirect)*time.Second)
}

// directory is the prefix of the keys below the directory at path.
func directory(path string) string {
	return strings.TrimPrefix(strings.TrimSuffix(path, "/")+"/", "/")
}
