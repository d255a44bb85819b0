package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/migrate"
)

// changes are what a client may do to /dir/f, which is "old" on the old side, and what is there afterwards.
var changes = map[string]struct {
	do   func(ctx context.Context, d storagedriver.StorageDriver) error
	want string
}{
	"put": {func(ctx context.Context, d storagedriver.StorageDriver) error {
		return d.PutContent(ctx, "/dir/f", []byte("newer"))
	}, "newer"},
	"upload": {func(ctx context.Context, d storagedriver.StorageDriver) error {
		return upload(ctx, d, "/dir/f", "newer")
	}, "newer"},
	"delete":       {func(ctx context.Context, d storagedriver.StorageDriver) error { return d.Delete(ctx, "/dir/f") }, "-"},
	"delete above": {func(ctx context.Context, d storagedriver.StorageDriver) error { return d.Delete(ctx, "/dir") }, "-"},
	"move away": {func(ctx context.Context, d storagedriver.StorageDriver) error {
		return d.Move(ctx, "/dir/f", "/elsewhere")
	}, "-"},
	"move onto": {func(ctx context.Context, d storagedriver.StorageDriver) error {
		if err := d.PutContent(ctx, "/from", []byte("moved")); err != nil {
			return err
		}
		return d.Move(ctx, "/from", "/dir/f")
	}, "moved"},
}

func upload(ctx context.Context, d storagedriver.StorageDriver, path, content string) error {
	w, err := d.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	_, err = w.Write([]byte(content))
	return errors.Join(err, w.Commit(ctx), w.Close())
}

// TestAChangeWaitsForTheCopier holds a copier of another process just before its copy is put in its place.
func TestAChangeWaitsForTheCopier(t *testing.T) {
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			p.put(p.old, "/dir/f", "old")
			copier, client := p.open(), p.open()
			reached, release := copier.new.hold("Move to /dir/f")
			defer release()
			copied := started(func() error { return copier.Copy(t.Context(), migrate.CopyOptions{}) })
			wait(t, reached, "the copier")
			changed := started(func() error { return c.do(t.Context(), client) })
			until(t, "the mark", p.marked)
			client.content(t, "/dir/f", "old")
			select {
			case err := <-changed:
				t.Errorf("the change did not wait: %v", err)
			default:
			}
			release()
			if err := wait(t, changed, "the change"); err != nil {
				t.Error(err)
			}
			if err := wait(t, copied, "the copier"); err != nil {
				t.Error(err)
			}
			client.content(t, "/dir/f", c.want)
			p.want("/dir/f", "-", c.want)
			if p.marked() {
				t.Error("a mark stays")
			}
		})
	}
}

// TestTheCopierLeavesWhatIsChanged holds a change of another process just before its effect.
func TestTheCopierLeavesWhatIsChanged(t *testing.T) {
	for name, call := range map[string]string{
		"put": "new Put /dir/f", "upload": "new Put /dir/f", "delete": "old Delete /dir/f", "delete above": "old Stat /dir",
		"move onto": "new Move to /dir/f",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, p := changes[name], newPair(t)
			p.put(p.old, "/dir/f", "old")
			copier, client := p.open(), p.open()
			side, call, _ := strings.Cut(call, " ")
			store := map[string]*stepped{"old": client.old, "new": client.new}[side]
			var reached <-chan struct{}
			var release func()
			// Of several such calls the one under the mark is meant.
			client.new.on("Put "+migrate.ChangingDir, func() error {
				reached, release = store.hold(call)
				return nil
			})
			changed := started(func() error { return c.do(t.Context(), client) })
			until(t, "the mark", p.marked)
			wait(t, reached, "the change")
			copied := started(func() error { return copier.Copy(t.Context(), migrate.CopyOptions{}) })
			until(t, "the copy", func() bool { return p.at(p.new, "/~migrate/copies/dir/f") == "old" })
			p.want("/dir/f", "old", "-")
			release()
			if err := wait(t, changed, "the change"); err != nil {
				t.Error(err)
			}
			if err := wait(t, copied, "the copier"); err != nil {
				t.Error(err)
			}
			client.content(t, "/dir/f", c.want)
			p.want("/dir/f", "-", c.want)
		})
	}
}

// TestChangesThatFailHalfWay has each call of a change fail in its turn: nothing old comes back, and a repeated change is made.
func TestChangesThatFailHalfWay(t *testing.T) {
	for name, c := range changes {
		for _, there := range []string{"old", "both", "stale"} {
			t.Run(name+" "+there, func(t *testing.T) {
				t.Parallel()
				for n := int64(0); ; n++ {
					p := newPair(t)
					p.open()
					p.put(p.old, "/dir/f", "old")
					switch there {
					case "both":
						p.put(p.new, "/dir/f", "old")
					case "stale": // of a change that was killed: it counts for nothing
						p.put(p.old, "/dir/f", "stale")
						p.put(p.new, "/dir/f", "old")
						p.put(p.new, migrate.ChangingDir+"/killed", `{"version": 1, "seq": 3, "paths": ["/dir/f"], "settle": ["/dir/f"]}`)
					}
					client := p.open()
					var calls atomic.Int64 // some of a change run side by side
					failing := func(s *stepped) {
						s.every(func(string) error {
							if calls.Add(1) == n+1 {
								return storagedriver.NewError(storagedriver.KindUnavailable, "not now")
							}
							return nil
						})
					}
					failing(client.old)
					failing(client.new)
					err := c.do(t.Context(), client)
					other := p.open()
					got, readErr := other.GetContent(t.Context(), "/dir/f")
					if storagedriver.KindOf(readErr) == storagedriver.KindNotFound {
						got = []byte("-")
					}
					if err == nil && string(got) != c.want {
						t.Errorf("call %d failed, and the change said nothing: want %q, got %q", n, c.want, got)
					}
					if !slices.Contains([]string{"old", c.want}, string(got)) {
						t.Errorf("call %d failed: got %q, %v", n, got, readErr)
					}
					if string(got) == c.want && err != nil {
						// Done, and not said: whatever fails or is killed next, it is not undone.
						for i := range 2 {
							other.content(t, "/dir/f", c.want)
							if i == 0 {
								copyAll(t, other)
							}
						}
					}
					if calls.Load() <= n {
						return // all calls have had their turn
					}
				}
			})
		}
	}
}

// every has f called before every call that changes something, from now on.
func (s *stepped) every(f func(call string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

func copyAll(t *testing.T, q *process) {
	t.Helper()
	if err := q.Copy(t.Context(), migrate.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestAMarkThatStaysIsSettled leaves what a process leaves that is killed between storing on new and removing from old.
func TestAMarkThatStaysIsSettled(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	q := p.open()
	p.put(p.old, "/f", "old")
	p.put(p.new, "/f", "newer")
	p.put(p.old, "/g", "old")
	p.put(p.new, migrate.ChangingDir+"/killed", `{"version": 1, "seq": 3, "paths": ["/f", "/g"], "settle": ["/f", "/g"]}`)
	copyAll(t, q)
	p.want("/f", "-", "newer")
	p.want("/g", "old", "old") // nothing was stored there: what was is copied
	if p.marked() {
		t.Error("the mark stays")
	}
}

// TestACopierThatWasKilled leaves an intent: changes wait for it, not for ever, and so does the next copier.
func TestACopierThatWasKilled(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	q := p.open()
	p.put(p.old, "/f", "old")
	p.put(p.new, migrate.CopyingDir+"/killed", `{"version": 1, "seq": 7, "paths": ["/f", "/g"]}`)
	begun := time.Now()
	if err := q.PutContent(t.Context(), "/f", []byte("newer")); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 8*p.scale {
		t.Errorf("the change waited %v; the intent may have counted for %v", took, 8*p.scale)
	}
	p.want("/f", "-", "newer")
	copyAll(t, q)
	if p.at(p.new, migrate.CopyingDir+"/killed") != "-" {
		t.Error("the intent stays")
	}
}

// TestTwoCopiers has the second one refused.
func TestTwoCopiers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.put(p.old, "/f", "old")
	one, two := p.open(), p.open()
	reached, release := one.new.hold("Move to /f")
	defer release()
	copied := started(func() error { return one.Copy(t.Context(), migrate.CopyOptions{}) })
	wait(t, reached, "the copier")
	err := two.Copy(t.Context(), migrate.CopyOptions{})
	if storagedriver.KindOf(err) != storagedriver.KindConflict || !strings.Contains(err.Error(), "another copier is at work") {
		t.Errorf("want another copier named, got %v", err)
	}
	release()
	if err := wait(t, copied, "the copier"); err != nil {
		t.Error(err)
	}
}

// TestAMarkThatCannotBeKept has a change whose mark does not count any more report it.
func TestAMarkThatCannotBeKept(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	p.put(p.old, "/f", "old")
	q := p.open()
	reached, release := q.new.hold("Put /f")
	changed := started(func() error { return q.PutContent(t.Context(), "/f", []byte("newer")) })
	wait(t, reached, "the change")
	failed := make(chan struct{}, 100)
	q.new.every(func(call string) error {
		if !strings.HasPrefix(call, "Put "+migrate.ChangingDir) {
			return nil
		}
		failed <- struct{}{}
		return storagedriver.NewError(storagedriver.KindUnavailable, "not now")
	})
	for range 6 {
		wait(t, failed, "a heartbeat")
	}
	release()
	err := wait(t, changed, "the change")
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "the mark of this change could not be kept") {
		t.Errorf("want a temporary failure that names the mark, got %v", err)
	}
}

// TestACopierThatCannotSayWhatItIsAt stops.
func TestACopierThatCannotSayWhatItIsAt(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.scale = 100 * time.Millisecond
	for i := range 5 {
		p.put(p.old, fmt.Sprintf("/f%d", i), "old")
	}
	q := p.open()
	reached, release := q.new.hold("Move to /f0")
	copied := started(func() error { return q.Copy(t.Context(), migrate.CopyOptions{Parallel: 1}) })
	wait(t, reached, "the copier")
	q.new.every(func(call string) error {
		if strings.HasPrefix(call, "Put "+migrate.CopyingDir) {
			return storagedriver.NewError(storagedriver.KindUnavailable, "not now")
		}
		return nil
	})
	until(t, "the end of the lease", func() bool {
		select {
		case <-time.After(5 * p.scale):
			return true
		case <-t.Context().Done():
			return false
		}
	})
	release()
	err := wait(t, copied, "the copier")
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "new did not take the copier's intents") {
		t.Errorf("want the intents named, got %v", err)
	}
}

// TestACommitBelowWhatIsPutIsNotLost commits an upload of old below a path that is being put, after each look for files there.
func TestACommitBelowWhatIsPutIsNotLost(t *testing.T) {
	const content = "committed"
	for n, ended := 1, false; !ended; n++ {
		p := newPair(t)
		p.old = onDisk(t)(t)
		q := p.open()
		w, err := q.BeginOnOld(t.Context(), "/dir/f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		other := layers.Complete(p.old)
		looks := 0
		q.old.listed = func() {
			if looks++; looks != n {
				return
			}
			w, err := other.Writer(t.Context(), "/dir/f", true)
			if err != nil {
				t.Fatal(err)
			}
			if ended = w.Size() == 0; !ended {
				err = w.Commit(t.Context())
			}
			if err := errors.Join(err, w.Close()); err != nil {
				t.Error(err)
			}
		}
		if err := q.PutContent(t.Context(), "/dir", []byte("put")); err != nil {
			t.Fatal(err)
		}
		switch {
		case looks < n:
			t.Fatalf("the upload has not been ended after %d looks", looks)
		case ended:
			p.want("/dir/f", "-", "-")
		default:
			p.want("/dir/f", content, "-")
		}
		if n == 1 && ended {
			t.Error("the upload was ended before old was looked at")
		}
	}
}
