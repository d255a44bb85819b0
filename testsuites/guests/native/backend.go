package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver"
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	host "github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// backend is a Backend over an SDK driver. Its methods may be called concurrently.
type backend struct {
	name         string
	capabilities storagedriver.Capabilities
	config       host.Config
	stores       map[string]*store
	driver       berth.Driver
	delegated    sync.Map // *delegation by token, until the upload has ended or is suspended

	mu     sync.Mutex
	held   map[*body]struct{} // what readers hold
	closed bool
}

var _ storagedriver.Backend = (*backend)(nil)

// Config is what drivers are lent.
type Config struct {
	host.Config
	// Granted are the stores, by name, in place of Config.Stores. They must stay open until the driver is closed.
	Granted map[string]storagedriver.StorageDriver
}

// Open returns the OpenFunc of the driver that open opens. Parameters are of the types that the manifest
// declares.
func Open(manifest berth.Manifest, open berth.OpenFunc) storagedriver.OpenFunc {
	return Config{}.Open(manifest, open)
}

// Open is the function Open for a driver that is lent something.
func (c Config) Open(manifest berth.Manifest, open berth.OpenFunc) storagedriver.OpenFunc {
	return func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		if parameters == nil {
			parameters = map[string]any{}
		}
		text, err := json.Marshal(parameters)
		if err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the parameters have no JSON: %w", err)
		}
		b := &backend{name: manifest.Name, config: c.Config, stores: newStores(c.Granted), held: map[*body]struct{}{}}
		if b.config.Client == nil {
			b.config.Client = host.NewClient()
		}
		if c.Granted != nil {
			b.config.Stores = grant(b.stores)
		}
		h := b.config.NewHost(ctx)
		defer h.Close()
		driver, abilities, most, err := open(berth.NewCall(h), text)
		if err != nil {
			return nil, wrap(err)
		}
		b.driver = driver
		b.capabilities = storagedriver.Capabilities{Abilities: storagedriver.Ability(abilities), MaxObject: most}
		return b, nil
	}
}

// call is one call of the driver: the host it reaches the world through.
func (b *backend) call(ctx context.Context) (*host.Host, *berth.Call) {
	h := b.config.NewHost(ctx)
	return h, berth.NewCall(h)
}

// wrap makes an SDK error one of the root package's.
func wrap(err error) error {
	var e *berth.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	return &storagedriver.Error{
		Kind: storagedriver.Kind(e.Kind), Temporary: e.Temporary, RetryAfter: e.RetryAfter, Err: errors.New(e.Msg),
	}
}

// Name implements Backend.
func (b *backend) Name() string { return b.name }

// Capabilities implements Backend.
func (b *backend) Capabilities() storagedriver.Capabilities { return b.capabilities }

func entryOf(e *berth.Entry) storagedriver.Entry {
	return storagedriver.Entry{Name: e.Name, Size: e.Size, ModTime: e.ModTime, Dir: e.Dir}
}

// Stat implements Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	h, c := b.call(ctx)
	defer h.Close()
	e, err := b.driver.Stat(c, path)
	return entryOf(&e), wrap(err)
}

func pageOf(p *berth.Page, err error) (storagedriver.Page, error) {
	page := storagedriver.Page{Cursor: p.Cursor, Entries: make([]storagedriver.Entry, len(p.Entries))}
	for i := range p.Entries {
		page.Entries[i] = entryOf(&p.Entries[i])
	}
	return page, wrap(err)
}

// List implements Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	h, c := b.call(ctx)
	defer h.Close()
	page, err := b.driver.List(c, path, cursor, limit)
	return pageOf(&page, err)
}

// ListTree implements Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	h, c := b.call(ctx)
	defer h.Close()
	page, err := b.driver.ListTree(c, path, startAfter, cursor, limit)
	return pageOf(&page, err)
}

// Read implements Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	h, c := b.call(ctx)
	defer h.Close()
	content, err := b.driver.Read(c, path, offset, length)
	if err != nil {
		return nil, 0, wrap(err)
	}
	if len(content.State) > 0 {
		if content.Body != nil { // it outlives the call
			r, err := h.Detach(content.Body)
			if err != nil {
				return nil, 0, storagedriver.Errorf(storagedriver.KindGuest, "%w", err)
			}
			content.Body = berth.NewStream(r, content.Body.Size())
		}
		stream := b.config.Stream(ctx, b.driver, path, &content)
		r, err := b.hold(&body{b: b, r: classified{stream}, left: content.Length})
		return r, content.Length, err
	}
	r, err := b.open(h, &content)
	return r, content.Length, err
}

// open takes the content out of the call.
func (b *backend) open(h *host.Host, content *berth.Content) (io.ReadCloser, error) {
	if content.Body == nil {
		return io.NopCloser(bytes.NewReader(content.Data)), nil
	}
	r, err := h.Detach(content.Body)
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindGuest, "%w", err)
	}
	return b.hold(&body{b: b, r: r, left: content.Length})
}

// Put implements Backend.
func (b *backend) Put(ctx context.Context, path string, src storagedriver.Source) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.Put(c, path, h.Source(src)))
}

// Delete implements Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.Delete(c, path))
}

// DeleteTree implements Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.DeleteTree(c, path))
}

// Copy implements Backend.
func (b *backend) Copy(ctx context.Context, source, dest string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.Copy(c, source, dest))
}

// Move implements Backend.
func (b *backend) Move(ctx context.Context, source, dest string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.Move(c, source, dest))
}

// Concat implements Backend.
func (b *backend) Concat(ctx context.Context, dest string, sources []string) error {
	h, c := b.call(ctx)
	defer h.Close()
	return wrap(b.driver.Concat(c, dest, sources))
}

// Redirect implements Backend.
func (b *backend) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	h, c := b.call(ctx)
	defer h.Close()
	url, err := b.driver.Redirect(c, path, berth.RedirectOptions(options))
	return url, wrap(err)
}

// Close implements Backend. Bodies that readers hold fail afterwards.
func (b *backend) Close() error {
	b.mu.Lock()
	held := b.held
	b.held, b.closed = nil, true
	b.mu.Unlock()
	for r := range held {
		_ = r.r.Close() // what is cut off has no error of its own
	}
	b.config.Client.CloseIdleConnections()
	var all []error
	for _, s := range b.stores {
		all = append(all, s.backend.Close())
	}
	return errors.Join(all...)
}
