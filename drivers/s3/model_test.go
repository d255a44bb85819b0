//go:build servers

package s3_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

// modelTime is how long scripts are performed, of which each takes seconds.
const modelTime = 20 * time.Second

func TestModelOnVersitygw(t *testing.T) {
	t.Parallel()
	performs(t, onVersitygw(t, nil))
}

func TestModelOnMinio(t *testing.T) {
	t.Parallel()
	performs(t, onMinio(t, nil))
}

// performs runs each script below a root directory of its own.
func performs(t *testing.T, parameters map[string]any) {
	var scripts atomic.Int64
	modelrapid.Check(t, modelrapid.Options{
		Driver: s3.Name, PartSize: smallPart, Time: modelTime,
		Open: func(modelrapid.TB) model.Harness {
			own := maps.Clone(parameters)
			own["rootdirectory"], own["probe"] = fmt.Sprintf("script-%d", scripts.Add(1)), false
			return model.Harness{
				Open: func(ctx context.Context, partSize int64) (model.Process, error) {
					b, err := s3.Open(ctx, own)
					if err != nil {
						return model.Process{}, err
					}
					return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver {
						return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(16*partSize)))
					}), nil
				},
				Left: func() error {
					b, err := s3.Open(context.Background(), own)
					if err != nil {
						return err
					}
					defer b.Close()
					if names := left(b, "/"); len(names) > 0 {
						err = fmt.Errorf("the service has %s", strings.Join(names, ", "))
					}
					return errors.Join(err)
				},
			}
		},
	})
}
