package migrate

import (
	"context"
	"io"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/internal/transfer"
	"github.com/berth-dev/storagedriver/layers"
)

// place is a private directory of a backend as a backend of its own: what is stored there nobody sees.
type place struct {
	storagedriver.Backend
	dir string
}

func (p place) at(path string) string {
	if path == "/" {
		return p.dir
	}
	return p.dir + path
}

func (p place) Close() error { return nil } // it is not ours

func (p place) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return p.Backend.Stat(ctx, p.at(path))
}

func (p place) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return p.Backend.List(ctx, p.at(path), cursor, limit)
}

func (p place) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	return p.Backend.Read(ctx, p.at(path), offset, length)
}

func (p place) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return p.Backend.Put(ctx, p.at(path), body)
}

func (p place) Delete(ctx context.Context, path string) error {
	return p.Backend.Delete(ctx, p.at(path))
}

func (p place) DeleteTree(ctx context.Context, path string) error {
	return p.Backend.DeleteTree(ctx, p.at(path))
}

func (p place) Copy(ctx context.Context, source, dest string) error {
	return p.Backend.Copy(ctx, p.at(source), p.at(dest))
}

func (p place) Move(ctx context.Context, source, dest string) error {
	return p.Backend.Move(ctx, p.at(source), p.at(dest))
}

func (p place) Concat(ctx context.Context, dest string, sources []string) error {
	all := make([]string, len(sources))
	for i, s := range sources {
		all[i] = p.at(s)
	}
	return p.Backend.Concat(ctx, p.at(dest), all)
}

func (p place) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return p.Backend.ListTree(ctx, p.at(path), startAfter, cursor, limit)
}

func (p place) Redirect(ctx context.Context, path string, o storagedriver.RedirectOptions) (string, error) {
	return p.Backend.Redirect(ctx, p.at(path), o)
}

func (p place) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	return p.Backend.OpenUpload(ctx, p.at(path), append)
}

func (p place) AbortUploads(ctx context.Context, path string) error {
	return p.Backend.AbortUploads(ctx, p.at(path))
}

func (p place) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return p.Backend.ListUploads(ctx, p.at(path), cursor, limit)
}

// stage copies the file at path from src, a gate over old or what stands before it, into the private directory dir of new, and makes
// sure that new gives back what was read. It goes on where an earlier call for the same dir was killed.
func (m *merged) stage(ctx context.Context, src storagedriver.StorageDriver, path, dir string, told func(int64)) (transfer.Result, error) {
	o := transfer.Options{Verify: transfer.VerifyDigest}
	if told != nil {
		o.Progress = func(e transfer.Event) {
			if e.Stage == transfer.Read {
				told(e.Bytes)
			}
		}
	}
	return transfer.File(ctx, src, layers.Complete(place{m.new, dir}), path, path, o)
}

// carry makes the file at source on old the one at dest on new, by way of the private directory dir.
func (m *merged) carry(ctx context.Context, source, dir, dest string) error {
	r, err := m.stage(ctx, m.oldGate, source, dir, nil)
	if err != nil {
		return err
	}
	return m.onNew(rename(ctx, m.new, dir+source, dest, r.Bytes))
}

// rename moves a file of b, public or private, as a gate does.
func rename(ctx context.Context, b storagedriver.Backend, from, to string, size int64) error {
	c := b.Capabilities()
	var err error
	switch {
	case c.Has(storagedriver.AbilityMove) || c.Has(storagedriver.AbilityMoveTree):
		return b.Move(ctx, from, to)
	case c.Has(storagedriver.AbilityCopy):
		err = b.Copy(ctx, from, to)
	default:
		err = chunked.PutStored(ctx, b, to, stored{b, from, size})
	}
	if err != nil {
		return err
	}
	return unlessMissing(b.Delete(ctx, from))
}

// stored is a file of a backend as a Source.
type stored struct {
	b    storagedriver.Backend
	path string
	size int64
}

func (s stored) Size() int64 { return s.size }

func (s stored) Open(ctx context.Context) (io.ReadCloser, error) {
	body, size, err := s.b.Read(ctx, s.path, 0, -1)
	if err != nil {
		return nil, err
	}
	if size != s.size {
		_ = body.Close()
		return nil, storagedriver.Errorf(storagedriver.KindConflict, "%s had %d bytes and now has %d", s.path, s.size, size)
	}
	return body, nil
}

// removeDir removes a private directory of new and all in it.
func (m *merged) removeDir(ctx context.Context, path string) error {
	if m.new.Capabilities().Has(storagedriver.AbilityParts) {
		if err := m.new.AbortUploads(ctx, path); err != nil {
			return err
		}
	}
	if m.new.Capabilities().Has(storagedriver.AbilityDeleteTree) {
		return unlessMissing(m.new.DeleteTree(ctx, path))
	}
	entries, err := listAll(ctx, m.new, path, "")
	if err != nil {
		return unlessMissing(err)
	}
	for _, e := range entries {
		child := storagedriver.JoinPath(path, e.Name)
		if e.Dir {
			err = m.removeDir(ctx, child)
		} else {
			err = unlessMissing(m.new.Delete(ctx, child))
		}
		if err != nil {
			return err
		}
	}
	return unlessMissing(m.new.Delete(ctx, path))
}

// throttled is a StorageDriver whose readers together give at most rate bytes per second.
type throttled struct {
	storagedriver.StorageDriver
	rate  int64
	turns chan time.Time // holds when the next byte may be read
}

// throttle returns d, held to rate. 0 is no limit.
func throttle(d storagedriver.StorageDriver, rate int64) storagedriver.StorageDriver {
	if rate <= 0 {
		return d
	}
	t := &throttled{d, rate, make(chan time.Time, 1)}
	t.turns <- time.Now()
	return t
}

// Reader implements storagedriver.StorageDriver.
func (t *throttled) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := t.StorageDriver.Reader(ctx, path, offset)
	if err != nil {
		return nil, err
	}
	return &throttledReader{r, t, ctx}, nil
}

type throttledReader struct {
	io.ReadCloser
	t   *throttled
	ctx context.Context
}

// Read waits its turn first, and takes as much time as its bytes are worth from those after it.
func (r *throttledReader) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), max(r.t.rate, 1))]
	turn := <-r.t.turns
	n, err := 0, waitUntil(r.ctx, turn)
	if err == nil {
		n, err = r.ReadCloser.Read(p)
	}
	if now := time.Now(); turn.Before(now) {
		turn = now
	}
	r.t.turns <- turn.Add(time.Duration(float64(n) / float64(r.t.rate) * float64(time.Second)))
	return n, err
}

func waitUntil(ctx context.Context, when time.Time) error {
	wait := time.Until(when)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
