//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filesystem_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestSpecialFilesAreNotThere(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "dangling")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/pipe", "/dangling"} {
		_, err := d.Stat(t.Context(), name)
		wantKind(t, "Stat "+name, err, storagedriver.KindNotFound)
		_, _, err = d.Read(t.Context(), name, 0, -1)
		wantKind(t, "Read "+name, err, storagedriver.KindNotFound)
	}
	page, err := d.List(t.Context(), "/", "", 10)
	if err != nil || len(page.Entries) != 0 {
		t.Errorf("List /: %+v, %v", page.Entries, err)
	}
}

func TestSymbolicLinks(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	d := open(t, root)
	put(t, d, "/real/f", "inside")
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"in": "real", "out": outside, "outfile": filepath.Join(outside, "secret"), "up": "../" + filepath.Base(outside)} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if got := get(t, d, "/in/f"); got != "inside" {
		t.Errorf("a link inside: %q", got)
	}
	ctx := t.Context()
	for _, path := range []string{"/out/secret", "/up/secret", "/outfile"} {
		_, _, err := d.Read(ctx, path, 0, -1)
		wantKind(t, "Read "+path, err, storagedriver.KindPermission)
		_, err = d.Stat(ctx, path)
		wantKind(t, "Stat "+path, err, storagedriver.KindPermission)
		wantKind(t, "Copy "+path, d.Copy(ctx, path, "/stolen"), storagedriver.KindPermission)
	}
	for _, dir := range []string{"/out", "/up"} {
		_, err := d.List(ctx, dir, "", 10)
		wantKind(t, "List "+dir, err, storagedriver.KindPermission)
		wantKind(t, "Put below "+dir, d.Put(ctx, dir+"/x", storagedriver.BytesSource("x")), storagedriver.KindPermission)
		wantKind(t, "Put far below "+dir, d.Put(ctx, dir+"/x/y/z", storagedriver.BytesSource("x")), storagedriver.KindPermission)
		wantKind(t, "Delete below "+dir, d.Delete(ctx, dir+"/secret"), storagedriver.KindPermission)
		wantKind(t, "Move below "+dir, d.Move(ctx, "/real/f", dir+"/f"), storagedriver.KindPermission)
		if err := d.AbortUploads(ctx, dir+"/secret"); err == nil {
			t.Errorf("AbortUploads below %s: no error", dir)
		}
	}
	page, err := d.List(ctx, "/", "", 10)
	if err != nil || len(page.Entries) != 2 {
		t.Errorf("List /: %+v, %v; want in/ and real/", page.Entries, err)
	}
	wantKind(t, "Put on a link to a directory", d.Put(ctx, "/in", storagedriver.BytesSource("x")), storagedriver.KindInvalidPath)
	if got := get(t, d, "/in/f"); got != "inside" {
		t.Errorf("a link inside: %q", got)
	}
	// What replaces or removes a link leaves alone what it leads to.
	put(t, d, "/outfile", "mine")
	if err := d.DeleteTree(ctx, "/"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, root)
	if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "secret" {
		t.Errorf("outside is %q, %v", b, err)
	}
}
