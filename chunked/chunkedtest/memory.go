// Package chunkedtest has a Backend in memory for tests of the gate and of writers. Its
// abilities are chosen, its calls can be made to fail, and it records every breach of
// what a Backend may expect of its callers: it is stricter than any server.
package chunkedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Memory is the Backend. Set its fields before its first use. It may be used concurrently.
type Memory struct {
	// Can are its abilities. Calling what is not among them is a breach.
	Can storagedriver.Ability
	// MaxObject is Capabilities.MaxObject; a longer Put is a breach.
	MaxObject int64
	// Page is the most entries of a page, 2 by default.
	Page int
	// Limits are those of uploads.
	Limits storagedriver.PartLimits
	// Now is when an upload is begun; nil is when files are written, a second after 1970 began.
	Now func() time.Time
	// Before and After are called with every method's name and path, before and after
	// its effect; an error they return is the method's.
	Before, After func(ctx context.Context, op, path string) error

	mu      sync.Mutex
	files   map[string]file
	calls   map[string]int
	broken  []string
	open    int // bodies not closed
	uploads uploads
}

type file struct {
	data []byte
	time time.Time
}

// Name implements storagedriver.Backend.
func (m *Memory) Name() string { return "memory" }

// Capabilities implements storagedriver.Backend.
func (m *Memory) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: m.Can, MaxObject: m.MaxObject}
}

// Breaches returns what callers did that they may not, and bodies they left open.
func (m *Memory) Breaches() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.broken)
	if m.open != 0 {
		out = append(out, fmt.Sprintf("%d bodies are open", m.open))
	}
	return out
}

// Calls returns how often the method was called.
func (m *Memory) Calls(op string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[op]
}

// Content returns all files by path, private ones and those of uploads too.
func (m *Memory) Content() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for path, f := range m.files {
		out[path] = string(f.data)
	}
	for path := range m.uploads.suspended {
		out[path+"~suspended"] = ""
	}
	return out
}

// Set stores a file, without any check.
func (m *Memory) Set(path, content string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(path, []byte(content))
}

// written is when every file is.
var written = time.Unix(1, 0)

func (m *Memory) set(path string, content []byte) {
	if m.files == nil {
		m.files = map[string]file{}
	}
	m.files[path] = file{content, written}
}

// Breach records one.
func (m *Memory) Breach(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.breach(format, args...)
}

func (m *Memory) breach(format string, args ...any) {
	m.broken = append(m.broken, fmt.Sprintf(format, args...))
}

// do runs a method: what callers owe, the faults, the effect.
func (m *Memory) do(ctx context.Context, op, path string, needs storagedriver.Ability, effect func() error) error {
	m.mu.Lock()
	if m.calls == nil {
		m.calls = map[string]int{}
	}
	m.calls[op]++
	if needs != 0 && m.Can&needs == 0 {
		m.breach("%s was called, which is not declared", op)
	}
	if path != "/" && storagedriver.ValidatePrivatePath(path) != nil {
		m.breach("%s was called with the path %q", op, path)
	}
	m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Before != nil {
		if err := m.Before(ctx, op, path); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if m.After != nil {
		return m.After(ctx, op, path)
	}
	return nil
}

func notFound() error { return storagedriver.NewError(storagedriver.KindNotFound, "nothing there") }

// Stat implements storagedriver.Backend.
func (m *Memory) Stat(ctx context.Context, path string) (e storagedriver.Entry, err error) {
	err = m.do(ctx, "Stat", path, 0, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if f, ok := m.files[path]; ok {
			e = storagedriver.Entry{Size: int64(len(f.data)), ModTime: f.time}
			return nil
		}
		if path == "/" || m.hasBelow(path) {
			e = storagedriver.Entry{Dir: true}
			return nil
		}
		return notFound()
	})
	return e, err
}

func (m *Memory) hasBelow(path string) bool {
	for p := range m.files {
		if storagedriver.IsBelow(p, path) {
			return true
		}
	}
	return false
}

// List implements storagedriver.Backend. Directories do not exist by themselves.
func (m *Memory) List(ctx context.Context, path, cursor string, _ int) (page storagedriver.Page, err error) {
	err = m.do(ctx, "List", path, 0, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		children := map[string]storagedriver.Entry{}
		for p, f := range m.files {
			if !storagedriver.IsBelow(p, path) {
				continue
			}
			name, _, dir := strings.Cut(strings.TrimPrefix(p[len(strings.TrimSuffix(path, "/")):], "/"), "/")
			if dir {
				children[name+"/"] = storagedriver.Entry{Name: name, Dir: true}
			} else {
				children[name] = storagedriver.Entry{Name: name, Size: int64(len(f.data)), ModTime: f.time}
			}
		}
		page = m.page(children, cursor)
		return nil
	})
	return page, err
}

// page returns the entries whose keys follow cursor, which is a key in a wrapping.
func (m *Memory) page(children map[string]storagedriver.Entry, cursor string) storagedriver.Page {
	less := strings.Compare
	if m.Can.Has(storagedriver.AbilityUnsorted) {
		less = func(a, b string) int { return strings.Compare(b, a) }
	}
	keys := make([]string, 0, len(children))
	for k := range children {
		if cursor == "" || less(k, strings.TrimPrefix(cursor, "after:")) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, less)
	size := m.Page
	if size == 0 {
		size = 2
	}
	var page storagedriver.Page
	for i, k := range keys {
		if i == size {
			page.Cursor = "after:" + keys[i-1]
			break
		}
		page.Entries = append(page.Entries, children[k])
	}
	return page
}

// ListTree implements storagedriver.Backend.
func (m *Memory) ListTree(ctx context.Context, path, startAfter, cursor string, _ int) (page storagedriver.Page, err error) {
	err = m.do(ctx, "ListTree", path, storagedriver.AbilityListTree, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		below := map[string]storagedriver.Entry{}
		for p, f := range m.files {
			if storagedriver.IsBelow(p, path) {
				if name := strings.TrimPrefix(p[len(strings.TrimSuffix(path, "/")):], "/"); name > startAfter {
					below[name] = storagedriver.Entry{Name: name, Size: int64(len(f.data))}
				}
			}
		}
		page = m.page(below, cursor)
		return nil
	})
	return page, err
}

// Read implements storagedriver.Backend.
func (m *Memory) Read(ctx context.Context, path string, offset, length int64) (body io.ReadCloser, n int64, err error) {
	err = m.do(ctx, "Read", path, 0, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		f, ok := m.files[path]
		if !ok {
			return notFound()
		}
		if offset < 0 || length < -1 {
			m.breach("Read was called with offset %d, length %d", offset, length)
		}
		if offset > int64(len(f.data)) {
			return storagedriver.NewError(storagedriver.KindInvalidOffset, "past the end")
		}
		data := f.data[offset:]
		if length >= 0 && length < int64(len(data)) {
			data = data[:length]
		}
		m.open++
		body, n = &stored{Reader: bytes.NewReader(data), m: m}, int64(len(data))
		return nil
	})
	if err != nil && body != nil {
		_ = body.Close()
		return nil, 0, err
	}
	return body, n, err
}

type stored struct {
	*bytes.Reader
	m    *Memory
	once sync.Once
}

func (s *stored) Close() error {
	s.once.Do(func() {
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		s.m.open--
	})
	return nil
}

// receive reads a body as a server does, and refuses one of another length than was said.
func (m *Memory) receive(ctx context.Context, source storagedriver.Source) ([]byte, error) {
	body, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err == nil && int64(len(data)) != source.Size() {
		m.Breach("a body of %d bytes was said to have %d", len(data), source.Size())
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "a body of %d bytes was said to have %d", len(data), source.Size())
	}
	return data, err
}

var errUnclear = errors.New("server said 409")

// place returns an error that explains nothing when a file cannot be at path.
func (m *Memory) place(path string) error {
	if m.Can.Has(storagedriver.AbilityFilesUnderFiles) {
		return nil
	}
	for above, _ := storagedriver.ParentPath(path); above != "/"; above, _ = storagedriver.ParentPath(above) {
		if _, ok := m.files[above]; ok {
			return errUnclear
		}
	}
	if m.hasBelow(path) {
		return errUnclear
	}
	return nil
}

// Put implements storagedriver.Backend.
func (m *Memory) Put(ctx context.Context, path string, source storagedriver.Source) error {
	return m.do(ctx, "Put", path, 0, func() error {
		data, err := m.receive(ctx, source)
		if err != nil {
			return err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.MaxObject > 0 && int64(len(data)) > m.MaxObject {
			m.breach("Put of %d bytes", len(data))
		}
		if err := m.place(path); err != nil {
			return err
		}
		m.set(path, data)
		return nil
	})
}

// Delete implements storagedriver.Backend.
func (m *Memory) Delete(ctx context.Context, path string) error {
	return m.do(ctx, "Delete", path, 0, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if _, ok := m.files[path]; !ok {
			if m.hasBelow(path) {
				return errors.New("directory not empty")
			}
			return notFound()
		}
		delete(m.files, path)
		return nil
	})
}

// DeleteTree implements storagedriver.Backend.
func (m *Memory) DeleteTree(ctx context.Context, path string) error {
	return m.do(ctx, "DeleteTree", path, storagedriver.AbilityDeleteTree, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		for p := range m.files {
			if p == path || storagedriver.IsBelow(p, path) {
				delete(m.files, p)
			}
		}
		m.endUploads(path)
		return nil
	})
}

// Copy implements storagedriver.Backend.
func (m *Memory) Copy(ctx context.Context, source, dest string) error {
	return m.do(ctx, "Copy", source, storagedriver.AbilityCopy, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		f, ok := m.files[source]
		if !ok {
			return notFound()
		}
		if err := m.place(dest); err != nil {
			return err
		}
		m.set(dest, f.data)
		return nil
	})
}

// Move implements storagedriver.Backend.
func (m *Memory) Move(ctx context.Context, source, dest string) error {
	return m.do(ctx, "Move", source, storagedriver.AbilityMove|storagedriver.AbilityMoveTree, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.place(dest); err != nil {
			return err
		}
		if f, ok := m.files[source]; ok {
			delete(m.files, source)
			m.set(dest, f.data)
			return nil
		}
		if !m.hasBelow(source) {
			return notFound()
		}
		if !m.Can.Has(storagedriver.AbilityMoveTree) {
			m.breach("Move of the directory %s", source)
		}
		for p, f := range m.files {
			if storagedriver.IsBelow(p, source) {
				delete(m.files, p)
				m.set(dest+p[len(source):], f.data)
			}
		}
		return nil
	})
}

// Concat implements storagedriver.Backend.
func (m *Memory) Concat(ctx context.Context, dest string, sources []string) error {
	return m.do(ctx, "Concat", dest, storagedriver.AbilityConcat, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		var all []byte
		for _, s := range sources {
			f, ok := m.files[s]
			if !ok {
				return notFound()
			}
			all = append(all, f.data...)
		}
		if err := m.place(dest); err != nil {
			return err
		}
		m.set(dest, all)
		return nil
	})
}

// Redirect implements storagedriver.Backend.
func (m *Memory) Redirect(ctx context.Context, path string, _ storagedriver.RedirectOptions) (string, error) {
	err := m.do(ctx, "Redirect", path, storagedriver.AbilityRedirect, func() error { return nil })
	return "http://memory.test" + path, err
}

// Close implements storagedriver.Backend.
func (m *Memory) Close() error {
	return m.do(context.Background(), "Close", "/", 0, func() error { return nil })
}
