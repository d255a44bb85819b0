package parts

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Read implements berth.Driver: the response's body is the answer.
func (d *driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	if path == "/" {
		return berth.Content{}, berth.NewError(berth.KindNotFound, "it is a directory")
	}
	r := &berth.Request{Method: "GET", URL: d.url(path), Want: wantRange}
	switch {
	case length > 0:
		r.Headers = []string{"Range", "bytes=" + strconv.FormatInt(offset, 10) + "-" + strconv.FormatInt(offset+length-1, 10)}
	case offset > 0 || length == 0:
		r.Headers = []string{"Range", "bytes=" + strconv.FormatInt(offset, 10) + "-"}
	}
	resp, err := c.HTTP(r)
	if err != nil {
		return berth.Content{}, err
	}
	switch {
	case resp.Status == 416:
		resp.Close()
		return atEnd(resp.Header("content-range"), offset)
	case resp.Status != 200 && resp.Status != 206:
		return berth.Content{}, failure(c, "GET", resp)
	case resp.Length < 0:
		resp.Close()
		return berth.Content{}, berth.NewError(berth.KindCorrupt, "the store does not say how long the content is")
	case length == 0 || resp.Body == nil:
		resp.Close()
		return berth.Content{}, nil
	}
	return berth.Content{Length: resp.Length, Body: resp.Body}, nil
}

var wantRange = []string{"content-range"}

// atEnd is what a range that cannot be satisfied means: nothing at the very end, an error beyond.
func atEnd(contentRange string, offset int64) (berth.Content, error) {
	size, err := strconv.ParseInt(strings.TrimPrefix(contentRange, "bytes */"), 10, 64)
	switch {
	case err != nil:
		return berth.Content{}, berth.NewError(berth.KindCorrupt, "the store refuses a range and does not say why")
	case offset > size:
		return berth.Content{}, berth.NewError(berth.KindInvalidOffset, "the content has ", strconv.FormatInt(size, 10), " bytes")
	}
	return berth.Content{}, nil
}
