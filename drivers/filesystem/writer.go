package filesystem

import (
	"context"
	"io"
	"os"

	"github.com/berth-dev/storagedriver"
)

const (
	// bufferSize is what a body that cannot write itself is copied through.
	bufferSize = 256 << 10
	// stride is the most bytes written between two looks at the context.
	stride = 1 << 20
	// copyStride is the same where the kernel copies.
	copyStride = 32 << 20
)

// Put implements Backend.
func (d *Driver) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return d.replace(ctx, path, func(f *os.File) error { return d.fill(ctx, f, body) })
}

// Copy implements Backend.
func (d *Driver) Copy(ctx context.Context, source, dest string) error {
	return d.Concat(ctx, dest, []string{source})
}

// Concat implements Backend. The bytes are copied by the kernel, or shared where the file
// system can.
func (d *Driver) Concat(ctx context.Context, dest string, sources []string) error {
	for _, source := range sources { // before anything of dest is made
		if e, err := d.Stat(ctx, source); err != nil {
			return err
		} else if e.Dir {
			return notFound()
		}
	}
	return d.replace(ctx, dest, func(f *os.File) error {
		for _, source := range sources {
			if err := d.copyFrom(ctx, f, source); err != nil {
				return err
			}
		}
		return nil
	})
}

// copyFrom appends the file at source to f.
func (d *Driver) copyFrom(ctx context.Context, f *os.File, source string) error {
	from, info, err := d.open(ctx, source)
	if err != nil {
		return err
	}
	defer from.Close()
	for left := info.Size(); left > 0; {
		n, err := d.copyPiece(ctx, f, from, min(left, copyStride))
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func (d *Driver) copyPiece(ctx context.Context, to, from *os.File, size int64) (int64, error) {
	if err := d.enter(ctx); err != nil {
		return 0, err
	}
	defer d.leave()
	n, err := io.CopyN(to, from, size)
	if err == io.EOF {
		return n, storagedriver.NewError(storagedriver.KindCorrupt, "the file became shorter while it was copied")
	}
	return n, classify(err, writing)
}

// fill writes body to f, from where f is. It is called without a slot.
func (d *Driver) fill(ctx context.Context, f *os.File, body storagedriver.Source) (err error) {
	size := body.Size()
	if size < 0 {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "a body of %d bytes", size)
	}
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	buffer := d.buffers.Get().(*[bufferSize]byte)
	defer d.buffers.Put(buffer)
	to := &sink{ctx: ctx, d: d, f: f, left: size}
	n, err := io.CopyBuffer(to, r, buffer[:])
	switch {
	case to.err != nil:
		return to.err
	case err != nil:
		return err
	case to.left > 0:
		return storagedriver.Errorf(storagedriver.KindCorrupt, "the body ended after %d of %d bytes", n, size)
	}
	return nil
}

// sink writes to a file at most what was promised, a slot at a time.
type sink struct {
	ctx  context.Context
	d    *Driver
	f    *os.File
	left int64
	err  error // the sink's own, as against the body's
}

func (s *sink) Write(p []byte) (n int, err error) {
	if int64(len(p)) > s.left {
		s.err = storagedriver.NewError(storagedriver.KindCorrupt, "the body goes on after the promised bytes")
		return 0, s.err
	}
	for len(p) > 0 && s.err == nil {
		var m int
		m, s.err = s.write(p[:min(len(p), stride)])
		n += m
		p = p[m:]
	}
	s.left -= int64(n)
	return n, s.err
}

func (s *sink) write(p []byte) (int, error) {
	if err := s.d.enter(s.ctx); err != nil {
		return 0, err
	}
	defer s.d.leave()
	n, err := s.f.Write(p)
	return n, classify(err, writing)
}
