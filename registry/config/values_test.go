package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const everySecret = `version: 0.1
storage:
  filesystem:
    rootdirectory: /data
    password: sesame
    parameters: {apikey: sesame, user: me, deep: {secret_key: sesame, list: [{token: sesame}]}}
http:
  secret: sesame
  tls: {letsencrypt: {cachefile: /c, hosts: [h]}}
log:
  fields: {service.name: registry, token: sesame}
  hooks: [{type: mail, levels: [error], options: {smtp: {addr: 'm:25', username: me, password: sesame}, from: a, to: [b]}}]
notifications:
  endpoints:
    - {name: l, url: 'https://me:sesame@h/x', headers: {Authorization: [Bearer sesame]}}
redis: {addrs: [r], password: sesame, sentinelpassword: sesame}
health: {http: [{uri: 'https://me:sesame@h/', headers: {X: [sesame]}}]}
proxy: {remoteurl: 'https://h', username: me, password: sesame, ttl: 0s}
middleware: {storage: [{name: rewrite, options: {host: h}}]}
auth: {token: {realm: r, service: s, issuer: i, rootcertbundle: /b}}
`

// TestValuesHoldNoSecret shows a configuration with a secret in each place that may hold one.
func TestValuesHoldNoSecret(t *testing.T) {
	t.Setenv("REGISTRY_HTTP_SECRET", "sesame too")
	d := read(t, everySecret)
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	text, err := YAML(d.Values(), true)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "sesame") {
		t.Errorf("there is a secret in\n%s", text)
	}
	for _, want := range []string{
		"rootdirectory: /data # config.yml:4", "user: me", "username: me", "service.name: registry # config.yml:11", "rootcertbundle: /b",
		"secret: '***' # REGISTRY_HTTP_SECRET", "https://me:***@h/x", "cachefile: /c",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}

// TestWhatIsShownMeansTheSame reads what is shown again.
func TestWhatIsShownMeansTheSame(t *testing.T) {
	const text = `version: 0.1
storage: {filesystem: {rootdirectory: /data, list: [a, b]}, cache: {blobdescriptor: inmemory}}
http: {addr: ':5001', headers: {X-A: [b, c]}, draintimeout: 1m}
health: {tcp: [{addr: 'a:1'}], file: [{file: /f, interval: 3s}]}
log: {fields: {a.b: c}, level: warn}
validation: {manifests: {urls: {allow: [^a]}}}
`
	first := read(t, text)
	shown, err := YAML(first.Values(), true)
	if err != nil {
		t.Fatal(err)
	}
	second := read(t, string(shown))
	if err := second.Err(); err != nil {
		t.Fatalf("%v in\n%s", err, shown)
	}
	again, err := YAML(second.Values(), false)
	if err != nil {
		t.Fatal(err)
	}
	plainly, err := YAML(first.Values(), false)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(plainly) {
		t.Errorf("got\n%s\nwant\n%s", again, plainly)
	}
	nested, err := yaml.Marshal(Nested(first.Values()))
	if err != nil {
		t.Fatal(err)
	}
	if third := read(t, string(nested)); third.Err() != nil || third.Config.HTTP.Addr != ":5001" {
		t.Errorf("got %v of\n%s", third.Err(), nested)
	}
}

func TestDefaultsOfWhatIsOffAreNotShown(t *testing.T) {
	paths := map[string]any{}
	for _, v := range read(t, inMemory+"health: {http: [{uri: 'http://a/'}]}\n").Values() {
		paths[v.Path] = v.Value
	}
	for path, want := range map[string]any{
		"http.addr": ":5000", "http.draintimeout": "30s", "catalog.maxentries": 1000, "log.level": "info", "health.http[0].interval": "10s",
		"storage.maintenance.uploadpurging.age": "168h0m0s", "storage.delete.enabled": false,
		"http.debug.prometheus.path": nil, "proxy.ttl": nil, "http.tls.minimumtls": nil, "redis.db": nil, "health.storagedriver.interval": nil,
		"storage.filesystem.rootdirectory": nil, "storage.cache.blobdescriptorsize": nil,
	} {
		if paths[path] != want {
			t.Errorf("%s: got %v, want %v", path, paths[path], want)
		}
	}
}

func TestQueriesOfURLsHoldNoSecret(t *testing.T) {
	for text, want := range map[string]string{
		"https://h/x?token=sesame&page=2":      "https://h/x?token=***&page=2",
		"https://me:sesame@h/?api%4bey=sesame": "https://me:***@h/?api%4bey=***",
		"https://h/?page=2":                    "https://h/?page=2",
		"what? :// %zz\x7f":                    Masked,
	} {
		if got := withoutPassword(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// TestOriginsBelowWhatIsNotJudged: nothing has a default there.
func TestOriginsBelowWhatIsNotJudged(t *testing.T) {
	d := read(t, "version: 0.1\nstorage:\n  anything:\n    deep: {list: [{number: 2}]}\n")
	for _, v := range d.Values() {
		if v.Path == "storage.anything.deep.list[0].number" {
			if got, want := v.Origin.String(), "config.yml:4"; got != want {
				t.Errorf("origin: got %s, want %s", got, want)
			}
			return
		}
	}
	t.Errorf("the value is not there: %v", d.Values())
}
