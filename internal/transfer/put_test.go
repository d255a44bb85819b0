package transfer_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

func TestCheck(t *testing.T) {
	d, m := inMemory(t)
	const blobs = "/docker/registry/v2/blobs/"
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	put(t, d, blobs+"sha256/e3/"+empty+"/data", nil)
	put(t, d, blobs+"sha256/e4/"+empty+"/data", []byte("not in its place, so no blob"))
	put(t, d, blobs+"sha256/e3/"+empty[:63]+"/data", []byte("no digest, so no blob"))
	put(t, d, "/link", []byte("sha256:"+empty))
	s, err := transfer.Check(t.Context(), d, "/", transfer.Options{})
	if err != nil || s.Files != 4 || s.Digests != 1 || s.Failed != 0 {
		t.Fatalf("got %+v, %v", s, err)
	}
	bad := blobs + "sha256/aa/aa" + empty[2:] + "/data"
	put(t, d, bad, []byte("torn"))
	s, err = transfer.Check(t.Context(), d, "/docker", transfer.Options{})
	wantKind(t, err, storagedriver.KindCorrupt, "1 file was not as promised", bad, "4 bytes")
	if s.Files != 4 || s.Digests != 1 || s.Failed != 1 {
		t.Errorf("got %+v", s)
	}
	s, err = transfer.Check(t.Context(), faulty(t, m, "truncate body 3 eof on Read at /link"), "/link", transfer.Options{})
	wantKind(t, err, storagedriver.KindCorrupt, "/link")
	if s.Failed != 1 {
		t.Errorf("got %+v", s)
	}
	_, err = transfer.Check(t.Context(), d, "/missing", transfer.Options{})
	wantKind(t, err, storagedriver.KindNotFound, "/missing")
}

func TestPut(t *testing.T) {
	for _, verify := range []transfer.Verify{transfer.VerifyDigest, transfer.VerifySize} {
		d, _ := onDisk(t)
		o := transfer.Options{Verify: verify}
		want := content(1<<20, 1)
		broken := io.MultiReader(bytes.NewReader(want[:600_000]), failing{})
		_, err := transfer.Put(t.Context(), d, "/p", broken, false, o)
		wantKind(t, err, storagedriver.KindUnavailable)
		if got := suspendedSize(t, d, "/p"); got != 600_000 {
			t.Errorf("%d bytes are suspended", got)
		}
		_, err = transfer.Put(t.Context(), d, "/p", bytes.NewReader(want[:500_000]), true, o)
		wantKind(t, err, storagedriver.KindConflict, "600000 bytes", "500000")
		for _, body := range []io.Reader{bytes.NewReader(want), io.MultiReader(bytes.NewReader(want))} { // one can seek
			r, err := transfer.Put(t.Context(), d, "/p", body, true, o)
			if err != nil || r.Resumed != 600_000 || r.Bytes != 1<<20 || r.Written != 1<<20-600_000 {
				t.Errorf("got %+v, %v", r, err)
			}
			wantContent(t, d, "/p", want)
			_, err = transfer.Put(t.Context(), d, "/p", bytes.NewReader(want), true, o)
			wantKind(t, err, storagedriver.KindConflict, "/p is a file")
			if err := d.Delete(t.Context(), "/p"); err != nil {
				t.Fatal(err)
			}
			if _, err := transfer.Put(t.Context(), d, "/p", io.MultiReader(bytes.NewReader(want[:600_000]), failing{}), false, o); err == nil {
				t.Error("a body that breaks was committed")
			}
		}
		if verify == transfer.VerifyDigest {
			_, err = transfer.Put(t.Context(), d, "/p", bytes.NewReader(content(1<<20, 2)), true, o)
			wantKind(t, err, storagedriver.KindCorrupt, "/p")
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) {
	return 0, storagedriver.NewError(storagedriver.KindUnavailable, "the body breaks")
}
