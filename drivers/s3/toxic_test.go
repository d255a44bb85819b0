//go:build servers

package s3_test

import (
	"maps"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects/objectstest"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
)

func TestToxicsOnVersitygw(t *testing.T) {
	t.Parallel()
	underToxics(t, onVersitygw(t, nil))
}

func TestToxicsOnMinio(t *testing.T) {
	t.Parallel()
	underToxics(t, onMinio(t, nil))
}

func underToxics(t *testing.T, parameters map[string]any) {
	objectstest.UnderToxics(t, objectstest.Harness{
		Upstream: parameters["regionendpoint"].(string),
		Open: func(t testing.TB, url string) storagedriver.StorageDriver {
			parameters := maps.Clone(parameters)
			parameters["regionendpoint"] = url
			d, err := factory.FromOpen(s3.Name, s3.Open).Create(t.Context(), parameters)
			if err != nil {
				t.Fatalf("Create: %v", err)
			}
			return d
		},
		PartSize: smallPart,
	})
}
