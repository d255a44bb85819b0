package filesystem_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
)

// readOnlyContent is stored before the root directory becomes read-only.
func readOnlyContent(t *testing.T, root string) {
	t.Helper()
	d := openDurable(t, root)
	put(t, d, "/dir/f", "content")
	if err := upload(t, d, "/dir/u", false).parts("begun").suspend(); err != nil {
		t.Fatal(err)
	}
}

// wantReadOnly wants everything that reads to work, and everything that writes to be refused in one line that names the path.
func wantReadOnly(t *testing.T, root string) {
	t.Helper()
	before := allFiles(t, root)
	b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": root})
	if err != nil {
		t.Fatalf("a reader cannot open it: %v", err)
	}
	d := layers.Complete(b)
	defer d.Close()
	ctx := t.Context()
	if got, err := d.GetContent(ctx, "/dir/f"); err != nil || string(got) != "content" {
		t.Errorf("GetContent: %q, %v", got, err)
	}
	if children, err := d.List(ctx, "/dir"); err != nil || !slices.Equal(children, []string{"/dir/f"}) {
		t.Errorf("List: %q, %v", children, err)
	}
	var walked []string
	err = d.Walk(ctx, "/", func(info storagedriver.FileInfo) error {
		walked = append(walked, info.Path())
		return nil
	})
	if want := []string{"/dir", "/dir/f"}; err != nil || !slices.Equal(walked, want) {
		t.Errorf("Walk: %q, %v; want %q", walked, err, want)
	}
	for _, c := range []struct {
		op string
		do func() error
	}{
		{"PutContent", func() error { return d.PutContent(ctx, "/dir/new", nil) }},
		{"PutContent over content", func() error { return d.PutContent(ctx, "/dir/f", nil) }},
		{"PutContent in a new directory", func() error { return d.PutContent(ctx, "/new/dir/f", nil) }},
		{"Move", func() error { return d.Move(ctx, "/dir/f", "/dir/g") }},
		{"Move to a new directory", func() error { return d.Move(ctx, "/dir/f", "/new/g") }},
		{"Delete", func() error { return d.Delete(ctx, "/dir/f") }},
		{"Delete of a directory", func() error { return d.Delete(ctx, "/dir") }},
		{"Commit", func() error {
			w, err := d.Writer(ctx, "/dir/w", false)
			if err != nil {
				return err
			}
			defer w.Close()
			return w.Commit(ctx)
		}},
		{"Close of an upload that goes on", func() error {
			w, err := d.Writer(ctx, "/dir/u", true)
			if err != nil {
				return err
			}
			if w.Size() != 5 {
				t.Errorf("the upload has %d bytes, want 5", w.Size())
			}
			if _, err := w.Write([]byte("more")); err != nil {
				return err
			}
			return w.Close()
		}},
	} {
		err := c.do()
		wantKind(t, c.op, err, storagedriver.KindPermission)
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "/dir/") && !strings.Contains(err.Error(), "/new/") && !strings.Contains(err.Error(), "/dir:")) {
			t.Errorf("%s: %q is not one line that names the path", c.op, err)
		}
	}
	if now := allFiles(t, root); !slices.Equal(now, before) {
		t.Errorf("the files are %q, want %q", now, before)
	}
	_, err = filesystem.Open(ctx, map[string]any{"rootdirectory": filepath.Join(root, "none", "here")})
	wantKind(t, "Open of a root directory that cannot be made", err, storagedriver.KindPermission)
}

func TestReadOnlyMount(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	source, root := t.TempDir(), t.TempDir()
	readOnlyContent(t, source)
	if err := unix.Mount(source, root, "", unix.MS_BIND, ""); err != nil {
		t.Fatal("bind mount:", err)
	}
	defer func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error("unmount:", err)
		}
	}()
	if err := unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal("remount read-only:", err)
	}
	wantReadOnly(t, root)
}

// nobody is the user that owns nothing, by convention.
const nobody = 65534

// TestAnothersRoot: the root directory belongs to another user or, where the tests have no root to change users, has
// modes that forbid to write.
func TestAnothersRoot(t *testing.T) {
	if os.Getuid() == 0 && !ownMounts(t) {
		return
	}
	root := t.TempDir()
	if os.Getuid() == 0 { // what the other user can reach
		var err error
		if root, err = os.MkdirTemp("/tmp", "filesystem-test-"); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
	}
	readOnlyContent(t, root)
	setModes(t, root, 0o555, 0o444)
	defer setModes(t, root, 0o755, 0o644)
	if os.Getuid() == 0 {
		defer become(t, 0)
		become(t, nobody)
	}
	wantReadOnly(t, root)
}

// become makes the whole process another user.
func become(t *testing.T, user int) {
	t.Helper()
	if err := syscall.Seteuid(user); err != nil || os.Geteuid() != user {
		t.Fatalf("become user %d: %v; it is %d", user, err, os.Geteuid())
	}
}

func setModes(t *testing.T, root string, dirs, files os.FileMode) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			return os.Chmod(path, dirs)
		}
		if err == nil {
			err = os.Chmod(path, files)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
