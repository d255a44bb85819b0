package wazero

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnImageTakesMemoryForItsBytesOnly(t *testing.T) {
	const size = 16 << 20
	b := make([]byte, size)
	b[5000], b[size-1] = 1, 2
	i, err := newImage(b)
	if err != nil {
		t.Fatal(err)
	}
	defer i.close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(i.file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	const most = 2 * 2 << 20 // two huge pages
	if taken := stat.Blocks * 512; stat.Size != size || taken > most {
		t.Errorf("want a file of %d bytes in at most %d, got %d in %d", size, most, stat.Size, taken)
	}
	mem, err := reserve(2*size, i)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.free()
	if got := mem.grow(2 * size); !bytes.Equal(got[:size], b) || len(bytes.Trim(got[size:], "\x00")) > 0 {
		t.Error("the memory is not the image with zeros after it")
	}
}
