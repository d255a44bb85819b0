//go:build servers

package main

import (
	"testing"

	"github.com/berth-dev/storagedriver/internal/kit"
)

func TestANewDriverInRustIsBuiltAndConforms(t *testing.T) { conformsAsNew(t, kit.Rust) }

func TestANewDriverInCIsBuiltAndConforms(t *testing.T) { conformsAsNew(t, kit.C) }

// TestTutorialInRust does what the tutorial says.
func TestTutorialInRust(t *testing.T) { followTutorial(t, "tutorial-rust.md") }
