package guestbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// module is the root module's path.
const module = "github.com/berth-dev/storagedriver"

// guest says where a guest comes from; folders are relative to the root module's.
type guest struct {
	dir     string   // of its Go module
	pkg     string   // its main package, relative to dir
	sources []string // folders whose files it is made of
}

var guests = map[string]guest{
	"webdav":   {dir: "examples/webdav", pkg: "./guest", sources: []string{"examples/webdav", "guest-sdk/go"}},
	"parts":    {dir: "testsuites/guests", pkg: "./parts/guest", sources: []string{"testsuites/guests/parts", "guest-sdk/go"}},
	"stateful": {dir: "testsuites/guests", pkg: "./stateful", sources: []string{"testsuites/guests/stateful", "testsuites/guests/parts", "guest-sdk/go"}},
	"nop":      {dir: "testsuites/guests", pkg: "./nop", sources: []string{"testsuites/guests/nop", "guest-sdk/go"}},
}

// Path returns the path of the guest's .wasm file, built if need be, or ends the test.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	path, err := Build(tb.Context(), name)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// Build compiles the guest unless build/guests/NAME.wasm is younger than its sources, and returns that
// file's path. It may be called concurrently, by several processes too: one compiles, the others wait,
// and the file is replaced in one step. When ctx ends it returns ctx's error.
func Build(ctx context.Context, name string) (string, error) {
	g, ok := guests[name]
	if !ok {
		return "", fmt.Errorf("guestbuild: there is no guest %q; there are: %s", name, strings.Join(slices.Sorted(maps.Keys(guests)), ", "))
	}
	root, err := root()
	if err != nil {
		return "", err
	}
	out := filepath.Join(root, "build", "guests", name+".wasm")
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(ctx, out+".lock")
	if err != nil {
		return "", fmt.Errorf("guestbuild: wait for another build of %s: %w", name, err)
	}
	defer unlock()
	fresh, err := fresh(root, g, out)
	if err != nil || fresh {
		return out, err
	}
	return out, compile(ctx, root, g, out)
}

// root returns the folder of the root module, which is above the working directory: a test's is that of
// its package.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for start := dir; ; {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if first, _, _ := strings.Cut(string(text), "\n"); err == nil && strings.TrimSpace(first) == "module "+module {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", fmt.Errorf("guestbuild: no folder above %s is that of module %s, which has the guests' sources", start, module)
		}
		dir = up
	}
}

// fresh reports whether out is younger than all that it is made of.
func fresh(root string, g guest, out string) (bool, error) {
	built, err := os.Stat(out)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, dir := range append([]string{filepath.Join(g.dir, "go.mod")}, g.sources...) {
		changed, err := youngest(filepath.Join(root, dir))
		if err != nil {
			return false, err
		}
		if !changed.Before(built.ModTime()) {
			return false, nil
		}
	}
	return true, nil
}

// youngest returns when the last of the sources at or below dir was changed.
func youngest(dir string) (time.Time, error) {
	var last time.Time
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		source := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") || d.Name() == "go.mod"
		if d.IsDir() || !source {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(last) {
			last = info.ModTime()
		}
		return nil
	})
	return last, err
}

func compile(ctx context.Context, root string, g guest, out string) error {
	partial, err := os.CreateTemp(filepath.Dir(out), filepath.Base(out)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(partial.Name())
	if err := partial.Close(); err != nil {
		return err
	}
	// The flags are the Makefile's.
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", partial.Name(), g.pkg)
	cmd.Dir = filepath.Join(root, g.dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("guestbuild: compile %s in %s: %w\n%s", g.pkg, g.dir, err, output.Bytes())
	}
	if err := os.Chmod(partial.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(partial.Name(), out)
}
