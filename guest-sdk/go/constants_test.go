package berth

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestConstantsAreThoseOfTheABI fails when constants.go is not what go generate would write.
func TestConstantsAreThoseOfTheABI(t *testing.T) {
	if _, err := os.Stat("../../abi/kinds.go"); os.IsNotExist(err) {
		if os.Getenv("CI") != "" {
			t.Fatal("package abi is not beside this module, and under CI it has to be")
		}
		t.Skip("package abi is not beside this module")
	}
	out := filepath.Join(t.TempDir(), "constants.go")
	if msg, err := exec.Command("go", "run", "./internal/constants", "../../abi", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, msg)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("constants.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("constants.go is stale; run go generate in guest-sdk/go")
	}
}

func TestEveryKindHasAName(t *testing.T) {
	if len(kindNames) != int(KindClosed)+1 {
		t.Fatalf("%d names for %d kinds", len(kindNames), KindClosed+1)
	}
}
