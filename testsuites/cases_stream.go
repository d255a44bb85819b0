package testsuites

import (
	"bytes"
	"io"
)

func streamCases() []scenario {
	return []scenario{
		{"stream/empty", "an upload of nothing makes a file of no bytes", func(e *env) { e.streamBytes(nil) }},
		{"stream/one-byte", "one byte comes back from an upload", func(e *env) { e.streamBytes([]byte("a")) }},
		{"stream/utf8", "UTF-8 text comes back from an upload", func(e *env) { e.streamBytes([]byte("\u00dfe\u4e16\U0001f40b")) }},
		{"stream/not-utf8", "bytes that are no UTF-8 come back from an upload", func(e *env) { e.streamBytes([]byte{0x80, 0x80, 0x80, 0x80, 0, 0xff}) }},
		{"stream/32-bytes", "32 bytes come back from an upload", func(e *env) { e.streamBytes(e.content(32).bytes()) }},
		{"stream/1-mib", "a MiB comes back from an upload", func(e *env) { e.streamBytes(e.content(1 << 20).bytes()) }},
		{"stream/part-boundaries", "uploads just below, at and just above whole parts come back", streamBoundaries},
		{"stream/large", "an upload of several parts comes back, every byte in its place", streamLarge},
		{"stream/odd-pieces", "the sizes of single writes leave no trace", streamPieces},
		{"stream/replaces", "an upload replaces longer and shorter content whole", streamReplaces},
	}
}

func (e *env) streamBytes(want []byte) {
	e.Helper()
	p := e.path("dir/file")
	w := e.writer(p, false)
	n, err := io.Copy(w, bytes.NewReader(want))
	e.ok(err, "io.Copy to a writer")
	if n != int64(len(want)) {
		e.Fatalf("io.Copy: want %d bytes, got %d", len(want), n)
	}
	e.commit(w)
	r, err := e.d.Reader(e.ctx, p, 0)
	e.ok(err, "Reader")
	defer r.Close()
	got, err := io.ReadAll(r)
	e.ok(err, "Read")
	if !bytes.Equal(got, want) {
		e.Fatalf("Reader: want the %d bytes written, got %d, which differ from byte %d on", len(want), len(got), firstDifference(got, want))
	}
}

func streamBoundaries(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{part - 1, part, part + 1, 2*part - 1, 2 * part} {
		c := e.content(size)
		e.upload(e.path("file"), c)
		e.wantContent(e.path("file"), c)
	}
}

func streamLarge(e *env) {
	c := e.content(e.suite.PartSize*7/2 + 12345)
	e.upload(e.path("file"), c)
	e.wantContent(e.path("file"), c)
	e.readAt(e.path("file"), c, e.suite.PartSize-1)
	e.readAt(e.path("file"), c, 3*e.suite.PartSize+1)
}

func streamPieces(e *env) {
	size := min(e.suite.PartSize, 1<<20) + 4099
	for _, piece := range []int64{1021, 4096, 32 << 10, 65537, size} {
		c := e.content(size)
		w := e.writer(e.path("file"), false)
		e.ok(feed(w, c, 0, size, piece), "Write in pieces of %d bytes", piece)
		e.commit(w)
		e.wantContent(e.path("file"), c)
	}
}

func streamReplaces(e *env) {
	for _, size := range []int64{1000, 100_000, 10, 0, 5} {
		c := e.content(size)
		e.upload(e.path("file"), c)
		e.wantContent(e.path("file"), c)
	}
}
