package testsuites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
)

func walkCases() []scenario {
	return []scenario{
		{"walk/order", "Walk calls parents first, in bytes of the full path, a directory counted with a / after it", walkOrder},
		{"walk/infos", "Walk says of every file and directory what Stat says", walkInfos},
		{"walk/subtree", "Walk of a directory leaves out those whose name only begins like it", walkSubtree},
		{"walk/root", "Walk of / reaches what was put", walkRoot},
		{"walk/missing", "Walk of a missing directory is NotFound", walkMissing},
		{"walk/file", "Walk of a file calls nothing", walkFile},
		{"walk/serial", "Walk never calls twice at the same time", walkSerial},
		{"walk/driver-usable", "the function that Walk calls may use the driver", walkUsable},
		{"walk/skip-dir", "ErrSkipDir leaves out what is below a directory and nothing else", walkSkipDir},
		{"walk/skip-dir-of-file", "ErrSkipDir for a file means nothing", walkSkipFile},
		{"walk/filled-buffer", "ErrFilledBuffer ends Walk, which returns nil", walkFilled},
		{"walk/error-identity", "any other error ends Walk, which returns that very error", walkError},
		{"walk/context-ends", "Walk ends when its context ends", walkContext},
		{"walk/start-after", "with a start-after hint Walk begins after the entry named, wherever that is", walkStartAfter},
		{"walk/start-after-missing", "the start-after hint need not exist", walkStartAfterMissing},
		{"walk/start-after-skip-dir", "a start-after hint and ErrSkipDir work together", walkStartAfterSkip},
		{"walk/many", "Walk is complete and in order where listing takes several pages", walkMany},
	}
}

// walkTree is a tree in which sorting by components and sorting by bytes differ.
func walkTree() []string {
	return []string{
		"a/1", "a/b/2", "a/b-c/3", "a/b.d", "a/b0", "a/z/y/x", "a-b", "a.b/4", "a0", "ab/5", "b", "b-/6",
	}
}

// walkKey is what entries sort by.
func walkKey(path string, dir bool) string {
	if dir {
		return path + "/"
	}
	return path
}

// keysOf returns the keys of the files at names below root, and of the directories that hold them.
func keysOf(root string, names []string) []string {
	var keys []string
	for _, name := range names {
		p := root + "/" + name
		keys = append(keys, p)
		for dir, _ := storagedriver.ParentPath(p); dir != root; dir, _ = storagedriver.ParentPath(dir) {
			keys = append(keys, walkKey(dir, true))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// plant puts a file of 8 bytes at every name below root.
func (e *env) plant(root string, names []string) {
	e.Helper()
	var paths []string
	for _, name := range names {
		paths = append(paths, root+"/"+name)
	}
	e.putAll(8, paths...)
}

// walk returns the keys that Walk of path calls with; f decides what each call returns.
func (e *env) walk(path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) ([]string, error) {
	var keys []string
	err := e.d.Walk(e.ctx, path, func(info storagedriver.FileInfo) error {
		keys = append(keys, walkKey(info.Path(), info.IsDir()))
		if f == nil {
			return nil
		}
		return f(info)
	}, options...)
	return keys, err
}

// wantWalk wants Walk of path to call with exactly the keys.
func (e *env) wantWalk(path string, want []string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) {
	e.Helper()
	got, err := e.walk(path, f, options...)
	e.ok(err, "Walk %s", path)
	e.wantKeys(got, want, "Walk "+path)
}

func (e *env) wantKeys(got, want []string, what string) {
	e.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	e.Fatalf("%s: want %d calls, got %d, which differ from call %d on: want %s, got %s", what, len(want), len(got), i, someOf(want, i), someOf(got, i))
}

func someOf(keys []string, from int) string {
	return fmt.Sprintf("%q", keys[from:min(len(keys), from+5)])
}

func walkOrder(e *env) {
	e.plant(e.dir, walkTree())
	e.wantWalk(e.dir, keysOf(e.dir, walkTree()), nil)
	below := []string{"1", "b/2", "b-c/3", "b.d", "b0", "z/y/x"}
	e.wantWalk(e.path("a"), keysOf(e.path("a"), below), nil)
}

func walkInfos(e *env) {
	e.plant(e.dir, walkTree())
	e.put(e.path("empty"), e.content(0))
	e.upload(e.path("a/uploaded"), e.content(12345))
	_, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
		want, err := e.d.Stat(e.ctx, info.Path())
		if err != nil {
			return err
		}
		if info.Size() != want.Size() || info.IsDir() != want.IsDir() {
			e.Errorf("Walk says of %s: %d bytes, directory: %v; Stat says %d bytes, directory: %v", info.Path(), info.Size(), info.IsDir(), want.Size(), want.IsDir())
		}
		// Backends give whole seconds in one answer and fractions in another.
		if off := info.ModTime().Sub(want.ModTime()).Abs(); !info.IsDir() && off.Seconds() >= 1 {
			e.Errorf("Walk says that %s was written at %v, Stat says %v", info.Path(), info.ModTime(), want.ModTime())
		}
		return nil
	})
	e.ok(err, "Walk")
}

func walkSubtree(e *env) {
	e.plant(e.dir, []string{"a/1", "ab/2", "a-b/3", "a.b", "abc"})
	e.wantWalk(e.path("a"), []string{e.path("a/1")}, nil)
	e.wantWalk(e.path("ab"), []string{e.path("ab/2")}, nil)
}

func walkRoot(e *env) {
	e.plant(e.dir, []string{"a/1", "b"})
	var got []string
	err := e.d.Walk(e.ctx, "/", func(info storagedriver.FileInfo) error {
		p := info.Path()
		switch {
		case p == e.dir || storagedriver.IsBelow(p, e.dir):
			got = append(got, walkKey(p, info.IsDir()))
		case info.IsDir():
			return storagedriver.ErrSkipDir
		}
		return nil
	})
	e.ok(err, "Walk /")
	e.wantKeys(got, append([]string{e.dir + "/"}, keysOf(e.dir, []string{"a/1", "b"})...), "Walk /, of the case's directory")
}

func walkMissing(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"missing", "dir/missing", "missing/dir"} {
		keys, err := e.walk(e.path(name), nil)
		e.wantError(err, storagedriver.KindNotFound, "Walk", e.path(name))
		e.wantKeys(keys, nil, "Walk of a missing directory")
	}
}

func walkFile(e *env) {
	e.put(e.path("file"), e.content(8))
	keys, err := e.walk(e.path("file"), nil)
	if err != nil {
		e.wantError(err, storagedriver.KindNotFound, "Walk", e.path("file"))
	}
	e.wantKeys(keys, nil, "Walk of a file")
}

// walkSerial has the first call wait for another to come, which must not.
func walkSerial(e *env) {
	e.plant(e.dir, walkTree())
	var calls atomic.Int32
	second := make(chan struct{})
	err := e.d.Walk(e.ctx, e.dir, func(info storagedriver.FileInfo) error {
		switch calls.Add(1) {
		case 1:
			select {
			case <-second:
				e.Errorf("Walk calls a second time while the first call runs")
			case <-time.After(200 * time.Millisecond):
			}
		case 2:
			close(second)
		}
		return nil
	})
	e.ok(err, "Walk")
	if want := len(keysOf(e.dir, walkTree())); int(calls.Load()) != want {
		e.Fatalf("Walk: want %d calls, got %d", want, calls.Load())
	}
}

func walkUsable(e *env) {
	e.plant(e.dir, walkTree())
	calls := 0
	_, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
		calls++
		if info.IsDir() {
			_, err := e.d.List(e.ctx, info.Path())
			return errors.Join(err, e.d.Walk(e.ctx, info.Path(), func(storagedriver.FileInfo) error { return nil }))
		}
		_, err := e.d.GetContent(e.ctx, info.Path())
		return err
	})
	e.ok(err, "Walk")
	if want := len(keysOf(e.dir, walkTree())); calls != want {
		e.Fatalf("Walk: want %d calls, got %d", want, calls)
	}
}

// without returns keys without those below dir.
func without(keys []string, dir string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return len(k) > len(dir)+1 && k[:len(dir)+1] == dir+"/" })
}

func walkSkipDir(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for _, name := range []string{"a", "a/b", "a/z", "a.b", "b-", "ab"} {
		e.wantWalk(e.dir, without(all, e.path(name)), func(info storagedriver.FileInfo) error {
			if info.Path() == e.path(name) {
				return storagedriver.ErrSkipDir
			}
			return nil
		})
	}
}

func walkSkipFile(e *env) {
	e.plant(e.dir, walkTree())
	e.wantWalk(e.dir, keysOf(e.dir, walkTree()), func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return nil
		}
		return storagedriver.ErrSkipDir
	})
}

func walkFilled(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for n := 1; n <= len(all); n++ {
		calls := 0
		e.wantWalk(e.dir, all[:n], func(storagedriver.FileInfo) error {
			if calls++; calls == n {
				return storagedriver.ErrFilledBuffer
			}
			return nil
		})
	}
}

func walkError(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for _, given := range []error{
		errors.New("an error of the caller"),
		&storagedriver.Error{Op: "Other", Driver: "other", Path: "/other", Kind: storagedriver.KindNotFound},
		context.Canceled,
	} {
		for _, n := range []int{1, len(all) / 2, len(all)} {
			calls := 0
			keys, err := e.walk(e.dir, func(storagedriver.FileInfo) error {
				if calls++; calls == n {
					return given
				}
				return nil
			})
			if err != given { //nolint:errorlint // identity is what is tested
				e.Fatalf("Walk: want the very error that call %d gave, %v, got %v", n, given, err)
			}
			e.wantKeys(keys, all[:n], "Walk")
		}
	}
}

func walkContext(e *env) {
	e.plant(e.dir, walkTree())
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	calls := 0
	err := e.d.Walk(ctx, e.dir, func(storagedriver.FileInfo) error {
		calls++
		cancel()
		return nil
	})
	e.wantError(err, storagedriver.KindCanceled, "Walk", e.dir)
	if calls != 1 {
		e.Fatalf("Walk whose context ended in the first call: want no other call, got %d", calls-1)
	}
}

// after returns the keys that follow the hint.
func after(keys []string, hint string) []string {
	if slices.Contains(keys, hint+"/") {
		hint += "/"
	}
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k <= hint })
}

func (e *env) wantWalkAfter(root string, all []string, hint string) {
	e.Helper()
	got, err := e.walk(root, nil, storagedriver.WithStartAfterHint(hint))
	e.ok(err, "Walk %s after %s", root, hint)
	e.wantKeys(got, after(all, hint), "Walk "+root+" after "+hint)
}

func walkStartAfter(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for _, key := range all {
		hint := key
		if hint[len(hint)-1] == '/' {
			hint = hint[:len(hint)-1]
		}
		e.wantWalkAfter(e.dir, all, hint)
	}
	e.wantWalk(e.dir, all, nil, storagedriver.WithStartAfterHint(""))
}

func walkStartAfterMissing(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for _, name := range []string{
		"-", "0", "Z", "a-", "a-a", "a-c", "a.", "a.b/0", "a.b/5", "a/0", "a/2", "a/b/1", "a/b/3", "a/b-c/4", "a/b-", "a/b.", "a/b/2/below",
		"a/z/y", "a/z/y/w", "a/z/z", "a/zz", "a0/below", "aa", "ab/6", "ac", "b-/7", "b/below", "c", "z", "a-b/c/d/e",
	} {
		e.wantWalkAfter(e.dir, all, e.path(name))
	}
	below := keysOf(e.path("a"), []string{"1", "b/2", "b-c/3", "b.d", "b0", "z/y/x"})
	for _, hint := range []string{"/", "/-", e.dir, e.path("a"), e.path("a-"), e.path("Z"), e.path("a0"), e.path("b"), "/zzzz"} {
		got, err := e.walk(e.path("a"), nil, storagedriver.WithStartAfterHint(hint))
		e.ok(err, "Walk %s after %s", e.path("a"), hint)
		want := after(append([]string{e.path("a/"), e.dir + "/", "//"}, below...), hint)
		want = slices.DeleteFunc(want, func(k string) bool { return !slices.Contains(below, k) })
		e.wantKeys(got, want, "Walk "+e.path("a")+" after "+hint)
	}
}

func walkStartAfterSkip(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	skipped := func(info storagedriver.FileInfo) error {
		if info.Path() == e.path("a/z") || info.Path() == e.path("ab") {
			return storagedriver.ErrSkipDir
		}
		return nil
	}
	want := without(without(after(all, e.path("a/b/2")), e.path("a/z")), e.path("ab"))
	e.wantWalk(e.dir, want, skipped, storagedriver.WithStartAfterHint(e.path("a/b/2")))
	// Whoever pages starts each page where the one before was full.
	var paged []string
	hint := ""
	for {
		n := 0
		page, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
			hint = info.Path()
			if n++; n == 3 {
				return storagedriver.ErrFilledBuffer
			}
			return nil
		}, storagedriver.WithStartAfterHint(hint))
		e.ok(err, "Walk of a page")
		if len(page) == 0 {
			break
		}
		if paged = append(paged, page...); len(paged) > len(all) {
			break
		}
	}
	e.wantKeys(paged, all, "Walk in pages of 3")
}

func walkMany(e *env) {
	var names []string
	for i := range manyEntries {
		// Names of directories are the beginnings of names of files.
		if x := mix(uint64(i)); i%16 == 0 {
			names = append(names, fmt.Sprintf("e%x/file", x>>48))
		} else {
			names = append(names, fmt.Sprintf("e%x-%d", x>>48, i))
		}
	}
	e.plant(e.path("dir"), names)
	all := keysOf(e.path("dir"), names)
	e.wantWalk(e.path("dir"), all, nil)
	for _, i := range []int{10, 500, 999, 1000, 1001} {
		hint := all[i]
		if hint[len(hint)-1] == '/' {
			hint = hint[:len(hint)-1]
		}
		e.wantWalkAfter(e.path("dir"), all, hint)
	}
}
