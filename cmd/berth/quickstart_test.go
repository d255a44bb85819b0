package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/berth-dev/storagedriver/runtime"
)

// besideExecutable makes the console one that finds webdav.wasm.
func besideExecutable(t *testing.T) map[string]string {
	t.Helper()
	folder := t.TempDir()
	copyFile(t, webdavWasm(t), filepath.Join(folder, filePrefix+webdavDriver+wasmSuffix))
	return map[string]string{factory.SearchPathVariable: folder}
}

// client pushes and pulls as a registry's client does.
type client struct {
	t   *testing.T
	url string
}

func (c client) do(method, target string, body []byte, status int, header ...string) *http.Response {
	c.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = c.url + target
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	content, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != status {
		c.t.Fatalf("%s %s: want status %d, got %s: %s, %v", method, target, status, res.Status, content, err)
	}
	res.Body = io.NopCloser(bytes.NewReader(content))
	return res
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// push pushes an image of one layer and returns its manifest.
func (c client) push(layer []byte) []byte {
	c.t.Helper()
	config := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`)
	for _, blob := range [][]byte{layer, config} {
		at := c.do("POST", "/v2/a/b/blobs/uploads/", nil, 202).Header.Get("Location")
		at = c.do("PATCH", at, blob, 202, "Content-Type", "application/octet-stream").Header.Get("Location")
		c.do("PUT", at+"&digest="+digestOf(blob), nil, 201)
	}
	const oci = "application/vnd.oci.image."
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"%[1]smanifest.v1+json","config":{"mediaType":"%[1]sconfig.v1+json","digest":"%[2]s","size":%[3]d},`+
		`"layers":[{"mediaType":"%[1]slayer.v1.tar","digest":"%[4]s","size":%[5]d}]}`, oci, digestOf(config), len(config), digestOf(layer), len(layer))
	c.do("PUT", "/v2/a/b/manifests/latest", manifest, 201, "Content-Type", oci+"manifest.v1+json")
	return manifest
}

// wantImage demands that the image is there as it was pushed.
func (c client) wantImage(manifest, layer []byte) {
	c.t.Helper()
	for target, want := range map[string][]byte{
		"/v2/a/b/manifests/latest":         manifest,
		"/v2/a/b/blobs/" + digestOf(layer): layer,
	} {
		got, err := io.ReadAll(c.do("GET", target, nil, 200, "Accept", "application/vnd.oci.image.manifest.v1+json").Body)
		if err != nil || !bytes.Equal(got, want) {
			c.t.Fatalf("GET %s: want %d bytes as pushed, got %d, %v", target, len(want), len(got), err)
		}
	}
}

// TestQuickstartKeepsWhatWasPushed runs the command twice on one folder.
func TestQuickstartKeepsWhatWasPushed(t *testing.T) {
	env, dir := besideExecutable(t), t.TempDir()
	layer := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var manifest []byte
	for i := range 2 {
		c := newConsole(t, env)
		out := &announcement{found: make(chan string, 1)}
		c.app.stdout = out
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan int, 1)
		go func() { ended <- c.app.execute(ctx, []string{"quickstart", "--addr", "127.0.0.1:0", "--dir", dir}) }()
		select {
		case url := <-out.found:
			if i == 0 {
				manifest = client{t, url}.push(layer)
			}
			client{t, url}.wantImage(manifest, layer)
		case status := <-ended:
			t.Fatalf("quickstart ended with %d: %s", status, &c.errors)
		case <-time.After(2 * time.Minute):
			t.Fatal("quickstart announces no address")
		}
		stop()
		if status := <-ended; status != statusOK {
			t.Fatalf("want status 0 after a signal, got %d: %s", status, &c.errors)
		}
	}
}

// announcement finds the registry's URL in what quickstart prints.
type announcement struct {
	mu    sync.Mutex
	text  []byte
	done  bool
	found chan string
}

var announced = regexp.MustCompile(`registry +(http://\S+)\n`)

func (a *announcement) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.text = append(a.text, p...)
	if m := announced.FindSubmatch(a.text); m != nil && !a.done {
		a.done = true
		a.found <- string(m[1])
	}
	return len(p), nil
}

// witness fails the test when an operation comes back without the guest having been called.
type witness struct {
	storagedriver.StorageDriver
	module *runtime.Module
	t      *testing.T
	mu     sync.Mutex
	n      map[string]int
}

func (w *witness) see(op string) func() {
	before := w.module.Stats().Dispatches
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.n[op]++
		if w.module.Stats().Dispatches == before {
			w.t.Errorf("%s came back without a call of the guest", op)
		}
	}
}

func (w *witness) GetContent(ctx context.Context, path string) ([]byte, error) {
	defer w.see("GetContent")()
	return w.StorageDriver.GetContent(ctx, path)
}

func (w *witness) PutContent(ctx context.Context, path string, content []byte) error {
	defer w.see("PutContent")()
	return w.StorageDriver.PutContent(ctx, path, content)
}

func (w *witness) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	defer w.see("Reader")()
	return w.StorageDriver.Reader(ctx, path, offset)
}

func (w *witness) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	defer w.see("Stat")()
	return w.StorageDriver.Stat(ctx, path)
}

func (w *witness) List(ctx context.Context, path string) ([]string, error) {
	defer w.see("List")()
	return w.StorageDriver.List(ctx, path)
}

func (w *witness) Move(ctx context.Context, from, to string) error {
	defer w.see("Move")()
	return w.StorageDriver.Move(ctx, from, to)
}

func (w *witness) Delete(ctx context.Context, path string) error {
	defer w.see("Delete")()
	return w.StorageDriver.Delete(ctx, path)
}

func (w *witness) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	f, err := w.StorageDriver.Writer(ctx, path, append)
	if err != nil {
		return nil, err
	}
	return &witnessed{f, w}, nil
}

// witnessed watches the end of an upload: what is written may wait in a buffer until then.
type witnessed struct {
	storagedriver.FileWriter
	w *witness
}

func (f *witnessed) Commit(ctx context.Context) error {
	defer f.w.see("Commit")()
	return f.FileWriter.Commit(ctx)
}

// TestEveryStorageOperationPassesThroughTheGuest pushes and pulls an image and watches the counter
// of calls into the guest during each operation of the storage.
func TestEveryStorageOperationPassesThroughTheGuest(t *testing.T) {
	storage, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.close(); err != nil {
			t.Error(err)
		}
	})
	var module *runtime.Module
	c := newConsole(t, nil).app.compose()
	d, err := c.complete(t.Context(), func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		b, err := c.openWasm(webdavWasm(t))(ctx, map[string]any{"allow": storage.origin, "parameters": parameters})
		if err == nil {
			module = b.(*sandboxed).module
		}
		return b, err
	}, map[string]any{"endpoint": storage.origin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &witness{StorageDriver: d, module: module, t: t, n: map[string]int{}}
	config := registry.DefaultConfig("", "")
	config.Log.Level = "error"
	h, err := registry.NewHandler(t.Context(), w, config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	registry := client{t, server.URL}
	layer := bytes.Repeat([]byte("a layer of an image. "), 1<<18)
	registry.wantImage(registry.push(layer), layer)
	server.Close() // a handler may look at the storage after it has answered
	for _, op := range []string{"GetContent", "PutContent", "Reader", "Stat", "Move", "Commit"} {
		if w.n[op] == 0 {
			t.Errorf("want a push and a pull to use %s, they used %v", op, w.n)
		}
	}
	if by := w.module.Stats().ByOp; by["put"] == 0 || by["read"] == 0 || by["stat"] == 0 {
		t.Errorf("want puts, reads and stats of the guest, got %v", by)
	}
}
