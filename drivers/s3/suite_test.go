//go:build servers

package s3_test

import (
	"cmp"
	"maps"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// smallPart is the smallest that S3 takes.
const smallPart = 5 << 20

const bucket = "registry"

func TestConformsOnVersitygw(t *testing.T) {
	t.Parallel()
	conforms(t, onVersitygw(t, nil), "")
}

func TestConformsOnMinio(t *testing.T) {
	t.Parallel()
	conforms(t, onMinio(t, nil), "")
}

// TestConformsWithoutConditions is on a service that has no conditional writes, as far as the driver uses any.
func TestConformsWithoutConditions(t *testing.T) {
	t.Parallel()
	conforms(t, onVersitygw(t, map[string]any{"conditionalwrites": false}), "suspend,cancel,race,ending,context")
}

// conforms runs the cases that run selects.
func conforms(t *testing.T, parameters map[string]any, run string) {
	open := func(t testsuites.T, options ...layers.Option) storagedriver.StorageDriver {
		d, err := factory.FromOpen(s3.Name, s3.Open, options...).Create(t.Context(), parameters)
		if err != nil {
			t.Fatalf("Create: %v", err)
		}
		return d
	}
	testsuites.RegisterSuite(t, testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver { return open(t) },
		NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			return open(t, layers.WithBudget(chunked.NewBudget(bytes)))
		},
		PartSize: smallPart, Parallel: 4, Run: run,
	})
}

// onVersitygw starts the service and returns the parameters of a driver for it.
func onVersitygw(t testing.TB, more map[string]any) map[string]any {
	return on(t, servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"), map[string]any{"filesunderfiles": "refused"}, more)
}

func onMinio(t testing.TB, more map[string]any) map[string]any {
	return on(t, servers.StartS3(t, "minio", "BERTH_MINIO"), map[string]any{"filesunderfiles": "checked"}, more)
}

func on(t testing.TB, s servers.S3, parameters ...map[string]any) map[string]any {
	t.Helper()
	servers.MakeBucket(t, s, bucket)
	all := map[string]any{
		"accesskey": s.AccessKey, "secretkey": s.SecretKey, "region": servers.Region, "regionendpoint": s.URL, "forcepathstyle": true,
		"bucket": bucket, "chunksize": smallPart,
	}
	for _, p := range parameters {
		maps.Copy(all, p)
	}
	return all
}

// An upload below a file has nothing to show when the file has gone. minio would store its state, and list it only then.
func TestNothingIsStoredBelowAFile(t *testing.T) {
	t.Parallel()
	for name, parameters := range map[string]map[string]any{"versitygw": onVersitygw(t, nil), "minio": onMinio(t, nil)} {
		t.Run(name, func(t *testing.T) {
			b, err := s3.Open(t.Context(), parameters)
			if err != nil {
				t.Fatal(err)
			}
			d := layers.Complete(b)
			defer d.Close()
			if err := d.PutContent(t.Context(), "/file", []byte("x")); err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{10, 4 << 20} { // a tail in the state, and one beside it
				w, err := d.Writer(t.Context(), "/file/below", false)
				if err == nil {
					_, err = w.Write(make([]byte, size))
					err = cmp.Or(err, w.Close())
				}
				if storagedriver.KindOf(err) != storagedriver.KindInvalidPath {
					t.Errorf("an upload of %d bytes below a file: want an invalid path, got %v", size, err)
				}
			}
			if err := d.Delete(t.Context(), "/file"); err != nil {
				t.Error(err)
			}
			if _, err := d.Stat(t.Context(), "/file"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				t.Errorf("Stat of a file that was deleted: want not found, got %v", err)
			}
		})
	}
}
