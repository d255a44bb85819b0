//go:build servers

package guests

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// TestWebDAVGuestConformsOnApache needs apache2; the script of testsuites/servers starts it.
func TestWebDAVGuestConformsOnApache(t *testing.T) {
	url := startApache(t)
	m := load(t, "webdav", url)
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := m.Open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	// A MOVE of mod_dav removes its target first, and a GET of Apache looks at a file before it opens it.
	parameters := map[string]any{"endpoint": url + "/registry", "replace": "put", "confirm": true}
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "webdav"), parameters, loader, smallParts, budgeted(m.Open, parameters))
}

func startApache(t *testing.T) (url string) {
	t.Helper()
	if _, err := exec.LookPath("apache2"); err != nil {
		t.Fatalf("apt-get install --no-install-recommends apache2: %v", err)
	}
	script, err := filepath.Abs("../servers/apache-webdav.sh")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	// Not t.TempDir: Apache's user must be able to enter every folder above.
	dir, err := os.MkdirTemp("", "berth-apache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	cmd := exec.Command(script, dir, port)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // its status says that a signal ended it
	})
	url = "http://127.0.0.1:" + port
	for deadline := time.Now().Add(20 * time.Second); ; {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			return url
		}
		if time.Now().After(deadline) {
			t.Fatalf("apache2 does not answer: %v\n%s", err, output.String())
		}
	}
}
