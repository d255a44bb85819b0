package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

func (d *Document) httpRules() {
	h := d.Config.HTTP
	switch {
	case h.Net == "unix" && h.Addr == "":
		d.refuse("http.addr", "is missing; with net: unix it is the socket's file")
	case h.Net != "unix" && h.Addr != "":
		d.hostPort("http.addr", h.Addr)
	}
	if h.Host != "" {
		if u, err := url.Parse(h.Host); err != nil || u.Scheme == "" || u.Host == "" {
			d.refuse("http.host", "must be a URL such as https://registry.example.com: without a scheme it would have no effect")
		}
	}
	if h.Prefix != "" && (!strings.HasPrefix(h.Prefix, "/") || !strings.HasSuffix(h.Prefix, "/")) {
		d.refuse("http.prefix", "must begin and end with a slash, as /registry/")
	}
	if h.DrainTimeout < 0 {
		d.refuse("http.draintimeout", "must not be negative")
	}
	debug := h.Debug
	if debug.Addr != "" {
		d.hostPort("http.debug.addr", debug.Addr)
	}
	if debug.Prometheus.Enabled && debug.Addr == "" {
		d.refuse("http.debug.prometheus.enabled", "needs http.debug.addr, where metrics are served")
	}
	if path := debug.Prometheus.Path; path != "" && (path[0] != '/' || path == "/" || strings.HasPrefix(path, "/debug/") || strings.ContainsAny(path, "{} ")) {
		d.refuse("http.debug.prometheus.path", "must be a path such as /metrics, outside of /debug/")
	}
}

func (d *Document) hostPort(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		d.refuse(path, "must be HOST:PORT")
		return
	}
	if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > 65535) {
		d.refuse(path, "has a port above 65535")
	}
}

func (d *Document) tlsRules() {
	s := d.Config.HTTP.TLS
	acme := s.LetsEncrypt
	switch {
	case s.Certificate != "" && acme.CacheFile != "":
		d.refuse("http.tls.letsencrypt", "and certificate exclude each other; leave one")
	case s.Certificate == "" && acme.CacheFile == "" && d.isSetWithin("http.tls"):
		for _, path := range []string{"letsencrypt", "key", "clientcas", "clientauth", "minimumtls", "ciphersuites"} {
			if d.isSetWithin("http.tls." + path) {
				d.refuse("http.tls."+path, "has no effect, and there is no TLS: set certificate and key, or letsencrypt.cachefile")
				break
			}
		}
	case s.Certificate != "" && s.Key == "":
		d.refuse("http.tls.key", "is missing")
	case s.Certificate != "":
		if _, err := tls.LoadX509KeyPair(s.Certificate, s.Key); err != nil {
			d.refuse("http.tls.certificate", "cannot be used with key: %v", err)
		}
	case acme.CacheFile != "" && len(acme.Hosts) == 0:
		d.caution("http.tls.letsencrypt.hosts", "is missing: no certificate is asked for, only those in cachefile are used")
	}
	d.authorities("http.tls.clientcas", s.ClientCAs)
	if s.ClientAuth != "" && len(s.ClientCAs) == 0 && (s.Certificate != "" || acme.CacheFile != "") {
		d.refuse("http.tls.clientauth", "has no effect without clientcas: every client would be let in")
	}
	if s.MinimumTLS == "tls1.3" && len(s.CipherSuites) > 0 {
		d.caution("http.tls.ciphersuites", "has no effect with minimumtls: tls1.3")
	}
}

// authorities refuses files that hold no certificate.
func (d *Document) authorities(path string, files []string) {
	for i, file := range files {
		at := fmt.Sprintf("%s[%d]", path, i)
		pem, err := os.ReadFile(file)
		switch {
		case err != nil:
			d.refuse(at, "cannot be read: %v", err)
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			d.refuse(at, "names %s, which holds no certificate in PEM", file)
		}
	}
}

func (d *Document) redisRules() {
	r := d.Config.Redis
	if d.isSetWithin("redis") && len(r.Options.Addrs) == 0 {
		d.refuse("redis.addrs", "is missing")
	}
	if (r.TLS.Certificate == "") != (r.TLS.Key == "") {
		d.refuse("redis.tls", "has one of certificate and key; set both or none")
	} else if r.TLS.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(r.TLS.Certificate, r.TLS.Key); err != nil {
			d.refuse("redis.tls.certificate", "cannot be used with key: %v", err)
		}
	}
	d.authorities("redis.tls.rootcas", r.TLS.RootCAs)
}

func (d *Document) healthRules() {
	h := d.Config.Health
	seen := map[string]bool{}
	once := func(path, name string) {
		if name != "" && seen[name] {
			d.refuse(path, "is checked twice")
		}
		seen[name] = true
	}
	for i, c := range h.FileCheckers {
		once(fmt.Sprintf("health.file[%d].file", i), c.File)
	}
	for i, c := range h.HTTPCheckers {
		path := fmt.Sprintf("health.http[%d].uri", i)
		once(path, c.URI)
		if c.URI != "" {
			d.httpURL(path, c.URI)
		}
	}
	for i, c := range h.TCPCheckers {
		path := fmt.Sprintf("health.tcp[%d].addr", i)
		once(path, c.Addr)
		if c.Addr != "" {
			d.hostPort(path, c.Addr)
		}
	}
}
