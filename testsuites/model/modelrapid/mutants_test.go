package modelrapid_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// TestMutants wants each driver that is broken on purpose to be found, with a script of few lines that fails when
// it is read again and performed.
func TestMutants(t *testing.T) {
	for name, mutant := range mutants() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := modelrapid.Options{PartSize: partSize, Time: 30 * time.Second, Open: func(modelrapid.TB) model.Harness { return mutant() }}
			var found modelrapid.Found
			for range 10 { // a run of rapid is a hundred scripts
				if found = modelrapid.Search(t, o); found.Err != nil {
					break
				}
			}
			if found.Err == nil {
				t.Fatalf("want the mutant to be found, got %d scripts that pass", found.Scripts)
			}
			t.Logf("after %d scripts: %v\n%s", found.Scripts, found.Err, found.Script)
			if len(found.Script) > 8 { // one of them is the size of parts
				t.Errorf("want a script of at most 8 lines, got %d", len(found.Script))
			}
			again, err := model.Parse(found.Script.String())
			if err != nil {
				t.Fatalf("the script that was printed cannot be read: %v", err)
			}
			err = nil
			for n := 0; n < 20 && err == nil; n++ { // which parts are stored at a crash is decided by the scheduler
				err = model.Run(t.Context(), mutant(), again, nil)
			}
			if err == nil {
				t.Errorf("want the script to fail again, got no error")
			}
		})
	}
}

// backends breaks what is below the gate.
func onBackend(change func(*hooks)) func() model.Harness {
	return func() model.Harness {
		h := &hooks{Driver: inmemory.New()}
		change(h)
		return model.Harness{Open: func(_ context.Context, partSize int64) (model.Process, error) {
			return model.NewProcess(h, complete(partSize)), nil
		}}
	}
}

// onDriver breaks what the gate gives.
func onDriver(wrap func(storagedriver.StorageDriver) storagedriver.StorageDriver) func() model.Harness {
	return func() model.Harness {
		b := inmemory.New()
		return model.Harness{Open: func(_ context.Context, partSize int64) (model.Process, error) {
			return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver { return wrap(complete(partSize)(b)) }), nil
		}}
	}
}

func mutants() map[string]func() model.Harness {
	return map[string]func() model.Harness{
		"put loses the last byte of what is longer than a part": onBackend(func(h *hooks) {
			h.put = func(path string, body []byte) []byte {
				if len(body) > partSize {
					return body[:len(body)-1]
				}
				return body
			}
		}),
		"two bytes are swapped in what is put": onBackend(func(h *hooks) {
			h.put = func(_ string, body []byte) []byte {
				if len(body) > 100 {
					body[10], body[90] = body[90], body[10]
				}
				return body
			}
		}),
		"segments are joined in another order": onBackend(func(h *hooks) {
			h.concat = func(sources []string) []string { slices.Reverse(sources); return sources }
		}),
		"the last segment is left out": onBackend(func(h *hooks) {
			h.concat = func(sources []string) []string { return sources[:max(1, len(sources)-1)] }
		}),
		"move copies": onBackend(func(h *hooks) {
			h.move = func(ctx context.Context, source, dest string) error { return h.Driver.Copy(ctx, source, dest) }
		}),
		"delete takes those that begin alike": onBackend(func(h *hooks) {
			h.deleted = func(ctx context.Context, path string) {
				dir, name := storagedriver.ParentPath(path)
				page, err := h.Driver.List(ctx, dir, "", 1000)
				for _, e := range page.Entries {
					if err == nil && !e.Dir && strings.HasPrefix(e.Name, name) && !storagedriver.IsPrivate(e.Name) {
						_ = h.Driver.Delete(ctx, storagedriver.JoinPath(dir, e.Name))
					}
				}
			}
		}),
		"a listing stops at two": onBackend(func(h *hooks) {
			h.list = func(p storagedriver.Page) storagedriver.Page {
				p.Entries = p.Entries[:min(2, len(p.Entries))]
				return p
			}
		}),
		"stat rounds": onBackend(func(h *hooks) {
			h.stat = func(e storagedriver.Entry) storagedriver.Entry {
				if e.Size > partSize {
					e.Size--
				}
				return e
			}
		}),
		"nothing there is an invalid path": onBackend(func(h *hooks) {
			h.statError = func(err error) error {
				if storagedriver.KindOf(err) == storagedriver.KindNotFound {
					return storagedriver.NewError(storagedriver.KindInvalidPath, "nothing there")
				}
				return err
			}
		}),
		"what is suspended is in the memory of the process": forgetful,
		"the state of uploads is not removed": onBackend(func(h *hooks) {
			h.keepPrivate = true
		}),
		"content is visible before commit": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return &writers{StorageDriver: d, wrote: func(ctx context.Context, path string, p []byte) {
				if _, err := d.Stat(ctx, path); err != nil && len(p) > 0 {
					_ = d.PutContent(ctx, path, p)
				}
			}}
		}),
		"cancel after commit deletes": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return &writers{StorageDriver: d, cancelled: func(ctx context.Context, path string) { _ = d.Delete(ctx, path) }}
		}),
		"append begins anew": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return &writers{StorageDriver: d, fresh: true}
		}),
		"close does not suspend": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return &writers{StorageDriver: d, closeCancels: true}
		}),
		"put empties what it replaces first": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return emptying{d}
		}),
		"the hint of a walk is called back": onDriver(func(d storagedriver.StorageDriver) storagedriver.StorageDriver {
			return inclusive{d}
		}),
	}
}

// hooks is inmemory with changes. Those that are nil change nothing.
type hooks struct {
	*inmemory.Driver
	put         func(path string, body []byte) []byte
	concat      func(sources []string) []string
	move        func(ctx context.Context, source, dest string) error
	deleted     func(ctx context.Context, path string)
	list        func(storagedriver.Page) storagedriver.Page
	stat        func(storagedriver.Entry) storagedriver.Entry
	statError   func(error) error
	keepPrivate bool
}

func (h *hooks) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if h.put == nil {
		return h.Driver.Put(ctx, path, body)
	}
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	held, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return h.Driver.Put(ctx, path, storagedriver.BytesSource(h.put(path, held)))
}

func (h *hooks) Concat(ctx context.Context, dest string, sources []string) error {
	if h.concat != nil {
		sources = h.concat(slices.Clone(sources))
	}
	return h.Driver.Concat(ctx, dest, sources)
}

func (h *hooks) Move(ctx context.Context, source, dest string) error {
	if e, err := h.Driver.Stat(ctx, source); h.move != nil && err == nil && !e.Dir {
		return h.move(ctx, source, dest)
	}
	return h.Driver.Move(ctx, source, dest)
}

func (h *hooks) Delete(ctx context.Context, path string) error {
	err := h.Driver.Delete(ctx, path)
	if err == nil && h.deleted != nil {
		h.deleted(ctx, path)
	}
	return err
}

func (h *hooks) DeleteTree(ctx context.Context, path string) error {
	if h.keepPrivate && storagedriver.IsPrivate(path) {
		return nil
	}
	return h.Driver.DeleteTree(ctx, path)
}

func (h *hooks) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	p, err := h.Driver.List(ctx, path, cursor, limit)
	if err == nil && h.list != nil {
		p = h.list(p)
	}
	return p, err
}

func (h *hooks) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	e, err := h.Driver.Stat(ctx, path)
	if err == nil && h.stat != nil {
		e = h.stat(e)
	}
	if err != nil && h.statError != nil {
		err = h.statError(err)
	}
	return e, err
}

// forgetful keeps what is private for each process, as a driver does that holds uploads in memory.
func forgetful() model.Harness {
	b := inmemory.New()
	return model.Harness{Open: func(_ context.Context, partSize int64) (model.Process, error) {
		own := &hooks{Driver: b}
		private := map[string]bool{}
		var mu sync.Mutex
		own.put = func(path string, body []byte) []byte {
			mu.Lock()
			defer mu.Unlock()
			private[path] = storagedriver.IsPrivate(path)
			return body
		}
		p := model.NewProcess(own, complete(partSize))
		kill := p.Kill
		p.Kill = func() {
			kill()
			for path, is := range private {
				if is {
					_ = b.Delete(context.Background(), path)
				}
			}
		}
		return p, nil
	}}
}

// writers is a driver whose writers are changed.
type writers struct {
	storagedriver.StorageDriver
	fresh, closeCancels bool
	wrote               func(ctx context.Context, path string, p []byte)
	cancelled           func(ctx context.Context, path string)
}

func (d *writers) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := d.StorageDriver.Writer(ctx, path, append && !d.fresh)
	if err != nil {
		return nil, err
	}
	return &writer{FileWriter: w, d: d, ctx: ctx, path: path}, nil
}

type writer struct {
	storagedriver.FileWriter
	d         *writers
	ctx       context.Context
	path      string
	committed bool
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.FileWriter.Write(p)
	if err == nil && w.d.wrote != nil {
		w.d.wrote(w.ctx, w.path, p)
	}
	return n, err
}

func (w *writer) Commit(ctx context.Context) error {
	err := w.FileWriter.Commit(ctx)
	w.committed = w.committed || err == nil
	return err
}

func (w *writer) Cancel(ctx context.Context) error {
	err := w.FileWriter.Cancel(ctx)
	if w.committed && w.d.cancelled != nil {
		w.d.cancelled(ctx, w.path)
	}
	return err
}

func (w *writer) Close() error {
	if w.d.closeCancels && !w.committed {
		_ = w.FileWriter.Cancel(context.WithoutCancel(w.ctx))
	}
	return w.FileWriter.Close()
}

// emptying is a driver that puts in two steps. Only a crash between them shows it.
type emptying struct{ storagedriver.StorageDriver }

func (d emptying) PutContent(ctx context.Context, path string, content []byte) error {
	if len(content) > 0 {
		if _, err := d.GetContent(ctx, path); err == nil {
			if err := d.StorageDriver.PutContent(ctx, path, nil); err != nil {
				return err
			}
		}
	}
	return d.StorageDriver.PutContent(ctx, path, content)
}

// inclusive is a driver whose walks call the hint back.
type inclusive struct{ storagedriver.StorageDriver }

func (d inclusive) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	if info, err := d.Stat(ctx, o.StartAfterHint); o.StartAfterHint != "" && err == nil && storagedriver.IsBelow(o.StartAfterHint, path) {
		if err := f(info); err != nil {
			return err
		}
	}
	return d.StorageDriver.Walk(ctx, path, f, options...)
}
