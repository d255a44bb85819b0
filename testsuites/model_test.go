package testsuites_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// model is a StorageDriver in memory, written for nothing but to be plainly right, so that the
// cases are tried on abilities that no driver has yet: files under files, and redirects.
type model struct {
	*modelStore
	abilities storagedriver.Ability
	server    *httptest.Server
	life      context.Context
	end       context.CancelFunc
}

type modelStore struct {
	mu      sync.Mutex
	files   map[string]modelFile
	uploads map[string]modelUpload
	last    int // the version given last
}

type modelFile struct {
	content []byte
	written time.Time
}

// modelUpload is a suspended upload; each suspend gives it another version.
type modelUpload struct {
	content []byte
	version int
}

func newModel(abilities storagedriver.Ability) (open func() storagedriver.StorageDriver, stop func()) {
	store := &modelStore{files: map[string]modelFile{}, uploads: map[string]modelUpload{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		store.mu.Lock()
		f, ok := store.files[r.URL.Path]
		store.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", f.written, bytes.NewReader(f.content))
	}))
	return func() storagedriver.StorageDriver {
		life, end := context.WithCancel(context.Background())
		return &model{modelStore: store, abilities: abilities, server: server, life: life, end: end}
	}, server.Close
}

func (m *model) Name() string { return "model" }

func (m *model) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: m.abilities}
}

func (m *model) Close() error { m.end(); return nil }

// begin locks the store for an operation on paths, unless there is a reason not to.
func (m *model) begin(ctx context.Context, op string, paths ...string) error {
	for _, p := range paths {
		if p == "/" && (op == "Stat" || op == "List" || op == "Walk") {
			continue
		}
		if err := storagedriver.ValidatePath(p); err != nil {
			return m.wrap(op, p, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return m.wrap(op, paths[0], err)
	}
	m.mu.Lock()
	return nil
}

func (m *model) wrap(op, p string, err error) error {
	return storagedriver.WrapError(op, m.Name(), p, err)
}

// below returns the files strictly below dir, sorted.
func (s *modelStore) below(dir string) (paths []string) {
	for p := range s.files {
		if storagedriver.IsBelow(p, dir) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	return paths
}

// mayPut returns an error if there can be no file at p.
func (m *model) mayPut(p string) error {
	if m.abilities.Has(storagedriver.AbilityFilesUnderFiles) {
		return nil
	}
	for dir, _ := storagedriver.ParentPath(p); dir != "/"; dir, _ = storagedriver.ParentPath(dir) {
		if _, ok := m.files[dir]; ok {
			return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a file", dir)
		}
	}
	if len(m.below(p)) > 0 {
		return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a directory", p)
	}
	return nil
}

func (m *model) set(p string, content []byte) error {
	if err := m.mayPut(p); err != nil {
		return err
	}
	m.files[p] = modelFile{content: slices.Clone(content), written: time.Now()}
	return nil
}

func (m *model) GetContent(ctx context.Context, p string) ([]byte, error) {
	if err := m.begin(ctx, "GetContent", p); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	f, ok := m.files[p]
	if !ok {
		return nil, m.wrap("GetContent", p, fs.ErrNotExist)
	}
	return slices.Clone(f.content), nil
}

func (m *model) PutContent(ctx context.Context, p string, content []byte) error {
	if err := m.begin(ctx, "PutContent", p); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.wrap("PutContent", p, m.set(p, content))
}

func (m *model) Reader(ctx context.Context, p string, offset int64) (io.ReadCloser, error) {
	if err := m.begin(ctx, "Reader", p); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	f, ok := m.files[p]
	switch {
	case !ok:
		return nil, m.wrap("Reader", p, fs.ErrNotExist)
	case offset < 0 || offset > int64(len(f.content)):
		return nil, m.wrap("Reader", p, storagedriver.Errorf(storagedriver.KindInvalidOffset, "%d of %d", offset, len(f.content)))
	}
	return &modelReader{m: m, ctx: ctx, path: p, r: bytes.NewReader(f.content[offset:])}, nil
}

type modelReader struct {
	m      *model
	ctx    context.Context
	path   string
	r      io.Reader
	closed bool
}

func (r *modelReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, r.m.wrap("Reader", r.path, err)
	}
	if r.closed || r.m.life.Err() != nil {
		return 0, r.m.wrap("Reader", r.path, fs.ErrClosed)
	}
	return r.r.Read(p)
}

func (r *modelReader) Close() error { r.closed = true; return nil }

func (m *model) Stat(ctx context.Context, p string) (storagedriver.FileInfo, error) {
	if err := m.begin(ctx, "Stat", p); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if f, ok := m.files[p]; ok {
		return storagedriver.NewFileInfo(p, storagedriver.Entry{Size: int64(len(f.content)), ModTime: f.written}), nil
	}
	if p == "/" || len(m.below(p)) > 0 {
		return storagedriver.NewFileInfo(p, storagedriver.Entry{Dir: true}), nil
	}
	return nil, m.wrap("Stat", p, fs.ErrNotExist)
}

func (m *model) List(ctx context.Context, p string) ([]string, error) {
	if err := m.begin(ctx, "List", p); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	below := m.below(p)
	if p != "/" && len(below) == 0 {
		return nil, m.wrap("List", p, fs.ErrNotExist)
	}
	var names []string
	for _, file := range below {
		name, _, _ := strings.Cut(strings.TrimPrefix(file, strings.TrimSuffix(p, "/")+"/"), "/")
		names = append(names, storagedriver.JoinPath(p, name))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (m *model) Move(ctx context.Context, source, dest string) error {
	if err := m.begin(ctx, "Move", source, dest); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return m.wrap("Move", source, m.move(source, dest))
}

func (m *model) move(source, dest string) error {
	f, isFile := m.files[source]
	below := m.below(source)
	switch {
	case !isFile && len(below) == 0:
		return fs.ErrNotExist
	case source == dest:
		return nil
	case storagedriver.IsBelow(dest, source), storagedriver.IsBelow(source, dest):
		return storagedriver.NewError(storagedriver.KindInvalidPath, "one is below the other")
	}
	if err := m.mayPut(dest); err != nil {
		return err
	}
	m.endUploads(source)
	m.endUploads(dest)
	delete(m.files, dest)
	if isFile {
		m.files[dest] = f
		delete(m.files, source)
		return nil
	}
	for _, p := range below {
		m.files[dest+strings.TrimPrefix(p, source)] = m.files[p]
		delete(m.files, p)
	}
	return nil
}

func (s *modelStore) endUploads(p string) {
	for u := range s.uploads {
		if u == p || storagedriver.IsBelow(u, p) {
			delete(s.uploads, u)
		}
	}
}

func (m *model) Delete(ctx context.Context, p string) error {
	if err := m.begin(ctx, "Delete", p); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.endUploads(p)
	below := m.below(p)
	if _, ok := m.files[p]; !ok && len(below) == 0 {
		return m.wrap("Delete", p, fs.ErrNotExist)
	}
	delete(m.files, p)
	for _, b := range below {
		delete(m.files, b)
	}
	return nil
}

func (m *model) RedirectURL(ctx context.Context, p string, _ storagedriver.RedirectOptions) (string, error) {
	if err := m.begin(ctx, "RedirectURL", p); err != nil {
		return "", err
	}
	defer m.mu.Unlock()
	if !m.abilities.Has(storagedriver.AbilityRedirect) {
		return "", nil
	}
	return m.server.URL + p, nil
}

func (m *model) Walk(ctx context.Context, p string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	var o storagedriver.WalkOptions
	for _, option := range options {
		option(&o)
	}
	if err := m.begin(ctx, "Walk", p); err != nil {
		return err
	}
	entries := m.tree(p)
	m.mu.Unlock()
	if p != "/" && len(entries) == 0 {
		return m.wrap("Walk", p, fs.ErrNotExist)
	}
	hint, skipped := o.StartAfterHint, "\x00"
	if _, ok := entries[hint+"/"]; ok {
		hint += "/"
	}
	keys := make([]string, 0, len(entries))
	for key := range entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if key <= hint && hint != "" || strings.HasPrefix(key, skipped) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return m.wrap("Walk", p, err)
		}
		switch err := f(entries[key]); {
		case err == storagedriver.ErrFilledBuffer:
			return nil
		case err == storagedriver.ErrSkipDir:
			if strings.HasSuffix(key, "/") {
				skipped = key
			}
		case err != nil:
			return err
		}
	}
	return nil
}

// tree returns what is below dir by the key it sorts by.
func (s *modelStore) tree(dir string) map[string]storagedriver.FileInfo {
	entries := map[string]storagedriver.FileInfo{}
	for _, p := range s.below(dir) {
		f := s.files[p]
		entries[p] = storagedriver.NewFileInfo(p, storagedriver.Entry{Size: int64(len(f.content)), ModTime: f.written})
		for d, _ := storagedriver.ParentPath(p); d != dir && d != "/"; d, _ = storagedriver.ParentPath(d) {
			entries[d+"/"] = storagedriver.NewFileInfo(d, storagedriver.Entry{Dir: true})
		}
	}
	return entries
}

func (m *model) Writer(ctx context.Context, p string, append bool) (storagedriver.FileWriter, error) {
	if err := m.begin(ctx, "Writer", p); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if err := m.mayPut(p); err != nil {
		return nil, m.wrap("Writer", p, err)
	}
	w := &modelWriter{m: m, ctx: ctx, path: p}
	upload, suspended := m.uploads[p]
	committed := m.files[p].content
	switch {
	case !append:
		delete(m.uploads, p)
	case suspended:
		w.content, w.version = slices.Clone(upload.content), upload.version
	case len(committed) > 0 && !m.abilities.Has(storagedriver.AbilityAppendCommitted):
		return nil, m.wrap("Writer", p, storagedriver.NewError(storagedriver.KindUnsupported, "append to committed content"))
	default:
		w.content = slices.Clone(committed)
	}
	w.stop = context.AfterFunc(ctx, func() { _ = w.Close() })
	return w, nil
}

type modelWriter struct {
	m       *model
	ctx     context.Context
	path    string
	stop    func() bool
	content []byte
	version int // of the suspended upload this one continues, 0 of none
	wrote   bool
	done    bool
	ended   bool // by Commit
}

func (w *modelWriter) closed(op string) error {
	return w.m.wrap(op, w.path, storagedriver.NewError(storagedriver.KindClosed, "the writer was closed"))
}

func (w *modelWriter) Write(p []byte) (int, error) {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if err := w.ctx.Err(); err != nil {
		return 0, w.m.wrap("Write", w.path, err)
	}
	if w.done {
		return 0, w.closed("Write")
	}
	w.content, w.wrote = append(w.content, p...), w.wrote || len(p) > 0
	return len(p), nil
}

func (w *modelWriter) Size() int64 {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	return int64(len(w.content))
}

// overtaken reports that another writer has changed the suspended upload since.
func (w *modelWriter) overtaken() bool {
	return w.version != 0 && w.m.uploads[w.path].version != w.version
}

func (w *modelWriter) Close() error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if w.done {
		return nil
	}
	w.done = true
	defer w.stop()
	if !w.wrote {
		return nil
	}
	if w.overtaken() {
		return w.m.wrap("Close", w.path, storagedriver.NewError(storagedriver.KindConflict, "overtaken"))
	}
	w.m.last++
	w.version = w.m.last
	w.m.uploads[w.path] = modelUpload{content: slices.Clone(w.content), version: w.version}
	return nil
}

func (w *modelWriter) Commit(ctx context.Context) error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	if w.done {
		return w.closed("Commit")
	}
	if err := ctx.Err(); err != nil {
		return w.m.wrap("Commit", w.path, err)
	}
	if w.overtaken() {
		return w.m.wrap("Commit", w.path, storagedriver.NewError(storagedriver.KindConflict, "overtaken"))
	}
	if err := w.m.set(w.path, w.content); err != nil {
		return w.m.wrap("Commit", w.path, err)
	}
	delete(w.m.uploads, w.path)
	w.done, w.ended = true, true
	w.stop()
	return nil
}

func (w *modelWriter) Cancel(context.Context) error {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	w.done = true
	w.stop()
	if !w.ended && w.version != 0 && !w.overtaken() {
		delete(w.m.uploads, w.path)
	}
	return nil
}
