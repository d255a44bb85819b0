package objectstest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// Leaks are goroutines that toxiproxy leaves behind where a toxic ends a connection: those of its links wait to pass on what
// nobody takes any more. Give them to goleak; a driver's own are none of them.
func Leaks() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
	}
}

// Proxy is a toxiproxy in this process, in front of one service. Its methods may be called concurrently.
type Proxy struct {
	// URL is the service's, through the proxy.
	URL   string
	proxy *toxiproxy.Proxy
}

// NewProxy starts a proxy in front of the service at upstream, until the test ends. It listens on loopback.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	zerolog.SetGlobalLevel(zerolog.Disabled) // some toxics log past the server's logger
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "service", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	return &Proxy{URL: u.String(), proxy: proxy}
}

// Toxic is one way to spoil connections. See toxiproxy's documentation for types and attributes.
type Toxic struct {
	Name, Type string
	// Upstream is what the driver sends, and otherwise what the service answers.
	Upstream   bool
	Attributes map[string]any
}

// Add spoils every connection, those that are open as well.
func (p *Proxy) Add(toxic Toxic) error {
	direction := "downstream"
	if toxic.Upstream {
		direction = "upstream"
	}
	text, err := json.Marshal(map[string]any{"name": toxic.Name, "type": toxic.Type, "stream": direction, "attributes": toxic.Attributes})
	if err != nil {
		return err
	}
	_, err = p.proxy.Toxics.AddToxicJson(bytes.NewReader(text))
	return err
}

// Remove has connections work again, but for those that are broken.
func (p *Proxy) Remove(toxic Toxic) error {
	return p.proxy.Toxics.RemoveToxic(context.Background(), toxic.Name)
}

// Toxics returns those that every driver is tested under: connections that are slow or narrow, that are reset, over which nothing comes
// any more before they end, and that end after a number of bytes: in a header, in a small body, in a part, and in the
// part after one.
func Toxics(partSize int) []Toxic {
	list := []Toxic{
		{"latency", "latency", false, map[string]any{"latency": 20}},
		{"reset-answers", "reset_peer", false, map[string]any{"timeout": 20}},
		{"reset-requests", "reset_peer", true, map[string]any{"timeout": 20}},
		{"timeout-answers", "timeout", false, map[string]any{"timeout": 100}},
		{"timeout-requests", "timeout", true, map[string]any{"timeout": 100}},
		{"bandwidth-answers", "bandwidth", false, map[string]any{"rate": 8 << 10}},
		{"bandwidth-requests", "bandwidth", true, map[string]any{"rate": 8 << 10}},
	}
	for _, bytes := range []int{100, 20_000, partSize / 3, partSize + partSize/5} {
		attributes := map[string]any{"bytes": bytes}
		list = append(list,
			Toxic{fmt.Sprintf("limit-answers-%d", bytes), "limit_data", false, attributes},
			Toxic{fmt.Sprintf("limit-requests-%d", bytes), "limit_data", true, attributes})
	}
	return list
}
