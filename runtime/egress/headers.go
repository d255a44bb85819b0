package egress

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// own are the headers that the host sets, or that speak of the connection.
var own = map[string]struct{}{
	"Host": {}, "Content-Length": {}, "Transfer-Encoding": {}, "Connection": {}, "Keep-Alive": {}, "Te": {},
	"Trailer": {}, "Upgrade": {}, "Accept-Encoding": {}, "Http2-Settings": {},
}

// maxResponseHeaders is the most header lines of a response: twice what a Swift object comes with that has all the
// metadata it may have, which are 90 and some, and room.
const maxResponseHeaders = 256

// checkResponse is KindLimit when a response has too many headers. Their bytes are net/http's to count.
func checkResponse(g *grant, h http.Header) error {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	if n > maxResponseHeaders {
		return storagedriver.Errorf(storagedriver.KindLimit, "%s answers with %d headers, more than %d", g.origin, n, maxResponseHeaders)
	}
	return nil
}

// header makes a Header of name, value, name, value, ... A header of the host's is
// KindDenied, one that could end its line KindInvalidArgument.
func header(pairs []string) (http.Header, error) {
	if len(pairs)%2 != 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "headers: a name without a value")
	}
	if len(pairs) > 2*abi.MaxHeaders {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "%d request headers, more than %d", len(pairs)/2, abi.MaxHeaders)
	}
	size := 0
	h := make(http.Header, len(pairs)/2+1)
	values := make([]string, len(pairs)/2+1)
	for i := 0; i < len(pairs); i += 2 {
		name, value := textproto.CanonicalMIMEHeaderKey(pairs[i]), pairs[i+1]
		size += len(name) + len(value)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the header %q has bytes that a header cannot have", name)
		}
		if _, is := own[name]; is || strings.HasPrefix(name, "Proxy-") {
			return nil, storagedriver.Errorf(storagedriver.KindDenied, "the header %s is the host's to set", name)
		}
		if old, ok := h[name]; ok {
			h[name] = append(old, value)
			continue
		}
		values[i/2] = value
		h[name] = values[i/2 : i/2+1 : i/2+1]
	}
	if size > abi.MaxHeaderBytes {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "%d bytes of request headers, more than %d", size, abi.MaxHeaderBytes)
	}
	if _, ok := h["User-Agent"]; !ok {
		last := values[len(values)-1:]
		last[0] = "berth"
		h["User-Agent"] = last
	}
	return h, nil
}
