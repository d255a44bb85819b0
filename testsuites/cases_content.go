package testsuites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

func contentCases() []scenario {
	return []scenario{
		{"content/empty", "content of no bytes can be put and read", func(e *env) { e.putGet(nil) }},
		{"content/one-byte", "content of one byte comes back", func(e *env) { e.putGet([]byte("a")) }},
		{"content/utf8", "UTF-8 text comes back", func(e *env) { e.putGet([]byte("\u00dfe\u4e16\U0001f40b")) }},
		{"content/not-utf8", "bytes that are no UTF-8 come back", func(e *env) { e.putGet([]byte{0x80, 0x80, 0x80, 0x80, 0, 0xff}) }},
		{"content/every-byte", "every value of a byte comes back", contentEveryByte},
		{"content/32-bytes", "32 bytes come back", func(e *env) { e.putGet(e.content(32).bytes()) }},
		{"content/1-mib", "a MiB comes back", func(e *env) { e.putGet(e.content(1 << 20).bytes()) }},
		{"content/truncates", "shorter content replaces longer content whole", contentTruncates},
		{"content/put-repeated", "of several puts the last counts, whatever the lengths", contentRepeated},
		{"content/caller-keeps-buffers", "the bytes given to PutContent and those GetContent returned are the caller's", contentBuffers},
		{"content/get-missing", "GetContent of a missing path is NotFound", contentGetMissing},
		{"content/get-directory", "GetContent of a directory is NotFound", contentGetDirectory},
		{"content/under-file", "a path below a file is InvalidPath or, with files under files, a file of its own", contentUnderFile},
		{"content/onto-directory", "PutContent onto a directory is InvalidPath or, with files under files, a file of its own", contentOntoDirectory},
		{"content/atomic-for-readers", "a reader sees the old content or the new, whole", contentAtomic},
		{"content/overwritten-under-reader", "a reader opened before an overwrite never mixes old and new", contentUnderReader},
	}
}

func (e *env) putGet(want []byte) {
	e.Helper()
	p := e.path("dir/file")
	e.ok(e.d.PutContent(e.ctx, p, want), "PutContent")
	got, err := e.d.GetContent(e.ctx, p)
	e.ok(err, "GetContent")
	if !bytes.Equal(got, want) {
		e.Fatalf("GetContent: want the %d bytes put, got %d, which differ from byte %d on", len(want), len(got), firstDifference(got, want))
	}
	info, err := e.d.Stat(e.ctx, p)
	e.ok(err, "Stat")
	if info.Size() != int64(len(want)) || info.IsDir() {
		e.Fatalf("Stat: want a file of %d bytes, got %d, directory: %v", len(want), info.Size(), info.IsDir())
	}
}

func contentEveryByte(e *env) {
	p := make([]byte, 256)
	for i := range p {
		p[i] = byte(i)
	}
	e.putGet(p)
}

func contentTruncates(e *env) {
	p, long, short := e.path("file"), e.content(1<<20), e.content(1024)
	e.put(p, long)
	e.wantContent(p, long)
	e.put(p, short)
	e.wantContent(p, short)
}

func contentRepeated(e *env) {
	p := e.path("file")
	for _, size := range []int64{4096, 2048, 0, 8192, 8192, 1} {
		c := e.content(size)
		e.put(p, c)
		e.wantContent(p, c)
	}
}

func contentBuffers(e *env) {
	p, c := e.path("file"), e.content(1000)
	given := c.bytes()
	e.ok(e.d.PutContent(e.ctx, p, given), "PutContent")
	clear(given)
	got, err := e.d.GetContent(e.ctx, p)
	e.ok(err, "GetContent")
	e.ok(c.verifyBytes(got), "GetContent after the caller changed the bytes it had put")
	clear(got)
	e.wantContent(p, c)
}

func contentGetMissing(e *env) {
	_, err := e.d.GetContent(e.ctx, e.path("missing"))
	e.wantError(err, storagedriver.KindNotFound, "GetContent", e.path("missing"))
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"dir/missing", "dir/fil", "dir/file2", "missing/file"} {
		_, err := e.d.GetContent(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "GetContent", e.path(name))
	}
}

func contentGetDirectory(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	_, err := e.d.GetContent(e.ctx, e.path("dir"))
	e.wantError(err, storagedriver.KindNotFound, "GetContent", e.path("dir"))
}

func contentUnderFile(e *env) {
	file, below := e.content(32), e.content(33)
	e.put(e.path("file"), file)
	_, err := e.d.GetContent(e.ctx, e.path("file/below"))
	e.wantError(err, storagedriver.KindNotFound, "GetContent", e.path("file/below"))
	for _, name := range []string{"file/below", "file/deeper/below"} {
		err := e.d.PutContent(e.ctx, e.path(name), below.bytes())
		if e.has(storagedriver.AbilityFilesUnderFiles) {
			e.ok(err, "PutContent below a file")
			e.wantContent(e.path(name), below)
		} else {
			e.wantError(err, storagedriver.KindInvalidPath, "PutContent", e.path(name))
			e.wantMissing(e.path(name))
		}
		e.wantContent(e.path("file"), file)
	}
}

func contentOntoDirectory(e *env) {
	child, own := e.content(32), e.content(33)
	e.put(e.path("dir/file"), child)
	err := e.d.PutContent(e.ctx, e.path("dir"), own.bytes())
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "PutContent onto a directory")
		e.wantContent(e.path("dir"), own)
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "PutContent", e.path("dir"))
	}
	e.wantContent(e.path("dir/file"), child)
}

func contentAtomic(e *env) {
	e.overwriteUnderReaders(func(p string, c content) error { return e.d.PutContent(e.ctx, p, c.bytes()) })
}

// overwriteUnderReaders has write overwrite a file while others read it, until those have read often
// enough. The contents have different lengths, so that a mixture of body and length shows as well.
func (e *env) overwriteUnderReaders(write func(path string, c content) error) {
	e.Helper()
	const rounds, reads, readers = 12, 60, 3
	p := e.path("file")
	versions := []content{e.content(300_000), e.content(100_001), e.content(299_999)}
	e.put(p, versions[0])
	var seen atomic.Int64
	done := make(chan struct{})
	e.parallel(1+readers, func(i int) error {
		if i == 0 {
			defer close(done)
			for round := 0; round < rounds || seen.Load() < reads; round++ {
				if err := write(p, versions[round%len(versions)]); err != nil {
					return err
				}
			}
			return nil
		}
		defer seen.Add(reads) // also when this one fails: nobody waits for it
		for {
			got, err := e.d.GetContent(e.ctx, p)
			if err != nil {
				return fmt.Errorf("while it is overwritten: %w", err)
			}
			if err := isOneOf(got, versions); err != nil {
				return err
			}
			seen.Add(1)
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
}

// isOneOf returns an error unless got is one of the contents.
func isOneOf(got []byte, versions []content) error {
	var reasons []error
	for _, c := range versions {
		err := c.verifyBytes(got)
		if err == nil {
			return nil
		}
		reasons = append(reasons, err)
	}
	return fmt.Errorf("want one of the contents written, whole, got %d bytes that are none: %w", len(got), errors.Join(reasons...))
}

func contentUnderReader(e *env) {
	p, old, next := e.path("file"), e.content(4<<20), e.content(4<<20)
	e.put(p, old)
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	r, err := e.d.Reader(ctx, p, 0)
	e.ok(err, "Reader")
	defer r.Close()
	head := make([]byte, 1<<20)
	if _, err := io.ReadFull(r, head); err != nil {
		e.Fatalf("Read: %v", err)
	}
	e.put(p, next)
	e.wantOldOrFailure(r, head, old)
	e.wantContent(p, next)
}

// wantOldOrFailure wants r, of which head is read, to give the rest of old, or to fail; what it
// gave until then is of old in any case.
func (e *env) wantOldOrFailure(r io.Reader, head []byte, old content) {
	e.Helper()
	rest, err := io.ReadAll(r)
	got := append(head, rest...)
	if err == nil {
		e.ok(old.verifyBytes(got), "a reader that ends well gives the content it was opened on")
		return
	}
	if i := firstDifference(got, old.slice(0, int64(len(got)))); i >= 0 {
		e.Fatalf("a reader opened before an overwrite: want old bytes until it fails, got others from offset %d on", i)
	}
}
