package ipc

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/semaphore"
)

const (
	// sequentialPut is the most bytes of a Put, and of all Puts under way: a StorageDriver is given content in memory. It is 16 parts,
	// each of which is a whole upload if that is no longer.
	sequentialPut = 64 << 20
	// smallRead is the most bytes that are read before the answer, which then needs no second look at the size.
	smallRead = 64 << 10
	// readAttempts is how often a file is opened that is replaced meanwhile.
	readAttempts = 8
)

// sequential is a StorageDriver as a Backend.
//
//   - The bytes of an upload's parts go, in order, to a FileWriter, which is kept from call to call (see
//     sequentialUploads). They are durable when the upload is suspended, and no sooner: of a process that dies what was
//     suspended last is left, and the next part is KindConflict.
//   - Delete of a directory looks whether it is empty first, and what is stored there meanwhile goes with it, as do unfinished uploads below it, which
//     nobody sees. A gate calls DeleteTree for directories.
//   - A Copy and a Concat would be the bytes through this process: they are the gate's to derive.
type sequential struct {
	storagedriver.Unimplemented
	d            storagedriver.StorageDriver
	capabilities storagedriver.Capabilities
	puts         *semaphore.Weighted // bytes in memory
	listings     sequentialListings
	uploads      *sequentialUploads
}

// backendOf returns d as a Backend. Closing it suspends the uploads under way and closes d.
func backendOf(d storagedriver.StorageDriver) storagedriver.Backend { return newSequential(d) }

func newSequential(d storagedriver.StorageDriver) *sequential {
	return &sequential{
		d: d, capabilities: sequentialCapabilities(d.Capabilities()),
		puts: semaphore.NewWeighted(sequentialPut), uploads: newSequentialUploads(d),
	}
}

// sequentialCapabilities are what is left of a StorageDriver's, and what every StorageDriver does.
func sequentialCapabilities(c storagedriver.Capabilities) storagedriver.Capabilities {
	const (
		always = storagedriver.AbilityMove | storagedriver.AbilityMoveTree | storagedriver.AbilityDeleteTree | storagedriver.AbilityParts
		passed = storagedriver.AbilityRedirect | storagedriver.AbilityAppendCommitted | storagedriver.AbilityFilesUnderFiles |
			storagedriver.AbilityIdempotent
	)
	out := storagedriver.Capabilities{Abilities: always | c.Abilities&passed, MaxObject: sequentialPut}
	if c.MaxObject > 0 {
		out.MaxObject = min(out.MaxObject, c.MaxObject)
	}
	return out
}

// Name implements storagedriver.Backend.
func (s *sequential) Name() string { return s.d.Name() }

// Capabilities implements storagedriver.Backend.
func (s *sequential) Capabilities() storagedriver.Capabilities { return s.capabilities }

// Stat implements storagedriver.Backend.
func (s *sequential) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	info, err := s.d.Stat(ctx, escapePath(path))
	if err != nil {
		return storagedriver.Entry{}, cause(err)
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

// Read implements storagedriver.Backend. A Reader says nothing of its size, so that of a large file is looked at before and
// after it is opened: when both are equal the body has it.
func (s *sequential) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	path = escapePath(path)
	for range readAttempts {
		body, promise, err := s.read(ctx, path, offset, length)
		if body != nil || err != nil {
			return body, promise, err
		}
	}
	e := storagedriver.NewError(storagedriver.KindConflict, "the file is replaced again and again while it is opened")
	e.Temporary = true
	return nil, 0, e
}

// read returns no body when the file was replaced meanwhile.
func (s *sequential) read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	info, err := s.d.Stat(ctx, path)
	if err != nil {
		return nil, 0, cause(err)
	}
	left := info.Size() - offset
	promise := left
	if length >= 0 {
		promise = min(length, left)
	}
	r, err := s.d.Reader(ctx, path, offset) // also beyond the end, and of a directory: it has the right error
	if err != nil {
		return nil, 0, cause(err)
	}
	switch {
	case promise < 0:
		_ = r.Close() // it was replaced by more
		return nil, 0, nil
	case promise <= smallRead:
		return readSmall(r, promise, promise == left)
	}
	after, err := s.d.Stat(ctx, path)
	if err == nil && !after.IsDir() && after.Size() == info.Size() {
		body := &driverBody{r: r, c: r}
		if promise < left {
			body.r = io.LimitReader(r, promise)
		}
		return body, promise, nil
	}
	_ = r.Close() // nothing of it was used
	if err != nil {
		return nil, 0, cause(err)
	}
	return nil, 0, nil
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
		return nil, 0, cause(err)
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
	return n, cause(err)
}

func (b *driverBody) Close() error { return cause(b.c.Close()) }

// Put implements storagedriver.Backend.
func (s *sequential) Put(ctx context.Context, path string, body storagedriver.Source) error {
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
	return cause(s.d.PutContent(ctx, escapePath(path), content))
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
func (s *sequential) Delete(ctx context.Context, path string) error {
	path = escapePath(path)
	info, err := s.d.Stat(ctx, path)
	if err != nil {
		return cause(err)
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
	return cause(s.d.Delete(ctx, path))
}

// isEmpty reports whether there is nothing below path.
func (s *sequential) isEmpty(ctx context.Context, path string) (bool, error) {
	empty := true
	err := s.d.Walk(ctx, path, func(storagedriver.FileInfo) error {
		empty = false
		return storagedriver.ErrFilledBuffer
	})
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return true, nil
	}
	return empty, cause(err)
}

// DeleteTree implements storagedriver.Backend.
func (s *sequential) DeleteTree(ctx context.Context, path string) error {
	return cause(s.d.Delete(ctx, escapePath(path)))
}

// Move implements storagedriver.Backend.
func (s *sequential) Move(ctx context.Context, source, dest string) error {
	return cause(s.d.Move(ctx, escapePath(source), escapePath(dest)))
}

// Redirect implements storagedriver.Backend.
func (s *sequential) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	url, err := s.d.RedirectURL(ctx, escapePath(path), options)
	return url, cause(err)
}

// Close implements storagedriver.Backend.
func (s *sequential) Close() error {
	s.listings.close()
	return errors.Join(s.uploads.close(), cause(s.d.Close()))
}

// cause returns what the driver's error says beside its operation, the driver and the path, which the host's gate adds to every error.
func cause(err error) error {
	e, ok := err.(*storagedriver.Error) //nolint:errorlint // what wraps one says more
	if !ok {
		return err
	}
	return &storagedriver.Error{Kind: storagedriver.KindOf(e), Temporary: e.Temporary, RetryAfter: e.RetryAfter, Err: e.Err}
}
