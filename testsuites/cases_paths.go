package testsuites

import (
	"context"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

func pathCases() []scenario {
	return []scenario{
		{"paths/valid", "paths of letters, digits, dots, dashes and underscores can be put, read, described and listed", pathsValid},
		{"paths/long", "a path of half MaxPath bytes works for content and for uploads", pathsLong},
		{"paths/malformed", "every operation refuses a malformed path as InvalidPath", func(e *env) { e.refusesPaths(malformedPaths()) }},
		{"paths/dot-components", "every operation refuses the components . and .. as InvalidPath", pathsDots},
		{"paths/private", "every operation refuses a private name as InvalidPath", pathsPrivate},
		{"paths/too-long", "every operation refuses a path of more than MaxPath bytes as InvalidPath", pathsTooLong},
		{"paths/root-is-no-file", "/ can be neither read nor written, moved nor deleted: InvalidPath", pathsRoot},
	}
}

func pathsValid(e *env) {
	names := []string{
		"a", "2", "aa", "a.a", "0-9/abcdefg", "abcdefg/z.75", "abc/1.2.3.4.5-6_zyx/123.z/4", "docker/docker-registry",
		"123.abc", "abc./abc", ".abc", "a--b", "a-.b", "_.abc", "Docker/docker-registry", "Abc/Cba", "...", "..a", "-", "_",
	}
	// Each in a directory of its own: backends that fold case are not what is tested here.
	for i, name := range names {
		dir := e.path("n" + string(rune('a'+i)))
		p, c := dir+"/"+name, e.content(64)
		e.put(p, c)
		e.wantContent(p, c)
		parent, _ := storagedriver.ParentPath(p)
		list, err := e.d.List(e.ctx, parent)
		e.ok(err, "List %s", parent)
		if !slices.Equal(list, []string{p}) {
			e.Fatalf("List %s: want %q, got %q", parent, p, list)
		}
	}
}

func pathsLong(e *env) {
	p := e.dir
	for len(p) < storagedriver.MaxPath/2 {
		p += "/" + strings.Repeat("x", min(100, storagedriver.MaxPath/2-len(p)))
	}
	c := e.content(64)
	e.put(p, c)
	e.wantContent(p, c)
	next := e.content(64)
	w := e.suspend(p, next, 32)
	e.wantSize(w, 32, "after Close")
	w = e.resume(e.d, p, 32)
	e.write(w, next, 32, 64)
	e.commit(w)
	e.wantContent(p, next)
}

func malformedPaths() []string {
	return []string{
		"", "abc", "123.abc", "//bcd", "/abc_123/", "/a//b", "/a/ b", "/a\x00b", "/a\nb", "/a\\b", "/a%2fb", "/a:b", "/a?b", "/a#b", "/\xff", "/\u00e4", "a/b", " /a",
	}
}

func pathsDots(e *env) {
	// What they would mean exists, so that resolving them would find it.
	e.put(e.path("dir/file"), e.content(8))
	e.refusesPaths([]string{"/.", "/..", e.dir + "/./dir/file", e.dir + "/dir/../dir/file", e.dir + "/dir/file/.", e.dir + "/..", "/../etc"})
}

func pathsPrivate(e *env) {
	e.put(e.path("file"), e.content(8))
	e.refusesPaths([]string{"/~", e.path("file~"), e.path("file~/x"), e.path("~file"), e.path("a~b/c")})
}

func pathsTooLong(e *env) {
	p := strings.Repeat("/abcdefg", storagedriver.MaxPath/8)
	e.refusesPaths([]string{p + "x", p + "/x", "/" + strings.Repeat("y", storagedriver.MaxPath)})
}

// refusesPaths wants InvalidPath of every operation on each of the paths.
func (e *env) refusesPaths(paths []string) {
	e.Helper()
	good := e.path("good")
	e.put(good, e.content(8))
	for _, p := range paths {
		e.refusesAsFile(p)
		_, err := e.d.Stat(e.ctx, p)
		e.wantError(err, storagedriver.KindInvalidPath, "Stat", p)
		_, err = e.d.List(e.ctx, p)
		e.wantError(err, storagedriver.KindInvalidPath, "List", p)
		err = e.d.Walk(e.ctx, p, func(info storagedriver.FileInfo) error {
			e.Errorf("Walk %q: want no callback, got one for %s", p, info.Path())
			return nil
		})
		e.wantError(err, storagedriver.KindInvalidPath, "Walk", p)
	}
}

// refusesAsFile wants InvalidPath of every operation on p that is about a file.
func (e *env) refusesAsFile(p string) {
	e.Helper()
	good := e.path("good")
	_, err := e.d.GetContent(e.ctx, p)
	e.wantError(err, storagedriver.KindInvalidPath, "GetContent", p)
	e.wantError(e.d.PutContent(e.ctx, p, []byte("x")), storagedriver.KindInvalidPath, "PutContent", p)
	if r, err := e.d.Reader(e.ctx, p, 0); err == nil {
		r.Close()
		e.Fatalf("Reader %q: want %q, got no error", p, storagedriver.KindInvalidPath)
	} else {
		e.wantError(err, storagedriver.KindInvalidPath, "Reader", p)
	}
	for _, append := range []bool{false, true} {
		w, err := e.d.Writer(e.ctx, p, append)
		if err == nil {
			_ = w.Cancel(context.WithoutCancel(e.ctx))
			_ = w.Close()
		}
		e.wantError(err, storagedriver.KindInvalidPath, "Writer", p)
	}
	e.wantError(e.d.Move(e.ctx, p, e.path("moved")), storagedriver.KindInvalidPath, "Move", p)
	e.wantError(e.d.Move(e.ctx, good, p), storagedriver.KindInvalidPath, "Move", p, good)
	e.wantError(e.d.Delete(e.ctx, p), storagedriver.KindInvalidPath, "Delete", p)
	_, err = e.d.RedirectURL(e.ctx, p, storagedriver.RedirectOptions{Method: "GET"})
	e.wantError(err, storagedriver.KindInvalidPath, "RedirectURL", p)
}

func pathsRoot(e *env) {
	c := e.content(8)
	e.put(e.path("good"), c)
	e.refusesAsFile("/")
	e.wantContent(e.path("good"), c)
}
