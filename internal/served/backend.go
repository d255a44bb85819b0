package served

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/semaphore"
)

const (
	// maxPut is the most bytes of a Put, and of all Puts under way: a StorageDriver is given content in memory. It is 16 parts,
	// each of which is a whole upload if that is no longer.
	maxPut = 64 << 20
	// bufferSize is what bodies are copied through.
	bufferSize = 64 << 10
	// smallRead is the most bytes that are read before the answer, which then needs no second look at the size, of a driver whose
	// readers don't tell theirs.
	smallRead = 64 << 10
	// readAttempts is how often a file is opened that is replaced meanwhile. The attempts after the first readAtOnce are readPause apart: nearly a second in all, which no
	// writer fills whose file has the same size twice in a row only now and then.
	readAttempts = 40
	readAtOnce   = 8
	readPause    = 25 * time.Millisecond
)

// backend is a StorageDriver as a Backend.
//
//   - The bytes of an upload's parts go, in order, to a FileWriter, which is kept from call to call (see uploads).
//     They are durable when the upload is suspended, and no sooner: of a process that dies what was
//     suspended last is left, and the next part is KindConflict.
//   - Delete of a directory looks whether it is empty first, and what is stored there meanwhile goes with it, as do unfinished uploads below it, which
//     nobody sees. A gate calls DeleteTree for directories.
//   - A Copy and a Concat would be the bytes through this process: they are the gate's to derive.
type backend struct {
	storagedriver.Unimplemented
	d            storagedriver.StorageDriver
	capabilities storagedriver.Capabilities
	puts         *semaphore.Weighted // bytes in memory
	unsized      atomic.Bool         // whether a reader was no SizedReader: since then there is a Stat before each
	listings     listings
	uploads      *uploads
}

// New returns d as a Backend. Closing it suspends the uploads under way and closes d.
func New(d storagedriver.StorageDriver) storagedriver.Backend { return newBackend(d) }

func newBackend(d storagedriver.StorageDriver) *backend {
	return &backend{
		d: d, capabilities: capabilitiesOf(d.Capabilities()),
		puts: semaphore.NewWeighted(maxPut), uploads: newUploads(d),
	}
}

// capabilitiesOf are what is left of a StorageDriver's, and what every StorageDriver does.
func capabilitiesOf(c storagedriver.Capabilities) storagedriver.Capabilities {
	const (
		always = storagedriver.AbilityMove | storagedriver.AbilityMoveTree | storagedriver.AbilityDeleteTree | storagedriver.AbilityParts
		passed = storagedriver.AbilityRedirect | storagedriver.AbilityAppendCommitted | storagedriver.AbilityFilesUnderFiles |
			storagedriver.AbilityIdempotent
	)
	out := storagedriver.Capabilities{Abilities: always | c.Abilities&passed, MaxObject: maxPut}
	if c.MaxObject > 0 {
		out.MaxObject = min(out.MaxObject, c.MaxObject)
	}
	return out
}

// Name implements storagedriver.Backend.
func (s *backend) Name() string { return s.d.Name() }

// Capabilities implements storagedriver.Backend.
func (s *backend) Capabilities() storagedriver.Capabilities { return s.capabilities }

// Stat implements storagedriver.Backend.
func (s *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	info, err := s.d.Stat(ctx, EscapePath(path))
	if err != nil {
		return storagedriver.Entry{}, Cause(err)
	}
	return entryOf(info), nil
}

func entryOf(info storagedriver.FileInfo) storagedriver.Entry {
	e := storagedriver.Entry{ModTime: info.ModTime(), Dir: info.IsDir()}
	if !e.Dir {
		e.Size = info.Size()
	}
	return e
}

// Read implements storagedriver.Backend. A reader that says nothing of its size is opened between two Stats, if it is large:
// when both tell the same the body has that size.
func (s *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	path = EscapePath(path)
	for attempt := range readAttempts {
		body, promise, err := s.read(ctx, path, offset, length)
		if body != nil || err != nil {
			return body, promise, err
		}
		if attempt < readAtOnce {
			continue
		}
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(readPause):
		}
	}
	e := storagedriver.NewError(storagedriver.KindConflict, "the file is replaced again and again while it is opened")
	e.Temporary = true
	return nil, 0, e
}

// read returns no body when the file was replaced meanwhile.
func (s *backend) read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if !s.unsized.Load() {
		r, err := s.d.Reader(ctx, path, offset)
		if err != nil {
			return nil, 0, Cause(err)
		}
		if sized, ok := r.(storagedriver.SizedReader); ok {
			body, promise := limited(r, sized.Size(), length)
			return body, promise, nil
		}
		_ = r.Close() // nothing of it was used
		s.unsized.Store(true)
	}
	info, err := s.d.Stat(ctx, path)
	if err != nil {
		return nil, 0, Cause(err)
	}
	left := info.Size() - offset
	promise := left
	if length >= 0 {
		promise = min(length, left)
	}
	r, err := s.d.Reader(ctx, path, offset) // also beyond the end, and of a directory: it has the right error
	if err != nil {
		return nil, 0, Cause(err)
	}
	switch {
	case promise < 0:
		_ = r.Close() // it was replaced by more
		return nil, 0, nil
	case promise <= smallRead:
		return readSmall(r, promise, promise == left)
	}
	after, err := s.d.Stat(ctx, path)
	if err == nil && !after.IsDir() && after.Size() == info.Size() && after.ModTime().Equal(info.ModTime()) {
		body, promise := limited(r, left, length)
		return body, promise, nil
	}
	_ = r.Close() // nothing of it was used
	if err != nil {
		return nil, 0, Cause(err)
	}
	return nil, 0, nil
}

// limited returns a body of length bytes of r, which has left, or of all of them if those are fewer or length is negative.
func limited(r io.ReadCloser, left, length int64) (io.ReadCloser, int64) {
	if length < 0 || length >= left {
		return &driverBody{r: r, c: r}, left
	}
	return &driverBody{r: io.LimitReader(r, length), c: r}, length
}

// readSmall reads and closes r. There is no body if, with toEnd, more comes than is wanted.
func readSmall(r io.ReadCloser, want int64, toEnd bool) (io.ReadCloser, int64, error) {
	buffer := make([]byte, want, want+1)
	if toEnd {
		buffer = buffer[:want+1]
	}
	n, err := io.ReadFull(r, buffer)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // the file is as long as it is now
	}
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, 0, Cause(err)
	}
	if int64(n) > want {
		return nil, 0, nil
	}
	return io.NopCloser(bytes.NewReader(buffer[:n])), int64(n), nil
}

// driverBody is a body whose errors say nothing that the host's gate says again.
type driverBody struct {
	r io.Reader
	c io.Closer
}

func (b *driverBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	return n, Cause(err)
}

func (b *driverBody) Close() error { return Cause(b.c.Close()) }

// Put implements storagedriver.Backend.
func (s *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	size := body.Size()
	if size < 0 || size > s.capabilities.MaxObject {
		return storagedriver.Errorf(storagedriver.KindLimit, "a put has at most %d bytes, not %d", s.capabilities.MaxObject, size)
	}
	if err := s.puts.Acquire(ctx, size); err != nil {
		return err
	}
	defer s.puts.Release(size)
	content, err := contentOf(ctx, body)
	if err != nil {
		return err
	}
	return Cause(s.d.PutContent(ctx, EscapePath(path), content))
}

func contentOf(ctx context.Context, source storagedriver.Source) ([]byte, error) {
	r, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	exact := storagedriver.ExactBody(r, source.Size())
	content := make([]byte, source.Size(), source.Size()+1)
	_, err = io.ReadFull(exact, content)
	if err == nil {
		// ReadFull tells no error of what fills its buffer.
		if _, err = exact.Read(content[len(content):cap(content)]); err == io.EOF {
			err = nil
		}
	}
	if closeErr := exact.Close(); err == nil {
		err = closeErr
	}
	return content, err
}

// Delete implements storagedriver.Backend.
func (s *backend) Delete(ctx context.Context, path string) error {
	path = EscapePath(path)
	info, err := s.d.Stat(ctx, path)
	if err != nil {
		return Cause(err)
	}
	if info.IsDir() || s.capabilities.Has(storagedriver.AbilityFilesUnderFiles) {
		empty, err := s.isEmpty(ctx, path)
		switch {
		case err != nil:
			return err
		case !empty && info.IsDir():
			return storagedriver.NewError(storagedriver.KindConflict, "the directory is not empty")
		case !empty:
			return storagedriver.NewError(storagedriver.KindUnsupported, "this driver deletes a file only together with the files under it")
		}
	}
	return Cause(s.d.Delete(ctx, path))
}

// isEmpty reports whether there is nothing below path.
func (s *backend) isEmpty(ctx context.Context, path string) (bool, error) {
	empty := true
	err := s.d.Walk(ctx, path, func(storagedriver.FileInfo) error {
		empty = false
		return storagedriver.ErrFilledBuffer
	})
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return true, nil
	}
	return empty, Cause(err)
}

// DeleteTree implements storagedriver.Backend.
func (s *backend) DeleteTree(ctx context.Context, path string) error {
	return Cause(s.d.Delete(ctx, EscapePath(path)))
}

// Move implements storagedriver.Backend.
func (s *backend) Move(ctx context.Context, source, dest string) error {
	return Cause(s.d.Move(ctx, EscapePath(source), EscapePath(dest)))
}

// Redirect implements storagedriver.Backend.
func (s *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	url, err := s.d.RedirectURL(ctx, EscapePath(path), options)
	return url, Cause(err)
}

// Close implements storagedriver.Backend.
func (s *backend) Close() error {
	s.listings.close()
	return errors.Join(s.uploads.close(), Cause(s.d.Close()))
}

// Cause returns what the driver's error says beside its operation, the driver and the path, which the host's gate adds to every error.
func Cause(err error) error {
	e, ok := err.(*storagedriver.Error) //nolint:errorlint // what wraps one says more
	if !ok {
		return err
	}
	return &storagedriver.Error{Kind: storagedriver.KindOf(e), Temporary: e.Temporary, RetryAfter: e.RetryAfter, Err: e.Err}
}
