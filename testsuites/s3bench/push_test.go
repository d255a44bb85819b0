//go:build servers

package s3bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"

	"golang.org/x/sync/errgroup"
)

// pieceSize is what io.Copy writes at a time from the body of a request.
const pieceSize = 32 << 10

// piece is content that nobody compresses.
var piece = func() []byte {
	p := make([]byte, pieceSize)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}()

const registry = "/docker/registry/v2"

// blob is the path of the n-th blob of a task.
func blob(name string, n int) string {
	digest := digestOf(name, n)
	return registry + "/blobs/sha256/" + digest[:2] + "/" + digest + "/data"
}

func link(name string, n int) string {
	return registry + "/repositories/group/app/_layers/sha256/" + digestOf(name, n) + "/link"
}

func uploadDir(name string, n int) string {
	return registry + "/repositories/group/app/_uploads/" + digestOf(name, n)
}

// pour writes size bytes.
func pour(w io.Writer, size int64) error {
	for left := size; left > 0; {
		n, err := w.Write(piece[:min(left, pieceSize)])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// written opens a writer, has do use it, and closes it.
func written(ctx context.Context, d store, path string, append bool, do func(fileWriter) error) error {
	w, err := d.writer(ctx, path, append)
	if err != nil {
		return err
	}
	return errors.Join(do(w), w.Close())
}

// pushOne is the push of a layer in one piece: a writer, its commit, and the move to the blob's path.
func pushOne(ctx context.Context, d store, name string, n int, size int64) error {
	content := uploadDir(name, n) + "/data"
	if err := written(ctx, d, content, false, func(w fileWriter) error {
		if err := pour(w, size); err != nil {
			return err
		}
		return w.Commit(ctx)
	}); err != nil {
		return err
	}
	return d.Move(ctx, content, blob(name, n))
}

// pushAsRegistry makes the calls that a registry of distribution makes for a layer, in their order. A client sends POST, PATCH and PUT, and each
// opens the upload anew.
func pushAsRegistry(ctx context.Context, d store, name string, n int, size int64) error {
	dir := uploadDir(name, n)
	content, started, state := dir+"/data", dir+"/startedat", dir+"/hashstates/sha256"
	do := calls{ctx: ctx, d: d}
	nothing := func(fileWriter) error { return nil }
	// POST
	do.put(started, "2026-01-02T03:04:05Z")
	do.write(content, false, nothing)
	do.put(state+"/0", "the state of a hash, which is 108 bytes")
	// PATCH
	do.get(started)
	do.write(content, true, func(w fileWriter) error { return pour(w, size) })
	do.put(fmt.Sprintf("%s/%d", state, size), "the state of a hash, which is 108 bytes")
	// PUT
	do.get(started)
	do.write(content, true, func(w fileWriter) error {
		do.list(state)
		do.get(fmt.Sprintf("%s/%d", state, size))
		do.do(func() error { return w.Commit(ctx) })
		return do.err
	})
	do.size(content)
	do.none(blob(name, n))
	do.size(content)
	do.move(content, blob(name, n))
	do.put(link(name, n), "sha256:"+digestOf(name, n))
	do.delete(dir)
	return do.err
}

// calls makes calls until one fails.
type calls struct {
	ctx context.Context
	d   store
	err error
}

func (c *calls) do(f func() error) {
	if c.err == nil {
		c.err = f()
	}
}

func (c *calls) put(path, content string) {
	c.do(func() error { return c.d.PutContent(c.ctx, path, []byte(content)) })
}

func (c *calls) get(path string) {
	c.do(func() error {
		_, err := c.d.GetContent(c.ctx, path)
		return err
	})
}

func (c *calls) list(path string) {
	c.do(func() error {
		_, err := c.d.List(c.ctx, path)
		return err
	})
}

func (c *calls) size(path string) {
	c.do(func() error {
		_, err := c.d.size(c.ctx, path)
		return err
	})
}

// none is a Stat of what is not there.
func (c *calls) none(path string) {
	c.do(func() error {
		_, err := c.d.size(c.ctx, path)
		if absent(err) {
			return nil
		}
		return errors.Join(err, fmt.Errorf("there is something at %s", path))
	})
}

func (c *calls) write(path string, append bool, do func(fileWriter) error) {
	c.do(func() error { return written(c.ctx, c.d, path, append, do) })
}

func (c *calls) move(from, to string) { c.do(func() error { return c.d.Move(c.ctx, from, to) }) }
func (c *calls) delete(path string)   { c.do(func() error { return c.d.Delete(c.ctx, path) }) }

// pushAll pushes layers, so many at a time.
func pushAll(ctx context.Context, d store, t task) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(t.AtOnce)
	for n := range t.Count {
		group.Go(func() error { return pushAsRegistry(ctx, d, t.Name, n, t.Size) })
	}
	return group.Wait()
}

// smallCalls makes the calls that a registry answers manifests and links with, count times, one after the other.
func smallCalls(ctx context.Context, d store, name string, count int) error {
	do := calls{ctx: ctx, d: d}
	for n := range count {
		p := link(name, n)
		do.put(p, "sha256:"+digestOf(name, n))
		do.size(p)
		do.get(p)
		do.list(path.Dir(p))
		do.delete(p)
	}
	return do.err
}

// pull reads a blob.
func pull(ctx context.Context, d store, p string, size int64) error {
	r, err := d.Reader(ctx, p, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, pieceSize))
	if err == nil && n != size {
		err = fmt.Errorf("%s: %d bytes of %d", path.Base(path.Dir(p)), n, size)
	}
	return err
}
