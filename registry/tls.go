package registry

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/configuration"
	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

var (
	tlsVersions = map[string]uint16{"": tls.VersionTLS12, "tls1.2": tls.VersionTLS12, "tls1.3": tls.VersionTLS13}

	tlsClientAuth = map[configuration.ClientAuth]tls.ClientAuthType{
		"": tls.RequireAndVerifyClientCert,
		configuration.ClientAuthRequestClientCert:          tls.RequestClientCert,
		configuration.ClientAuthRequireAnyClientCert:       tls.RequireAnyClientCert,
		configuration.ClientAuthVerifyClientCertIfGiven:    tls.VerifyClientCertIfGiven,
		configuration.ClientAuthRequireAndVerifyClientCert: tls.RequireAndVerifyClientCert,
	}
)

func tlsError(key, format string, args ...any) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "http.tls."+key+": "+format, args...)
}

// tlsConfig returns the TLS configuration of the listener, or nil for plain HTTP.
func tlsConfig(config configuration.HTTP) (*tls.Config, error) {
	section := config.TLS
	if section.Certificate == "" && section.LetsEncrypt.CacheFile == "" {
		return nil, nil
	}
	version, ok := tlsVersions[section.MinimumTLS]
	if !ok {
		return nil, tlsError("minimumtls", "%q is neither tls1.2 nor tls1.3", section.MinimumTLS)
	}
	out := &tls.Config{MinVersion: version, NextProtos: []string{"h2", "http/1.1"}}
	if config.HTTP2.Disabled {
		out.NextProtos = []string{"http/1.1"}
	}
	if version < tls.VersionTLS13 { // TLS 1.3 has no choice of suites
		suites, err := cipherSuites(section.CipherSuites)
		if err != nil {
			return nil, err
		}
		out.CipherSuites = suites
	}
	if err := setCertificates(out, section); err != nil {
		return nil, err
	}
	return out, setClientCAs(out, section)
}

func setCertificates(out *tls.Config, section configuration.TLS) error {
	acmeSection := section.LetsEncrypt
	if acmeSection.CacheFile == "" {
		certificate, err := tls.LoadX509KeyPair(section.Certificate, section.Key)
		if err != nil {
			return tlsError("certificate", "%w", err)
		}
		out.Certificates = []tls.Certificate{certificate}
		return nil
	}
	if section.Certificate != "" {
		return tlsError("letsencrypt", "a certificate is configured too; leave one of them")
	}
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(acmeSection.CacheFile),
		HostPolicy: autocert.HostWhitelist(acmeSection.Hosts...),
		Email:      acmeSection.Email,
	}
	if acmeSection.DirectoryURL != "" {
		manager.Client = &acme.Client{DirectoryURL: acmeSection.DirectoryURL}
	}
	out.GetCertificate = manager.GetCertificate
	out.NextProtos = append(out.NextProtos, acme.ALPNProto)
	return nil
}

func setClientCAs(out *tls.Config, section configuration.TLS) error {
	if len(section.ClientCAs) == 0 {
		return nil
	}
	mode, ok := tlsClientAuth[section.ClientAuth]
	if !ok {
		return tlsError("clientauth", "%q is unknown", section.ClientAuth)
	}
	out.ClientAuth = mode
	out.ClientCAs = x509.NewCertPool()
	for _, file := range section.ClientCAs {
		pem, err := os.ReadFile(file)
		if err != nil {
			return tlsError("clientcas", "%w", err)
		}
		if !out.ClientCAs.AppendCertsFromPEM(pem) {
			return tlsError("clientcas", "%s holds no certificate in PEM", file)
		}
	}
	return nil
}

// cipherSuites returns the suites of TLS 1.2 with the given names; nil, Go's choice, for none.
func cipherSuites(names []string) ([]uint16, error) {
	var out []uint16
	known := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, name := range names {
		i := slices.IndexFunc(known, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			var all []string
			for _, s := range known {
				all = append(all, s.Name)
			}
			return nil, tlsError("ciphersuites", "%q is none of %s", name, strings.Join(all, ", "))
		}
		out = append(out, known[i].ID)
	}
	return out, nil
}

// protocols returns what the server speaks; nil, Go's choice, unless h2c is enabled.
func protocols(config configuration.HTTP) *http.Protocols {
	if !config.H2C.Enabled {
		return nil
	}
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(!config.HTTP2.Disabled)
	p.SetUnencryptedHTTP2(true)
	return p
}
