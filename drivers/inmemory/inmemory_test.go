package inmemory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

func put(t *testing.T, d *inmemory.Driver, path, content string) {
	t.Helper()
	if err := d.Put(t.Context(), path, storagedriver.BytesSource(content)); err != nil {
		t.Fatalf("Put %s: %v", path, err)
	}
}

func get(t *testing.T, d *inmemory.Driver, path string) string {
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

func wantKind(t *testing.T, what string, err error, want storagedriver.Kind) {
	t.Helper()
	if err == nil || storagedriver.KindOf(err) != want {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// names lists path in pages of limit; directories end with "/".
func names(t *testing.T, d *inmemory.Driver, path string, limit int) []string {
	t.Helper()
	var out []string
	for cursor, pages := "", 0; ; pages++ {
		page, err := d.List(t.Context(), path, cursor, limit)
		if err != nil {
			t.Fatalf("List %s: %v", path, err)
		}
		if limit > 0 && len(page.Entries) > limit {
			t.Fatalf("List %s: a page of %d entries, asked for %d", path, len(page.Entries), limit)
		}
		for _, e := range page.Entries {
			if e.Dir {
				e.Name += "/"
			}
			out = append(out, e.Name)
		}
		if cursor = page.Cursor; cursor == "" {
			return out
		}
		if pages > 10000 {
			t.Fatal("the listing does not end")
		}
	}
}

func TestDirectoriesAreImplicit(t *testing.T) {
	d := inmemory.New()
	put(t, d, "/a/b/c", "1")
	put(t, d, "/a/b~/seg", "private")
	put(t, d, "/ab", "2")
	for path, dir := range map[string]bool{"/": true, "/a": true, "/a/b": true, "/a/b/c": false, "/ab": false} {
		e, err := d.Stat(t.Context(), path)
		if err != nil || e.Dir != dir || e.Name != "" {
			t.Errorf("Stat %s: %+v, %v; want a directory: %v", path, e, err, dir)
		}
	}
	wantKind(t, "Stat below a file", func() error { _, err := d.Stat(t.Context(), "/ab/c"); return err }(), storagedriver.KindNotFound)
	wantKind(t, "Put below a file", d.Put(t.Context(), "/ab/c", storagedriver.BytesSource("x")), storagedriver.KindInvalidPath)
	wantKind(t, "Put far below a file", d.Put(t.Context(), "/ab/c/d/e", storagedriver.BytesSource("x")), storagedriver.KindInvalidPath)
	wantKind(t, "Put on a directory", d.Put(t.Context(), "/a/b", storagedriver.BytesSource("x")), storagedriver.KindInvalidPath)
	wantKind(t, "Delete of a directory", d.Delete(t.Context(), "/a"), storagedriver.KindInvalidPath)
	wantKind(t, "Delete of nothing", d.Delete(t.Context(), "/a/x"), storagedriver.KindNotFound)
	_, _, err := d.Read(t.Context(), "/a", 0, -1)
	wantKind(t, "Read of a directory", err, storagedriver.KindNotFound)
	_, err = d.List(t.Context(), "/ab", "", 10)
	wantKind(t, "List of a file", err, storagedriver.KindNotFound)
	_, err = d.List(t.Context(), "/zz", "", 10)
	wantKind(t, "List of nothing", err, storagedriver.KindNotFound)

	if err := d.Delete(t.Context(), "/a/b/c"); err != nil {
		t.Fatal(err)
	}
	_, err = d.Stat(t.Context(), "/a/b")
	wantKind(t, "Stat of a directory left empty", err, storagedriver.KindNotFound)
	if got := names(t, d, "/a", 10); !slices.Equal(got, []string{"b~/"}) {
		t.Errorf("List /a: %q, want the private directory that is left", got)
	}
	if err := d.DeleteTree(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, d, "/", 10); !slices.Equal(got, []string{"ab"}) {
		t.Errorf("List /: %q, want the sibling with the same prefix only", got)
	}
	wantKind(t, "DeleteTree of nothing", d.DeleteTree(t.Context(), "/a"), storagedriver.KindNotFound)
}

func TestListPagesAscend(t *testing.T) {
	d := inmemory.New()
	want := []string{}
	for i := range 2500 {
		put(t, d, fmt.Sprintf("/dir/f%d", i), "")
		want = append(want, fmt.Sprintf("f%d", i))
	}
	// "-" and "." sort before "/", "0" after it.
	for _, name := range []string{"s-", "s.x", "s/y", "s0"} {
		put(t, d, "/dir/"+name, "")
	}
	want = append(want, "s-", "s.x", "s/", "s0")
	slices.Sort(want)
	for _, limit := range []int{0, 1, 7, 1000, 1 << 20} {
		if got := names(t, d, "/dir", limit); !slices.Equal(got, want) {
			t.Errorf("limit %d: %d names, want %d in ascending order", limit, len(got), len(want))
		}
	}
}

func TestCursorOutlivesItsEntry(t *testing.T) {
	d := inmemory.New()
	for _, name := range []string{"a", "b", "c", "d"} {
		put(t, d, "/"+name, "")
	}
	page, err := d.List(t.Context(), "/", "", 2)
	if err != nil || page.Cursor == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if err := d.Delete(t.Context(), "/b"); err != nil {
		t.Fatal(err)
	}
	page, err = d.List(t.Context(), "/", page.Cursor, 2)
	if err != nil || len(page.Entries) != 2 || page.Entries[0].Name != "c" || page.Cursor != "" {
		t.Errorf("the second page is %+v, %v; want c and d", page, err)
	}
}

func TestReadRanges(t *testing.T) {
	d := inmemory.New()
	big := make([]byte, 3<<20+17)
	for i := range big {
		big[i] = byte(i * 7 >> (i % 3))
	}
	put(t, d, "/x/big", string(big))
	size := int64(len(big))
	for _, c := range []struct{ offset, length, promise int64 }{
		{0, -1, size}, {0, 0, 0}, {size, -1, 0}, {size, 5, 0}, {size - 1, 5, 1}, {1 << 20, 1, 1},
		{1<<20 - 1, 2, 2}, {5, 2 << 20, 2 << 20}, {0, size, size}, {0, size + 1, size},
	} {
		r, promise, err := d.Read(t.Context(), "/x/big", c.offset, c.length)
		if err != nil || promise != c.promise {
			t.Errorf("Read %d+%d: promise %d, %v; want %d", c.offset, c.length, promise, err, c.promise)
			continue
		}
		want := big[c.offset : c.offset+c.promise]
		got, err := io.ReadAll(struct{ io.Reader }{r}) // through Read
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("Read %d+%d: wrong bytes or %v", c.offset, c.length, err)
		}
		r2, _, _ := d.Read(t.Context(), "/x/big", c.offset, c.length)
		var buf bytes.Buffer
		if n, err := io.Copy(&buf, r2); err != nil || n != c.promise || !bytes.Equal(buf.Bytes(), want) {
			t.Errorf("WriteTo %d+%d: wrong bytes or %v", c.offset, c.length, err)
		}
	}
	for _, offset := range []int64{-1, size + 1} {
		_, _, err := d.Read(t.Context(), "/x/big", offset, -1)
		wantKind(t, fmt.Sprint("offset ", offset), err, storagedriver.KindInvalidOffset)
	}
}

func TestReaderSeesWhatItOpened(t *testing.T) {
	d := inmemory.New()
	put(t, d, "/a", "old")
	r, _, err := d.Read(t.Context(), "/a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	put(t, d, "/a", "newer")
	if got := get(t, d, "/a"); got != "newer" {
		t.Errorf("after the overwrite: %q", got)
	}
	if err := d.Delete(t.Context(), "/a"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "old" {
		t.Errorf("the open reader: %q, %v; want the old content", got, err)
	}
	r.Close()
	_, err = r.Read(make([]byte, 1))
	wantKind(t, "Read after Close", err, storagedriver.KindClosed)
}

// lying is a Source whose Size is not what it gives.
type lying struct {
	storagedriver.BytesSource
	size int64
	err  error
}

func (l lying) Size() int64 { return l.size }

func (l lying) Open(context.Context) (io.ReadCloser, error) {
	r := io.Reader(strings.NewReader(string(l.BytesSource)))
	if l.err != nil {
		r = io.MultiReader(r, errReader{l.err})
	}
	return io.NopCloser(r), nil
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

func TestPutIsAllOrNothing(t *testing.T) {
	boom := errors.New("boom")
	d := inmemory.New()
	put(t, d, "/a", "old")
	for name, body := range map[string]lying{
		"short": {storagedriver.BytesSource("abc"), 4, nil}, "long": {storagedriver.BytesSource("abcd"), 3, nil},
		"not empty": {storagedriver.BytesSource("a"), 0, nil},
	} {
		wantKind(t, name, d.Put(t.Context(), "/a", body), storagedriver.KindCorrupt)
	}
	if err := d.Put(t.Context(), "/a", lying{storagedriver.BytesSource("abc"), 4, boom}); !errors.Is(err, boom) {
		t.Errorf("a failing body: %v", err)
	}
	if err := d.Put(t.Context(), "/a", lying{nil, 1 << 60, boom}); !errors.Is(err, boom) {
		t.Errorf("a huge promise: %v", err)
	}
	wantKind(t, "negative", d.Put(t.Context(), "/a", lying{nil, -1, nil}), storagedriver.KindInvalidArgument)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, "canceled", d.Put(ctx, "/a", storagedriver.BytesSource("new")), storagedriver.KindCanceled)
	if got := get(t, d, "/a"); got != "old" {
		t.Errorf("content is %q after failed puts, want the old", got)
	}
	put(t, d, "/empty", "")
	if got := get(t, d, "/empty"); got != "" {
		t.Errorf("the empty object has %q", got)
	}
}

func TestMove(t *testing.T) {
	d := inmemory.New()
	put(t, d, "/a/b/one", "1")
	put(t, d, "/a/b/two", "2")
	put(t, d, "/ab", "sibling")
	put(t, d, "/file", "f")
	for _, c := range []struct {
		source, dest string
		want         storagedriver.Kind
	}{
		{"/none", "/x", storagedriver.KindNotFound},
		{"/none", "/none/x", storagedriver.KindNotFound},
		{"/a", "/a/b/c", storagedriver.KindInvalidPath},
		{"/a/b/one", "/a", storagedriver.KindInvalidPath},
		{"/file", "/ab/x", storagedriver.KindInvalidPath},
		{"/file", "/file/x", storagedriver.KindInvalidPath},
		{"/file", "/", storagedriver.KindInvalidPath},
		{"/", "/x", storagedriver.KindInvalidPath},
		{"/a", "/file", storagedriver.KindInvalidPath},
	} {
		wantKind(t, "Move "+c.source+" "+c.dest, d.Move(t.Context(), c.source, c.dest), c.want)
	}
	for _, move := range [][2]string{{"/file", "/file"}, {"/a", "/c/d"}, {"/c/d/b", "/e"}, {"/e/one", "/e/two"}} {
		if err := d.Move(t.Context(), move[0], move[1]); err != nil {
			t.Fatalf("Move %v: %v", move, err)
		}
	}
	if got := get(t, d, "/e/two"); got != "1" {
		t.Errorf("/e/two is %q, want 1", got)
	}
	if got := names(t, d, "/", 10); !slices.Equal(got, []string{"ab", "e/", "file"}) {
		t.Errorf("List /: %q", got)
	}
}

func TestConcatSharesNothingWithItsSources(t *testing.T) {
	d := inmemory.New()
	put(t, d, "/s/1", "one,")
	put(t, d, "/s/2", "")
	put(t, d, "/s/3", "three")
	if err := d.Concat(t.Context(), "/s/1", []string{"/s/1", "/s/2", "/s/3", "/s/1"}); err != nil {
		t.Fatal(err)
	}
	put(t, d, "/s/3", "other")
	if got := get(t, d, "/s/1"); got != "one,threeone," {
		t.Errorf("the concatenation is %q", got)
	}
	if err := d.Concat(t.Context(), "/none", nil); err != nil || get(t, d, "/none") != "" {
		t.Errorf("a concatenation of nothing: %v", err)
	}
	wantKind(t, "missing source", d.Concat(t.Context(), "/s/1", []string{"/s/2", "/s/x"}), storagedriver.KindNotFound)
	wantKind(t, "Copy of a directory", d.Copy(t.Context(), "/s", "/x"), storagedriver.KindNotFound)
	if err := d.Copy(t.Context(), "/s/1", "/deep/er/copy"); err != nil || get(t, d, "/deep/er/copy") != "one,threeone," {
		t.Errorf("Copy: %v", err)
	}
}

func TestConcurrentCallers(t *testing.T) {
	d := inmemory.New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				path := fmt.Sprintf("/d%d/f%d", j%3, (i+j)%5)
				switch (i + j) % 5 {
				case 0, 1:
					_ = d.Put(t.Context(), path, storagedriver.BytesSource(path))
				case 2:
					_ = d.DeleteTree(t.Context(), fmt.Sprintf("/d%d", j%3))
				case 3:
					_, _ = d.List(t.Context(), fmt.Sprintf("/d%d", j%3), "", 2)
				case 4:
					r, _, err := d.Read(t.Context(), path, 0, -1)
					if err != nil {
						continue
					}
					if b, err := io.ReadAll(r); err != nil || string(b) != path {
						t.Errorf("%s holds %q, %v", path, b, err)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestOpenTakesNoParameters(t *testing.T) {
	if _, err := inmemory.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	_, err := inmemory.Open(t.Context(), map[string]any{"size": "hunter2"})
	wantKind(t, "an unknown parameter", err, storagedriver.KindInvalidArgument)
	if err == nil || !strings.Contains(err.Error(), `"size"`) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error is %v: it names the parameter and not its value", err)
	}
}
