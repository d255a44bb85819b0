package runtime_test

import (
	"bytes"
	"errors"
	"io"
	goruntime "runtime"
	"strconv"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
)

func zstdOf(t *testing.T, b []byte, options ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append([]zstd.EOption{zstd.WithEncoderConcurrency(1)}, options...)...)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipOf(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// undone is b decompressed by the library.
func undone(t *testing.T, alg string, b []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	if alg == "gzip" {
		r, err = gzip.NewReader(bytes.NewReader(b))
	} else {
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1))
		if err == nil {
			defer z.Close()
		}
		r = z
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompressing(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	first, second := unique(300_000), unique(500_000)
	s.set("/first", first)
	s.set("/second", second)
	for _, alg := range []string{"zstd", "gzip"} {
		var before []byte
		for _, level := range []int64{1, 3, 9, 0} {
			packed, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, &abi.CompressRequest{Alg: alg, Level: level}, "first", "second"), -1)
			if err != nil {
				t.Fatal(err)
			}
			if got := undone(t, alg, packed); !bytes.Equal(got, append(bytes.Clone(first), second...)) {
				t.Errorf("%s at %d is that of %d other bytes", alg, level, len(got))
			}
			if bytes.Equal(packed, before) {
				t.Errorf("%s at %d is what it was at the level before", alg, level)
			}
			before = packed
		}
		packed, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, &abi.CompressRequest{Alg: alg}), -1)
		if err != nil || len(undone(t, alg, packed)) != 0 {
			t.Errorf("%s of nothing: %d bytes, %v", alg, len(packed), err)
		}
	}
}

func TestDecompressing(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	content := unique(400_000)
	s.set("/z", zstdOf(t, content))
	s.set("/g", gzipOf(t, content))
	two := append(bytes.Clone(content), content...)
	for _, c := range []struct {
		alg     string
		objects []string
		want    []byte
	}{
		{"zstd", []string{"z"}, content}, {"gzip", []string{"g"}, content}, {"zstd", []string{"z", "z"}, two}, {"gzip", []string{"g", "g"}, two},
	} {
		q := &abi.CompressRequest{Alg: c.alg, Undo: true}
		got, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, q, c.objects...), -1)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s of %v: %d bytes, %v", c.alg, c.objects, len(got), err)
		}
		n := int64(len(c.want))
		got, err = readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, q, c.objects...), n)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s of %v, after the call: %d bytes, %v", c.alg, c.objects, len(got), err)
		}
		_, err = readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, q, c.objects...), n+1)
		wantKind(t, err, storagedriver.KindCorrupt, "ended after "+strconv.FormatInt(n, 10))
		q.Max = n
		if got, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, q, c.objects...), -1); err != nil || len(got) != len(c.want) {
			t.Errorf("%s of %v with a max of its length: %d bytes, %v", c.alg, c.objects, len(got), err)
		}
		q.Max = n - 1
		_, err = readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, q, c.objects...), -1)
		wantKind(t, err, storagedriver.KindLimit, "read after "+strconv.FormatInt(n-1, 10))
		_, err = readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, q, c.objects...), n)
		wantKind(t, err, storagedriver.KindLimit, strconv.FormatInt(n-1, 10)+" bytes of max")
	}
}

func TestContentThatIsNoCompression(t *testing.T) {
	d, s, m := open(t, runtime.Config{}, nil)
	content := unique(400_000)
	flipped := func(b []byte, at int) []byte { b = bytes.Clone(b); b[at] ^= 1; return b }
	for _, alg := range []string{"zstd", "gzip"} {
		packed := gzipOf(t, content)
		if alg == "zstd" {
			packed = zstdOf(t, content)
		}
		for name, b := range map[string][]byte{
			"nothing": {}, "text": []byte("#!/bin/sh\necho"), "one byte": packed[:1], "cut": packed[:len(packed)-1], "cut in the middle": packed[:len(packed)/2],
			"other checksum": flipped(packed, len(packed)-5), "trailing": append(bytes.Clone(packed), "rubbish, and more of it"...),
		} {
			if alg == "zstd" && name == "other checksum" {
				b = flipped(packed, len(packed)-2)
			}
			s.set("/x", b)
			q := &abi.CompressRequest{Alg: alg, Undo: true}
			_, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, q, "x"), -1)
			wantKind(t, err, storagedriver.KindCorrupt, "read after ")
			// Whoever stops at the promised length has the verdict as well.
			_, err = readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, q, "x"), int64(len(content)))
			if t.Failed() || err == nil || storagedriver.KindOf(err) != storagedriver.KindCorrupt {
				t.Fatalf("%s, %s: %v", alg, name, err)
			}
		}
	}
	_, err := readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, &abi.CompressRequest{Alg: "gzip", Undo: true}, "missing"), 10)
	wantKind(t, err, storagedriver.KindCorrupt, "status 404")
	_, err = readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, &abi.CompressRequest{Alg: "zstd"}, "cut"), -1)
	wantKind(t, err, storagedriver.KindUnavailable) // the body's own error
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies are open", n)
	}
}

// TestBombsTakeLittleMemory decompresses 64 MiB of zeros at a time, and what asks for a large window.
func TestBombsTakeLittleMemory(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	bomb := zstdOf(t, make([]byte, 64<<20), zstd.WithWindowSize(8<<20))
	s.set("/bomb", bomb)
	got, err := readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, &abi.CompressRequest{Alg: "zstd", Undo: true, Max: 100_000}, "bomb"), -1)
	wantKind(t, err, storagedriver.KindLimit, "read after 100000")
	if got != nil {
		t.Errorf("%d bytes came out", len(got))
	}
	s.set("/wide", zstdOf(t, append(unique(9<<20), unique(9<<20)...), zstd.WithWindowSize(16<<20)))
	_, err = readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, &abi.CompressRequest{Alg: "zstd", Undo: true}, "wide"), 1<<20)
	wantKind(t, err, storagedriver.KindLimit, "window of more than 8388608 bytes")
	// A header that promises a window of terabytes, and then nothing.
	s.set("/header", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00})
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	_, err = readAll(t.Context(), d, servicePath(t, "drained", abi.HostCompress, &abi.CompressRequest{Alg: "zstd", Undo: true}, "header"), -1)
	wantKind(t, err, storagedriver.KindLimit)
	goruntime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
		t.Errorf("refusing it took %d bytes of memory", n)
	}
}

func TestCompressionsThatAreRefused(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	s.set("/a", []byte("12345"))
	refused := func(q *abi.CompressRequest, objects ...string) *abi.Error {
		return serve(t, d, abi.HostCompress, q, &abi.CompressReply{}, objects...)
	}
	wantRefusal(t, refused(&abi.CompressRequest{Alg: "lz4"}, "a"), abi.KindInvalidArgument, `"lz4"`, "zstd or gzip")
	wantRefusal(t, refused(&abi.CompressRequest{Alg: "zstd", Level: 10}, "a"), abi.KindInvalidArgument, "level 10", "1 to 9")
	wantRefusal(t, refused(&abi.CompressRequest{Alg: "gzip", Level: -2}, "a"), abi.KindInvalidArgument, "level -2")
	wantRefusal(t, refused(&abi.CompressRequest{Alg: "gzip", Level: 2, Undo: true}, "a"), abi.KindInvalidArgument, "no level")
	wantRefusal(t, refused(&abi.CompressRequest{Alg: "gzip", Body: []abi.Handle{1<<32 | 200}}), abi.KindInvalidArgument, "not open")
}

func TestCompressionsAreLimited(t *testing.T) {
	content := gzipOf(t, unique(400_000))
	for what, cfg := range map[string]runtime.Config{"compressed bodies": {MaxInstances: 3}, "response bodies": {MaxOpenBodies: 6}} {
		d, s, m := open(t, cfg, nil)
		s.set("/g", content)
		path := servicePath(t, "body", abi.HostCompress, &abi.CompressRequest{Alg: "gzip", Undo: true}, "g")
		var held []io.ReadCloser
		for {
			r, _, err := d.Read(t.Context(), path, 0, 400_000)
			if err != nil {
				wantKind(t, err, storagedriver.KindLimit, "more than", what)
				var e *storagedriver.Error
				if !errors.As(err, &e) || !e.Temporary {
					t.Errorf("%v is not temporary", err)
				}
				break
			}
			held = append(held, r)
		}
		if len(held) != 3 {
			t.Errorf("%d bodies were had before %s had an end, want 3", len(held), what)
		}
		for _, r := range held {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if err := r.Close(); err != nil { // again
				t.Error(err)
			}
		}
		if n := m.Stats().OpenBodies; n != 0 {
			t.Errorf("%d bodies are open", n)
		}
		if _, err := readAll(t.Context(), d, path, 400_000); err != nil {
			t.Errorf("after they were closed: %v", err)
		}
	}
}

func TestACompressedSourceIsARequestsBody(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	content := unique(700_000)
	if err := d.Put(t.Context(), "/services/packed/out", storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
	got, _ := s.get("/out")
	if !bytes.Equal(undone(t, "zstd", got), append(bytes.Clone(content), content...)) {
		t.Error("the object is not the source twice, compressed")
	}
	if n := s.headers["/out"].Get("X-Length"); n != "-1" {
		t.Errorf("the request had the length %s, want -1", n)
	}
}

// TestReadersThatAreDroppedLeaveTheirCodecsUsable closes bodies after a few bytes, and reads others whole in between.
func TestReadersThatAreDroppedLeaveTheirCodecsUsable(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	content := unique(400_000)
	s.set("/zstd", zstdOf(t, content))
	s.set("/gzip", gzipOf(t, content))
	for i := range 20 {
		for _, alg := range []string{"zstd", "gzip"} {
			q := &abi.CompressRequest{Alg: alg, Undo: true}
			r, _, err := d.Read(t.Context(), servicePath(t, "body", abi.HostCompress, q, alg), 0, 400_000)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, r, int64(i*1000)); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Read(make([]byte, 1)); storagedriver.KindOf(err) != storagedriver.KindClosed {
				t.Fatalf("reading after closing: %v", err)
			}
			got, err := readAll(t.Context(), d, servicePath(t, "body", abi.HostCompress, q, alg), 400_000)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("%s, after %d were dropped: %d bytes, %v", alg, i+1, len(got), err)
			}
		}
	}
}
