package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// The few bytes that a .wasm file is made of here.
var preamble = []byte("\x00asm\x01\x00\x00\x00")

func section(id byte, content ...[]byte) []byte {
	body := slices.Concat(content...)
	return slices.Concat([]byte{id, byte(len(body))}, body)
}

func text(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// guest has every export of a driver; its abi() returns version, its dispatch() nothing good.
func guest(version []byte, imports []byte) []byte {
	offset := byte(0)
	if imports != nil {
		offset = 1
	}
	code := func(body ...byte) []byte { return append([]byte{byte(len(body) + 2), 0}, append(body, 0x0b)...) }
	types := section(1, []byte{4,
		0x60, 0, 1, 0x7f, // () -> i32
		0x60, 1, 0x7f, 1, 0x7f, // (i32) -> i32
		0x60, 2, 0x7f, 0x7f, 0, // (i32, i32) -> ()
		0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7e}) // (i32, i32, i32) -> i64
	exports := section(7, []byte{5},
		text("memory"), []byte{2, 0},
		text("abi"), []byte{0, offset}, text("alloc"), []byte{0, offset + 1},
		text("free"), []byte{0, offset + 2}, text("dispatch"), []byte{0, offset + 3})
	bodies := section(10, []byte{4}, code(append([]byte{0x41}, version...)...), code(0x41, 0x80, 0x08), code(), code(0x42, 0x00))
	return slices.Concat(preamble, types, imports, section(3, []byte{4, 0, 1, 2, 3}), section(5, []byte{1, 0, 1}), exports, bodies)
}

// The versions, as signed LEB128.
var (
	current    = []byte{0x80, 0x80, 0x04} // 1.0
	newerMinor = []byte{0x81, 0x80, 0x04} // 1.1
	otherMajor = []byte{0x80, 0x80, 0x08} // 2.0
)

func TestBadModulesAreOneLine(t *testing.T) {
	unknown := section(2, []byte{1}, text("env"), text("system"), []byte{0, 0})
	for name, c := range map[string]struct {
		module []byte
		status int
		texts  []string
	}{
		"not wasm":       {[]byte("#!/bin/sh\necho no\n"), statusUsage, []string{"not a WebAssembly module"}},
		"empty file":     {nil, statusUsage, []string{"not a WebAssembly module"}},
		"no exports":     {preamble, statusUsage, []string{"export", "SDK"}},
		"cut off":        {guest(current, nil)[:40], statusUsage, nil},
		"unknown import": {guest(current, unknown), statusUsage, []string{`"env.system"`}},
		"newer minor":    {guest(newerMinor, nil), statusUsage, []string{"1.1", "1.0"}},
		"other major":    {guest(otherMajor, nil), statusUsage, []string{"2.0", "1.0"}},
		"no manifest":    {guest(current, nil), statusFailure, []string{"driver.wasm"}},
	} {
		for _, command := range []string{"inspect", "test"} {
			t.Run(name+"/"+command, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "driver.wasm")
				if err := os.WriteFile(path, c.module, 0o600); err != nil {
					t.Fatal(err)
				}
				newConsole(t, nil).wantStatus(t, c.status, []string{"driver", command, path}, append(c.texts, path)...)
			})
		}
	}
}

func webdavWasm(t *testing.T) string {
	t.Helper()
	return guestbuild.Path(t, webdavDriver)
}

func TestInspectShowsWhatADriverAsksFor(t *testing.T) {
	// The guest is built beside this command, for the same version.
	version, next := fmt.Sprintf("%d.%d", abi.Major, abi.Minor), fmt.Sprintf("%d.0", abi.Major+1)
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "inspect", webdavWasm(t)},
		"webdav", "sha256", "guest ABI", version+": runs on hosts of "+version+" and later, before "+next, "host ABI", "asks to reach", "memory", "wasi_snapshot_preview1.", "berth.call", "dispatch")
	c.out.Reset()
	c.wantStatus(t, statusOK, []string{"driver", "inspect", webdavWasm(t), "-o", "json"}, `"manifest"`, `"sha256"`, `"imports"`)
	var v struct {
		ABI      string
		GuestABI struct{ Built, HostsFrom, HostsBefore string }
	}
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if g := v.GuestABI; v.ABI != version || g.Built != version || g.HostsFrom != version || g.HostsBefore != next {
		t.Errorf("want the guest's ABI beside the host's, both %s, got %+v", version, v)
	}
}

func TestBadParametersAndOriginsAreOneLine(t *testing.T) {
	path := webdavWasm(t)
	for line, c := range map[string]struct {
		status int
		texts  []string
	}{
		"": {statusUsage, []string{"endpoint"}},
		"--param nonsense=1 --param endpoint=http://127.0.0.1:1/":         {statusUsage, []string{"nonsense"}},
		"--param endpoint=http://127.0.0.1:1/":                            {statusDenied, []string{"http://127.0.0.1:1", "--allow"}},
		"--param endpoint=http://127.0.0.1:1/ --allow http://127.0.0.1:1": {statusTemporary, []string{"127.0.0.1:1"}},
		"--param endpoint=http://127.0.0.1:1/ --allow 127.0.0.1:1":        {statusUsage, []string{"origin"}},
	} {
		t.Run(line, func(t *testing.T) {
			args := append([]string{"driver", "test", path}, strings.Fields(line)...)
			newConsole(t, nil).wantStatus(t, c.status, args, c.texts...)
		})
	}
}

func TestDriverFailingToOpenPrintsNoReport(t *testing.T) {
	c := newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"driver", "test", "filesystem", "--param", "rootdirectory=", "-o", "json"}, "rootdirectory")
	if !bytes.Equal(c.out.Bytes(), nil) {
		t.Fatalf("want nothing on standard output, got %s", &c.out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
