package model

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// opTimeout bounds one operation. The longest moves what a script of MaxSize would not: a few parts to a
// slow backend.
const opTimeout = 2 * time.Minute

// Mismatch is an answer that the contract does not permit.
type Mismatch struct {
	// Op is the operation, as the script has it; its Line is where. At the end of a script, after its last
	// line, it is a Check.
	Op Op
	// AtEnd says that the script had been performed, and what it left was looked at.
	AtEnd bool
	// What is what was asked, Want what may be answered, Got what was.
	What, Want, Got string
}

// Error implements error: one line.
func (m *Mismatch) Error() string {
	where := fmt.Sprintf("line %d: %s", m.Op.Line, m.Op)
	if m.AtEnd {
		where = "at the end of the script"
	}
	return fmt.Sprintf("%s: %s: want %s, got %s", where, m.What, m.Want, m.Got)
}

// Run performs a script on a driver, and then looks at everything it left, resumes what is suspended,
// and removes it all. It returns nil, a [*Mismatch], or an error that says why the script could not be performed.
//
// Nothing of it is left when Run returns, unless the driver cannot delete or honours no context.
// progress, which may be nil, is called before each operation.
func Run(ctx context.Context, h Harness, s Script, progress func(done int, op Op)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{ctx: ctx, harness: h, partSize: s.PartSize()}
	if err := r.open(); err != nil {
		return err
	}
	r.state = newState(r.driver.Capabilities())
	err := r.guarded(func() {
		for i, op := range s {
			r.check(ctx.Err())
			if progress != nil {
				progress(i, op)
			}
			r.op = op
			switch {
			case op.Kind == CrashIn:
				continue
			case i > 0 && s[i-1].Kind == CrashIn:
				r.doomed(op, s[i-1].Size)
			default:
				r.perform(op)
			}
		}
		r.finish()
	})
	if cleanErr := r.guarded(r.close); err == nil {
		err = cleanErr
	}
	return err
}

// guarded calls f and returns what it unwinds with. A panic of the driver is a mismatch.
func (r *run) guarded(f func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *Mismatch:
			err = p
		case stop:
			err = p.err
		default:
			err = r.mismatch("the driver", "no panic", fmt.Sprintf("%v\n%s", p, debug.Stack()))
		}
	}()
	f()
	return nil
}

// stop unwinds a run that cannot go on.
type stop struct{ err error }

// run is a script being performed. Its methods unwind to Run by a panic with the *Mismatch they found.
type run struct {
	ctx      context.Context
	harness  Harness
	partSize int64
	state    *state
	op       Op
	atEnd    bool

	process Process
	driver  storagedriver.StorageDriver
	// driverClosed: it has been closed, and another could not be opened.
	driverClosed bool
	// old are the processes that were killed, until the end.
	old []storagedriver.StorageDriver
}

func (r *run) mismatch(what, want, got string) *Mismatch {
	return &Mismatch{Op: r.op, AtEnd: r.atEnd, What: what, Want: want, Got: got}
}

// fail ends the run.
func (r *run) fail(what, want, gotFormat string, args ...any) {
	panic(r.mismatch(what, want, fmt.Sprintf(gotFormat, args...)))
}

// check ends the run for a reason that is not the driver's.
func (r *run) check(err error) {
	if err != nil {
		panic(stop{err})
	}
}

func (r *run) open() error {
	p, err := r.harness.Open(r.ctx, r.partSize)
	if err != nil {
		return err
	}
	r.process, r.driver, r.driverClosed = p, p.Driver, false
	return nil
}

// close closes what is open, and removes what the script left.
func (r *run) close() {
	r.atEnd = true
	for _, w := range r.state.sessions {
		w.endContext()
		_ = w.writer.Close()
	}
	for _, o := range r.state.readings {
		_ = o.body.Close()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), opTimeout)
	defer cancel()
	var cleanErr error
	if !r.driverClosed {
		cleanErr = errors.Join(r.clean(ctx), r.driver.Close())
	}
	for _, d := range r.old {
		cleanErr = errors.Join(cleanErr, d.Close())
	}
	if cleanErr == nil && r.harness.Left != nil {
		cleanErr = r.harness.Left()
	}
	if cleanErr != nil {
		r.fail("cleaning up", "no error", "%s", strings.ReplaceAll(cleanErr.Error(), "\n", "; "))
	}
}

// clean removes what is below the script's directory, uploads too.
func (r *run) clean(ctx context.Context) error {
	var paths []string
	if r.harness.Dir != "" {
		paths = []string{r.harness.Dir}
	} else {
		for p := range r.state.uploads {
			paths = append(paths, r.full(p))
		}
		top, err := r.driver.List(ctx, "/")
		if err != nil {
			return err
		}
		paths = append(paths, top...)
	}
	slices.Sort(paths)
	for _, p := range slices.Compact(paths) {
		if err := r.driver.Delete(ctx, p); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return err
		}
	}
	if r.harness.Dir != "" {
		return nil
	}
	left, err := r.driver.List(ctx, "/")
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("everything was deleted, and %q is there", left)
	}
	return err
}

// full returns the driver's path for one of the script's. "/" is the script's directory.
func (r *run) full(path string) string {
	if path == "/" && r.harness.Dir != "" {
		return r.harness.Dir
	}
	return r.harness.Dir + path
}

// target is full for an operation that "/" is no path for, which the driver is to say itself, as it is to of all
// that is malformed.
func (r *run) target(path string) string {
	if storagedriver.ValidatePath(path) != nil {
		return path
	}
	return r.full(path)
}

// script returns the script's path for one of the driver's.
func (r *run) script(path string) string {
	if rest, ok := strings.CutPrefix(path, r.harness.Dir); ok && r.harness.Dir != "" {
		if rest == "" {
			return "/"
		}
		return rest
	}
	return path
}

// timed returns the context of one operation.
func (r *run) timed() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.ctx, opTimeout)
}

// ok is the Kind of no error, in a list of what an operation may answer.
const ok = storagedriver.NumKinds

func kindName(k storagedriver.Kind) string {
	if k == ok {
		return "no error"
	}
	return fmt.Sprintf("%q", k)
}

// want ends the run unless err is of one of the kinds, made by the gate, and returns whether it is nil.
func (r *run) want(err error, what string, kinds ...storagedriver.Kind) bool {
	if r.ctx.Err() != nil {
		r.check(r.ctx.Err())
	}
	kind := ok
	if err != nil {
		kind = storagedriver.KindOf(err)
	}
	if !slices.Contains(kinds, kind) {
		var names []string
		for _, k := range kinds {
			names = append(names, kindName(k))
		}
		got := "no error"
		if err != nil {
			got = fmt.Sprintf("%q: %v", kind, err)
		}
		r.fail(what, strings.Join(names, " or "), "%s", got)
	}
	if typed := (*storagedriver.Error)(nil); err != nil && !errors.As(err, &typed) {
		r.fail(what, "an *storagedriver.Error", "a %T: %v", err, err)
	}
	return err == nil
}

// perform does one operation.
func (r *run) perform(op Op) {
	switch op.Kind {
	case Put:
		r.put(op)
	case Get:
		r.get(op.Path)
	case Read:
		r.read(op.Path, op.Size)
	case Stat:
		r.stat(op.Path)
	case List:
		r.list(op.Path)
	case Walk:
		r.walk(op)
	case Move:
		r.move(op.Path, op.To)
	case Delete:
		r.delete(op.Path)
	case Reader:
		r.openReader(op)
	case Next:
		r.next(op)
	case Writer:
		r.openWriter(op)
	case Write, Commit, Cancel, Interrupt, Close:
		r.use(op)
	case Crash:
		r.crash()
	case Reopen:
		r.reopen()
	case Check:
		r.checkAll()
	case PartSize: // the driver was opened with it
	default:
		r.check(fmt.Errorf("%q is no operation", op.Kind))
	}
}

// use does an operation on what a name stands for. Where opening it was refused there is nothing to do.
func (r *run) use(op Op) {
	if o := r.state.readings[op.Name]; o != nil {
		r.closeReader(o)
		return
	}
	w := r.state.sessions[op.Name]
	if w == nil {
		return
	}
	switch op.Kind {
	case Write:
		r.write(w, op)
	case Commit:
		r.commit(w)
	case Cancel:
		r.cancel(w)
	case Interrupt:
		r.interrupt(w)
	default:
		r.closeWriter(w)
	}
}
