package killloop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

const (
	// workers are the goroutines of a child, and own paths each.
	workers = 4
	own     = 4
	// shared are the paths that all of them upload to.
	shared = 2
	// longest is the most bytes of a content: with parts of PartSize, a dozen parts.
	longest = 96 << 10
	// PartSize is the size of parts that the driver under test should be opened with: parts are many and quick,
	// and even, as unfinished uploads are.
	PartSize = 8 << 10
)

func ownPath(worker, n int) string { return fmt.Sprintf("/own-%d/d%d/file-%d", worker, n%2, n) }
func sharedPath(n int) string      { return fmt.Sprintf("/shared/file-%d", n) }

// Child works on d until it is killed, reads what it is told from in and writes its journal to out. It returns only
// when it cannot go on.
func Child(ctx context.Context, d storagedriver.StorageDriver, in io.Reader, out io.Writer) error {
	var t task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return err
	}
	j := &journal{w: out}
	group, ctx := errgroup.WithContext(ctx)
	for n := range workers {
		w := &worker{
			d: d, j: j, n: n, prefix: uint64(t.Round)<<32 | uint64(n)<<24,
			random: rand.New(rand.NewPCG(t.Seed, uint64(t.Round)<<8|uint64(n))),
			files:  map[string]content{}, uploads: map[string]unfinished{},
		}
		for i := range own {
			if c, ok := t.Files[ownPath(n, i)]; ok {
				w.files[ownPath(n, i)] = c
			}
			if u, ok := t.Uploads[ownPath(n, i)]; ok {
				w.uploads[ownPath(n, i)] = u
			}
		}
		group.Go(func() error {
			for {
				if err := w.step(ctx); err != nil {
					return err
				}
			}
		})
	}
	err := group.Wait()
	_ = j.write(line{Op: opFailed, Error: err.Error()})
	return err
}

// worker is one goroutine of a child.
type worker struct {
	d       storagedriver.StorageDriver
	j       *journal
	n       int
	prefix  uint64
	made    uint64 // contents so far
	random  *rand.Rand
	files   map[string]content
	uploads map[string]unfinished
}

// content returns a new one, of an odd number of bytes.
func (w *worker) content() content {
	w.made++
	size := w.random.Int64N(longest)
	if w.random.IntN(3) == 0 {
		size = w.random.Int64N(PartSize) // one put
	}
	return content{ID: mix(w.prefix|w.made) | 1, Size: size | 1}
}

func (w *worker) path() string { return ownPath(w.n, w.random.IntN(own)) }

// step does one thing.
func (w *worker) step(ctx context.Context) error {
	switch n := w.random.IntN(20); {
	case n < 3:
		path, c := w.path(), w.content()
		return w.effect(line{Op: opPut, Path: path, Content: c}, func() error {
			w.files[path] = c
			return w.d.PutContent(ctx, path, c.bytes())
		})
	case n < 10:
		return w.upload(ctx, w.path(), w.content())
	case n < 14 && len(w.uploads) > 0:
		return w.resume(ctx)
	case n < 16:
		return w.toShared(ctx)
	case n < 18 && len(w.files) > 0:
		return w.move(ctx)
	case n < 19 && len(w.files) > 0:
		path := w.any(slices.Sorted(maps.Keys(w.files)))
		delete(w.files, path)
		delete(w.uploads, path)
		return w.effect(line{Op: opDelete, Path: path}, func() error { return w.d.Delete(ctx, path) })
	}
	return w.upload(ctx, w.path(), w.content())
}

func (w *worker) any(paths []string) string { return paths[w.random.IntN(len(paths))] }

// effect journals what do does, before and after.
func (w *worker) effect(l line, do func() error) error {
	if err := w.j.write(l); err != nil {
		return err
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s %s: %w", l.Op, l.Path, err)
	}
	l.Done = true
	return w.j.write(l)
}

func (w *worker) move(ctx context.Context) error {
	from, to := w.any(slices.Sorted(maps.Keys(w.files))), w.path()
	if from == to {
		return nil
	}
	w.files[to] = w.files[from]
	delete(w.files, from)
	delete(w.uploads, from)
	delete(w.uploads, to)
	return w.effect(line{Op: opMove, Path: from, Dest: to}, func() error { return w.d.Move(ctx, from, to) })
}

func (w *worker) upload(ctx context.Context, path string, c content) error {
	var fw storagedriver.FileWriter
	delete(w.uploads, path)
	err := w.effect(line{Op: opFresh, Path: path, Content: c}, func() (err error) {
		fw, err = w.d.Writer(ctx, path, false)
		return err
	})
	if err != nil {
		return err
	}
	return w.write(ctx, path, c, fw)
}

func (w *worker) resume(ctx context.Context) error {
	path := w.any(slices.Sorted(maps.Keys(w.uploads)))
	u := w.uploads[path]
	var fw storagedriver.FileWriter
	l := line{Op: opResume, Path: path, Content: u.Content, At: u.At}
	err := w.effect(l, func() (err error) {
		fw, err = w.d.Writer(ctx, path, true)
		if err == nil && fw.Size() != u.At {
			err = fmt.Errorf("the upload has %d bytes, want %d", fw.Size(), u.At)
		}
		return err
	})
	if err != nil {
		return err
	}
	return w.write(ctx, path, u.Content, fw)
}

// write writes some of c or all of it, and ends the writer one way or the other.
func (w *worker) write(ctx context.Context, path string, c content, fw storagedriver.FileWriter) error {
	end := w.random.IntN(10)
	to := c.Size
	if end < 5 { // it is not committed: an even number of bytes, and some are left
		to = fw.Size() + w.random.Int64N(c.Size-fw.Size()+1)
		to -= to % 2
	}
	for fw.Size() < to {
		piece := make([]byte, min(to-fw.Size(), 2+2*w.random.Int64N(10<<10)))
		c.fill(piece, fw.Size())
		if _, err := fw.Write(piece); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	delete(w.uploads, path)
	switch {
	case end < 4:
		l := line{Op: opSuspend, Path: path, Content: c, At: to}
		if to > 0 {
			w.uploads[path] = unfinished{c, to}
		}
		return w.effect(l, fw.Close)
	case end == 4:
		return w.effect(line{Op: opCancel, Path: path}, func() error { return fw.Cancel(ctx) })
	}
	w.files[path] = c
	return w.effect(line{Op: opCommit, Path: path, Content: c}, func() error { return fw.Commit(ctx) })
}

// toShared puts or uploads where others do, and may lose to them.
func (w *worker) toShared(ctx context.Context) error {
	path, c := sharedPath(w.random.IntN(shared)), w.content()
	l := line{Op: opPut, Path: path, Content: c}
	if w.random.IntN(3) == 0 {
		return w.effect(l, func() error { return w.d.PutContent(ctx, path, c.bytes()) })
	}
	fw, err := w.d.Writer(ctx, path, w.random.IntN(4) == 0)
	if err != nil {
		return fmt.Errorf("shared: %w", err)
	}
	if fw.Size() > 0 { // a status request
		return fw.Close()
	}
	l.Op = opCommit
	if err := w.j.write(l); err != nil {
		return err
	}
	if _, err = fw.Write(c.bytes()); err == nil {
		err = fw.Commit(ctx)
	}
	l.Done = err == nil
	if storagedriver.KindOf(err) == storagedriver.KindConflict && err != nil {
		l.Lost, err = true, fw.Cancel(ctx)
	}
	if err != nil {
		return fmt.Errorf("shared: %w", err)
	}
	return w.j.write(l)
}
