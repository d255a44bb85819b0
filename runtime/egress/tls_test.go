package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// authority makes certificates that nobody else trusts.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // of its certificate
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	c := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, a.key = c.Leaf, c.PrivateKey.(*ecdsa.PrivateKey)
	a.file = a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) issue(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) write(name, kind string, raw []byte) string {
	a.t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// server is the configuration of one that has these names and addresses.
func (a *authority) server(names ...string) *tls.Config {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	return &tls.Config{Certificates: []tls.Certificate{a.issue(template)}}
}

// clientFiles are those of a client's certificate.
func (a *authority) clientFiles(name string) (certFile, keyFile string) {
	c := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", c.Leaf.Raw), a.write(name+".key", "PRIVATE KEY", key)
}

// serveTLS is a server that says which name it was asked for, and who asks.
func serveTLS(t *testing.T, cfg *tls.Config) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = io.WriteString(w, r.TLS.ServerName+" "+r.Host+" "+who)
	}))
	s.TLS, s.Config.ErrorLog = cfg, log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestTLSFollowsTheRule(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	cert, key := ca.clientFiles("driver")
	plain := serveTLS(t, ca.server("store.example", "127.0.0.1"))
	mutual := ca.server("store.example", "127.0.0.1")
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
	mutual.ClientCAs.AddCert(ca.cert)
	asks := serveTLS(t, mutual)
	old := ca.server("store.example", "127.0.0.1")
	old.MaxVersion = tls.VersionTLS12
	dated := serveTLS(t, old)
	ancient := ca.server("store.example", "127.0.0.1")
	ancient.MinVersion, ancient.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	past := serveTLS(t, ancient)
	for _, c := range []struct {
		name   string
		s      *httptest.Server
		host   string
		tls    TLS
		answer string
		err    string
		stays  bool
	}{
		{"our CA", plain, "127.0.0.1", TLS{CAFile: ca.file}, " 127.0.0.1:PORT nobody", "", false},
		{"the name, however it is written", plain, "Store.Example.", TLS{CAFile: ca.file}, "store.example store.example:PORT nobody", "", false},
		{"the system's CAs", plain, "127.0.0.1", TLS{}, "", `unknown authority (name who vouches for it under "tls" in the origin's rule)`, true},
		{"another CA", plain, "127.0.0.1", TLS{CAFile: other.file}, "", "unknown authority", true},
		{"another name", plain, "other.example", TLS{CAFile: ca.file}, "", "certificate is valid for store.example, not other.example", true},
		{"1.3 where there is", plain, "127.0.0.1", TLS{CAFile: ca.file, MinVersion: "1.3"}, " 127.0.0.1:PORT nobody", "", false},
		{"1.2 is enough", dated, "127.0.0.1", TLS{CAFile: ca.file, MinVersion: "1.2"}, " 127.0.0.1:PORT nobody", "", false},
		{"1.3 where there is none", dated, "127.0.0.1", TLS{CAFile: ca.file, MinVersion: "1.3"}, "", "protocol version", false},
		{"1.1", past, "127.0.0.1", TLS{CAFile: ca.file}, "", "protocol version", false},
		{"a certificate of ours", asks, "127.0.0.1", TLS{CAFile: ca.file, CertFile: cert, KeyFile: key}, " 127.0.0.1:PORT driver", "", false},
		{"none of ours", asks, "127.0.0.1", TLS{CAFile: ca.file}, "", "certificate required", false},
	} {
		port := c.s.URL[strings.LastIndexByte(c.s.URL, ':')+1:]
		w := newWorld(t, "127.0.0.1")
		client := newRuleClient(t, Config{Resolver: w}, Rule{Origin: "https://" + c.host + ":" + port, TLS: c.tls, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		resp, err := client.Do(t.Context(), &Request{Method: "GET", URL: "https://" + c.host + ":" + port + "/"})
		if c.err != "" {
			if storagedriver.KindOf(err) != offline || !strings.Contains(err.Error(), c.err) || storagedriver.IsTemporary(err) == c.stays {
				t.Errorf("%s: %v, temporary: %v", c.name, err, storagedriver.IsTemporary(err))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		b, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil {
			t.Error(err, cerr)
		}
		if want := strings.ReplaceAll(c.answer, "PORT", port); string(b) != want {
			t.Errorf("%s: %q, want %q", c.name, b, want)
		}
	}
}

func TestRulesThatAreWrong(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.clientFiles("driver")
	broken := ca.write("broken.pem", "NOTHING", []byte("x"))
	const o = "https://a.example"
	for _, c := range []struct {
		rules []Rule
		err   string
	}{
		{[]Rule{{Origin: "a.example"}}, `the origin "a.example" is not of the form http://host:port`},
		{[]Rule{{Origin: "http://a.example/path"}}, "is not of the form http://host:port"},
		{[]Rule{{Origin: "http://127.1"}}, `the host "127.1" ends in a number`},
		{[]Rule{{Origin: o}, {Origin: "http://b"}, {Origin: "HTTPS://A.Example.:443/"}}, "two rules for the origin https://a.example:443"},
		{[]Rule{{Origin: o, Networks: []netip.Prefix{{}}}}, "the rule for https://a.example:443: a network is empty"},
		{[]Rule{{Origin: o, Networks: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/8")}}}, "the network 10.1.2.3/8 has bits after its first 8: write 10.0.0.0/8"},
		{[]Rule{{Origin: o, Redirects: -1}}, "-1 redirects, which is not 0 to 10"},
		{[]Rule{{Origin: o, Redirects: 11}}, "11 redirects, which is not 0 to 10"},
		{[]Rule{{Origin: o, Credential: Credential{Signer: &signer{token: "long-enough"}}}}, "the credential has no name"},
		{[]Rule{{Origin: o, TLS: TLS{MinVersion: "1.1"}}}, `the minimum version of TLS "1.1" is neither "1.2" nor "1.3"`},
		{[]Rule{{Origin: o, TLS: TLS{CAFile: filepath.Join(ca.dir, "none")}}}, "the CA file: open " + filepath.Join(ca.dir, "none")},
		{[]Rule{{Origin: o, TLS: TLS{CAFile: broken}}}, "the CA file " + broken + " has no certificate in PEM"},
		{[]Rule{{Origin: o, TLS: TLS{CertFile: cert}}}, "one is missing"},
		{[]Rule{{Origin: o, TLS: TLS{KeyFile: key}}}, "one is missing"},
		{[]Rule{{Origin: o, TLS: TLS{CertFile: key, KeyFile: cert}}}, "the client certificate " + key + " with the key " + cert},
		{[]Rule{{Origin: "http://a.example", TLS: TLS{CAFile: ca.file}}}, "it has settings for TLS, and the origin is http"},
		{[]Rule{{Origin: o, Proxy: "proxy:3128"}}, `the proxy "proxy:3128" is not of the form http://host:port, without a user`},
		{[]Rule{{Origin: o, Proxy: "https://proxy"}}, `the proxy "https://proxy" is not`},
		{[]Rule{{Origin: o, Proxy: "socks5://proxy"}}, `the proxy "socks5://proxy" is not`},
		{[]Rule{{Origin: o, Proxy: "http://u:geheim@proxy"}}, `the proxy "...@proxy" is not`},
		{[]Rule{{Origin: o, Proxy: "http://proxy", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}, "it has a proxy and networks"},
		{[]Rule{{Origin: "http://a.example", Proxy: "http://proxy", Credential: Credential{Name: "x", Signer: &signer{token: "long-enough"}}}}, "a credential, which the proxy would see: use https"},
	} {
		_, err := NewPolicy(c.rules)
		if storagedriver.KindOf(err) != invalid || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "geheim") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, want %q", c.rules, err, c.err)
		}
	}
}

func TestFilesAreReadOnce(t *testing.T) {
	ca := newAuthority(t)
	s := serveTLS(t, ca.server("127.0.0.1"))
	c := newRuleClient(t, Config{}, Rule{Origin: s.URL, TLS: TLS{CAFile: ca.file}})
	if err := os.Remove(ca.file); err != nil {
		t.Fatal(err)
	}
	if got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL}); got != 200 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}
