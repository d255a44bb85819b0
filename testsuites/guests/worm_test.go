package guests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/examples/worm"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// retaining is worm.wasm over a store.
func retaining(t *testing.T, under storagedriver.StorageDriver) *runtime.Module {
	t.Helper()
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "worm"), runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: transcript("worm"),
	})
	ok(t, err, "load worm")
	t.Cleanup(func() { ok(t, m.Close(context.Background()), "close the module") })
	return m
}

// TestWormConforms has everything pass by a retention that is for paths elsewhere, and by one that is always over.
func TestWormConforms(t *testing.T) {
	t.Parallel()
	for mode, parameters := range map[string]map[string]any{
		"elsewhere": {"retention": "30d", "paths": "/retained/only"},
		"over":      {"retention": "1ns"},
	} {
		for name, open := range backends(t) {
			if underRace && (name != "filesystem" || mode != "over") {
				continue
			}
			t.Run(mode+"/"+name, func(t *testing.T) {
				b, err := open(t.Context())
				ok(t, err, "open the store")
				under := layers.Complete(b)
				opened := inTurn(func() *runtime.Module { return retaining(t, under) })
				loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
					b, err := opened(ctx, parameters)
					if err != nil {
						return nil, err
					}
					return layers.Complete(b, layers.WithPartSize(partSize)), nil
				}
				testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "worm"), parameters, loader, smallParts, transcribed("worm"), budgeted(opened, parameters))
			})
		}
	}
}

// blobsOfRegistry are the paths that a registry wants to have retained.
const blobsOfRegistry = "/docker/registry/v2/blobs"

// forAMonth is a retention that no test meets the end of.
func forAMonth(paths string) map[string]any {
	return map[string]any{"retention": "30d", "paths": paths}
}

// wormOf opens worm.wasm over b, with what is below it.
func wormOf(t *testing.T, b storagedriver.Backend, parameters map[string]any) (d, under storagedriver.StorageDriver) {
	t.Helper()
	under = layers.Complete(b)
	opened, err := retaining(t, under).Open(t.Context(), parameters)
	ok(t, err, "open worm")
	d = layers.Complete(opened, layers.WithPartSize(partSize))
	t.Cleanup(func() { ok(t, errors.Join(d.Close(), under.Close()), "close") })
	return d, under
}

func putText(t *testing.T, d storagedriver.StorageDriver, path, content string) {
	t.Helper()
	ok(t, d.PutContent(t.Context(), path, []byte(content)), "put "+path)
}

func wantText(t *testing.T, d storagedriver.StorageDriver, path, want string) {
	t.Helper()
	if got, err := d.GetContent(t.Context(), path); err != nil || string(got) != want {
		t.Errorf("%s: %.80q, %v; want %.80q", path, got, err, want)
	}
}

func wantMissing(t *testing.T, d storagedriver.StorageDriver, path string) {
	t.Helper()
	_, err := d.Stat(t.Context(), path)
	wantKind(t, err, storagedriver.KindNotFound, "Stat of "+path)
}

// commitTo commits content through a Writer in parts, or returns what prevents that.
func commitTo(t *testing.T, d storagedriver.StorageDriver, path string, resume bool, content []byte) error {
	t.Helper()
	w, err := d.Writer(t.Context(), path, resume)
	ok(t, err, "Writer of "+path)
	write(t, w, content)
	err = w.Commit(t.Context())
	if err != nil {
		ok(t, w.Cancel(t.Context()), "Cancel")
	}
	ok(t, w.Close(), "Close")
	return err
}

// wantRetained demands a refusal that names the file and until when it stays.
func wantRetained(t *testing.T, what string, err error, path string) {
	t.Helper()
	if storagedriver.KindOf(err) != storagedriver.KindPermission {
		t.Fatalf("%s: %v; want it refused", what, err)
	}
	_, until, found := strings.Cut(err.Error(), "permission denied: "+path+" is retained until ")
	if at, parseErr := time.Parse(time.RFC3339, until); !found || parseErr != nil || time.Until(at) < 29*24*time.Hour || time.Until(at) > 31*24*time.Hour {
		t.Errorf("%s: the refusal %q does not say until when, in a month, %s is retained", what, err, path)
	}
}

func TestWormRefusesWhatWouldChangeARetainedFile(t *testing.T) {
	for name, open := range backends(t) {
		t.Run(name, func(t *testing.T) {
			b, err := open(t.Context())
			ok(t, err, "open the store")
			d, _ := wormOf(t, b, forAMonth("/kept"))
			ctx, long := t.Context(), pattern(3*partSize)
			putText(t, d, "/kept/deep/file", "first")
			putText(t, d, "/kept/empty", "")
			putText(t, d, "/free/file", "free!")
			ok(t, commitTo(t, d, "/kept/long", false, long), "the first upload")
			const file = "/kept/deep/file"
			for what, do := range map[string]func() error{
				"Put":                     func() error { return d.PutContent(ctx, file, []byte("other")) },
				"Put of another size":     func() error { return d.PutContent(ctx, file, []byte("longer")) },
				"an upload in one part":   func() error { return commitTo(t, d, file, false, []byte("other")) },
				"an upload":               func() error { return commitTo(t, d, file, false, long) },
				"Move away":               func() error { return d.Move(ctx, file, "/free/moved") },
				"Move onto it":            func() error { return d.Move(ctx, "/free/file", file) },
				"Move of the directory":   func() error { return d.Move(ctx, "/kept/deep", "/free/deep") },
				"Delete":                  func() error { return d.Delete(ctx, file) },
				"Delete of the directory": func() error { return d.Delete(ctx, "/kept/deep") },
			} {
				wantRetained(t, what, do(), file)
			}
			wantRetained(t, "an upload to an empty file", commitTo(t, d, "/kept/empty", true, []byte("more")), "/kept/empty")
			if d.Capabilities().Has(storagedriver.AbilityAppendCommitted) {
				wantRetained(t, "an upload that goes on after it", commitTo(t, d, file, true, long), file)
			}
			wantRetained(t, "the same upload again", commitTo(t, d, "/kept/long", false, long), "/kept/long")
			if err := d.Delete(ctx, "/kept"); storagedriver.KindOf(err) != storagedriver.KindPermission {
				t.Errorf("Delete of all: %v", err)
			}
			wantText(t, d, file, "first")
			wantText(t, d, "/kept/empty", "")
			wantText(t, d, "/kept/long", string(long))
			wantText(t, d, "/free/file", "free!")
			wantMissing(t, d, "/free/moved")
			wantMissing(t, d, "/free/deep")
		})
	}
}

func TestWormRemovesNothingOfATreeWithARetainedFile(t *testing.T) {
	d, under := wormOf(t, inmemory.New(), forAMonth("/tree/**/kept"))
	ctx, last := t.Context(), "/tree/z/kept/file"
	for i := range abi.MaxList + 1 { // more than a page, and what is retained behind them
		putText(t, d, fmt.Sprintf("/tree/file-%d", i), "free")
	}
	for _, dir := range []string{"/tree/a", "/tree/a/kept-not"} {
		putText(t, d, dir+"/file", "free")
	}
	putText(t, d, "/tree/kept-not/file", "free")
	putText(t, d, last, "kept")
	count := func() (n int) {
		ok(t, under.Walk(ctx, "/", func(i storagedriver.FileInfo) error {
			if !i.IsDir() {
				n++
			}
			return nil
		}), "Walk")
		return n
	}
	before := count()
	wantRetained(t, "Delete", d.Delete(ctx, "/tree"), last)
	wantRetained(t, "Move", d.Move(ctx, "/tree", "/elsewhere"), last)
	if after := count(); after != before || before != abi.MaxList+5 {
		t.Errorf("%d files are left of %d", after, before)
	}
	ok(t, d.Delete(ctx, "/tree/a"), "Delete of what has no retained file")
	wantMissing(t, d, "/tree/a")
	ok(t, d.Move(ctx, "/tree/kept-not", "/tree/kept"), "Move of free files among the retained")
	wantRetained(t, "Delete of one of them", d.Delete(ctx, "/tree/kept/file"), "/tree/kept/file")
}

func TestWormTakesTheSameContentAgain(t *testing.T) {
	d, under := wormOf(t, inmemory.New(), forAMonth("/kept"))
	ctx := t.Context()
	for path, content := range map[string]string{"/kept/file": "content", "/kept/empty": "", "/kept/long": string(pattern(partSize / 2))} {
		putText(t, d, path, content)
		first, err := under.Stat(ctx, path)
		ok(t, err, "Stat")
		putText(t, d, path, content)
		ok(t, commitTo(t, d, path, false, []byte(content)), "an upload that fits one put")
		putText(t, d, "/free/same", content)
		ok(t, d.Move(ctx, "/free/same", path), "Move of the same content")
		wantMissing(t, d, "/free/same")
		wantText(t, d, path, content)
		if again, err := under.Stat(ctx, path); err != nil || !again.ModTime().Equal(first.ModTime()) {
			t.Errorf("%s was written at %v, and now at %v, %v", path, first.ModTime(), again.ModTime(), err)
		}
	}
}

func TestWormLetsGoWhenTheRetentionIsOver(t *testing.T) {
	root := t.TempDir()
	open := func() storagedriver.Backend {
		b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": root, "fsync": "off"})
		ok(t, err, "open the store")
		return b
	}
	d, _ := wormOf(t, open(), forAMonth("/"))
	putText(t, d, "/old/file", "old")
	putText(t, d, "/young/file", "young")
	written := time.Now().Add(-30*24*time.Hour + time.Hour)
	ok(t, os.Chtimes(filepath.Join(root, "old", "file"), written, written), "a time within the retention")
	err := d.Delete(t.Context(), "/old/file")
	wantError(t, err, storagedriver.KindPermission, "/old/file is retained until "+written.Add(30*24*time.Hour+time.Second-1).UTC().Format("2006-01-02T15:04:05Z"))
	written = time.Now().Add(-30*24*time.Hour - time.Hour)
	ok(t, os.Chtimes(filepath.Join(root, "old", "file"), written, written), "a time before it")
	putText(t, d, "/old/file", "new")
	wantRetained(t, "Delete of what was written again", d.Delete(t.Context(), "/old/file"), "/old/file")
	ok(t, os.Chtimes(filepath.Join(root, "old", "file"), written, written), "a time before it")
	ok(t, d.Delete(t.Context(), "/old"), "Delete after the retention")
	wantRetained(t, "Delete of the other", d.Delete(t.Context(), "/young/file"), "/young/file")

	short, _ := wormOf(t, open(), map[string]any{"retention": "300ms"})
	putText(t, short, "/short", "content")
	for deadline := time.Now().Add(time.Minute); ; {
		err := short.Delete(t.Context(), "/short")
		if err == nil {
			break
		}
		wantError(t, err, storagedriver.KindPermission, "/short is retained until ")
		if time.Now().After(deadline) {
			t.Fatal("a retention of 300 ms is not over after a minute")
		}
	}
	wantMissing(t, short, "/short")
}

// timeless is a store that does not know when files were written, in listings or at all.
type timeless struct {
	storagedriver.Backend
	stat bool
}

func (b timeless) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	e, err := b.Backend.Stat(ctx, path)
	if b.stat {
		e.ModTime = time.Time{}
	}
	return e, err
}

func (b timeless) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	page, err := b.Backend.List(ctx, path, cursor, limit)
	for i := range page.Entries {
		page.Entries[i].ModTime = time.Time{}
	}
	return page, err
}

func TestWormKeepsAFileOfUnknownTime(t *testing.T) {
	d, _ := wormOf(t, timeless{Backend: inmemory.New(), stat: true}, map[string]any{"retention": "1ns"})
	putText(t, d, "/a/file", "content")
	for what, err := range map[string]error{
		"Put": d.PutContent(t.Context(), "/a/file", []byte("other")), "Delete": d.Delete(t.Context(), "/a/file"), "of all": d.Delete(t.Context(), "/a"),
	} {
		if storagedriver.KindOf(err) != storagedriver.KindPermission || !strings.Contains(err.Error(), "/a/file is retained: the store does not say when it was written") {
			t.Errorf("%s: %v", what, err)
		}
	}
	d, _ = wormOf(t, timeless{Backend: inmemory.New()}, map[string]any{"retention": "1ns"})
	putText(t, d, "/a/file", "content")
	ok(t, d.Delete(t.Context(), "/a"), "Delete of a file whose time only Stat knows")
}

// TestWormUnderARegistry does what a registry does in a push, and then what it does when a manifest is deleted and the blobs are swept.
func TestWormUnderARegistry(t *testing.T) {
	d, _ := wormOf(t, inmemory.New(), forAMonth(blobsOfRegistry))
	ctx, content := t.Context(), pattern(2*partSize+1)
	const (
		repository = "/docker/registry/v2/repositories/team/app"
		uploads    = repository + "/_uploads/0d3c"
		blob       = blobsOfRegistry + "/sha256/ab/abcd/data"
		tag        = repository + "/_manifests/tags/latest/current/link"
	)
	push := func() {
		t.Helper()
		putText(t, d, uploads+"/startedat", "2024-02-28T12:00:00Z")
		w, err := d.Writer(ctx, uploads+"/data", false)
		ok(t, err, "POST")
		write(t, w, content[:partSize+7])
		ok(t, w.Close(), "the end of a PATCH")
		putText(t, d, uploads+"/hashstates/sha256/1", "state")
		putText(t, d, uploads+"/hashstates/sha256/1", "another")
		ok(t, d.Delete(ctx, uploads+"/hashstates/sha256/1"), "Delete of a hash state")
		w, err = d.Writer(ctx, uploads+"/data", true)
		ok(t, err, "PUT")
		write(t, w, content[partSize+7:])
		ok(t, w.Commit(ctx), "Commit")
		ok(t, w.Close(), "Close")
		ok(t, d.Move(ctx, uploads+"/data", blob), "Move of the blob to its place")
		ok(t, d.Delete(ctx, uploads), "Delete of the upload's directory")
		putText(t, d, repository+"/_layers/sha256/abcd/link", "sha256:abcd")
	}
	push()
	push() // two at once: neither saw the other's blob
	wantText(t, d, blob, string(content))
	wantMissing(t, d, uploads)
	putText(t, d, tag, "sha256:abcd")
	putText(t, d, tag, "sha256:ef01")
	wantText(t, d, tag, "sha256:ef01")

	ok(t, d.Delete(ctx, repository+"/_manifests/tags/latest"), "Delete of the tag")
	wantRetained(t, "the sweep of a blob", d.Delete(ctx, blobsOfRegistry+"/sha256/ab/abcd"), blob)
	ok(t, d.Delete(ctx, "/docker/registry/v2/repositories/team"), "Delete of the repository")
	wantRetained(t, "Delete of all", d.Delete(ctx, "/docker"), blob)
	wantText(t, d, blob, string(content))
}

// TestWormSeesNoContent looks through all that the guest was told and asked for in uploads, reads, moves and comparisons.
func TestWormSeesNoContent(t *testing.T) {
	recorded := &traceFile{}
	recorder := trace.New(recorded, trace.Options{})
	under := layers.Complete(inmemory.New())
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "worm"), runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, CacheDir: cacheDir, Logger: slog.New(slog.DiscardHandler), Record: recorder,
	})
	ok(t, err, "load worm")
	b, err := m.Open(t.Context(), forAMonth("/kept"))
	ok(t, err, "open worm")
	d := layers.Complete(b, layers.WithPartSize(partSize))
	const mark = "nobody but the reader sees this"
	content := append([]byte(mark), pattern(3*partSize)...)
	putText(t, d, "/kept/small", mark)
	putText(t, d, "/kept/small", mark)
	ok(t, commitTo(t, d, "/free/long", false, content), "upload")
	ok(t, d.Move(t.Context(), "/free/long", "/kept/long"), "Move")
	ok(t, commitTo(t, d, "/free/long", false, content), "upload")
	ok(t, d.Move(t.Context(), "/free/long", "/kept/long"), "Move of the same content")
	wantText(t, d, "/kept/long", string(content))
	wantText(t, d, "/kept/small", mark)
	ok(t, errors.Join(d.Close(), m.Close(context.Background()), under.Close(), recorder.Close()), "close")

	r, err := trace.NewReader(&recorded.Buffer)
	ok(t, err, "read the trace")
	calls := 0
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		ok(t, err, "read the trace")
		switch rec.Func {
		case "berth.call":
			calls++
		case "berth.read", "berth.write", "berth.splice":
			t.Errorf("the guest asked for content: %s", rec.Describe())
		}
		for _, w := range rec.Writes {
			if bytes.Contains(w.Data, []byte(mark)) {
				t.Errorf("content was put into the guest's memory: %s", rec.Describe())
			}
		}
	}
	if calls < 10 {
		t.Errorf("the trace has %d host calls", calls)
	}
}

// traceFile is a trace's file.
type traceFile struct{ bytes.Buffer }

func (*traceFile) Close() error { return nil }

func TestWormRetainsNatively(t *testing.T) {
	under := layers.Complete(inmemory.New())
	b, err := native.Config{Granted: map[string]storagedriver.StorageDriver{"under": under}}.Open(worm.Manifest(), worm.Open)(t.Context(), forAMonth("/kept"))
	ok(t, err, "open worm")
	d := layers.Complete(b, layers.WithPartSize(partSize))
	putText(t, d, "/kept/file", "content")
	putText(t, d, "/kept/file", "content")
	wantRetained(t, "Put", d.PutContent(t.Context(), "/kept/file", []byte("another")), "/kept/file")
	wantRetained(t, "an upload", commitTo(t, d, "/kept/file", false, pattern(2*partSize)), "/kept/file")
	wantRetained(t, "Delete", d.Delete(t.Context(), "/kept"), "/kept/file")
	ok(t, errors.Join(d.Close(), under.Close()), "close")
}

func TestWormOpensWithARetentionOnly(t *testing.T) {
	m := retaining(t, layers.Complete(inmemory.New()))
	for _, c := range []struct {
		parameters map[string]any
		want       string
	}{
		{map[string]any{}, "retention"},
		{map[string]any{"retention": "soon"}, `parameter "retention" must be a duration such as "720h", or days such as "30d"`},
		{map[string]any{"retention": "30d", "paths": "blobs"}, `parameter "paths" must be absolute paths`},
	} {
		_, err := m.Open(t.Context(), c.parameters)
		wantError(t, err, storagedriver.KindInvalidArgument, c.want)
	}
}

// TestWormWhereFilesAreUnderFiles is about a retained file under one that is not.
func TestWormWhereFilesAreUnderFiles(t *testing.T) {
	s := startStore(t)
	b, err := load(t, "parts", s.url).Open(t.Context(), s.parameters())
	ok(t, err, "open parts")
	d, _ := wormOf(t, b, forAMonth("/a/file/kept"))
	if !d.Capabilities().Has(storagedriver.AbilityFilesUnderFiles) {
		t.Fatal("the store has no files under files")
	}
	ctx := t.Context()
	putText(t, d, "/a/file", "free")
	putText(t, d, "/a/file/kept", "kept")
	putText(t, d, "/b/kept", "another")
	wantRetained(t, "Delete of the file above", d.Delete(ctx, "/a/file"), "/a/file/kept")
	wantRetained(t, "Move of a directory there", d.Move(ctx, "/b", "/a/file"), "/a/file/kept")
	wantRetained(t, "Move of all", d.Move(ctx, "/a", "/c"), "/a/file/kept")
	putText(t, d, "/a/file", "changed")
	ok(t, d.Move(ctx, "/a/file", "/c"), "Move of the file above alone")
	wantText(t, d, "/a/file/kept", "kept")
	wantText(t, d, "/c", "changed")
}
