package filesystem

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// claim is an upload's file, held by one writer: open, locked, and as long as its name
// says. It has no slot.
type claim struct {
	d    *Driver
	t    token
	f    *os.File
	name string // in the root directory
	own  state  // what the name says, once a part of this writer was accepted
	// at is where the next part begins, and last where the one before did, if this call stored one.
	at, last int64
	// pending: the committed content is to be copied before anything is appended, and there
	// is no file yet.
	pending bool
	// fresh: the file is this writer's and no state yet. It goes when the call fails.
	fresh bool
	// dir is the upload's directory, locked, or nil.
	dir *os.File
	// others: there were states of the upload, and not this writer's alone.
	others bool
}

// syncEvery is how much of an upload, in time, a killed process may lose. A sync for each part costs a
// push a third of its speed; one a second costs nothing that can be measured.
const syncEvery = time.Second

// The pauses between two tries for a lock that another writer holds.
const (
	firstPause = time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// claim opens the upload for the writer t to go on at offset. KindConflict: another writer's
// part was accepted since t was opened, or the upload has ended.
func (d *Driver) claim(ctx context.Context, t token, offset int64) (*claim, error) {
	c := &claim{d: d, t: t, at: offset, last: offset}
	err := c.open(ctx)
	if err == nil {
		return c, nil
	}
	c.close()
	return nil, err
}

func (c *claim) close() {
	if c.fresh {
		_ = c.d.root.Remove(c.name)
		_ = c.d.rmdir(uploadDir(c.t.path))
	}
	for _, f := range []*os.File{c.f, c.dir} {
		if f != nil {
			_ = f.Close() // and the lock is gone
		}
	}
}

func (c *claim) open(ctx context.Context) error {
	found, err := c.findOwn(ctx)
	switch {
	case err != nil:
		return err
	case found:
		return c.continueOwn(ctx)
	case c.t.base != seen{}:
		if c.at != c.t.base.length {
			return conflict("the upload does not end where the part begins")
		}
		return c.take(ctx, c.t.base.state)
	case c.t.committed != version{}:
		if c.others {
			return overtaken()
		}
		if c.at != c.t.committed.size {
			return conflict("the content does not end where the part begins")
		}
		c.pending = true
		return c.unchanged(ctx)
	case c.at > 0:
		return conflict("the upload has ended")
	}
	return c.begin(ctx)
}

// findOwn finds the state file of this writer, which exists once a part of it was accepted.
func (c *claim) findOwn(ctx context.Context) (found bool, err error) {
	if err := c.d.enter(ctx); err != nil {
		return false, err
	}
	defer c.d.leave()
	states, err := c.d.states(uploadDir(c.t.path))
	c.others = len(states) > 0
	for _, s := range states {
		if s.session == c.t.session {
			c.own = s
			return true, nil
		}
	}
	return false, classify(err, writing)
}

// continueOwn takes the writer's own file, and withdraws its last part if that is repeated.
func (c *claim) continueOwn(ctx context.Context) error {
	if c.at < c.own.length && c.at != c.own.last {
		return conflict("the upload does not end where the part begins")
	}
	withdrawn := c.at < c.own.length
	if err := c.take(ctx, c.own); err != nil || !withdrawn {
		return err
	}
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	// The name first, durably: it must never promise more than there is.
	if err := c.rename(); err != nil {
		return err
	}
	if err := c.d.root.syncDir(uploadDir(c.t.path)); err != nil {
		return classify(err, writing)
	}
	return c.cut()
}

// take opens and locks the file of s, and cuts off what a killed writer left at its end.
func (c *claim) take(ctx context.Context, s state) error {
	c.name = join(uploadDir(c.t.path), s.String())
	if err := c.openLocked(ctx, false); err != nil {
		return err
	}
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	// While this one waited for the lock, its holder may have gone on or ended the upload.
	if !c.d.root.isNamed(c.f, c.name) {
		return overtaken()
	}
	there, err := c.f.Stat()
	if err != nil {
		return classify(err, writing)
	}
	if there.Size() < s.length {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the upload's file has %d bytes of %d", there.Size(), s.length)
	}
	if there.Size() < c.at {
		return conflict("the upload does not end where the part begins")
	}
	if c.at < s.length {
		return nil // continueOwn cuts
	}
	if c.own == (state{}) && there.Size() > s.length {
		if err := c.fence(there.Size()); err != nil {
			return err
		}
	}
	if there.Size() > c.at {
		// That the name does not promise what is cut off is durable first: whoever gave it the name may have failed at that.
		if err := c.d.root.syncDir(uploadDir(c.t.path)); err != nil {
			return classify(err, writing)
		}
	}
	return c.cut()
}

// fence sees to it that the writer whose parts are beyond the length that the name says does not find them under that
// name when others are there. It is called before they are cut off. A slot is held.
func (c *claim) fence(size int64) error {
	if size > c.t.base.size {
		return overtaken()
	}
	return c.rename()
}

// cut makes the file end, and be written next, at c.at. A slot is held.
func (c *claim) cut() error {
	if err := c.f.Truncate(c.at); err != nil {
		return classify(err, writing)
	}
	_, err := c.f.Seek(c.at, 0)
	return classify(err, writing)
}

// begin makes the file of a fresh upload, or takes the one that an earlier attempt of this
// writer left.
func (c *claim) begin(ctx context.Context) error {
	c.name = join(uploadDir(c.t.path), freshName(c.t.session))
	if err := c.openLocked(ctx, true); err != nil {
		return err
	}
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	if !c.d.root.isNamed(c.f, c.name) {
		return busy("an earlier attempt at this part has just ended")
	}
	c.fresh = true
	return classify(c.f.Truncate(0), writing)
}

// copyCommitted begins with a copy of what is committed at the path, if it is still what the
// writer was opened on.
func (c *claim) copyCommitted(ctx context.Context) error {
	c.pending = false
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := c.d.copyFrom(ctx, c.f, c.t.path); err != nil {
		return err
	}
	return c.unchanged(ctx)
}

// unchanged returns KindConflict when the path has other content than the writer was opened on.
func (c *claim) unchanged(ctx context.Context) error {
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	info, err := c.d.root.Stat(rel(c.t.path))
	if errors.Is(err, fs.ErrNotExist) || err == nil && versionOf(info) != c.t.committed {
		return conflict("the content was replaced")
	}
	return classify(err, writing)
}

// openLocked opens c.name, or makes it, and waits for its lock. A file that should be there and
// is not is a conflict.
func (c *claim) openLocked(ctx context.Context, fresh bool) error {
	if err := c.openFile(ctx, fresh); err != nil {
		return err
	}
	return lock(ctx, c.f)
}

// lock waits for the lock of f. It is called without a slot.
func lock(ctx context.Context, f *os.File) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err := ctx.Err(); err != nil {
			return err
		}
		locked, err := tryLock(f)
		if err != nil || locked {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (c *claim) openFile(ctx context.Context, fresh bool) (err error) {
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	if fresh {
		c.f, err = c.d.create(c.name, 0)
		return err
	}
	c.f, err = c.d.root.OpenFile(c.name, os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		return overtaken()
	}
	return classify(err, writing)
}

// fill writes body where the next part begins. What it wrote when it failed is given back to
// the file system, which may be full.
func (c *claim) fill(ctx context.Context, body storagedriver.Source) error {
	if c.pending {
		if err := c.copyCommitted(ctx); err != nil {
			return err
		}
	}
	err := c.d.fill(ctx, c.f, body)
	if err != nil {
		_ = c.f.Truncate(c.at)
	}
	return err
}

// append writes a part where the file ends. The first of a fresh upload, and one a second after that, is made
// durable, with all before it, and the file then gets the name that says so, which suspend makes
// durable. After an error, or a loss of power before that, the name says what it said before.
func (c *claim) append(ctx context.Context, body storagedriver.Source) error {
	if err := c.fill(ctx, body); err != nil {
		return err
	}
	begin := c.at
	c.last, c.at = begin, begin+body.Size()
	if err := c.exclude(ctx); err != nil {
		c.retract(begin)
		return err
	}
	if since := time.Since(time.UnixMilli(c.own.synced)); c.d.root.sync && 0 <= since && since < c.d.syncEvery {
		return nil
	}
	if err := c.d.enter(ctx); err != nil {
		c.retract(begin)
		return err
	}
	defer c.d.leave()
	err := c.promise()
	if err != nil {
		c.retract(begin)
	}
	return err
}

// exclude makes sure, until the call ends, that no other writer which continues the same committed content has a part
// accepted: each has a file of its own, so nothing else would tell them of each other.
func (c *claim) exclude(ctx context.Context) (err error) {
	if c.t.committed == (version{}) || c.own != (state{}) || c.dir != nil {
		return nil
	}
	dir := uploadDir(c.t.path)
	c.dir, err = c.d.root.OpenFile(dir, os.O_RDONLY|dirFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return overtaken()
	}
	if err != nil {
		return classify(err, writing)
	}
	if err := lock(ctx, c.dir); err != nil {
		return err
	}
	found, err := c.findOwn(ctx)
	if err == nil && !found && c.others {
		return overtaken()
	}
	return err
}

// retract cuts off what a call that fails wrote from begin on, or its repetition would take it for another writer's.
// What has another name, or none, is no more this call's.
func (c *claim) retract(begin int64) {
	if c.d.root.isNamed(c.f, c.name) {
		c.at = min(c.at, begin)
		c.last = min(c.last, c.at)
		_ = c.f.Truncate(c.at)
	}
}

// promise makes durable what the file has, and gives it the name that says so. A slot is held.
func (c *claim) promise() error {
	if err := c.d.root.syncFile(c.f, c.name); err != nil {
		c.forsake()
		return classify(err, writing)
	}
	return c.rename()
}

// forsake cuts off, after a sync that failed, all that was not durable before. Any of it may be lost, and
// the next sync would not say so: the system reports a failure once.
func (c *claim) forsake() {
	c.at = max(c.own.length, c.t.base.length)
	c.last = c.at
	_ = c.f.Truncate(c.at)
}

// suspend makes all parts durable, and the name that says how much there is.
func (c *claim) suspend(ctx context.Context) error {
	if c.pending {
		return nil // there is no file
	}
	if err := c.d.enter(ctx); err != nil {
		return err
	}
	defer c.d.leave()
	if c.own != (state{}) && c.own.length < c.at {
		if err := c.promise(); err != nil {
			return err
		}
	}
	dir := uploadDir(c.t.path)
	return classify(c.d.settle(nil, "", dir, false, dir), writing)
}

// rename gives the file the name that says that it ends at c.at. A slot is held.
func (c *claim) rename() error {
	s := state{c.t.session, c.last, c.at, max(0, time.Now().UnixMilli())} // a name has no sign
	to := join(uploadDir(c.t.path), s.String())
	err := c.d.root.Rename(c.name, to)
	if errors.Is(err, fs.ErrNotExist) {
		return overtaken()
	}
	if err == nil {
		c.name, c.own, c.fresh = to, s, false
	}
	return classify(err, writing)
}

// commit appends last, if there is any, and renames the file to the path. A crash before the
// rename leaves the upload as it was.
func (c *claim) commit(ctx context.Context, last storagedriver.Source) error {
	if last == nil {
		last = storagedriver.BytesSource(nil)
	}
	if c.pending && last.Size() == 0 {
		return nil // what is committed is what is wanted
	}
	if err := c.fill(ctx, last); err != nil {
		return err
	}
	if err := c.exclude(ctx); err != nil {
		c.retract(c.at)
		return err
	}
	if err := c.d.enter(ctx); err != nil {
		c.retract(c.at)
		return err
	}
	defer c.d.leave()
	if err := c.d.settle(c.f, c.name, parent(rel(c.t.path)), false); err != nil {
		c.forsake()
		return classify(err, writing)
	}
	dir := uploadDir(c.t.path)
	// Before the content is there: nobody is to find another upload beside it when this call is cut short.
	removed, err := c.d.removeUntouched(dir, c.t.beside)
	if removed && err == nil {
		err = c.d.root.syncDir(dir)
	}
	if err != nil {
		c.retract(c.at)
		return classify(err, writing)
	}
	err = c.d.place(ctx, c.name, rel(c.t.path))
	if errors.Is(err, fs.ErrNotExist) {
		return overtaken()
	}
	if err != nil {
		c.retract(c.at)
		return classify(err, writing)
	}
	c.fresh = false
	// The new name is durable before anything of the old one is.
	if err := c.d.root.syncDir(parent(dir)); err != nil {
		return classify(err, writing)
	}
	// What of the old name comes back is an empty directory.
	c.d.sweep(dir)
	return nil
}

// sweep removes an upload directory, and the files of writers that were killed at their first
// part, unless others are at work there.
func (d *Driver) sweep(dir string) {
	names, _ := d.names(dir)
	for _, name := range names {
		if name = join(dir, name); strings.HasSuffix(name, freshSuffix) {
			if f, err := d.root.OpenFile(name, os.O_RDWR|openFlags, 0); err == nil {
				// One that is made and not locked yet is made again by its writer.
				if locked, err := tryLock(f); locked && err == nil {
					_ = d.root.Remove(name)
				}
				_ = f.Close()
			}
		}
	}
	_ = d.rmdir(dir)
}

func overtaken() error { return conflict("another writer has gone on with the upload, or ended it") }
