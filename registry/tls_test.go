package registry_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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

// certificate writes a self-signed certificate for loopback and its key, and returns their
// files and the pair.
func certificate(t *testing.T) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, content := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pair
}

func TestTLSAndClientCertificatesAreHonoured(t *testing.T) {
	certFile, keyFile, pair := certificate(t)
	config := testConfig()
	config.HTTP.TLS.Certificate, config.HTTP.TLS.Key = certFile, keyFile
	config.HTTP.TLS.MinimumTLS = "tls1.3"
	config.HTTP.TLS.ClientCAs = []string{certFile}
	s := serve(t, registry.Options{Config: config, Driver: newStore(t)})
	s.base = strings.Replace(s.base, "http://", "https://", 1)

	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	without := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer without.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := without.RoundTrip(r); err == nil {
		response.Body.Close()
		t.Errorf("without a client certificate: got %s, want a refusal", response.Status)
	}
	s.http = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
	}}
	a := s.do(http.MethodGet, "/v2/", nil, nil, http.StatusOK)
	if a.TLS.Version != tls.VersionTLS13 || a.ProtoMajor != 2 {
		t.Errorf("got TLS %x and %s, want 1.3 and HTTP/2", a.TLS.Version, a.Proto)
	}
	s.http.CloseIdleConnections()
	s.stop()
	if err := s.result(); err != nil {
		t.Error(err)
	}
}
