//go:build servers

package guests

import (
	"context"
	"os/exec"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// TestWebDAVGuestConformsOnApache needs apache2; the script of testsuites/servers starts it.
func TestWebDAVGuestConformsOnApache(t *testing.T) {
	t.Parallel()
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
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "webdav"), parameters, loader, smallParts, transcribed("webdav"), budgeted(m.Open, parameters))
}

func startApache(t *testing.T) (url string) {
	t.Helper()
	if _, err := exec.LookPath("apache2"); err != nil {
		t.Fatalf("apt-get install --no-install-recommends apache2: %v", err)
	}
	return servers.Start(t, "apache-webdav.sh")
}
