package migrate

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
)

var _ storagedriver.StorageDriver = (*Driver)(nil)

// Driver is the StorageDriver over two backends. Its methods may be called concurrently.
type Driver struct {
	storagedriver.StorageDriver // the gate over m; writers are the Driver's own
	m                           *merged

	stop    context.CancelFunc // ends the copier that Config.Copy asked for
	copying sync.WaitGroup
	closing sync.Once
}

// Open begins the migration from c.Old to c.New, or goes on with it. The context governs the opening only. After an error the backends are the
// caller's; otherwise Close closes them.
//
// KindConflict: the state on one of them is that of another migration. KindInvalidArgument: c.Copying is out of its range.
func Open(ctx context.Context, c Config) (*Driver, error) {
	if err := c.Copying.Check(); err != nil {
		return nil, err
	}
	if c.timing == (timing{}) {
		c.timing = defaultTiming()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := attach(ctx, c.Old, c.New); err != nil {
		return nil, err
	}
	m := &merged{
		old: c.Old, new: c.New, oldGate: layers.Complete(c.Old, c.Gate...), newGate: layers.Complete(c.New, c.Gate...),
		stages: &stages{new: c.New, confirm: c.timing.confirm}, timing: c.timing, log: c.Logger,
	}
	s, err := m.stages.now(ctx)
	if err != nil {
		return nil, err
	}
	m.capabilities = abilities(c.Old.Capabilities(), c.New.Capabilities(), s == finished)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &Driver{StorageDriver: layers.Complete(m, c.Gate...), m: m, stop: stop}
	if c.Copy {
		d.copying.Go(func() { d.keepCopying(background, c.Copying) })
	}
	return d, nil
}

// Close implements storagedriver.StorageDriver. A copier that runs in this driver ends first.
func (d *Driver) Close() error {
	d.closing.Do(func() {
		d.stop()
		d.copying.Wait()
	})
	return d.StorageDriver.Close()
}

// Writer implements storagedriver.StorageDriver.
func (d *Driver) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := d.writer(ctx, path, append)
	if err != nil {
		return nil, d.wrap("Writer", path, err)
	}
	return w, nil
}

// wrap gives an error of a gate below the name of this one.
func (d *Driver) wrap(op, path string, err error) error {
	return storagedriver.WrapError(op, Name, path, err)
}

func (d *Driver) writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	s, err := d.m.stages.now(ctx)
	if err != nil && ctx.Err() == nil && storagedriver.ValidatePath(path) == nil {
		return nil, d.m.onNew(err)
	}
	if err != nil || s != reading || storagedriver.ValidatePath(path) != nil {
		return d.onNew(ctx, path, append)
	}
	if err := d.m.blocked(ctx, path); err != nil {
		return nil, err
	}
	if !append {
		if err := d.m.AbortUploads(ctx, path); err != nil {
			return nil, err
		}
		return d.onNew(ctx, path, false)
	}
	return d.resume(ctx, path)
}

func (d *Driver) onNew(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := d.m.newGate.Writer(ctx, path, append)
	if err != nil {
		return nil, err
	}
	return &writer{d: d, path: path, w: w}, nil
}

// resume opens the upload to path where it is: unfinished on new, unfinished on old, committed on new, committed on old; or a new one. Opening
// a writer and closing it disturbs nobody.
func (d *Driver) resume(ctx context.Context, path string) (storagedriver.FileWriter, error) {
	onNew, committed, newErr := d.openNew(ctx, path)
	if newErr != nil && storagedriver.KindOf(newErr) != storagedriver.KindUnsupported {
		return nil, newErr
	}
	if newErr == nil && onNew.Size() > 0 && !committed {
		return onNew, nil
	}
	if newErr == nil && onNew.Size() > 0 && !d.Capabilities().Has(storagedriver.AbilityAppendCommitted) {
		suspended, err := isSuspended(ctx, d.m.new, path)
		if err != nil {
			return nil, errors.Join(d.m.onNew(err), closeUnused(onNew))
		}
		if suspended {
			return onNew, nil
		}
		newErr = storagedriver.NewError(storagedriver.KindUnsupported, "there is committed content, which both sides would have to continue")
	}
	older, err := d.resumeOld(ctx, path, committed, newErr)
	if err != nil || older != nil {
		return older, errors.Join(err, closeUnused(onNew))
	}
	if newErr != nil {
		return nil, errors.Join(newErr, closeUnused(onNew))
	}
	return onNew, nil
}

// openNew opens the upload to path on new, and says whether there is a file, which the writer has seen: the copier may make one at any time.
func (d *Driver) openNew(ctx context.Context, path string) (w storagedriver.FileWriter, committed bool, _ error) {
	committed, err := isFile(ctx, d.m.new, path)
	for err == nil {
		var refused error
		if w, refused = d.onNew(ctx, path, true); storagedriver.KindOf(refused) == storagedriver.KindInvalidPath {
			if refused = d.m.yield(ctx, path, refused); refused == nil {
				w, refused = d.onNew(ctx, path, true)
			}
		}
		if refused != nil && storagedriver.KindOf(refused) != storagedriver.KindUnsupported {
			return nil, false, refused
		}
		var after bool
		if after, err = isFile(ctx, d.m.new, path); err == nil && after == committed {
			return w, committed, refused
		}
		committed, err = after, errors.Join(err, closeUnused(w))
	}
	return nil, false, d.m.onNew(err)
}

// resumeOld opens the upload to path on old, if it is to go on there; otherwise it returns nil. committed says that there is a file on
// new, which is not continued there if refused is not nil.
func (d *Driver) resumeOld(ctx context.Context, path string, committed bool, refused error) (storagedriver.FileWriter, error) {
	w, err := d.m.oldGate.Writer(ctx, path, true)
	if err != nil {
		switch storagedriver.KindOf(err) {
		case storagedriver.KindUnsupported, storagedriver.KindInvalidPath: // committed content, or uploads below path alone: blocked has looked for files
			if committed {
				return nil, nil
			}
		}
		return nil, d.m.onOld(err)
	}
	use := false
	if w.Size() > 0 {
		switch use, err = isSuspended(ctx, d.m.old, path); {
		case err != nil || use:
		case !committed:
			use = true
		case refused != nil:
			// Both have what is committed, and only old continues it: as an upload of distribution's filesystem driver, which writes in place.
			use, err = equal(ctx, d.m.oldGate, d.m.newGate, path)
		}
	}
	if err != nil || !use {
		return nil, errors.Join(err, closeUnused(w))
	}
	return &writer{d: d, path: path, w: w, old: true}, nil
}

// isSuspended tells an upload to path that has bytes from committed content that is being continued: state lies beside the file then.
func isSuspended(ctx context.Context, b storagedriver.Backend, path string) (bool, error) {
	if !b.Capabilities().Has(storagedriver.AbilityAppendCommitted) {
		return true, nil
	}
	there, err := isFile(ctx, b, path)
	if err != nil || !there {
		return err == nil, err
	}
	_, err = b.Stat(ctx, path+storagedriver.PrivateMark)
	return err == nil, unlessMissing(err)
}

func isFile(ctx context.Context, b storagedriver.Backend, path string) (bool, error) {
	entry, err := b.Stat(ctx, path)
	return err == nil && !entry.Dir, unlessMissing(err)
}

func closeUnused(w storagedriver.FileWriter) error {
	if w == nil {
		return nil
	}
	return w.Close()
}
