package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// mustNotDial is a second opinion on addresses, in terms of their bytes and of what netip knows.
func mustNotDial(a netip.Addr, named func(netip.Addr) bool) bool {
	inner := func(b []byte) bool { v4, _ := netip.AddrFromSlice(b); return mustNotDial(v4, named) }
	if a.Zone() != "" {
		return true
	}
	b := a.AsSlice()
	if len(b) == 4 {
		if named(a) {
			return false
		}
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || b[0] == 0 || b[0] >= 224 ||
			b[0] == 100 && b[1]>>6 == 1 || b[0] == 198 && b[1]&^1 == 18 || b[0] == 192 && b[1] == 0 && (b[2] == 0 || b[2] == 2) ||
			b[0] == 192 && b[1] == 88 && b[2] == 99 || b[0] == 198 && b[1] == 51 && b[2] == 100 || b[0] == 203 && b[1] == 0 && b[2] == 113 || a.String() == "168.63.129.16"
	}
	ours := named(a)
	switch {
	case strings.HasPrefix(string(b), "\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00"):
		return !ours || inner(b[12:])
	case b[0] == 0x20 && b[1] == 2:
		return !ours || inner(b[2:6])
	case a.Is4In6():
		return !ours || inner(b[12:])
	case ours:
		return false
	}
	return b[0]&0xe0 != 0x20 || b[0] == 0x20 && b[1] == 1 && (b[2] < 2 || b[2] == 0x0d && b[3] == 0xb8) || b[0] == 0x3f && b[1] == 0xff && b[2] < 0x10
}

// addressesOf reads addresses: a byte says of which family each is.
func addressesOf(b []byte) []netip.Addr {
	var list []netip.Addr
	for len(b) > 0 && len(list) < 6 {
		n := 4
		if b[0]&1 == 1 {
			n = 16
		}
		raw := make([]byte, n)
		zone := b[0]&6 == 6 && n == 16
		b = b[1+copy(raw, b[1:]):]
		a, _ := netip.AddrFromSlice(raw)
		if zone {
			a = a.WithZone("eth0")
		}
		list = append(list, a)
	}
	return list
}

func addSeeds(f *testing.F) {
	for _, url := range []string{"http://a.example/", "http://b.example:8080/", "https://c.example/", "http://127.0.0.1/", "http://0x7f.1/", "http://a.example@10.0.0.1/", "http://[::ffff:10.0.0.1]/"} {
		f.Add(url, []byte{0, 8, 8, 4, 4}, "http://b.example:8080/")
		f.Add(url, []byte{0, 10, 0, 0, 1}, "http://127.0.0.1/")
	}
	f.Add("http://a.example/", []byte{0, 8, 8, 4, 4, 0, 127, 0, 0, 1}, "//169.254.169.254/latest/")
	f.Add("http://a.example/", []byte("\x01\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x01"), `/\evil.example`)
	f.Add("http://b.example:8080/", []byte("\x01\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00\x7f\x00\x00\x01"), "http://u@b.example/")
	f.Add("http://b.example:8080/", []byte("\x01\x20\x02\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "http://[fe80::1%25eth0]/")
	f.Add("http://b.example:8080/", []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xa9\xfe\xa9\xfe"), "http://2130706433/")
	f.Add("https://c.example/", []byte("\x07\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"), "")
}

// FuzzNothingIsDialledThatIsDenied asks for a URL, with whatever name servers answer and wherever the answer redirects.
func FuzzNothingIsDialledThatIsDenied(f *testing.F) {
	addSeeds(f)
	networks := []string{"10.0.0.0/8", "64:ff9b::/96", "2002::/16", "::ffff:0:0/96"}
	rules := rulesOf(f, "http://a.example redirects=3; http://b.example:8080 redirects=1 cidr="+strings.Join(networks, " cidr=")+"; https://c.example; http://192.0.2.1; http://[2001:db8::1]:81")
	policy, err := NewPolicy(rules)
	if err != nil {
		f.Fatal(err)
	}
	nothing := func(netip.Addr) bool { return false }
	inner := func(a netip.Addr) bool { // written without netip.Prefix
		s := a.StringExpanded()
		return a.Is4() && a.AsSlice()[0] == 10 || strings.HasPrefix(s, "0064:ff9b:0000:0000:0000:0000:") || strings.HasPrefix(s, "2002:") || a.Is4In6()
	}
	ports := map[string]string{"a.example": "80", "b.example": "8080", "c.example": "443"}
	literal := []string{"192.0.2.1:80", "[2001:db8::1]:81"}
	f.Fuzz(func(t *testing.T, url string, answers []byte, location string) {
		w := newWorld(t, "")
		w.answers[""] = addressesOf(answers)
		w.answer = func(r *http.Request) string {
			if strings.ContainsAny(location, "\r\n") || r.Header.Get("X-Own") == "" {
				return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
			}
			return "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"
		}
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			if slices.Contains(literal, address) {
				return w.dial(ctx, network, address)
			}
			if len(w.asked) == 0 {
				t.Errorf("%q, redirected to %q: dialled %s without a lookup", url, location, address)
				return nil, errors.New("wrong")
			}
			name, named := w.asked[len(w.asked)-1], nothing
			if name == "b.example" {
				named = inner
			}
			at, err := netip.ParseAddrPort(address)
			if err != nil || !slices.Contains(w.answers[""], at.Addr()) || fmt.Sprint(at.Port()) != ports[name] {
				t.Errorf("%q, redirected to %q: dialled %s for %s, which has %v", url, location, address, name, w.answers[""])
			}
			for _, a := range w.answers[""] {
				if mustNotDial(a, named) {
					t.Errorf("%q, redirected to %q: dialled %s for %s, which also has %s", url, location, address, name, a)
				}
			}
			if ports[name] == "443" || at.Addr().As16()[15]&1 == 1 {
				return nil, errors.New("down") // and now the next one, or none
			}
			return w.dial(ctx, network, address)
		}
		c := NewClient(Config{Policy: policy, ConnectTimeout: time.Minute, FirstByteTimeout: time.Minute, IdleTimeout: time.Minute, MaxIdleConns: 4, DialContext: dial, Resolver: w})
		_, _ = status(t.Context(), c, &Request{Method: http.MethodGet, URL: url, Headers: []string{"X-Own", "1"}})
		c.Close()
		w.wg.Wait()
		for _, name := range w.asked {
			if ports[name] == "" {
				t.Fatalf("%q, redirected to %q: asked for the address of %q", url, location, name)
			}
		}
		for _, host := range w.heard {
			host, _, _ = strings.Cut(host, "/")
			host = strings.ToLower(host)
			if !strings.HasPrefix(host, "a.example") && !strings.HasPrefix(host, "b.example") && !strings.HasPrefix(host, "192.0.2.1") && !strings.HasPrefix(host, "[") {
				t.Fatalf("%q, redirected to %q: a request to the host %q", url, location, host)
			}
		}
	})
}

// TestTheTwoOpinionsOnAddressesAgree walks along every border of what is refused.
func TestTheTwoOpinionsOnAddressesAgree(t *testing.T) {
	nothing := func(netip.Addr) bool { return false }
	checked := 0
	for _, n := range notPublic {
		first := n.prefix.Addr()
		raw := first.AsSlice()
		for i := range raw {
			for bit := range 8 {
				if i*8+bit >= n.prefix.Bits() {
					raw[i] |= 0x80 >> bit
				}
			}
		}
		last, _ := netip.AddrFromSlice(raw)
		for _, a := range []netip.Addr{first, first.Next(), first.Prev(), last, last.Prev(), last.Next()} {
			if !a.IsValid() {
				continue
			}
			checked++
			if kind, _ := judge(a, nil); (kind != "") != mustNotDial(a, nothing) {
				t.Errorf("%v (about %v): %q, and the other opinion is %v", a, n.prefix, kind, mustNotDial(a, nothing))
			}
		}
	}
	if checked < 5*len(notPublic) {
		t.Errorf("%d addresses", checked)
	}
}
