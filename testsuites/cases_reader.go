package testsuites

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/berth-dev/storagedriver"
)

func readerCases() []scenario {
	return []scenario{
		{"reader/offsets", "Reader gives the content from an offset to the end", readerOffsets},
		{"reader/at-end", "at the end Reader is empty", readerAtEnd},
		{"reader/last-byte", "from the last byte on Reader gives one byte and the end", readerLastByte},
		{"reader/negative-offset", "a negative offset is InvalidOffset", readerNegative},
		{"reader/beyond-end", "an offset beyond the end is InvalidOffset", readerBeyond},
		{"reader/missing", "Reader of a missing path is NotFound at any offset", readerMissing},
		{"reader/directory", "Reader of a directory is NotFound", readerDirectory},
		{"reader/independent", "two readers of one file do not disturb each other", readerIndependent},
		{"reader/closed-early", "readers that are closed before the end hold nothing back", readerClosedEarly},
		{"reader/context-governs", "a reader fails when its context ends, and does not end as if all was read", readerContext},
		{"reader/concurrent", "many read one large file from different offsets at the same time", readerConcurrent},
	}
}

// readAt wants exactly what stands at path from offset on.
func (e *env) readAt(path string, c content, offset int64) {
	e.Helper()
	r, err := e.d.Reader(e.ctx, path, offset)
	e.ok(err, "Reader from %d", offset)
	defer r.Close()
	if sized, ok := r.(storagedriver.SizedReader); ok && sized.Size() != c.size-offset {
		e.Fatalf("Size of the reader from %d: want %d, got %d", offset, c.size-offset, sized.Size())
	}
	e.ok(c.verify(r, offset), "Reader from %d", offset)
}

func readerOffsets(e *env) {
	p, c := e.path("file"), e.content(96)
	e.put(p, c)
	for _, offset := range []int64{0, 1, 31, 32, 33, 64, 95} {
		e.readAt(p, c, offset)
	}
	p, c = e.path("large"), e.content(1<<20+17)
	e.put(p, c)
	for _, offset := range []int64{0, 1, 4095, 4096, 65536, 1 << 19, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		e.readAt(p, c, offset)
	}
}

func readerAtEnd(e *env) {
	for _, size := range []int64{0, 1, 96, 1 << 20} {
		p, c := e.path("file"), e.content(size)
		e.put(p, c)
		r, err := e.d.Reader(e.ctx, p, size)
		e.ok(err, "Reader at the end, %d", size)
		n, err := r.Read(make([]byte, 32))
		if n != 0 || err != io.EOF {
			e.Fatalf("Read at the end, %d: want 0 bytes and io.EOF, got %d and %v", size, n, err)
		}
		e.ok(r.Close(), "Close of an empty reader")
	}
}

func readerLastByte(e *env) {
	p, c := e.path("file"), e.content(96)
	e.put(p, c)
	r, err := e.d.Reader(e.ctx, p, 95)
	e.ok(err, "Reader from 95 of 96")
	defer r.Close()
	buf := make([]byte, 32)
	n, err := r.Read(buf)
	if n != 1 || err != nil && err != io.EOF || buf[0] != c.bytes()[95] {
		e.Fatalf("Read of the last byte: want 1 byte, got %d and %v", n, err)
	}
	if n, err := r.Read(buf); n != 0 || err != io.EOF {
		e.Fatalf("Read after the last byte: want 0 bytes and io.EOF, got %d and %v", n, err)
	}
}

func (e *env) wantInvalidOffset(path string, offset int64) {
	e.Helper()
	r, err := e.d.Reader(e.ctx, path, offset)
	if err == nil {
		r.Close()
		e.Fatalf("Reader from %d: want %q, got no error", offset, storagedriver.KindInvalidOffset)
	}
	e.wantError(err, storagedriver.KindInvalidOffset, "Reader", path)
}

func readerNegative(e *env) {
	p := e.path("file")
	e.put(p, e.content(96))
	e.wantInvalidOffset(p, -1)
	e.wantInvalidOffset(p, -1<<62)
}

func readerBeyond(e *env) {
	p := e.path("file")
	for _, size := range []int64{0, 96} {
		e.put(p, e.content(size))
		e.wantInvalidOffset(p, size+1)
		e.wantInvalidOffset(p, size+1000)
		e.wantInvalidOffset(p, 1<<62)
	}
}

func readerMissing(e *env) {
	e.put(e.path("dir/file"), e.content(96))
	for _, name := range []string{"dir/missing", "missing", "dir/file/below"} {
		for _, offset := range []int64{0, 64} {
			_, err := e.d.Reader(e.ctx, e.path(name), offset)
			e.wantError(err, storagedriver.KindNotFound, "Reader", e.path(name))
		}
	}
}

func readerDirectory(e *env) {
	e.put(e.path("dir/file"), e.content(96))
	_, err := e.d.Reader(e.ctx, e.path("dir"), 0)
	e.wantError(err, storagedriver.KindNotFound, "Reader", e.path("dir"))
}

func readerIndependent(e *env) {
	p, c := e.path("file"), e.content(1<<20)
	e.put(p, c)
	open := func(offset int64) io.ReadCloser {
		r, err := e.d.Reader(e.ctx, p, offset)
		e.ok(err, "Reader from %d", offset)
		e.Cleanup(func() { _ = r.Close() })
		return r
	}
	a, b, gone := open(0), open(1000), open(0)
	head := make([]byte, 500)
	if _, err := io.ReadFull(a, head); err != nil || firstDifference(head, c.slice(0, 500)) >= 0 {
		e.Fatalf("Read of the first reader: want its first 500 bytes, got others (%v)", err)
	}
	e.ok(gone.Close(), "Close of a third reader")
	e.ok(c.verify(b, 1000), "the second reader")
	e.ok(b.Close(), "Close of the second reader")
	e.ok(c.verify(a, 500), "the first reader, after the others were closed")
}

// readerClosedEarly opens more readers than pools of connections, instances and handles hold.
func readerClosedEarly(e *env) {
	p, c := e.path("file"), e.content(4<<20)
	e.put(p, c)
	for i := range 80 {
		r, err := e.d.Reader(e.ctx, p, 0)
		e.ok(err, "Reader %d", i)
		if _, err := io.ReadFull(r, make([]byte, i)); err != nil {
			e.Fatalf("Read of %d bytes: %v", i, err)
		}
		e.ok(r.Close(), "Close of a reader after %d bytes", i)
	}
	e.wantContent(p, c)
}

func readerContext(e *env) {
	p, c := e.path("file"), e.content(16<<20)
	e.upload(p, c)
	ctx, cancel := context.WithCancel(e.ctx)
	r, err := e.d.Reader(ctx, p, 0)
	e.ok(err, "Reader")
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		e.Fatalf("Read: %v", err)
	}
	cancel()
	n, err := io.Copy(io.Discard, r)
	if err == nil {
		e.Fatalf("Read after the context ended: want an error, got %d bytes and the end", n)
	}
	if !errors.Is(err, context.Canceled) {
		e.Fatalf("Read after the context ended: want an error that is context.Canceled, got %v", err)
	}
}

func readerConcurrent(e *env) {
	p, c := e.path("file"), e.content(10<<20)
	e.upload(p, c)
	rng := rand.New(rand.NewPCG(e.seed, 1))
	offsets := make([]int64, 10)
	for i := range offsets {
		offsets[i] = rng.Int64N(c.size)
	}
	e.parallel(len(offsets), func(i int) error {
		r, err := e.d.Reader(e.ctx, p, offsets[i])
		if err != nil {
			return err
		}
		defer r.Close()
		if err := c.verify(r, offsets[i]); err != nil {
			return fmt.Errorf("from offset %d: %w", offsets[i], err)
		}
		return nil
	})
}
