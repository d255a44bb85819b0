package objects

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// defaultConnections is for a driver that does not say: 8 uploads with 4 parts each.
	defaultConnections = 32

	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	keepAlive        = 30 * time.Second
	idleTimeout      = 90 * time.Second // net/http's own

	// headerTimeout is from the last byte of a request to the first of the answer. Services that copy or join objects for
	// minutes answer at once and keep the connection alive with white space; those that do not are given this long.
	headerTimeout = 2 * time.Minute

	// continueTimeout is for services that do not know Expect: 100-continue.
	continueTimeout = time.Second

	// bufferSize is that of a connection, in each direction. Bodies have megabytes: a larger one takes fewer system calls
	// where a body is copied, and is idle memory where it is not.
	bufferSize = 64 << 10
)

// TransportOptions say what a Transport is for.
type TransportOptions struct {
	// Connections is how many connections are kept when they are idle: as many as requests are in flight at a time, or
	// each burst opens new ones. 0 is 32. It limits nothing else: requests beyond it open connections of their own.
	Connections int
	// CAFile is a file of certificates in PEM that are trusted besides the system's. "" is none.
	CAFile string
	// SkipVerify accepts any certificate.
	SkipVerify bool
	// Dial opens connections; nil is net.Dialer's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// HeaderTimeout is how long an answer may take to begin once the request has been sent. 0 is 2 minutes.
	HeaderTimeout time.Duration
}

// Transport returns an *http.Transport for one service. It speaks HTTP/1.1 alone, takes proxies from the environment, and leaves
// bodies as they come: a compressed object stays compressed. A CAFile that cannot be read or has no certificate is
// KindInvalidArgument. The caller ends it with CloseIdleConnections.
func Transport(o TransportOptions) (*http.Transport, error) {
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	}
	if o.HeaderTimeout <= 0 {
		o.HeaderTimeout = headerTimeout
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           o.Dial,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   handshakeTimeout,
		DisableCompression:    true,
		MaxIdleConns:          o.Connections,
		MaxIdleConnsPerHost:   o.Connections,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: o.HeaderTimeout,
		ExpectContinueTimeout: continueTimeout,
		WriteBufferSize:       bufferSize,
		ReadBufferSize:        bufferSize,
		Protocols:             protocols,
	}, nil
}

func tlsConfig(o TransportOptions) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.SkipVerify}
	if o.CAFile == "" {
		return config, nil
	}
	certificates, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the CA file cannot be read: %w", err)
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(certificates) {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the CA file %s has no certificate in PEM", o.CAFile)
	}
	return config, nil
}
