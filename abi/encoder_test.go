package abi_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/berth-dev/storagedriver/abi"
)

// TestValuesAreWrittenAsTheLibraryDoes has every length at which an encoding gets longer.
func TestValuesAreWrittenAsTheLibraryDoes(t *testing.T) {
	edges := []int64{1, 31, 32, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, math.MaxInt64,
		-1, -32, -33, -128, -129, -32768, -32769, -1 << 31, -1<<31 - 1, math.MinInt64}
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	check := func(m abi.Message, key string, encode func() error) {
		t.Helper()
		buf.Reset()
		if err := enc.EncodeMapLen(1); err != nil {
			t.Fatal(err)
		}
		if err := enc.EncodeString(key); err != nil {
			t.Fatal(err)
		}
		if err := encode(); err != nil {
			t.Fatal(err)
		}
		got, err := abi.Append(nil, m)
		if err != nil || !bytes.Equal(got, buf.Bytes()) {
			t.Errorf("%.40x, %v; want %.40x", got, err, buf.Bytes())
		}
	}
	for _, n := range edges {
		check(&abi.Entry{Time: n}, abi.KeyTime, func() error { return enc.EncodeInt(n) })
		var back abi.Entry
		if err := abi.Decode(buf.Bytes(), &back); err != nil || back.Time != n {
			t.Errorf("%d is read as %d, %v", n, back.Time, err)
		}
		for cut := range buf.Len() {
			if abi.Decode(buf.Bytes()[:cut], &back) == nil {
				t.Errorf("%d of the %d bytes of %d were read", cut, buf.Len(), n)
			}
		}
		if n < 0 || n > 65536 {
			continue
		}
		s := strings.Repeat("x", int(n))
		check(&abi.Entry{Name: s}, abi.KeyName, func() error { return enc.EncodeString(s) })
		check(&abi.ReadReply{Data: []byte(s)}, abi.KeyData, func() error { return enc.EncodeBytes([]byte(s)) })
		list := make([]string, n)
		check(&abi.ConcatRequest{Paths: list}, abi.KeyPaths, func() error {
			err := enc.EncodeArrayLen(int(n))
			for range n {
				if err == nil {
					err = enc.EncodeString("")
				}
			}
			return err
		})
	}
}
