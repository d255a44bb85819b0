package served

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

const (
	// writerIdle is how long a FileWriter is left open that nobody uses. What its driver collects for it is memory that
	// others may wait for, and its host may have given it up without a word.
	writerIdle = time.Minute
	// maxWriters is how many FileWriters are kept, open or closed. A closed one is kept because it alone can cancel what it has
	// suspended and leave what another has made of it.
	maxWriters = 1024
	// writerSettle is how long a call whose context has ended waits for what was accepted to be suspended: whoever asks next for
	// the upload's size is then told the same.
	writerSettle = time.Second
	// closeParallel is how many of them are suspended at a time in the end.
	closeParallel = 16
)

// uploads keeps the FileWriters that parts go to, by token.
//
// A writer is opened with the upload. It is closed, which suspends it, when the upload is suspended, when a Write fails, when a call's context ends,
// when somebody asks for the upload's size, when nobody uses it for writerIdle, and when there are more than maxWriters. The next part then opens another with append,
// which must have the size that the one before left; of a process that is no more, the size must be where the part begins, or in it. Bytes of a part
// that were accepted already are not written again. Another size, and a path that has committed content meanwhile, is KindConflict. Only by its size
// can an upload be told that another has put in the place of one whose writer is closed.
type uploads struct {
	d    storagedriver.StorageDriver
	idle time.Duration
	most int

	mu     sync.Mutex
	kept   map[string]*keptWriter
	uses   uint64
	closed bool
	group  sync.WaitGroup // of what may go on after its call
}

// keptWriter is the writer of one token.
type keptWriter struct {
	uploadToken
	turn chan struct{} // holds one while somebody uses what follows
	w    storagedriver.FileWriter
	life context.Context    // of w
	stop context.CancelFunc // ends life
	open bool
	// accepted: w has accepted bytes. broken: it is to be closed, as nothing more can be written.
	accepted, broken bool
	over             error // what every later call is told: another has moved on, or ended the upload
	gone             bool  // no more in the table: who waited for the turn looks again

	// failed: a part was not taken whole, and its call may have returned while it still is.
	failed atomic.Bool

	used  uint64      // by uploads.mu: when
	timer *time.Timer // by the turn
}

// uploadToken is what a token says. It is enough to go on in another process.
type uploadToken struct {
	name   string
	path   string // the driver's
	append bool
}

func newToken(path string, append bool) uploadToken {
	kind := "n"
	if append {
		kind = "a"
	}
	return uploadToken{name: kind + rand.Text() + path, path: path, append: append}
}

func parseToken(name string) (uploadToken, error) {
	id, path, ok := strings.Cut(name, "/")
	if !ok || len(id) < 2 || id[0] != 'n' && id[0] != 'a' || storagedriver.ValidatePath("/"+path) != nil {
		return uploadToken{}, errNoToken
	}
	return uploadToken{name: name, path: "/" + path, append: id[0] == 'a'}, nil
}

// UploadPath returns the path that OpenUpload was given for a token that it answered.
func UploadPath(token string) (string, error) {
	t, err := parseToken(token)
	if err != nil {
		return "", err
	}
	names := strings.Split(t.path, "/")
	for i, escaped := range names {
		name, ok := unescapeName(escaped)
		if !ok {
			return "", errNoToken
		}
		names[i] = name
	}
	return strings.Join(names, "/"), nil
}

var errNoToken error = storagedriver.NewError(storagedriver.KindInvalidArgument, "not an upload's token")

func newUploads(d storagedriver.StorageDriver) *uploads {
	return &uploads{d: d, idle: writerIdle, most: maxWriters, kept: map[string]*keptWriter{}}
}

var errUploadEnded error = storagedriver.NewError(storagedriver.KindConflict, "the upload was ended")

// with calls f with the token's writer, which nobody else uses meanwhile. When ctx ends the writer's context does as well, so that a Write which waits
// returns, and what was accepted is suspended.
func (u *uploads) with(ctx context.Context, token string, f func(ctx context.Context, k *keptWriter) error) error {
	k, err := u.take(ctx, token)
	if err != nil {
		return err
	}
	if !k.open {
		k.life, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	}
	unhook := context.AfterFunc(ctx, k.stop)
	return u.inTurn(ctx, k, func() error {
		err := f(ctx, k)
		ended := !unhook()
		k.failed.Store(err != nil || ended)
		if k.broken || ended {
			_ = k.close() // the error to tell is err
		}
		return err
	})
}

// inTurn calls f, whose turn with k it is, and gives the turn back. When ctx ends it returns without f, which goes on, if that is not over soon.
func (u *uploads) inTurn(ctx context.Context, k *keptWriter, f func() error) error {
	result := make(chan error, 1)
	u.group.Go(func() {
		err := f()
		u.release(k)
		result <- err
	})
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	late := time.NewTimer(writerSettle)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
		k.failed.Store(true)
		return ctx.Err()
	}
}

// has reports whether the token's writer is kept.
func (u *uploads) has(token string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.kept[token] != nil
}

// find returns the kept writers that match. Only what is constant of them may be looked at, and failed.
func (u *uploads) find(match func(k *keptWriter) bool) (found []*keptWriter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, k := range u.kept {
		if match(k) {
			found = append(found, k)
		}
	}
	return found
}

// take returns the token's writer, with its turn.
func (u *uploads) take(ctx context.Context, token string) (*keptWriter, error) {
	t, err := parseToken(token)
	if err != nil {
		return nil, err
	}
	for {
		k, oldest := u.keep(t)
		if oldest != nil {
			if err := u.retire(ctx, oldest); err != nil {
				return nil, err
			}
		}
		if err := k.await(ctx); err != nil {
			return nil, err
		}
		if !k.gone {
			return k, nil
		}
		<-k.turn
	}
}

// try takes the turn if nobody has it.
func (k *keptWriter) try() bool {
	select {
	case k.turn <- struct{}{}:
		return true
	default:
		return false
	}
}

// await takes the turn.
func (k *keptWriter) await(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep returns what is kept for the token, and who has to go for it, with its turn, or nil.
func (u *uploads) keep(t uploadToken) (k, oldest *keptWriter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.uses++
	k = u.kept[t.name]
	if k == nil {
		k = &keptWriter{uploadToken: t, turn: make(chan struct{}, 1)}
		if len(u.kept) >= u.most {
			oldest = u.oldest()
		}
		u.kept[t.name] = k
	}
	k.used = u.uses
	return k, oldest
}

// oldest returns, with its turn, the kept writer that was not used for the longest time and is not used now, or nil. u.mu is held.
func (u *uploads) oldest() *keptWriter {
	kept := make([]*keptWriter, 0, len(u.kept))
	for _, k := range u.kept {
		kept = append(kept, k)
	}
	slices.SortFunc(kept, func(a, b *keptWriter) int { return cmp.Compare(a.used, b.used) })
	for _, k := range kept {
		if k.try() {
			return k
		}
	}
	return nil
}

// retire suspends what k has, and forgets it. It has its turn.
func (u *uploads) retire(ctx context.Context, k *keptWriter) error {
	return u.inTurn(ctx, k, func() error {
		_ = k.close() // who goes on with it is told
		u.drop(k)
		return nil
	})
}

// drop takes k, whose turn it is, out of the table.
func (u *uploads) drop(k *keptWriter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	k.gone = true
	if u.kept[k.name] == k {
		delete(u.kept, k.name)
	}
}

// release gives the turn back.
func (u *uploads) release(k *keptWriter) {
	switch {
	case k.timer == nil && k.open:
		k.timer = time.AfterFunc(u.idle, func() { u.suspendIdle(k) })
	case k.open:
		k.timer.Reset(u.idle)
	case k.timer != nil:
		k.timer.Stop()
	}
	<-k.turn
}

// suspendIdle closes k unless somebody uses it.
func (u *uploads) suspendIdle(k *keptWriter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return
	}
	u.group.Go(func() {
		if k.try() {
			_ = k.close() // who goes on with it is told
			u.release(k)
		}
	})
}

// settle suspends what the writers of the path have accepted, so that the size to be told is that with it: their host may have given them up
// without a word. One that has not goes on with another writer. A part under way is not waited for unless its call has failed.
func (u *uploads) settle(ctx context.Context, path string) error {
	for _, k := range u.find(func(k *keptWriter) bool { return k.path == path }) {
		if k.failed.Load() {
			if err := k.await(ctx); err != nil {
				return err
			}
		} else if !k.try() {
			continue
		}
		err := u.inTurn(ctx, k, func() error {
			if k.accepted {
				_ = k.close() // who goes on with it is told
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// abort ends the upload that k has under way. What it has suspended is left to who asks for this, and what has accepted nothing goes on
// as one that was opened later would.
func (u *uploads) abort(ctx context.Context, k *keptWriter) error {
	if err := k.await(ctx); err != nil {
		return err
	}
	return u.inTurn(ctx, k, func() error {
		if k.open && !k.accepted {
			return nil
		}
		if k.open {
			if err := k.w.Cancel(ctx); err != nil {
				return Cause(err)
			}
			_ = k.close() // nothing, after a cancel
		}
		k.w, k.over = nil, errUploadEnded
		return nil
	})
}

// close suspends everything. No call is under way.
func (u *uploads) close() error {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.group.Wait()
	var group errgroup.Group
	group.SetLimit(closeParallel)
	var mu sync.Mutex
	var all []error
	for _, k := range u.find(func(*keptWriter) bool { return true }) {
		group.Go(func() error {
			err := k.close()
			if k.timer != nil {
				k.timer.Stop()
			}
			// Of another writer's having moved on nobody need be told any more.
			if err != nil && storagedriver.KindOf(err) != storagedriver.KindConflict {
				mu.Lock()
				defer mu.Unlock()
				all = append(all, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in all
	return errors.Join(all...)
}
