package testsuites

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// manyCases are about directories that no backend lists in one page.
func manyCases() []scenario {
	return []scenario{
		{"list/many-directories", "List gives each of more than a thousand directories once", listManyDirectories},
		{"walk/many-skipped", "ErrSkipDir, ErrFilledBuffer and a hint work where a directory takes several pages", walkManySkipped},
		{"move/many", "Move of a directory takes more than a thousand children along", moveMany},
		{"delete/many", "Delete of a directory removes more than a thousand children", deleteMany},
	}
}

// manyNames returns the names of manyEntries files below dir and a /, in no order.
func manyNames(dir string) []string {
	names := make([]string, manyEntries)
	for i := range names {
		names[i] = fmt.Sprintf("%s/n%x", dir, mix(uint64(i+1)))
	}
	return names
}

func listManyDirectories(e *env) {
	var directories, names []string
	for _, name := range manyNames("dir") {
		names = append(names, name+"/file")
		directories = append(directories, strings.TrimPrefix(name, "dir/"))
	}
	names = append(names, "dir/n0-/x", "dir/n0/y/z", "dir/n0/y/zz", "dir/n0.")
	directories = append(directories, "n0-", "n0", "n0.")
	e.plant(e.dir, names)
	e.wantList(e.path("dir"), directories...)
}

func walkManySkipped(e *env) {
	names := append(manyNames("m"), "a", "m-", "n/1", "z")
	e.plant(e.dir, names)
	all := keysOf(e.dir, names)
	skip := func(info storagedriver.FileInfo) error {
		if info.Path() == e.path("m") {
			return storagedriver.ErrSkipDir
		}
		return nil
	}
	e.wantWalk(e.dir, without(all, e.path("m")), skip)
	e.wantWalk(e.dir, []string{e.path("n/"), e.path("n/1"), e.path("z")}, skip, storagedriver.WithStartAfterHint(all[len(all)-4]))
	for _, n := range []int{2, 1001, len(all) - 1} {
		calls := 0
		e.wantWalk(e.dir, all[:n], func(storagedriver.FileInfo) error {
			if calls++; calls == n {
				return storagedriver.ErrFilledBuffer
			}
			return nil
		})
	}
}

func moveMany(e *env) {
	names := append(manyNames("from/m"), "from/1", "from/z/2")
	e.plant(e.dir, names)
	kept := e.content(33)
	e.put(e.path("from/z/kept"), kept)
	e.ok(e.d.Move(e.ctx, e.path("from"), e.path("to/new")), "Move of a directory")
	var moved []string
	for _, name := range append(names, "from/z/kept") {
		moved = append(moved, strings.TrimPrefix(name, "from/"))
	}
	e.wantWalk(e.path("to/new"), keysOf(e.path("to/new"), moved), nil)
	e.wantContent(e.path("to/new/z/kept"), kept)
	e.wantEmptyOrMissing(e.path("from"))
}

func deleteMany(e *env) {
	names := append(manyNames("dir/m"), "dir/1", "dir/z/2", "dir-", "dir0/x")
	e.plant(e.dir, names)
	e.ok(e.d.Delete(e.ctx, e.path("dir")), "Delete of a directory")
	e.wantMissing(e.path("dir/1"))
	e.wantEmptyOrMissing(e.path("dir"))
	e.wantFiles(e.dir, e.path("dir-"), e.path("dir0/x"))
	left := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, "dir/m/") })
	e.wantMissing(e.path(names[left]))
}
