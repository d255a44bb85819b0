package filesystem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// open opens a driver that syncs nothing: most tests are not about a loss of power.
func open(t testing.TB, root string) *filesystem.Driver {
	t.Helper()
	return openWith(t, root, filesystem.FsyncOff)
}

func openDurable(t testing.TB, root string) *filesystem.Driver {
	t.Helper()
	return openWith(t, root, filesystem.FsyncFull)
}

func openWith(t testing.TB, root string, fsync filesystem.Fsync) *filesystem.Driver {
	t.Helper()
	d, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: fsync})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func put(t testing.TB, d *filesystem.Driver, path, content string) {
	t.Helper()
	if err := d.Put(t.Context(), path, storagedriver.BytesSource(content)); err != nil {
		t.Fatalf("Put %s: %v", path, err)
	}
}

func get(t testing.TB, d *filesystem.Driver, path string) string {
	t.Helper()
	r, promise, err := d.Read(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatalf("Read %s: %v", path, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != promise {
		t.Fatalf("Read %s: %d bytes of the promised %d, %v", path, len(b), promise, err)
	}
	return string(b)
}

func wantKind(t testing.TB, what string, err error, want storagedriver.Kind) {
	t.Helper()
	if err == nil || storagedriver.KindOf(err) != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// wantFiles compares every file below root, the names of directories left out.
func wantFiles(t testing.TB, root string, want ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(root, path)
			got = append(got, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

func TestParameters(t *testing.T) {
	root := filepath.Join(t.TempDir(), "made", "here")
	for _, threads := range []any{nil, 4, "4", 0, -1, 200.0, uint64(1 << 40)} {
		b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": root, "maxthreads": threads})
		if err != nil {
			t.Errorf("maxthreads %v: %v", threads, err)
			continue
		}
		_ = b.Close()
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		parameters map[string]any
		want       string
	}{
		{map[string]any{"rootdir": root}, `unknown parameter "rootdir": allowed are fsync, maxthreads, rootdirectory`},
		{map[string]any{"rootdirectory": ""}, `"rootdirectory" must name a directory`},
		{map[string]any{"rootdirectory": file}, file},
		{map[string]any{"rootdirectory": filepath.Join(file, "x")}, file},
		{map[string]any{"rootdirectory": root, "fsync": "sometimes"}, `"fsync" must be "full" or "off"`},
		{map[string]any{"rootdirectory": root, "maxthreads": "many"}, `"maxthreads" must be a whole number`},
	} {
		b, err := filesystem.Open(t.Context(), c.parameters)
		wantKind(t, fmt.Sprint(c.parameters), err, storagedriver.KindInvalidArgument)
		if err == nil || !strings.Contains(err.Error(), c.want) || b != nil {
			t.Errorf("%v: %v, %v; want %q", c.parameters, b, err, c.want)
		}
	}
}

func TestLayoutIsThePath(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/docker/registry/v2/blobs/sha256/aa/aabb/data", "blob")
	b, err := os.ReadFile(filepath.Join(root, "docker/registry/v2/blobs/sha256/aa/aabb/data"))
	if err != nil || string(b) != "blob" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	if err := os.WriteFile(filepath.Join(root, "docker/by-others"), []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "/docker/by-others"); got != "theirs" {
		t.Errorf("a file of others: %q", got)
	}
	wantFiles(t, root, "docker/registry/v2/blobs/sha256/aa/aabb/data", "docker/by-others")
}

func TestWhatIsImpossible(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	ctx := t.Context()
	put(t, d, "/dir/file", "x")
	stat := func(path string) error { _, err := d.Stat(ctx, path); return err }
	read := func(path string) error { _, _, err := d.Read(ctx, path, 0, -1); return err }
	list := func(path string) error { _, err := d.List(ctx, path, "", 10); return err }
	upload := func(path string) error { _, err := d.OpenUpload(ctx, path, true); return err }
	store := func(path string) error { return d.Put(ctx, path, storagedriver.BytesSource("y")) }
	for _, c := range []struct {
		what string
		err  error
		want storagedriver.Kind
	}{
		{"Stat of nothing", stat("/none"), storagedriver.KindNotFound},
		{"Stat below a file", stat("/dir/file/x"), storagedriver.KindNotFound},
		{"Read of nothing", read("/none"), storagedriver.KindNotFound},
		{"Read of a directory", read("/dir"), storagedriver.KindNotFound},
		{"Read of the root", read("/"), storagedriver.KindNotFound},
		{"Read below a file", read("/dir/file/x"), storagedriver.KindNotFound},
		{"List of nothing", list("/none"), storagedriver.KindNotFound},
		{"List of a file", list("/dir/file"), storagedriver.KindNotFound},
		{"Put on a directory", store("/dir"), storagedriver.KindInvalidPath},
		{"Put on the root", store("/"), storagedriver.KindInvalidPath},
		{"Put below a file", store("/dir/file/x"), storagedriver.KindInvalidPath},
		{"Put far below a file", store("/dir/file/x/y/z"), storagedriver.KindInvalidPath},
		{"Put of a long name", store("/dir/" + strings.Repeat("n", 256)), storagedriver.KindInvalidPath},
		{"Delete of nothing", d.Delete(ctx, "/none"), storagedriver.KindNotFound},
		{"Delete below a file", d.Delete(ctx, "/dir/file/x"), storagedriver.KindNotFound},
		{"Delete of a directory", d.Delete(ctx, "/dir"), storagedriver.KindInvalidPath},
		{"Delete of the root", d.Delete(ctx, "/"), storagedriver.KindInvalidPath},
		{"DeleteTree of nothing", d.DeleteTree(ctx, "/none"), storagedriver.KindNotFound},
		{"Move of nothing", d.Move(ctx, "/none", "/dir/file"), storagedriver.KindNotFound},
		{"Move of nothing to nowhere", d.Move(ctx, "/none", "/made/dir/file"), storagedriver.KindNotFound},
		{"Move below a file", d.Move(ctx, "/dir/file", "/dir/file/x"), storagedriver.KindInvalidPath},
		{"Move below itself", d.Move(ctx, "/dir", "/dir/x/y"), storagedriver.KindInvalidPath},
		{"Move onto its directory", d.Move(ctx, "/dir/file", "/dir"), storagedriver.KindInvalidPath},
		{"Copy of nothing", d.Copy(ctx, "/none", "/dir/file"), storagedriver.KindNotFound},
		{"Copy of a directory", d.Copy(ctx, "/dir", "/x"), storagedriver.KindNotFound},
		{"OpenUpload to a directory", upload("/dir"), storagedriver.KindInvalidPath},
		{"OpenUpload below a file", upload("/dir/file/x"), storagedriver.KindInvalidPath},
	} {
		wantKind(t, c.what, c.err, c.want)
	}
	wantFiles(t, root, "dir/file")
	if got := get(t, d, "/dir/file"); got != "x" {
		t.Errorf("/dir/file holds %q", got)
	}
	if _, err := os.Stat(filepath.Join(root, "made")); err == nil {
		t.Error("a Move that failed made a directory")
	}
}

func TestMoves(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/a/b/one", "1")
	put(t, d, "/a/b/two", "2")
	put(t, d, "/ab", "sibling")
	put(t, d, "/file", "f")
	put(t, d, "/full/x", "")
	wantKind(t, "a directory onto a file", d.Move(t.Context(), "/a", "/file"), storagedriver.KindInvalidPath)
	wantKind(t, "a directory onto a directory", d.Move(t.Context(), "/a", "/full"), storagedriver.KindInvalidPath)
	for _, move := range [][2]string{{"/file", "/file"}, {"/a", "/c/d"}, {"/c/d/b", "/e"}, {"/e/one", "/e/two"}} {
		if err := d.Move(t.Context(), move[0], move[1]); err != nil {
			t.Fatalf("Move %v: %v", move, err)
		}
	}
	wantFiles(t, root, "ab", "e/two", "file", "full/x")
	if got := get(t, d, "/e/two"); got != "1" {
		t.Errorf("/e/two is %q, want 1", got)
	}
	// What deleted objects leave is nothing to a store.
	put(t, d, "/c/d", "a file where an empty directory was")
	if err := d.Delete(t.Context(), "/full/x"); err != nil {
		t.Fatal(err)
	}
	if err := d.Move(t.Context(), "/ab", "/full"); err != nil {
		t.Errorf("Move onto an empty directory: %v", err)
	}
}

func TestReadRanges(t *testing.T) {
	d := open(t, t.TempDir())
	put(t, d, "/f", "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {0, 0, ""}, {10, -1, ""}, {10, 3, ""}, {9, 5, "9"}, {3, 4, "3456"}, {0, 11, "0123456789"}} {
		r, promise, err := d.Read(t.Context(), "/f", c.offset, c.length)
		if err != nil || promise != int64(len(c.want)) {
			t.Errorf("Read %d+%d: promise %d, %v", c.offset, c.length, promise, err)
			continue
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != c.want {
			t.Errorf("Read %d+%d: %q, %v", c.offset, c.length, b, err)
		}
		_ = r.Close()
	}
	for _, offset := range []int64{-1, 11} {
		_, _, err := d.Read(t.Context(), "/f", offset, -1)
		wantKind(t, fmt.Sprint("offset ", offset), err, storagedriver.KindInvalidOffset)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := d.Read(ctx, "/f", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "/f", "new")
	b := make([]byte, 4)
	if n, err := r.Read(b); err != nil || string(b[:n]) != "0123" {
		t.Errorf("an open reader after an overwrite: %q, %v", b[:n], err)
	}
	cancel()
	if _, err := r.Read(b); !errors.Is(err, context.Canceled) {
		t.Errorf("Read after the context ended: %v", err)
	}
	_ = r.Close()
}

// source is a Source made of a function.
type source struct {
	size int64
	open func(ctx context.Context) (io.ReadCloser, error)
}

func (s source) Size() int64                                     { return s.size }
func (s source) Open(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx) }

func reading(size int64, r io.Reader) source {
	return source{size, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestPutIsAllOrNothing(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/a/f", "old")
	boom := errors.New("boom")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, "short", d.Put(t.Context(), "/a/f", reading(4, strings.NewReader("abc"))), storagedriver.KindCorrupt)
	wantKind(t, "long", d.Put(t.Context(), "/a/f", reading(2, strings.NewReader("abc"))), storagedriver.KindCorrupt)
	wantKind(t, "long without WriterTo", d.Put(t.Context(), "/a/f", reading(2, struct{ io.Reader }{strings.NewReader("abc")})), storagedriver.KindCorrupt)
	wantKind(t, "not empty", d.Put(t.Context(), "/a/f", reading(0, strings.NewReader("a"))), storagedriver.KindCorrupt)
	wantKind(t, "negative", d.Put(t.Context(), "/a/f", reading(-1, strings.NewReader("a"))), storagedriver.KindInvalidArgument)
	wantKind(t, "canceled", d.Put(canceled, "/a/f", storagedriver.BytesSource("new")), storagedriver.KindCanceled)
	if err := d.Put(t.Context(), "/a/f", reading(9, io.MultiReader(strings.NewReader("abc"), failing{boom}))); !errors.Is(err, boom) {
		t.Errorf("a failing body: %v", err)
	}
	if got := get(t, d, "/a/f"); got != "old" {
		t.Errorf("/a/f holds %q, want the old", got)
	}
	wantFiles(t, root, "a/f")
	put(t, d, "/a/empty", "")
	if got := get(t, d, "/a/empty"); got != "" {
		t.Errorf("the empty object holds %q", got)
	}
}

func TestConcat(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	big := strings.Repeat("0123456789abcdef", 1<<16)
	put(t, d, "/s/1", "one,")
	put(t, d, "/s/2", "")
	put(t, d, "/s/3", big)
	if err := d.Concat(t.Context(), "/s/1", []string{"/s/1", "/s/2", "/s/3", "/s/1"}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "/s/1"); got != "one,"+big+"one," {
		t.Errorf("the concatenation has %d bytes and is wrong", len(got))
	}
	if err := d.Copy(t.Context(), "/s/3", "/deep/er/copy"); err != nil || get(t, d, "/deep/er/copy") != big {
		t.Errorf("Copy: %v", err)
	}
	wantFiles(t, root, "s/1", "s/2", "s/3", "deep/er/copy")
}

func TestClosed(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := d.Stat(t.Context(), "/")
	wantKind(t, "Stat", err, storagedriver.KindClosed)
	wantKind(t, "Put", d.Put(t.Context(), "/a/b", storagedriver.BytesSource("x")), storagedriver.KindClosed)
}

// TestThreads has more calls at once than threads, all of which call the driver again from
// their bodies, and one that gives up.
func TestThreads(t *testing.T) {
	d := open(t, t.TempDir())
	put(t, d, "/source", "content")
	var waiting, done sync.WaitGroup
	const callers = 4 * filesystem.MinThreads
	waiting.Add(callers)
	for i := range callers {
		done.Go(func() {
			err := d.Put(t.Context(), fmt.Sprintf("/copy/%d", i), source{7, func(ctx context.Context) (io.ReadCloser, error) {
				waiting.Done()
				waiting.Wait() // every Put is under way
				r, _, err := d.Read(ctx, "/source", 0, -1)
				return r, err
			}})
			if err != nil {
				t.Errorf("Put %d: %v", i, err)
			}
		})
	}
	done.Wait()
	for i := range callers {
		if got := get(t, d, fmt.Sprintf("/copy/%d", i)); got != "content" {
			t.Errorf("/copy/%d holds %q", i, got)
		}
	}
}

// TestPutsAndDeletesOfOneDirectory: a Put whose directory is removed under it makes it again.
func TestPutsAndDeletesOfOneDirectory(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d := open(t, root)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := d.DeleteTree(t.Context(), "/x/y"); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound && !storagedriver.IsTemporary(err) {
					t.Errorf("DeleteTree: %v", err)
				}
			}
		})
	}
	var puts sync.WaitGroup
	for i := range 4 {
		puts.Go(func() {
			for range 100 {
				path := fmt.Sprintf("/x/y/%d/z", i)
				err := d.Put(t.Context(), path, storagedriver.BytesSource(path))
				if err != nil && !storagedriver.IsTemporary(err) {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	puts.Wait()
	close(stop)
	wg.Wait()
	put(t, d, "/x/y/last", "1")
	if err := d.DeleteTree(t.Context(), "/x"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, root)
}

func TestReadersSeeOldOrNew(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	contents := [][]byte{bytes.Repeat([]byte("a"), 300_000), bytes.Repeat([]byte("b"), 200_001)}
	put(t, d, "/f", string(contents[0]))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := get(t, d, "/f")
				if got != string(contents[0]) && got != string(contents[1]) {
					t.Errorf("a mixture of %d bytes", len(got))
					return
				}
			}
		})
	}
	for i := range 60 {
		put(t, d, "/f", string(contents[i%2]))
	}
	close(stop)
	wg.Wait()
}
