package berth

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestConstantsAreThoseOfTheABI fails when a file is not what go generate would write.
func TestConstantsAreThoseOfTheABI(t *testing.T) {
	if _, err := os.Stat("../../abi/kinds.go"); os.IsNotExist(err) {
		if os.Getenv("CI") != "" {
			t.Fatal("package abi is not beside this module, and under CI it has to be")
		}
		t.Skip("package abi is not beside this module")
	}
	for _, path := range []string{"constants.go", "../rust/src/constants.rs", "../c/berth.h"} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(out, got, 0o600); err != nil { // of a header only a part is written
			t.Fatal(err)
		}
		if msg, err := exec.Command("go", "run", "./internal/constants", "../../abi", out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, msg)
		}
		want, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale; run go generate in guest-sdk/go", path)
		}
	}
}

func TestEveryKindHasAName(t *testing.T) {
	if len(kindNames) != int(KindClosed)+1 {
		t.Fatalf("%d names for %d kinds", len(kindNames), KindClosed+1)
	}
}
