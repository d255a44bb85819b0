package trace

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hung is a file on a disk that takes nothing until it is let go.
type hung struct {
	letGo  chan struct{}
	closed chan struct{}
}

func (h hung) Write(p []byte) (int, error) { <-h.letGo; return 0, fs.ErrClosed }

func (h hung) Close() error { close(h.closed); return nil }

// TestCloseDoesNotWaitForAHungDisk for longer than its grace, and says so once, whatever the disk does later.
func TestCloseDoesNotWaitForAHungDisk(t *testing.T) {
	var log bytes.Buffer
	file := hung{make(chan struct{}), make(chan struct{})}
	r := New(file, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if r.grace <= 0 || r.grace > 10*time.Second {
		t.Errorf("Close waits for %v, want some seconds", r.grace)
	}
	r.grace = time.Millisecond
	for range 2 {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r.Recording() {
		t.Error("it still records")
	}
	close(file.letGo)
	<-file.closed
	<-r.done
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "the trace may lack its end") || !strings.Contains(text, "the disk has not taken it within 1ms") {
		t.Errorf("logged: %q", text)
	}
}

// TestATraceIsItsOwnersAlone, also where it replaces a file that others may read.
func TestATraceIsItsOwnersAlone(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{"new": 0, "private": 0o600, "public": 0o644} {
		path := filepath.Join(t.TempDir(), name)
		if mode != 0 {
			if err := os.WriteFile(path, []byte("old"), mode); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Create(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, want 0600", name, info.Mode().Perm())
		}
	}
}
