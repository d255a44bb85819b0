package main

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/berth-dev/storagedriver/runtime/egress"
)

// The values that check themselves. No error repeats the value, which may be a secret in the wrong place.

// origin is scheme://host or scheme://host:port.
type origin string

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *origin) UnmarshalText(text []byte) error {
	if _, err := egress.ParseOrigin(string(text)); err != nil {
		return errors.New("must be an origin and nothing more, such as https://dav.example.com or http://127.0.0.1:8080: http or https, a host of ASCII letters or an address, and perhaps a port")
	}
	*o = origin(text)
	return nil
}

// parsed returns the origin, which has been checked.
func (o origin) parsed() egress.Origin {
	p, _ := egress.ParseOrigin(string(o))
	return p
}

// originOf returns the origin of a URL, or "" where it has none.
func originOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	o, err := egress.OriginOf(u)
	if err != nil {
		return ""
	}
	return o.String()
}

// proxy is the origin of an HTTP proxy.
type proxy string

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *proxy) UnmarshalText(text []byte) error {
	if o, err := egress.ParseOrigin(string(text)); err != nil || o.Scheme != "http" {
		return errors.New("must be an HTTP proxy, such as http://proxy.example.com:3128")
	}
	*p = proxy(text)
	return nil
}

// network is a range of addresses.
type network netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler. An address alone is the network of that address.
func (n *network) UnmarshalText(text []byte) error {
	p, err := netip.ParsePrefix(string(text))
	if a, alone := netip.ParseAddr(string(text)); alone == nil && a.Zone() == "" {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return errors.New("must be a network such as 10.0.0.0/8 or fd00::/8, or an address")
	case p.Addr().Is4In6():
		return errors.New("must be written as IPv4, such as 10.0.0.0/8: an address in the form ::ffff:10.0.0.1 is looked up as that")
	case p != p.Masked():
		return errors.New("is an address with a length, and no network: its bits behind the length must be 0, as in 10.0.0.0/8")
	}
	*n = network(p)
	return nil
}

// prefixes returns the networks as those of package netip.
func prefixes(networks []network) []netip.Prefix {
	var out []netip.Prefix
	for _, n := range networks {
		out = append(out, netip.Prefix(n))
	}
	return out
}

// tlsVersion is a least version of TLS.
type tlsVersion string

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *tlsVersion) UnmarshalText(text []byte) error {
	if s := string(text); s != "1.2" && s != "1.3" {
		return errors.New("must be 1.2 or 1.3")
	}
	*v = tlsVersion(text)
	return nil
}

// variable is the name of a variable of the environment.
type variable string

var variableForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *variable) UnmarshalText(text []byte) error {
	if !variableForm.Match(text) {
		return errors.New("must be the name of a variable: letters, digits and '_', and no digit first")
	}
	*v = variable(text)
	return nil
}

// digest is a SHA-256 in hexadecimal.
type digest string

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) error {
	s := strings.ToLower(strings.TrimPrefix(string(text), "sha256:"))
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 {
		return errors.New("must be 64 hexadecimal digits, as 'berth driver inspect' shows them")
	}
	*d = digest(s)
	return nil
}
