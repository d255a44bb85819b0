package abi

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Append appends the encoding of m to dst: keys in the order of docs/abi.md, those with
// zero values left out, integers as short as they go. A message of more than MaxMessage
// bytes is an error.
func Append(dst []byte, m Message) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.out.b = dst
	m.put(e)
	out := e.out.b
	e.out.b = nil
	if n := len(out) - len(dst); n > MaxMessage {
		return dst, fmt.Errorf("a message of %d bytes, more than %d", n, MaxMessage)
	}
	return out, nil
}

var encoders = sync.Pool{New: func() any {
	e := &encoder{}
	e.enc = msgpack.NewEncoder(&e.out)
	return e
}}

// encoder writes one message. Writing to memory does not fail, so there are no errors.
type encoder struct {
	out output
	enc *msgpack.Encoder
}

type output struct{ b []byte }

func (o *output) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	return len(p), nil
}

func (o *output) WriteByte(c byte) error {
	o.b = append(o.b, c)
	return nil
}

// begin starts a map with as many pairs as present says.
func (e *encoder) begin(present ...bool) {
	n := 0
	for _, p := range present {
		if p {
			n++
		}
	}
	e.out.b = append(e.out.b, msgpcode.FixedMapLow|byte(n)) // no message has more than 15 keys
}

func (e *encoder) key(k string) { e.text(k) }

// What small operations have is written here, with fewer branches than the library takes,
// which writes the rest; the golden vectors have both.

func (e *encoder) array(n int) {
	if n <= int(msgpcode.FixedArrayMask) {
		e.out.b = append(e.out.b, msgpcode.FixedArrayLow|byte(n))
		return
	}
	_ = e.enc.EncodeArrayLen(n)
}

func (e *encoder) text(s string) {
	switch {
	case len(s) <= int(msgpcode.FixedStrMask):
		e.out.b = append(append(e.out.b, msgpcode.FixedStrLow|byte(len(s))), s...)
	case len(s) <= math.MaxUint8:
		e.out.b = append(append(e.out.b, msgpcode.Str8, byte(len(s))), s...)
	default:
		_ = e.enc.EncodeString(s)
	}
}

func (e *encoder) bytes(b []byte) {
	if len(b) > math.MaxUint8 && len(b) <= math.MaxUint16 {
		e.out.b = binary.BigEndian.AppendUint16(append(e.out.b, msgpcode.Bin16), uint16(len(b)))
	} else {
		_ = e.enc.EncodeBytesLen(len(b))
	}
	e.out.b = append(e.out.b, b...)
}

func (e *encoder) number(n int64) {
	if n < 0 {
		_ = e.enc.EncodeInt(n)
		return
	}
	if n <= math.MaxInt8 {
		e.out.b = append(e.out.b, byte(n))
		return
	}
	// The four formats are of 1<<format bytes: all eight are appended with those in front,
	// and the rest is cut off.
	format := bits.Len(uint(bits.Len64(uint64(n))-1) / 8)
	b := append(e.out.b, msgpcode.Uint8+byte(format))
	e.out.b = binary.BigEndian.AppendUint64(b, uint64(n)<<(64-8<<format))[:len(b)+1<<format]
}

func (e *encoder) str(k, s string) {
	if s != "" {
		e.key(k)
		e.text(s)
	}
}

func (e *encoder) bin(k string, b []byte) {
	if len(b) > 0 {
		e.key(k)
		e.bytes(b)
	}
}

func (e *encoder) int(k string, n int64) {
	if n != 0 {
		e.key(k)
		e.number(n)
	}
}

func (e *encoder) bool(k string, b bool) {
	if b {
		e.key(k)
		_ = e.enc.EncodeBool(true)
	}
}

func (e *encoder) strings(k string, list []string) {
	if len(list) > 0 {
		e.key(k)
		e.array(len(list))
		for _, s := range list {
			e.text(s)
		}
	}
}

func (e *encoder) handles(k string, list []Handle) {
	if len(list) > 0 {
		e.key(k)
		e.array(len(list))
		for _, h := range list {
			e.number(int64(h))
		}
	}
}
