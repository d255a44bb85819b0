package filesystem_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
)

// fillUp writes a file until nothing more fits, and returns what makes room again.
func fillUp(t *testing.T, root string) (makeRoom func()) {
	t.Helper()
	name := filepath.Join(root, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// used returns how many blocks and files the file system has given away.
func used(t *testing.T, root string) (blocks, files uint64) {
	t.Helper()
	var s unix.Statfs_t
	if err := unix.Statfs(root, &s); err != nil {
		t.Fatal(err)
	}
	return s.Blocks - s.Bfree, s.Files - s.Ffree
}

func allFiles(t *testing.T, root string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestFullDisk has every operation meet a disk without a free block.
func TestFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	root := mountSmall(t, "size=1m")
	d := openDurable(t, root)
	ctx := t.Context()
	big := strings.Repeat("0123456789abcdef", 8<<10) // 128 KiB
	put(t, d, "/kept/a", big)
	put(t, d, "/kept/b", "small")
	suspended := upload(t, d, "/up/f", false).parts(big)
	if err := suspended.suspend(); err != nil {
		t.Fatal(err)
	}
	makeRoom := fillUp(t, root)
	before := allFiles(t, root)
	blocks, _ := used(t, root)
	body := storagedriver.BytesSource(big)
	for _, c := range []struct {
		op string
		do func() error
	}{
		{"put", func() error { return d.Put(ctx, "/kept/new", body) }},
		{"put over old content", func() error { return d.Put(ctx, "/kept/a", body) }},
		{"copy", func() error { return d.Copy(ctx, "/kept/a", "/kept/new") }},
		{"concat", func() error { return d.Concat(ctx, "/kept/a", []string{"/kept/a", "/kept/a"}) }},
		{"first part", func() error { return upload(t, d, "/kept/new", false).part(body) }},
		{"part", func() error { return upload(t, d, "/up/f", true).part(body) }},
		{"part on committed content", func() error { return upload(t, d, "/kept/a", true).part(body) }},
		{"suspend with a tail", func() error {
			w := upload(t, d, "/up/f", true)
			return d.SuspendUpload(ctx, w.up.Token, &w.receipts, body)
		}},
		{"commit", func() error { return upload(t, d, "/up/f", true).commit(big) }},
	} {
		wantKind(t, c.op, c.do(), storagedriver.KindNoSpace)
		if now := allFiles(t, root); !slices.Equal(now, before) {
			t.Errorf("%s: the files are %q, want %q", c.op, now, before)
		}
		if now, _ := used(t, root); now > blocks {
			t.Errorf("%s: %d blocks are used, before it were %d", c.op, now, blocks)
		}
	}
	if get(t, d, "/kept/a") != big || get(t, d, "/kept/b") != "small" {
		t.Error("what was committed has changed")
	}
	// What needs no block works, deleting above all.
	if err := errors.Join(d.Move(ctx, "/kept/b", "/kept/c"), d.Delete(ctx, "/kept/c")); err != nil {
		t.Errorf("move and delete on a full disk: %v", err)
	}
	if err := errors.Join(d.AbortUploads(ctx, "/none"), upload(t, d, "/none", false).cancel()); err != nil {
		t.Errorf("abort and cancel on a full disk: %v", err)
	}
	if err := d.DeleteTree(ctx, "/kept"); err != nil {
		t.Errorf("delete on a full disk: %v", err)
	}
	makeRoom()
	upload(t, d, "/up/f", true).parts("more,").mustCommit("end")
	if got := get(t, d, "/up/f"); got != big+"more,end" {
		t.Errorf("the upload that went on has %d bytes, want %d", len(got), len(big)+len("more,end"))
	}
	wantFiles(t, root, "up/f")
}

// TestNoRoomForFiles has every operation that makes a file or a directory meet a file system that is out of inodes.
func TestNoRoomForFiles(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	root := mountSmall(t, "size=4m,nr_inodes=64")
	d := openDurable(t, root)
	ctx := t.Context()
	put(t, d, "/kept/a", "content")
	for n, err := 0, error(nil); err == nil; n++ {
		err = os.WriteFile(filepath.Join(root, "filler"+strings.Repeat("x", n)), nil, 0o600)
	}
	before := allFiles(t, root)
	body := storagedriver.BytesSource("more")
	wantKind(t, "put", d.Put(ctx, "/kept/b", body), storagedriver.KindNoSpace)
	wantKind(t, "put over old content", d.Put(ctx, "/kept/a", body), storagedriver.KindNoSpace)
	wantKind(t, "put in a new directory", d.Put(ctx, "/new/dir/b", body), storagedriver.KindNoSpace)
	wantKind(t, "move to a new directory", d.Move(ctx, "/kept/a", "/new/dir/a"), storagedriver.KindNoSpace)
	wantKind(t, "first part", upload(t, d, "/kept/u", false).part(body), storagedriver.KindNoSpace)
	wantKind(t, "commit", upload(t, d, "/kept/u", false).commit("all"), storagedriver.KindNoSpace)
	if now := allFiles(t, root); !slices.Equal(now, before) {
		t.Errorf("the files are %q, want %q", now, before)
	}
	if got := get(t, d, "/kept/a"); got != "content" {
		t.Errorf("got %q", got)
	}
	if err := d.Delete(ctx, "/kept/a"); err != nil {
		t.Errorf("delete: %v", err)
	}
	put(t, d, "/kept/b", "there is room for one")
}

// TestUploadOutlivesFullDisk is a client's upload through the whole driver: the disk runs full in the middle, the client is told
// so, and goes on when there is room.
func TestUploadOutlivesFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	root := mountSmall(t, "size=2m")
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root})
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b, layers.WithPartSize(64<<10), layers.WithBudget(chunked.NewBudget(1<<20)))
	defer d.Close()
	content := named(5, 1<<20)
	w, err := d.Writer(t.Context(), "/f", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content[:300_000]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	makeRoom := fillUp(t, root)
	if w, err = d.Writer(t.Context(), "/f", true); err != nil || w.Size() != 300_000 {
		t.Fatalf("%v; size %d, want 300000", err, w.Size())
	}
	for at := 300_000; err == nil && at < len(content); at += 100_000 {
		_, err = w.Write(content[at:min(at+100_000, len(content))])
	}
	if err == nil {
		err = w.Commit(t.Context())
	}
	wantKind(t, "writing on", err, storagedriver.KindNoSpace)
	wantKind(t, "Close", w.Close(), storagedriver.KindNoSpace)
	size := w.Size()
	makeRoom()
	if w, err = d.Writer(t.Context(), "/f", true); err != nil {
		t.Fatal(err)
	}
	if w.Size() != size || size < 300_000 {
		t.Fatalf("the upload goes on after %d bytes; Close said %d, and 300000 had been suspended", w.Size(), size)
	}
	_, err = io.Copy(w, bytes.NewReader(content[w.Size():]))
	if err := errors.Join(err, w.Commit(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
	if got, err := d.GetContent(t.Context(), "/f"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes of %d, %v", len(got), len(content), err)
	}
	wantFiles(t, root, "f")
}
