package guestbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/internal/kit"
)

// module is the root module's path.
const module = "github.com/berth-dev/storagedriver"

// guest says where a guest comes from; folders are relative to the root module's.
type guest struct {
	kit.Project          // without its Dir
	dir         string   // the project's
	sources     []string // folders whose files it is made of, besides the SDK's
}

// inGo is a guest in standard Go.
func inGo(dir, pkg string, sources ...string) guest {
	return guest{kit.Project{Language: kit.Go, Package: pkg}, dir, append(sources, dir+"/go.mod", "guest-sdk/go")}
}

// inTinyGo is the same guest by TinyGo.
func inTinyGo(g guest) guest {
	g.Language = kit.TinyGo
	return g
}

var guests = map[string]guest{
	"webdav":         inGo("examples/webdav", "./guest", "examples/webdav"),
	"compress":       inGo("examples/compress", "./guest", "examples/compress"),
	"seal":           inGo("examples/seal", "./guest", "examples/seal"),
	"worm":           inGo("examples/worm", "./guest", "examples/worm"),
	"go-memory":      inGo("examples/go-memory", ".", "examples/go-memory"),
	"parts":          inGo("testsuites/guests", "./parts/guest", "testsuites/guests/parts"),
	"s3":             inGo("testsuites/guests", "./s3/guest", "testsuites/guests/s3"),
	"stateful":       inGo("testsuites/guests", "./stateful", "testsuites/guests/stateful", "testsuites/guests/parts"),
	"layer":          inGo("testsuites/guests", "./layer", "testsuites/guests/layer"),
	"nop":            inGo("testsuites/guests", "./nop", "testsuites/guests/nop"),
	"tinygo-webdav":  inTinyGo(inGo("examples/webdav", "./guest", "examples/webdav")),
	"tinygo-worm":    inTinyGo(inGo("examples/worm", "./guest", "examples/worm")),
	"tinygo-memory":  inTinyGo(inGo("examples/go-memory", ".", "examples/go-memory")),
	"rust-memory":    {kit.Project{Language: kit.Rust}, "examples/memory", []string{"examples/memory", "guest-sdk/rust"}},
	"rust-s3":        {kit.Project{Language: kit.Rust}, "examples/rust-s3", []string{"examples/rust-s3", "guest-sdk/rust"}},
	"rust-exercise":  {kit.Project{Language: kit.Rust}, "testsuites/guests/rust-exercise", []string{"testsuites/guests/rust-exercise", "guest-sdk/rust"}},
	"rust-transform": {kit.Project{Language: kit.Rust}, "testsuites/guests/rust-transform", []string{"testsuites/guests/rust-transform", "guest-sdk/rust"}},
	"c-memory":       {kit.Project{Language: kit.C, Include: []string{"../../guest-sdk/c"}}, "examples/c-memory", []string{"examples/c-memory", "guest-sdk/c"}},
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
	for _, dir := range g.sources {
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
		if d.IsDir() && d.Name() == "target" {
			return fs.SkipDir // cargo's
		}
		if d.IsDir() || !isSource(d.Name()) {
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

func isSource(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".rs", ".c", ".h", ".toml", ".mod", ".sum", ".lock":
		return !strings.HasSuffix(name, "_test.go")
	}
	return false
}

func compile(ctx context.Context, root string, g guest, out string) error {
	p := g.Project
	p.Name, p.Dir = strings.TrimSuffix(filepath.Base(out), ".wasm"), filepath.Join(root, g.dir)
	var output bytes.Buffer
	if err := p.Build(ctx, out, &output); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("guestbuild: %w\n%s", err, output.Bytes())
	}
	return nil
}
