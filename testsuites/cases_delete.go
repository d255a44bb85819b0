package testsuites

import (
	"github.com/berth-dev/storagedriver"
)

func deleteCases() []scenario {
	return []scenario{
		{"delete/file", "Delete removes a file", deleteFile},
		{"delete/missing", "Delete of a path with nothing at it is NotFound", deleteMissing},
		{"delete/directory", "Delete removes a directory and all below it", deleteDirectory},
		{"delete/only-subpaths", "Delete of a path leaves alone those whose name only begins like it", deletePrefix},
		{"delete/under-file", "Delete below a file is NotFound and harms nothing", deleteUnderFile},
		{"delete/file-and-directory", "Delete of a path that is a file and a directory removes both", deleteBoth},
		{"delete/then-reuse", "a deleted path can become a file or a directory again", deleteReuse},
	}
}

func deleteFile(e *env) {
	p, other := e.path("dir/file"), e.content(9)
	e.put(p, e.content(32))
	e.put(e.path("dir/other"), other)
	e.ok(e.d.Delete(e.ctx, p), "Delete")
	e.wantMissing(p)
	e.wantContent(e.path("dir/other"), other)
	e.wantError(e.d.Delete(e.ctx, p), storagedriver.KindNotFound, "Delete", p)
}

func deleteMissing(e *env) {
	c := e.content(8)
	e.put(e.path("dir/file"), c)
	for _, name := range []string{"missing", "dir/missing", "dir/fil", "missing/file", "di"} {
		e.wantError(e.d.Delete(e.ctx, e.path(name)), storagedriver.KindNotFound, "Delete", e.path(name))
	}
	e.wantContent(e.path("dir/file"), c)
}

func deleteDirectory(e *env) {
	names := []string{"dir/1", "dir/2", "dir/a/3", "dir/a/b/c/4", "dir/a-b/5"}
	var paths []string
	for _, name := range names {
		paths = append(paths, e.path(name))
	}
	e.putAll(32, paths...)
	e.upload(e.path("dir/a/large"), e.content(1<<20))
	other := e.content(9)
	e.put(e.path("other"), other)
	e.ok(e.d.Delete(e.ctx, e.path("dir/1")), "Delete of a file")
	e.wantMissing(e.path("dir/1"))
	e.wantList(e.path("dir"), "2", "a", "a-b")
	e.ok(e.d.Delete(e.ctx, e.path("dir")), "Delete of a directory")
	for _, p := range append(paths, e.path("dir/a/large"), e.path("dir"), e.path("dir/a")) {
		e.wantMissing(p)
	}
	e.wantList(e.dir, "other")
	e.wantContent(e.path("other"), other)
	e.wantError(e.d.Delete(e.ctx, e.path("dir")), storagedriver.KindNotFound, "Delete", e.path("dir"))
}

func deleteBoth(e *env) {
	file, below := e.path("a"), e.path("a/b/c")
	e.put(file, e.content(32))
	err := e.d.PutContent(e.ctx, below, e.content(33).bytes())
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "PutContent below a file")
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "PutContent", below)
	}
	e.put(e.path("other"), e.content(9))
	e.ok(e.d.Delete(e.ctx, file), "Delete")
	for _, p := range []string{file, below, e.path("a/b")} {
		e.wantMissing(p)
	}
	e.wantList(e.dir, "other")
}

func deletePrefix(e *env) {
	contents := e.putAll(32, e.path("a/1"), e.path("ab/2"), e.path("abc"), e.path("a-b/3"), e.path("a.b"), e.path("d/file"), e.path("d/file2"), e.path("d/file.x"))
	gone := map[string]bool{}
	for _, name := range []string{"a", "ab", "d/file"} {
		e.ok(e.d.Delete(e.ctx, e.path(name)), "Delete %s", name)
		for p := range contents {
			if p == e.path(name) || storagedriver.IsBelow(p, e.path(name)) {
				gone[p] = true
			}
		}
		for p, c := range contents {
			if gone[p] {
				e.wantMissing(p)
			} else {
				e.wantContent(p, c)
			}
		}
	}
}

func deleteUnderFile(e *env) {
	c := e.content(32)
	e.put(e.path("file"), c)
	for _, name := range []string{"file/below", "file/deeper/below"} {
		e.wantError(e.d.Delete(e.ctx, e.path(name)), storagedriver.KindNotFound, "Delete", e.path(name))
		e.wantContent(e.path("file"), c)
	}
}

func deleteReuse(e *env) {
	p, c := e.path("name"), e.content(32)
	for range 2 {
		e.put(p, c)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete of a file")
		e.put(p+"/file", c)
		e.wantContent(p+"/file", c)
		e.wantDirectory(p)
		e.ok(e.d.Delete(e.ctx, p), "Delete of a directory")
		e.wantMissing(p)
	}
}
