package objectstest

import (
	"context"
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// push uploads the file unless that was done: from where an upload that failed was, or from its beginning.
func (r *run) push(f *file) {
	if f.pushed {
		return
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	err := r.upload(ctx, f, !r.spoiled && r.rand.IntN(3) > 0)
	f.pushed = r.ok("push of "+f.path, err)
	if there := r.has(f.path, f.content); f.pushed && !there {
		r.t.Errorf("%s was committed, and nothing is there", f.path)
	}
}

// upload writes what is left in pieces, with a suspend between some of them.
func (r *run) upload(ctx context.Context, f *file, resume bool) error {
	w, err := r.driver.Writer(ctx, f.path, resume)
	if resume && storagedriver.KindOf(err) == storagedriver.KindUnsupported && r.has(f.path, f.content) {
		return nil // it had been committed, and the answer was lost
	}
	if err != nil {
		return err
	}
	defer func() { r.suspended(w.Close()) }()
	for at := int(w.Size()); at < len(f.content); {
		if at > 0 && r.rand.IntN(6) == 0 {
			if err := w.Close(); err != nil {
				return err
			}
			next, err := r.driver.Writer(ctx, f.path, true)
			if err != nil {
				return err
			}
			w = next
			if w.Size() != int64(at) {
				r.t.Errorf("%s was suspended after %d bytes, and goes on after %d", f.path, at, w.Size())
				at = int(w.Size())
				continue
			}
		}
		n, err := w.Write(f.content[at:min(at+1+r.rand.IntN(len(f.content)/4+1), len(f.content))])
		if err != nil {
			return err
		}
		at += n
	}
	return w.Commit(ctx)
}

// suspended looks at the error of a Close after an operation that failed, which may fail as well.
func (r *run) suspended(err error) {
	if err != nil && !repeatable(err) {
		r.t.Errorf("Close: no client would go on with what failed with kind %q: %v", storagedriver.KindOf(err), err)
	}
}

// read reads a pushed file from a drawn offset.
func (r *run) read(f *file) {
	path := f.path
	switch {
	case f.wasMoved:
		path = f.moved
	case !f.pushed:
		return
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	offset := r.rand.IntN(len(f.content))
	body, err := r.driver.Reader(ctx, path, int64(offset))
	if err != nil {
		r.ok(fmt.Sprintf("Reader of %s from %d", path, offset), err)
		return
	}
	defer func() { _ = body.Close() }() // its bytes are what counts
	n, err := sameBytes(body, f.content[offset:])
	if r.ok(fmt.Sprintf("read of %s from %d", path, offset), err) && n != len(f.content)-offset {
		r.t.Errorf("%s ended after %d of %d bytes", path, n, len(f.content)-offset)
	}
}

// move moves a pushed file, unless that was done.
func (r *run) move(f *file) {
	if f.wasMoved || !f.pushed {
		return
	}
	if !r.spoiled && !r.has(f.path, f.content) && r.has(f.moved, f.content) {
		f.wasMoved = true // and the answer was lost
		return
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	f.wasMoved = r.ok("move of "+f.path, r.driver.Move(ctx, f.path, f.moved))
	// In this order: what is removed from one place is at the other.
	source := r.has(f.path, f.content)
	dest := r.has(f.moved, f.content)
	switch {
	case f.wasMoved && (source || !dest):
		r.t.Errorf("%s was moved: want it at %s alone, it is at the first: %v, at the second: %v", f.path, f.moved, source, dest)
	case !source && !dest:
		r.t.Errorf("%s was lost when it was moved", f.path)
	}
}

// put puts a small file, unless that was done, and gets it.
func (r *run) put(f *file) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	content := f.content[:min(len(f.content), 3000)]
	if !f.wasPut {
		f.wasPut = r.ok("PutContent of "+f.small, r.driver.PutContent(ctx, f.small, content))
		if there := r.has(f.small, content); f.wasPut && !there {
			r.t.Errorf("%s was put, and nothing is there", f.small)
		}
	}
	if !f.wasPut {
		return
	}
	got, err := r.driver.GetContent(ctx, f.small)
	if r.ok("GetContent of "+f.small, err) && !slices.Equal(got, content) {
		r.t.Errorf("%s: want its %d bytes, got %d others", f.small, len(content), len(got))
	}
}
