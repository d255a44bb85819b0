package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/orphans"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

// leave puts content, an upload that was begun, and a temporary file on the storage.
func leave(t *testing.T, n named) {
	t.Helper()
	b, err := newConsole(t, nil).app.compose().namedBackend(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b)
	defer d.Close()
	if err := d.PutContent(t.Context(), "/kept/f", []byte("content")); err != nil {
		t.Fatal(err)
	}
	w, err := d.Writer(t.Context(), "/begun/u", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("begun")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "/kept/~put-of-a-killed-process", storagedriver.BytesSource("torn")); err != nil {
		t.Fatal(err)
	}
}

// ranOrphans runs the command and returns what it printed as JSON.
func ranOrphans(t *testing.T, args ...string) (found []orphanReport, removed []orphanReport) {
	t.Helper()
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, append(append([]string{"store", "orphans"}, args...), "-o", "json"))
	var v struct {
		Orphans, Removed []orphanReport
		Complete         bool
	}
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	return v.Orphans, v.Removed
}

func wantReports(t *testing.T, got []orphanReport, want ...orphanReport) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, w := range want {
		g := got[i]
		if g.Path != w.Path || g.Kind != w.Kind || g.Files != w.Files || g.Bytes != w.Bytes || g.AgeSeconds == nil || *g.AgeSeconds > 100*3600 {
			t.Errorf("got %+v, want %+v", g, w)
		}
	}
}

var (
	begun = orphanReport{Path: "/begun/u", Kind: orphans.Upload, Files: 1, Bytes: 5}
	torn  = orphanReport{Path: "/kept/~put-of-a-killed-process", Kind: orphans.Temporary, Files: 1, Bytes: 4}
)

func TestOrphansOfFilesystem(t *testing.T) {
	root := t.TempDir()
	leave(t, named{name: "filesystem", parameters: map[string]any{"rootdirectory": root}})
	config := filepath.Join(t.TempDir(), "config.yml")
	text := "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: " + root + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	driver := []string{"filesystem", "--param", "rootdirectory=" + root}
	for _, which := range [][]string{driver, {"--config", config}} {
		found, _ := ranOrphans(t, append([]string{"ls"}, which...)...)
		wantReports(t, found, begun, torn)
		found, _ = ranOrphans(t, append([]string{"ls", "--older-than", "1h"}, which...)...)
		wantReports(t, found)
		_, removed := ranOrphans(t, append([]string{"abort"}, which...)...) // nothing is a day old
		wantReports(t, removed)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, append([]string{"store", "orphans", "ls"}, driver...), "PATH", "AGE", begun.Path, torn.Path, "found 2, 9 bytes")

	past := time.Now().Add(-49 * time.Hour)
	if err := os.Chtimes(filepath.Join(root, torn.Path), past, past); err != nil {
		t.Fatal(err)
	}
	_, removed := ranOrphans(t, "abort", "--config", config, "--dry-run")
	wantReports(t, removed, torn)
	_, removed = ranOrphans(t, append([]string{"abort"}, driver...)...)
	wantReports(t, removed, torn)
	found, _ := ranOrphans(t, "ls", "--config", config)
	wantReports(t, found, begun)
	_, removed = ranOrphans(t, "abort", "--config", config, "--older-than", "0s")
	wantReports(t, removed, begun)
	if b, err := os.ReadFile(filepath.Join(root, "kept/f")); err != nil || string(b) != "content" {
		t.Errorf("what was committed: %q, %v", b, err)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, append([]string{"store", "orphans", "abort"}, driver...), "removed 0, 0 bytes")
}

// TestOrphansOfAGuest has the segments of the derived writer below a driver in a .wasm file.
func TestOrphansOfAGuest(t *testing.T) {
	storage, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := storage.close(); err != nil {
			t.Error(err)
		}
	}()
	file := webdavWasm(t)
	leave(t, named{name: file, allow: []string{storage.origin}, parameters: map[string]any{"endpoint": storage.origin}})
	driver := []string{file, "--param", "endpoint=" + storage.origin, "--allow", storage.origin}
	found, _ := ranOrphans(t, append([]string{"ls"}, driver...)...)
	wantReports(t, found, begun, torn)
	_, removed := ranOrphans(t, append([]string{"abort"}, driver...)...)
	wantReports(t, removed)
	_, removed = ranOrphans(t, append([]string{"abort", "--older-than", "0s"}, driver...)...)
	wantReports(t, removed, begun, torn)
	found, _ = ranOrphans(t, append([]string{"ls"}, driver...)...)
	wantReports(t, found)
}

// TestOrphansThatAServiceKeeps has uploads of which the listings of the service show nothing.
func TestOrphansThatAServiceKeeps(t *testing.T) {
	store := partstore.New(partstore.Config{})
	service := httptest.NewServer(store)
	defer service.Close()
	for _, upload := range []string{"/objects/killed/u?upload=U1", "/objects/killed/u?upload=U2", "/objects/kept/v?upload=U3"} {
		resp, err := http.Post(service.URL+upload, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusCreated {
			t.Fatalf("POST %s: %s", upload, resp.Status)
		}
	}
	driver := []string{guestbuild.Path(t, "parts"), "--param", "endpoint=" + service.URL, "--allow", service.URL}
	kept, killed := orphanReport{Path: "/kept/v", Kind: orphans.Upload}, orphanReport{Path: "/killed/u", Kind: orphans.Upload}
	found, _ := ranOrphans(t, append([]string{"ls"}, driver...)...)
	wantReports(t, found, kept, killed)
	found, _ = ranOrphans(t, append([]string{"ls", "--older-than", "1h"}, driver...)...)
	wantReports(t, found)
	_, removed := ranOrphans(t, append([]string{"abort"}, driver...)...)
	wantReports(t, removed)
	_, removed = ranOrphans(t, append([]string{"abort", "--older-than", "0s"}, driver...)...)
	wantReports(t, removed, kept, killed)
	if left := store.Unfinished(); len(left) != 0 {
		t.Errorf("uploads to %q are left", left)
	}
}

func TestStoreUsage(t *testing.T) {
	for line, text := range map[string]string{
		"store nonsense":         `unknown command "nonsense"`,
		"store orphans nonsense": `unknown command "nonsense"`,
		"store orphans ls":       "--config",
		"store orphans ls a b":   "at most 1",
		"store orphans ls inmemory --allow http://127.0.0.1:1":          "--allow is for drivers in .wasm files",
		"store orphans ls inmemory --older-than -1h":                    "must not be negative",
		"store orphans ls inmemory --older-than day":                    "invalid duration",
		"store orphans abort inmemory --config config.yml":              "leave out the name",
		"store orphans abort filesystem --param nonsense=1":             "nonsense",
		"store orphans abort filesystem --param rootdirectory= -o yaml": "table nor json",
	} {
		t.Run(line, func(t *testing.T) {
			newConsole(t, nil).wantStatus(t, statusUsage, strings.Fields(line), text)
		})
	}
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"store", "orphans", "ls", "nosuchdriver"}, "nosuchdriver")
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"store", "orphans", "ls", "--config", "nosuch.yml"}, "nosuch.yml")
}
