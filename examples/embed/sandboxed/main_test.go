package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"golang.org/x/net/webdav"
)

func TestRun(t *testing.T) {
	server := httptest.NewServer(&webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()})
	defer server.Close()
	if err := run(t.Context(), guestbuild.Path(t, "webdav"), server.URL); err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Get(server.URL + "/greeting")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if want := "hello from webdav"; err != nil || response.StatusCode != http.StatusOK || string(content) != want {
		t.Errorf("the server has %q (%s, %v), want %q", content, response.Status, err, want)
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	err := run(t.Context(), t.TempDir()+"/none.wasm", "http://127.0.0.1:1")
	if storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Errorf("a missing file: %v, want not found", err)
	}
}

// What the documentation promises of this program.
func TestItHasThirtyLines(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n > 30 {
		t.Errorf("main.go has %d lines, want at most 30", n)
	}
}
