package testsuites

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
)

func TestContentIsUniqueAtEveryOffset(t *testing.T) {
	c := content{seed: 7, size: 1 << 20}
	seen := map[uint64]bool{}
	for i := range c.size / wordSize {
		w := c.word(i)
		if seen[w] {
			t.Fatalf("the word at index %d: want it once, got it again", i)
		}
		seen[w] = true
		if back := c.indexOf(w); back != i {
			t.Fatalf("indexOf(word(%d)): want %d, got %d", i, i, back)
		}
	}
}

func TestContentIsTheSameInWhateverPieces(t *testing.T) {
	c := content{seed: 11, size: 1003}
	whole := c.bytes()
	for from := int64(0); from < 40; from++ {
		for to := from; to < from+40; to++ {
			if got := c.slice(from, to); !bytes.Equal(got, whole[from:to]) {
				t.Fatalf("slice(%d, %d): want the same bytes as in the whole, got others", from, to)
			}
		}
	}
	if err := c.verify(iotest.OneByteReader(bytes.NewReader(whole)), 0); err != nil {
		t.Fatalf("verify: %v", err)
	}
	if err := c.verify(iotest.DataErrReader(bytes.NewReader(whole[333:])), 333); err != nil {
		t.Fatalf("verify from 333: %v", err)
	}
}

func TestVerifySeesWhatIsWrong(t *testing.T) {
	c := content{seed: 13, size: 4096}
	swapped := append(append(c.slice(1024, 2048), c.slice(0, 1024)...), c.slice(2048, 4096)...)
	flipped := c.bytes()
	flipped[4095] ^= 1
	for _, tc := range []struct {
		name string
		got  []byte
		want string
	}{
		{"short", c.slice(0, 4095), "want 4096 bytes, got 4095"},
		{"long", append(c.bytes(), 0), "want 4096 bytes, got"},
		{"flipped", flipped, "from offset 4095 of 4096"},
		{"swapped", swapped, "at offset 0 are the bytes of offset 1024"},
		{"repeated", append(c.slice(0, 2048), c.slice(0, 2048)...), "at offset 2048 are the bytes of offset 0"},
		{"shifted", append([]byte{1}, c.slice(0, 4095)...), "at offset 1 are the bytes of offset 0"},
	} {
		for what, err := range map[string]error{"verify": c.verify(bytes.NewReader(tc.got), 0), "verifyBytes": c.verifyBytes(tc.got)} {
			if err == nil || !strings.Contains(err.Error(), "want") || what == "verify" && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s of %s content: want an error with %q, got %v", what, tc.name, tc.want, err)
			}
		}
	}
}
