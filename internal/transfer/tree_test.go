package transfer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/internal/transfer"
)

func tree(t *testing.T, d storagedriver.StorageDriver) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := d.Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		text, err := d.GetContent(t.Context(), info.Path())
		out[info.Path()] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTree(t *testing.T) {
	src, _ := onDisk(t)
	want := map[string]string{}
	for i := range 50 {
		path := fmt.Sprintf("/a/%d/%d", i%7, i)
		put(t, src, path, content(i*3000, uint64(i)))
		want["/to"+strings.TrimPrefix(path, "/a")] = string(content(i*3000, uint64(i)))
	}
	put(t, src, "/beside", []byte("no part of it"))
	dst, _ := inMemory(t)
	put(t, dst, "/to/kept", []byte("kept"))
	var total int64
	for _, text := range want {
		total += int64(len(text))
	}
	s, err := transfer.Tree(t.Context(), src, dst, "/a", "/to", transfer.Options{})
	if err != nil || s != (transfer.Summary{Files: 50, Bytes: total, Written: total, Digests: 50}) {
		t.Errorf("got %+v, %v", s, err)
	}
	want["/to/kept"] = "kept"
	got := tree(t, dst)
	if len(got) != len(want) {
		t.Errorf("got %d files, want %d", len(got), len(want))
	}
	for path, text := range want {
		if got[path] != text {
			t.Errorf("%s is wrong", path)
		}
	}
	s, err = transfer.Tree(t.Context(), src, dst, "/a", "/to", transfer.Options{Parallel: 1})
	if err != nil || s.Skipped != 50 || s.Written != 0 {
		t.Errorf("again: got %+v, %v", s, err)
	}
	s, err = transfer.Tree(t.Context(), src, dst, "/beside", "/one", transfer.Options{})
	if err != nil || s.Files != 1 {
		t.Errorf("a file: got %+v, %v", s, err)
	}
	wantContent(t, dst, "/one", []byte("no part of it"))
	s, err = transfer.Tree(t.Context(), dst, src, "/", "/", transfer.Options{})
	if err != nil || s.Files != 52 {
		t.Errorf("the root: got %+v, %v", s, err)
	}
	wantContent(t, src, "/to/kept", []byte("kept"))
}

func TestTreeCollectsFailures(t *testing.T) {
	for name, c := range map[string]struct {
		rules     []string
		kind      storagedriver.Kind
		temporary bool
		text      string
	}{
		"one kind":  {[]string{"fail before unavailable temporary on Put at /to/[37]"}, storagedriver.KindUnavailable, true, "2 files were not copied, the first: "},
		"two kinds": {[]string{"fail before unavailable temporary on Put at /to/3", "fail before no-space on Put at /to/7"}, storagedriver.KindUnknown, false, "2 files were not copied"},
		"corrupt":   {[]string{"fail before unavailable temporary on Put at /to/3", "corrupt source 0 on Put at /to/7"}, storagedriver.KindCorrupt, false, "2 files were not copied"},
	} {
		t.Run(name, func(t *testing.T) {
			src, _ := inMemory(t)
			for i := range 10 {
				put(t, src, fmt.Sprintf("/a/%d", i), content(100, 1))
			}
			m := &chunkedtest.Memory{}
			var e events
			s, err := transfer.Tree(t.Context(), src, faulty(t, m, c.rules...), "/a", "/to", transfer.Options{Progress: e.tell})
			wantKind(t, err, c.kind, c.text)
			if storagedriver.IsTemporary(err) != c.temporary {
				t.Errorf("temporary should be %v: %v", c.temporary, err)
			}
			if s.Files != 10 || s.Failed != 2 || s.Bytes != 800 {
				t.Errorf("got %+v", s)
			}
			var told []string
			for _, one := range e.all {
				if one.Stage == transfer.Done && one.Err != nil {
					told = append(told, one.Path)
				}
			}
			slices.Sort(told)
			if !slices.Equal(told, []string{"/a/3", "/a/7"}) {
				t.Errorf("told of %q", told)
			}
		})
	}
}

func TestTreeEndsWithItsContext(t *testing.T) {
	src, _ := inMemory(t)
	for i := range 20 {
		put(t, src, fmt.Sprintf("/a/%d", i), content(10, 1))
	}
	m := &chunkedtest.Memory{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var begun atomic.Int32
	o := transfer.Options{Parallel: 2, Progress: func(e transfer.Event) {
		if e.Stage == transfer.Begun && begun.Add(1) == 2 {
			cancel()
		}
	}}
	s, err := transfer.Tree(ctx, src, faulty(t, m, "hang before on Put call 2"), "/a", "/to", o)
	wantKind(t, err, storagedriver.KindCanceled)
	if s.Failed != 0 || s.Files > 1 {
		t.Errorf("what ends with its context has not failed: %+v", s)
	}
}

// TestBlobsBeforeWhatRefersToThem holds one blob back: nothing of the repositories may begin.
func TestBlobsBeforeWhatRefersToThem(t *testing.T) {
	src, _ := inMemory(t)
	const v2 = "/docker/registry/v2"
	for i := range 5 {
		put(t, src, fmt.Sprintf("%s/blobs/sha256/aa/%d/data", v2, i), []byte("blob"))
		put(t, src, fmt.Sprintf("%s/repositories/r/_layers/%d/link", v2, i), []byte("link"))
	}
	dst := &chunkedtest.Memory{}
	early := make(chan string, 100)
	dst.Before = func(_ context.Context, op, path string) error {
		if op == "Put" && strings.Contains(path, "/aa/4/") {
			select {
			case link := <-early:
				t.Errorf("%s began before the last blob was there", link)
			case <-t.Context().Done():
			case <-afterAWhile():
			}
		}
		return nil
	}
	o := transfer.Options{Progress: func(e transfer.Event) {
		if e.Stage == transfer.Begun && strings.HasSuffix(e.Path, "link") {
			early <- e.Path
		}
	}}
	s, err := transfer.Tree(t.Context(), src, complete(t, dst), "/", "/", o)
	if err != nil || s.Files != 10 {
		t.Fatalf("got %+v, %v", s, err)
	}
}
