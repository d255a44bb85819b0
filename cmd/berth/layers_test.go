package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

// TestLayersOfEveryDriver has the same keys in every driver's parameters, as flags.
func TestLayersOfEveryDriver(t *testing.T) {
	layers := []string{
		"--param", "layers.retry.attempts=3", "--param", "layers.limit.concurrency=4", "--param", "layers.timeout.operation=30s",
		"--param", "layers.fault=fail before unavailable temporary on Stat every 7",
	}
	newConsole(t, nil).wantStatus(t, statusOK, append([]string{"driver", "test", "inmemory", "--run", "content,stat,delete"}, layers...), "0 failed")
	newConsole(t, nil).wantStatus(t, statusOK, append([]string{"driver", "test", "filesystem", "--run", "content,stat,delete",
		"--param", "rootdirectory=" + t.TempDir()}, layers...), "0 failed")
}

func TestLayersOfASandboxedDriver(t *testing.T) {
	storage, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.close(); err != nil {
			t.Error(err)
		}
	})
	args := []string{"driver", "test", webdavWasm(t), "--allow", storage.origin, "--param", "endpoint=" + storage.origin, "--run", "content/empty"}
	newConsole(t, nil).wantStatus(t, statusUsage, append(args, "--param", "layers.limit.concurrency=1"), "layers.limit", `"concurrency"`)
	newConsole(t, nil).wantStatus(t, statusConformance, append(args, "--param", "layers.readonly=true"), "read-only")

	c := newConsole(t, nil).app.compose()
	b, err := c.backend(t.Context(), wasmDriver, map[string]any{
		"module": webdavWasm(t), "allow": storage.origin, "parameters": map[string]any{"endpoint": storage.origin},
		"layers": map[string]any{"readonly": true, "retry": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "/"); err != nil {
		t.Error(err)
	}
	if err := b.Delete(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindPermission {
		t.Errorf("Delete: want %q, got %v", storagedriver.KindPermission, err)
	}
	if err := b.Close(); err != nil { // with its module, or the goroutines of that would be seen
		t.Error(err)
	}
}

func TestABackendIsFoundByName(t *testing.T) {
	c := newConsole(t, nil).app.compose()
	b, err := c.backend(t.Context(), inmemory.Name, nil)
	if err != nil || b.Name() != inmemory.Name {
		t.Fatalf("want inmemory, got %v, %v", b, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	_, err = c.backend(t.Context(), "filesystem", map[string]any{"layers": map[string]any{"retry": map[string]any{"wait": "never"}}})
	if got := fmt.Sprint(err); !strings.HasPrefix(got, `filesystem: Open: invalid argument: layers.retry: parameter "wait"`) {
		t.Errorf("want the driver and the parameter named, got %v", err)
	}
	for _, name := range []string{"nonsense", "../x"} {
		_, err = c.backend(t.Context(), name, nil)
		if status := statusOf(t.Context(), err); status != statusNotFound || !strings.Contains(err.Error(), "filesystem, inmemory") {
			t.Errorf("%s: want it not found, and what there is, got %v", name, err)
		}
	}
	folder := t.TempDir()
	path := filepath.Join(folder, filePrefix+"cut"+wasmSuffix)
	if err := os.WriteFile(path, preamble, 0o600); err != nil {
		t.Fatal(err)
	}
	c.SearchPath = []string{folder}
	if _, err = c.backend(t.Context(), "cut", nil); err == nil || !strings.Contains(err.Error(), "cut: Open: ") || !strings.Contains(err.Error(), path) {
		t.Errorf("want the driver and its file named, got %v", err)
	}
}

// TestAReadOnlyRegistry pulls what was pushed before, and refuses pushes.
func TestAReadOnlyRegistry(t *testing.T) {
	root := t.TempDir()
	config := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: " + root + "\n  delete:\n    enabled: true\n" +
		"http:\n  addr: 127.0.0.1:0\n  secret: not so secret\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, config)
	layer := []byte("a layer")
	manifest := client{t, s.url}.push(layer)
	s.end()

	t.Setenv("REGISTRY_STORAGE_FILESYSTEM_LAYERS_READONLY", "true")
	s = serve(t, config)
	c := client{t, s.url}
	c.wantImage(manifest, layer)
	for _, r := range []struct {
		method, path string
		body         []byte
	}{
		{"POST", "/v2/a/b/blobs/uploads/", nil},
		{"PUT", "/v2/a/b/manifests/other", manifest},
		{"DELETE", "/v2/a/b/blobs/" + digestOf(layer), nil},
	} {
		c.do(r.method, r.path, r.body, http.StatusMethodNotAllowed, "Content-Type", "application/vnd.oci.image.manifest.v1+json")
	}
	s.end()
}
