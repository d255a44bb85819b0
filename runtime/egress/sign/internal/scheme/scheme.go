// Package scheme is what the packages of signing schemes have in common.
package scheme

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Name is the name of a scheme. Embedded, it is what a value prints as, with every verb.
type Name string

// Format implements fmt.Formatter.
func (n Name) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, string(n)) }

// Wrong collects what is wrong with parameters.
type Wrong []string

// Check adds that the parameter must be something, unless it is. Texts hold no values.
func (w *Wrong) Check(right bool, parameter, must string) {
	if !right {
		*w = append(*w, "parameter "+strconv.Quote(parameter)+" "+must)
	}
}

// Err returns one error for all, or nil.
func (w Wrong) Err() error {
	if len(w) == 0 {
		return nil
	}
	return storagedriver.NewError(storagedriver.KindInvalidArgument, strings.Join(w, "; "))
}

// MustURL is what ServerURL wants.
const MustURL = "must be a URL of http or https, without a user, a query and a fragment"

// ServerURL reports whether s is the URL of a server that gives out tokens.
func ServerURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Opaque == "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery && !strings.Contains(s, "#")
}

// Graphic reports whether s is one or more ASCII characters that can be seen, without a space.
func Graphic(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// Week is the longest validity of presigned URLs that the services know.
const Week = 7 * 24 * time.Hour

// Seconds returns the validity of a presigned URL in whole seconds, or KindInvalidArgument.
func Seconds(valid time.Duration) (int64, error) {
	if valid < time.Second || valid > Week {
		return 0, storagedriver.Errorf(storagedriver.KindInvalidArgument, "a presigned URL is valid for 1 second to 7 days, not for %v", valid)
	}
	return int64(valid / time.Second), nil
}

// Query returns the parameters of a URL. One that services could read in two ways is KindInvalidArgument.
func Query(u *url.URL) (url.Values, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "the URL's query cannot be signed: it has a semicolon, or a percent sign that no two hex digits follow")
	}
	return q, nil
}

// Escape writes s as the services' canonical forms have it: everything but letters, digits, "-", ".", "_" and
// "~" as %XX, and "/" as it is.
func Escape(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
