package webdav

import (
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// A server that looks at a file, and opens it only then, sends what somebody put there in between under the
// length of what was there before. It has opened the file when its answer begins, so if the file
// has the same ETag afterwards, nothing came in between.

// wantConfirmed is wantContent with what tells one file from the next. With a length in it, no
// answer that has content is without headers.
var wantConfirmed = append([]string{"etag", "content-length"}, wantContent...)

// confirmAttempts bounds how often a GET is repeated because its file was replaced meanwhile, about a second
// in all; the pauses stop growing at the confirmSlowest-th.
const (
	confirmAttempts = 40
	confirmSlowest  = 5
)

var errReplaced = &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Msg: "the file is replaced again and again while it is opened"}

// confirmed returns nil if the file at path is still the one whose GET was answered by resp, and errReplaced if it is not.
func (d *driver) confirmed(c *berth.Call, path string, resp *berth.Response) error {
	tag := strongly(resp.Header("etag"))
	if tag == "" {
		return berth.NewError(berth.KindUnsupported, `parameter "confirm" needs a server that sends an ETag with every file`)
	}
	now, err := d.do(c, &berth.Request{Method: "HEAD", URL: d.url(path), Want: []string{"etag", "location", "retry-after"}})
	if err != nil {
		return err
	}
	now.Close()
	switch {
	case now.Status == 200 && strongly(now.Header("etag")) == tag:
		return nil
	case now.Status == 200, isAmbiguous(now.Status):
		return errReplaced // a GET says what is there now
	}
	return statusError("HEAD", now)
}

// strongly removes the mark of a weak tag: for a second, Apache marks every file that is new.
func strongly(tag string) string { return strings.TrimPrefix(tag, "W/") }
