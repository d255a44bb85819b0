package registry_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/distribution/distribution/v3/configuration"
)

// recordingDrivers remembers what was asked of it, and opens store or fails.
type recordingDrivers struct {
	name       string
	parameters map[string]any
	store      storagedriver.StorageDriver
	err        error
}

func (r *recordingDrivers) Create(_ context.Context, name string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	r.name, r.parameters = name, parameters
	return r.store, r.err
}

func parse(t *testing.T, text string) *registry.Config {
	t.Helper()
	config, err := registry.ParseConfig(strings.NewReader(text), "test.yml")
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// opened returns what the storage section of text asks the drivers for.
func opened(t *testing.T, text string) *recordingDrivers {
	t.Helper()
	drivers := &recordingDrivers{err: errors.New("enough")}
	err := registry.Serve(t.Context(), registry.Options{Config: parse(t, text), Drivers: drivers})
	if !errors.Is(err, drivers.err) {
		t.Fatalf("got %v, want the driver's error", err)
	}
	return drivers
}

func TestStorageSectionNamesAnyDriver(t *testing.T) {
	got := opened(t, `
version: 0.1
storage:
  wasm:
    module: webdav.wasm
    allow: ["http://127.0.0.1:8080"]
    limits: {memory: 64}
    parameters: {root: "http://127.0.0.1:8080/", nested: {deep: [{a: 1}]}}
  delete: {enabled: true}
  maintenance: {readonly: {enabled: false}}
  tag: {concurrencylimit: 3}
http: {addr: "127.0.0.1:0"}
`)
	want := map[string]any{
		"module": "webdav.wasm",
		"allow":  []any{"http://127.0.0.1:8080"},
		"limits": map[string]any{"memory": 64},
		"parameters": map[string]any{
			"root":   "http://127.0.0.1:8080/",
			"nested": map[string]any{"deep": []any{map[string]any{"a": 1}}},
		},
	}
	if got.name != "wasm" || !reflect.DeepEqual(got.parameters, want) {
		t.Errorf("got %s %#v\nwant wasm %#v", got.name, got.parameters, want)
	}
}

func TestEnvironmentOverridesTheStorageSection(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/from/the/environment")
	t.Setenv("REGISTRY_HTTP_ADDR", "127.0.0.1:9")
	const text = "version: 0.1\nstorage: {filesystem: {rootdirectory: /from/the/file, maxthreads: 50}}\n"
	want := map[string]any{"rootdirectory": "/from/the/environment", "maxthreads": 50}
	if got := opened(t, text); got.name != "filesystem" || !reflect.DeepEqual(got.parameters, want) {
		t.Errorf("got %s %#v, want %#v", got.name, got.parameters, want)
	}
	if got := parse(t, text).HTTP.Addr; got != "127.0.0.1:9" {
		t.Errorf("http.addr: got %q", got)
	}
}

func TestMaintenanceFromTheEnvironmentIsUnderstood(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true")
	t.Setenv("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED", "false")
	config := parse(t, "version: 0.1\nstorage: inmemory\n")
	config.HTTP.Secret = "s"
	c := newClient(t, newStore(t), config)
	c.do("POST", "/v2/a/blobs/uploads/", nil, nil, 405)
}

func TestBadConfigurationsAreOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		text, env, value string
		want             []string
	}{
		"not YAML":        {text: "version: [", want: []string{"test.yml"}},
		"no version":      {text: "storage: inmemory", want: []string{"test.yml", "version"}},
		"no storage":      {text: "version: 0.1", want: []string{"test.yml", "storage"}},
		"only reserved":   {text: "version: 0.1\nstorage: {delete: {enabled: true}}", want: []string{"test.yml", "storage"}},
		"two drivers":     {text: "version: 0.1\nstorage: {inmemory: {}, filesystem: {}}", want: []string{"test.yml", "inmemory", "filesystem"}},
		"wrong types":     {text: "version: 0.1\nstorage: inmemory\nhttp: {debug: 5}\nlog: 7", want: []string{"test.yml:3: http.debug", "1 more"}},
		"a second driver": {text: "version: 0.1\nstorage: inmemory", env: "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", value: "/x", want: []string{"test.yml", "REGISTRY_", "filesystem"}},
		"a bad variable":  {text: "version: 0.1\nstorage: inmemory", env: "REGISTRY_HTTP_DRAINTIMEOUT", value: "soon", want: []string{"REGISTRY_HTTP_DRAINTIMEOUT: http.draintimeout must be a duration"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv(c.env, c.value)
			}
			_, err := registry.ParseConfig(strings.NewReader(c.text), "test.yml")
			expectOneLine(t, err, c.want...)
		})
	}
}

func expectOneLine(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got %q, want it to name %q", err, part)
		}
	}
}

func TestMissingConfigurationIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yml")
	_, err := registry.LoadConfig(path)
	expectOneLine(t, err, path)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

// parseTheirs has distribution alone parse text: what a program of somebody else's may hand over.
func parseTheirs(t *testing.T, text string) *registry.Config {
	t.Helper()
	config, err := configuration.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestServeRefusesWhatNobodyCheckedBefore(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"redirect":       {"storage: {inmemory: {}, redirect: {disable: perhaps}}", []string{"redirect"}},
		"auth":           {"storage: inmemory\nauth: {nobody: {}}", []string{"authorization", "nobody"}},
		"middleware":     {"storage: inmemory\nmiddleware: {storage: [{name: cloudfront}]}", []string{"middleware", "cloudfront", "baseurl"}},
		"tag limit":      {"storage: {inmemory: {}, tag: {concurrencylimit: many}}", []string{"tag"}},
		"host":           {"storage: inmemory\nhttp: {host: '://'}", []string{"host"}},
		"purge key":      {"storage: {inmemory: {}, maintenance: {uploadpurging: {aeg: 1h}}}", []string{"uploadpurging.aeg", "age"}},
		"purge value":    {"storage: {inmemory: {}, maintenance: {uploadpurging: {age: old}}}", []string{"uploadpurging.age"}},
		"purge section":  {"storage: {inmemory: {}, maintenance: {uploadpurging: 1h}}", []string{"uploadpurging"}},
		"address":        {"storage: inmemory\nhttp: {addr: nowhere}", []string{"http.addr", "nowhere"}},
		"debug address":  {"storage: inmemory\nhttp: {addr: '127.0.0.1:0', debug: {addr: nowhere}}", []string{"http.debug.addr", "nowhere"}},
		"certificate":    {"storage: inmemory\nhttp: {addr: '127.0.0.1:0', tls: {certificate: /missing.crt, key: /missing.key}}", []string{"http.tls.certificate", "/missing.crt"}},
		"TLS version":    {"storage: inmemory\nhttp: {addr: '127.0.0.1:0', tls: {certificate: /c, key: /k, minimumtls: ssl3}}", []string{"http.tls.minimumtls", "ssl3"}},
		"cipher suite":   {"storage: inmemory\nhttp: {addr: '127.0.0.1:0', tls: {certificate: /c, key: /k, ciphersuites: [ROT13]}}", []string{"http.tls.ciphersuites", "ROT13"}},
		"log formatter":  {"storage: inmemory\nlog: {formatter: poem}", []string{"log.formatter", "poem"}},
		"health checks":  {"storage: inmemory\nhealth: {file: [{file: /x}, {file: /x}]}", []string{"health", "/x"}},
		"acme and files": {"storage: inmemory\nhttp: {addr: '127.0.0.1:0', tls: {certificate: /c, key: /k, letsencrypt: {cachefile: /f}}}", []string{"http.tls.letsencrypt"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := parseTheirs(t, "version: 0.1\n"+c.text)
			config.HTTP.Secret = "s"
			err := registry.Serve(t.Context(), registry.Options{Config: config, Driver: newStore(t)})
			expectOneLine(t, err, c.want...)
			if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument && !strings.Contains(name, "address") {
				t.Errorf("got %v, want KindInvalidArgument", storagedriver.KindOf(err))
			}
		})
	}
}
