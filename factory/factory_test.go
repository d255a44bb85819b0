package factory_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
)

func wasm(load func(path string, parameters map[string]any) (storagedriver.StorageDriver, error)) factory.Loader {
	return factory.Loader{Prefix: "registry-storage-", Suffix: ".wasm",
		Load: func(_ context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error) {
			return load(path, parameters)
		}}
}

func panics(f func()) (message any) {
	defer func() { message = recover() }()
	f()
	return nil
}

func TestRegisterPanicsOnMistakes(t *testing.T) {
	var r factory.Registry
	f := factory.FromOpen("x", inmemory.Open)
	r.Register("x", f)
	for what, call := range map[string]func(){
		"duplicate": func() { r.Register("x", f) },
		"nil":       func() { r.Register("y", nil) },
		"empty":     func() { r.Register("", f) },
		"path":      func() { r.Register("../y", f) },
		"long":      func() { r.Register(strings.Repeat("y", 65), f) },
		"loader":    func() { r.AddLoader(factory.Loader{}) },
	} {
		if panics(call) == nil {
			t.Errorf("%s: no panic", what)
		}
	}
	if got := r.Names(); !slices.Equal(got, []string{"x"}) {
		t.Errorf("Names: %q", got)
	}
}

func TestCreateOpensAndCompletes(t *testing.T) {
	var r factory.Registry
	r.Register("memory", factory.FromOpen("memory", inmemory.Open))
	d, err := r.Create(t.Context(), "memory", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.PutContent(t.Context(), "/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	_, err = r.Create(t.Context(), "memory", map[string]any{"nope": 1})
	var e *storagedriver.Error
	if !errors.As(err, &e) || e.Kind != storagedriver.KindInvalidArgument || e.Driver != "memory" || !strings.Contains(err.Error(), `"nope"`) {
		t.Errorf("a bad parameter: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Create(ctx, "memory", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	r.Register("nothing", nothing{})
	if d, err := r.Create(t.Context(), "nothing", nil); d != nil || err == nil {
		t.Errorf("a factory without a result: %v, %v", d, err)
	}
}

type nothing struct{}

func (nothing) Create(context.Context, map[string]any) (storagedriver.StorageDriver, error) {
	return nil, nil
}

func TestNeitherDriverNorError(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "loaded.wasm"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := factory.Registry{SearchPath: []string{folder}}
	r.Register("opened", factory.FromOpen("opened", func(context.Context, map[string]any) (storagedriver.Backend, error) { return nil, nil }))
	r.AddLoader(factory.Loader{Suffix: ".wasm", Load: func(context.Context, string, map[string]any) (storagedriver.StorageDriver, error) { return nil, nil }})
	for _, name := range []string{"opened", "loaded"} {
		if d, err := r.Create(t.Context(), name, nil); err == nil || d != nil {
			t.Errorf("%s: %v, %v; want an error", name, d, err)
		}
	}
}

func TestFind(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "registry-storage-one.wasm")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := factory.Registry{SearchPath: []string{folder}}
	r.Register("native", factory.FromOpen("native", inmemory.Open))
	r.AddLoader(wasm(func(string, map[string]any) (storagedriver.StorageDriver, error) {
		t.Error("want nothing loaded")
		return nil, nil
	}))
	if f, err := r.Find("one"); err != nil || f != (factory.File{Name: "one", Path: path}) {
		t.Errorf("want %s, got %v, %v", path, f, err)
	}
	if _, err := r.Find("two"); !errors.As(err, new(factory.InvalidStorageDriverError)) {
		t.Errorf("want an InvalidStorageDriverError, got %v", err)
	}
	if _, err := r.Find("native"); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
		t.Errorf("want what is compiled in to have no file, got %v", err)
	}
}

func TestSearchOrder(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	write := func(path string) string {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := write(filepath.Join(first, "registry-storage-both.wasm"))
	write(filepath.Join(second, "registry-storage-both.wasm"))
	one := write(filepath.Join(second, "registry-storage-one.wasm"))
	write(filepath.Join(second, "registry-storage-native.wasm"))
	write(filepath.Join(second, "one.wasm"))
	write(filepath.Join(second, "registry-storage-.wasm"))
	write(filepath.Join(second, "registry-storage-a b.wasm"))
	if err := os.Mkdir(filepath.Join(first, "registry-storage-one.wasm"), 0o755); err != nil {
		t.Fatal(err)
	}

	var loaded []string
	var r factory.Registry
	r.SearchPath = []string{"", filepath.Join(first, "missing"), one, first, second}
	r.Register("native", factory.FromOpen("native", inmemory.Open))
	r.AddLoader(wasm(func(path string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		loaded = append(loaded, path)
		return nil, storagedriver.NewError(storagedriver.KindCorrupt, "not wasm")
	}))
	for _, name := range []string{"both", "one"} {
		_, err := r.Create(t.Context(), name, nil)
		if storagedriver.KindOf(err) != storagedriver.KindCorrupt || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, want the loader's error", name, err)
		}
	}
	if !slices.Equal(loaded, []string{both, one}) {
		t.Errorf("loaded %q, want %q", loaded, []string{both, one})
	}
	if _, err := r.Create(t.Context(), "native", nil); err != nil {
		t.Errorf("a registered name does not come first: %v", err)
	}
	want := []factory.File{{Name: "both", Path: both}, {Name: "one", Path: one}}
	if got := r.Files(); !slices.Equal(got, want) {
		t.Errorf("Files: %v, want %v", got, want)
	}
}

func TestUnknownNameSaysWhatThereIs(t *testing.T) {
	var r factory.Registry
	folder := t.TempDir()
	r.SearchPath = []string{folder}
	_, err := r.Create(t.Context(), "s4", nil)
	var unknown factory.InvalidStorageDriverError
	if !errors.As(err, &unknown) || unknown.Name != "s4" || unknown.Known != nil || unknown.Searched != nil {
		t.Errorf("an empty registry: %#v", err)
	}
	r.Register("b", factory.FromOpen("b", inmemory.Open))
	r.Register("a", factory.FromOpen("a", inmemory.Open))
	r.AddLoader(wasm(nil2))
	_, err = r.Create(t.Context(), "s4", nil)
	path := filepath.Join(folder, "registry-storage-s4.wasm")
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Known, []string{"a", "b"}) || !slices.Equal(unknown.Searched, []string{path}) {
		t.Errorf("got %#v", err)
	}
	if !errors.Is(err, fs.ErrNotExist) || storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	for _, part := range []string{`"s4"`, "a, b", path, factory.SearchPathVariable} {
		if !strings.Contains(err.Error(), part) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q does not say %q in one line", err, part)
		}
	}
	for _, name := range []string{"", "../s4", "a/b", `a\b`, "a.b", "a\x00b", "a\nb", strings.Repeat("x", 65)} {
		_, err := r.Create(t.Context(), name, nil)
		if !errors.As(err, &unknown) || unknown.Searched != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("name %q: %v, want no file to be looked for", name, err)
		}
	}
}

func nil2(string, map[string]any) (storagedriver.StorageDriver, error) {
	return nil, errors.New("must not be called")
}

func TestUnreadableFileIsNotMissing(t *testing.T) {
	folder := t.TempDir()
	loop := filepath.Join(folder, "registry-storage-loop.wasm")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	var r factory.Registry
	r.SearchPath = []string{folder}
	r.AddLoader(wasm(nil2))
	_, err := r.Create(t.Context(), "loop", nil)
	if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), loop) {
		t.Errorf("got %v, want an error about %s", err, loop)
	}
}

func TestDefaultSearchPath(t *testing.T) {
	list := strings.Join([]string{"/x", "", "/y"}, string(os.PathListSeparator))
	getenv := func(name string) string {
		if name != "BERTH_DRIVER_PATH" {
			t.Errorf("asked for %s", name)
		}
		return list
	}
	got := factory.DefaultSearchPath(getenv, func() (string, error) { return "/opt/bin/berth", nil })
	if !slices.Equal(got, []string{"/x", "/y", "/opt/bin"}) {
		t.Errorf("got %q", got)
	}
	list = ""
	if got := factory.DefaultSearchPath(getenv, func() (string, error) { return "", errors.New("unknown") }); len(got) != 0 {
		t.Errorf("without anything: %q", got)
	}
}
