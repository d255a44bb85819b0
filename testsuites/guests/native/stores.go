package native

import (
	"context"
	"errors"
	"io"

	"github.com/berth-dev/storagedriver"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	host "github.com/berth-dev/storagedriver/guest-sdk/go/native"
	"github.com/berth-dev/storagedriver/internal/served"
)

// store is a driver that an SDK driver was granted: as the Backend that it sees, and as what takes content of any length.
type store struct {
	to      storagedriver.StorageDriver
	backend storagedriver.Backend
}

var _ host.Store = (*store)(nil)

// kept is a driver that belongs to who has granted it.
type kept struct{ storagedriver.StorageDriver }

func (kept) Close() error { return nil }

func newStores(granted map[string]storagedriver.StorageDriver) map[string]*store {
	stores := make(map[string]*store, len(granted))
	for name, to := range granted {
		stores[name] = &store{to, served.New(kept{to})}
	}
	return stores
}

func grant(stores map[string]*store) map[string]host.Store {
	out := make(map[string]host.Store, len(stores))
	for name, s := range stores {
		out[name] = s
	}
	return out
}

// unwrap makes an error of the root package's one of the SDK's.
func unwrap(err error) error {
	if err == nil {
		return nil
	}
	var own *berth.Error
	if errors.As(err, &own) {
		return own
	}
	err = served.Cause(err)
	e := &berth.Error{Kind: berth.Kind(storagedriver.KindOf(err)), Msg: err.Error()}
	var known *storagedriver.Error
	if errors.As(err, &known) {
		e.Temporary, e.RetryAfter = known.Temporary, known.RetryAfter
	}
	return e
}

// smallPut is the most bytes that are put at once, which leaves an unfinished upload at the path as it is.
const smallPut = 4 << 20

func (s *store) Info() (berth.StoreInfo, error) {
	info := berth.StoreInfo{Abilities: berth.Abilities(s.backend.Capabilities().Abilities &^ storagedriver.AbilityParts)}
	if own := s.to.Capabilities(); !own.Has(storagedriver.AbilityParts) && !own.Has(storagedriver.AbilityConcat) {
		info.MaxObject = own.MaxObject // with them a longer put is an upload
	}
	return info, nil
}

func sdkEntry(e *storagedriver.Entry) berth.Entry {
	return berth.Entry{Name: e.Name, Size: e.Size, ModTime: e.ModTime, Dir: e.Dir}
}

func (s *store) Stat(ctx context.Context, path string) (berth.Entry, error) {
	e, err := s.backend.Stat(ctx, path)
	e.Name = ""
	return sdkEntry(&e), unwrap(err)
}

func (s *store) List(ctx context.Context, path, cursor string, limit int) (berth.Page, error) {
	page, err := s.backend.List(ctx, path, cursor, limit)
	out := berth.Page{Cursor: page.Cursor, Entries: make([]berth.Entry, len(page.Entries))}
	for i := range page.Entries {
		out.Entries[i] = sdkEntry(&page.Entries[i])
	}
	return out, unwrap(err)
}

func (s *store) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	r, n, err := s.backend.Read(ctx, path, offset, length)
	if err != nil {
		return nil, 0, unwrap(err)
	}
	return sdkBody{r}, n, nil
}

// sdkBody is a body whose errors are made the SDK's.
type sdkBody struct{ io.ReadCloser }

func (b sdkBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != io.EOF {
		err = unwrap(err)
	}
	return n, err
}

func (s *store) Put(ctx context.Context, path string, body io.Reader, size int64) error {
	if size >= 0 && size <= smallPut {
		content := make([]byte, size)
		if _, err := io.ReadFull(body, content); err != nil {
			return unwrap(err)
		}
		return unwrap(s.to.PutContent(ctx, served.EscapePath(path), content))
	}
	w, err := s.Begin(ctx, path)
	if err != nil {
		return err
	}
	if _, err = io.Copy(w, body); err == nil {
		err = w.Commit()
	}
	if err != nil {
		_ = w.Cancel() // why it was not stored is the error to tell
	}
	return unwrap(err)
}

// storeWriter is a host.StoreWriter.
type storeWriter struct {
	ctx context.Context
	w   storagedriver.FileWriter
}

func (s *store) Begin(ctx context.Context, path string) (host.StoreWriter, error) {
	w, err := s.to.Writer(ctx, served.EscapePath(path), false)
	if err != nil {
		return nil, unwrap(err)
	}
	return &storeWriter{ctx, w}, nil
}

func (w *storeWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	return n, unwrap(err)
}

func (w *storeWriter) Commit() error {
	if err := w.w.Commit(w.ctx); err != nil {
		return unwrap(err)
	}
	return unwrap(w.w.Close())
}

func (w *storeWriter) Cancel() error {
	return unwrap(errors.Join(w.w.Cancel(context.WithoutCancel(w.ctx)), w.w.Close()))
}

func (s *store) Delete(ctx context.Context, path string) error {
	return unwrap(s.backend.Delete(ctx, path))
}

func (s *store) DeleteTree(ctx context.Context, path string) error {
	return unwrap(s.backend.DeleteTree(ctx, path))
}

func (s *store) Move(ctx context.Context, source, dest string) error {
	return unwrap(s.backend.Move(ctx, source, dest))
}

func (s *store) Redirect(ctx context.Context, path string, options berth.RedirectOptions) (string, error) {
	url, err := s.backend.Redirect(ctx, path, storagedriver.RedirectOptions(options))
	return url, unwrap(err)
}

func (s *store) AbortUploads(ctx context.Context, path string) error {
	return unwrap(s.backend.AbortUploads(ctx, path))
}
