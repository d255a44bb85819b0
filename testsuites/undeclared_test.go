package testsuites_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

// undeclared is a flat store that has files under files and does not say so.
type undeclared struct {
	*chunkedtest.Memory
	put func(ctx context.Context, path string, body storagedriver.Source) error // nil: the store's
}

func (u undeclared) Capabilities() storagedriver.Capabilities {
	c := u.Memory.Capabilities()
	c.Abilities &^= storagedriver.AbilityFilesUnderFiles
	return c
}

func (u undeclared) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if u.put != nil {
		return u.put(ctx, path, body)
	}
	return u.Memory.Put(ctx, path, body)
}

// placed is a put that looks whether there may be a file, as the other ways to a path should.
func (u undeclared) placed() undeclared {
	u.put = func(ctx context.Context, path string, body storagedriver.Source) error {
		at, err := u.Memory.Stat(ctx, path)
		occupied := err == nil && at.Dir
		for above, _ := storagedriver.ParentPath(path); above != "/"; above, _ = storagedriver.ParentPath(above) {
			at, err = u.Memory.Stat(ctx, above)
			occupied = occupied || err == nil && !at.Dir
		}
		if occupied {
			return storagedriver.NewError(storagedriver.KindConflict, "there is something else")
		}
		return u.Memory.Put(ctx, path, body)
	}
	return u
}

// TestUndeclaredFilesUnderFilesAreCaught has the suite find what the gate does not look for: a Stat of every
// directory above a path, before each write, is what it would cost.
func TestUndeclaredFilesUnderFilesAreCaught(t *testing.T) {
	const parts = storagedriver.AbilityParts | storagedriver.AbilityMove | storagedriver.AbilityMoveTree
	flat := func(can storagedriver.Ability) undeclared {
		return undeclared{Memory: &chunkedtest.Memory{Can: can | storagedriver.AbilityFilesUnderFiles, Page: 1000}}
	}
	onPut := []string{"content/onto-directory", "content/under-file", "write/onto-directory", "write/under-file"}
	for name, c := range map[string]struct {
		backend undeclared
		caught  []string
	}{
		"everywhere":              {flat(0), append([]string{"move/directory-under-file", "move/under-file", "write/suspended-under-file"}, onPut...)},
		"everywhere, with parts":  {flat(parts), append([]string{"move/directory-under-file", "move/under-file", "write/suspended-under-file"}, onPut...)},
		"but by Put, with parts":  {flat(parts).placed(), []string{"move/directory-under-file", "move/under-file", "write/suspended-under-file"}},
		"nowhere, by its own way": {flat(0).placed(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			result := testsuites.RunAll(t.Context(), testsuites.Harness{
				New: func(testsuites.T) storagedriver.StorageDriver {
					return layers.Complete(c.backend, layers.WithPartSize(partSize))
				},
				Run: "content/*,move/*,write/*", PartSize: partSize,
			}, nil)
			if result.Err != nil {
				t.Fatal(result.Err)
			}
			var failed []string
			for _, one := range result.Cases {
				if one.Status != testsuites.Fail {
					continue
				}
				failed = append(failed, one.ID)
				if !strings.Contains(one.Reason, "invalid path") {
					t.Errorf("%s: want it to miss an invalid path, got %s", one.ID, one.Reason)
				}
			}
			slices.Sort(failed)
			slices.Sort(c.caught)
			if !slices.Equal(failed, c.caught) {
				t.Errorf("want the cases %q to fail, got %q", c.caught, failed)
			}
		})
	}
}
