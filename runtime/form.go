package runtime

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// form is a request of a guest's, with what checking it has shown.
type form struct {
	abi.HTTPForm
	want    []wanted
	checked *egress.Checked // nil unless the form is kept
}

// wanted is a header that a guest wants of a response, as net/http and as messages spell it.
type wanted struct{ canonical, lower string }

// wantedHeaders has each name once: the response's headers fit into a message once.
func wantedHeaders(names []string) []wanted {
	list := make([]wanted, 0, len(names))
	for i, name := range names {
		if !slices.ContainsFunc(names[:i], func(before string) bool { return strings.EqualFold(before, name) }) {
			list = append(list, wanted{textproto.CanonicalMIMEHeaderKey(name), strings.ToLower(name)})
		}
	}
	return list
}

// forms are the last requests that an instance made. A guest has few that differ in more
// than their URL, and one that comes again is neither decoded nor checked but for that.
type forms struct {
	list [4]form
	next int // which one the next new request replaces
}

// keptStrings is the most strings that an idle instance has room for.
const keptStrings = 4 * abi.MaxHeaders

// decode returns the request, which is good until the next one is decoded.
func (s *forms) decode(request []byte) (*form, error) {
	for i := range s.list {
		if f := &s.list[i]; f.Again(request) {
			return f, nil
		}
	}
	f := &s.list[s.next]
	f.checked = nil
	if err := decode(request, &f.HTTPForm); err != nil {
		return nil, err
	}
	if len(f.Data) > 0 && len(f.Body) > 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "http: both data and body")
	}
	if f.Outlast && len(f.Body) > 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "http: outlast with a body of handles, which end with the call")
	}
	if err := checkAnswer(f.Max, f.Want); err != nil {
		return nil, err
	}
	f.want = wantedHeaders(f.Want)
	return f, nil
}

// keep notes what f, which decode has returned for request, was found to be; nil when it
// was refused.
func (s *forms) keep(f *form, checked *egress.Checked, request []byte) {
	f.URL = "" // which may be long
	if checked == nil || !f.Keep(request) {
		f.Data = nil
		return
	}
	f.checked = checked
	s.next = (s.next + 1) % len(s.list)
}

// trim keeps an idle instance from holding what a long request has left.
func (s *forms) trim() {
	if f := &s.list[s.next]; cap(f.Headers)+cap(f.Want) > keptStrings {
		*f = form{}
	}
}
