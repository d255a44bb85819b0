package layers_test

import (
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

func TestDelete(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a/b/1", "/a/b/2/3", "/a/b/4/5/6", "/a/bb", "/a/b-")
		suspend(t, d, "/a/b/2/3")
		suspend(t, d, "/a/b/2/unfinished")
		suspend(t, d, "/a/bb")
		ok(t, "Delete", d.Delete(t.Context(), "/a/b"))
		wantKind(t, "Delete again", d.Delete(t.Context(), "/a/b"), storagedriver.KindNotFound)
		wantUpload(t, d, "/a/b/2/unfinished", 0)
		wantUpload(t, d, "/a/bb", 36)
		ok(t, "Delete", d.Delete(t.Context(), "/a/bb"))
		wantFiles(t, m, map[string]string{"/a/b-": "content of /a/b-"})
		suspend(t, d, "/a/c")
		wantKind(t, "Delete of an upload only", d.Delete(t.Context(), "/a/c"), storagedriver.KindNotFound)
		wantUpload(t, d, "/a/c", 0)
	})
}

func TestMove(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a", "/ab", "/d")
		suspend(t, d, "/a")
		suspend(t, d, "/d")
		suspend(t, d, "/ab")
		wantKind(t, "Move of nothing", d.Move(t.Context(), "/x", "/d"), storagedriver.KindNotFound)
		wantUpload(t, d, "/d", 36)
		ok(t, "Move", d.Move(t.Context(), "/a", "/d"))
		wantUpload(t, d, "/a", 0)
		wantUpload(t, d, "/d", 0)
		wantUpload(t, d, "/ab", 36)
		ok(t, "Delete", d.Delete(t.Context(), "/ab"))
		wantFiles(t, m, map[string]string{"/d": "content of /a"})
		ok(t, "Move onto itself", d.Move(t.Context(), "/d", "/d"))
		wantFiles(t, m, map[string]string{"/d": "content of /a"})
		ok(t, "Move to a new directory", d.Move(t.Context(), "/d", "/e/f/g"))
		wantFiles(t, m, map[string]string{"/e/f/g": "content of /a"})
	})
}

func TestMoveDirectory(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a/1", "/a/b/2", "/a/b/c/3", "/ab/4", "/file")
		suspend(t, d, "/a/b/2")
		suspend(t, d, "/a/b/new")
		wantKind(t, "Move below itself", d.Move(t.Context(), "/a", "/a/b/x"), storagedriver.KindInvalidPath)
		wantKind(t, "Move onto a directory", d.Move(t.Context(), "/a", "/ab"), storagedriver.KindInvalidPath)
		if !m.Can.Has(storagedriver.AbilityFilesUnderFiles) {
			wantKind(t, "Move of a file onto a directory", d.Move(t.Context(), "/file", "/a"), storagedriver.KindInvalidPath)
			wantKind(t, "Move of a directory onto a file", d.Move(t.Context(), "/a", "/file"), storagedriver.KindInvalidPath)
		}
		wantUpload(t, d, "/a/b/new", 36)
		ok(t, "Move", d.Move(t.Context(), "/a", "/n/m"))
		wantFiles(t, m, map[string]string{
			"/n/m/1": "content of /a/1", "/n/m/b/2": "content of /a/b/2", "/n/m/b/c/3": "content of /a/b/c/3",
			"/ab/4": "content of /ab/4", "/file": "content of /file",
		})
		wantUpload(t, d, "/n/m/b/new", 0)
		wantUpload(t, d, "/a/b/new", 0)
	})
}

func TestMoveOntoADirectoryOfUploads(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a")
		suspend(t, d, "/d/x")
		ok(t, "Move", d.Move(t.Context(), "/a", "/d"))
		if !m.Can.Has(storagedriver.AbilityFilesUnderFiles) {
			wantFiles(t, m, map[string]string{"/d": "content of /a"})
		}
	})
}

func TestList(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a/x", "/a-b", "/a.b/y", "/a0", "/b/c/d")
		suspend(t, d, "/unfinished")
		m.Set("/odd name", "")
		got, err := d.List(t.Context(), "/")
		ok(t, "List", err)
		if want := []string{"/a", "/a-b", "/a.b", "/a0", "/b"}; !slices.Equal(got, want) {
			t.Errorf("List: %v, want %v", got, want)
		}
		got, err = d.List(t.Context(), "/b/c")
		ok(t, "List", err)
		if !slices.Equal(got, []string{"/b/c/d"}) {
			t.Errorf("List: %v", got)
		}
		_, err = d.List(t.Context(), "/a0")
		wantKind(t, "List of a file", err, storagedriver.KindNotFound)
		_, err = d.List(t.Context(), "/x")
		wantKind(t, "List of nothing", err, storagedriver.KindNotFound)
	})
}

// TestMoveEndsUploadsBelowItsPathsOnFlatBackends has files and unfinished uploads below a file.
func TestMoveEndsUploadsBelowItsPathsOnFlatBackends(t *testing.T) {
	for _, can := range []storagedriver.Ability{0, storagedriver.AbilityMove, storagedriver.AbilityListTree, storagedriver.AbilityParts} {
		t.Run(can.String(), func(t *testing.T) {
			m := &chunkedtest.Memory{Can: can | storagedriver.AbilityFilesUnderFiles}
			d := complete(m)
			put(t, d, "/from", "/from/x", "/to/x", "/other")
			suspend(t, d, "/from/a")
			suspend(t, d, "/to/a")
			suspend(t, d, "/to/b/c")
			suspend(t, d, "/other/a")
			ok(t, "Move", d.Move(t.Context(), "/from", "/to"))
			for _, path := range []string{"/from/a", "/to/a", "/to/b/c"} {
				wantUpload(t, d, path, 0)
			}
			wantUpload(t, d, "/other/a", int64(len("unfinished, and longer than one part")))
			ok(t, "Delete", d.Delete(t.Context(), "/other"))
			wantFiles(t, m, map[string]string{"/to": "content of /from", "/from/x": "content of /from/x", "/to/x": "content of /to/x"})
			clean(t, m)
		})
	}
}
