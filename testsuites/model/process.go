package model

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
)

// Process is a driver as one process has it.
type Process struct {
	Driver storagedriver.StorageDriver
	// Kill ends the process: when it returns, what was being done at the backend has been done, and
	// nothing that the driver or its writers and readers do afterwards reaches it.
	Kill func()
	// KillAt kills the process, as Kill does, when it begins its n-th call to the backend from now on,
	// counted from 1: that call is the first without effect.
	KillAt func(n int64)
}

// Harness says how to open the driver under test.
type Harness struct {
	// Open opens the storage as another process would: nothing is shared with the processes before but
	// what is stored. The context governs the opening only. partSize is the size of parts that the script
	// asks for, in bytes; 0 is the harness's to choose. Run closes the driver, also when it was killed.
	Open func(ctx context.Context, partSize int64) (Process, error)
	// Dir is the directory that a script has as its "/", which Run makes by putting something there, and
	// removes. "" is the root: the storage holds nothing else.
	Dir string
	// Left, which may be nil, is called when everything has been removed and closed. It returns an error that
	// says what is at the backend nevertheless, where the driver does not show it.
	Left func() error
}

// NewProcess returns what complete makes of a backend, as a process that can be killed.
func NewProcess(b storagedriver.Backend, complete func(storagedriver.Backend) storagedriver.StorageDriver) Process {
	m := &mortal{Backend: b}
	return Process{Driver: complete(m), Kill: m.kill, KillAt: m.left.Store}
}

// mortal is a Backend whose process can be killed. Calls under way end well, as a request does that
// has left the machine.
type mortal struct {
	storagedriver.Backend

	mu   sync.RWMutex // held for reading by calls under way
	dead atomic.Bool
	left atomic.Int64 // the call, counted down, that the process is killed at
}

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead.Store(true)
}

// enter begins a call; leave ends it. Calls nest, in a Put whose body is read from the backend, and so
// a kill in between must not keep the inner one waiting: it is refused.
func (m *mortal) enter() (leave func(), err error) {
	if !m.mu.TryRLock() {
		return nil, errKilled
	}
	if m.left.Load() > 0 && m.left.Add(-1) == 0 {
		m.dead.Store(true)
	}
	if m.dead.Load() {
		m.mu.RUnlock()
		return nil, errKilled
	}
	return m.mu.RUnlock, nil
}

var errKilled = storagedriver.NewError(storagedriver.KindClosed, "the process has been killed")

// during makes a call that has one result beside its error.
func during[R any](m *mortal, call func() (R, error)) (R, error) {
	leave, err := m.enter()
	if err != nil {
		var none R
		return none, err
	}
	defer leave()
	return call()
}

func (m *mortal) do(call func() error) error {
	leave, err := m.enter()
	if err != nil {
		return err
	}
	defer leave()
	return call()
}

func (m *mortal) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return during(m, func() (storagedriver.Entry, error) { return m.Backend.Stat(ctx, path) })
}

func (m *mortal) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return during(m, func() (storagedriver.Page, error) { return m.Backend.List(ctx, path, cursor, limit) })
}

func (m *mortal) Read(ctx context.Context, path string, offset, length int64) (body io.ReadCloser, size int64, err error) {
	err = m.do(func() error {
		body, size, err = m.Backend.Read(ctx, path, offset, length)
		return err
	})
	return body, size, err
}

func (m *mortal) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return m.do(func() error { return m.Backend.Put(ctx, path, body) })
}

func (m *mortal) Delete(ctx context.Context, path string) error {
	return m.do(func() error { return m.Backend.Delete(ctx, path) })
}

func (m *mortal) DeleteTree(ctx context.Context, path string) error {
	return m.do(func() error { return m.Backend.DeleteTree(ctx, path) })
}

func (m *mortal) Copy(ctx context.Context, source, dest string) error {
	return m.do(func() error { return m.Backend.Copy(ctx, source, dest) })
}

func (m *mortal) Move(ctx context.Context, source, dest string) error {
	return m.do(func() error { return m.Backend.Move(ctx, source, dest) })
}

func (m *mortal) Concat(ctx context.Context, dest string, sources []string) error {
	return m.do(func() error { return m.Backend.Concat(ctx, dest, sources) })
}

func (m *mortal) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return during(m, func() (storagedriver.Page, error) { return m.Backend.ListTree(ctx, path, startAfter, cursor, limit) })
}

func (m *mortal) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	return during(m, func() (storagedriver.Upload, error) { return m.Backend.OpenUpload(ctx, path, append) })
}

func (m *mortal) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	return during(m, func() ([]byte, error) { return m.Backend.PutPart(ctx, token, part) })
}

func (m *mortal) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	return m.do(func() error { return m.Backend.SuspendUpload(ctx, token, receipts, tail) })
}

func (m *mortal) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return m.do(func() error { return m.Backend.CommitUpload(ctx, token, receipts, last) })
}

func (m *mortal) CancelUpload(ctx context.Context, token string) error {
	return m.do(func() error { return m.Backend.CancelUpload(ctx, token) })
}

func (m *mortal) AbortUploads(ctx context.Context, path string) error {
	return m.do(func() error { return m.Backend.AbortUploads(ctx, path) })
}

func (m *mortal) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return during(m, func() (storagedriver.Page, error) { return m.Backend.ListUploads(ctx, path, cursor, limit) })
}
