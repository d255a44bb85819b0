package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/berth-dev/storagedriver/abi"
)

var update = flag.Bool("update", false, "rewrite testdata/inspect-*")

// demanding is the manifest of a driver that asks for one of everything and a bit more.
func demanding() *abi.Manifest {
	return &abi.Manifest{
		Name: "demanding", Version: "1.2", Abilities: []string{"copy", "redirect"}, Memory: 512 << 20,
		Hosts:  []string{"{endpoint}", "https://{bucket}.{region}.example:8443", "https://{password}.example", "{mirror}", "http://{bad}/", "https://fixed.example", "{endpoint}/again"},
		Stores: []string{"blobs", "cache"}, Credentials: []string{"main", "other"}, Secrets: []string{"salt", "pepper"},
		Schema: json.RawMessage(`{"type":"object","additionalProperties":false,"properties":{
			"endpoint":{"type":"string"},"bucket":{"type":"string"},"region":{"type":"string","default":"eu"},
			"password":{"type":"string","writeOnly":true},"mirror":{"type":"string"},"bad":{"type":"string"},"depth":{"type":"integer"}}}`),
	}
}

// generous is a section with one of every kind of grant.
const generous = `
parameters: {endpoint: "https://user:sesame@s3.example/x?y", bucket: logs, password: sesame, bad: "no host", depth: 3, strange: sesame}
sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
allow:
  - https://S3.example
  - origin: https://logs.eu.example:8443
    cidr: [10.0.0.0/8, 192.0.2.7]
    tls: {ca: /etc/ca.pem, certificate: /etc/c.pem, key: /etc/k.pem, minimum: 1.3}
    redirects: 3
    credential: {name: main, sigv4: {accesskey: AK, secretkey: sesame, region: eu}}
  - {origin: "http://127.0.0.1:9000", redirects: 1, credential: {bearer: {token: sesame}}}
  - {origin: "https://far.example", proxy: "http://proxy.example:3128"}
stores:
  blobs: {filesystem: {rootdirectory: /b}}
  extra: inmemory
  inner:
    wasm:
      module: /lib/inner.wasm
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      parameters: {password: sesame}
      allow: [{origin: "https://inner.example", credential: {bearer: {token: sesame}}}]
      secrets: {deep: {value: sesame, origins: [https://inner.example]}}
      limits: {instances: 3}
      layers: {limit: {concurrency: 5}}
      stores:
        files: {filesystem: {rootdirectory: "/deep\nmay reach all", layers: {readonly: true, retry: {}}}}
        idle: {wasm: {module: /lib/idle.wasm, layers: {readonly: false}}}
        plain: filesystem
        process: {ipc: {path: /lib/process}}
secrets:
  salt: {value: sesame, readable: true}
  more: {file: /run/more, origins: [https://s3.example, "http://127.0.0.1:9000"]}
  both: {env: BOTH, readable: true, origins: [https://s3.example]}
limits: {memory: 134217728, instances: 8, total: 10m}
`

func sandboxOf(t *testing.T, text string) *sandbox {
	t.Helper()
	var section map[string]any
	if err := yaml.Unmarshal([]byte(text), &section); err != nil {
		t.Fatal(err)
	}
	s, err := parseSandbox(section)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func policyFor(t *testing.T, s *sandbox, from *driverSection, m *abi.Manifest) *policy {
	t.Helper()
	p, err := newConsole(t, nil).app.compose().policyOf(s, from, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestInspectDescribesAStoreFoundByName has one in a .wasm file and one in an executable in the search path.
func TestInspectDescribesAStoreFoundByName(t *testing.T) {
	folder, env := searchPath(t, map[string]string{"disk": executable(t, "filesystem"), "webdav.wasm": webdavWasm(t)})
	s := sandboxOf(t, "stores: {a: {disk: {layers: {retry: {}}}}, b: {webdav: {allow: [https://inner.example]}}}\n")
	p, err := newConsole(t, env).app.compose().policyOf(s, &driverSection{}, &abi.Manifest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the store a, a driver disk, the file " + filepath.Join(folder, "registry-storage-disk") + ", an executable, which can do what its user can, with the layer retry",
		"the store b, a driver webdav, the file " + filepath.Join(folder, "registry-storage-webdav.wasm"),
		"  may reach https://inner.example:443: at public addresses alone; TLS 1.2 or later, vouched for by the system's authorities; redirects are not followed; nothing is signed",
		"  may call no store", "  may use no secret",
	}
	if got := storeLines(p.Stores); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func TestInspectSaysInWordsWhatADriverMayDo(t *testing.T) {
	small := &abi.Manifest{Name: "small", Hosts: []string{"{endpoint}"}, Schema: demanding().Schema}
	for name, c := range map[string]struct {
		manifest *abi.Manifest
		section  string
		from     driverSection
	}{
		"generous": {demanding(), generous, driverSection{
			source: "storage.wasm of config.yml", file: "/usr/lib/berth/other.wasm",
			parameters: map[string]any{"layers": map[string]any{"readonly": true, "timeout": map[string]any{"operation": "1s"}}},
		}},
		"nothing": {demanding(), "", driverSection{source: "section.yml"}},
		"enough":  {small, "parameters: {endpoint: 'http://a.example/b'}\nallow: [http://a.example]\n", driverSection{source: "section.yml"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := policyFor(t, sandboxOf(t, c.section), &c.from, c.manifest)
			var text bytes.Buffer
			if err := printTable(&text, p.rows()); err != nil {
				t.Fatal(err)
			}
			wantGolden(t, "inspect-"+name+".txt", text.Bytes())
			var object bytes.Buffer
			if err := printJSON(&object, p); err != nil {
				t.Fatal(err)
			}
			wantGolden(t, "inspect-"+name+".json", object.Bytes())
			if all := text.String() + object.String(); strings.Contains(all, "sesame") {
				t.Errorf("a secret is shown:\n%s", all)
			}
		})
	}
}

// TestInspectSaysTheLimitsThatCount: a driver with state has one instance whatever the section says, and few bytes are no 0.0 MiB.
func TestInspectSaysTheLimitsThatCount(t *testing.T) {
	p := policyFor(t, sandboxOf(t, "limits: {instances: 8, response: 500}\n"), &driverSection{}, &abi.Manifest{Name: "stateful", Instances: 1})
	said := strings.Join(words(p.Limits), "\n")
	for _, want := range []string{"instances: 1, as it keeps state in memory\n", "response: 500 bytes\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
}

func TestInspectWithAPolicy(t *testing.T) {
	path := webdavWasm(t)
	inspect := func(text string, flags ...string) []string {
		return append([]string{"driver", "inspect", path, "--config", writeConfig(t, text)}, flags...)
	}
	newConsole(t, nil).wantStatus(t, statusOK, []string{"driver", "inspect", path}, "policy", "nothing but describe itself", "--config FILE")

	whole := "parameters: {endpoint: 'http://127.0.0.1:1/x', username: u, password: sesame}\nallow: ['http://127.0.0.1:1']\n"
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, inspect(whole, "--strict"), "http://127.0.0.1:1: at that address; without TLS", "it has all that it asks for", "password: ***", "memory: 256.0 MiB, the default")
	if strings.Contains(c.out.String(), "sesame") {
		t.Errorf("a secret is shown: %s", &c.out)
	}
	c = newConsole(t, nil)
	c.wantStatus(t, statusOK, inspect("version: 0.1\nstorage:\n  wasm:\n    module: /elsewhere.wasm\n    "+strings.ReplaceAll(whole, "\n", "\n    ")+"\n", "-o", "json"))
	var info struct {
		Policy struct {
			Source, Module string
			Origins        []struct {
				Origin string
				Asked  bool
			}
			Missing []missing
		}
	}
	if err := json.Unmarshal(c.out.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	if p := info.Policy; !strings.HasPrefix(p.Source, "storage.wasm of ") || p.Module != "/elsewhere.wasm" || len(p.Origins) != 1 || !p.Origins[0].Asked || p.Missing == nil || len(p.Missing) != 0 {
		t.Errorf("got %+v", p)
	}

	lacking := "parameters: {endpoint: 'http://127.0.0.1:1/x'}\nallow: [https://other.example]\n"
	newConsole(t, nil).wantStatus(t, statusOK, inspect(lacking), `the origin http://127.0.0.1:1: it is not under "allow"`, "the origin https://other.example:443")
	newConsole(t, nil).wantStatus(t, statusDenied, inspect(lacking, "--strict"), "asks for what it does not get: the origin http://127.0.0.1:1")
	newConsole(t, nil).wantStatus(t, statusDenied, inspect("parameters: {endpont: x}\n", "--strict"), `parameters: unknown parameter "endpont"`)

	newConsole(t, nil).wantStatus(t, statusUsage, inspect("alow: []\n"), ":1: alow is unknown; did you mean allow?")
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"driver", "inspect", path, "--strict"}, "--config")
	newConsole(t, nil).wantStatus(t, statusNotFound, []string{"driver", "inspect", path, "--config", "/missing.yml"}, "/missing.yml")
	_, env := searchPath(t, map[string]string{"disk": executable(t, "filesystem")})
	newConsole(t, env).wantStatus(t, statusUsage, []string{"driver", "inspect", "disk", "--config", writeConfig(t, "")}, "is an executable")
}
