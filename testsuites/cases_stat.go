package testsuites

import (
	"github.com/berth-dev/storagedriver"
)

func statCases() []scenario {
	return []scenario{
		{"stat/file", "Stat of a file gives its path and size", statFile},
		{"stat/directory", "Stat of a directory gives its path and size 0", statDirectory},
		{"stat/missing", "Stat of nothing is NotFound, with no FileInfo", statMissing},
		{"stat/after-overwrite", "Stat gives the size of the content that replaced another", statOverwrite},
		{"stat/modtime", "ModTime of a file does not go back when it is written again, and is the same each time it is asked", statModTime},
		{"stat/prefix-siblings", "a path that is only the beginning of a name is NotFound", statPrefix},
		{"stat/under-file", "Stat below a file is NotFound", statUnderFile},
	}
}

func statFile(e *env) {
	for _, size := range []int64{0, 1, 4096} {
		c := e.content(size)
		e.put(e.path("dir/file"), c)
		e.wantContent(e.path("dir/file"), c)
	}
}

func (e *env) wantDirectory(path string) {
	e.Helper()
	info, err := e.d.Stat(e.ctx, path)
	e.ok(err, "Stat %s", path)
	if info.Path() != path || !info.IsDir() || info.Size() != 0 {
		e.Fatalf("Stat: want the directory %s of size 0, got %s, directory: %v, size %d", path, info.Path(), info.IsDir(), info.Size())
	}
}

func statDirectory(e *env) {
	e.put(e.path("a/b/file"), e.content(100))
	e.wantDirectory(e.path("a/b"))
	e.wantDirectory(e.path("a"))
	e.wantDirectory(e.dir)
	e.upload(e.path("c/d/file"), e.content(100))
	e.wantDirectory(e.path("c/d"))
	e.wantDirectory(e.path("c"))
}

func statMissing(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"missing", "dir/missing", "missing/file"} {
		info, err := e.d.Stat(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "Stat", e.path(name))
		if info != nil {
			e.Fatalf("Stat %s: want a nil FileInfo beside the error, got %v", e.path(name), info)
		}
	}
}

func statOverwrite(e *env) {
	p := e.path("file")
	for _, size := range []int64{4096, 17, 0, 9000} {
		c := e.content(size)
		e.put(p, c)
		e.wantContent(p, c)
		c = e.content(size + 3)
		e.upload(p, c)
		e.wantContent(p, c)
	}
}

func statModTime(e *env) {
	p := e.path("file")
	e.put(p, e.content(100))
	first, err := e.d.Stat(e.ctx, p)
	e.ok(err, "Stat")
	again, err := e.d.Stat(e.ctx, p)
	e.ok(err, "Stat")
	if !again.ModTime().Equal(first.ModTime()) {
		e.Fatalf("ModTime of an unchanged file: want %v again, got %v", first.ModTime(), again.ModTime())
	}
	e.put(p, e.content(100))
	second, err := e.d.Stat(e.ctx, p)
	e.ok(err, "Stat")
	if second.ModTime().Before(first.ModTime()) {
		e.Fatalf("ModTime after a put: want at least %v, got %v", first.ModTime(), second.ModTime())
	}
	e.upload(p, e.content(100))
	third, err := e.d.Stat(e.ctx, p)
	e.ok(err, "Stat")
	if third.ModTime().Before(second.ModTime()) {
		e.Fatalf("ModTime after a commit: want at least %v, got %v", second.ModTime(), third.ModTime())
	}
}

func statPrefix(e *env) {
	e.put(e.path("abc/file"), e.content(8))
	e.put(e.path("def"), e.content(8))
	for _, name := range []string{"ab", "abcd", "abc/fil", "abc/file2", "de", "d", "defg"} {
		_, err := e.d.Stat(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "Stat", e.path(name))
	}
	e.put(e.path("ab"), e.content(9))
	e.wantDirectory(e.path("abc"))
}

func statUnderFile(e *env) {
	e.put(e.path("file"), e.content(8))
	for _, name := range []string{"file/below", "file/deeper/below"} {
		_, err := e.d.Stat(e.ctx, e.path(name))
		e.wantError(err, storagedriver.KindNotFound, "Stat", e.path(name))
	}
}
