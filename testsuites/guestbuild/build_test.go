package guestbuild

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/internal/kit"
)

func TestAGuestIsBuiltOnceForAll(t *testing.T) {
	var group sync.WaitGroup
	var paths [4]string
	var failures [4]error
	for i := range paths {
		group.Go(func() { paths[i], failures[i] = Build(t.Context(), "nop") })
	}
	group.Wait()
	for i, err := range failures {
		if err != nil || paths[i] != paths[0] {
			t.Fatalf("want one path and no error, got %q and %q, %v", paths[0], paths[i], err)
		}
	}
	wasm, err := os.ReadFile(paths[0])
	if err != nil || !bytes.HasPrefix(wasm, []byte("\x00asm\x01\x00\x00\x00")) {
		t.Fatalf("want a wasm module at %s, got %d other bytes, %v", paths[0], len(wasm), err)
	}
	before, err := os.Stat(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(Path(t, "nop"))
	if err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Fatalf("want a fresh guest left alone, got it built again, %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(paths[0]), "nop*.new"))
	if err != nil || len(left) > 0 {
		t.Fatalf("want nothing left behind, got %q, %v", left, err)
	}
}

func TestAYoungerSourceMakesAGuestStale(t *testing.T) {
	root := t.TempDir()
	g := guest{dir: "m", sources: []string{"m", "m/go.mod"}}
	old, young := time.Now().Add(-time.Hour), time.Now()
	write := func(name string, at time.Time) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	want := func(is bool, why string) {
		t.Helper()
		got, err := fresh(root, g, filepath.Join(root, "out.wasm"))
		if err != nil || got != is {
			t.Fatalf("%s: want fresh %v, got %v, %v", why, is, got, err)
		}
	}
	write("m/go.mod", old)
	write("m/sub/a.go", old)
	want(false, "no output")
	write("out.wasm", young)
	want(true, "all sources older")
	write("m/sub/a_test.go", young.Add(time.Minute))
	want(true, "a test younger")
	write("m/sub/a.go", young.Add(time.Minute))
	want(false, "a source younger")
}

func TestAnUnknownGuestAndAGuestThatDoesNotCompileAreErrors(t *testing.T) {
	if _, err := Build(t.Context(), "none"); err == nil || !strings.Contains(err.Error(), "stateful, tinygo-memory, tinygo-webdav, tinygo-worm, webdav") {
		t.Fatalf("an unknown guest: want an error that lists those known, got %v", err)
	}
	root := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module broken\n\ngo 1.23.0\n", "main.go": "package main\n\nbroken\n"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(root, "out.wasm")
	err := compile(t.Context(), root, guest{Project: kit.Project{Language: kit.Go}, dir: "."}, out)
	if err == nil || !strings.Contains(err.Error(), "main.go:3") {
		t.Fatalf("a guest that does not compile: want the compiler's words, got %v", err)
	}
	if _, err := os.Stat(out); !os.IsNotExist(err) {
		t.Fatalf("want no output, got one, %v", err)
	}
}

func TestTheLockIsHeldAcrossProcesses(t *testing.T) {
	if path := os.Getenv("GUESTBUILD_TRY_LOCK"); path != "" {
		unlock, err := lock(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
		return
	}
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheLockIsHeldAcrossProcesses$")
	cmd.Env = append(os.Environ(), "GUESTBUILD_TRY_LOCK="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("another process: want it to wait, got it ended: %v", err)
	case <-time.After(5 * lockPoll):
	}
	unlock()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("another process after the lock was given back: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("another process waits for a lock that was given back")
	}
}
