package native

import (
	"bytes"
	"context"
	"io"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Store is a store that drivers are granted. Its methods owe what those of berth.Store do, and return *berth.Error
// values. They are called concurrently.
type Store interface {
	Info() (berth.StoreInfo, error)
	Stat(ctx context.Context, path string) (berth.Entry, error)
	List(ctx context.Context, path, cursor string, limit int) (berth.Page, error)
	// Read returns the content, which the caller closes, and its length.
	Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)
	// Put stores what body has: size bytes, or as many as there are when size is -1. An error of body's leaves
	// the old content.
	Put(ctx context.Context, path string, body io.Reader, size int64) error
	// Begin starts content that ctx governs until it is committed or cancelled.
	Begin(ctx context.Context, path string) (StoreWriter, error)
	Delete(ctx context.Context, path string) error
	DeleteTree(ctx context.Context, path string) error
	Move(ctx context.Context, source, dest string) error
	Redirect(ctx context.Context, path string, options berth.RedirectOptions) (string, error)
	AbortUploads(ctx context.Context, path string) error
}

// StoreWriter is content that is being written. One goroutine uses it, and ends it with Commit or Cancel.
type StoreWriter interface {
	io.Writer
	// Commit makes the content visible, atomically. After an error Cancel is called.
	Commit() error
	// Cancel drops what was written.
	Cancel() error
}

// store is a berth.HostStore.
type store struct {
	host *Host
	name string
	to   Store
}

// Store implements berth.Host.
func (h *Host) Store(name string) berth.HostStore {
	to := h.config.Stores[name]
	if to == nil {
		to = ungranted{denied("store", name)}
	}
	return &store{h, name, to}
}

func (s *store) Info() (berth.StoreInfo, error) { return s.to.Info() }

func (s *store) Stat(path string) (berth.Entry, error) { return s.to.Stat(s.host.ctx, path) }

func (s *store) List(path, cursor string, limit int) (berth.Page, error) {
	return s.to.List(s.host.ctx, path, cursor, limit)
}

func (s *store) Read(path string, offset, length int64) (berth.Content, error) {
	r, n, err := s.to.Read(s.host.ctx, path, offset, length)
	if err != nil {
		return berth.Content{}, err
	}
	if n == 0 {
		return berth.Content{}, r.Close()
	}
	return berth.Content{Length: n, Body: s.host.stream(r, n, false)}, nil
}

func (s *store) Put(path string, data []byte, streams []*berth.Stream) error {
	if streams == nil {
		return s.to.Put(s.host.ctx, path, bytes.NewReader(data), int64(len(data)))
	}
	body := &joinedBody{host: s.host, rest: streams}
	err := s.to.Put(s.host.ctx, path, body, sizeOf(streams))
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	return err
}

func (s *store) Begin(path string) (berth.HostStoreSink, error) {
	w, err := s.to.Begin(s.host.ctx, path)
	if err != nil {
		return nil, err
	}
	sink := &storeSink{w: w}
	s.host.open = append(s.host.open, sink)
	return sink, nil
}

func (s *store) Delete(path string) error { return s.to.Delete(s.host.ctx, path) }

func (s *store) DeleteTree(path string) error { return s.to.DeleteTree(s.host.ctx, path) }

func (s *store) Move(source, dest string) error { return s.to.Move(s.host.ctx, source, dest) }

func (s *store) Redirect(path string, options berth.RedirectOptions) (string, error) {
	return s.to.Redirect(s.host.ctx, path, options)
}

func (s *store) AbortUploads(path string) error { return s.to.AbortUploads(s.host.ctx, path) }

// storeSink is a berth.HostStoreSink.
type storeSink struct {
	w    StoreWriter
	done bool
}

func (s *storeSink) Write(p []byte) (int, error) { return s.w.Write(p) }

func (s *storeSink) Splice(src *berth.Stream, n int64) (int64, error) { return splice(s.w, src, n) }

func (s *storeSink) Finish() error {
	s.done = true
	err := s.w.Commit()
	if err != nil {
		_ = s.w.Cancel() // why it was not committed is the error to tell
	}
	return err
}

func (s *storeSink) Close() error {
	if s.done {
		return nil
	}
	s.done = true
	return s.w.Cancel()
}

// ungranted is a store that is not there.
type ungranted struct{ err error }

func (u ungranted) Info() (berth.StoreInfo, error) { return berth.StoreInfo{}, u.err }

func (u ungranted) Stat(context.Context, string) (berth.Entry, error) { return berth.Entry{}, u.err }

func (u ungranted) List(context.Context, string, string, int) (berth.Page, error) {
	return berth.Page{}, u.err
}

func (u ungranted) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	return nil, 0, u.err
}

func (u ungranted) Put(context.Context, string, io.Reader, int64) error { return u.err }

func (u ungranted) Begin(context.Context, string) (StoreWriter, error) { return nil, u.err }

func (u ungranted) Delete(context.Context, string) error { return u.err }

func (u ungranted) DeleteTree(context.Context, string) error { return u.err }

func (u ungranted) Move(context.Context, string, string) error { return u.err }

func (u ungranted) Redirect(context.Context, string, berth.RedirectOptions) (string, error) {
	return "", u.err
}

func (u ungranted) AbortUploads(context.Context, string) error { return u.err }
