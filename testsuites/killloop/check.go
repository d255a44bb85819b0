package killloop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// check looks at everything that is left, and makes certain what was not.
func (r *run) check(ctx context.Context) error {
	if err := r.visible(ctx); err != nil {
		return err
	}
	now := map[string]content{}
	for _, path := range slices.Sorted(maps.Keys(r.m.paths)) {
		c, err := identify(ctx, r.d, path, r.m.paths[path].contents)
		if err != nil {
			return err
		}
		now[path] = c
		r.report.Checked++
	}
	for from, to := range r.m.moving {
		if moved := r.m.paths[from].contents[0]; now[from] != moved && now[to] != moved {
			return fmt.Errorf("%v was moved from %s to %s, and is at neither", moved, from, to)
		}
	}
	clear(r.m.moving)
	for _, path := range slices.Sorted(maps.Keys(r.m.paths)) {
		f := r.m.paths[path]
		u, err := r.goOn(ctx, path, f, now[path])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if u.Content.ID != 0 && u.min == u.Content.Size { // it was committed
			now[path], u = u.Content, possible{}
		}
		*f = file{contents: []content{now[path]}, uploads: []possible{u}}
	}
	for _, path := range slices.Sorted(maps.Keys(r.m.shared)) {
		if err := r.checkShared(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// visible wants nothing to be seen that was not committed.
func (r *run) visible(ctx context.Context) error {
	return r.d.Walk(ctx, "/", func(info storagedriver.FileInfo) error {
		r.report.Visible++
		_, isShared := r.m.shared[info.Path()]
		if f := r.m.paths[info.Path()]; info.IsDir() || isShared || f != nil && slices.ContainsFunc(f.contents, func(c content) bool { return c.ID != 0 }) {
			return nil
		}
		return fmt.Errorf("%s is visible, and was never committed", info.Path())
	})
}

// goOn looks at the upload to path. Half of the time it finishes it, which shows what was stored; the other half it leaves
// it to the next child.
func (r *run) goOn(ctx context.Context, path string, f *file, now content) (possible, error) {
	w, err := r.d.Writer(ctx, path, true)
	if err != nil && storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return f.upload(0, now) // committed content, and no upload
	}
	if err != nil {
		return possible{}, err
	}
	size := w.Size()
	if size%2 == 1 { // what is committed
		if size != now.Size {
			return possible{}, errors.Join(fmt.Errorf("an upload of %d bytes is left, an odd number, beside %v", size, now), w.Close())
		}
		size = 0
	}
	u, err := f.upload(size, now)
	if err != nil || u.Content.ID == 0 {
		return u, errors.Join(err, w.Close())
	}
	u.min, u.max = size, size
	// Which content it is is certain only when one upload can have been there; so, too, that the next child can go on.
	candidates := slices.DeleteFunc(slices.Clone(f.uploads), func(p possible) bool { return p.Content.ID == 0 || size < p.min || size > p.max })
	if len(candidates) == 1 && r.random.IntN(2) == 0 {
		return u, w.Close()
	}
	r.report.Continued++
	return r.finish(ctx, path, u, candidates, w)
}

// finish commits the upload: all of it, or as it is, which shows that nothing follows what it has. That must be done
// when it is not certain which one it is.
func (r *run) finish(ctx context.Context, path string, u possible, candidates []possible, w storagedriver.FileWriter) (possible, error) {
	whole := []content{u.Content}
	asIs := len(candidates) > 1 || r.random.IntN(3) == 0
	if asIs {
		whole = nil
		for _, p := range candidates {
			whole = append(whole, content{p.Content.ID, u.min})
		}
	} else {
		rest := make([]byte, u.Content.Size-u.min)
		u.Content.fill(rest, u.min)
		if _, err := w.Write(rest); err != nil {
			return u, errors.Join(err, w.Close())
		}
	}
	if err := w.Commit(ctx); err != nil {
		return u, errors.Join(err, w.Close())
	}
	c, err := identify(ctx, r.d, path, whole)
	if err != nil {
		return u, fmt.Errorf("continued after %d bytes: %w", u.min, err)
	}
	r.report.Checked++
	if asIs { // what was committed in the middle has an even number of bytes
		c = content{ID: mix(uint64(r.round)<<32|0xfffffffe) | 1, Size: 1 + 2*r.random.Int64N(PartSize)}
		if err := r.d.PutContent(ctx, path, c.bytes()); err != nil {
			return u, err
		}
	}
	return possible{c, c.Size, c.Size}, nil
}

// checkShared wants one of the contents there, whole, and then pushes another.
func (r *run) checkShared(ctx context.Context, path string) error {
	if _, err := identify(ctx, r.d, path, r.m.shared[path]); err != nil {
		return err
	}
	c := content{ID: mix(uint64(r.round)<<32|0xffffffff) | 1, Size: 1 + 2*r.random.Int64N(3*PartSize)}
	w, err := r.d.Writer(ctx, path, false)
	if err != nil {
		return err
	}
	if _, err := w.Write(c.bytes()); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Commit(ctx); err != nil {
		return errors.Join(err, w.Close())
	}
	r.m.shared[path] = []content{c}
	r.report.Checked++
	_, err = identify(ctx, r.d, path, r.m.shared[path])
	return err
}

// clear deletes everything, and wants nothing left, not even what nobody sees.
func (r *run) clear(ctx context.Context) error {
	children, err := r.d.List(ctx, "/")
	if err != nil {
		return err
	}
	for _, child := range children {
		if err := r.d.Delete(ctx, child); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return err
		}
	}
	if r.o.Private == nil {
		return nil
	}
	n, err := r.o.Private(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d private files are left after everything was deleted", n)
	}
	return err
}
