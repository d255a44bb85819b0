package guests

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

// modelPart is small, so that scripts have uploads of several parts and are done in milliseconds.
const modelPart = 16 << 10

// asProcess is a guest's backend as a process has it, with a memory budget of its own.
func asProcess(b storagedriver.Backend, partSize int64) model.Process {
	return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver {
		return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64*partSize)))
	})
}

// opening opens each process as another driver, on instances of its own.
func opening(open storagedriver.OpenFunc, parameters map[string]any) model.Harness {
	return model.Harness{Open: func(ctx context.Context, partSize int64) (model.Process, error) {
		b, err := open(ctx, parameters)
		if err != nil {
			return model.Process{}, err
		}
		return asProcess(b, partSize), nil
	}}
}

func TestWebDAVGuestModel(t *testing.T) {
	s := davServer(t)
	m := load(t, "webdav", s.URL)
	var count atomic.Int64
	modelrapid.Check(t, modelrapid.Options{
		PartSize: modelPart, Command: "berth driver test build/guests/webdav.wasm --param endpoint=URL --allow ORIGIN --script FILE",
		Open: func(modelrapid.TB) model.Harness {
			return opening(m.Open, map[string]any{"endpoint": fmt.Sprintf("%s/dav/model%d", s.URL, count.Add(1))})
		},
	})
}

func TestPartsGuestModel(t *testing.T) { checkParts(t, "parts") }

// TestStatefulGuestModel has the five functions alone derived, for a guest that runs one call at a time.
func TestStatefulGuestModel(t *testing.T) { checkParts(t, "stateful") }

// checkParts runs scripts on a guest of the part store, each on a store of its own.
func checkParts(t *testing.T, guest string) {
	store := partstore.New(partstore.Config{MinPart: modelPart / 4})
	s := serve(t, store)
	m := load(t, guest, s.url)
	modelrapid.Check(t, modelrapid.Options{
		PartSize: modelPart, Command: "berth driver test build/guests/" + guest + ".wasm --param endpoint=URL --allow ORIGIN --script FILE",
		Open: func(modelrapid.TB) model.Harness {
			h := opening(m.Open, map[string]any{"endpoint": s.url, "min-part": modelPart / 4})
			h.Left = func() error {
				if keys := append(s.Keys(), s.Unfinished()...); len(keys) > 0 {
					return fmt.Errorf("the store has %q", keys)
				}
				return nil
			}
			return h
		},
	})
}
