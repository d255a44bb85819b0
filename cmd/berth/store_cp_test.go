package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
)

// onDisk is the filesystem driver at a root, which has the files.
func onDisk(t *testing.T, root string, files map[string]string) storagedriver.StorageDriver {
	t.Helper()
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b)
	t.Cleanup(func() { d.Close() })
	for path, text := range files {
		if err := d.PutContent(t.Context(), path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func fromDisk(root string) []string {
	return []string{"--driver", "filesystem", "--param", "rootdirectory=" + root, "--param", "fsync=off"}
}

func toDisk(root string) []string {
	return []string{"--to-driver", "filesystem", "--to-param", "rootdirectory=" + root, "--to-param", "fsync=off"}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: %d bytes, %v; want %d", path, len(got), err, len(want))
	}
}

// copied runs store cp, which is to end with a status, and returns what it printed as JSON.
func copied(t *testing.T, status int, args ...string) (v struct {
	transferred
	Failures []failedFile
}) {
	t.Helper()
	c := newConsole(t, nil)
	c.wantStatus(t, status, slices.Concat([]string{"store", "cp", "-o", "json"}, args))
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, &c.out)
	}
	return v
}

func TestStoreCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	large := strings.Repeat("0123456789", 20_000)
	onDisk(t, from, map[string]string{"/d/a": "a", "/d/e/b": large, "/one": "1"})
	v := copied(t, statusOK, slices.Concat([]string{"-r", "/d", "/x/y"}, fromDisk(from), toDisk(to))...)
	if v.transferred != (transferred{Complete: true, Files: 2, Bytes: 200_001, Written: 200_001, Digests: 2}) || len(v.Failures) > 0 {
		t.Errorf("got %+v", v)
	}
	wantFile(t, filepath.Join(to, "x/y/a"), "a")
	wantFile(t, filepath.Join(to, "x/y/e/b"), large)
	if v := copied(t, statusOK, slices.Concat([]string{"-r", "/d", "/x/y"}, fromDisk(from), toDisk(to))...); v.Skipped != 2 || v.Written != 0 {
		t.Errorf("again: got %+v", v)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, slices.Concat([]string{"store", "cp", "/d/e/b", "/copy"}, fromDisk(from)), "copied 1 files, 200000 bytes\n")
	wantFile(t, filepath.Join(from, "copy"), large)
	c = newConsole(t, nil)
	c.wantStatus(t, statusUsage, slices.Concat([]string{"store", "cp", "/d", "/x"}, fromDisk(from)), "/d is a directory: -r")
	newConsole(t, nil).wantStatus(t, statusNotFound, slices.Concat([]string{"store", "cp", "/nothing", "/x"}, fromDisk(from)), "/nothing")
	newConsole(t, nil).wantStatus(t, statusOK, slices.Concat([]string{"store", "cp", "-r", "/d", "/x", "--to-driver", "inmemory"}, fromDisk(from)), "copied 2 files, 200001 bytes")
}

func TestStoreCopyOfFailures(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	onDisk(t, from, map[string]string{"/a": "a", "/b": "b", "/c": "c"})
	spoilt := append(toDisk(to), "--to-param", "layers.fault=corrupt source 0 on Put at /b; fail before unavailable temporary on Put at /c")
	v := copied(t, statusIntegrity, slices.Concat([]string{"-r", "/", "/"}, fromDisk(from), spoilt)...)
	slices.SortFunc(v.Failures, func(a, b failedFile) int { return strings.Compare(a.Path, b.Path) })
	if v.Complete || v.Files != 3 || v.Failed != 2 || len(v.Failures) != 2 || v.Failures[0].Path != "/b" || v.Failures[0].Kind != "corrupt" || v.Failures[1].Kind != "unavailable" {
		t.Errorf("got %+v", v)
	}
	wantFile(t, filepath.Join(to, "a"), "a")
	wantFile(t, filepath.Join(to, "b"), "c") // the lowest bit is another
	c := newConsole(t, nil)
	c.wantStatus(t, statusTemporary, slices.Concat([]string{"store", "cp", "-r", "/", "/"}, fromDisk(from), toDisk(to), []string{"--to-param", "layers.fault=fail before unavailable temporary on Put at /c"}),
		"1 file was not copied", "failed /c: ", "copied 1 files, 2 bytes, 1 were there already, 1 failed\n")
	wantFile(t, filepath.Join(to, "b"), "b")
	// Without looking, nobody knows.
	if v := copied(t, statusOK, slices.Concat([]string{"/a", "/z", "--verify", "size"}, fromDisk(from), append(toDisk(to), "--to-param", "layers.fault=corrupt source 0 on Put"))...); v.Files != 1 {
		t.Errorf("got %+v", v)
	}
}

// interruptedCopy starts the command in a process of its own, whose source hangs at /tree/10, waits until what comes before is there, and
// sends the signal. It returns the exit status.
func interruptedCopy(t *testing.T, args []string, to string, signal os.Signal) int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	args = append(args, "--param", "layers.fault=hang before on Read at /tree/10")
	cmd.Env = append(os.Environ(), argumentsVariable+"="+strings.Join(args, "\n"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		text, _ := os.ReadFile(filepath.Join(to, "journal"))
		if bytes.Count(text, []byte("\n")) >= 10 {
			break
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			_ = cmd.Wait()
			t.Fatalf("it never came that far: %s", &out)
		}
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if signal == os.Interrupt && !strings.Contains(out.String(), "goes on where it was") {
		t.Errorf("it said %q", &out)
	}
	return cmd.ProcessState.ExitCode()
}

func TestStoreCopyOfAKilledProcessGoesOn(t *testing.T) {
	for signal, status := range map[os.Signal]int{syscall.SIGKILL: -1, os.Interrupt: statusInterrupted} {
		t.Run(signal.String(), func(t *testing.T) {
			from, to := t.TempDir(), t.TempDir()
			files := map[string]string{}
			for i := range 20 {
				files[fmt.Sprintf("/tree/%02d", i)] = strings.Repeat(fmt.Sprint(i), 50_000)
			}
			onDisk(t, from, files)
			args := slices.Concat([]string{"-r", "/tree", "/copy", "--parallel", "1", "--journal", filepath.Join(to, "journal")}, fromDisk(from), toDisk(to))
			if got := interruptedCopy(t, append([]string{"store", "cp"}, args...), to, signal); got != status {
				t.Errorf("want status %d, got %d", status, got)
			}
			if v := copied(t, statusOK, args...); v.Files != 20 || v.Skipped != 10 || !v.Complete {
				t.Errorf("got %+v", v)
			}
			for path, text := range files {
				wantFile(t, filepath.Join(to, "copy", filepath.Base(path)), text)
			}
		})
	}
}

// TestStoreOfAGuest copies into a driver in a .wasm file and looks at it.
func TestStoreOfAGuest(t *testing.T) {
	served, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := served.close(); err != nil {
			t.Error(err)
		}
	}()
	from := t.TempDir()
	large := strings.Repeat("0123456789", 100_000)
	onDisk(t, from, map[string]string{"/d/a": "a", "/d/b": large})
	guest := []string{"driver", webdavWasm(t), "param", "endpoint=" + served.origin, "allow", served.origin}
	flags := func(prefix string) (out []string) {
		for i := 0; i < len(guest); i += 2 {
			out = append(out, "--"+prefix+guest[i], guest[i+1])
		}
		return out
	}
	if v := copied(t, statusOK, slices.Concat([]string{"-r", "/", "/"}, fromDisk(from), flags("to-"))...); v.Files != 2 || v.Written != 1_000_001 {
		t.Errorf("got %+v", v)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, append([]string{"store", "cat", "/d/b", "--offset", "5", "--length", "10"}, flags("")...))
	if got := c.out.String(); got != "5678901234" {
		t.Errorf("cat: got %q", got)
	}
	newConsole(t, nil).wantStatus(t, statusOK, append([]string{"store", "du"}, flags("")...), "1000001  2      /\n", "/d\n")

	// The same as the storage of a configuration, and as a store of one.
	root := t.TempDir()
	onDisk(t, root, map[string]string{"/below": "below"})
	config := writeConfig(t, fmt.Sprintf("version: 0.1\nstorage:\n  wasm:\n    module: %s\n    parameters: {endpoint: %s}\n    allow: [%s]\n    stores:\n      cold: {filesystem: {rootdirectory: %s}}\n",
		webdavWasm(t), served.origin, served.origin, root))
	newConsole(t, nil).wantStatus(t, statusOK, []string{"store", "ls", "/d", "--config", config}, "/d/a\n/d/b\n")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"store", "ls", "--config", config, "--store", "cold"}, "/below\n")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"store", "ls", "--config", config, "--store", "warm"}, `there is no store "warm": there are cold`)
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"store", "ls", "--config", config, "--store", "cold.deep"}, `there is no store "cold.deep": there are none`)
	v := copied(t, statusOK, "-r", "/d", "/e", "--config", config, "--to-config", config, "--to-store", "cold")
	if v.Files != 2 {
		t.Errorf("got %+v", v)
	}
	wantFile(t, filepath.Join(root, "e/b"), large)
}
