package runtime

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/internal/served"
)

// transforming is a granted store whose Writer transforms under a transformation's context.
type transforming struct{ granted }

// Writer implements storagedriver.StorageDriver.
func (s transforming) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	t, _ := ctx.Value(transformationKey{}).(*transformation)
	if t == nil {
		return s.granted.Writer(ctx, path, append)
	}
	return openTransformed(ctx, s.granted, t, path, append)
}

// transformedWriter is the FileWriter of an upload whose content a guest transforms on its way to the store's. Its sizes are those before.
//
// Accepted bytes are collected until they are a piece, or the upload is suspended. What the guest makes of a piece is kept until the store's
// writer has taken it, so that a guest that fails, or is asked again, leaves nothing in the store.
//
// # What a crash leaves
//
// The store's writer knows how many bytes it has and not of what, so the guest's state is kept in a record (see record) beside the upload. Each
// writer has a record of its own, which nobody else writes, and puts it there
//
//   - before its first byte goes to the store, with the position that it goes on from. Then it removes those of the writers before it,
//     which the record names.
//   - before the store's writer is closed, with the position after its last whole piece as well, and under another name.
//
// Whoever goes on takes the position whose size the store's writer reports, of the one record that no other names. A writer that dies
// before its first byte has changed nothing. One that dies later leaves the store's upload at the position that it began at, at the one it was suspended at, or at
// one that is in no record: then the upload begins anew. A writer that goes on beside another has a record beside the other's, and
// then neither is trusted, whatever sizes there are. A commit removes the records when it is done: those that a crash leaves belong to a size that committed
// content may have, which is therefore looked at.
type transformedWriter struct {
	ctx  context.Context
	g    granted
	t    *transformation
	path string // the store's
	dir  string // of the records
	name string // of its own
	over []string

	w      storagedriver.FileWriter // the store's; nil until there is something to write
	life   context.Context          // of w, and longer than ctx by SuspendTimeout
	stop   context.CancelFunc
	unhook func() bool

	from  position // where it began
	at    position // of what w has, whole pieces
	begun bool     // its record is there
	piece []byte
	made  bool   // rest and next are what the guest made of piece, or of the end
	rest  []byte // what w has not yet taken of it
	next  position

	touched bool // something was accepted
	state   writerState
	left    int64 // after Close: what the next writer goes on from
}

type writerState int

const (
	writing writerState = iota
	suspended
	committed
	cancelled
)

func openTransformed(ctx context.Context, g granted, t *transformation, path string, append bool) (storagedriver.FileWriter, error) {
	w := &transformedWriter{ctx: ctx, g: g, t: t, path: path, dir: recordsOf(t.dest), name: strings.ToLower(rand.Text())}
	w.life, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.unhook = context.AfterFunc(ctx, func() {
		late := time.AfterFunc(chunked.SuspendTimeout, w.stop)
		context.AfterFunc(w.life, func() { late.Stop() })
	})
	for look := 1; ; look++ {
		records, err := readRecords(ctx, g, w.dir)
		settled := false
		if err == nil {
			w.over = slices.Sorted(maps.Keys(records))
			settled, err = w.open(ctx, records, append)
		}
		if err == nil && !settled && look == recordLooks {
			err = &storagedriver.Error{Kind: storagedriver.KindConflict, Temporary: true, Err: errors.New("the upload is suspended again and again while it is opened")}
		}
		if err != nil {
			w.end()
			return nil, err
		}
		if settled {
			return w, nil
		}
	}
}

// open opens the store's writer where that disturbs nobody: an upload that cannot be gone on with is discarded with the first byte. It
// is not settled when it found none and the records are others by now.
func (w *transformedWriter) open(ctx context.Context, records map[string]record, append bool) (settled bool, err error) {
	inner, err := w.g.Writer(w.life, w.path, append)
	if err != nil && (!append || storagedriver.KindOf(err) != storagedriver.KindUnsupported) {
		return false, served.Cause(err)
	}
	if !append {
		w.w = inner
		return true, nil
	}
	if err == nil {
		at, ok := goOn(records, inner.Size())
		if ok && at.Stored > 0 {
			ok, err = w.unfinished(ctx, at.Stored)
		}
		if ok && err == nil && at.Stored > 0 {
			w.w, w.from, w.at = inner, at, at
			return true, nil
		}
		_ = inner.Close() // it has accepted nothing
		if err != nil {
			return false, err
		}
	}
	if same, err := sameRecords(ctx, w.g, w.dir, records); err != nil || !same {
		return false, err
	}
	// What is committed is the guest's to tell.
	e, err := w.t.d.Stat(ctx, w.t.path)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound || err == nil && (e.Dir || e.Size == 0):
		return true, nil
	case err == nil:
		err = storagedriver.NewError(storagedriver.KindUnsupported, "the path has content, which this driver does not append to")
	}
	return false, err
}

// unfinished reports whether the store's writer stands at the end of an upload, and not at that of committed content.
func (w *transformedWriter) unfinished(ctx context.Context, size int64) (bool, error) {
	if !w.g.Capabilities().Has(storagedriver.AbilityAppendCommitted) {
		return true, nil
	}
	info, err := w.g.Stat(ctx, w.path)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return true, nil
	}
	if err != nil {
		return false, served.Cause(err)
	}
	return info.IsDir() || info.Size() != size, nil
}

// Write implements storagedriver.FileWriter.
func (w *transformedWriter) Write(p []byte) (int, error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	if (w.at.Ended || w.next.Ended) && len(p) > 0 {
		return 0, storagedriver.NewError(storagedriver.KindConflict, "the upload has its end, which a commit that failed wrote: commit it again, or begin anew")
	}
	n := 0
	for n < len(p) {
		if w.made || len(w.piece) == maxPiece {
			if err := w.pass(w.ctx); err != nil {
				return n, err
			}
		}
		if w.piece == nil {
			w.piece = make([]byte, 0, maxPiece)
		}
		taken := min(len(p)-n, maxPiece-len(w.piece))
		w.piece = append(w.piece, p[n:n+taken]...)
		n += taken
		w.touched = true
	}
	if len(w.piece) == maxPiece { // now: whoever sends a piece again that failed sends it whole
		return n, w.pass(w.ctx)
	}
	return n, nil
}

func (w *transformedWriter) usable() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	switch w.state {
	case committed:
		return storagedriver.NewError(storagedriver.KindClosed, "the upload has been committed")
	case cancelled:
		return storagedriver.NewError(storagedriver.KindClosed, "the upload has been cancelled")
	case suspended:
		return storagedriver.NewError(storagedriver.KindClosed, "the writer has been closed")
	}
	return nil
}

// pass has the guest transform what was collected, and the store take it. It may be repeated.
func (w *transformedWriter) pass(ctx context.Context) error {
	if !w.made {
		if len(w.piece) == 0 {
			return nil
		}
		content, state, err := w.t.piece(ctx, w.at.State, w.piece)
		if err != nil {
			return err
		}
		w.keep(content, position{Size: w.at.Size + int64(len(w.piece)), State: state})
	}
	return w.store(ctx)
}

func (w *transformedWriter) keep(content []byte, next position) {
	w.made, w.rest, w.next = true, content, next
}

// store gives the store's writer what the guest has made.
func (w *transformedWriter) store(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	for len(w.rest) > 0 {
		n, err := w.w.Write(w.rest)
		w.rest = w.rest[n:]
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		if err != nil {
			return served.Cause(err)
		}
	}
	w.at, w.at.Stored = w.next, w.w.Size()
	w.made, w.rest, w.next = false, nil, position{}
	w.piece = nil // the guest may have named it in a request that is not over
	return nil
}

// begin puts the writer's record there, once, and opens the store's writer if that is not.
func (w *transformedWriter) begin(ctx context.Context) error {
	if !w.begun {
		if err := w.note(ctx); err != nil {
			return err
		}
		w.begun = true
		if len(w.over) > 0 {
			removeRecords(ctx, w.g, w.dir, w.over)
		}
	}
	if w.w != nil {
		return nil
	}
	inner, err := w.g.Writer(w.life, w.path, false)
	if err != nil {
		return served.Cause(err)
	}
	w.w = inner
	return nil
}

// note writes the record.
func (w *transformedWriter) note(ctx context.Context) error {
	r := record{Over: w.over}
	for _, at := range []position{w.from, w.at} {
		if at.Stored > 0 && (len(r.At) == 0 || at.Stored != r.At[0].Stored || at.Size != r.At[0].Size) {
			r.At = append(r.At, at)
		}
	}
	return writeRecord(ctx, w.g, w.dir, w.name, r)
}

// noteAgain writes the record under another name: a writer that has come since has named the first as one that it goes on from.
func (w *transformedWriter) noteAgain(ctx context.Context) error {
	first, over := w.name, w.over
	w.name, w.over = strings.ToLower(rand.Text()), append(slices.Clone(over), first)
	if err := w.note(ctx); err != nil {
		w.name, w.over = first, over
		return err
	}
	_ = w.g.Delete(ctx, storagedriver.JoinPath(w.dir, first)) // what is left of it means nothing beside the other
	return nil
}

// Size implements storagedriver.FileWriter.
func (w *transformedWriter) Size() int64 {
	switch w.state {
	case suspended:
		return w.left
	case cancelled:
		return 0
	}
	return w.at.Size + int64(len(w.piece))
}

// Commit implements storagedriver.FileWriter. When the store's fails the end that the guest wrote stays, and the upload can be
// committed again.
func (w *transformedWriter) Commit(ctx context.Context) error {
	if err := cmp.Or(ctx.Err(), w.usable()); err != nil {
		return err
	}
	if !w.next.Ended {
		if err := w.pass(ctx); err != nil {
			return err
		}
	}
	if !w.at.Ended && !w.made {
		end, err := w.t.end(ctx, w.at.Size, w.at.State)
		if err != nil {
			return err
		}
		w.keep(end, position{Size: w.at.Size, State: w.at.State, Ended: true})
		w.touched = true
	}
	if w.made {
		if err := w.store(ctx); err != nil {
			return err
		}
	}
	if err := w.w.Commit(ctx); err != nil {
		return served.Cause(err)
	}
	w.left = w.at.Size
	w.state = committed
	w.end()
	w.clean(ctx)
	return nil
}

// Close implements storagedriver.FileWriter.
func (w *transformedWriter) Close() error {
	if w.state != writing {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), chunked.SuspendTimeout)
	defer cancel()
	defer w.end()
	var err error
	if w.touched {
		err = w.pass(ctx)
	}
	noted := !w.begun
	if w.begun { // also when a piece is half in the store, of whose size then nobody has a record
		noteErr := w.noteAgain(ctx)
		noted = noteErr == nil
		err = errors.Join(err, noteErr)
	}
	w.state = suspended
	if w.w == nil {
		return err
	}
	if closeErr := w.w.Close(); closeErr != nil {
		err = cmp.Or(err, served.Cause(closeErr))
		if w.begun && storagedriver.KindOf(closeErr) == storagedriver.KindConflict {
			removeRecords(ctx, w.g, w.dir, []string{w.name}) // the upload is another's, which has its own
		}
	}
	switch stored := w.w.Size(); {
	case noted && stored == w.at.Stored:
		w.left = w.at.Size
	case stored == w.from.Stored:
		w.left = w.from.Size
	}
	return err
}

// Cancel implements storagedriver.FileWriter.
func (w *transformedWriter) Cancel(ctx context.Context) error {
	if w.state == committed || w.state == cancelled {
		return nil
	}
	if w.w != nil {
		if err := w.w.Cancel(ctx); err != nil {
			if w.state == writing {
				w.state, w.left = suspended, 0
				w.end()
			}
			return served.Cause(err)
		}
	}
	w.state = cancelled
	w.end()
	w.clean(ctx)
	return nil
}

// end gives back what the writer holds.
func (w *transformedWriter) end() {
	w.unhook()
	w.piece, w.rest = nil, nil
	if w.w != nil && (w.state == committed || w.state == cancelled) {
		_ = w.w.Close() // nothing, after either
	}
	w.stop()
}

// clean removes the records of an upload that is over, its own and those it went on from.
func (w *transformedWriter) clean(ctx context.Context) {
	names := w.over
	if w.begun {
		names = []string{w.name} // the others are gone since it began
	}
	if w.w == nil || len(names) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chunked.SuspendTimeout)
	defer cancel()
	removeRecords(ctx, w.g, w.dir, names)
}
