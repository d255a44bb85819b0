package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestRun(t *testing.T) {
	root := t.TempDir()
	var out bytes.Buffer
	if err := run(t.Context(), &out, root); err != nil {
		t.Fatal(err)
	}
	if want := "reports/2026/summary.txt: first half, second half\n"; out.String() != want {
		t.Errorf("it printed %q, want %q", out.String(), want)
	}
	content, err := os.ReadFile(filepath.Join(root, "reports", "2026", "summary.txt"))
	if want := "first half, second half\n"; err != nil || string(content) != want {
		t.Errorf("the file holds %q, %v, want %q", content, err, want)
	}
}
