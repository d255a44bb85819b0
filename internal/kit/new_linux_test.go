package kit_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/berth-dev/storagedriver/internal/kit"
)

// longest is the most bytes of a path, and a zero byte.
const longest = 4096

// TestOfAProjectThatCannotBeWrittenNothingIsLeft has a folder whose name is so long that some of the files have none that the system takes.
func TestOfAProjectThatCannotBeWrittenNothingIsLeft(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "above")
	for len(dir) < longest-270 {
		dir = filepath.Join(dir, strings.Repeat("a", 200))
	}
	dir = filepath.Join(dir, strings.Repeat("b", longest-20-len(dir)))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := kit.New(dir, "mine", kit.Rust); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Fatalf("want a name that is too long, got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the project's folder is there: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) > 0 {
		t.Errorf("want an empty folder, got %v, %v", left, err)
	}
}
