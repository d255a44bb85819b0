package killloop

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
)

// content is what a file holds, or will: Size bytes that follow from ID. The zero value is nothing.
type content struct {
	ID   uint64 `json:"id,omitempty"`
	Size int64  `json:"size,omitempty"`
}

func (c content) String() string {
	if c.ID == 0 {
		return "nothing"
	}
	return fmt.Sprintf("content %x of %d bytes", c.ID, c.Size)
}

// fill sets p to the bytes from offset on.
func (c content) fill(p []byte, offset int64) {
	var word [8]byte
	for i := range p {
		at := uint64(offset) + uint64(i)
		if i == 0 || at%8 == 0 {
			binary.LittleEndian.PutUint64(word[:], mix(c.ID+at/8))
		}
		p[i] = word[at%8]
	}
}

// mix is the finalizer of SplitMix64: every bit of x changes half of the result's.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (c content) bytes() []byte {
	p := make([]byte, c.Size)
	c.fill(p, 0)
	return p
}

// identify returns which of the candidates is at path, whole; or an error that says what is there instead.
func identify(ctx context.Context, d storagedriver.StorageDriver, path string, candidates []content) (content, error) {
	r, err := d.Reader(ctx, path, 0)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound && err != nil {
		for _, c := range candidates {
			if c.ID == 0 {
				return c, nil
			}
		}
		return content{}, fmt.Errorf("%s is gone, want %v", path, candidates)
	}
	if err != nil {
		return content{}, err
	}
	defer r.Close()
	var size int64
	left := append([]content(nil), candidates...)
	got, want := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, err := io.ReadFull(r, got)
		kept := left[:0]
		for _, c := range left {
			if c.fill(want[:n], size); c.ID != 0 && bytes.Equal(got[:n], want[:n]) {
				kept = append(kept, c)
			}
		}
		left, size = kept, size+int64(n)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return content{}, err
		}
		if len(left) == 0 {
			return content{}, fmt.Errorf("%s has bytes before %d that are of none of %v", path, size, candidates)
		}
		if err != nil {
			break
		}
	}
	for _, c := range left {
		if c.Size == size {
			return c, nil
		}
	}
	return content{}, fmt.Errorf("%s has %d bytes, whole is one of %v", path, size, candidates)
}
