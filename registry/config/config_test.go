package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

// files is a driver's parameters.
type files struct {
	Root    string         `parameter:"rootdirectory"`
	Threads int64          `parameter:"maxthreads"`
	Wait    time.Duration  `parameter:"wait"`
	List    []string       `parameter:"list"`
	Retry   retry          `parameter:"retry"`
	Pass    string         `parameter:"password"`
	Free    map[string]any `parameter:"parameters"`
}

type retry struct {
	Attempts int  `parameter:"attempts"`
	On       bool `parameter:"enabled"`
}

func testTree() *Tree {
	return New(Known{Drivers: []Driver{
		{Name: "filesystem", Parameters: OfParameters(files{Root: "/var/lib/registry", Threads: 100, Wait: time.Second, Retry: retry{Attempts: 3}})},
		{Name: "inmemory", Parameters: OfParameters(struct{}{})},
		{Name: "anything"},
	}})
}

func read(t *testing.T, text string) *Document {
	t.Helper()
	d, err := testTree().Read(strings.NewReader(text), "config.yml")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func expectProblems(t *testing.T, d *Document, want ...string) {
	t.Helper()
	var got []string
	for _, p := range d.Problems {
		got = append(got, p.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAllProblemsComeAtOnceInOrder(t *testing.T) {
	t.Setenv("REGISTRY_HTTP_DRAINTIMEOUT", "soon")
	t.Setenv("REGISTRY_HTTP_ADRR", ":5000")
	d := read(t, `version: 0.1
storage:
  filesystem:
    rootdirectry: /x
    maxthreads: many
    wait: 3
    retry: {atempts: 3, enabled: perhaps}
  inmemory: {key: 1}
  delete: {enabled: "true"}
http:
  tls:
    clientauth: maybe
  addr: [1]
  debug: 5
  headers: {A: b}
  draintimeout: 5
redis:
  poolsize: 1.5
  addrs: {a: b}
http: {}
auth: token
notifications: {endpoints: {name: x}}
`)
	expectProblems(t, d,
		"config.yml:4: storage.filesystem.rootdirectry is unknown; did you mean rootdirectory?",
		"config.yml:5: storage.filesystem.maxthreads must be a whole number",
		"config.yml:6: storage.filesystem.wait must be a duration such as 30s or 2h45m",
		"config.yml:7: storage.filesystem.retry.atempts is unknown; did you mean attempts?",
		"config.yml:7: storage.filesystem.retry.enabled must be true or false, without quotes",
		"config.yml:8: storage.inmemory.key is unknown; nothing can be set here",
		"config.yml:9: storage.delete.enabled must be true or false, without quotes",
		"config.yml:12: http.tls.clientauth is none of request-client-cert, require-any-client-cert, verify-client-cert-if-given, require-and-verify-client-cert",
		"config.yml:13: http.addr must be text",
		"config.yml:14: http.debug must be a section with keys of its own: addr, prometheus",
		"config.yml:15: http.headers.A must be a list",
		"config.yml:16: warning: http.draintimeout has no unit, so it is nanoseconds; write for example 30s",
		"config.yml:18: redis.poolsize must be a whole number",
		"config.yml:19: redis.addrs must be a list",
		"config.yml:20: http is set twice; line 10 has it already",
		"config.yml:22: notifications.endpoints must be a list",
		"REGISTRY_HTTP_ADRR: is unknown; did you mean REGISTRY_HTTP_ADDR?",
		"REGISTRY_HTTP_DRAINTIMEOUT: http.draintimeout must be a duration such as 30s or 2h45m",
	)
	err := d.Err()
	if !errors.Is(err, fs.ErrInvalid) || err.Error() != "config.yml:4: storage.filesystem.rootdirectry is unknown; did you mean rootdirectory? (and 16 more: 'berth config validate' lists them)" {
		t.Errorf("got %v", err)
	}
}

func TestYAMLIsReadAsDistributionReadsIt(t *testing.T) {
	for text, want := range map[string][]string{
		"version: 0.1\nstorage: inmemory\nhttp: {relativeurls: yes, http2: {disabled: off}}\n":                   nil,
		"version: '0.1'\nstorage: {inmemory: }\nhttp:\n":                                                         nil,
		"base: &base {rootdirectory: /x}\nversion: 0.1\nstorage: {filesystem: *base}\n":                          {"config.yml:1: base is unknown; there are "},
		"version: 0.1\nhttp: &h {addr: ':1'}\nstorage: {filesystem: {<<: {rootdirectory: /x}, maxthreads: 3}}\n": nil,
		"version: 0.1\nstorage: {filesystem: {<<: {rootdirectry: /x}}}\n":                                        {"config.yml:2: storage.filesystem.rootdirectry is unknown; did you mean rootdirectory?"},
		"version: 0.1\nstorage: {anything: &x {a: *x}}\n":                                                        {"config.yml: is not YAML: anchor 'x' value contains itself"},
		"version: 0.1\nstorage: {anything: {a: {b: [1, {c: 2}]}}}\n":                                             nil,
		"version: [\n":                          {"config.yml:1: is not YAML: did not find expected node content"},
		"":                                      {"config.yml: is empty; it needs at least version and storage"},
		"# nothing\n":                           {"config.yml: is empty; it needs at least version and storage"},
		"5\n":                                   {"config.yml:1: is no map; it needs at least version and storage"},
		"storage: inmemory\n":                   {"config.yml: version is missing; write version: 0.1"},
		"version: 0.2\nstorage: inmemory\n":     {"config.yml:1: version must be 0.1"},
		"version: 0.1\n":                        {"config.yml: storage is missing; name a driver, for example filesystem"},
		"version: 0.1\nstorage: filesytem\n":    {"config.yml:2: storage.filesytem is unknown; did you mean filesystem?"},
		"version: 0.1\nstorage: s3\n":           {"config.yml:2: storage.s3 is a driver of distribution that is not here; there are anything, filesystem, inmemory"},
		"version: 0.1\nstorage: {delete: {}}\n": {"config.yml:2: storage names no driver; name one, for example filesystem"},
		"version: 0.1\nstorage: {inmemory: , filesystem: }\n":                              {"config.yml: with the REGISTRY_* variables of the environment: must provide exactly one storage type. Provided: [", ""},
		"version: 0.1\nstorage: inmemory\nauth: {none: , silly: {realm: a, service: b}}\n": {"config.yml: with the REGISTRY_* variables of the environment: must provide exactly one type."},
	} {
		d := read(t, text)
		if len(d.Problems) == 0 && len(want) == 0 {
			continue
		}
		if len(d.Problems) == 0 || len(want) == 0 || !strings.HasPrefix(d.Problems[0].String(), want[0]) {
			t.Errorf("%q:\ngot  %v\nwant %q", text, d.Problems, want)
		}
	}
}

// TestProblemsHoldNoSecret has a wrong value in each place that may hold a secret.
func TestProblemsHoldNoSecret(t *testing.T) {
	const secret = "sesame"
	for _, text := range []string{
		"http: {secret: [" + secret + "]}", "redis: {password: {a: " + secret + "}, addrs: [a]}", "redis: {addrs: [a], db: " + secret + "}",
		"proxy: {remoteurl: '" + secret + "://u:" + secret + "@h'}", "notifications: {endpoints: [{name: a, url: 'ftp://u:" + secret + "@h'}]}",
		"health: {http: [{uri: '" + secret + "'}]}", "log: {level: " + secret + "}", "http: {draintimeout: " + secret + "}", "http: " + secret,
		"auth: {token: {realm: {a: " + secret + "}}}", "http: {host: '" + secret + "'}", "http: {addr: '" + secret + "'}",
	} {
		d := read(t, "version: 0.1\nstorage: inmemory\n"+text+"\n")
		if d.Err() == nil {
			t.Errorf("%s: got no problem", text)
		}
		for _, p := range d.Problems {
			if strings.Contains(p.String(), secret) {
				t.Errorf("%s: the problem holds the value: %s", text, p)
			}
		}
	}
}

func TestSlipsAreRecognised(t *testing.T) {
	candidates := []string{"addr", "net", "host", "prefix", "rootdirectory", "maxthreads", "uploadpurging"}
	for name, want := range map[string]string{
		"adr": "addr", "adrr": "addr", "daddr": "addr", "rootDirectory": "rootdirectory", "root_directory": "rootdirectory",
		"rootdir": "", "maxthread": "maxthreads", "uploadpruging": "uploadpurging", "tls": "", "port": "", "nte": "net", "x": "",
	} {
		if got := nearest(name, candidates); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestAFileHasOneDocument(t *testing.T) {
	expectProblems(t, read(t, inMemory+"---\nhttp: {addr: ':5000'}\n"), "config.yml:3: holds a second document, which is not read; keep one")
	expectProblems(t, read(t, inMemory+"---\n: [\n"), "config.yml: holds a second document, which is not read; keep one")
	expectProblems(t, read(t, inMemory+"---\n# nothing\n"))
}

func TestValuesThatCannotBe(t *testing.T) {
	expectProblems(t, read(t, "version: 0.2\nstorage: inmemory\nhttp: {addr: '127.0.0.1:99999'}\n"), "config.yml:1: version must be 0.1")
	expectProblems(t, read(t, inMemory+"http: {addr: '127.0.0.1:99999'}\n"), "config.yml:3: http.addr has a port above 65535")
}

func TestAnHtpasswdThatIsAFolder(t *testing.T) {
	d := read(t, inMemory+"auth: {htpasswd: {realm: r, path: '"+t.TempDir()+"'}}\n")
	expectProblems(t, d, "config.yml:3: auth.htpasswd.path names a folder; name a file, which is made where it is missing")
}
