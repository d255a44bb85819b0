package migrate_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/migrate"
)

// stepped is a store whose calls a test can hold up, or have fail. The process of another test driver has one of its own over the same store.
type stepped struct {
	storagedriver.Backend

	mu    sync.Mutex
	hooks []hook
	// always is called before every call that changes something; nil is not.
	always func(call string) error
	// listed is called after every listing of a public directory; nil is not.
	listed func()
}

type hook struct {
	call string // "Op path"
	f    func() error
}

// on has f called before the next call of op at path, once. Its error is the call's.
func (s *stepped) on(call string, f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, hook{call, f})
}

// hold holds up the next such call: reached is closed when it comes, and it goes on when release is called.
func (s *stepped) hold(call string) (reached <-chan struct{}, release func()) {
	there, free := make(chan struct{}), make(chan struct{})
	s.on(call, func() error {
		close(there)
		<-free
		return nil
	})
	return there, sync.OnceFunc(func() { close(free) })
}

func (s *stepped) step(op, path string) error {
	call := op + " " + path
	s.mu.Lock()
	always := s.always
	var f func() error
	for i, h := range s.hooks {
		if h.call == call {
			f = h.f
			s.hooks = append(s.hooks[:i:i], s.hooks[i+1:]...)
			break
		}
	}
	s.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return err
		}
	}
	if always == nil || op == "Stat" || op == "Read" {
		return nil
	}
	return always(call)
}

func (s *stepped) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if err := s.step("Stat", path); err != nil {
		return storagedriver.Entry{}, err
	}
	return s.Backend.Stat(ctx, path)
}

func (s *stepped) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if err := s.step("Read", path); err != nil {
		return nil, 0, err
	}
	return s.Backend.Read(ctx, path, offset, length)
}

func (s *stepped) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	page, err := s.Backend.List(ctx, path, cursor, limit)
	if s.listed != nil && !storagedriver.IsPrivate(path) {
		s.listed()
	}
	return page, err
}

func (s *stepped) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if strings.HasPrefix(path, migrate.ChangingDir+"/") {
		if err := s.step("Put", migrate.ChangingDir); err != nil {
			return err
		}
	}
	if err := s.step("Put", path); err != nil {
		return err
	}
	return s.Backend.Put(ctx, path, body)
}

func (s *stepped) Delete(ctx context.Context, path string) error {
	if err := s.step("Delete", path); err != nil {
		return err
	}
	return s.Backend.Delete(ctx, path)
}

func (s *stepped) DeleteTree(ctx context.Context, path string) error {
	if err := s.step("DeleteTree", path); err != nil {
		return err
	}
	return s.Backend.DeleteTree(ctx, path)
}

func (s *stepped) Move(ctx context.Context, source, dest string) error {
	if err := s.step("Move to", dest); err != nil {
		return err
	}
	return s.Backend.Move(ctx, source, dest)
}

func (*stepped) Close() error { return nil }

// process is a driver of its own over the stores that others have open as well.
type process struct {
	*migrate.Driver
	old, new *stepped
}

// pair is two stores that processes open.
type pair struct {
	t        *testing.T
	old, new storagedriver.Backend
	scale    time.Duration // a heartbeat
}

func newPair(t *testing.T) *pair {
	return &pair{t: t, old: inmemory.New(), new: inmemory.New(), scale: 500 * time.Millisecond}
}

func (p *pair) open() *process {
	p.t.Helper()
	q := &process{old: &stepped{Backend: p.old}, new: &stepped{Backend: p.new}}
	var err error
	if q.Driver, err = migrate.Open(p.t.Context(), migrate.Quick(migrate.Config{Old: q.old, New: q.new}, p.scale)); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { q.Close() })
	return q
}

func (p *pair) put(b storagedriver.Backend, path, content string) {
	p.t.Helper()
	if err := b.Put(p.t.Context(), path, storagedriver.BytesSource(content)); err != nil {
		p.t.Fatal(err)
	}
}

// at returns what a store has at path, or "-".
func (p *pair) at(b storagedriver.Backend, path string) string {
	p.t.Helper()
	body, _, err := b.Read(p.t.Context(), path, 0, -1)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return "-"
	}
	if err != nil {
		p.t.Fatal(err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

// want checks what both stores have at path.
func (p *pair) want(path, old, new string) {
	p.t.Helper()
	if o, n := p.at(p.old, path), p.at(p.new, path); o != old || n != new {
		p.t.Errorf("%s: want %q on old and %q on new, got %q and %q", path, old, new, o, n)
	}
}

// content checks what a process gives at path; "-" is nothing.
func (q *process) content(t *testing.T, path, want string) {
	t.Helper()
	got, err := q.GetContent(t.Context(), path)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		got, err = []byte("-"), nil
	}
	if err != nil || string(got) != want {
		t.Errorf("%s: want %q, got %q, %v", path, want, got, err)
	}
}

// started runs f and returns what becomes of it.
func started(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

const patience = time.Minute

func wait[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s: it does not come", what)
	}
	return v
}

// until polls.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); {
		if time.Now().After(end) {
			t.Fatalf("%s: it does not come", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
}

// marked reports whether a mark stands.
func (p *pair) marked() bool {
	page, err := p.new.List(context.Background(), migrate.ChangingDir, "", 10)
	return err == nil && len(page.Entries) > 0
}
