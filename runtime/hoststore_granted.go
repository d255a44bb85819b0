package runtime

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/nesting"
	"github.com/berth-dev/storagedriver/internal/served"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// checkStores holds what the operator grants against what a guest can name.
func checkStores(list map[string]storagedriver.StorageDriver) error {
	for _, name := range slices.Sorted(maps.Keys(list)) {
		if err := abi.CheckName(name); err != nil {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "stores: %w", err)
		}
		if list[name] == nil {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, "stores: %q is no driver", name)
		}
	}
	return nil
}

// stores are what an opened driver was granted, and the calls of it that are under way.
type stores struct {
	named map[string]*store

	mu     sync.Mutex
	closed bool
	over   chan struct{} // closed when close has done what it does
	uses   map[*storeUse]struct{}
	calls  sync.WaitGroup // of uses, without those that bodies are
}

// store is one of them, as the Backend that a guest sees and as the driver that takes content of any length.
type store struct {
	granted
	backend storagedriver.Backend
	caps    storagedriver.Capabilities // the backend's, without what a guest has no operation for
}

func newStores(d *driver, list map[string]storagedriver.StorageDriver) *stores {
	s := &stores{named: make(map[string]*store, len(list)), over: make(chan struct{}), uses: map[*storeUse]struct{}{}}
	for name, to := range list {
		g := granted{StorageDriver: to, d: d, name: name}
		b := served.New(transforming{g})
		caps := storagedriver.Capabilities{Abilities: b.Capabilities().Abilities &^ storagedriver.AbilityParts}
		if own := to.Capabilities(); !own.Has(storagedriver.AbilityParts) && !own.Has(storagedriver.AbilityConcat) {
			caps.MaxObject = own.MaxObject // with them a longer put is an upload
		}
		s.named[name] = &store{granted: g, backend: b, caps: caps}
	}
	return s
}

// get returns a store by its name.
func (s *stores) get(name string) (*store, error) {
	if st := s.named[name]; st != nil {
		return st, nil
	}
	there := "it grants none"
	if len(s.named) > 0 {
		there = "it grants " + strings.Join(slices.Sorted(maps.Keys(s.named)), ", ")
	}
	return nil, storagedriver.Errorf(storagedriver.KindDenied, "the store %.80q is not granted: the driver's configuration would have to name it under stores; %s", name, there)
}

// storeUse is a call of a store, or a body or sink of one, that closing the driver ends.
type storeUse struct {
	s      *stores
	parent context.Context // of the operation that it is for
	ctx    context.Context
	cancel context.CancelFunc
	call   bool
}

// begin counts a use. end ends it, and close waits for it if it is a call.
func (s *stores) begin(ctx context.Context, call bool) (*storeUse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosedDriver
	}
	u := &storeUse{s: s, parent: ctx, call: call}
	u.ctx, u.cancel = context.WithCancel(ctx)
	s.uses[u] = struct{}{}
	if call {
		s.calls.Add(1)
	}
	return u, nil
}

func (u *storeUse) end() {
	u.s.mu.Lock()
	_, there := u.s.uses[u]
	delete(u.s.uses, u)
	u.s.mu.Unlock()
	if there && u.call {
		u.s.calls.Done()
	}
	u.cancel()
}

// outcome returns err, or that the driver was closed if it is that which ended the use.
func (u *storeUse) outcome(err error) error {
	if storagedriver.KindOf(err) != storagedriver.KindCanceled || u.parent.Err() != nil {
		return err
	}
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if u.s.closed {
		return errClosedDriver
	}
	return err
}

// run performs a call of a store.
func (s *stores) run(ctx context.Context, f func(ctx context.Context) error) error {
	u, err := s.begin(ctx, true)
	if err != nil {
		return err
	}
	defer u.end()
	return u.outcome(f(u.ctx))
}

// close ends what is under way and suspends unfinished uploads. The drivers that were granted stay open. Closing again
// waits for the first to be done, and is nil.
func (s *stores) close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.over
		return nil
	}
	s.closed = true
	defer close(s.over)
	for u := range s.uses {
		u.cancel()
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.calls.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(storesPatience): // a guest that computes goes on, and finds its stores closed
	}
	var all []error
	for _, st := range s.named {
		all = append(all, st.backend.Close())
	}
	return errors.Join(all...)
}

// storesPatience is how long closing a driver waits for a guest that has a call of a store open and does not end: as long as a suspend may take.
const storesPatience = 30 * time.Second

// granted is a driver of the operator's as a guest's driver reaches it: each call is made a level deeper than the one that
// it is made for. Closing it does nothing: it belongs to who has granted it.
type granted struct {
	storagedriver.StorageDriver
	d    *driver
	name string // of the store
}

// deeper returns the context for what is asked of the store under ctx.
func (g granted) deeper(ctx context.Context) (context.Context, error) {
	if err := g.d.reachedOnce(ctx); err != nil {
		return nil, err
	}
	next := nesting.With(ctx, g.d, g.d.Name(), g.name, feedingOf(ctx) != nil)
	if nesting.Depth(next) > abi.MaxStoreDepth {
		return nil, storagedriver.Errorf(storagedriver.KindLimit, "stores are at most %d drivers deep: %s: grant one of them the store that is meant in the end", abi.MaxStoreDepth, nesting.Chain(next))
	}
	// What a call of this driver waits for is nothing to the drivers below, nor to their connections.
	return egress.NotFeeding(unfed(next)), nil
}

// reachedOnce refuses calls that come back to the driver by way of the stores that it was granted.
func (d *driver) reachedOnce(ctx context.Context) error {
	if !nesting.Has(ctx, d) {
		return nil
	}
	return storagedriver.Errorf(storagedriver.KindDenied, "the granted stores go in a circle: %s > %s: grant one of them another store", nesting.Chain(ctx), d.Name())
}

// Stat implements storagedriver.StorageDriver.
func (g granted) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return nil, err
	}
	return g.StorageDriver.Stat(ctx, path)
}

// List implements storagedriver.StorageDriver.
func (g granted) List(ctx context.Context, path string) ([]string, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return nil, err
	}
	return g.StorageDriver.List(ctx, path)
}

// Walk implements storagedriver.StorageDriver.
func (g granted) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return err
	}
	return g.StorageDriver.Walk(ctx, path, f, options...)
}

// GetContent implements storagedriver.StorageDriver.
func (g granted) GetContent(ctx context.Context, path string) ([]byte, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return nil, err
	}
	return g.StorageDriver.GetContent(ctx, path)
}

// PutContent implements storagedriver.StorageDriver.
func (g granted) PutContent(ctx context.Context, path string, content []byte) error {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return err
	}
	return g.StorageDriver.PutContent(ctx, path, content)
}

// Reader implements storagedriver.StorageDriver.
func (g granted) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return nil, err
	}
	return g.StorageDriver.Reader(ctx, path, offset)
}

// Writer implements storagedriver.StorageDriver.
func (g granted) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return nil, err
	}
	w, err := g.StorageDriver.Writer(ctx, path, append)
	if err != nil {
		return nil, err
	}
	return grantedWriter{w, g}, nil
}

// grantedWriter is a writer whose Commit and Cancel are calls of the store as well.
type grantedWriter struct {
	storagedriver.FileWriter
	g granted
}

// Commit implements storagedriver.FileWriter.
func (w grantedWriter) Commit(ctx context.Context) error {
	ctx, err := w.g.deeper(ctx)
	if err != nil {
		return err
	}
	return w.FileWriter.Commit(ctx)
}

// Cancel implements storagedriver.FileWriter.
func (w grantedWriter) Cancel(ctx context.Context) error {
	ctx, err := w.g.deeper(ctx)
	if err != nil {
		return err
	}
	return w.FileWriter.Cancel(ctx)
}

// Move implements storagedriver.StorageDriver.
func (g granted) Move(ctx context.Context, source, dest string) error {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return err
	}
	return g.StorageDriver.Move(ctx, source, dest)
}

// Delete implements storagedriver.StorageDriver.
func (g granted) Delete(ctx context.Context, path string) error {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return err
	}
	return g.StorageDriver.Delete(ctx, path)
}

// RedirectURL implements storagedriver.StorageDriver.
func (g granted) RedirectURL(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	ctx, err := g.deeper(ctx)
	if err != nil {
		return "", err
	}
	return g.StorageDriver.RedirectURL(ctx, path, options)
}

// Close implements storagedriver.StorageDriver.
func (granted) Close() error { return nil }
