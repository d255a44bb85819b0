package compress

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/klauspost/compress/s2"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// packed is a file of these pieces, and its table.
func packed(t testing.TB, pieces ...[]byte) ([]byte, table) {
	t.Helper()
	d := newDriver(1)
	var file bytes.Buffer
	var frames table
	var err error
	for _, piece := range pieces {
		if frames, err = d.pack(&file, frames, piece); err != nil {
			t.Fatal(err)
		}
	}
	file.Write(frames.end())
	return file.Bytes(), frames
}

// tableOf finds the table of a file as look does.
func tableOf(file []byte) table {
	n := endSize(file)
	if n == 0 || n > int64(len(file)) {
		return nil
	}
	return parse(file[int64(len(file))-n:], int64(len(file)))
}

func TestAFileIsReadByAnyDecoder(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	file, frames := packed(t, content[:1_000_000], content[1_000_000:1_000_001], content[1_000_001:])
	if got := tableOf(file); !bytes.Equal(got, frames) || got.frames() != 3 {
		t.Errorf("the table is %x, want %x", got, frames)
	}
	if stored, size := frames.size(); size != int64(len(content)) || stored+int64(len(frames.end())) != int64(len(file)) {
		t.Errorf("%d bytes of %d, want %d of %d", stored, size, len(file), len(content))
	}
	got, err := io.ReadAll(s2.NewReader(bytes.NewReader(file)))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestRangesAreOfTheFramesThatHaveThem(t *testing.T) {
	var frames table
	for _, f := range [][2]int{{10, 100}, {20, 200}, {30, 300}} {
		frames, _ = frames.with(f[0], f[1])
	}
	for _, c := range []struct{ offset, n, begin, stored, skip int64 }{
		{0, 600, 0, 60, 0}, {0, 1, 0, 10, 0}, {99, 1, 0, 10, 99}, {99, 2, 0, 30, 99}, {100, 200, 10, 20, 0}, {299, 2, 10, 50, 199}, {599, 1, 30, 30, 299},
	} {
		begin, needed, skip := frames.span(c.offset, c.n)
		stored, _ := needed.size()
		if begin != c.begin || stored != c.stored || skip != c.skip {
			t.Errorf("%d from %d: %d from %d, %d of them skipped; want %d, %d, %d", c.n, c.offset, stored, begin, skip, c.stored, c.begin, c.skip)
		}
	}
}

func TestWhatIsNoFileOfTheFormat(t *testing.T) {
	file, frames := packed(t, []byte("some content"), []byte("and some more"))
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(file)) }
	end := len(file) - len(frames.end())
	for name, b := range map[string][]byte{
		"nothing":            {},
		"text":               []byte("a blob that was there before"),
		"cut":                file[:len(file)-1],
		"more before":        append([]byte("x"), file...),
		"more after":         append(bytes.Clone(file), 0),
		"another magic":      change(func(b []byte) []byte { b[end]++; return b }),
		"another length":     change(func(b []byte) []byte { b[end+1]++; return b }),
		"too many frames":    change(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[len(b)-8:], 1<<31); return b }),
		"a frame of nothing": change(func(b []byte) []byte { clear(b[end+8 : end+12]); return b }),
		"a huge frame":       change(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[end+8:], maxContent+1); return b }),
		"another mark":       change(func(b []byte) []byte { b[len(b)-1]++; return b }),
	} {
		if got := tableOf(b); got != nil {
			t.Errorf("%s: a table of %d frames", name, got.frames())
		}
	}
	if empty, _ := packed(t); tableOf(empty) == nil || len(empty) != 12 {
		t.Errorf("the empty file of %d bytes is none", len(empty))
	}
}

func TestAFileHasNoMoreFramesThanAState(t *testing.T) {
	full := make(table, maxFrames*entryBytes)
	if _, err := full.with(1, 1); berth.KindOf(err) != berth.KindLimit {
		t.Errorf("one frame too many: %v", err)
	}
	if len(full) > berth.MaxState {
		t.Errorf("a full table has %d bytes", len(full))
	}
}

func TestADamagedFrameIsCorrupt(t *testing.T) {
	d := newDriver(1)
	file, frames := packed(t, bytes.Repeat([]byte("content "), 1000))
	stored, _ := frames.size()
	file[stored/2] ^= 0x55
	if err := d.unpack(bytes.NewReader(file[:stored]), frames, new(bytes.Buffer)); berth.KindOf(err) != berth.KindCorrupt {
		t.Errorf("a damaged frame: %v", err)
	}
	if err := d.unpack(bytes.NewReader(file[:stored-5]), frames, new(bytes.Buffer)); berth.KindOf(err) != berth.KindCorrupt {
		t.Errorf("a frame that is cut: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	file, _ := packed(f, []byte("some content"), []byte("and some more"))
	f.Add(file)
	f.Add(file[1:])
	f.Fuzz(func(t *testing.T, file []byte) {
		frames := tableOf(file)
		if frames == nil {
			return
		}
		if stored, _ := frames.size(); stored+int64(len(frames.end())) != int64(len(file)) || !bytes.HasSuffix(file, frames.end()) {
			t.Errorf("the table %x is not that of %x", frames, file)
		}
	})
}
