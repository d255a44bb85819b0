//go:build servers

package guests

import (
	"context"
	"log/slog"
	"maps"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// s3Part is the smallest that S3 takes.
const s3Part = 5 << 20

func TestS3GuestConformsOnVersitygw(t *testing.T) {
	conformsOnS3(t, "s3", servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"), map[string]any{"check-tree": false})
}

func TestS3GuestConformsOnMinio(t *testing.T) {
	conformsOnS3(t, "s3", servers.StartS3(t, "minio", "BERTH_MINIO"), map[string]any{"check-tree": true})
}

// loadForS3 makes an empty bucket and loads a guest that may go to s alone. It returns the guest's parameters, those that are given among them.
func loadForS3(t *testing.T, guest string, s servers.S3, parameters map[string]any) (*runtime.Module, map[string]any) {
	t.Helper()
	config, all := configForS3(t, s)
	config.CacheDir, config.Logger, config.Record = cacheDir, slog.New(slog.DiscardHandler), transcript(t.Name())
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, guest), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close of the module: %v", err)
		}
	})
	maps.Copy(all, parameters)
	return m, all
}

// configForS3 allows the service, whose bucket is made, and signs for it.
func configForS3(t *testing.T, s servers.S3) (runtime.Config, map[string]any) {
	t.Helper()
	signer, err := sigv4.New(t.Context(), sigv4.Config{AccessKey: s.AccessKey, SecretKey: factory.NewSecret(s.SecretKey), Region: servers.Region}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const bucket = "registry"
	servers.MakeBucket(t, s, bucket)
	allow := []egress.Rule{{Origin: s.URL, Credential: egress.Credential{Name: "storage", Signer: signer}}}
	return runtime.Config{Allow: allow}, map[string]any{"endpoint": s.URL, "bucket": bucket}
}

func conformsOnS3(t *testing.T, guest string, s servers.S3, parameters map[string]any) {
	m, parameters := loadForS3(t, guest, s, parameters)
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := m.Open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(s3Part)), nil
	}
	largeParts := testsuites.Configure(func(h *testsuites.Harness) { h.PartSize, h.Parallel = s3Part, 4 })
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, guest), parameters, loader, largeParts, transcribed(t.Name()), budgeted(m.Open, parameters))
}
