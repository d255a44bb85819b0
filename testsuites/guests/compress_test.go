package guests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/examples/compress"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// compressed is compress.wasm over a store.
func compressed(t *testing.T, under storagedriver.StorageDriver) *runtime.Module {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "compress"), runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript("compress"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close of the module: %v", err)
		}
	})
	return m
}

func compressConforms(t *testing.T, under storagedriver.StorageDriver) {
	open := inTurn(func() *runtime.Module { return compressed(t, under) })
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "compress"), map[string]any{}, loader, smallParts, transcribed("compress"), budgeted(open, map[string]any{}))
}

func TestCompressConforms(t *testing.T) {
	t.Parallel()
	for name, open := range backends(t) {
		if underRace && name != "filesystem" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			b, err := open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			compressConforms(t, layers.Complete(b))
		})
	}
}

// compressing is a driver of compress.wasm.
func compressing(t *testing.T, under storagedriver.StorageDriver) storagedriver.Backend {
	t.Helper()
	b, err := compressed(t, under).Open(t.Context(), map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompressReadsTheFramesOfARange(t *testing.T) {
	under := layers.Complete(inmemory.New())
	b := compressing(t, under)
	d := layers.Complete(b)
	content := bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16)
	for i := range content[:5<<20] { // which does not compress to nothing
		content[i] ^= byte(i * i >> 7)
	}
	w, err := d.Writer(t.Context(), "/a/blob", false)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(content); at += 1 << 20 {
		if _, err := w.Write(content[at:min(at+1<<20, len(content))]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	stored, err := under.Stat(t.Context(), "/a/blob")
	if err != nil || stored.Size() >= int64(len(content)) {
		t.Errorf("in the store: %v, %v; want less than %d bytes", stored, err, len(content))
	}
	if info, err := d.Stat(t.Context(), "/a/blob"); err != nil || info.Size() != int64(len(content)) {
		t.Errorf("Stat: %v, %v", info, err)
	}
	page, err := b.List(t.Context(), "/a", "", 10)
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Size != int64(len(content)) {
		t.Errorf("List: %+v, %v; want one file of %d bytes", page, err, len(content))
	}
	for _, c := range []struct{ off, n int64 }{{0, 10}, {4<<20 - 5, 10}, {4 << 20, 4 << 20}, {8<<20 + 7, -1}, {1, 9<<20 - 2}} {
		r, n, err := b.Read(t.Context(), "/a/blob", c.off, c.n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if closeErr := r.Close(); err != nil || closeErr != nil || !bytes.Equal(got, content[c.off:c.off+n]) || c.n >= 0 && n != c.n {
			t.Errorf("%d bytes from %d: %d of %d, %v, %v", c.n, c.off, len(got), n, err, closeErr)
		}
	}
}

func TestCompressSaysWhatIsNotItsOwn(t *testing.T) {
	under := layers.Complete(inmemory.New())
	b := compressing(t, under)
	for path, content := range map[string][]byte{"/a/text": []byte("a blob that was there before"), "/a/zeros": make([]byte, 10_000), "/a/empty": {}} {
		if err := under.PutContent(t.Context(), path, content); err != nil {
			t.Fatal(err)
		}
		_, err := b.Stat(t.Context(), path)
		wantError(t, err, storagedriver.KindCorrupt, "was not written by this driver")
		_, _, err = b.Read(t.Context(), path, 0, -1)
		wantError(t, err, storagedriver.KindCorrupt, "was not written by this driver")
	}
	_, err := b.List(t.Context(), "/a", "", 10)
	wantError(t, err, storagedriver.KindCorrupt, "empty: ", "was not written by this driver")
	if page, err := b.List(t.Context(), "/", "", 10); err != nil || !slices.ContainsFunc(page.Entries, func(e storagedriver.Entry) bool { return e.Name == "a" && e.Dir }) {
		t.Errorf("the directory above: %+v, %v", page, err)
	}
}

// TestCompressReadsNatively is the other half of the comparison in cmd/bench.
func TestCompressReadsNatively(t *testing.T) {
	under := layers.Complete(inmemory.New())
	b, err := native.Config{Granted: map[string]storagedriver.StorageDriver{"under": under}}.Open(compress.Manifest(), compress.Open)(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b)
	content := bytes.Repeat([]byte("0123456789abcdef"), 9<<20/16)
	w, err := d.Writer(t.Context(), "/a", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(content)
	if err := errors.Join(err, w.Commit(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, 5 << 20} {
		r, err := d.Reader(t.Context(), "/a", offset)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if cerr := r.Close(); err != nil || cerr != nil || !bytes.Equal(got, content[offset:]) {
			t.Errorf("from %d: %d bytes, %v, %v", offset, len(got), err, cerr)
		}
	}
	if err := errors.Join(d.Close(), under.Close()); err != nil {
		t.Error(err)
	}
}
