package testsuites

import (
	"github.com/berth-dev/storagedriver"
)

func moveCases() []scenario {
	return []scenario{
		{"move/file", "Move of a file takes it to its new path and nothing stays behind", moveFile},
		{"move/large", "Move of a file that was uploaded in parts keeps its bytes", moveLarge},
		{"move/overwrites", "Move replaces a file at the new path", moveOverwrites},
		{"move/makes-directories", "Move makes the directories above the new path", moveMakes},
		{"move/missing", "Move of a missing path is NotFound and leaves the new path alone", moveMissing},
		{"move/under-file", "Move of or to a path below a file fails and harms nothing, unless there are files under files", moveUnderFile},
		{"move/onto-itself", "Move of a file onto itself keeps it", moveItself},
		{"move/directory", "Move of a directory takes all below it along", moveDirectory},
		{"move/directory-into-itself", "Move of a directory below itself fails and harms nothing", moveIntoItself},
		{"move/directory-onto-file", "Move of a directory onto a file replaces it, or fails and harms nothing", moveDirectoryOntoFile},
		{"move/directory-under-file", "Move of a directory to a path below a file fails and harms nothing, unless there are files under files", moveDirectoryUnderFile},
		{"move/file-onto-directory", "Move of a file onto a directory fails and harms nothing, unless there are files under files", moveOntoDirectory},
		{"move/prefix-siblings", "Move of a directory leaves alone those whose name only begins like it", movePrefix},
	}
}

func moveFile(e *env) {
	a, b, c := e.path("from/a"), e.path("to/b"), e.content(1000)
	e.put(a, c)
	e.put(e.path("to/other"), e.content(8))
	e.ok(e.d.Move(e.ctx, a, b), "Move")
	e.wantContent(b, c)
	e.wantMissing(a)
	e.put(a, c)
	e.wantContent(a, c)
}

func moveLarge(e *env) {
	size := e.suite.PartSize*5/2 + 11
	a, b, c := e.path("from/a"), e.path("to/b"), e.content(size)
	e.upload(a, c)
	e.ok(e.d.Move(e.ctx, a, b), "Move")
	e.wantContent(b, c)
	e.wantMissing(a)
}

func moveOverwrites(e *env) {
	for _, sizes := range [][2]int64{{32, 64}, {64, 32}, {0, 5}} {
		a, b, c := e.path("a"), e.path("b"), e.content(sizes[0])
		e.put(a, c)
		e.put(b, e.content(sizes[1]))
		e.ok(e.d.Move(e.ctx, a, b), "Move")
		e.wantContent(b, c)
		e.wantMissing(a)
	}
}

func moveMakes(e *env) {
	a, b, c := e.path("a"), e.path("x/y/z/b"), e.content(100)
	e.put(a, c)
	e.ok(e.d.Move(e.ctx, a, b), "Move")
	e.wantContent(b, c)
	e.wantDirectory(e.path("x/y"))
	e.wantMissing(a)
}

func moveMissing(e *env) {
	b, c := e.path("dir/b"), e.content(64)
	e.put(b, c)
	e.put(e.path("dir/ab"), c)
	for _, name := range []string{"missing", "dir/missing", "dir/a", "missing/a"} {
		err := e.d.Move(e.ctx, e.path(name), b)
		e.wantError(err, storagedriver.KindNotFound, "Move", e.path(name), b)
		e.wantContent(b, c)
		e.wantMissing(e.path(name))
		err = e.d.Move(e.ctx, e.path(name), e.path("new"))
		e.wantError(err, storagedriver.KindNotFound, "Move", e.path(name), e.path("new"))
		e.wantMissing(e.path("new"))
	}
}

func moveUnderFile(e *env) {
	file, c := e.content(32), e.content(33)
	e.put(e.path("file"), file)
	e.put(e.path("other"), c)
	if err := e.d.Move(e.ctx, e.path("file/foo"), e.path("file/bar")); err == nil {
		e.Fatalf("Move of a missing path below a file: want an error, got none")
	} else {
		e.wantError(err, storagedriver.KindNotFound, "Move", e.path("file/foo"), e.path("file/bar"))
	}
	err := e.d.Move(e.ctx, e.path("other"), e.path("file/other"))
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "Move to a path below a file")
		e.wantContent(e.path("file/other"), c)
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path("file/other"), e.path("other"))
		e.wantContent(e.path("other"), c)
	}
	e.wantContent(e.path("file"), file)
}

// moveItself accepts a refusal: what counts is that no copy is deleted as its own source.
func moveItself(e *env) {
	p, c := e.path("file"), e.content(1000)
	e.put(p, c)
	if err := e.d.Move(e.ctx, p, p); err != nil {
		e.wantError(err, storagedriver.KindInvalidPath, "Move", p)
	}
	e.wantContent(p, c)
}

func moveDirectory(e *env) {
	contents := e.putAll(100, e.path("from/1"), e.path("from/a/2"), e.path("from/a/b/3"), e.path("from/a-b"), e.path("stay"))
	e.upload(e.path("from/a/large"), e.content(1<<20))
	e.ok(e.d.Move(e.ctx, e.path("from"), e.path("to/new")), "Move of a directory")
	for _, name := range []string{"1", "a/2", "a/b/3", "a-b"} {
		e.wantContent(e.path("to/new/"+name), contents[e.path("from/"+name)])
		e.wantMissing(e.path("from/" + name))
	}
	e.wantContent(e.path("stay"), contents[e.path("stay")])
	e.wantList(e.path("to/new"), "1", "a", "a-b")
	e.wantList(e.path("to/new/a"), "2", "b", "large")
	e.wantEmptyOrMissing(e.path("from"))
}

// wantEmptyOrMissing wants no file at or below dir; whether an empty directory stays is open.
func (e *env) wantEmptyOrMissing(dir string) {
	e.Helper()
	err := e.d.Walk(e.ctx, dir, func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			e.Errorf("want no file below %s, got %s", dir, info.Path())
		}
		return nil
	})
	if err != nil {
		e.wantError(err, storagedriver.KindNotFound, "Walk", dir)
	}
}

func moveIntoItself(e *env) {
	contents := e.putAll(100, e.path("dir/1"), e.path("dir/sub/2"))
	for _, to := range []string{"dir/new", "dir/sub/new", "dir/sub"} {
		if err := e.d.Move(e.ctx, e.path("dir"), e.path(to)); err == nil {
			e.Fatalf("Move of %s to %s: want an error, got none", e.path("dir"), e.path(to))
		} else {
			e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path("dir"), e.path(to))
		}
		for p, c := range contents {
			e.wantContent(p, c)
		}
		e.wantList(e.path("dir"), "1", "sub")
	}
}

func moveDirectoryOntoFile(e *env) {
	file := e.content(32)
	contents := e.putAll(100, e.path("dir/1"), e.path("dir/sub/2"))
	e.put(e.path("file"), file)
	if err := e.d.Move(e.ctx, e.path("dir"), e.path("file")); err != nil {
		e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path("dir"), e.path("file"))
		for p, c := range contents {
			e.wantContent(p, c)
		}
		e.wantContent(e.path("file"), file)
		return
	}
	e.wantContent(e.path("file/1"), contents[e.path("dir/1")])
	e.wantContent(e.path("file/sub/2"), contents[e.path("dir/sub/2")])
	e.wantMissing(e.path("dir/1"))
	if !e.has(storagedriver.AbilityFilesUnderFiles) {
		e.wantDirectory(e.path("file"))
	}
}

func moveDirectoryUnderFile(e *env) {
	file := e.content(32)
	contents := e.putAll(100, e.path("dir/1"), e.path("dir/sub/2"))
	e.put(e.path("file"), file)
	err := e.d.Move(e.ctx, e.path("dir"), e.path("file/dir"))
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "Move of a directory to a path below a file")
		e.wantContent(e.path("file/dir/1"), contents[e.path("dir/1")])
		e.wantContent(e.path("file/dir/sub/2"), contents[e.path("dir/sub/2")])
		e.wantMissing(e.path("dir/1"))
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path("dir"), e.path("file/dir"))
		for p, c := range contents {
			e.wantContent(p, c)
		}
		e.wantMissing(e.path("file/dir/1"))
	}
	e.wantContent(e.path("file"), file)
}

func moveOntoDirectory(e *env) {
	file, child := e.content(32), e.content(33)
	e.put(e.path("file"), file)
	e.put(e.path("dir/child"), child)
	err := e.d.Move(e.ctx, e.path("file"), e.path("dir"))
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "Move onto a directory")
		e.wantContent(e.path("dir"), file)
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path("file"), e.path("dir"))
		e.wantContent(e.path("file"), file)
		e.wantDirectory(e.path("dir"))
	}
	e.wantContent(e.path("dir/child"), child)
}

func movePrefix(e *env) {
	contents := e.putAll(100, e.path("a/1"), e.path("ab/2"), e.path("a-b/3"), e.path("a.b"), e.path("abc/4"))
	e.ok(e.d.Move(e.ctx, e.path("a"), e.path("moved")), "Move")
	e.wantContent(e.path("moved/1"), contents[e.path("a/1")])
	for _, name := range []string{"ab/2", "a-b/3", "a.b", "abc/4"} {
		e.wantContent(e.path(name), contents[e.path(name)])
	}
	e.wantList(e.path("moved"), "1")
	e.ok(e.d.Move(e.ctx, e.path("ab"), e.path("moved2")), "Move")
	e.wantContent(e.path("abc/4"), contents[e.path("abc/4")])
	e.wantList(e.path("moved2"), "2")
}
