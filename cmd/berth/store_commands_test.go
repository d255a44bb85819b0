package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vbauerster/mpb/v8"

	"github.com/berth-dev/storagedriver/internal/transfer"
)

// stored runs a store command on a root and returns what it printed.
func stored(t *testing.T, status int, root string, args ...string) string {
	t.Helper()
	c := newConsole(t, nil)
	c.wantStatus(t, status, slices.Concat([]string{"store"}, args, fromDisk(root)))
	return c.out.String() + c.errors.String()
}

func TestStoreLooksAtFiles(t *testing.T) {
	root := t.TempDir()
	onDisk(t, root, map[string]string{"/d/a": "a", "/d/e/b": "bb", "/d/e/g/c": "ccc", "/one": "1"})
	for line, want := range map[string]string{
		"ls":                                 "/d/\n/one\n",
		"ls /d":                              "/d/a\n/d/e/\n",
		"ls -r /d":                           "/d/a\n/d/e/\n/d/e/b\n/d/e/g/\n/d/e/g/c\n",
		"ls /one":                            "/one\n",
		"cat /d/e/g/c":                       "ccc",
		"cat /d/e/g/c --offset 1":            "cc",
		"cat /d/e/g/c --offset 3":            "",
		"cat /d/e/g/c --offset 1 --length 1": "c",
		"cat /d/e/g/c --length 0":            "",
		"du":                                 "BYTES  FILES  PATH\n7      4      /\n6      3      /d\n",
		"du /d --depth 2":                    "BYTES  FILES  PATH\n6      3      /d\n5      2      /d/e\n3      1      /d/e/g\n",
		"du / --depth 0":                     "BYTES  FILES  PATH\n7      4      /\n",
		"du /one":                            "BYTES  FILES  PATH\n1      1      /one\n",
	} {
		if got := stored(t, statusOK, root, strings.Fields(line)...); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	for line, status := range map[string]int{
		"ls /nothing": statusNotFound, "stat /nothing": statusNotFound, "cat /nothing": statusNotFound, "du /nothing": statusNotFound, "check /nothing": statusNotFound,
		"cat /one --offset -1": statusUsage, "cat /one --length -2": statusUsage, "du --depth -1": statusUsage, "check --parallel 0": statusUsage,
		"ls bad": statusFailure, "cat /one --offset 2": statusFailure,
	} {
		stored(t, status, root, strings.Fields(line)...)
	}
	var list struct {
		Entries  []storeEntry
		Complete bool
	}
	if err := json.Unmarshal([]byte(stored(t, statusOK, root, "ls", "-r", "-o", "json")), &list); err != nil || !list.Complete || len(list.Entries) != 7 {
		t.Fatalf("got %+v, %v", list, err)
	}
	if b := list.Entries[3]; b.Path != "/d/e/b" || b.Dir || b.Size != 2 || b.Modified == nil {
		t.Errorf("got %+v", b)
	}
	var one storeEntry
	if err := json.Unmarshal([]byte(stored(t, statusOK, root, "stat", "/d/e", "-o", "json")), &one); err != nil || !one.Dir || one.Path != "/d/e" {
		t.Errorf("got %+v, %v", one, err)
	}
	if long := stored(t, statusOK, root, "ls", "-l", "/d"); !strings.Contains(long, "             1  20") || !strings.Contains(long, "  /d/a\n") {
		t.Errorf("got %q", long)
	}
	empty := stored(t, statusOK, t.TempDir(), "ls", "-o", "json")
	if !json.Valid([]byte(empty)) || !strings.Contains(empty, `"entries": []`) {
		t.Errorf("got %q", empty)
	}
}

// TestStoreListThatFails prints what came before, and that it is not all.
func TestStoreListThatFails(t *testing.T) {
	root := t.TempDir()
	onDisk(t, root, map[string]string{"/a": "a", "/d/b": "b"})
	c := newConsole(t, nil)
	c.wantStatus(t, statusTemporary, slices.Concat([]string{"store", "ls", "-r", "-o", "json"}, fromDisk(root), []string{"--param", "layers.fault=fail before unavailable on List at /d"}))
	var list struct {
		Entries  []storeEntry
		Complete bool
	}
	if err := json.Unmarshal(c.out.Bytes(), &list); err != nil || list.Complete || len(list.Entries) != 2 {
		t.Errorf("got %+v, %v: %s", list, err, &c.out)
	}
}

func TestStoreChanges(t *testing.T) {
	root := t.TempDir()
	onDisk(t, root, map[string]string{"/d/a": "a", "/d/e/b": "bb", "/one": "1"})
	for _, step := range []struct {
		line   string
		status int
		want   string
	}{
		{"mv /one /two", statusOK, "moved /one to /two\n"},
		{"mv /one /two", statusNotFound, "/one"},
		{"rm /d", statusUsage, "/d is a directory: -r removes it"},
		{"rm -r /", statusUsage, "'berth store ls /'"},
		{"rm -r /d --dry-run", statusOK, "would remove /d, 2 files, 3 bytes\n"},
		{"rm /two --dry-run -o json", statusOK, "{\n  \"dryRun\": true,\n  \"path\": \"/two\",\n  \"dir\": false,\n  \"files\": 1,\n  \"bytes\": 1\n}\n"},
		{"ls", statusOK, "/d/\n/two\n"},
		{"rm /two", statusOK, "removed /two\n"},
		{"rm /two", statusNotFound, "/two"},
		{"mv /d/e /f -o json", statusOK, `"to": "/f"`},
		{"rm -r /d", statusOK, "removed /d\n"},
		{"ls -r", statusOK, "/f/\n/f/b\n"},
	} {
		if got := stored(t, step.status, root, strings.Fields(step.line)...); !strings.Contains(got, step.want) {
			t.Errorf("%s: got %q, want %q", step.line, got, step.want)
		}
	}
}

func TestStorePut(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(t.TempDir(), "file")
	text := strings.Repeat("0123456789", 1000)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := stored(t, statusOK, root, "put", file, "/a/f"); !strings.Contains(got, "stored /a/f, 10000 bytes, sha256:") {
		t.Errorf("got %q", got)
	}
	wantFile(t, filepath.Join(root, "a/f"), text)
	if got := stored(t, statusUsage, root, "put", file, "/a/f", "--verify", "md5"); !strings.Contains(got, "--verify must be digest, size or none") {
		t.Errorf("got %q", got)
	}
	stored(t, statusNotFound, root, "put", file+"x", "/a/f")
	stored(t, statusUsage, root, "put", filepath.Dir(file), "/a/f")
	stored(t, statusOK, root, "put", os.DevNull, "/empty")
	wantFile(t, filepath.Join(root, "empty"), "")
	if got := stored(t, statusFailure, root, "put", file, "/a/f", "--resume"); !strings.Contains(got, "/a/f is a file of 10000 bytes") {
		t.Errorf("got %q", got)
	}

	// Standard input that is interrupted, and gone on with.
	r, w := io.Pipe()
	defer w.Close()
	c := newConsole(t, nil)
	c.app.stdin = r
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for _, piece := range []string{text[:4000], text[4000:4500], text[4500:5000]} { // the last is taken once the first is stored
			_, _ = io.WriteString(w, piece)
		}
		cancel()
	}()
	args := slices.Concat([]string{"store", "put", "-", "/in"}, fromDisk(root))
	if got := c.app.execute(ctx, args); got != statusInterrupted {
		t.Fatalf("want status %d, got %d: %s", statusInterrupted, got, &c.errors)
	}
	if !strings.Contains(c.errors.String(), "--resume goes on") {
		t.Errorf("it said %q", &c.errors)
	}
	c = newConsole(t, nil)
	c.app.stdin = strings.NewReader(text)
	c.wantStatus(t, statusOK, append(args, "--resume", "-o", "json"))
	var v struct{ Bytes, Resumed int64 }
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil || v.Bytes != 10_000 || v.Resumed < 4000 || v.Resumed > 5000 {
		t.Errorf("got %+v, %v", v, err)
	}
	wantFile(t, filepath.Join(root, "in"), text)
}

func TestStoreCheck(t *testing.T) {
	root := t.TempDir()
	const blobs = "/docker/registry/v2/blobs/sha256/"
	const ofA = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	onDisk(t, root, map[string]string{blobs + "ca/" + ofA + "/data": "a", "/docker/registry/v2/repositories/r/link": "sha256:" + ofA})
	if got := stored(t, statusOK, root, "check"); got != "checked 2 files, 72 bytes\n" {
		t.Errorf("got %q", got)
	}
	bad := blobs + "cb/cb" + ofA[2:] + "/data"
	onDisk(t, root, map[string]string{bad: "torn"})
	c := newConsole(t, nil)
	c.wantStatus(t, statusIntegrity, slices.Concat([]string{"store", "check", "/docker", "-o", "json"}, fromDisk(root)), "1 file was not as promised")
	var v struct {
		transferred
		Failures []failedFile
	}
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil || v.Digests != 1 || v.Failed != 1 || len(v.Failures) != 1 || v.Failures[0].Path != bad {
		t.Errorf("got %+v, %v", v, err)
	}
	if got := stored(t, statusIntegrity, root, "check", bad); !strings.Contains(got, "failed "+bad+": corrupt: ") || !strings.Contains(got, "checked 0 files, 0 bytes, 1 failed\n") {
		t.Errorf("got %q", got)
	}
}

func TestStoreSelection(t *testing.T) {
	for line, text := range map[string]string{
		"store ls": "name a driver",
		"store ls --driver inmemory --config c.yml":                          "leave out the name",
		"store ls --driver inmemory --store x":                               "--config",
		"store orphans ls inmemory --driver inmemory":                        "two drivers",
		"store cp /a /b --driver inmemory --to-param x=1":                    "--to-driver",
		"store cp /a /b --driver inmemory --to-store x":                      "--to-config",
		"store cp /a /a --driver inmemory":                                   "/a is at or below /a",
		"store cp -r /a /a/b --driver inmemory":                              "/a/b is at or below /a",
		"store cp -r / /a --driver inmemory":                                 "/a is at or below /",
		"store cp /a /b --driver inmemory --parallel 0":                      "--parallel",
		"store cp /a /b --driver inmemory --parallel -1":                     "--parallel must not be negative",
		"store cp /a /b --driver inmemory --verify crc":                      "--verify must be digest",
		"store cp /a --driver inmemory":                                      "accepts 2 arg",
		"store mv /a --driver inmemory":                                      "accepts 2 arg",
		"store cp /a /b --driver inmemory --to-driver inmemory --to-param x": "key=value",
	} {
		t.Run(line, func(t *testing.T) {
			newConsole(t, nil).wantStatus(t, statusUsage, strings.Fields(line), text)
		})
	}
	newConsole(t, nil).wantStatus(t, statusOK, []string{"store", "orphans", "ls", "--driver", "inmemory"}, "found 0, 0 bytes")
}

// TestBars shows bars as on a terminal.
func TestBars(t *testing.T) {
	var out bytes.Buffer
	p := newTransferProgress(&app{stderr: &out}, false, "copied")
	p.start(mpb.WithAutoRefresh())
	for _, e := range []transfer.Event{
		{Stage: transfer.Found, Path: "/small", Bytes: 1 << 20},
		{Stage: transfer.Begun, Path: "/small"},
		{Stage: transfer.Found, Path: "/large", Bytes: 1 << 30},
		{Stage: transfer.Begun, Path: "/large"},
		{Stage: transfer.Read, Path: "/large", Bytes: 1 << 29},
		{Stage: transfer.Done, Path: "/small"},
	} {
		p.tell(e)
	}
	if p.done != 1 || p.found != 2 || p.passed != 1<<20+1<<29 {
		t.Errorf("got %d of %d files, %d bytes", p.done, p.found, p.passed)
	}
	if len(p.files) != 1 || p.files["/large"].bar == nil || p.files["/large"].bar.Current() != 1<<29 || p.total.Current() != p.passed {
		t.Errorf("the bars are at %d, and %d in all", p.files["/large"].bar.Current(), p.total.Current())
	}
	p.tell(transfer.Event{Stage: transfer.Read, Path: "/large", Bytes: 1 << 30}) // read twice
	p.tell(transfer.Event{Stage: transfer.Done, Path: "/large"})
	if p.passed != 1<<20+1<<30 || p.total.Current() != p.passed || len(p.files) != 0 {
		t.Errorf("%d bytes, %d shown", p.passed, p.total.Current())
	}
	p.close()
	if out.Len() > 0 && !strings.Contains(out.String(), "copied ") {
		t.Errorf("got %q", &out)
	}
	quiet := newTransferProgress(&app{stderr: &out}, true, "copied")
	quiet.tell(transfer.Event{Stage: transfer.Done, Path: "/never begun"})
	quiet.close()
}
