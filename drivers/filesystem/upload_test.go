package filesystem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// writer drives the part protocol as package chunked does.
type writer struct {
	t        testing.TB
	d        *filesystem.Driver
	up       storagedriver.Upload
	receipts storagedriver.Receipts
	at       int64
}

func upload(t testing.TB, d *filesystem.Driver, path string, append bool) *writer {
	t.Helper()
	up, err := d.OpenUpload(t.Context(), path, append)
	if err != nil {
		t.Fatalf("OpenUpload %s: %v", path, err)
	}
	w := &writer{t: t, d: d, up: up}
	for _, r := range up.Receipts.All() {
		w.receipts.Set(r)
		w.at += r.Size
	}
	if up.Tail != nil || len(up.Token) > storagedriver.MaxToken || !up.Limits.Sequential || !up.Resumed && w.at > 0 {
		t.Fatalf("OpenUpload %s: %+v", path, up)
	}
	return w
}

func (w *writer) part(body storagedriver.Source) error {
	n := w.receipts.Len() + 1
	data, err := w.d.PutPart(w.t.Context(), w.up.Token, storagedriver.Part{Number: n, Offset: w.at, Body: body})
	if err == nil {
		w.receipts.Set(storagedriver.Receipt{Number: n, Offset: w.at, Size: body.Size(), Data: data})
		w.at += body.Size()
	}
	return err
}

func (w *writer) parts(contents ...string) *writer {
	w.t.Helper()
	for _, c := range contents {
		if err := w.part(storagedriver.BytesSource(c)); err != nil {
			w.t.Fatalf("PutPart %q at %d: %v", c, w.at, err)
		}
	}
	return w
}

func (w *writer) suspend() error {
	return w.d.SuspendUpload(w.t.Context(), w.up.Token, &w.receipts, nil)
}

func (w *writer) commit(last string) error {
	var body storagedriver.Source
	if last != "" {
		body = storagedriver.BytesSource(last)
	}
	return w.d.CommitUpload(w.t.Context(), w.up.Token, &w.receipts, body)
}

func (w *writer) mustCommit(last string) {
	w.t.Helper()
	if err := w.commit(last); err != nil {
		w.t.Fatalf("CommitUpload: %v", err)
	}
}

func (w *writer) cancel() error { return w.d.CancelUpload(w.t.Context(), w.up.Token) }

// wantSize wants an upload to path that has size bytes, or none when size is -1.
func wantSize(t testing.TB, d *filesystem.Driver, path string, size int64) {
	t.Helper()
	w := upload(t, d, path, true)
	if size < 0 && w.up.Resumed || size >= 0 && (!w.up.Resumed || w.at != size) {
		t.Errorf("the upload to %s: resumed %v with %d bytes, want %d", path, w.up.Resumed, w.at, size)
	}
}

func TestUploadIsVisibleWhenCommitted(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/a/data", "old")
	w := upload(t, d, "/a/data", false).parts("one,", "two,", "")
	if err := w.suspend(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, d, "/a/data"); got != "old" {
		t.Errorf("before the commit: %q", got)
	}
	wantSize(t, d, "/a/data", 8)
	w = upload(t, open(t, root), "/a/data", true).parts("three,")
	w.mustCommit("four")
	if got := get(t, d, "/a/data"); got != "one,two,three,four" {
		t.Errorf("after the commit: %q", got)
	}
	wantFiles(t, root, "a/data")
	wantKind(t, "a second commit", w.commit(""), storagedriver.KindConflict)
	if err := w.cancel(); err != nil {
		t.Errorf("Cancel after the commit: %v", err)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "a")); err != nil || len(entries) != 1 {
		t.Errorf("beside the object: %v, %v", entries, err)
	}
}

func TestUploadOfNoParts(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	upload(t, d, "/x/empty", false).mustCommit("")
	upload(t, d, "/x/last", true).mustCommit("last")
	if get(t, d, "/x/empty") != "" || get(t, d, "/x/last") != "last" {
		t.Error("wrong content")
	}
	w := upload(t, d, "/x/nothing", false)
	if err := errors.Join(w.suspend(), w.cancel(), d.CancelUpload(t.Context(), "no token")); err != nil {
		t.Error(err)
	}
	wantFiles(t, root, "x/empty", "x/last")
	wantSize(t, d, "/x/nothing", -1)
	wantSize(t, d, "/x/empty", -1)
}

func TestTailBecomesAPart(t *testing.T) {
	d := open(t, t.TempDir())
	w := upload(t, d, "/f", false).parts("part,")
	for range 2 { // the second as after an answer that was lost
		if err := d.SuspendUpload(t.Context(), w.up.Token, &w.receipts, storagedriver.BytesSource("tail,")); err != nil {
			t.Fatal(err)
		}
	}
	wantSize(t, d, "/f", 10)
	upload(t, d, "/f", true).mustCommit("end")
	if got := get(t, d, "/f"); got != "part,tail,end" {
		t.Errorf("got %q", got)
	}
}

func TestRepeatedPartReplaces(t *testing.T) {
	d := open(t, t.TempDir())
	w := upload(t, d, "/f", false)
	repeat := func(number int, offset int64, content string) error {
		data, err := d.PutPart(t.Context(), w.up.Token, storagedriver.Part{Number: number, Offset: offset, Body: storagedriver.BytesSource(content)})
		if err == nil {
			w.receipts.Set(storagedriver.Receipt{Number: number, Offset: offset, Size: int64(len(content)), Data: data})
		}
		return err
	}
	for _, p := range []struct {
		number  int
		offset  int64
		content string
	}{{1, 0, "first try"}, {1, 0, "one,"}, {2, 4, "second"}, {2, 4, "2"}, {2, 4, "two,"}, {3, 8, "three"}} {
		if err := repeat(p.number, p.offset, p.content); err != nil {
			t.Fatalf("part %d: %v", p.number, err)
		}
	}
	wantKind(t, "a part from before", repeat(2, 4, "2"), storagedriver.KindConflict)
	wantKind(t, "a part that leaves a gap", repeat(5, 20, "5"), storagedriver.KindConflict)
	w.mustCommit("")
	if got := get(t, d, "/f"); got != "one,two,three" {
		t.Errorf("got %q", got)
	}
}

func TestFailedPartLeavesTheOthers(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	boom := errors.New("boom")
	w := upload(t, d, "/f", false)
	bad := func() storagedriver.Source {
		return reading(9, io.MultiReader(strings.NewReader("xyz"), failing{boom}))
	}
	if err := w.part(bad()); !errors.Is(err, boom) {
		t.Errorf("a first part: %v", err)
	}
	wantSize(t, d, "/f", -1)
	w.parts("one,")
	if err := w.part(bad()); !errors.Is(err, boom) {
		t.Errorf("a second part: %v", err)
	}
	wantKind(t, "a short part", w.part(reading(5, strings.NewReader("x"))), storagedriver.KindCorrupt)
	wantSize(t, d, "/f", 4)
	if err := d.CommitUpload(t.Context(), w.up.Token, &w.receipts, bad()); !errors.Is(err, boom) {
		t.Errorf("a commit: %v", err)
	}
	wantSize(t, d, "/f", 4)
	w.parts("two,").mustCommit("three")
	if got := get(t, d, "/f"); got != "one,two,three" {
		t.Errorf("got %q", got)
	}
	wantFiles(t, root, "f")
}

func TestFirstAcceptedPartWins(t *testing.T) {
	root := t.TempDir()
	first, second := open(t, root), open(t, root)
	if err := upload(t, first, "/f", false).parts("head,").suspend(); err != nil {
		t.Fatal(err)
	}
	a, b, status := upload(t, first, "/f", true), upload(t, second, "/f", true), upload(t, second, "/f", true)
	_ = status
	b.parts("b,")
	wantKind(t, "a part of the other", a.part(storagedriver.BytesSource("a,")), storagedriver.KindConflict)
	wantKind(t, "its suspend", a.suspend(), storagedriver.KindConflict)
	wantKind(t, "its commit", a.commit("a"), storagedriver.KindConflict)
	if err := a.cancel(); err != nil {
		t.Errorf("its Cancel: %v", err)
	}
	wantSize(t, first, "/f", 7)
	b.mustCommit("end")
	if got := get(t, first, "/f"); got != "head,b,end" {
		t.Errorf("got %q", got)
	}
	wantFiles(t, root, "f")

	// The writer that began goes stale as well.
	a = upload(t, first, "/g", false).parts("head,")
	b = upload(t, second, "/g", true).parts("b,")
	wantKind(t, "a part of the first", a.part(storagedriver.BytesSource("a,")), storagedriver.KindConflict)
	wantKind(t, "its suspend", a.suspend(), storagedriver.KindConflict)
	if err := a.cancel(); err != nil {
		t.Error(err)
	}
	b.mustCommit("")
	if got := get(t, first, "/g"); got != "head,b," {
		t.Errorf("got %q", got)
	}
}

func TestTwoWritersNeverMix(t *testing.T) {
	root := t.TempDir()
	drivers := [2]*filesystem.Driver{open(t, root), open(t, root)}
	for round := range 30 {
		path := fmt.Sprintf("/r%d", round)
		if err := upload(t, drivers[0], path, false).parts("head,").suspend(); err != nil {
			t.Fatal(err)
		}
		want := [2]string{}
		errs := make(chan error, 2)
		// Both are open before one begins, or the second may go on with what the first has committed.
		writers := [2]*writer{upload(t, drivers[0], path, true), upload(t, drivers[1], path, true)}
		for i, w := range writers {
			piece := strings.Repeat(string(rune('a'+i)), 100_000)
			want[i] = "head," + piece + piece + piece
			go func() {
				for range 3 {
					if err := w.part(storagedriver.BytesSource(piece)); err != nil {
						errs <- err
						return
					}
				}
				errs <- w.commit("")
			}()
		}
		committed := 0
		for range 2 {
			err := <-errs
			if err == nil {
				committed++
			} else {
				wantKind(t, "the writer that lost", err, storagedriver.KindConflict)
			}
		}
		if got := get(t, drivers[0], path); committed != 1 || got != want[0] && got != want[1] {
			t.Fatalf("round %d: %d commits, and %d bytes that are neither writer's", round, committed, len(got))
		}
	}
}

func TestFreshUploadsAreApart(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	a, b := upload(t, d, "/f", false).parts("a1,"), upload(t, d, "/f", false).parts("b1,")
	a.parts("a2,")
	b.mustCommit("")
	if got := get(t, d, "/f"); got != "b1," {
		t.Errorf("got %q", got)
	}
	a.mustCommit("a3")
	if got := get(t, d, "/f"); got != "a1,a2,a3" {
		t.Errorf("got %q", got)
	}
	a, b = upload(t, d, "/f", false).parts("a1,"), upload(t, d, "/f", false).parts("b1,")
	if err := a.cancel(); err != nil {
		t.Fatal(err)
	}
	b.mustCommit("")
	wantFiles(t, root, "f")
}

func TestAppendToCommitted(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	put(t, d, "/f", "committed,")
	wantSize(t, d, "/f", 10)
	w := upload(t, d, "/f", true).parts("more,")
	if got := get(t, d, "/f"); got != "committed," {
		t.Errorf("before the commit: %q", got)
	}
	wantSize(t, d, "/f", 15)
	if err := w.cancel(); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, root, "f")

	w = upload(t, d, "/f", true).parts("more,")
	if err := w.suspend(); err != nil {
		t.Fatal(err)
	}
	upload(t, d, "/f", true).mustCommit("end")
	if got := get(t, d, "/f"); got != "committed,more,end" {
		t.Errorf("got %q", got)
	}
	upload(t, d, "/f", true).mustCommit("") // nothing is added
	upload(t, d, "/f", true).mustCommit("!")
	if got := get(t, d, "/f"); got != "committed,more,end!" {
		t.Errorf("got %q", got)
	}
	w = upload(t, d, "/f", true)
	put(t, d, "/f", "replaced by others")
	wantKind(t, "a part after the content was replaced", w.part(storagedriver.BytesSource("x")), storagedriver.KindConflict)
	wantKind(t, "a commit then", w.commit(""), storagedriver.KindConflict)
	if err := w.cancel(); err != nil || get(t, d, "/f") != "replaced by others" {
		t.Errorf("Cancel: %v", err)
	}
	wantFiles(t, root, "f")
}

func TestAbortUploads(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	ctx := t.Context()
	put(t, d, "/a/b/data", "committed")
	writers := map[string]*writer{}
	for _, path := range []string{"/a/b/data", "/a/b/c/data", "/a/b", "/ab/data", "/a/bc"} {
		if path != "/a/b" { // a directory by then
			writers[path] = upload(t, d, path, false).parts("x")
		}
	}
	if err := d.AbortUploads(ctx, "/a/b"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a/b/data", "/a/b/c/data"} {
		wantKind(t, "a part of an aborted upload", writers[path].part(storagedriver.BytesSource("y")), storagedriver.KindConflict)
		wantKind(t, "its commit", writers[path].commit(""), storagedriver.KindConflict)
	}
	wantSize(t, d, "/ab/data", 1)
	wantSize(t, d, "/a/bc", 1)
	if err := errors.Join(d.AbortUploads(ctx, "/ab/data"), d.AbortUploads(ctx, "/a/bc"), d.AbortUploads(ctx, "/none/x"), d.AbortUploads(ctx, "/a/b/data/x")); err != nil {
		t.Error(err)
	}
	wantFiles(t, root, "a/b/data")
	upload(t, d, "/q/r", false).parts("x")
	if err := d.AbortUploads(ctx, "/"); err != nil {
		t.Error(err)
	}
	wantFiles(t, root, "a/b/data")
}

func TestLockIsWaitedForUnderTheContext(t *testing.T) {
	d := open(t, t.TempDir())
	if err := upload(t, d, "/f", false).parts("head,").suspend(); err != nil {
		t.Fatal(err)
	}
	a, b := upload(t, d, "/f", true), upload(t, d, "/f", true)
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- a.part(reading(2, r)) }()
	if _, err := w.Write([]byte("a")); err != nil { // the part is under way
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := d.PutPart(ctx, b.up.Token, storagedriver.Part{Number: 2, Offset: 5, Body: storagedriver.BytesSource("b")})
	wantKind(t, "a part while another's is under way", err, storagedriver.KindDeadline)
	if _, err := w.Write([]byte(",")); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a part after another's", b.part(storagedriver.BytesSource("b")), storagedriver.KindConflict)
	a.mustCommit("")
	if got := get(t, d, "/f"); got != "head,a," {
		t.Errorf("got %q", got)
	}
}

// TestDirectoriesAreForgotten: those that are durable, and those that are gone.
func TestDirectoriesAreForgotten(t *testing.T) {
	d := openDurable(t, t.TempDir())
	ctx := t.Context()
	put(t, d, "/a/b/c/f", "content")
	upload(t, d, "/a/b/d/u", false).parts("part").mustCommit("end")
	if err := upload(t, d, "/a/e/u", false).parts("part").suspend(); err != nil {
		t.Fatal(err)
	}
	if err := upload(t, d, "/g/u", false).parts("part").cancel(); err != nil {
		t.Fatal(err)
	}
	upload(t, d, "/h/u", false).parts("part")
	if err := d.AbortUploads(ctx, "/h"); err != nil {
		t.Fatal(err)
	}
	if err := d.Move(ctx, "/a/b/c/f", "/m/n/f"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/g", "/h"} { // which are there, empty
		if err := d.DeleteTree(ctx, path); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.FreshDirs(); n != 0 {
		t.Errorf("%d directories are still to be synced", n)
	}
}
