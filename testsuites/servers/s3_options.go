package servers

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
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// S3Options say how a service differs from the one that StartS3 starts.
type S3Options struct {
	// Env is added to the service's environment, KEY=VALUE.
	Env []string
	// TLS has the service speak TLS alone, on 127.0.0.1, with a certificate of its own: that in the CAFile of what StartS3With
	// returns. minio alone has it.
	TLS bool
}

// StartS3With is StartS3 with options.
func StartS3With(t testing.TB, name, variable string, o S3Options) S3 {
	t.Helper()
	program := os.Getenv(variable)
	if program == "" {
		var err error
		if program, err = exec.LookPath(name); err != nil {
			t.Fatalf("set %s to the program, which 'make tools' builds: %v", variable, err)
		}
	}
	s := S3{AccessKey: "berth-test-access", SecretKey: "berth/test+secret-key-of-a-server"}
	env := append([]string{variable + "=" + program, "ACCESS_KEY=" + s.AccessKey, "SECRET_KEY=" + s.SecretKey}, o.Env...)
	if !o.TLS {
		s.URL = Start(t, name+".sh", env...)
		return s
	}
	folder := t.TempDir()
	s.CAFile = makeCertificate(t, folder)
	s.http = trusting(t, s.CAFile)
	s.URL = "https" + strings.TrimPrefix(Start(t, name+".sh", append(env, "CERTS="+folder)...), "http")
	return s
}

// makeCertificate makes a certificate for 127.0.0.1, and its key, in files of the names that minio looks for, and returns the certificate's.
func makeCertificate(t testing.TB, folder string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a service of the tests"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"public.crt": {Type: "CERTIFICATE", Bytes: certificate}, "private.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "public.crt")
}

// trusting returns a client that trusts the certificate in a file alone. Its connections are closed when the test ends.
func trusting(t testing.TB, file string) *http.Client {
	t.Helper()
	certificate, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(certificate) {
		t.Fatalf("%s has no certificate", file)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// HTTP returns a client that trusts the service's certificate. It needs no closing.
func (s S3) HTTP() *http.Client {
	if s.http != nil {
		return s.http
	}
	return http.DefaultClient
}
