package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/config"
)

// storageOf is a configuration whose section of the driver wasm is on line 4, indented.
func storageOf(section string) string {
	return "version: 0.1\nstorage:\n  wasm:\n    " + section + "\n"
}

// everyKey has each key of a section once.
const everyKey = `module: /x.wasm
    sha256: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    parameters: {endpoint: "https://a.example"}
    allow:
      - https://b.example
      - origin: https://a.example
        cidr: [10.0.0.0/8, 192.0.2.7, "fd00::/8"]
        tls: {minimum: 1.3}
        redirects: 10
        credential: {name: main, sigv4: {accesskey: AK, secretkey: sesame, sessiontoken: sesame, region: eu-central-1, service: s3}}
      - {origin: "https://c.example", proxy: "http://proxy.example:3128", credential: {azure: {accountname: account, accountkey: c2VzYW1l}}}
      - {origin: "https://d.example", credential: {azure: {sas: sv=2024-01-01&sig=sesame}}}
      - {origin: "https://e.example", credential: {oss: {accesskeyid: AK, accesskeysecret: sesame, region: cn-hangzhou, bucket: b}}}
      - {origin: "https://f.example", credential: {swift: {authurl: "https://keystone.example/v3", username: u, password: sesame, project: p, tempurlkey: sesame}}}
      - {origin: "https://g.example", credential: {oauth2: {tokenurl: "https://token.example/t", clientid: c, clientsecret: sesame, scopes: [a, b]}}}
      - {origin: "https://h.example", credential: {bearer: {token: sesame}}}
      - {origin: "https://i.example", credential: {basic: {username: u, password: sesame}}}
      - {origin: "https://j.example", credential: {header: {name: X-Api-Key, value: sesame}}}
      - {origin: "https://k.example", credential: {awschain: {profile: p, region: us-east-1}}}
    stores:
      blobs: {filesystem: {rootdirectory: /b, layers: {retry: {}}}}
      cache: inmemory
      other: {wasm: {module: /y.wasm, stores: {deep: {inmemory: }}}}
    secrets:
      token: {value: sesame, readable: true}
      salt: {file: /salt, origins: ["https://a.example"]}
      key: {env: KEY, readable: true, origins: ["https://a.example"]}
    limits: {memory: 65536, instances: 2, idleinstances: 1, bodies: 3, requests: 4, response: 5, streams: 6, connect: 1s, firstbyte: 2s, idle: 3s, total: 4s}
    cache: off
    layers: {retry: {}}`

func TestEveryKeyOfAWasmSectionIsAccepted(t *testing.T) {
	path := writeConfig(t, storageOf(everyKey))
	newConsole(t, nil).wantStatus(t, statusOK, []string{"config", "validate", path}, path+": ok")
}

func TestConfigValidateOfAWasmSection(t *testing.T) {
	for section, want := range map[string]string{
		"path: /x.wasm":                     `storage.wasm.path is unknown: the .wasm file is named by "module"`,
		"memory: 1048576":                   "storage.wasm.memory is unknown",
		"instances: 4":                      "storage.wasm.instances is unknown",
		"modul: /x":                         "storage.wasm.modul is unknown; did you mean module?",
		"sha256: abc":                       "storage.wasm.sha256 must be 64 hexadecimal digits",
		"parameters: 5":                     "storage.wasm.parameters must be a map",
		"layers: {limit: {concurrency: 1}}": `storage.wasm has what cannot be used: layers.limit: parameter "concurrency"`,

		"allow: [sesame]":                                                                  "storage.wasm.allow[0] must be an origin and nothing more",
		"allow: [ftp://a]":                                                                 "storage.wasm.allow[0] must be an origin and nothing more",
		"allow: ['https://u:sesame@a']":                                                    "storage.wasm.allow[0] must be an origin and nothing more",
		"allow: [https://a/path]":                                                          "storage.wasm.allow[0] must be an origin and nothing more",
		"allow: [{origin: https://a/path}]":                                                "storage.wasm.allow[0].origin must be an origin and nothing more",
		"allow: [{cidr: [10.0.0.0/8]}]":                                                    "storage.wasm.allow[0].origin is missing",
		"allow: [{origin: https://b, orign: https://a}]":                                   "storage.wasm.allow[0].orign is unknown; did you mean origin?",
		"allow: [[https://a]]":                                                             "storage.wasm.allow[0] must be a section with keys of its own",
		"allow: [https://a, https://A:443/]":                                               "storage.wasm.allow[1].origin is that of allow[0] too",
		"allow: [{origin: https://a, cidr: [10]}]":                                         "storage.wasm.allow[0].cidr[0] must be a network such as 10.0.0.0/8",
		"allow: [{origin: https://a, cidr: [10.0.0.1/8]}]":                                 "storage.wasm.allow[0].cidr[0] is an address with a length, and no network",
		"allow: [{origin: https://a, cidr: ['::ffff:10.0.0.0/104']}]":                      "storage.wasm.allow[0].cidr[0] must be written as IPv4",
		"allow: [{origin: https://a, cidr: ['fe80::1%eth0']}]":                             "storage.wasm.allow[0].cidr[0] must be a network",
		"allow: [{origin: https://a, redirects: 11}]":                                      "storage.wasm.allow[0].redirects must be a whole number from 0 to 10",
		"allow: [{origin: https://a, redirects: -1}]":                                      "storage.wasm.allow[0].redirects must be a whole number from 0 to 10",
		"allow: [{origin: https://a, redirects: some}]":                                    "storage.wasm.allow[0].redirects must be a whole number",
		"allow: [{origin: https://a, proxy: 'https://p'}]":                                 "storage.wasm.allow[0].proxy must be an HTTP proxy",
		"allow: [{origin: https://a, proxy: 'http://p', cidr: 10.0.0.0/8}]":                "storage.wasm.allow[0].cidr has no effect with a proxy",
		"allow: [{origin: http://a, proxy: 'http://p', credential: {bearer: {token: t}}}]": "storage.wasm.allow[0].proxy would see the credential",
		"allow: [{origin: http://a, tls: {minimum: 1.2}}]":                                 "storage.wasm.allow[0].tls has no effect: the origin is of http",
		"allow: [{origin: https://a, tls: {certificate: /c}}]":                             "storage.wasm.allow[0].tls has one of certificate and key; set both or none",
		"allow: [{origin: https://a, tls: {minimum: 1.1}}]":                                "storage.wasm.allow[0].tls.minimum must be 1.2 or 1.3",
		"allow: [{origin: https://a, tls: {ca: /missing.pem}}]":                            "storage.wasm.allow[0] has what cannot be used: the rule for https://a:443: the CA file: open /missing.pem",
		"sha256: ": "storage.wasm.sha256 is empty: give it a value, or leave the key out",
		"allow: [{origin: https://a, tls: {ca: }}]":       "storage.wasm.allow[0].tls.ca is empty: give it a value, or leave the key out",
		"allow: [{origin: https://a, tls: {ciphers: x}}]": "storage.wasm.allow[0].tls.ciphers is unknown",

		"allow: [{origin: https://a, credential: {name: x}}]":                                        "storage.wasm.allow[0].credential must have exactly one of the schemes awschain, azure, basic, bearer, header, oauth2, oss, sigv4, swift",
		"allow: [{origin: https://a, credential: {bearer: {token: x}, oss: {}}}]":                    "storage.wasm.allow[0].credential must have exactly one of the schemes",
		"allow: [{origin: https://a, credential: }]":                                                 "storage.wasm.allow[0].credential is empty: say what requests are signed with, or leave the key out for none",
		"allow: [{origin: https://a, credential: {}}]":                                               "storage.wasm.allow[0].credential is empty",
		"allow: [{origin: https://a, credential: ''}]":                                               "storage.wasm.allow[0].credential must be a section",
		"allow: [{origin: https://a, credential: {kerberos: {}}}]":                                   "storage.wasm.allow[0].credential.kerberos is unknown",
		"allow: [{origin: https://a, credential: {name: 'No Name', bearer: {token: x}}}]":            "storage.wasm.allow[0].credential.name is no name",
		"allow: [{origin: https://a, credential: {bearer: }}]":                                       "storage.wasm.allow[0].credential.bearer has what cannot be used: parameter \"token\"",
		"allow: [{origin: https://a, credential: {bearer: {token: a sesame}}}]":                      "storage.wasm.allow[0].credential.bearer has what cannot be used: parameter \"token\"",
		"allow: [{origin: https://a, credential: {bearer: {tokn: sesame}}}]":                         "storage.wasm.allow[0].credential.bearer.tokn is unknown; did you mean token?",
		"allow: [{origin: https://a, credential: {basic: {username: 'a:b', password: sesame}}}]":     "storage.wasm.allow[0].credential.basic has what cannot be used",
		"allow: [{origin: https://a, credential: {header: {name: Host, value: sesame}}}]":            "storage.wasm.allow[0].credential.header has what cannot be used: parameter \"name\"",
		"allow: [{origin: https://a, credential: {sigv4: {accesskey: a, secretkey: sesame}}}]":       "storage.wasm.allow[0].credential.sigv4 has what cannot be used: parameter \"region\"",
		"allow: [{origin: https://a, credential: {azure: {accountname: acc, accountkey: se-same}}}]": "storage.wasm.allow[0].credential.azure has what cannot be used: parameter \"accountkey\"",
		"allow: [{origin: https://a, credential: {oss: {accesskeyid: a, accesskeysecret: sesame}}}]": "storage.wasm.allow[0].credential.oss has what cannot be used",
		"allow: [{origin: https://a, credential: {swift: {authurl: sesame}}}]":                       "storage.wasm.allow[0].credential.swift has what cannot be used: parameter \"authurl\"",
		"allow: [{origin: https://a, credential: {oauth2: {tokenurl: sesame}}}]":                     "storage.wasm.allow[0].credential.oauth2 has what cannot be used",

		"stores: {Upper: inmemory}":                                      "storage.wasm.stores.Upper is no name",
		"stores: {a: nosuch}":                                            "storage.wasm.stores.a.nosuch is no driver here; there are filesystem, inmemory, ipc, s3, s3aws, wasm",
		"stores: {a: {nosuch: {}}}":                                      "storage.wasm.stores.a.nosuch is no driver here; there are filesystem, inmemory, ipc, s3, s3aws, wasm",
		"stores: {a: {inmemory: , filesystem: }}":                        "storage.wasm.stores.a must name exactly one driver",
		"stores: {a: {}}":                                                "storage.wasm.stores.a must name exactly one driver",
		"stores: {a: {filesystem: {rootdirectry: /}}}":                   "storage.wasm.stores.a.filesystem.rootdirectry is unknown; did you mean rootdirectory?",
		"stores: {a: {filesystem: {layers: {limit: {concurrency: 1}}}}}": "storage.wasm.stores.a.filesystem has what cannot be used: layers.limit",
		"stores: {a: {wasm: {limits: {memory: 1}}}}":                     "storage.wasm.stores.a.wasm.limits.memory must be a whole number from 65536 to 4294901760",
		"stores: {a: {wasm: {stores: {b: {wasm: {allow: [{origin: http://a, redirects: 99}]}}}}}}": "storage.wasm.stores.a.wasm.stores.b.wasm.allow[0].redirects must be",
		"stores: {a: " + strings.Repeat("{wasm: {stores: {a: ", 8) + "inmemory" + strings.Repeat("}}}", 8) + "}": "storage.wasm.stores.a" +
			strings.Repeat(".wasm.stores.a", 7) + ".wasm.stores is too deep: stores may have stores at most 8 deep",

		"secrets: {UP: {value: sesame, readable: true}}":                                     "storage.wasm.secrets.UP is no name",
		"secrets: {a: sesame}":                                                               "storage.wasm.secrets.a must be a section",
		"secrets: {a: {readable: true}}":                                                     "storage.wasm.secrets.a must have exactly one of value, file and env",
		"secrets: {a: {value: sesame, env: A, readable: true}}":                              "storage.wasm.secrets.a must have exactly one of value, file and env",
		"secrets: {a: {value: '', readable: true}}":                                          "storage.wasm.secrets.a.value is empty",
		"secrets: {a: {value: sesame}}":                                                      "storage.wasm.secrets.a is of no use: set readable: true, or origins",
		"secrets: {a: {value: sesame, readable: maybe}}":                                     "storage.wasm.secrets.a.readable must be true or false",
		"secrets: {a: {value: sesame, origins: [a]}}":                                        "storage.wasm.secrets.a.origins[0] must be an origin",
		"secrets: {a: {env: 'a-sesame', readable: true}}":                                    "storage.wasm.secrets.a.env must be the name of a variable: letters, digits and '_', and no digit first",
		"secrets: {a: {env: '9SESAME', readable: true}}":                                     "storage.wasm.secrets.a.env must be the name of a variable",
		"secrets: {a: {env: '', readable: true}}":                                            "storage.wasm.secrets.a.env must be the name of a variable",
		"secrets: {a: {value: sesame, readable: true, origins: [https://b]}}":                "storage.wasm.secrets.a.origins[0] is of no use: https://b:443 is not under allow",
		"{allow: [http://a], secrets: {a: {value: sesame, origins: [http://a, https://a]}}}": "storage.wasm.secrets.a.origins[1] is of no use: https://a:443 is not under allow",
		"secrets: {a: {vale: sesame}}":                                                       "storage.wasm.secrets.a.vale is unknown; did you mean value?",

		"limits: {fuel: 5}":        "storage.wasm.limits.fuel is unknown; there are bodies, connect, firstbyte, idle, idleinstances, instances, memory, requests, response, streams, total",
		"limits: {stack: 5}":       "storage.wasm.limits.stack is unknown; there are",
		"limits: {memory: 65535}":  "storage.wasm.limits.memory must be a whole number from 65536 to 4294901760, or 0 for the default",
		"limits: {memory: plenty}": "storage.wasm.limits.memory must be a whole number",
		"limits: {instances: -1}":  "storage.wasm.limits.instances must not be negative",
		"limits: {connect: 5}":     "storage.wasm.limits.connect must be a duration such as 30s",
		"limits: {idle: soon}":     "storage.wasm.limits.idle must be a duration such as 30s",
		"limits: {total: -1s}":     "storage.wasm.limits.total must not be negative",
		"limits: {response: -5}":   "storage.wasm.limits.response must not be negative",
		"limits: 5":                "storage.wasm.limits must be a section",
	} {
		t.Run(section, func(t *testing.T) {
			path := writeConfig(t, storageOf(section))
			c := newConsole(t, nil)
			line := 4
			if strings.HasPrefix(want, "storage.wasm has") {
				line = 3
			}
			c.wantStatus(t, statusUsage, []string{"config", "validate", path}, fmt.Sprintf("%s:%d: %s", path, line, want), "there is 1 problem")
			if strings.Contains(strings.ReplaceAll(c.out.String(), path, ""), "sesame") {
				t.Errorf("a value is repeated: %s", &c.out)
			}
			newConsole(t, nil).wantStatus(t, statusUsage, []string{"serve", path}, want)
		})
	}
}

// TestWasmSectionsAreRefusedWithoutAFile has what is wrong with sections that no file holds, as those of a program's own.
func TestWasmSectionsAreRefusedWithoutAFile(t *testing.T) {
	c := newConsole(t, nil).app.compose()
	type m = map[string]any
	for want, section := range map[string]m{
		`wasm: Open: invalid argument: parameter "module" is missing: it names the .wasm file`:                                     {},
		`unknown parameter "path": the .wasm file is named by "module"`:                                                            {"path": "x"},
		`unknown parameter "memory": allowed are allow, cache, limits, module, parameters, secrets, sha256, stores`:                {"memory": 5},
		`allow[0] has what cannot be used: unknown parameter "orign": allowed are cidr, credential, origin, proxy, redirects, tls`: {"allow": []any{m{"orign": "a"}}},
		`allow[0] must be a section with keys of its own`:                                                                          {"allow": []any{[]any{}}},
		`limits has what cannot be used: unknown parameter "fuel": allowed are bodies, connect, firstbyte`:                         {"limits": m{"fuel": 5}},
		`stores.a.inmemory must be a section`:                                                                                      {"stores": m{"a": m{"inmemory": 5}}},
		`secrets.a must have exactly one of value, file and env; secrets.b must have exactly one`:                                  {"secrets": m{"a": m{"readable": true}, "b": m{"readable": true}}},
	} {
		_, err := c.Create(t.Context(), wasmDriver, section)
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestWasmSectionFromVariables has every part of a section that the file has not.
func TestWasmSectionFromVariables(t *testing.T) {
	path := writeConfig(t, "version: 0.1\nstorage:\n  wasm:\n    module: /x.wasm\n")
	for name, value := range map[string]string{
		"PARAMETERS_ENDPOINT": "https://a.example", "ALLOW_0": "https://a.example",
		"ALLOW_1_ORIGIN": "https://b.example", "ALLOW_1_CIDR_0": "10.0.0.0/8", "ALLOW_1_CIDR_1": "fd00::/8",
		"ALLOW_1_CREDENTIAL_BEARER_TOKEN": "sesame", "ALLOW_1_TLS_MINIMUM": "1.3",
		"STORES_BLOBS_FILESYSTEM_ROOTDIRECTORY": "/b", "SECRETS_KEY_ENV": "KEY", "SECRETS_KEY_ORIGINS_0": "https://a.example", "LIMITS_TOTAL": "5m",
	} {
		t.Setenv("REGISTRY_STORAGE_WASM_"+name, value)
	}
	a := newConsole(t, nil).app
	d, err := a.readConfig([]string{path})
	if err != nil || d.Err() != nil {
		t.Fatal(err, d.Err())
	}
	s, err := parseNamedSandbox(d.Config.Storage["wasm"])
	if err != nil {
		t.Fatal(err)
	}
	if len(s.rules) != 2 || s.rules[1].Origin != "https://b.example:443" || len(s.rules[1].Networks) != 2 || s.rules[1].TLS.MinVersion != "1.3" ||
		s.rules[1].credential.scheme != "bearer" || s.rules[1].credential.name != "storage" || len(s.stores) != 1 || s.stores[0].driver != "filesystem" ||
		len(s.secrets) != 1 || s.secrets[0].Env != "KEY" || len(s.secrets[0].Origins) != 1 || s.limits.Total.String() != "5m0s" || s.Parameters["endpoint"] != "https://a.example" {
		t.Errorf("got %+v", s)
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", path, "--origin"}, "- https://a.example # REGISTRY_STORAGE_WASM_ALLOW_0", "token: '***' # REGISTRY_STORAGE_WASM_ALLOW_1_CREDENTIAL_BEARER_TOKEN")

	inFile := writeConfig(t, storageOf("allow: [https://a.example]"))
	newConsole(t, nil).wantStatus(t, statusUsage, []string{"config", "validate", inFile},
		"REGISTRY_STORAGE_WASM_ALLOW_0: storage.wasm.allow[0] has no effect, in distribution either, where the file has storage.wasm.allow; set it there")
}

// TestWasmSectionFromVariablesWithoutTheFirst says that it is the first that is missing.
func TestWasmSectionFromVariablesWithoutTheFirst(t *testing.T) {
	t.Setenv("REGISTRY_STORAGE_WASM_ALLOW_1_ORIGIN", "https://a.example")
	c := newConsole(t, nil)
	c.wantStatus(t, statusUsage, []string{"config", "validate", writeConfig(t, storageOf("module: /x.wasm"))}, "there is 1 problem",
		"REGISTRY_STORAGE_WASM_ALLOW_1_ORIGIN: storage.wasm.allow[1].origin leaves a gap: nothing sets storage.wasm.allow[0]; count the elements of a list from 0")
}

func TestConfigShowOfAWasmSection(t *testing.T) {
	path := writeConfig(t, storageOf(everyKey))
	for _, f := range []string{"yaml", "json", "table"} {
		c := newConsole(t, nil)
		c.wantStatus(t, statusOK, []string{"config", "show", path, "--origin", "-o", f}, "***", "/salt", "KEY", "https://token.example/t", "keystone.example", "filesystem", "65536")
		if strings.Contains(c.out.String(), "sesame") || strings.Contains(c.out.String(), "c2VzYW1l") {
			t.Errorf("%s: a secret is shown: %s", f, &c.out)
		}
	}
	c := newConsole(t, nil)
	c.wantStatus(t, statusOK, []string{"config", "show", writeConfig(t, storageOf("module: /x.wasm")), "-o", "table"})
	for _, want := range []string{"storage.wasm.limits.memory", "268435456", "storage.wasm.limits.firstbyte", "2m0s"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("want the default %q in\n%s", want, &c.out)
		}
	}
	for _, none := range []string{"credential", "tls", "rootdirectory"} {
		if strings.Contains(c.out.String(), none) {
			t.Errorf("want nothing of %q, which is not set, in\n%s", none, &c.out)
		}
	}
}

// TestEverySecretOfASchemeIsMarked looks for parameters that hold a secret by their names and are not marked as one.
func TestEverySecretOfASchemeIsMarked(t *testing.T) {
	n := credentialSection()
	for name := range schemes() {
		for key, child := range n.Keys[name].Keys {
			secret := strings.Contains(key, "secret") || strings.Contains(key, "password") || strings.HasSuffix(key, "token") || key == "sas" ||
				key == "accountkey" || key == "secretkey" || key == "tempurlkey" || name+"."+key == "header.value"
			if secret != child.Secret {
				t.Errorf("%s.%s: want secret %v, got %v", name, key, secret, child.Secret)
			}
		}
	}
}

// TestLimitsAreRuntimes has the page tell the defaults.
func TestLimitsAreRuntimes(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range limitGrants(limitsConfig{}) {
		value := fmt.Sprint(l.Value)
		if value == "0" || value == "0s" {
			value = "none"
		}
		value = strings.TrimSuffix(value, "0s")
		if value == "1" {
			value = "10s"
		}
		if row := fmt.Sprintf("| `%s` | %s", l.Name, value); !strings.Contains(string(page), row) {
			t.Errorf("docs/configuration.md has no row %q", row)
		}
	}
	if n := config.OfParameters(defaultLimits()); len(n.Keys) != len(limitGrants(limitsConfig{})) {
		t.Errorf("there are %d limits, and %d are shown", len(n.Keys), len(limitGrants(limitsConfig{})))
	}
}
