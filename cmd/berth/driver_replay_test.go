package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/webdav"

	"github.com/berth-dev/storagedriver/runtime"
)

// forgetfulDAV is a WebDAV server that says it deletes and does not, when told to.
func forgetfulDAV(t *testing.T, keeps bool) *httptest.Server {
	t.Helper()
	handler := &webdav.Handler{Prefix: "/dav", FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if keeps && r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func testArgs(t *testing.T, s *httptest.Server, more ...string) []string {
	t.Helper()
	return append([]string{"driver", "test", webdavWasm(t), "--param", "endpoint=" + s.URL + "/dav/t", "--allow", s.URL}, more...)
}

func TestAFailedCaseIsShownWithItsHostCalls(t *testing.T) {
	s := forgetfulDAV(t, true)
	c := newConsole(t, nil)
	c.wantStatus(t, statusConformance, testArgs(t, s, "--run", "delete/file"), "fail  delete/", "\n      [", "http DELETE "+s.URL, ": 204 ", "delete {", "answers {}")
	c = newConsole(t, nil)
	c.wantStatus(t, statusConformance, testArgs(t, s, "--run", "delete/file,driver/name", "-o", "json"))
	var r report
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Cases {
		told := strings.Join(c.Transcript, "\n")
		if failed := c.Status == "fail"; failed != strings.Contains(told, "http DELETE") || failed != (told != "") || len(c.Transcript) > transcriptLines+1 {
			t.Errorf("%s, %s: transcript %q", c.ID, c.Status, told)
		}
	}
}

func TestASuiteThatWasRecordedReplays(t *testing.T) {
	s := forgetfulDAV(t, false)
	path := filepath.Join(t.TempDir(), "suite.trace")
	newConsole(t, nil).wantStatus(t, statusOK, testArgs(t, s, "--record", path, "--run", "delete/[^m]*,list/[^m]*,*/missing,write/commit-*"), " 0 failed")
	s.Close() // nothing is reached
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "replay", webdavWasm(t), path}, "replayed ", "happened again: 0, error replies: ")
	c.out.Reset()
	c.wantStatus(t, statusOK, []string{"driver", "replay", webdavWasm(t), path, "-o", "json"})
	var r runtime.ReplayResult
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil || r.Calls < 50 || r.HostCalls < 500 || r.Difference != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the trace has mode %v, %v, want one that its owner alone may read", info.Mode(), err)
	}
}

// TestRecordingReplacesNoFileThatIsRead, whatever path leads there.
func TestRecordingReplacesNoFileThatIsRead(t *testing.T) {
	s := forgetfulDAV(t, false)
	config := writeConfig(t, "allow: ['"+s.URL+"']\nparameters: {endpoint: '"+s.URL+"/dav/t'}\n")
	module := filepath.Join(t.TempDir(), "webdav.wasm")
	wasm, err := os.ReadFile(webdavWasm(t))
	if err == nil {
		err = os.WriteFile(module, wasm, 0o600)
	}
	other := module + ".trace"
	if err == nil {
		err = os.Symlink(module, other)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{module, other, config} {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "test", module, "--config", config, "--run", "driver/name", "--record", file},
			"--record "+file+" would replace", "name another file")
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
			t.Fatalf("%s was replaced: %v", file, err)
		}
	}
}

func TestReplayRefusesWhatItCannotReplay(t *testing.T) {
	dir := t.TempDir()
	path, other, noTrace := filepath.Join(dir, "a.trace"), filepath.Join(dir, "other.wasm"), filepath.Join(dir, "no.trace")
	s := forgetfulDAV(t, false)
	newConsole(t, nil).wantStatus(t, statusOK, testArgs(t, s, "--record", path, "--run", "driver/name"))
	wasm, err := os.ReadFile(webdavWasm(t))
	if err != nil {
		t.Fatal(err)
	}
	// A custom section at the end: the same code, and another digest.
	for file, b := range map[string][]byte{other: append(wasm, section(0, text("x"))...), noTrace: []byte("no trace\n")} {
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		status int
		args   []string
		texts  []string
	}{
		{statusUsage, []string{other, path}, []string{"sha256", other}},
		{statusOK, []string{other, path, "--force"}, []string{"replayed "}},
		{statusUsage, []string{other, noTrace}, []string{"it is no trace", noTrace}},
		{statusNotFound, []string{other, path, "--force", "--instance", "4711"}, []string{"no instance 4711"}},
		{statusNotFound, []string{other, path + ".none"}, []string{path + ".none"}},
		{statusNotFound, []string{other + ".none.wasm", path}, []string{"no such file"}},
		{statusUsage, []string{"inmemory", path}, []string{"compiled in"}},
	} {
		newConsole(t, nil).wantStatus(t, c.status, append([]string{"driver", "replay"}, c.args...), c.texts...)
	}
	for line, text := range map[string]string{
		"driver test inmemory --record x": "inmemory is none",
		"driver test " + webdavWasm(t) + " --param endpoint=http://127.0.0.1:1 --record x --record-max 5": "--record-max",
	} {
		newConsole(t, nil).wantStatus(t, statusUsage, strings.Fields(line), text)
	}
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: "+dir+"\nhttp:\n  addr: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, text := range map[string]string{"": "filesystem is none", " --record-sample -1": "--record-sample -1", " --record-sample 0": "--record-sample 0: it is one of how many instances to record, 1 or more", " --record-max 1": "--record-max 1"} {
		newConsole(t, nil).wantStatus(t, statusUsage, strings.Fields("serve "+config+" --record x"+line), text)
	}
}

func TestServingIsRecorded(t *testing.T) {
	logged(t)
	dav := forgetfulDAV(t, false)
	dir := t.TempDir()
	path, tracePath := filepath.Join(dir, "config.yml"), filepath.Join(dir, "serve.trace")
	config := fmt.Sprintf("version: 0.1\nlog:\n  accesslog:\n    disabled: true\nstorage:\n  wasm:\n    module: %s\n    allow: [%s]\n    parameters:\n      endpoint: %s/dav/r\n      username: registry\n      password: sesame-4711-open\n"+
		"http:\n  addr: 127.0.0.1:0\n", webdavWasm(t), dav.URL, dav.URL)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{tracePath, tracePath + ".1"} { // the second leaves the first's alone
		s := serve(t, path, "--record", tracePath)
		client{t, s.url}.push([]byte("a layer for " + file))
		s.end()
		c := newConsole(t, nil)
		c.wantStatus(t, statusOK, []string{"driver", "replay", webdavWasm(t), file, "-o", "json"})
		var r runtime.ReplayResult
		if err := json.Unmarshal(c.out.Bytes(), &r); err != nil || r.Calls < 10 || r.Difference != nil || len(r.Notes) > 0 {
			t.Errorf("%s: %+v, %v", file, r, err)
		}
		lines := unpacked(t, file)
		for _, form := range []string{"sesame-4711", base64.StdEncoding.EncodeToString([]byte("registry:sesame-4711-open"))[12:36]} {
			if bytes.Contains(lines, []byte(form)) {
				t.Errorf("%s holds the password: %q", file, form)
			}
		}
	}
}

func TestADifferenceIsShownWithBothSides(t *testing.T) {
	s := forgetfulDAV(t, false)
	path := filepath.Join(t.TempDir(), "a.trace")
	newConsole(t, nil).wantStatus(t, statusOK, testArgs(t, s, "--record", path, "--run", "stat/file"))
	editTrace(t, path, `"func":"berth.call","args":[0,`, `"func":"berth.call","args":[1,`)
	newConsole(t, nil).wantStatus(t, statusIntegrity, []string{"driver", "replay", webdavWasm(t), path}, "the replay differs from the trace: line ", "recorded: http_begin ", "replayed: http ")
}

// editTrace replaces the first old in a trace.
func editTrace(t *testing.T, path, old, new string) {
	t.Helper()
	lines := unpacked(t, path)
	if !bytes.Contains(lines, []byte(old)) {
		t.Fatalf("%q is not in the trace", old)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(bytes.Replace(lines, []byte(old), []byte(new), 1))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
