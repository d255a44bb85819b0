package trace

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/berth-dev/storagedriver/abi"
)

// Message writes a message as JSON for people, of at most n bytes: what is longer is cut and ends with "...".
// Bytes are written as text where they are, else as how many they are and their beginning. What is no
// message is said to be none.
func Message(b []byte, n int) string {
	p := printer{most: n}
	in := bytes.NewReader(b)
	p.dec = msgpack.NewDecoder(in)
	p.left = in.Len
	p.value(0)
	if p.failed || in.Len() > 0 && !p.full() {
		return "no message: " + Text(b, n)
	}
	if p.full() {
		return string(p.out[:runeAt(p.out, n)]) + "..."
	}
	return string(p.out)
}

// runeAt returns where to cut b, at n or a little before it.
func runeAt(b []byte, n int) int {
	n = min(n, len(b))
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// Text quotes bytes that are text, and tells of others how many they are and how they begin.
func Text(b []byte, n int) string {
	if utf8.Valid(b) && bytes.IndexFunc(b, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t' }) < 0 {
		if len(b) > n {
			return strconv.Quote(string(b[:runeAt(b, n)])) + "..."
		}
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("(%d bytes, %x)", len(b), b[:min(len(b), 16)])
}

// printer writes values until it has enough. It makes no room for what a message only claims to have.
type printer struct {
	dec    *msgpack.Decoder
	left   func() int
	out    []byte
	most   int
	failed bool
}

func (p *printer) full() bool { return len(p.out) > p.most }

func (p *printer) done() bool { return p.failed || p.full() }

func (p *printer) write(s string) { p.out = append(p.out, s...) }

// check stops at an error and at a length that is more than what is left.
func (p *printer) check(n int, err error) bool {
	if err != nil || n > p.left() {
		p.failed = true
	}
	return !p.failed
}

func (p *printer) value(depth int) {
	code, err := p.dec.PeekCode()
	if !p.check(0, err) {
		return
	}
	if depth > abi.MaxDepth {
		p.failed = true
		return
	}
	switch {
	case msgpcode.IsFixedMap(code), code == msgpcode.Map16, code == msgpcode.Map32:
		n, err := p.dec.DecodeMapLen()
		p.list("{", "}", n, err, func() { p.value(depth + 1); p.write(":"); p.value(depth + 1) })
	case msgpcode.IsFixedArray(code), code == msgpcode.Array16, code == msgpcode.Array32:
		n, err := p.dec.DecodeArrayLen()
		p.list("[", "]", n, err, func() { p.value(depth + 1) })
	case msgpcode.IsString(code), msgpcode.IsBin(code):
		p.bytes()
	case code == msgpcode.Nil:
		p.check(0, p.dec.DecodeNil())
		p.write("null")
	case code == msgpcode.True, code == msgpcode.False:
		v, err := p.dec.DecodeBool()
		p.check(0, err)
		p.write(strconv.FormatBool(v))
	case code == msgpcode.Float, code == msgpcode.Double:
		v, err := p.dec.DecodeFloat64()
		p.check(0, err)
		p.write(strconv.FormatFloat(v, 'g', -1, 64))
	case msgpcode.IsExt(code):
		p.failed = true
	default:
		v, err := p.dec.DecodeInt64()
		p.check(0, err)
		p.write(strconv.FormatInt(v, 10))
	}
}

func (p *printer) list(begin, end string, n int, err error, item func()) {
	if !p.check(n, err) {
		return
	}
	p.write(begin)
	for i := 0; i < n && !p.done(); i++ {
		if i > 0 {
			p.write(",")
		}
		item()
	}
	p.write(end)
}

func (p *printer) bytes() {
	n, err := p.dec.DecodeBytesLen()
	if n < 0 {
		n = 0
	}
	if !p.check(n, err) {
		return
	}
	b := make([]byte, n)
	if p.check(0, p.dec.ReadFull(b)) {
		p.write(Text(b, p.most))
	}
}
