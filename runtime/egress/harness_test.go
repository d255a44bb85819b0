package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// world stands for name servers and the network, and connects nowhere: what is dialled is a pipe to a goroutine, which
// answers as the URL says.
type world struct {
	t       testing.TB
	answers map[string][]netip.Addr // by name; of "" for all others
	tls     *tls.Config             // of whoever is at port 443
	down    map[string]bool         // addresses with which connecting fails
	answer  func(*http.Request) string

	mu      sync.Mutex
	asked   []string // names
	dialled []string // addresses
	heard   []string // Host and path of requests
	wg      sync.WaitGroup
}

// newWorld takes answers as "name=address,address name=address"; without a name they are for all.
func newWorld(t testing.TB, answers string) *world {
	w := &world{t: t, answers: map[string][]netip.Addr{}, down: map[string]bool{}}
	for _, field := range strings.Fields(answers) {
		name, list, ok := strings.Cut(field, "=")
		if !ok {
			name, list = "", field
		}
		for _, a := range strings.Split(list, ",") {
			w.answers[name] = append(w.answers[name], netip.MustParseAddr(a))
		}
	}
	return w
}

func (w *world) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, host)
	if network != "ip" {
		return nil, fmt.Errorf("the network %q", network)
	}
	if list, ok := w.answers[host]; ok {
		return list, nil
	}
	if list, ok := w.answers[""]; ok {
		return list, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (w *world) dial(_ context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dialled = append(w.dialled, address)
	if _, err := netip.ParseAddrPort(address); err != nil || network != "tcp" {
		w.t.Errorf("dialled %s %q, which is no address", network, address)
	}
	if w.down[address] {
		return nil, fmt.Errorf("%s is down", address)
	}
	ours, theirs := net.Pipe()
	if w.tls != nil && strings.HasSuffix(address, ":443") {
		theirs = tls.Server(theirs, w.tls)
	}
	w.wg.Go(func() { w.serve(theirs) })
	return ours, nil
}

func (w *world) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if req.URL.IsAbs() {
			w.t.Errorf("%s was asked for as of a proxy", req.URL)
		}
		w.mu.Lock()
		w.heard = append(w.heard, req.Host+req.URL.Path)
		w.mu.Unlock()
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		if w.answer != nil {
			answer = w.answer(req)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// client is one for the rules, closed with the test.
func (w *world) client(rules ...Rule) *Client {
	w.t.Helper()
	p, err := NewPolicy(rules)
	if err != nil {
		w.t.Fatal(err)
	}
	c := NewClient(Config{Policy: p, ConnectTimeout: time.Minute, FirstByteTimeout: time.Minute, IdleTimeout: time.Minute, MaxIdleConns: 4, DialContext: w.dial, Resolver: w})
	w.t.Cleanup(func() {
		c.Close()
		w.wg.Wait()
	})
	return c
}

// status makes a request, reads the response and returns its status.
func status(ctx context.Context, c *Client, r *Request) (int, error) {
	resp, err := c.Do(ctx, r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	return resp.Status, err
}

// rulesOf parses "origin cidr=network redirects=n; origin ...".
func rulesOf(t testing.TB, text string) []Rule {
	t.Helper()
	var rules []Rule
	for part := range strings.SplitSeq(text, ";") {
		var r Rule
		for _, field := range strings.Fields(part) {
			key, value, ok := strings.Cut(field, "=")
			switch {
			case !ok:
				r.Origin = field
			case key == "cidr":
				r.Networks = append(r.Networks, netip.MustParsePrefix(value))
			case key == "redirects":
				_, _ = fmt.Sscan(value, &r.Redirects)
			case key == "ca":
				r.TLS.CAFile = value
			case key == "proxy":
				r.Proxy = value
			default:
				t.Fatalf("%q of a rule", field)
			}
		}
		rules = append(rules, r)
	}
	return rules
}
