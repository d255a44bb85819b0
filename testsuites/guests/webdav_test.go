package guests

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/examples/webdav"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

func davParameters(s *httptest.Server) map[string]any {
	return map[string]any{"endpoint": s.URL + "/dav/registry"}
}

func TestWebDAVGuestConforms(t *testing.T) {
	t.Parallel()
	s := davServer(t)
	opened := inTurn(func() *runtime.Module { return load(t, "webdav", s.URL) })
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := opened(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(partSize)), nil
	}
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "webdav"), davParameters(s), loader, smallParts, transcribed("webdav"), budgeted(opened, davParameters(s)))
}

func TestWebDAVConformsNatively(t *testing.T) {
	t.Parallel()
	s := davServer(t)
	testsuites.RegisterInProcessSuite(t, func(t testsuites.T) storagedriver.StorageDriver {
		return open(t, native.Open(webdav.Manifest(), webdav.Open), davParameters(s))
	}, smallParts, budgeted(native.Open(webdav.Manifest(), webdav.Open), davParameters(s)))
}
