package faultloop_test

import (
	"context"
	"os"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long says whether every two calls fail as well.
func long() bool { return os.Getenv("BERTH_LONG") == "1" }

// sharing opens one backend for all.
func sharing(b storagedriver.Backend) func(context.Context) (storagedriver.Backend, error) {
	return func(context.Context) (storagedriver.Backend, error) { return b, nil }
}

// wantHolds runs the loops and wants nothing to break, and enough to have failed.
func wantHolds(t *testing.T, h faultloop.Harness, least int64) {
	t.Helper()
	h.Pairs = long()
	report := faultloop.Run(t.Context(), h)
	t.Logf("\n%s", report)
	for _, f := range report.Failures() {
		t.Error(f)
	}
	if _, faults := report.Totals(); faults < least {
		t.Errorf("only %d runs had a failure, want at least %d", faults, least)
	}
}

// masked is inmemory with fewer abilities.
type masked struct {
	storagedriver.Backend
	abilities storagedriver.Ability
}

func (m masked) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: m.abilities}
}

func TestInmemory(t *testing.T) {
	whole := inmemory.New().Capabilities().Abilities
	for name, abilities := range map[string]storagedriver.Ability{
		"inmemory":                        whole,
		"inmemory, five functions":        0,
		"inmemory with move":              storagedriver.AbilityMove,
		"inmemory with copy":              storagedriver.AbilityCopy,
		"inmemory with concat":            storagedriver.AbilityConcat | storagedriver.AbilityDeleteTree,
		"inmemory with copy, delete-tree": storagedriver.AbilityCopy | storagedriver.AbilityDeleteTree,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantHolds(t, faultloop.Harness{Name: name, New: func(context.Context) (faultloop.Storage, error) {
				return faultloop.Storage{Open: sharing(masked{inmemory.New(), abilities})}, nil
			}}, 500)
		})
	}
}

func TestParts(t *testing.T) {
	for name, limits := range map[string]storagedriver.PartLimits{
		"parts in memory":             {},
		"parts in memory, sequential": {Sequential: true, Multiple: 8},
		"parts in memory, min":        {Min: 40, Digests: []string{"sha256"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			digests := len(limits.Digests) > 0
			wantHolds(t, faultloop.Harness{Name: name, Digests: digests, New: func(context.Context) (faultloop.Storage, error) {
				m := &chunkedtest.Memory{Limits: limits, Can: storagedriver.AbilityParts | storagedriver.AbilityCopy | storagedriver.AbilityDeleteTree}
				return faultloop.Storage{Open: sharing(m), Left: func(path string) (left []string) {
					for name := range m.Content() {
						if storagedriver.IsBelow(name, path) {
							left = append(left, name)
						}
					}
					return left
				}}, nil
			}}, 500)
		})
	}
}

func TestFilesystem(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	wantHolds(t, faultloop.Harness{Name: filesystem.Name, New: func(context.Context) (faultloop.Storage, error) {
		dir, err := os.MkdirTemp(root, "")
		return faultloop.Storage{
			Open: func(ctx context.Context) (storagedriver.Backend, error) {
				// No power is lost here.
				return filesystem.Open(ctx, map[string]any{"rootdirectory": dir, "fsync": "off"})
			},
			Left: func(path string) []string {
				if _, err := os.Lstat(dir + path); err == nil {
					return []string{path}
				}
				return nil
			},
		}, err
	}}, 500)
}
