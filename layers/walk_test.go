package layers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"pgregory.net/rapid"
)

// walked returns what Walk called back, directories with "/".
func walked(t testing.TB, d storagedriver.StorageDriver, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) ([]string, error) {
	t.Helper()
	var got []string
	err := d.Walk(t.Context(), path, func(info storagedriver.FileInfo) error {
		p := info.Path()
		if info.IsDir() {
			p += "/"
		} else if want := int64(len("content of " + p)); info.Size() != want {
			t.Errorf("%s has %d bytes, want %d", p, info.Size(), want)
		}
		got = append(got, p)
		if f != nil {
			return f(info)
		}
		return nil
	}, options...)
	return got, err
}

func wantWalk(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%v, want\n%v", what, got, want)
	}
}

func TestWalkOrder(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a-b", "/a/x/1", "/a/x-", "/a/x.y/2", "/a0", "/b/c/d/e", "/z")
		m.Set("/odd name", "content of /odd name")
		suspend(t, d, "/a/x/unfinished")
		want := []string{"/a-b", "/a/", "/a/x-", "/a/x.y/", "/a/x.y/2", "/a/x/", "/a/x/1", "/a0", "/b/", "/b/c/", "/b/c/d/", "/b/c/d/e", "/z"}
		got, err := walked(t, d, "/", nil)
		ok(t, "Walk", err)
		wantWalk(t, "all", got, want)

		got, err = walked(t, d, "/a", nil)
		ok(t, "Walk", err)
		wantWalk(t, "/a", got, want[2:7])
		_, err = walked(t, d, "/x", nil)
		wantKind(t, "Walk of nothing", err, storagedriver.KindNotFound)
		_, err = walked(t, d, "/a0", nil)
		wantKind(t, "Walk of a file", err, storagedriver.KindNotFound)

		for _, c := range []struct {
			after string
			from  int
		}{{"/", 0}, {"/a", 2}, {"/a-b", 1}, {"/a/x", 6}, {"/a/x.y", 4}, {"/a/x/1", 7}, {"/a/x/0", 6}, {"/b/c", 10}, {"/z", 13}, {"/zz", 13}, {"/0", 0}, {"/a/xx", 7}} {
			got, err := walked(t, d, "/", nil, storagedriver.WithStartAfterHint(c.after))
			ok(t, "Walk", err)
			wantWalk(t, "after "+c.after, got, want[c.from:])
		}
		got, err = walked(t, d, "/b", nil, storagedriver.WithStartAfterHint("/a"))
		ok(t, "Walk", err)
		wantWalk(t, "/b after /a", got, want[9:12])
		got, err = walked(t, d, "/b", nil, storagedriver.WithStartAfterHint("/z"))
		ok(t, "Walk", err)
		wantWalk(t, "/b after /z", got, nil)
	})
}

func TestWalkControl(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a/b/1", "/a/b/2", "/a/b/3", "/a/b/4/5", "/a/c", "/d")
		got, err := walked(t, d, "/", func(info storagedriver.FileInfo) error {
			if info.Path() == "/a/b" || info.Path() == "/a/c" {
				return storagedriver.ErrSkipDir
			}
			return nil
		})
		ok(t, "Walk", err)
		wantWalk(t, "skipping", got, []string{"/a/", "/a/b/", "/a/c", "/d"})

		for _, stop := range []error{errors.New("mine"), storagedriver.ErrFilledBuffer, storagedriver.NewError(storagedriver.KindNotFound, "of the callback")} {
			got, err = walked(t, d, "/", func(info storagedriver.FileInfo) error {
				if info.Path() == "/a/b/2" {
					return stop
				}
				return nil
			})
			wantWalk(t, "stopping", got, []string{"/a/", "/a/b/", "/a/b/1", "/a/b/2"})
			want := stop
			if stop == storagedriver.ErrFilledBuffer {
				want = nil
			}
			if err != want { //nolint:errorlint // by identity
				t.Errorf("Walk: %v, want %v itself", err, want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = d.Walk(ctx, "/", func(storagedriver.FileInfo) error { cancel(); return nil })
		wantKind(t, "Walk", err, storagedriver.KindCanceled)
	})
}

// TestWalkSkipsPastPrivateNames has pages of nothing but private names in what is skipped.
func TestWalkSkipsPastPrivateNames(t *testing.T) {
	m := &chunkedtest.Memory{Can: storagedriver.AbilityListTree, Page: 1}
	d := complete(m)
	put(t, d, "/a/1", "/a/2", "/a/3", "/b")
	for _, name := range []string{"/a/~1", "/a/~2", "/a/~3"} {
		m.Set(name, "")
	}
	got, err := walked(t, d, "/", func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			return storagedriver.ErrSkipDir
		}
		return nil
	})
	ok(t, "Walk", err)
	wantWalk(t, "skipping", got, []string{"/a/", "/b"})
}

// TestWalkWhileItVanishes deletes each directory as it is called back.
func TestWalkWhileItVanishes(t *testing.T) {
	each(t, func(t *testing.T, m *chunkedtest.Memory, d storagedriver.StorageDriver) {
		put(t, d, "/a/1", "/b/2", "/c/3", "/d/4", "/e")
		got, err := walked(t, d, "/", func(info storagedriver.FileInfo) error {
			if info.IsDir() {
				return d.Delete(t.Context(), info.Path())
			}
			return nil
		})
		ok(t, "Walk", err)
		if got[0] != "/a/" || got[len(got)-1] != "/e" {
			t.Errorf("Walk: %v", got)
		}
	})
}

// TestWalkListsAhead lets no listing of a level end before others have begun.
func TestWalkListsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &chunkedtest.Memory{Page: 100}
		d := complete(m)
		for i := range 40 {
			put(t, d, fmt.Sprintf("/dir%02d/x", i))
		}
		var mu sync.Mutex
		inFlight, peak := 0, 0
		m.Before = func(ctx context.Context, op, _ string) error {
			if op != "List" {
				return nil
			}
			mu.Lock()
			inFlight++
			peak = max(peak, inFlight)
			mu.Unlock()
			select {
			case <-time.After(time.Second): // of the bubble's clock
			case <-ctx.Done():
			}
			mu.Lock()
			inFlight--
			mu.Unlock()
			return nil
		}
		_, err := walked(t, d, "/", nil)
		ok(t, "Walk", err)
		if peak < 4 || peak > 8 {
			t.Errorf("at most %d listings in flight, want 4 to 8", peak)
		}
		lists := m.Calls("List")
		_, err = walked(t, d, "/", func(storagedriver.FileInfo) error { return storagedriver.ErrSkipDir })
		ok(t, "Walk", err)
		if n := m.Calls("List") - lists; n != 1 {
			t.Errorf("a walk that skips every directory listed %d, want 1", n)
		}
	})
}

// TestWalkOfTrees walks random trees every way there is, and wants the same each time.
func TestWalkOfTrees(t *testing.T) {
	name := rapid.StringMatching(`[a-b.0-]`).Filter(func(s string) bool { return s != "." })
	path := rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "names"), "/")
	})
	rapid.Check(t, func(t *rapid.T) {
		paths := rapid.SliceOfN(path, 1, 12).Draw(t, "paths")
		after := rapid.OneOf(rapid.Just(""), path).Draw(t, "after")
		skip := "" // a directory
		if rapid.Bool().Draw(t, "skips") {
			skip = path.Draw(t, "skip")
		}
		page := rapid.IntRange(1, 3).Draw(t, "page")
		want := expected(paths, after, skip)
		for _, can := range []storagedriver.Ability{0, storagedriver.AbilityUnsorted, storagedriver.AbilityListTree} {
			m := &chunkedtest.Memory{Can: can | storagedriver.AbilityFilesUnderFiles, Page: page}
			for _, p := range paths {
				m.Set(p, "x")
			}
			var got []string
			err := complete(m).Walk(context.Background(), "/", func(info storagedriver.FileInfo) error {
				if !info.IsDir() {
					got = append(got, info.Path())
					return nil
				}
				got = append(got, info.Path()+"/")
				if info.Path() == skip {
					return storagedriver.ErrSkipDir
				}
				return nil
			}, storagedriver.WithStartAfterHint(after))
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("%v: %v, %v, want %v", can, got, err, want)
			}
		}
	})
}

// expected is the order of Walk, said in another way.
func expected(paths []string, after, skip string) []string {
	files := map[string]bool{}
	keys := map[string]bool{}
	for _, p := range paths {
		keys[p], files[p] = true, true
		for dir, _ := storagedriver.ParentPath(p); dir != "/"; dir, _ = storagedriver.ParentPath(dir) {
			keys[dir+"/"] = true
		}
	}
	start := after
	if keys[after+"/"] && !files[after] {
		start += "/"
	}
	skips := skip != "" && keys[skip+"/"] && (after == "" || skip+"/" > start) && skip != after
	var out []string
	for k := range keys {
		below := strings.HasPrefix(k, skip+"/") && k != skip+"/"
		if (after == "" || k > start) && strings.TrimSuffix(k, "/") != after && (!skips || !below) {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}
