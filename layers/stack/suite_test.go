package stack_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/testsuites"
)

// masked is a backend that declares only some of its abilities.
type masked struct {
	storagedriver.Backend
	can storagedriver.Ability
}

func (m masked) Capabilities() storagedriver.Capabilities {
	c := m.Backend.Capabilities()
	c.Abilities &= m.can
	return c
}

const partSize = 64 << 10

// suite runs the conformance suite on what open opens, with the layers around it.
func suite(t *testing.T, open storagedriver.OpenFunc, parameters m) {
	open = stack.Open(open, stack.Observers{})
	complete := func(t testsuites.T, options ...layers.Option) storagedriver.StorageDriver {
		b, err := open(t.Context(), parameters)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return layers.Complete(b, append(options, layers.WithPartSize(partSize))...)
	}
	testsuites.RegisterSuite(t, testsuites.Harness{
		New: func(t testsuites.T) storagedriver.StorageDriver { return complete(t) },
		NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			return complete(t, layers.WithBudget(chunked.NewBudget(bytes)))
		},
		PartSize: partSize, Parallel: 4,
	}, testsuites.CheckLeaks())
}

// TestSuiteThroughEveryLayer has every layer that changes how calls run, with few places, and then faults
// below that retry has to hide.
func TestSuiteThroughEveryLayer(t *testing.T) {
	drivers := map[string]func(t *testing.T) (storagedriver.OpenFunc, m){
		"inmemory": func(*testing.T) (storagedriver.OpenFunc, m) {
			memory := inmemory.New()
			return func(context.Context, map[string]any) (storagedriver.Backend, error) { return memory, nil }, m{}
		},
		"derived": func(*testing.T) (storagedriver.OpenFunc, m) {
			memory := inmemory.New()
			return func(context.Context, map[string]any) (storagedriver.Backend, error) {
				return masked{memory, storagedriver.AbilityIdempotent}, nil
			}, m{}
		},
		"filesystem": func(t *testing.T) (storagedriver.OpenFunc, m) {
			return filesystem.Open, m{"rootdirectory": t.TempDir(), "fsync": "off"}
		},
	}
	around := m{
		"retry":   m{"attempts": 15, "budget": 1_000_000, "wait": "1ms", "maxwait": "2ms"},
		"limit":   m{"concurrency": 4},
		"timeout": m{"operation": "1m", "bulk": "2m", "progress": "1m"},
	}
	faults := []any{
		"fail before unavailable temporary on Read every 7",
		"fail before unavailable temporary on Stat,List every 11",
		"fail after unavailable temporary on Stat,List every 13",
		"fail before unavailable temporary on Put,Delete,DeleteTree,Copy,Concat every 8",
		"fail after unavailable temporary on Put,Delete,DeleteTree,Copy,Concat every 7",
		"fail source 1 unavailable temporary on Put every 9",
		"fail before unavailable temporary on OpenUpload,CancelUpload,AbortUploads every 5",
		"fail after unavailable temporary on OpenUpload,CancelUpload,AbortUploads every 7",
		"fail after unavailable temporary on SuspendUpload every 2",
	}
	for name, driver := range drivers {
		for _, faulty := range []bool{false, true} {
			if name == "filesystem" && !faulty {
				continue // what is slow is run once, the harder way
			}
			t.Run(fmt.Sprintf("%s/faults %v", name, faulty), func(t *testing.T) {
				open, parameters := driver(t)
				section := m{"retry": around["retry"], "limit": around["limit"], "timeout": around["timeout"]}
				if faulty {
					section["fault"] = faults
				}
				parameters[stack.Key] = section
				suite(t, open, parameters)
			})
		}
	}
}
