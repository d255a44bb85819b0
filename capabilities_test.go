package storagedriver_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestAbilitiesAreFrozen(t *testing.T) {
	want := "copy,move,move-tree,concat,parts,list-tree,redirect,delete-tree,unsorted,append-committed,files-under-files,conditional,idempotent,list-uploads"
	all := storagedriver.AbilityListUploads<<1 - 1
	if got := all.String(); got != want {
		t.Errorf("all abilities are %q, want %q", got, want)
	}
	if got := (storagedriver.AbilityCopy | storagedriver.AbilityParts).String(); got != "copy,parts" {
		t.Errorf("got %q", got)
	}
	if storagedriver.Ability(0).String() != "" || !all.Has(0) {
		t.Error("no ability")
	}
	c := storagedriver.Capabilities{Abilities: storagedriver.AbilityCopy | storagedriver.AbilityMove}
	if !c.Has(storagedriver.AbilityMove) || c.Has(storagedriver.AbilityMove|storagedriver.AbilityMoveTree) {
		t.Error("Has is not about all that are asked for")
	}
}
