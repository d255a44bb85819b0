package config

import (
	"crypto/tls"
	"slices"
	"strings"
)

// This file holds what distribution's types do not say: the sections that it keeps in
// map[string]any, the values a string may have, the defaults, and what is secret.

// lacking are the drivers of distribution that a program of ours may not have.
var lacking = map[string]string{
	"s3": "distribution", "azure": "distribution", "gcs": "distribution",
	"swift": "distribution 2.8", "oss": "distribution 2.8",
}

// ReservedKeys are the keys of the section storage that are no drivers.
func ReservedKeys() []string { return []string{"maintenance", "cache", "delete", "redirect", "tag"} }

func fillStorage(n *Node, known Known) {
	n.Short, n.Always = true, true
	n.Add("maintenance", always(section(
		"uploadpurging", always(section(
			"enabled", &Node{Kind: Bool, Default: true, Lenient: true},
			"age", &Node{Kind: Duration, Default: "168h0m0s", Lenient: true},
			"interval", &Node{Kind: Duration, Default: "24h0m0s", Lenient: true},
			"dryrun", &Node{Kind: Bool, Default: false, Lenient: true},
		)),
		"readonly", always(section("enabled", &Node{Kind: Bool, Default: false})),
	)))
	n.Add("cache", section(
		"blobdescriptor", &Node{Kind: String, Exact: true, Enum: []string{"inmemory", "redis"}, Description: "where descriptors of blobs are cached"},
		"blobdescriptorsize", &Node{Kind: Int, Lenient: true, Default: 10000, Description: "how many descriptors blobdescriptor: inmemory keeps; 0 has no limit"},
		"layerinfo", &Node{Kind: String, Exact: true, Enum: []string{"inmemory", "redis"}, Description: "the former name of blobdescriptor"},
	))
	n.Add("delete", always(section("enabled", &Node{Kind: Bool, Default: false, Description: "whether manifests and blobs may be deleted"})))
	n.Add("redirect", always(section("disable", &Node{Kind: Bool, Default: false, Description: "whether clients are never sent to the storage"})))
	n.Add("tag", section("concurrencylimit", &Node{Kind: Int, Description: "tags that are read at one time when a manifest is deleted"}))
	if known.Drivers == nil {
		n.Open = true
		return
	}
	var names []string
	for _, d := range known.Drivers {
		parameters := d.Parameters
		if parameters == nil {
			parameters = &Node{Kind: Map}
		}
		n.Add(d.Name, parameters)
		names = append(names, d.Name)
	}
	slices.Sort(names)
	list := strings.Join(names, ", ")
	n.Other = "is no driver here; there are " + list
	for name, whose := range lacking {
		if _, have := n.Keys[name]; !have {
			n.Add(name, &Node{Kind: Map, Refused: "is a driver of " + whose + " that is not here; there are " + list})
		}
	}
	slices.Sort(n.Order[len(ReservedKeys()):])
}

func always(n *Node) *Node {
	n.Always = true
	return n
}

func text() *Node { return &Node{Kind: String, Exact: true} }

// signingAlgorithms are those of distribution's access controller "token".
func signingAlgorithms() []string {
	return []string{"EdDSA", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"}
}

func fillAuth(n *Node) {
	n.Short = true
	silly := section("realm", text(), "service", text())
	silly.Required = []string{"realm", "service"}
	silly.Description = "lets in whoever sends an Authorization header: for trying things out only"
	token := section(
		"realm", text(), "service", text(), "issuer", text(), "rootcertbundle", text(), "jwks", text(),
		"autoredirect", &Node{Kind: Bool, Default: false}, "autoredirectpath", text(),
		"signingalgorithms", &Node{Kind: List, Elem: &Node{Kind: String, Exact: true, Enum: signingAlgorithms()}},
	)
	token.Required = []string{"realm", "service", "issuer"}
	htpasswd := section("realm", text(), "path", text())
	htpasswd.Required = []string{"realm", "path"}
	n.Add("silly", silly)
	n.Add("token", token)
	n.Add("htpasswd", htpasswd)
	n.Add("none", section())
	n.Other = "is no way to authenticate here; there are silly, token, htpasswd, none"
}

func fillMiddleware(n *Node, known Known) {
	redirect := section("baseurl", text())
	redirect.Required = []string{"baseurl"}
	variants := map[string]map[string]*Node{
		"registry": {}, "repository": {},
		"storage": {
			"redirect":   redirect,
			"rewrite":    section("scheme", text(), "host", text(), "trimpathprefix", text()),
			"cloudfront": cloudFront(),
		},
	}
	for _, where := range []string{"registry", "repository", "storage"} {
		elem := section("name", &Node{Kind: String}, "disabled", &Node{Kind: Bool, Default: false}, "options", &Node{Kind: Map})
		elem.Required = []string{"name"}
		elem.Variants = variants[where]
		elem.Open = known.Drivers == nil
		n.Add(where, &Node{Kind: List, Elem: elem})
	}
}

// cloudFront are the options of distribution's middleware, which takes durations as text only.
func cloudFront() *Node {
	n := section(
		"baseurl", text(), "privatekey", text(), "keypairid", text(),
		"duration", &Node{Kind: String, Exact: true, Default: "20m0s", Description: "how long an address is good"},
		"ipfilteredby", &Node{Kind: String, Exact: true, Enum: []string{"none", "aws", "awsregion"}, Fold: true, Default: "none", Description: "which clients are sent to the bucket itself"},
		"awsregion", text(), "updatefrequency", &Node{Kind: String, Exact: true, Default: "12h0m0s"}, "iprangesurl", text(),
	)
	n.Required = []string{"baseurl", "privatekey", "keypairid"}
	n.Gone = map[string]string{"updatefrenquency": "is a former spelling; use updatefrequency"}
	return n
}

func fillEnums(root *Node) {
	set := func(path string, fold bool, values ...string) {
		n := root.at(path)
		n.Enum, n.Fold = values, fold
	}
	levels := []string{"error", "warn", "info", "debug"}
	set("version", false, "0.1")
	set("log.level", true, levels...)
	set("loglevel", true, levels...)
	set("log.formatter", false, "text", "json", "logstash")
	set("log.hooks[].type", false, "mail")
	root.at("log.hooks[].levels").Elem = &Node{Kind: String, Fold: true, Enum: append([]string{"panic", "fatal", "trace", "warning"}, levels...)}
	set("http.net", false, "tcp", "unix")
	set("http.tls.minimumtls", false, "tls1.2", "tls1.3")
	set("http.tls.clientauth", false, "request-client-cert", "require-any-client-cert", "verify-client-cert-if-given", "require-and-verify-client-cert")
	root.at("http.tls.ciphersuites").Elem = &Node{Kind: String, Enum: cipherSuites()}
	root.at("notifications.endpoints[].ignore.actions").Elem = &Node{Kind: String, Enum: []string{"pull", "push", "mount", "delete"}}
	set("validation.manifests.indexes.platforms", true, "all", "none", "list")
	root.at("policy.repository.classes").Elem = &Node{Kind: String, Enum: []string{"image", "plugin"}}
	root.at("health.file[].threshold").Refused = "has no effect: a file that exists counts at once; leave it out"
	root.at("log").Always, root.at("log.accesslog").Always = true, true
	root.at("http").Always, root.at("catalog").Always, root.at("tags").Always = true, true, true
	root.at("validation").Always = true
}

// cipherSuites are the names of TLS 1.2's and 1.3's suites that Go knows.
func cipherSuites() []string {
	var out []string
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		out = append(out, s.Name)
	}
	return out
}

// fillDefaults says what counts where nothing is set, for people to read: the code that
// uses a setting has the same value, which the tests compare.
func fillDefaults(root *Node) {
	for path, value := range map[string]any{
		"log.level": "info", "log.formatter": "text", "log.accesslog.disabled": false,
		"http.addr": ":5000", "http.net": "tcp", "http.relativeurls": false, "http.draintimeout": "30s",
		"http.tls.minimumtls":        "tls1.2",
		"http.debug.prometheus.path": "/metrics",
		"catalog.maxentries":         1000, "tags.maxtags": 1000,
		"health.storagedriver.enabled": false, "health.storagedriver.interval": "10s", "health.storagedriver.threshold": 1,
		"health.file[].interval": "10s",
		"health.http[].interval": "10s", "health.http[].statuscode": 200, "health.http[].threshold": 1,
		"health.tcp[].interval": "10s", "health.tcp[].threshold": 1,
		"notifications.endpoints[].timeout": "1s", "notifications.endpoints[].threshold": 10, "notifications.endpoints[].backoff": "1s",
		"proxy.ttl": "168h0m0s", "proxy.cachewritetimeout": "5m0s",
		"validation.disabled": false, "validation.manifests.indexes.platforms": "all",
	} {
		root.at(path).Default = value
	}
}

// fillGone names keys that people still have in their files, and what became of them.
func fillGone(root *Node) {
	root.Gone = map[string]string{
		"compatibility": "is gone since distribution 3, with manifests of schema 1; leave it out",
		"reporting":     "is gone since distribution 3; leave it out",
	}
	root.at("redis").Gone = map[string]string{
		"addr": "is gone since distribution 3; use addrs, a list",
		"pool": "is gone since distribution 3; use poolsize, maxidleconns, connmaxidletime",
	}
	root.at("redis.tls").Gone = map[string]string{
		"enabled": "has no effect, in distribution either: TLS is used once certificate, key or rootcas is set; leave it out",
	}
}

// required are keys that must be set where their section is.
var required = map[string][]string{
	"notifications.endpoints[]": {"name", "url"},
	"health.file[]":             {"file"}, "health.http[]": {"uri"}, "health.tcp[]": {"addr"},
	"proxy":       {"remoteurl"},
	"proxy.exec":  {"command"},
	"log.hooks[]": {"type"},
}

// secrets are never shown. Parameters of drivers and options of middleware are judged by
// their names, see secretName.
var secrets = []string{
	"http.secret",
	"log.hooks[].options.smtp.password",
	"notifications.endpoints[].headers", "health.http[].headers",
	"proxy.password",
	"redis.password", "redis.sentinelpassword",
}

// secretName reports whether a parameter of that name is likely to hold a secret.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"secret", "passw", "token", "credential", "private", "accountkey", "accesskey", "apikey", "signature", "bearer", "connectionstring"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return name == "key" || name == "sas"
}

// IsSecretHeader reports whether a header of that name is likely to hold a secret.
func IsSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return secretName(name) || strings.Contains(name, "auth") || strings.Contains(name, "cookie") || strings.HasSuffix(name, "key")
}
