package runtime_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

func TestObjectsGoThroughTheGuest(t *testing.T) {
	d, s, m := open(t, runtime.Config{}, nil)
	ctx := t.Context()
	content := unique(3<<20 + 17)
	for _, path := range []string{"/plain", "/a-spliced", "/chunked-spliced", "/a-written"} {
		if err := d.Put(ctx, path, storagedriver.BytesSource(content)); err != nil {
			t.Fatalf("put %s: %v", path, err)
		}
		if got, _ := s.get(path); !bytes.Equal(got, content) {
			t.Fatalf("%s: the server has %d bytes, want %d", path, len(got), len(content))
		}
	}
	e, err := d.Stat(ctx, "/plain")
	if err != nil || e.Size != int64(len(content)) || e.Dir {
		t.Fatalf("stat: %+v, %v", e, err)
	}
	for _, r := range []struct{ off, length, want int64 }{
		{0, -1, int64(len(content))}, {1 << 20, -1, int64(len(content)) - 1<<20}, {5, 10, 10}, {int64(len(content)) - 3, 10, 3},
	} {
		body, n, err := d.Read(ctx, "/plain", r.off, r.length)
		if err != nil || n != r.want {
			t.Fatalf("read %d+%d: promise %d, %v; want %d", r.off, r.length, n, err, r.want)
		}
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, content[r.off:r.off+r.want]) {
			t.Fatalf("read %d+%d: %d bytes, %v", r.off, r.length, len(got), err)
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	page, err := d.List(ctx, "/", "", 100)
	if err != nil || len(page.Entries) != 4 || page.Entries[3].Name != "plain" {
		t.Fatalf("list: %+v, %v", page, err)
	}
	if err := d.Delete(ctx, "/plain"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Stat(ctx, "/plain")
	wantKind(t, err, storagedriver.KindNotFound, "HTTP status 404")
	stats := m.Stats()
	if stats.ByOp["put"] != 4 || stats.ByOp["read"] != 4 || stats.ByOp["stat"] != 2 || stats.ByOp["open"] != 1 {
		t.Errorf("dispatches: %v", stats.ByOp)
	}
	if stats.Instances != 1 || stats.MappedBytes == 0 {
		t.Errorf("serial calls ran on %d instances with %d bytes", stats.Instances, stats.MappedBytes)
	}
}
