package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// builds makes the executables that the tests use, once. They are no test binaries: under the race detector those want more memory
// than a driver is given.
var builds = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(compiled, "executables") + string(filepath.Separator)
	out, err := exec.Command("go", "build", "-o", folder,
		"../../drivers/filesystem/registry-storage-filesystem", "./testdata/registry-storage-talkative").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return folder, nil
})

// executable returns the path of registry-storage-NAME: filesystem, or talkative.
func executable(t *testing.T, name string) string {
	t.Helper()
	folder, err := builds()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, filePrefix+name)
}

// searchPath returns an environment whose search path is a new folder with the executables, by the name that each gets.
func searchPath(t *testing.T, executables map[string]string) (folder string, env map[string]string) {
	t.Helper()
	folder = t.TempDir()
	for name, path := range executables {
		if err := os.Symlink(path, filepath.Join(folder, filePrefix+name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder, map[string]string{factory.SearchPathVariable: folder}
}

// writeFile writes a file of a mode into folder and returns its path.
func writeFile(t *testing.T, folder, name, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantFailure is wantStatus of a driver that may have written to the log before: the one line of the error is the last.
func (c *console) wantFailure(t *testing.T, status int, args []string, texts ...string) {
	t.Helper()
	got := c.app.execute(t.Context(), args)
	lines := strings.Split(strings.TrimSuffix(c.errors.String(), "\n"), "\n")
	last := lines[len(lines)-1]
	if got != status || !strings.HasPrefix(last, "berth: ") || c.out.Len() > 0 {
		t.Fatalf("berth %s: want status %d and one line that begins with berth:, got %d: %s%s", strings.Join(args, " "), status, got, &c.out, &c.errors)
	}
	for _, line := range lines[:len(lines)-1] {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("berth %s: want what comes before the error to be the driver's log, got %q", strings.Join(args, " "), line)
		}
	}
	for _, text := range texts {
		if !strings.Contains(last, text) {
			t.Errorf("berth %s: want %q, got %q", strings.Join(args, " "), text, last)
		}
	}
}

func TestExecutablesAreListed(t *testing.T) {
	folder, env := searchPath(t, map[string]string{
		"disk": executable(t, "filesystem"), "both": executable(t, "filesystem"), "filesystem": executable(t, "filesystem"),
	})
	plain := writeFile(t, folder, filePrefix+"plain", "#!/bin/sh\n", 0o600)
	writeFile(t, folder, filePrefix+"both"+wasmSuffix, "", 0o600)
	writeFile(t, folder, filePrefix+"notes.txt", "", 0o700)
	if err := os.Mkdir(filepath.Join(folder, filePrefix+"folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, env)
	c.wantStatus(t, statusOK, []string{"driver", "ls", "-o", "json"})
	var v struct{ Drivers []listedDriver }
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	advice := "it is not executable: chmod +x " + plain
	want := []listedDriver{
		{Name: "filesystem", Kind: "native"}, {Name: "inmemory", Kind: "native"}, {Name: "ipc", Kind: "loader"},
		{Name: "migrate", Kind: "native"}, {Name: "s3", Kind: "native"}, {Name: "s3aws", Kind: "native"}, {Name: "wasm", Kind: "loader"},
		{Name: "both", Kind: "wasm", Path: filepath.Join(folder, filePrefix+"both"+wasmSuffix)},
		{Name: "disk", Kind: "executable", Path: filepath.Join(folder, filePrefix+"disk")},
		{Name: "plain", Kind: "executable", Path: plain, Problem: advice},
	}
	if !slices.Equal(v.Drivers, want) {
		t.Errorf("got  %+v\nwant %+v", v.Drivers, want)
	}
	newConsole(t, env).wantStatus(t, statusOK, []string{"driver", "ls"}, "disk        executable  "+filepath.Join(folder, filePrefix+"disk")+"\n", plain+"  "+advice+"\n")

	// The file is found and refused, by whoever opens it.
	for _, name := range []string{"plain", plain} {
		for _, command := range []string{"inspect", "test"} {
			newConsole(t, env).wantStatus(t, statusUsage, []string{"driver", command, name}, advice)
		}
	}
	_, err := newConsole(t, env).app.compose().Create(t.Context(), "plain", nil)
	if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.HasPrefix(fmt.Sprint(err), "plain: Open: ") || !strings.HasSuffix(fmt.Sprint(err), advice) {
		t.Errorf("Create: want %q, got %v", advice, err)
	}
}

func TestInspectShowsAnExecutable(t *testing.T) {
	path := executable(t, "talkative")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	digest, version := hex.EncodeToString(sum[:]), string(storagedriver.CurrentVersion)
	next := fmt.Sprintf("%d.0", storagedriver.CurrentVersion.Major()+1)
	confined := map[bool][]string{
		true:  {"no new privileges, no core dumps", "at most 2048.0 MiB of private memory", "at most 4096"},
		false: {"no: there are limits on Linux only"},
	}[runtime.GOOS == "linux"]
	_, env := searchPath(t, map[string]string{"chatty": path})
	for _, name := range []string{path, "chatty"} {
		c := newConsole(t, env)
		c.wantStatus(t, statusOK, []string{"driver", "inspect", name}, append(confined, "talkative", digest, "driver protocol",
			version+": runs on hosts of "+version+" and later, before "+next, "host protocol", "idempotent", "this is no sandbox", `"pin":{"type":["string"],"writeOnly":true}`)...)
		if c.errors.Len() > 0 {
			t.Errorf("want nothing on standard error, got %s", &c.errors)
		}
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"driver", "inspect", path, "-o", "json"})
	var v executableInspection
	if err := json.Unmarshal(c.out.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if v.File != path || v.SHA256 != digest || v.Protocol != version || v.DriverProtocol != (driverVersion{version, version, next}) || v.Manifest.Name != "talkative" {
		t.Errorf("got %s", &c.out)
	}
	if got, want := v.Confinement, (confinement{Confined: true, NoNewPrivileges: true, Memory: 2 << 30, Files: 4096}); runtime.GOOS == "linux" && got != want {
		t.Errorf("got confinement %+v, want %+v", got, want)
	}
}

func TestDriverTestRunsAnExecutable(t *testing.T) {
	path, root := executable(t, "filesystem"), t.TempDir()
	_, env := searchPath(t, map[string]string{"disk": path})
	rootdirectory := "rootdirectory=" + root
	for _, driver := range [][]string{
		{path, "--param", rootdirectory},
		{"disk", "--param", rootdirectory, "--param", "layers.retry.attempts=2"},
		{ipcDriver, "--param", "path=" + path, "--param", "parameters." + rootdirectory, "--param", "confine=false"},
	} {
		c := newConsole(t, env)
		c.wantStatus(t, statusOK, append([]string{"driver", "test", "--run", "walk/order,content/put*", "-o", "json"}, driver...))
		var r report
		if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Driver != "filesystem" || len(r.Cases) == 0 || r.Passed != len(r.Cases) {
			t.Errorf("%q: want cases of filesystem that all pass, got %+v", driver, r)
		}
		file := scriptFile(t, goodScript)
		newConsole(t, env).wantStatus(t, statusOK, append([]string{"driver", "test", "--script", file}, driver...), ": 11 operations, all as the contract says")
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("want nothing left in the storage, got %v, %v", left, err)
	}
}

func TestOriginsAreNotForExecutables(t *testing.T) {
	path := executable(t, "filesystem")
	_, env := searchPath(t, map[string]string{"disk": path})
	for _, name := range []string{path, "disk"} {
		for _, command := range [][]string{{"driver", "test"}, {"store", "orphans", "ls"}} {
			newConsole(t, env).wantStatus(t, statusUsage, append(command, name, "--allow", "http://127.0.0.1:1"), "--allow is for drivers in .wasm files", filePrefix, "is an executable")
		}
	}
}

func TestBadExecutablesAreOneLine(t *testing.T) {
	// sh sends a HELLO of its own making.
	hello := func(payload string) string {
		return fmt.Sprintf("#!/bin/sh\nprintf '\\000\\000\\000\\%03o\\000\\000\\000\\000\\000%s' >&3\ncat <&3 >/dev/null\n", len(payload), payload)
	}
	for name, c := range map[string]struct {
		text   string
		mode   os.FileMode
		status int
		texts  []string
	}{
		"not executable":   {"#!/bin/sh\n", 0o600, statusUsage, []string{"chmod +x "}},
		"empty":            {"", 0o700, statusUsage, []string{"empty"}},
		"no #! line":       {"echo no\n", 0o700, statusUsage, []string{"#!"}},
		"no interpreter":   {"#!/nonexistent/python\n", 0o700, statusUsage, []string{"/nonexistent/python"}},
		"ends with 1":      {"#!/bin/sh\necho the moon is missing >&2\nexit 1\n", 0o700, statusTemporary, []string{"exit status 1", "the moon is missing"}},
		"ends with 0":      {"#!/bin/sh\n", 0o700, statusTemporary, []string{"exit status 0"}},
		"speaks otherwise": {"#!/bin/sh\necho this is not what was agreed upon >&3\ncat <&3 >/dev/null\n", 0o700, statusFailure, []string{"was killed", "a frame of type"}},
		"newer minor":      {hello(`{"version":"1.1"}`), 0o700, statusUsage, []string{"1.1", "1.0"}},
		"other major":      {hello(`{"version":"2.0"}`), 0o700, statusUsage, []string{"2.0", "1.0"}},
		"no version":       {hello(`{}`), 0o700, statusFailure, []string{"HELLO"}},
	} {
		for _, command := range []string{"inspect", "test"} {
			t.Run(name+"/"+command, func(t *testing.T) {
				path := writeFile(t, t.TempDir(), filePrefix+"bad", c.text, c.mode)
				newConsole(t, nil).wantFailure(t, c.status, []string{"driver", command, path}, append(c.texts, path)...)
			})
		}
	}
	missing := filepath.Join(t.TempDir(), filePrefix+"missing")
	for line, text := range map[string]string{
		"driver inspect " + missing:                missing,
		"driver test " + missing:                   missing,
		"driver test ipc --param path=" + missing:  missing,
		"store orphans ls " + missing:              missing,
		"driver test " + filePrefix + "nosuchfile": filePrefix + "nosuchfile",
	} {
		newConsole(t, nil).wantStatus(t, statusNotFound, strings.Fields(line), text, "there is no executable")
	}
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "inspect", filepath.Dir(missing)}, "it is no file")
}

func TestBadParametersOfExecutablesAreOneLine(t *testing.T) {
	path := executable(t, "filesystem")
	_, env := searchPath(t, map[string]string{"disk": path})
	for line, texts := range map[string][]string{
		"disk --param nonsense=1":      {"disk: Open: ", `"nonsense"`, "fsync, maxthreads, rootdirectory"},
		path + " --param nonsense=1":   {`"nonsense"`, "fsync, maxthreads, rootdirectory"},
		"disk --param maxthreads=many": {`"maxthreads"`},
		"disk --param rootdirectory=":  {`"rootdirectory"`},
		"ipc":                          {`"path" is missing`},
		"ipc --param confin=false":     {`"confin"`, "confine, env, files, memory, parameters, path"},
		"ipc --param path=" + path + " --param env=FOO=1,sesame":                     {`"env" must be a list of NAME=value`, "element 2"},
		"ipc --param path=" + path + " --param memory=-1":                            {`"memory" must be at least 67108864`},
		"ipc --param path=" + path + " --param files=3":                              {`"files" must be at least 16`},
		"ipc --param path=" + path + " --param confine=false --param memory=1000000": {"no effect"},
	} {
		t.Run(line, func(t *testing.T) {
			c := newConsole(t, env)
			c.wantStatus(t, statusUsage, append([]string{"driver", "test"}, strings.Fields(line)...), texts...)
			if strings.Contains(c.errors.String(), "sesame") {
				t.Errorf("a variable is repeated: %s", &c.errors)
			}
		})
	}
}

// runOf is what the driver talkative writes down.
type runOf struct {
	Args, Env []string
	Limits    map[string]string
}

func readRun(t *testing.T, folder string) runOf {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var run runOf
	if err := json.Unmarshal(text, &run); err != nil {
		t.Fatal(err)
	}
	return run
}

func TestSecretsOfExecutablesAreKept(t *testing.T) {
	const pin = "9876543210"
	path, folder := executable(t, "talkative"), t.TempDir()
	for fail, want := range map[string]struct {
		status int
		text   string
	}{
		"open":  {statusDenied, "the PIN (secret) is wrong"},
		"stat":  {statusDenied, "the PIN (secret) is not known here"},
		"panic": {statusTemporary, "panic: the PIN is (secret)"},
	} {
		t.Run(fail, func(t *testing.T) {
			c := newConsole(t, nil)
			c.wantFailure(t, want.status, []string{"driver", "test", path, "--param", "pin=" + pin, "--param", "folder=" + folder, "--param", "fail=" + fail}, want.text)
			if text := c.errors.String(); strings.Contains(text, pin) || !strings.Contains(text, "the PIN is (secret)") || !strings.Contains(text, "on stdout too: (secret)") {
				t.Errorf("want the log without the secret, got %s", text)
			}
		})
	}
	run := readRun(t, folder)
	var public map[string]string
	if len(run.Args) != 2 || run.Args[0] != path || json.Unmarshal([]byte(run.Args[1]), &public) != nil || len(public) != 2 || public["folder"] != folder || public["fail"] == "" {
		t.Errorf("want the arguments %s and the parameters but the secret one, got %q", path, run.Args)
	}
	if text := fmt.Sprint(run.Args, run.Env); strings.Contains(text, pin) {
		t.Errorf("the secret is among what everybody can read of a process: %s", text)
	}
}

func TestSettingsOfAProcess(t *testing.T) {
	t.Setenv("BERTH_TEST_SECRET", "sesame")
	path := executable(t, "talkative")
	for _, c := range []struct {
		section map[string]any
		limits  map[string]string
	}{
		{nil, map[string]string{"Max data size": "2147483648", "Max open files": "4096", "Max core file size": "0"}},
		{map[string]any{"memory": "1073741824", "files": 100}, map[string]string{"Max data size": "1073741824", "Max open files": "100", "Max core file size": "0"}},
		{map[string]any{"confine": false}, nil},
	} {
		folder := t.TempDir()
		section := map[string]any{
			"path": path, "env": []any{"PLACE=home", "LANG=de_DE.UTF-8"}, "parameters": map[string]any{"folder": folder},
		}
		for key, v := range c.section {
			section[key] = v
		}
		d, err := newConsole(t, nil).app.compose().Create(t.Context(), ipcDriver, section)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		run := readRun(t, folder)
		var names []string
		for _, v := range run.Env {
			name, _, _ := strings.Cut(v, "=")
			names = append(names, name)
		}
		slices.Sort(names)
		if want := []string{"LANG", "PATH", "PLACE", "TMPDIR"}; !slices.Equal(names, want) || !slices.Contains(run.Env, "PLACE=home") || !slices.Contains(run.Env, "LANG=de_DE.UTF-8") {
			t.Errorf("%v: want %q alone in its environment, got %q", c.section, want, run.Env)
		}
		if runtime.GOOS != "linux" {
			continue
		}
		for name, want := range c.limits {
			if got := run.Limits[name]; got != want {
				t.Errorf("%v: %s: want %s, got %s", c.section, name, want, got)
			}
		}
		if got := run.Limits["Max data size"]; c.limits == nil && got == "2147483648" {
			t.Errorf("%v: want our own limits, got %v", c.section, run.Limits)
		}
	}
}

func TestConfigOfAnExecutable(t *testing.T) {
	_, env := searchPath(t, map[string]string{"disk": executable(t, "filesystem")})
	for section, want := range map[string]string{
		"disk: {parameters: {rootdirectory: /x}, layers: {retry: {}}, env: [A=1], confine: true, memory: 1073741824, files: 512}": "",
		"disk:":                                              "",
		"disk: {confin: false}":                              "storage.disk.confin is unknown; did you mean confine?",
		"disk: {parametres: {a: 1}}":                         "storage.disk.parametres is unknown; did you mean parameters?",
		"disk: {path: /x}":                                   "storage.disk.path is unknown",
		"disk: {allow: [http://a]}":                          "storage.disk.allow is unknown",
		"disk: {confine: perhaps}":                           "storage.disk.confine must be true or false",
		"disk: {memory: plenty}":                             "storage.disk.memory must be a whole number",
		"disk: {memory: 4096}":                               `storage.disk has what cannot be used: parameter "memory" must be at least 67108864 bytes, or 0 for 2147483648`,
		"disk: {confine: false, files: 64}":                  `storage.disk has what cannot be used: parameters "memory" and "files" have no effect with "confine" set to false`,
		"disk: {env: [sesame]}":                              `storage.disk has what cannot be used: parameter "env" must be a list of NAME=value, which its element 1 is not`,
		"disk: {layers: {limit: {concurrency: 1}}}":          `storage.disk has what cannot be used: layers.limit: parameter "concurrency"`,
		"ipc: {path: /x, env: [A=1], parameters: {a: 1}}":    "",
		"ipc: {pat: /x}":                                     "storage.ipc.pat is unknown; did you mean path?",
		"ipc: {path: /x, layers: {limit: {concurrency: 1}}}": `storage.ipc has what cannot be used: layers.limit: parameter "concurrency"`,
		"ipc: {path: /x, files: 1}":                          `storage.ipc has what cannot be used: parameter "files" must be at least 16, or 0 for 4096`,
	} {
		t.Run(section, func(t *testing.T) {
			path := writeConfig(t, "version: 0.1\nstorage:\n  "+section+"\n")
			c := newConsole(t, env)
			if want == "" {
				c.wantStatus(t, statusOK, []string{"config", "validate", path}, path+": ok")
				return
			}
			c.wantStatus(t, statusUsage, []string{"config", "validate", path}, path+":3: "+want, "there is 1 problem")
			if strings.Contains(strings.ReplaceAll(c.out.String(), path, ""), "sesame") {
				t.Errorf("a variable is repeated: %s", &c.out)
			}
		})
	}
}

func TestConfigShowOfAnExecutable(t *testing.T) {
	_, env := searchPath(t, map[string]string{"disk": executable(t, "filesystem")})
	path := writeConfig(t, "version: 0.1\nstorage:\n  disk:\n    env: [KEY=sesame]\n    parameters: {rootdirectory: /x, password: sesame}\n")
	for _, f := range []string{"yaml", "json", "table"} {
		c := newConsole(t, env)
		c.wantStatus(t, statusOK, []string{"config", "show", path, "--origin", "-o", f}, "***", "/x", "confine")
		if strings.Contains(c.out.String(), "sesame") {
			t.Errorf("%s: a secret is shown: %s", f, &c.out)
		}
	}
	c := newConsole(t, env)
	c.wantStatus(t, statusOK, []string{"config", "schema"})
	var schema struct {
		Properties struct {
			Storage struct {
				Properties map[string]struct{ Properties map[string]any }
			}
		}
	}
	if err := json.Unmarshal(c.out.Bytes(), &schema); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"disk": "confine env files layers memory parameters", "ipc": "confine env files layers memory parameters path"} {
		var keys []string
		for key := range schema.Properties.Storage.Properties[name].Properties {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		if got := strings.Join(keys, " "); got != want {
			t.Errorf("the schema of %s: want %s, got %s", name, want, got)
		}
	}
}

// TestServeOnAnExecutable pushes to a registry, and pulls from the next one.
func TestServeOnAnExecutable(t *testing.T) {
	logged(t)
	root := t.TempDir()
	path := executable(t, "filesystem")
	_, env := searchPath(t, map[string]string{"disk": path})
	text := "version: 0.1\nlog:\n  level: error\nhttp:\n  addr: 127.0.0.1:0\n  secret: not so secret\nstorage:\n"
	byName := writeConfig(t, text+"  disk: {parameters: {rootdirectory: "+root+"}, layers: {retry: {}}}\n")
	byPath := writeConfig(t, text+"  ipc: {path: "+path+", parameters: {rootdirectory: "+root+"}}\n")

	layer := []byte("a layer")
	s := serveWith(t, env, byName)
	manifest := client{t, s.url}.push(layer)
	s.end()
	s = serveWith(t, nil, byPath)
	client{t, s.url}.wantImage(manifest, layer)
	s.end()

	wrong := writeConfig(t, text+"  disk: {parameters: {rotdirectory: "+root+"}}\n")
	for _, command := range []string{"serve", "garbage-collect"} {
		newConsole(t, env).wantFailure(t, statusUsage, []string{command, wrong}, `"rotdirectory"`, "disk")
	}
	newConsole(t, nil).wantFailure(t, statusNotFound, []string{"serve", writeConfig(t, text+"  ipc: {path: /nonexistent/driver}\n")}, "there is no executable /nonexistent/driver")
}

func TestOrphansOfAnExecutable(t *testing.T) {
	path, root := executable(t, "filesystem"), t.TempDir()
	parameters := map[string]any{"rootdirectory": root}
	leave(t, named{name: path, parameters: parameters})
	_, env := searchPath(t, map[string]string{"disk": path})
	config := writeConfig(t, "version: 0.1\nstorage:\n  ipc: {path: "+path+", parameters: {rootdirectory: "+root+"}}\n")
	for _, which := range [][]string{{path, "--param", "rootdirectory=" + root}, {"--config", config}} {
		found, _ := ranOrphans(t, append([]string{"ls"}, which...)...)
		wantReports(t, found, begun, torn)
	}
	newConsole(t, env).wantStatus(t, statusOK, []string{"store", "orphans", "ls", "disk", "--param", "rootdirectory=" + root}, "found 2, 9 bytes")
	_, removed := ranOrphans(t, "abort", path, "--param", "rootdirectory="+root, "--older-than", "0s")
	wantReports(t, removed, begun, torn)
	if b, err := os.ReadFile(filepath.Join(root, "kept/f")); err != nil || !bytes.Equal(b, []byte("content")) {
		t.Errorf("what was committed: %q, %v", b, err)
	}
}

// TestQuickstartTakesNoExecutable has one stand where quickstart looks for a driver that it says is sandboxed.
func TestQuickstartTakesNoExecutable(t *testing.T) {
	_, env := searchPath(t, map[string]string{webdavDriver: executable(t, "filesystem")})
	newConsole(t, env).wantStatus(t, statusNotFound, []string{"quickstart", "--addr", "127.0.0.1:0", "--dir", t.TempDir()}, "webdav.wasm is missing")
}
