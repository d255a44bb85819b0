package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/migrate"
)

func wantError(t *testing.T, err error, kind storagedriver.Kind, texts ...string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind || err == nil {
		t.Errorf("want %q, got %v", kind, err)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("want %q in the error, got %v", text, err)
		}
	}
}

// TestFromBeginToEnd goes through all phases, and looks at what is left.
func TestFromBeginToEnd(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	_, err := migrate.Status(t.Context(), p.new)
	wantError(t, err, storagedriver.KindNotFound, "there is no migration")
	for i := range 50 {
		p.put(p.old, fmt.Sprintf("/a/%d/f", i), fmt.Sprint("old", i))
	}
	q, other := p.open(), p.open()
	wantError(t, q.Finish(t.Context()), storagedriver.KindConflict, "is counting")
	if err := q.PutContent(t.Context(), "/a/7/f", []byte("newer")); err != nil {
		t.Fatal(err)
	}
	copyAll(t, q)
	s, err := migrate.Status(t.Context(), p.new)
	if err != nil || s.Phase != migrate.PhaseVerified || s.Total.Files != 49 || s.Copied.Files != 49 || s.Done.Files != 49 || s.Failed != 0 {
		t.Errorf("want 49 files verified, got %+v, %v", s, err)
	}
	p.want("/a/6/f", "old6", "old6")
	if err := q.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err = migrate.Status(t.Context(), p.new); err != nil || s.Phase != migrate.PhaseFinished {
		t.Errorf("want it finished, got %+v, %v", s, err)
	}
	// Nobody looks at old, whoever had it open.
	p.put(p.old, "/late", "late")
	for _, one := range []*process{q, other, p.open()} {
		one.content(t, "/late", "-")
		one.content(t, "/a/6/f", "old6")
	}
	if err := other.Delete(t.Context(), "/a/6/f"); err != nil {
		t.Error(err)
	}
	p.want("/a/6/f", "old6", "-")
	other.content(t, "/a/6/f", "-")
	if err := q.Finish(t.Context()); err != nil {
		t.Errorf("finished twice: %v", err)
	}
}

// TestNobodyReadsOldOnceFinishReturned has a process that knew nothing of it look for what another one deleted on new alone.
func TestNobodyReadsOldOnceFinishReturned(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.put(p.old, "/f", "old")
	q, other := p.open(), p.open()
	copyAll(t, q)
	ended := started(func() error { return q.Finish(t.Context()) })
	for done := false; !done; {
		other.content(t, "/f", "old") // confirms again and again that it may look
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			done = true
		default:
		}
	}
	if err := q.Delete(t.Context(), "/f"); err != nil {
		t.Fatal(err)
	}
	other.content(t, "/f", "-")
}

// TestManyBegin opens the same pair from many processes at once.
func TestManyBegin(t *testing.T) {
	t.Parallel()
	for range 20 {
		old, new := inmemory.New(), inmemory.New()
		var begun []<-chan error
		for range 8 {
			begun = append(begun, started(func() error {
				_, err := migrate.Open(t.Context(), migrate.Config{Old: old, New: new})
				return err
			}))
		}
		for _, one := range begun {
			if err := wait(t, one, "a process"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := migrate.Open(t.Context(), migrate.Config{Old: old, New: new}); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
	}
}

func TestFinishRefuses(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	p.put(p.old, "/f", "old")
	gate := layers.Complete(p.old)
	w, err := gate.Writer(t.Context(), "/under/way", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	q := p.open()
	copyAll(t, q)
	wantError(t, q.Finish(t.Context()), storagedriver.KindConflict, "1 unfinished uploads, the first to /under/way", "orphans abort")
	if w, err = q.Writer(t.Context(), "/under/way", true); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Commit(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
	q.content(t, "/under/way", "half")
	wantError(t, q.Finish(t.Context()), storagedriver.KindConflict, "/under/way is on old, and not the same on new")
	s, err := migrate.Status(t.Context(), p.new)
	if err != nil || s.Phase != migrate.PhaseVerifying {
		t.Errorf("want it to be verified again, got %+v, %v", s, err)
	}
	copyAll(t, q)
	if err := q.Finish(t.Context()); err != nil {
		t.Error(err)
	}
	q.content(t, "/under/way", "half")
}

// TestADifferenceIsFound has content on new that is not what old has, of the same size.
func TestADifferenceIsFound(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	q := p.open()
	p.put(p.old, "/f", "right")
	p.put(p.old, "/g", "other")
	p.put(p.new, "/f", "wrong")
	err := q.Copy(t.Context(), migrate.CopyOptions{})
	wantError(t, err, storagedriver.KindUnknown, "1 files are not on new", "/f", "different digests")
	s, err := migrate.Status(t.Context(), p.new)
	if err != nil || s.Failed != 1 || len(s.Failures) != 1 || s.Failures[0].Path != "/f" {
		t.Errorf("want the failure in the state, got %+v, %v", s, err)
	}
	wantError(t, q.Finish(t.Context()), storagedriver.KindConflict, "is verifying")
	p.want("/f", "right", "wrong") // it is for the operator to decide
	p.want("/g", "other", "other")
	if err := q.Copy(t.Context(), migrate.CopyOptions{Verify: migrate.VerifySize}); err != nil {
		t.Errorf("by size: %v", err)
	}
}

func TestAnotherOldStoreIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.open()
	_, err := migrate.Open(t.Context(), migrate.Config{Old: inmemory.New(), New: p.new})
	wantError(t, err, storagedriver.KindConflict, "the state of a migration from another store")
	// Not from a store to which a migration is not finished.
	_, err = migrate.Open(t.Context(), migrate.Config{Old: p.new, New: inmemory.New()})
	wantError(t, err, storagedriver.KindConflict, "is itself the new one of a migration that is counting")
	used := inmemory.New()
	p.put(used, "/f", "of another time")
	_, err = migrate.Open(t.Context(), migrate.Config{Old: inmemory.New(), New: used})
	wantError(t, err, storagedriver.KindConflict, "the new store is not empty")
	p.put(p.new, migrate.StatePath, `{"version": 2}`)
	_, err = migrate.Open(t.Context(), migrate.Config{Old: p.old, New: p.new})
	wantError(t, err, storagedriver.KindUnsupported, "has version 2, and this program knows 1")
	p.put(p.new, migrate.StatePath, `nonsense`)
	_, err = migrate.Open(t.Context(), migrate.Config{Old: p.old, New: p.new})
	wantError(t, err, storagedriver.KindCorrupt, migrate.StatePath, "is not of this program")
}

// TestSeveralBegin has one process give old an id and end before it writes the state, while another begins; and then a third begins.
func TestSeveralBegin(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.put(p.old, migrate.IDsDir+"/0123", `{"version": 1}`)
	p.open()
	s, err := migrate.Status(t.Context(), p.new)
	if err != nil || s.Source != "0123" {
		t.Errorf("want a migration from 0123, got %+v, %v", s, err)
	}
	for _, late := range []string{"0000", "ffff"} {
		p.put(p.old, migrate.IDsDir+"/"+late, `{"version": 1}`)
		p.open()
	}
	back := &pair{t: t, old: p.new, new: p.old, scale: p.scale}
	back.open()
}

// TestTheWayBack turns a migration round before it is over.
func TestTheWayBack(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	for _, path := range []string{"/kept", "/replaced", "/deleted", "/moved"} {
		p.put(p.old, path, "old")
	}
	q := p.open()
	copyAll(t, q)
	if err := errors.Join(q.PutContent(t.Context(), "/replaced", []byte("newer")), q.Delete(t.Context(), "/deleted"), q.Move(t.Context(), "/moved", "/to"), q.Close()); err != nil {
		t.Fatal(err)
	}
	back := &pair{t: t, old: p.new, new: p.old, scale: p.scale}
	q = back.open()
	check := func() {
		t.Helper()
		for path, want := range map[string]string{"/kept": "old", "/replaced": "newer", "/deleted": "-", "/moved": "-", "/to": "old"} {
			q.content(t, path, want)
		}
	}
	check()
	copyAll(t, q)
	if err := q.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	check()
	back.want("/replaced", "newer", "newer")
	// Then the other one is out of date.
	q.Close()
	_, err := migrate.Open(t.Context(), migrate.Config{Old: back.new, New: back.old})
	wantError(t, err, storagedriver.KindConflict, "the new store is not empty")
}

// TestAFailureOfNewIsNoLookAtOld.
func TestAFailureOfNewIsNoLookAtOld(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	q := p.open()
	p.put(p.old, "/f", "stale")
	p.put(p.new, "/f", "newer")
	fail := func() error {
		return storagedriver.NewError(storagedriver.KindUnavailable, "not now")
	}
	q.new.on("Read /f", fail)
	_, err := q.GetContent(t.Context(), "/f")
	wantError(t, err, storagedriver.KindUnavailable, "migrate: GetContent /f", "new (inmemory)", "not now")
	q.new.on("Stat /f", fail)
	_, err = q.Stat(t.Context(), "/f")
	wantError(t, err, storagedriver.KindUnavailable, "new (inmemory)")
	q.old.on("Read /g", fail)
	_, err = q.GetContent(t.Context(), "/g")
	wantError(t, err, storagedriver.KindUnavailable, "old (inmemory)")
	q.content(t, "/f", "newer")
}

// TestWhatMovesBetweenTwoLooksIsSeen has a change store on new and remove from old between a look at one and at the other.
func TestWhatMovesBetweenTwoLooksIsSeen(t *testing.T) {
	for name, look := range map[string]func(q *process) (string, error){
		"read": func(q *process) (string, error) {
			c, err := q.GetContent(context.Background(), "/dir/f")
			return string(c), err
		},
		"stat": func(q *process) (string, error) {
			info, err := q.Stat(context.Background(), "/dir/f")
			if err != nil {
				return "", err
			}
			return strings.Repeat("x", int(info.Size())), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			p.put(p.old, "/dir/f", "old")
			reader, client := p.open(), p.open()
			op := map[string]string{"read": "Read", "stat": "Stat"}[name]
			reached, release := reader.old.hold(op + " /dir/f")
			type answer struct {
				got string
				err error
			}
			answered := make(chan answer, 1)
			go func() {
				got, err := look(reader)
				answered <- answer{got, err}
			}()
			wait(t, reached, "the look at old")
			if err := client.PutContent(t.Context(), "/dir/f", []byte("newer")); err != nil {
				t.Fatal(err)
			}
			release()
			if a := wait(t, answered, "the answer"); a.err != nil || len(a.got) != len("newer") {
				t.Errorf("want it to be there, got %q, %v", a.got, a.err)
			}
		})
	}
	t.Run("list", func(t *testing.T) {
		p := newPair(t)
		p.put(p.old, "/dir/f", "old")
		p.put(p.old, "/dir/g", "old")
		reader, client := p.open(), p.open()
		moved := false
		reader.old.listed = func() {
			if !moved {
				moved = true
				if err := client.PutContent(t.Context(), "/dir/f", []byte("newer")); err != nil {
					t.Error(err)
				}
			}
		}
		reader.new.listed = reader.old.listed
		got, err := reader.List(t.Context(), "/dir")
		if err != nil || !slices.Equal(got, []string{"/dir/f", "/dir/g"}) {
			t.Errorf("want both, got %v, %v", got, err)
		}
	})
}

// paged lists a few entries at a time.
type paged struct {
	storagedriver.Backend
	limit int
}

func (b paged) List(ctx context.Context, path, cursor string, _ int) (storagedriver.Page, error) {
	return b.Backend.List(ctx, path, cursor, b.limit)
}

// TestOneOfAFileAndADirectoryIsListed has other names between the two, so that they come on different pages: on old is what an upload has left, which is private.
func TestOneOfAFileAndADirectoryIsListed(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 3, 1000} {
		p := newPair(t)
		p.open()
		p.put(p.old, "/d/a/b~upload", "x")
		for _, path := range []string{"/d/a", "/d/a-x", "/d/a.x", "/d/b"} {
			p.put(p.new, path, "x")
		}
		d, err := migrate.Open(t.Context(), migrate.Config{Old: paged{p.old, limit}, New: paged{p.new, limit}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := walked(t, d), []string{"/d/", "/d/a", "/d/a-x", "/d/a.x", "/d/b"}; !slices.Equal(got, want) {
			t.Errorf("%d at a time: want %q, got %q", limit, want, got)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestListingsAreMerged compares with a store that has everything, at every size of pages.
func TestListingsAreMerged(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 30 {
		p, all := newPair(t), inmemory.New()
		p.open()
		for range random.IntN(40) {
			path := "/d/" + string(rune('a'+random.IntN(20))) + []string{"", "-", ".x", "/below", "/other"}[random.IntN(5)]
			if _, err := all.Stat(t.Context(), path); err == nil {
				continue
			}
			if err := all.Put(t.Context(), path, storagedriver.BytesSource("x")); err != nil {
				continue // a file above, or a directory
			}
			side := random.IntN(3)
			if side != 0 {
				p.put(p.old, path, "x")
			}
			if side != 1 {
				p.put(p.new, path, "x")
			}
		}
		for _, limits := range [][2]int{{1, 1}, {1, 5}, {3, 2}, {1000, 1}, {1000, 1000}} {
			d, err := migrate.Open(t.Context(), migrate.Config{Old: paged{p.old, limits[0]}, New: paged{p.new, limits[1]}})
			if err != nil {
				t.Fatal(err)
			}
			want, got := walked(t, layers.Complete(all)), walked(t, d)
			if !slices.Equal(want, got) {
				t.Fatalf("round %d, pages of %v:\nwant %v\ngot  %v", n, limits, want, got)
			}
			for i, hint := range want {
				rest := walked(t, d, storagedriver.WithStartAfterHint(strings.TrimSuffix(hint, "/")))
				if !slices.Equal(rest, want[i+1:]) {
					t.Fatalf("round %d, after %s: want %v, got %v", n, hint, want[i+1:], rest)
				}
			}
		}
	}
}

func walked(t *testing.T, d storagedriver.StorageDriver, options ...func(*storagedriver.WalkOptions)) []string {
	t.Helper()
	out := []string{}
	err := d.Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
		path := info.Path()
		if info.IsDir() {
			path += "/"
		}
		out = append(out, path)
		return nil
	}, options...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestTheRateIsKept reads no more than it may in the time that a test has.
func TestTheRateIsKept(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.put(p.old, "/f", strings.Repeat("x", 1<<20))
	q := p.open()
	ctx, cancel := context.WithCancel(t.Context())
	copied := started(func() error { return q.Copy(ctx, migrate.CopyOptions{Rate: 1}) })
	until(t, "the copier", func() bool {
		s, err := migrate.Status(t.Context(), p.new)
		return err == nil && s.Phase == migrate.PhaseCopying
	})
	cancel()
	wantError(t, wait(t, copied, "the copier"), storagedriver.KindCanceled)
	p.want("/f", strings.Repeat("x", 1<<20), "-")
	copyAll(t, q)
	p.want("/f", strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20))
}

func TestLeft(t *testing.T) {
	now := time.Now()
	s := migrate.State{
		Phase: migrate.PhaseCopying, Total: migrate.Count{Files: 100, Bytes: 1000}, Done: migrate.Count{Files: 60, Bytes: 400},
		RateSince: now.Add(-10 * time.Second), RateDone: migrate.Count{Files: 50, Bytes: 300}, Updated: now,
	}
	if left, ok := s.Left(); !ok || left.Round(time.Second) != time.Minute {
		t.Errorf("600 bytes at 10 a second: want 1m, got %v, %v", left, ok)
	}
	s.Done.Bytes = 999
	if left, ok := s.Left(); !ok || left.Round(time.Second) != 40*time.Second {
		t.Errorf("40 files at 1 a second: want 40s, got %v, %v", left, ok)
	}
	s.Phase = migrate.PhaseVerified
	if left, ok := s.Left(); ok {
		t.Errorf("want nothing left, got %v", left)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for text, o := range map[string]migrate.CopyOptions{
		`"parallel" must be`: {Parallel: -1}, `"rate" must be`: {Rate: -1}, `"verify" must be digest or size`: {Verify: "none"},
	} {
		_, err := migrate.Open(t.Context(), migrate.Config{Old: inmemory.New(), New: inmemory.New(), Copying: o})
		wantError(t, err, storagedriver.KindInvalidArgument, text)
	}
}
