package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/runtime"
)

func TestSecretsAreReadOnceWhenADriverIsOpened(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := newConsole(t, map[string]string{"KEY": "from a variable\n"}).app.compose()
	value := "as written\n"
	for name, s := range map[string]struct {
		config secretConfig
		want   string
		kind   storagedriver.Kind
		text   string
	}{
		"value":      {secretConfig{Value: &value}, value, storagedriver.KindUnknown, ""},
		"variable":   {secretConfig{Env: "KEY"}, "from a variable\n", storagedriver.KindUnknown, ""},
		"file":       {secretConfig{File: file("plain", "sesame")}, "sesame", storagedriver.KindUnknown, ""},
		"newline":    {secretConfig{File: file("newline", "sesame\n")}, "sesame", storagedriver.KindUnknown, ""},
		"one of two": {secretConfig{File: file("newlines", "sesame\n\n")}, "sesame\n", storagedriver.KindUnknown, ""},
		"windows":    {secretConfig{File: file("windows", "sesame\r\n")}, "sesame", storagedriver.KindUnknown, ""},
		"longest":    {secretConfig{File: file("longest", strings.Repeat("s", maxSecret))}, strings.Repeat("s", maxSecret), storagedriver.KindUnknown, ""},
		"too long":   {secretConfig{File: file("long", strings.Repeat("s", maxSecret+1))}, "", storagedriver.KindInvalidArgument, "long has more than 65536 bytes"},
		"empty":      {secretConfig{File: file("empty", "\n")}, "", storagedriver.KindInvalidArgument, "empty is empty"},
		"missing":    {secretConfig{File: filepath.Join(dir, "missing")}, "", storagedriver.KindNotFound, "missing"},
		"unset":      {secretConfig{Env: "NOKEY"}, "", storagedriver.KindInvalidArgument, "the variable NOKEY is not set"},
	} {
		s.config.name, s.config.Readable = "mine", true
		got, err := c.readSecrets([]secretConfig{s.config})
		if s.text == "" {
			if err != nil || got["mine"].Value != s.want || !got["mine"].Readable {
				t.Errorf("%s: want %.20q, got %.40v, %v", name, s.want, got, err)
			}
			continue
		}
		if storagedriver.KindOf(err) != s.kind || !strings.Contains(err.Error(), s.text) || !strings.HasPrefix(err.Error(), "secrets.mine: ") || strings.Contains(err.Error(), "sss") {
			t.Errorf("%s: want %v with %q, got %v", name, s.kind, s.text, err)
		}
	}
}

// watched is a composition whose driver inmemory tells when it is opened and closed.
func watched(t *testing.T) (*composition, *[]string) {
	t.Helper()
	c := newConsole(t, nil).app.compose()
	var log []string
	n := 0
	c.native[inmemory.Name] = func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		b, err := inmemory.Open(ctx, nil)
		if err != nil || parameters["fail"] == true {
			return nil, fmt.Errorf("it does not open: %w", fs.ErrPermission)
		}
		n++
		id := n
		log = append(log, fmt.Sprintf("open %d", id))
		return &closeWatched{b, func() { n--; log = append(log, fmt.Sprintf("close %d", id)) }}, nil
	}
	return c, &log
}

type closeWatched struct {
	storagedriver.Backend
	closed func()
}

func (c *closeWatched) Close() error {
	c.closed()
	return c.Backend.Close()
}

// afterModule is a store that must not be closed while its module can be called.
type afterModule struct {
	storagedriver.StorageDriver
	t          *testing.T
	module     *runtime.Module
	parameters map[string]any
}

func (a *afterModule) Close() error {
	if _, err := a.module.Open(a.t.Context(), a.parameters); storagedriver.KindOf(err) != storagedriver.KindClosed {
		a.t.Errorf("a store is closed before its module is: %v", err)
	}
	return a.StorageDriver.Close()
}

// TestStoresAreOpenedBeforeAndClosedAfterTheModule has two, the second of which is a guest with a store of its own.
func TestStoresAreOpenedBeforeAndClosedAfterTheModule(t *testing.T) {
	storage, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.close(); err != nil {
			t.Error(err)
		}
	})
	c, log := watched(t)
	type m = map[string]any
	guest := func(stores m) m {
		return m{"module": webdavWasm(t), "allow": storage.origin, "parameters": m{"endpoint": storage.origin}, "stores": stores}
	}
	b, err := c.backend(t.Context(), wasmDriver, guest(m{"a": "inmemory", "b": m{"wasm": guest(m{"c": m{"inmemory": nil}})}}))
	if err != nil {
		t.Fatal(err)
	}
	outer := b.(*sandboxed)
	if got := outer.held.stores; len(got) != 2 || got[0].name != "a" || got[1].name != "b" || got[0].driver.Name() != inmemory.Name || got[1].driver.Name() != webdavDriver {
		t.Errorf("want the stores a and b, got %v", got)
	}
	last := &outer.held.stores[0]
	last.driver = &afterModule{last.driver, t, outer.module, m{"endpoint": storage.origin}}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if want := []string{"open 1", "open 2", "close 2", "close 1"}; !slices.Equal(*log, want) {
		t.Errorf("want %q, got %q", want, *log)
	}

	*log = nil
	for want, stores := range map[string]m{
		"stores.b: inmemory: Open: permission denied: it does not open":                        {"a": "inmemory", "b": m{"inmemory": m{"fail": true}}},
		`stores.b: wasm: Open: invalid argument: parameter "module" is missing`:                {"a": "inmemory", "b": m{"wasm": nil}},
		"stores.b: webdav: Stat /: denied by policy: the origin " + storage.origin + " is not": {"a": "inmemory", "b": m{"wasm": m{"module": webdavWasm(t), "parameters": m{"endpoint": storage.origin}}}},
		`stores.b: no storage driver "nosuch"`:                                                 {"a": "inmemory", "b": "nosuch"},
	} {
		_, err := c.backend(t.Context(), wasmDriver, guest(stores))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if want := []string{"open 1", "close 1"}; !slices.Equal(*log, want) {
			t.Errorf("%v: want what was opened closed again, got %q", err, *log)
		}
		*log = nil
	}
}

// TestASectionIsWhatTheModuleIsLoadedWith compares each field of runtime's configuration.
func TestASectionIsWhatTheModuleIsLoadedWith(t *testing.T) {
	c := newConsole(t, map[string]string{"KEY": "sesame"}).app.compose()
	type m = map[string]any
	s, err := parseSandbox(m{
		"sha256": strings.Repeat("AB", 32),
		"allow": []any{"http://A.example", m{
			"origin": "https://b.example:8443/", "cidr": "10.0.0.0/8, 192.0.2.1", "redirects": "3", "tls": m{"minimum": 1.3},
			"credential": m{"name": "main", "basic": m{"username": "u", "password": "sesame"}},
		}},
		"stores":  m{"blobs": "inmemory"},
		"secrets": m{"key": m{"env": "KEY", "origins": "https://b.example:8443"}},
		"limits": m{
			"memory": 1 << 20, "instances": 2, "idleinstances": 1, "bodies": 3, "requests": 4, "response": 5, "streams": 6,
			"connect": "1s", "firstbyte": "2s", "idle": "3s", "total": "4s",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, held, err := c.open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := held.close(); err != nil {
			t.Error(err)
		}
	}()
	if len(got.Allow) != 2 || len(got.Stores) != 1 || got.Stores["blobs"].Name() != inmemory.Name {
		t.Fatalf("got %+v", got)
	}
	a, b := got.Allow[0], got.Allow[1]
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	if a.Origin != "http://a.example:80" || a.Credential.Signer != nil || len(a.Networks) != 0 || a.Redirects != 0 {
		t.Errorf("an origin alone: got %+v", a)
	}
	if b.Origin != "https://b.example:8443" || !slices.Equal(b.Networks, want) || b.Redirects != 3 || b.TLS.MinVersion != "1.3" || b.Credential.Name != "main" || !slices.Equal(b.Credential.Signer.Owns(), []string{"Authorization"}) {
		t.Errorf("an origin with all: got %+v", b)
	}
	if s := got.Secrets["key"]; s.Value != "sesame" || s.Readable || !slices.Equal(s.Origins, []string{"https://b.example:8443"}) {
		t.Errorf("the secret: got %+v", s)
	}
	got.Allow, got.Stores, got.Secrets = nil, nil, nil
	plain := fmt.Sprintf("%+v", got)
	if want := fmt.Sprintf("%+v", runtime.Config{
		SHA256: strings.Repeat("ab", 32), MemoryLimit: 1 << 20, MaxInstances: 2, MaxIdleInstances: 1, MaxOpenBodies: 3, MaxRequests: 4, MaxResponse: 5,
		MaxStreams: 6, ConnectTimeout: 1e9, FirstByteTimeout: 2e9, IdleTimeout: 3e9, TotalTimeout: 4e9,
	}); plain != want {
		t.Errorf("got  %s\nwant %s", plain, want)
	}
}

// TestEverySchemeMakesItsSigner opens each as a section has it; that of AWS's chain looks at this process's environment.
func TestEverySchemeMakesItsSigner(t *testing.T) {
	t.Setenv("AWS_CA_BUNDLE", "") // which the chain takes from nobody
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	type m = map[string]any
	sections := map[string]m{
		"sigv4":    {"accesskey": "AK", "secretkey": "sesame", "region": "us-east-1"},
		"awschain": {"region": "us-east-1"},
		"azure":    {"accountname": "account", "accountkey": "c2VzYW1l"},
		"oss":      {"accesskeyid": "AK", "accesskeysecret": "sesame", "region": "cn-hangzhou"},
		"swift":    {"authurl": "https://keystone.example/v3", "username": "u", "password": "sesame", "project": "p"},
		"oauth2":   {"tokenurl": "https://token.example/t", "clientid": "c", "clientsecret": "sesame"},
		"bearer":   {"token": "sesame"},
		"basic":    {"username": "u", "password": "sesame"},
		"header":   {"name": "X-Api-Key", "value": "sesame"},
	}
	for name := range schemes() {
		section, there := sections[name]
		if !there {
			t.Errorf("%s is not tried here", name)
			continue
		}
		s, err := parseSandbox(m{"allow": []any{m{"origin": "https://a.example", "credential": m{name: section}}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text := fmt.Sprintf("%+v %#v %+v", *s, s.rules, *s.rules[0].credential); strings.Contains(text, "sesame") {
			t.Errorf("%s: a secret prints: %s", name, text)
		}
		rules, askers, err := signed(t.Context(), s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		closeAskers(askers)
		if rules[0].Credential.Name != defaultCredential || len(rules[0].Credential.Signer.Owns()) == 0 {
			t.Errorf("%s: got %+v", name, rules[0].Credential)
		}
	}
	if _, err := parseSandbox(m{"allow": []any{m{"origin": "https://a.example", "credential": m{"kerberos": m{}}}}}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
		t.Errorf("want a scheme that there is not refused, got %v", err)
	}
}

// TestServeWithoutAPolicyIsOneLine has a module that may do nothing.
func TestServeWithoutAPolicyIsOneLine(t *testing.T) {
	logged(t)
	section := "wasm: {module: " + webdavWasm(t) + ", parameters: {endpoint: 'http://127.0.0.1:1/'}}"
	path := writeConfig(t, "version: 0.1\nlog:\n  level: error\nhttp:\n  addr: 127.0.0.1:0\n  secret: s\nstorage:\n  "+section+"\n")
	for _, command := range []string{"serve", "garbage-collect"} {
		newConsole(t, nil).wantStatus(t, statusDenied, []string{command, path}, "the origin http://127.0.0.1:1 is not allowed", `under "allow" in the driver's configuration`)
	}
}

func TestAllowFlag(t *testing.T) {
	for flag, want := range map[string]string{
		"http://a":                       "map[origin:http://a]",
		"http://a=10.0.0.0/8":            "map[cidr:10.0.0.0/8 origin:http://a]",
		"https://a:8=10.0.0.0/8,fd00::1": "map[cidr:10.0.0.0/8,fd00::1 origin:https://a:8]",
	} {
		if got, err := allowFlag(flag); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: want %s, got %v, %v", flag, want, got, err)
		}
	}
	for flag, want := range map[string]string{
		"a":                `--allow: parameter "origin" must be an origin`,
		"http://a/b":       `--allow: parameter "origin" must be an origin`,
		"http://a=":        "--allow http://a=: there is no network behind the =",
		"http://a=private": `--allow: parameter "cidr[0]" must be a network`,
	} {
		if _, err := allowFlag(flag); statusOf(t.Context(), err) != statusUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", flag, want, err)
		}
	}
}

// TestDriverTestTakesASection has the section alone, and the configuration of a registry, which flags add to.
func TestDriverTestTakesASection(t *testing.T) {
	storage, err := startWebDAV(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := storage.close(); err != nil {
			t.Error(err)
		}
	})
	parameters := "parameters: {endpoint: '" + storage.origin + "'}"
	allow := "allow: ['" + storage.origin + "']"
	run := []string{"driver", "test", webdavWasm(t), "--run", "content/empty"}
	for name, c := range map[string]struct {
		text   string
		flags  []string
		status int
		says   string
	}{
		"section":              {parameters + "\n" + allow + "\n", nil, statusOK, "0 failed"},
		"with a file":          {"module: /elsewhere.wasm\n" + parameters + "\n" + allow + "\n", nil, statusOK, "0 failed"},
		"registry":             {"version: 0.1\nstorage:\n  wasm:\n    module: /elsewhere.wasm\n    " + parameters + "\n    " + allow + "\n", nil, statusOK, "0 failed"},
		"registry by name":     {"version: 0.1\nstorage:\n  webdav:\n    " + parameters + "\n    " + allow + "\n", nil, statusOK, "0 failed"},
		"origin by flag":       {parameters + "\n", []string{"--allow", storage.origin}, statusOK, "0 failed"},
		"parameter by flag":    {allow + "\n", []string{"--param", "endpoint=" + storage.origin}, statusOK, "0 failed"},
		"layers by flag":       {parameters + "\n" + allow + "\n", []string{"--param", "layers.readonly=true"}, statusConformance, "read-only"},
		"nothing allowed":      {parameters + "\n", nil, statusDenied, "is not allowed"},
		"empty":                {"", nil, statusUsage, `"endpoint" is missing`},
		"same origin twice":    {parameters + "\n" + allow + "\n", []string{"--allow", storage.origin}, statusUsage, "allow[1].origin is that of allow[0] too"},
		"unknown key":          {parameters + "\nalow: []\n", nil, statusUsage, "FILE:2: alow is unknown; did you mean allow?"},
		"unknown value":        {"limits:\n  memory: 1\n", nil, statusUsage, "FILE:2: limits.memory must be a whole number from 65536"},
		"not YAML":             {"a: [\n", nil, statusUsage, "is not YAML"},
		"no map":               {"- a\n", nil, statusUsage, "FILE:1: is no map of the driver's parameters"},
		"another driver":       {"version: 0.1\nstorage: inmemory\n", nil, statusUsage, "FILE: the storage is inmemory, and not wasm or webdav"},
		"registry is wrong":    {"version: 0.1\nstorage:\n  wasm: {alow: []}\n", nil, statusUsage, "FILE:3: storage.wasm.alow is unknown"},
		"two things are wrong": {"alow: []\nmodul: x\n", nil, statusUsage, "(and 1 more)"},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeConfig(t, c.text)
			newConsole(t, nil).wantStatus(t, c.status, slices.Concat(run, []string{"--config", file}, c.flags), strings.ReplaceAll(c.says, "FILE", file))
		})
	}
	newConsole(t, nil).wantStatus(t, statusNotFound, append(run, "--config", "/missing.yml"), "/missing.yml")
	native := writeConfig(t, "rootdirectory: "+t.TempDir()+"\n")
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "test", "filesystem", "--run", "content/empty", "--config", native}, "0 failed")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "test", "inmemory", "--config", native}, native+":1: rootdirectory is unknown")
}
