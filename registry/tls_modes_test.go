package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/registry"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	dir  string
	file string // its own certificate
	pair tls.Certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.file, _, a.pair = a.issue(name, nil, true)
	return a
}

// issue writes a certificate for loopback and the host called name that parent, or itself, signed.
func (a *authority) issue(name string, parent *authority, isCA bool) (certFile, keyFile string, pair tls.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name}, IsCA: isCA, BasicConstraintsValid: true,
	}
	signer, signerKey := template, any(key)
	if parent != nil {
		signer, signerKey = parent.pair.Leaf, parent.pair.PrivateKey
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &key.PublicKey, signerKey)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	certFile, keyFile = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	for file, content := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		a.t.Fatal(err)
	}
	return certFile, keyFile, pair
}

// secure serves with a tls section and returns where.
func secure(t *testing.T, section string) string {
	t.Helper()
	s := speaking(t, "addr: '127.0.0.1:0', "+section)
	return strings.Replace(s.base, "http://", "https://", 1)
}

// try makes one request and returns what was spoken.
func try(t *testing.T, base string, config *tls.Config) (*http.Response, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, TLSHandshakeTimeout: patience}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(r)
	if err == nil {
		response.Body.Close()
	}
	return response, err
}

func TestTLSOfAnAuthorityOfOnesOwn(t *testing.T) {
	a := newAuthority(t, "authority")
	cert, key, _ := a.issue("server", a, false)
	roots := x509.NewCertPool()
	roots.AddCert(a.pair.Leaf)
	files := fmt.Sprintf("certificate: %s, key: %s", cert, key)
	const old = "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"
	for section, c := range map[string]struct {
		from, to uint16 // what the client offers
		suites   []uint16
		want     string // the protocols spoken, or the refusal
	}{
		"tls: {" + files + "}":                                       {0, 0, nil, "304 HTTP/2.0"},
		"tls: {" + files + "}, http2: {disabled: true}":              {0, 0, nil, "304 HTTP/1.1"},
		"tls: {" + files + ", minimumtls: tls1.2}":                   {0, tls.VersionTLS12, nil, "303 HTTP/2.0"},
		"tls: {" + files + ", minimumtls: tls1.2, ciphersuites: []}": {tls.VersionTLS10, tls.VersionTLS11, nil, "protocol version"},
		"tls: {" + files + ", minimumtls: tls1.3}":                   {0, tls.VersionTLS12, nil, "protocol version"},
		"tls: {" + files + ", ciphersuites: [" + old + "]}, http2: {disabled: true}": {
			0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, "303 HTTP/1.1"},
		"tls: {" + files + ", ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]}": {
			0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, "handshake failure"},
	} {
		response, err := try(t, secure(t, section), &tls.Config{RootCAs: roots, MinVersion: c.from, MaxVersion: c.to, CipherSuites: c.suites})
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%x %s", response.TLS.Version, response.Proto)
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %s, want %s", section, got, c.want)
		}
	}
	if _, err := try(t, secure(t, "tls: {"+files+"}"), &tls.Config{RootCAs: x509.NewCertPool()}); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a client that does not know the authority: got %v", err)
	}
}

func TestClientCertificatesAreAskedForAsConfigured(t *testing.T) {
	a, other := newAuthority(t, "authority"), newAuthority(t, "other")
	cert, key, _ := a.issue("server", a, false)
	_, _, known := a.issue("client", a, false)
	_, _, unknown := other.issue("stranger", other, false)
	roots := x509.NewCertPool()
	roots.AddCert(a.pair.Leaf)
	for mode, want := range map[string][3]bool{ // without a certificate, with a known one, with an unknown one
		"": {false, true, false},
		", clientauth: require-and-verify-client-cert": {false, true, false},
		", clientauth: verify-client-cert-if-given":    {true, true, false},
		", clientauth: require-any-client-cert":        {false, true, true},
		", clientauth: request-client-cert":            {true, true, true},
	} {
		base := secure(t, fmt.Sprintf("tls: {certificate: %s, key: %s, clientcas: [%s]%s}", cert, key, a.file, mode))
		for i, certificates := range [][]tls.Certificate{nil, {known}, {unknown}} {
			config := &tls.Config{RootCAs: roots}
			if certificates != nil {
				// Sent whichever authorities the server names.
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
			}
			if _, err := try(t, base, config); (err == nil) != want[i] {
				t.Errorf("%q, certificate %d: got %v, want to be let in: %v", mode, i, err, want[i])
			}
		}
	}
}

// TestLetsEncryptServesWhatIsInItsCache is all that can be shown without a network: a certificate in
// the cache is served, and for a host that is not allowed none is asked for.
func TestLetsEncryptServesWhatIsInItsCache(t *testing.T) {
	a := newAuthority(t, "authority")
	_, _, pair := a.issue("registry.example.com", a, false)
	cache := t.TempDir()
	keyDER, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	content := append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})...)
	if err := os.WriteFile(filepath.Join(cache, "registry.example.com"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	directory := freeAddress(t) // nobody is there: what asks for a certificate fails at once
	config := parse(t, "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: inmemory\nhttp: {secret: s, addr: '127.0.0.1:0', "+
		"tls: {letsencrypt: {cachefile: "+cache+", email: a@example.com, hosts: [registry.example.com], directoryurl: 'https://"+directory+"/directory'}}}\n")
	s := serve(t, registry.Options{Config: config, Driver: newStore(t)})
	defer func() {
		s.stop()
		if err := s.result(); err != nil {
			t.Error(err)
		}
		closeDefaultTransport(t)
	}()
	roots := x509.NewCertPool()
	roots.AddCert(a.pair.Leaf)
	base := strings.Replace(s.base, "http://", "https://", 1)
	if response, err := try(t, base, &tls.Config{RootCAs: roots, ServerName: "registry.example.com"}); err != nil || response.ProtoMajor != 2 {
		t.Errorf("the host in the cache: got %v, %v", response, err)
	}
	if _, err := try(t, base, &tls.Config{RootCAs: roots, ServerName: "elsewhere.example.com"}); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("a host that is not allowed: got %v, want a refused handshake", err)
	}
}
