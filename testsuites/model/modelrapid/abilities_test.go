package modelrapid_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/testsuites/model"
	"github.com/berth-dev/storagedriver/testsuites/model/modelrapid"
)

const (
	canCopy       = storagedriver.AbilityCopy
	canMove       = storagedriver.AbilityMove
	canMoveTree   = storagedriver.AbilityMoveTree
	canConcat     = storagedriver.AbilityConcat
	canParts      = storagedriver.AbilityParts
	canListTree   = storagedriver.AbilityListTree
	canDeleteTree = storagedriver.AbilityDeleteTree
	unsorted      = storagedriver.AbilityUnsorted
	appends       = storagedriver.AbilityAppendCommitted
	nested        = storagedriver.AbilityFilesUnderFiles
	conditional   = storagedriver.AbilityConditional
)

// masked is inmemory without some of its abilities, so that the gate and the writer derive them.
type masked struct {
	*inmemory.Driver
	can storagedriver.Ability
}

func (m masked) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: m.can}
}

// TestMaskedInmemory runs scripts where what inmemory does itself is derived.
func TestMaskedInmemory(t *testing.T) {
	for _, can := range []storagedriver.Ability{
		0, canCopy, canMove, canConcat, canMoveTree, canDeleteTree, canCopy | canDeleteTree, canMove | canConcat, canCopy | canConcat | canDeleteTree,
	} {
		t.Run(nameOf(can), func(t *testing.T) {
			modelrapid.Check(t, modelrapid.Options{
				Driver: "inmemory", PartSize: partSize, Time: time.Second,
				Open: func(modelrapid.TB) model.Harness { return sharing(masked{inmemory.New(), can}) },
			})
		})
	}
}

// TestAbilities runs scripts on a backend that has what no other in memory has, and is strict with the gate.
func TestAbilities(t *testing.T) {
	limited := storagedriver.PartLimits{Min: partSize / 2, Max: 2 * partSize, Multiple: 512}
	for name, m := range map[string]*chunkedtest.Memory{
		"nothing":               {},
		"list-tree":             {Can: canListTree},
		"unsorted":              {Can: unsorted},
		"nested":                {Can: nested},
		"nested-tree":           {Can: nested | canListTree | canDeleteTree | canCopy},
		"nested-moves":          {Can: nested | canMove | canConcat},
		"parts":                 {Can: canParts, Limits: limited},
		"parts-like-s3":         {Can: canParts | canListTree | canCopy | nested | conditional | canDeleteTree, Limits: limited},
		"parts-append":          {Can: canParts | appends | conditional | canMoveTree, Limits: storagedriver.PartLimits{Sequential: true}},
		"parts-equal":           {Can: canParts | unsorted, Limits: storagedriver.PartLimits{Equal: true}},
		"small-objects":         {Can: canConcat, MaxObject: partSize},
		"small-objects-derived": {MaxObject: 2 * partSize},
	} {
		t.Run(name, func(t *testing.T) {
			modelrapid.Check(t, modelrapid.Options{
				Driver: "memory", PartSize: partSize, Time: time.Second,
				Open: func(modelrapid.TB) model.Harness { return strict(m) },
			})
		})
	}
}

// strict opens a Memory like m, whose breaches are a script's failures.
func strict(like *chunkedtest.Memory) model.Harness {
	m := &chunkedtest.Memory{Can: like.Can, MaxObject: like.MaxObject, Limits: like.Limits, Page: 3}
	return model.Harness{
		Open: func(_ context.Context, partSize int64) (model.Process, error) {
			return model.NewProcess(m, complete(partSize)), nil
		},
		Left: func() error {
			if found := m.Breaches(); len(found) > 0 {
				return fmt.Errorf("the gate or the writer did what it may not: %s", strings.Join(found, "; "))
			}
			if left := m.Content(); len(left) > 0 {
				return fmt.Errorf("the backend has %q", slices.Sorted(maps.Keys(left)))
			}
			return nil
		},
	}
}

func nameOf(can storagedriver.Ability) string {
	if can == 0 {
		return "none"
	}
	return strings.ReplaceAll(can.String(), ",", "+")
}
