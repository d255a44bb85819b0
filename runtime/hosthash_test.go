package runtime_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
)

// checkDigests are the digests of "123456789", of the catalogues of check values.
var checkDigests = map[string]string{
	"sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	"sha1":   "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
	"md5":    "25f9e794323b453885f5181f1b624d0b",
	"crc32c": "e3069283",
	"crc64":  "995dc9bbdf1939fa", // CRC-64/XZ
}

func TestHashes(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	all := []string{"sha256", "sha1", "md5", "crc32c", "crc64", "md5"}
	check := func(what string, r *abi.HashReply, e *abi.Error) {
		t.Helper()
		if e != nil || r.Size != 9 || len(r.Digests) != len(checkDigests) {
			t.Fatalf("%s: got %+v, %+v", what, r, e)
		}
		for alg, want := range checkDigests {
			if got := hex.EncodeToString(r.Digests[alg]); got != want {
				t.Errorf("%s: the %s is %s, want %s", what, alg, got, want)
			}
		}
	}
	var r abi.HashReply
	check("data", &r, serve(t, d, abi.HostHash, &abi.HashRequest{Algs: all, Data: []byte("123456789")}, &r))
	s.set("/a", []byte("12345"))
	s.set("/b", []byte("6789"))
	r = abi.HashReply{}
	check("bodies", &r, serve(t, d, abi.HostHash, &abi.HashRequest{Algs: all}, &r, "a", "b"))
	r = abi.HashReply{}
	if e := serve(t, d, abi.HostHash, &abi.HashRequest{Algs: []string{"crc32c"}}, &r); e != nil || r.Size != 0 || hex.EncodeToString(r.Digests["crc32c"]) != "00000000" {
		t.Errorf("of nothing: %+v, %+v", r, e)
	}
}

func TestHashesOfSources(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	content := unique(1 << 20)
	if err := d.Put(t.Context(), "/services/digest/out", storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
	line := func(b []byte) string {
		sum := sha256.Sum256(b)
		return fmt.Sprintf("%d %x %016x\n", len(b), sum, crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)))
	}
	got, _ := s.get("/out")
	if want := line(content) + line(append([]byte("a "), content...)); string(got) != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestHashRequestsThatAreRefused(t *testing.T) {
	d, s, m := open(t, runtime.Config{}, nil)
	s.set("/a", []byte("12345"))
	refused := func(q *abi.HashRequest, objects ...string) *abi.Error {
		return serve(t, d, abi.HostHash, q, &abi.HashReply{}, objects...)
	}
	wantRefusal(t, refused(&abi.HashRequest{Algs: []string{"sha256", "sha512"}}), abi.KindInvalidArgument, `"sha512"`, "sha256, sha1, md5, crc32c and crc64")
	wantRefusal(t, refused(&abi.HashRequest{}), abi.KindInvalidArgument, "0 algorithms, not 1 to 8")
	wantRefusal(t, refused(&abi.HashRequest{Algs: strings.Split(strings.Repeat("md5 ", 9), " ")[:9]}), abi.KindInvalidArgument, "9 algorithms, not 1 to 8")
	wantRefusal(t, refused(&abi.HashRequest{Algs: []string{"md5"}, Data: []byte("x")}, "a"), abi.KindInvalidArgument, "both data and body")
	wantRefusal(t, refused(&abi.HashRequest{Algs: []string{"md5"}, Body: []abi.Handle{1<<32 | 200}}), abi.KindInvalidArgument, "not open")
	wantRefusal(t, refused(&abi.HashRequest{Algs: []string{"md5"}}, "a", "cut"), abi.KindUnavailable, "reading from")
	wantRefusal(t, serve(t, d, abi.HostHashFinish, &abi.SinkMessage{Sink: 7}, &abi.HashReply{}), abi.KindInvalidArgument, "not open")
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies are open", n)
	}
}

// stalling is a Source whose reader gives a byte at a time, and calls at the hundredth.
type stalling struct{ call func() }

func (stalling) Size() int64 { return 1 << 40 }

func (s stalling) Open(context.Context) (io.ReadCloser, error) { return &stallingReader{s: s}, nil }

type stallingReader struct {
	s stalling
	n int
}

func (r *stallingReader) Read(p []byte) (int, error) {
	if r.n++; r.n == 100 {
		r.s.call()
	}
	return copy(p, "x"), nil
}

func (r *stallingReader) Close() error { return nil }

func TestAHashEndsWithItsCall(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := d.Put(ctx, "/services/digest/out", stalling{cancel}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it was cancelled", err)
	}
}

func TestModulesThatArePinned(t *testing.T) {
	wasm := still{version: abi.Version, reply: described(`{"name":"still"}`)}.build()
	sum := sha256.Sum256(wasm)
	for _, pinned := range []string{hex.EncodeToString(sum[:]), strings.ToUpper(hex.EncodeToString(sum[:]))} {
		m, err := runtime.Compile(t.Context(), "some.wasm", wasm, runtime.Config{SHA256: pinned})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
	other := strings.Repeat("ab", 32)
	_, err := runtime.Compile(t.Context(), "some.wasm", wasm, runtime.Config{SHA256: other})
	wantKind(t, err, storagedriver.KindCorrupt, "some.wasm", other, hex.EncodeToString(sum[:]), "pin its digest")
	_, err = runtime.Compile(t.Context(), "some.wasm", []byte("#!/bin/sh"), runtime.Config{SHA256: other})
	wantKind(t, err, storagedriver.KindCorrupt, "some.wasm", other)
	for _, bad := range []string{"abc", other + "00", strings.Repeat("xy", 32)} {
		_, err = runtime.Compile(t.Context(), "some.wasm", wasm, runtime.Config{SHA256: bad})
		wantKind(t, err, storagedriver.KindInvalidArgument, "some.wasm", `"`+bad, "64 hexadecimal digits")
	}
	_, err = runtime.Compile(t.Context(), "some.wasm", bytes.Repeat([]byte{0}, abi.MaxModule+1), runtime.Config{SHA256: other})
	wantKind(t, err, storagedriver.KindInvalidArgument, "67108864 bytes")
}
