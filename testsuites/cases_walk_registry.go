package testsuites

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// walkRegistryCases walk as a registry does, and where much else goes on.
func walkRegistryCases() []scenario {
	return []scenario{
		{"walk/catalog", "a catalog in pages of any size, each begun after the _manifests of the last repository, has every repository once", walkCatalog},
		{"walk/garbage-collection", "what a garbage collection marks and sweeps by Walk is complete and in order", walkCollection},
		{"walk/error-wrapped", "an error of the caller that wraps another comes back so that errors.Is and errors.As find both", walkErrorWrapped},
		{"walk/control-errors-wrapped", "ErrSkipDir and ErrFilledBuffer inside another error are that error", walkControlWrapped},
		{"walk/stop-and-skip-last", "what is skipped or stopped at the last entry changes nothing before it", walkLast},
		{"walk/start-after-directory", "a hint that names a directory leaves out what sorts before its children, as /a-b does before /a/", walkStartAfterDirectory},
		{"walk/start-after-deeper", "a hint that leads below a file or a missing directory begins where it would sort", walkStartAfterDeeper},
		{"walk/start-after-all", "a hint behind everything calls nothing and is no error", walkStartAfterAll},
		{"walk/deep", "Walk goes down as deep as paths can, parents first", walkDeep},
		{"walk/deleted-meanwhile", "what is deleted while Walk runs does not end it", walkDeleted},
		{"walk/concurrent", "several Walks of one tree at the same time are each complete and in order", walkConcurrent},
		{"walk/emptied", "Walk of a directory whose files are gone calls with no file", walkEmptied},
	}
}

// repositories are names whose order by bytes differs from that by components, and those that hold others.
func repositories() []string {
	return []string{"a", "a-b", "a.b", "a/0", "a/b", "a/b-c", "a/b/c", "a0", "a_b", "ab", "library/alpine", "library/alpine-x", "z"}
}

const someDigest = "4355a46b19d348dc2f57c046f8ef63d4538ebb936000f3c9ee954a27460dd865"

// plantRegistry stores the files of repositories as distribution lays them out.
func (e *env) plantRegistry(root string) {
	e.Helper()
	var names []string
	for _, r := range repositories() {
		names = append(names,
			r+"/_manifests/revisions/sha256/"+someDigest+"/link",
			r+"/_manifests/tags/latest/current/link",
			r+"/_layers/sha256/"+someDigest+"/link",
			r+"/_uploads/b7c1/startedat")
	}
	e.plant(root, names)
}

// catalogPage returns at most n repositories after last, as distribution's catalog finds them.
func (e *env) catalogPage(root, last string, n int) []string {
	e.Helper()
	var found []string
	hint, full := "", false
	if last != "" {
		hint = root + "/" + last + "/_manifests"
	}
	err := e.d.Walk(e.ctx, root, func(info storagedriver.FileInfo) error {
		if full {
			e.Errorf("Walk of a catalog's page: want no call after ErrFilledBuffer, got %s", info.Path())
		}
		if full = len(found) == n; full {
			return storagedriver.ErrFilledBuffer
		}
		name := path.Base(info.Path())
		if name == "_manifests" {
			found = append(found, strings.TrimPrefix(path.Dir(info.Path()), root+"/"))
		}
		if strings.HasPrefix(name, "_") {
			return storagedriver.ErrSkipDir
		}
		return nil
	}, storagedriver.WithStartAfterHint(hint))
	e.ok(err, "Walk of a catalog's page after %q", last)
	return found
}

func walkCatalog(e *env) {
	root := e.path("repositories")
	e.plantRegistry(root)
	want := repositories()
	slices.SortFunc(want, func(a, b string) int { return strings.Compare(a+"/_manifests/", b+"/_manifests/") })
	for _, n := range []int{1, 2, 3, len(want), len(want) + 1} {
		var got []string
		last := ""
		for len(got) <= len(want) {
			page := e.catalogPage(root, last, n)
			if len(page) == 0 {
				break
			}
			got, last = append(got, page...), page[len(page)-1]
		}
		e.wantKeys(got, want, fmt.Sprintf("a catalog in pages of %d", n))
	}
}

// walkCollection enumerates as distribution's mark and sweep do: repositories, the revisions of each, blobs.
func walkCollection(e *env) {
	repos, blobs := e.path("repositories"), e.path("blobs")
	e.plantRegistry(repos)
	var names []string
	for i := range 40 {
		x := fmt.Sprintf("%016x", mix(uint64(i)))
		names = append(names, "sha256/"+x[:2]+"/"+x+"/data")
	}
	e.plant(blobs, names)
	marked := 0
	_, err := e.walk(repos, func(info storagedriver.FileInfo) error {
		name := path.Base(info.Path())
		if name == "_manifests" {
			links := 0
			err := e.d.Walk(e.ctx, info.Path()+"/revisions", func(link storagedriver.FileInfo) error {
				if link.IsDir() || path.Base(link.Path()) != "link" {
					return nil
				}
				links++
				_, err := e.d.GetContent(e.ctx, link.Path())
				return err
			})
			if marked++; err != nil || links != 1 {
				return errors.Join(err, fmt.Errorf("want one revision in %s, got %d", info.Path(), links))
			}
		}
		if strings.HasPrefix(name, "_") {
			return storagedriver.ErrSkipDir
		}
		return nil
	})
	e.ok(err, "Walk that marks")
	if want := len(repositories()); marked != want {
		e.Fatalf("Walk that marks: want %d repositories, got %d", want, marked)
	}
	e.wantWalk(blobs, keysOf(blobs, names), nil)
}

// callerError is an error with a type of the caller's own.
type callerError struct{ at string }

func (c *callerError) Error() string { return "the caller's error at " + c.at }

func walkErrorWrapped(e *env) {
	e.plant(e.dir, walkTree())
	cause := errors.New("the cause")
	for _, name := range []string{"a", "a/b/2", "ab/5"} {
		_, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
			if info.Path() == e.path(name) {
				return errors.Join(&callerError{info.Path()}, fmt.Errorf("while walking: %w", cause))
			}
			return nil
		})
		var typed *callerError
		if !errors.Is(err, cause) || !errors.As(err, &typed) || typed.at != e.path(name) {
			e.Fatalf("Walk: want an error in which errors.Is and errors.As find those of the caller at %s, got %v", e.path(name), err)
		}
		var own *storagedriver.Error
		if errors.As(err, &own) {
			e.Fatalf("Walk: want the caller's error as it is, got it in an *storagedriver.Error: %v", err)
		}
	}
}

func walkControlWrapped(e *env) {
	e.plant(e.dir, walkTree())
	all := keysOf(e.dir, walkTree())
	for _, control := range []error{storagedriver.ErrSkipDir, storagedriver.ErrFilledBuffer} {
		given := fmt.Errorf("the caller failed: %w", control)
		keys, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
			if info.Path() == e.path("a") {
				return given
			}
			return nil
		})
		if err != given { //nolint:errorlint // identity is what is tested
			e.Fatalf("Walk: want the very error of the caller, %v, got %v", given, err)
		}
		e.wantKeys(keys, all[:slices.Index(all, e.path("a")+"/")+1], "Walk that a wrapped control error ends")
	}
}

func walkLast(e *env) {
	e.plant(e.dir, []string{"a/1", "b", "z/y/1", "z/y/2"})
	all := keysOf(e.dir, []string{"a/1", "b", "z/y/1", "z/y/2"})
	for _, control := range []error{storagedriver.ErrSkipDir, storagedriver.ErrFilledBuffer} {
		for name, want := range map[string][]string{"z": all[:4], "z/y": all[:5], "z/y/2": all} {
			e.wantWalk(e.dir, want, func(info storagedriver.FileInfo) error {
				if info.Path() == e.path(name) {
					return control
				}
				return nil
			})
		}
	}
}

func walkStartAfterDirectory(e *env) {
	names := []string{"a-b", "a-c/1", "a.b", "a/1", "a/b/2", "a0", "ab/3"}
	e.plant(e.dir, names)
	all := keysOf(e.dir, names)
	e.wantWalk(e.dir, []string{e.path("a/1"), e.path("a/b/"), e.path("a/b/2"), e.path("a0"), e.path("ab/"), e.path("ab/3")}, nil,
		storagedriver.WithStartAfterHint(e.path("a")))
	e.wantWalk(e.dir, []string{e.path("a/b/2"), e.path("a0"), e.path("ab/"), e.path("ab/3")}, nil, storagedriver.WithStartAfterHint(e.path("a/b")))
	e.wantWalk(e.path("a"), []string{e.path("a/1"), e.path("a/b/"), e.path("a/b/2")}, nil, storagedriver.WithStartAfterHint(e.path("a")))
	for _, name := range []string{"a-", "a-b", "a-c", "a.b", "ab"} {
		e.wantWalkAfter(e.dir, all, e.path(name))
	}
}

func walkStartAfterDeeper(e *env) {
	names := []string{"a-b", "a/1", "a/b/2", "a0", "c"}
	e.plant(e.dir, names)
	all := keysOf(e.dir, names)
	for _, name := range []string{"a-b/x", "a-b/x/y/z", "a/1/below", "a/1/below/deeper", "a/a/x/y", "a/b/2/x", "a/b/x/y", "b/x/y/z", "c/x", "0/x/y"} {
		e.wantWalkAfter(e.dir, all, e.path(name))
	}
}

func walkStartAfterAll(e *env) {
	e.plant(e.dir, walkTree())
	for _, hint := range []string{e.path("b-/6"), e.path("b-/6/x"), e.path("c"), e.path("zz/z"), e.dir + "0", "/zzzz"} {
		e.wantWalk(e.path("b-"), nil, nil, storagedriver.WithStartAfterHint(hint))
	}
	e.wantWalk(e.dir, nil, nil, storagedriver.WithStartAfterHint(e.path("bb")))
}

func walkDeep(e *env) {
	const depth = 60
	names := []string{strings.Repeat("d/", depth) + "file", "d-", "e"}
	e.plant(e.dir, names)
	all := keysOf(e.dir, names)
	e.wantWalk(e.dir, all, nil)
	e.wantWalkAfter(e.dir, all, e.path(strings.Repeat("d/", depth-2)+"d"))
}

func walkDeleted(e *env) {
	e.plant(e.dir, walkTree())
	e.put(e.path("z"), e.content(8))
	keys, err := e.walk(e.dir, func(info storagedriver.FileInfo) error {
		if info.Path() == e.path("a") {
			return errors.Join(e.d.Delete(e.ctx, e.path("a")), e.d.Delete(e.ctx, e.path("a0")), e.d.Delete(e.ctx, e.path("ab")))
		}
		return nil
	})
	e.ok(err, "Walk that deletes what it was called with")
	for _, name := range []string{"a-b", "a.b/", "a.b/4", "a/", "b", "b-/", "b-/6", "z"} {
		if !slices.Contains(keys, e.path(name)) {
			e.Fatalf("Walk that deletes: want a call with %s, which stays or was there, got %q", e.path(name), keys)
		}
	}
	if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
		e.Fatalf("Walk that deletes: want each once and in order, got %q", keys)
	}
}

func walkConcurrent(e *env) {
	e.plant(e.dir, walkTree())
	want := keysOf(e.dir, walkTree())
	e.parallel(6, func(i int) error {
		hint := ""
		if i%2 == 1 {
			hint = e.path("a/b")
		}
		got, err := e.walk(e.dir, nil, storagedriver.WithStartAfterHint(hint))
		if err != nil {
			return err
		}
		if wanted := after(want, hint); !slices.Equal(got, wanted) {
			return fmt.Errorf("walk %d: want %q, got %q", i, wanted, got)
		}
		return nil
	})
}

func walkEmptied(e *env) {
	e.plant(e.dir, []string{"dir/a", "dir/sub/b"})
	for _, name := range []string{"dir/a", "dir/sub/b"} {
		e.ok(e.d.Delete(e.ctx, e.path(name)), "Delete")
	}
	e.wantEmptyOrMissing(e.path("dir"))
}
