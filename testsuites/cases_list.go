package testsuites

import (
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// manyEntries is more than a page of the known backends has (1,000 in S3).
const manyEntries = 1010

func listCases() []scenario {
	return []scenario{
		{"list/children", "List gives the full paths of all files and directories in a directory", listChildren},
		{"list/direct-only", "List gives direct children only, each once", listDirect},
		{"list/sorted", "List ascends in bytes of the paths it gives", listSorted},
		{"list/missing", "List of a missing directory is NotFound", listMissing},
		{"list/file", "List of a file is NotFound", listFile},
		{"list/prefix-siblings", "List of a directory leaves out those whose name only begins like it", listPrefix},
		{"list/up-to-date", "List shows at once what was put, moved and deleted", listUpToDate},
		{"list/many", "List is complete where it takes several pages", listMany},
	}
}

// wantList wants exactly the names in the directory at dir.
func (e *env) wantList(dir string, names ...string) {
	e.Helper()
	got, err := e.d.List(e.ctx, dir)
	e.ok(err, "List %s", dir)
	want := make([]string, len(names))
	for i, name := range names {
		want[i] = storagedriver.JoinPath(dir, name)
	}
	slices.Sort(want)
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	what := fmt.Sprintf("%d children", len(want))
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	if slices.Equal(sorted, want) {
		what = "ascending order"
	}
	e.Fatalf("List %s: want %s, got %d children, which differ from child %d on: want %s, got %s", dir, what, len(got), i, someOf(want, i), someOf(got, i))
}

func listChildren(e *env) {
	var paths, names []string
	for i := range 50 {
		name := fmt.Sprintf("child-%x", mix(uint64(i)))
		names, paths = append(names, name), append(paths, e.path("dir/"+name))
	}
	e.putAll(32, paths...)
	e.wantList(e.dir, "dir")
	e.wantList(e.path("dir"), names...)
}

func listDirect(e *env) {
	e.putAll(8, e.path("dir/file"), e.path("dir/a/b/c/1"), e.path("dir/a/b/c/2"), e.path("dir/a/b/3"), e.path("dir/a/4"), e.path("dir/z/5"))
	e.wantList(e.path("dir"), "file", "a", "z")
	e.wantList(e.path("dir/a"), "b", "4")
	e.wantList(e.path("dir/a/b"), "c", "3")
	e.wantList(e.path("dir/a/b/c"), "1", "2")
}

// listSorted has directories among the files: they sort as the paths that are given.
func listSorted(e *env) {
	names := []string{"a", "a-b", "a.b", "a0", "aBc", "a_b", "ab", "Aa", "Bb", "Zz", "0", "-", ".x", "_", "z", "b.", "b-", "b"}
	var paths []string
	for _, name := range names {
		if name == "a" || name == "b" || name == "Zz" {
			name += "/file"
		}
		paths = append(paths, e.path("dir/"+name))
	}
	e.putAll(8, paths...)
	e.wantList(e.path("dir"), names...)
}

func listMissing(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"missing", "dir/missing", "missing/dir"} {
		_, err := e.d.List(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "List", e.path(name))
	}
}

func listFile(e *env) {
	e.put(e.path("file"), e.content(8))
	for _, name := range []string{"file", "file/below"} {
		_, err := e.d.List(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "List", e.path(name))
	}
}

func listPrefix(e *env) {
	e.putAll(8, e.path("a/1"), e.path("ab/2"), e.path("a-b/3"), e.path("a.b"), e.path("abc/4"))
	e.wantList(e.path("a"), "1")
	e.wantList(e.path("ab"), "2")
	e.wantList(e.path("abc"), "4")
	e.wantList(e.dir, "a", "ab", "a-b", "a.b", "abc")
	_, err := e.d.List(e.ctx, e.path("abcd"))
	e.wantError(err, storagedriver.KindNotFound, "List", e.path("abcd"))
}

func listUpToDate(e *env) {
	e.put(e.path("1"), e.content(8))
	e.wantList(e.dir, "1")
	e.put(e.path("2"), e.content(8))
	e.wantList(e.dir, "1", "2")
	e.upload(e.path("3"), e.content(8))
	e.wantList(e.dir, "1", "2", "3")
	e.ok(e.d.Move(e.ctx, e.path("1"), e.path("4")), "Move")
	e.wantList(e.dir, "2", "3", "4")
	e.ok(e.d.Delete(e.ctx, e.path("2")), "Delete")
	e.wantList(e.dir, "3", "4")
	e.put(e.path("dir/file"), e.content(8))
	e.wantList(e.dir, "3", "4", "dir")
	e.ok(e.d.Delete(e.ctx, e.path("dir")), "Delete")
	e.wantList(e.dir, "3", "4")
}

func listMany(e *env) {
	var names, paths []string
	for i := range manyEntries {
		name := fmt.Sprintf("entry-%x", mix(uint64(i)))
		names, paths = append(names, name), append(paths, e.path("dir/"+name))
	}
	e.putAll(1, paths...)
	e.wantList(e.path("dir"), names...)
}
