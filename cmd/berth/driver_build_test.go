package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/internal/kit"
)

// newProject makes a project and returns its folder.
func newProject(t *testing.T, name string, l kit.Language) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "new", name, "--dir", dir, "--lang", string(l)})
	return dir
}

// TestADebugBuildIsAFileOfItsOwn builds in Go, whose modules have no debug information: they are traced as without.
func TestADebugBuildIsAFileOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := newProject(t, "mine", kit.Go)
	debug, release := filepath.Join(dir, "mine.debug.wasm"), filepath.Join(dir, "registry-storage-mine.wasm")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "build", dir, "--debug"}, debug+": mine ")
	if _, err := os.Stat(release); !os.IsNotExist(err) {
		t.Errorf("want no %s of a debug build, got %v", release, err)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "trace", dir, "--", "put", "/a", "1000"}, ` into 1000 bytes: 1000  (`)
	if strings.Contains(c.out.String(), "  at ") {
		t.Errorf("want no lines of a module that has none, got %s", &c.out)
	}
	other := filepath.Join(t.TempDir(), "other.wasm")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "build", dir, "--debug", "--out", other}, other+": mine ")

	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "build", dir}, release+": mine ")
	if err := os.WriteFile(debug, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		built  time.Time
		status int
		text   string
	}{
		{time.Now().Add(-time.Hour), statusOK, "stat: a directory"},
		{time.Now().Add(time.Hour), statusUsage, "mine.debug.wasm: "},
	} {
		if err := os.Chtimes(debug, c.built, c.built); err != nil {
			t.Fatal(err)
		}
		newConsole(t, nil).wantStatus(t, c.status, []string{"driver", "trace", dir, "--", "stat", "/"}, c.text)
	}
}
