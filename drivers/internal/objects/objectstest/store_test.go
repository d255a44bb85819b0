package objectstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
	"github.com/berth-dev/storagedriver/layers"
)

// store is an object store over HTTP that keeps its objects in memory.
type store struct {
	torn bool // of long bodies a part is stored

	mu      sync.Mutex
	objects map[string][]byte
}

func newStore(t testing.TB) (*store, string) {
	s := &store{objects: map[string][]byte{}}
	server := httptest.NewUnstartedServer(s)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	return s, server.URL
}

// entry is one of a listing.
type entry struct {
	Name string
	Size int64
	Dir  bool
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if s.torn && len(body) > 10_000 {
			body = body[:10_000]
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.objects[r.URL.Path] = body
		return
	}
	s.mu.Lock()
	content, ok := s.objects[r.URL.Path]
	entries := s.list(strings.TrimSuffix(r.URL.Path, "/") + "/")
	if r.Method == http.MethodDelete {
		delete(s.objects, r.URL.Path)
	}
	s.mu.Unlock()
	switch {
	case r.Method == http.MethodDelete:
	case r.URL.RawQuery == "list":
		_ = json.NewEncoder(w).Encode(entries)
	case ok:
		w.Header().Set("ETag", fmt.Sprintf(`"%p-%d"`, content, len(content)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// list returns what is directly in a folder. s.mu is held.
func (s *store) list(folder string) []entry {
	found := map[string]entry{}
	for key, content := range s.objects {
		rest, in := strings.CutPrefix(key, folder)
		if !in {
			continue
		}
		name, _, dir := strings.Cut(rest, "/")
		if dir {
			found[name+"/"] = entry{Name: name, Dir: true}
		} else {
			found[name] = entry{Name: name, Size: int64(len(content))}
		}
	}
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	list := []entry{}
	for _, name := range names {
		list = append(list, found[name])
	}
	return list
}

// backend is a driver for the store: five functions.
type backend struct {
	storagedriver.Unimplemented
	url    string
	client *http.Client
	broken string // what is wrong with it; "" is nothing
}

func openStore(t testing.TB, url, broken string) storagedriver.StorageDriver {
	transport, err := objects.Transport(objects.TransportOptions{Connections: 8, HeaderTimeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{url: url, client: &http.Client{Transport: transport}, broken: broken}
	return layers.Complete(b, layers.WithPartSize(testPart), layers.WithBudget(chunked.NewBudget(64<<20)))
}

const testPart = 300_000

func (b *backend) Name() string { return "store" }

func (b *backend) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: storagedriver.AbilityIdempotent}
}

func (b *backend) Close() error {
	b.client.CloseIdleConnections()
	return nil
}

// do makes a request, up to three times while the answer is Temporary.
func (b *backend) do(ctx context.Context, method, path string, body storagedriver.Source, header http.Header) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		response, err := b.once(ctx, method, path, body, header)
		if err == nil || ctx.Err() != nil || attempt == 3 || !storagedriver.IsTemporary(err) {
			return response, err
		}
	}
}

func (b *backend) once(ctx context.Context, method, path string, body storagedriver.Source, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, b.url+path, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if body != nil && body.Size() > 0 {
		if r.Body, err = body.Open(ctx); err != nil {
			return nil, err
		}
		r.ContentLength = body.Size()
	}
	response, err := b.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, b.unavailable(err)
	}
	if response.StatusCode >= 300 {
		_ = response.Body.Close()
		e := storagedriver.Errorf(storagedriver.KindUnknown, "%s was answered with status %d", method, response.StatusCode)
		e.Kind, e.Temporary, e.RetryAfter = objects.Status(response.StatusCode, response.Header)
		return nil, e
	}
	return response, nil
}

func (b *backend) unavailable(err error) error {
	if b.broken == "error" {
		return err
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: err}
}

func (b *backend) entries(ctx context.Context, path string) ([]entry, error) {
	response, err := b.do(ctx, http.MethodGet, path+"?list", nil, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var entries []entry
	if err := json.NewDecoder(response.Body).Decode(&entries); err != nil {
		return nil, b.unavailable(err)
	}
	return entries, nil
}

func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	response, err := b.do(ctx, http.MethodHead, path, nil, nil)
	if err == nil {
		_ = response.Body.Close()
		return storagedriver.Entry{Name: path, Size: response.ContentLength, ModTime: time.Unix(1, 0)}, nil
	}
	if storagedriver.KindOf(err) != storagedriver.KindNotFound {
		return storagedriver.Entry{}, err
	}
	entries, listErr := b.entries(ctx, path)
	if listErr != nil || len(entries) == 0 && path != "/" {
		if listErr != nil {
			err = listErr
		}
		return storagedriver.Entry{}, err
	}
	return storagedriver.Entry{Name: path, Dir: true}, nil
}

func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	entries, err := b.entries(ctx, path)
	if err != nil {
		return storagedriver.Page{}, err
	}
	var page storagedriver.Page
	for _, e := range entries {
		page.Entries = append(page.Entries, storagedriver.Entry{Name: e.Name, Size: e.Size, Dir: e.Dir, ModTime: time.Unix(1, 0)})
	}
	return page, nil
}

func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if length == 0 {
		return io.NopCloser(bytes.NewReader(nil)), 0, nil
	}
	open := func(ctx context.Context, offset, length int64, tag string) (objects.Opened, error) {
		return b.open(ctx, path, offset, length, tag)
	}
	o := objects.BodyOptions{Pause: time.Millisecond, Ahead: 2, Chunk: 64 << 10, Stall: 2 * time.Second}
	body, first, err := objects.Open(ctx, open, offset, length, o)
	if storagedriver.KindOf(err) == storagedriver.KindInvalidOffset {
		if e, statErr := b.Stat(ctx, path); statErr != nil || e.Size == offset {
			return io.NopCloser(bytes.NewReader(nil)), 0, statErr
		}
	}
	if err != nil {
		return nil, 0, err
	}
	return body, first.Length, nil
}

func (b *backend) open(ctx context.Context, path string, offset, length int64, tag string) (objects.Opened, error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-", offset)}}
	if length > 0 {
		header["Range"] = []string{fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)}
	}
	if tag != "" {
		header["If-Match"] = []string{tag}
	}
	if tag != "" && b.broken == "offset" {
		header["Range"] = []string{fmt.Sprintf("bytes=%d-%d", offset-1, offset+length-2)}
	}
	response, err := b.do(ctx, http.MethodGet, path, nil, header)
	if err != nil {
		return objects.Opened{}, err
	}
	_, size, _ := strings.Cut(response.Header.Get("Content-Range"), "/")
	opened := objects.Opened{Body: response.Body, Length: response.ContentLength, Tag: response.Header.Get("ETag")}
	opened.Size, _ = strconv.ParseInt(size, 10, 64)
	return opened, nil
}

func (b *backend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	response, err := b.do(ctx, http.MethodPut, path, body, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func (b *backend) Delete(ctx context.Context, path string) error {
	response, err := b.do(ctx, http.MethodDelete, path, nil, nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
