package abi

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// HTTPForm is a request of HostHTTP that can be recognised when it comes again with another
// URL: most of a guest's requests are, and then the URL is all there is to decode. It is
// used by one goroutine at a time.
type HTTPForm struct {
	HTTPRequest
	urls          int    // how many there were
	at, end       int    // where the URL's value was in the message
	before, after []byte // what Keep kept of the message; before is empty when it kept none
}

// maxForm bounds what is kept of a message. Longer ones are decoded every time.
const maxForm = 4 << 10

func (f *HTTPForm) reset() {
	f.HTTPRequest.reset()
	f.urls, f.before, f.after = 0, f.before[:0], f.after[:0]
}

func (f *HTTPForm) field(d *decoder, key []byte) bool {
	at := d.in.pos
	known := f.HTTPRequest.field(d, key)
	if string(key) == KeyURL {
		f.urls++
		f.at, f.end = at, d.in.pos
	}
	return known
}

// Keep makes Again recognise b, which must be the message that was decoded last, and which
// is copied. It reports whether it does: not when b is long, or has not one URL, or has
// handles, which are of one call.
func (f *HTTPForm) Keep(b []byte) bool {
	if f.urls != 1 || len(f.Body) > 0 || len(f.Keyed) > 0 || len(b)-(f.end-f.at) > maxForm {
		return false
	}
	f.before = append(f.before[:0], b[:f.at]...)
	f.after = append(f.after[:0], b[f.end:]...)
	return true
}

// Again reports whether b is the message kept, byte for byte, but for the value of its URL,
// and sets the URL. Of any other b, malformed ones among them, it says no and changes nothing.
func (f *HTTPForm) Again(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, f.before)
	if !ok || len(f.before) == 0 || len(rest) == 0 {
		return false
	}
	var head, n int
	switch c := rest[0]; {
	case c == msgpcode.Str8 && len(rest) > 1:
		head, n = 2, int(rest[1])
	case msgpcode.IsFixedString(c):
		head, n = 1, int(c&msgpcode.FixedStrMask)
	case c == msgpcode.Str16 && len(rest) > 2:
		head, n = 3, int(binary.BigEndian.Uint16(rest[1:]))
	default:
		return false
	}
	// No message is too long here: maxForm bounds what is around the URL, 16 bits the URL.
	if len(rest) != head+n+len(f.after) || !bytes.Equal(rest[head+n:], f.after) || !utf8.Valid(rest[head:head+n]) {
		return false
	}
	f.URL = string(rest[head : head+n])
	return true
}
