package filesystem_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
)

// stored is what may be there after a loss of power: for each path the contents it may have, and the bytes an unfinished
// upload to it may have. missing is one of them; a path that is not named has neither.
type stored struct {
	files, uploads map[string][]string
}

const missing = "\x00missing"

func (s stored) clone() stored { return stored{maps.Clone(s.files), maps.Clone(s.uploads)} }

// or returns what may be there in the middle of going from s to o.
func (s stored) or(o stored) stored {
	union := func(a, b map[string][]string) map[string][]string {
		out := map[string][]string{}
		for _, m := range []map[string][]string{a, b} {
			for path := range m {
				out[path] = append(append([]string{}, allowedAt(a, path)...), allowedAt(b, path)...)
			}
		}
		return out
	}
	return stored{union(s.files, o.files), union(s.uploads, o.uploads)}
}

func allowedAt(m map[string][]string, path string) []string {
	if allowed, named := m[path]; named {
		return allowed
	}
	return []string{missing}
}

// check opens what a loss of power left.
func (s stored) check(t *testing.T, left map[string]string) error {
	root := t.TempDir()
	restore(t, root, left)
	d, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
	if err != nil {
		return err
	}
	defer d.Close()
	for path := range left {
		path = "/" + path
		if _, named := s.files[path]; !named && !strings.HasSuffix(path, "/") && !storagedriver.IsPrivate(path) {
			return fmt.Errorf("%s is there", path)
		}
	}
	for path, allowed := range s.files {
		got := missing
		if _, err := d.Stat(t.Context(), path); err == nil {
			got = get(t, d, path)
		} else if storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return err
		}
		if !slices.Contains(allowed, got) {
			return fmt.Errorf("%s is %q, want one of %q", path, got, allowed)
		}
	}
	for path, allowed := range s.uploads {
		got := missing
		committed := missing
		if _, err := d.Stat(t.Context(), path); err == nil {
			committed = get(t, d, path)
		}
		if w := upload(t, d, path, true); w.up.Resumed && int(w.at) != len(committed) {
			if err := w.commit(""); err != nil {
				return fmt.Errorf("%s: the upload of %d bytes: %w", path, w.at, err)
			}
			got = get(t, d, path)
		}
		if !slices.Contains(allowed, got) {
			return fmt.Errorf("the upload to %s has %q, want one of %q", path, got, allowed)
		}
	}
	return nil
}

// powerLoss runs steps and takes the power away after everything that each of them does.
type powerLoss struct {
	t      *testing.T
	d      *filesystem.Driver
	disk   *disk
	now    stored
	checks int

	mu sync.Mutex // what is synced at once is told at once
}

// step does something that leads from what is stored now to what change makes of it.
func (p *powerLoss) step(name string, change func(*stored), do func() error) {
	p.t.Helper()
	then := p.now.clone()
	change(&then)
	between := p.now.or(then)
	p.d.Observe(func(effect string, names ...string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.disk.observe(effect, names...)
		p.crash(fmt.Sprintf("%s, after %s %q", name, effect, names), between)
	})
	if err := do(); err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	p.now = then
	p.crash("after "+name, then)
}

func (p *powerLoss) crash(when string, want stored) {
	for _, c := range []crash{nothing, namesOnly, zeros} {
		p.checks++
		left := p.disk.after(c)
		if err := want.check(p.t, left); err != nil {
			p.t.Errorf("power lost %s, when of what was not synced %s reached the disk: %v\nleft is %q", when, c, err, left)
		}
	}
}

func (p *powerLoss) put(path, content string) {
	p.step("put "+path, func(s *stored) { s.files[path] = []string{content} }, func() error {
		return p.d.Put(p.t.Context(), path, storagedriver.BytesSource(content))
	})
}

// remove is the change of deleting paths and what is unfinished there.
func remove(paths ...string) func(*stored) {
	return func(s *stored) {
		for _, path := range paths {
			s.files[path], s.uploads[path] = []string{missing}, []string{missing}
		}
	}
}

func newPowerLoss(t *testing.T, syncEvery time.Duration) *powerLoss {
	root := t.TempDir()
	p := &powerLoss{t: t, d: openDurable(t, root), disk: newDisk(t, root), now: stored{map[string][]string{}, map[string][]string{}}}
	p.d.SyncEvery(syncEvery)
	// The root directory itself is there.
	p.disk.observe("sync directory", ".")
	return p
}

func TestPowerLoss(t *testing.T) {
	t.Parallel()
	for _, syncEvery := range []time.Duration{0, 24 * time.Hour} {
		t.Run(syncEvery.String(), func(t *testing.T) { testPowerLoss(newPowerLoss(t, syncEvery)) })
	}
}

func testPowerLoss(p *powerLoss) {
	t := p.t
	ctx := t.Context()

	p.put("/f", "at the root")
	p.put("/a/b/f", "one, in new directories")
	p.put("/a/b/f", "two, over content")
	p.put("/a/b/g", "another one there")

	w := upload(t, p.d, "/up/dir/u", false)
	part := func(content string) {
		p.step("part of /up/dir/u", func(s *stored) {
			s.uploads["/up/dir/u"] = append(slices.Clone(allowedAt(s.uploads, "/up/dir/u")), content)
		}, func() error { return w.part(storagedriver.BytesSource(content[w.at:])) })
	}
	suspend := func(content string) {
		p.step("suspend /up/dir/u", func(s *stored) { s.uploads["/up/dir/u"] = []string{content} }, w.suspend)
	}
	part("first,")
	part("first,second,")
	suspend("first,second,")
	w = upload(t, p.d, "/up/dir/u", true)
	part("first,second,third,")
	suspend("first,second,third,")
	p.step("commit /up/dir/u", func(s *stored) {
		s.files["/up/dir/u"], s.uploads["/up/dir/u"] = []string{"first,second,third,end"}, []string{missing}
	}, func() error { return w.commit("end") })

	w = upload(t, p.d, "/new/dirs/for/u", false)
	p.step("commit of /new/dirs/for/u", func(s *stored) { s.files["/new/dirs/for/u"] = []string{"only"} }, func() error { return w.commit("only") })

	p.step("move /a/b/g to new directories", func(s *stored) {
		s.files["/m/n/g"] = s.files["/a/b/g"]
		remove("/a/b/g")(s)
	}, func() error { return p.d.Move(ctx, "/a/b/g", "/m/n/g") })
	p.step("move the directory /m", func(s *stored) {
		s.files["/k/m/n/g"] = s.files["/m/n/g"]
		remove("/m/n/g")(s)
	}, func() error { return p.d.Move(ctx, "/m", "/k/m") })
	p.step("copy", func(s *stored) { s.files["/k/copy"] = s.files["/f"] }, func() error { return p.d.Copy(ctx, "/f", "/k/copy") })

	for _, end := range []struct {
		name string
		do   func(w *writer) error
	}{
		{"cancel", func(w *writer) error { return w.cancel() }},
		{"abort", func(*writer) error { return p.d.AbortUploads(ctx, "/up") }},
	} {
		w = upload(t, p.d, "/up/dir/u2", false)
		p.step("an upload", func(s *stored) { s.uploads["/up/dir/u2"] = []string{"more"} }, func() error { return w.parts("more").suspend() })
		p.step(end.name, remove("/up/dir/u2"), func() error { return end.do(w) })
	}
	p.step("delete", remove("/f"), func() error { return p.d.Delete(ctx, "/f") })
	p.step("delete a directory", remove("/a/b/f"), func() error { return p.d.DeleteTree(ctx, "/a") })
	p.step("delete all", func(s *stored) { remove(slices.Collect(maps.Keys(s.files))...)(s) }, func() error { return p.d.DeleteTree(ctx, "/") })
	p.d.Observe(nil)
	t.Logf("%d losses of power", p.checks)
}

// TestPowerLossAfterRepetition: a part that was suspended is repeated, and the disk fails once as its old length is
// taken back.
func TestPowerLossAfterRepetition(t *testing.T) {
	t.Parallel()
	p := newPowerLoss(t, 0)
	w := upload(t, p.d, "/f", false)
	p.step("first part", func(s *stored) { s.uploads["/f"] = []string{missing, "first,"} }, func() error { return w.part(storagedriver.BytesSource("first,")) })
	p.step("suspend", func(s *stored) { s.uploads["/f"] = []string{"first,second,"} }, func() error { return w.parts("second,").suspend() })
	part := func(content string) error {
		_, err := p.d.PutPart(t.Context(), w.up.Token, storagedriver.Part{Number: 2, Offset: 6, Body: storagedriver.BytesSource(content)})
		return err
	}
	p.step("part that fails", func(s *stored) { s.uploads["/f"] = []string{"first,second,", "first,"} }, func() error {
		p.d.FailSync(syscall.EIO)
		defer p.d.FailSync(nil)
		if err := part("two,"); !errors.Is(err, syscall.EIO) {
			return fmt.Errorf("got %w, want EIO", err)
		}
		return nil
	})
	p.step("the part again", func(s *stored) { s.uploads["/f"] = []string{"first,", "first,two,"} }, func() error { return part("two,") })
	p.d.Observe(nil)
}

// TestPowerLossAfterTakeover: a writer takes an upload with more in its file than counts.
func TestPowerLossAfterTakeover(t *testing.T) {
	t.Parallel()
	p := newPowerLoss(t, 24*time.Hour)
	p.step("suspend", func(s *stored) { s.uploads["/f"] = []string{"head,"} }, func() error { return upload(t, p.d, "/f", false).parts("head,").suspend() })
	w := upload(t, p.d, "/f", true)
	p.step("parts of one", func(s *stored) { s.uploads["/f"] = []string{"head,", "head,one,"} }, func() error {
		w.parts("one,", "a2,", "a3,")
		return nil
	})
	w = upload(t, p.d, "/f", true)
	p.step("parts of another", func(*stored) {}, func() error {
		w.parts("b1,", "b2,")
		return nil
	})
	p.step("its suspend", func(s *stored) { s.uploads["/f"] = []string{"head,one,b1,b2,"} }, w.suspend)
	p.d.Observe(nil)
}
