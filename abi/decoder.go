package abi

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// ErrMalformed is wrapped by every error of a decoder.
var ErrMalformed = errors.New("malformed message")

// Message is a message that can be decoded. Messages hold copies: nothing decoded
// refers to the bytes it came from.
type Message interface {
	// reset gives every field its zero value, keeping capacity.
	reset()
	// field decodes the value of key; false means that the key is unknown and nothing
	// was read.
	field(d *decoder, key []byte) bool
	// put encodes the message.
	put(e *encoder)
}

// Decode decodes a request, or a reply that cannot be an error, into m. On error m's
// content is unspecified.
func Decode(b []byte, m Message) error {
	_, err := decode(b, m, false)
	return err
}

// DecodeReply decodes a reply into m. When the reply is an error it is returned as
// failure, and m is empty. failure is a copy and the caller's to keep.
func DecodeReply(b []byte, m Message) (failure *Error, err error) {
	return decode(b, m, true)
}

func decode(b []byte, m Message, reply bool) (*Error, error) {
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	d.start(b, reply)
	m.reset()
	d.message(m)
	failure, err := d.finish()
	if err == nil && failure != nil {
		m.reset()
	}
	return failure, err
}

var decoders = sync.Pool{New: func() any {
	d := &decoder{}
	d.dec = msgpack.NewDecoder(&d.in)
	return d
}}

// decoder reads one message. The first failure sticks: all that follows reads zero.
type decoder struct {
	in    input
	dec   *msgpack.Decoder
	depth int
	err   error

	reply   bool   // the message may be an error
	failure *Error // which it is
}

// input is the message, and knows what is left of it.
type input struct {
	b   []byte
	pos int
}

func (in *input) left() int { return len(in.b) - in.pos }

func (in *input) Read(p []byte) (int, error) {
	if in.pos == len(in.b) {
		return 0, io.EOF
	}
	n := copy(p, in.b[in.pos:])
	in.pos += n
	return n, nil
}

func (in *input) ReadByte() (byte, error) {
	if in.pos == len(in.b) {
		return 0, io.EOF
	}
	in.pos++
	return in.b[in.pos-1], nil
}

func (in *input) UnreadByte() error {
	in.pos--
	return nil
}

func (d *decoder) start(b []byte, reply bool) {
	d.in = input{b: b}
	d.depth, d.reply = 0, reply
	if len(b) > MaxMessage {
		d.fail("%d bytes, more than %d", len(b), MaxMessage)
	}
}

// finish leaves nothing of the message behind.
func (d *decoder) finish() (*Error, error) {
	if d.err == nil && d.in.left() > 0 {
		d.fail("%d bytes after its end", d.in.left())
	}
	failure, err := d.failure, d.err
	d.in.b, d.failure, d.err = nil, nil, nil
	if err != nil {
		return nil, err
	}
	return failure, nil
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
}

func (d *decoder) code() byte {
	if d.err != nil {
		return msgpcode.Nil
	}
	if d.in.pos == len(d.in.b) {
		d.fail("it ends early")
		return msgpcode.Nil
	}
	return d.in.b[d.in.pos]
}

// message decodes the fields of m, or the error in its place.
func (d *decoder) message(m Message) {
	n := d.mapLen()
	for range n {
		key := d.key()
		if d.err != nil {
			return
		}
		if d.reply && d.depth == 1 && string(key) == KeyErr {
			d.failure = new(Error)
			d.message(d.failure)
		} else if !m.field(d, key) {
			d.skip()
		}
		if d.err != nil {
			return
		}
	}
	d.depth--
}

func (d *decoder) enter() bool {
	d.depth++
	if d.depth > MaxDepth {
		d.fail("nested deeper than %d", MaxDepth)
	}
	return d.err == nil
}

// mapLen begins a map, whose end is depth--. Every pair takes two bytes at least.
func (d *decoder) mapLen() int {
	c := d.code()
	if d.err != nil || !d.enter() {
		return 0
	}
	if !msgpcode.IsFixedMap(c) && c != msgpcode.Map16 && c != msgpcode.Map32 {
		d.fail("0x%02x where a map begins", c)
		return 0
	}
	if msgpcode.IsFixedMap(c) { // nearly all: no need of the library, here and below
		d.in.pos++
		return d.count(int(c&msgpcode.FixedMapMask), 2, nil)
	}
	n, err := d.dec.DecodeMapLen()
	return d.count(n, 2, err)
}

// arrayLen begins an array, whose end is depth--. Every element takes size bytes at least.
func (d *decoder) arrayLen(size int) int {
	c := d.code()
	if d.err != nil || !d.enter() {
		return 0
	}
	if !msgpcode.IsFixedArray(c) && c != msgpcode.Array16 && c != msgpcode.Array32 {
		d.fail("0x%02x where an array begins", c)
		return 0
	}
	if msgpcode.IsFixedArray(c) {
		d.in.pos++
		return d.count(int(c&msgpcode.FixedArrayMask), size, nil)
	}
	n, err := d.dec.DecodeArrayLen()
	return d.count(n, size, err)
}

func (d *decoder) count(n, size int, err error) int {
	switch {
	case err != nil:
		d.fail("it ends early")
	case n < 0 || n > d.in.left()/size:
		d.fail("%d elements announced, %d bytes left", n, d.in.left())
	default:
		return n
	}
	return 0
}

// raw returns the content of a str or bin, without copying it. code has told that one
// begins.
func (d *decoder) raw() []byte {
	var n int
	var err error
	if c := d.in.b[d.in.pos]; msgpcode.IsFixedString(c) {
		n = int(c & msgpcode.FixedStrMask)
		d.in.pos++
	} else {
		n, err = d.dec.DecodeBytesLen()
	}
	switch {
	case err != nil:
		d.fail("it ends early")
		return nil
	case n < 0 || n > d.in.left():
		d.fail("%d bytes announced, %d left", n, d.in.left())
		return nil
	}
	b := d.in.b[d.in.pos : d.in.pos+n]
	d.in.pos += n
	return b
}

func (d *decoder) key() []byte {
	if c := d.code(); d.err == nil && !msgpcode.IsString(c) {
		d.fail("0x%02x where a key begins", c)
	}
	if d.err != nil {
		return nil
	}
	return d.raw()
}

func (d *decoder) str() string { return d.strLike("") }

// strLike is str that returns old when it is the same: one request is much like another,
// and most of what it says need not be allocated again.
func (d *decoder) strLike(old string) string {
	if c := d.code(); d.err == nil && !msgpcode.IsString(c) {
		d.fail("0x%02x where a string begins", c)
	}
	if d.err != nil {
		return ""
	}
	b := d.raw()
	if !utf8.Valid(b) {
		d.fail("a string that is not UTF-8")
		return ""
	}
	if string(b) == old {
		return old
	}
	return string(b)
}

// bin appends the content to dst, which may be nil.
func (d *decoder) bin(dst []byte) []byte {
	if c := d.code(); d.err == nil && !msgpcode.IsBin(c) {
		d.fail("0x%02x where bytes begin", c)
	}
	if d.err != nil {
		return nil
	}
	b := d.raw()
	if dst == nil {
		dst = []byte{} // what append makes room for it does not clear first, as make does
	}
	return append(dst, b...)
}

func (d *decoder) int() int64 {
	c := d.code()
	if d.err != nil {
		return 0
	}
	if !msgpcode.IsFixedNum(c) && (c < msgpcode.Uint8 || c > msgpcode.Int64) {
		d.fail("0x%02x where an integer begins", c)
		return 0
	}
	if msgpcode.IsFixedNum(c) {
		d.in.pos++
		return int64(int8(c))
	}
	size := 1 << (c & 3) // of both the four unsigned formats and the four signed ones
	if size >= d.in.left() {
		d.fail("it ends early")
		return 0
	}
	var n uint64
	for _, b := range d.in.b[d.in.pos+1 : d.in.pos+1+size] {
		n = n<<8 | uint64(b)
	}
	d.in.pos += 1 + size
	switch {
	case c >= msgpcode.Int8:
		unused := 64 - 8*size
		return int64(n<<unused) >> unused
	case n > math.MaxInt64:
		d.fail("an integer that does not fit 63 bits")
		return 0
	}
	return int64(n)
}

// size is an int that must not be negative.
func (d *decoder) size() int64 {
	n := d.int()
	if n < 0 {
		d.fail("a size of %d", n)
		return 0
	}
	return n
}

func (d *decoder) bool() bool {
	c := d.code()
	if d.err != nil {
		return false
	}
	if c != msgpcode.False && c != msgpcode.True {
		d.fail("0x%02x where a boolean begins", c)
		return false
	}
	d.in.pos++
	return c == msgpcode.True
}

// strings appends an array of str to dst. What dst had room for is there to be used again.
func (d *decoder) strings(dst []string) []string {
	n := d.arrayLen(1)
	if dst == nil {
		dst = make([]string, 0, n)
	}
	for range n {
		old := ""
		if i := len(dst); i < cap(dst) {
			old = dst[:i+1][i]
		}
		dst = append(dst, d.strLike(old))
		if d.err != nil {
			return nil
		}
	}
	d.depth--
	return dst
}

// handles appends an array of handles to dst.
func (d *decoder) handles(dst []Handle) []Handle {
	n := d.arrayLen(1)
	if n > MaxHandles {
		d.fail("%d handles, more than %d", n, MaxHandles)
		return nil
	}
	if dst == nil {
		dst = make([]Handle, 0, n)
	}
	for range n {
		dst = append(dst, Handle(d.int()))
		if d.err != nil {
			return nil
		}
	}
	d.depth--
	return dst
}
