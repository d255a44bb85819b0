package egress

import (
	"net/netip"
	"strings"
)

// network is a range of addresses that a name does not lead to unless the operator says so.
type network struct {
	prefix netip.Prefix
	kind   string
	// inside answers the IPv4 addresses that packets to one of it may go to in the end; nil is none.
	inside func([16]byte) []netip.Addr
}

// notPublic are the networks that are not the public Internet, of two that overlap the smaller one first. Of
// IPv6 all outside 2000::/3 is refused anyway: what is listed of that is so for the sake of its name.
var notPublic = []network{
	block("169.254.169.254/32", "a cloud's metadata service"),
	block("100.100.100.200/32", "a cloud's metadata service"),
	block("168.63.129.16/32", "a cloud's metadata service"), // Azure's, of a public range
	block("fd00:ec2::254/128", "a cloud's metadata service"),
	block("fd20:ce::254/128", "a cloud's metadata service"),

	block("0.0.0.0/32", "the unspecified address"),
	block("0.0.0.0/8", "an address of this network"),
	block("10.0.0.0/8", "a private address"),
	block("100.64.0.0/10", "a carrier-grade NAT's address"),
	block("127.0.0.0/8", "a loopback address"),
	block("169.254.0.0/16", "a link-local address"),
	block("172.16.0.0/12", "a private address"),
	block("192.0.0.0/24", "an address for protocols"),
	block("192.0.2.0/24", "a documentation address"),
	block("192.88.99.0/24", "a 6to4 relay"),
	block("192.168.0.0/16", "a private address"),
	block("198.18.0.0/15", "a benchmarking address"),
	block("198.51.100.0/24", "a documentation address"),
	block("203.0.113.0/24", "a documentation address"),
	block("224.0.0.0/4", "a multicast address"),
	block("255.255.255.255/32", "the broadcast address"),
	block("240.0.0.0/4", "a reserved address"),

	block("::/128", "the unspecified address"),
	block("::1/128", "a loopback address"),
	around("::/96", "a v4-compatible address", last),
	around("::ffff:0:0/96", "a v4-mapped address", last),
	around("::ffff:0:0:0/96", "a v4-translated address", last),
	around("64:ff9b::/96", "a NAT64 address", last),
	around("64:ff9b:1::/48", "a NAT64 address", nat64),
	block("100::/64", "a discard address"),
	around("2001::/32", "a Teredo address", teredo),
	block("2001:2::/48", "a benchmarking address"),
	block("2001:10::/28", "an ORCHID address"),
	block("2001:20::/28", "an ORCHID address"),
	block("2001::/23", "an address for protocols"),
	block("2001:db8::/32", "a documentation address"),
	around("2002::/16", "a 6to4 address", of6to4),
	block("3fff::/20", "a documentation address"),
	block("fc00::/7", "a private address"),
	block("fe80::/10", "a link-local address"),
	block("fec0::/10", "a site-local address"),
	block("ff00::/8", "a multicast address"),
}

var (
	publicIPv6   = netip.MustParsePrefix("2000::/3")
	reservedIPv6 = block("::/0", "a reserved address")
)

func block(prefix, kind string) network { return network{netip.MustParsePrefix(prefix), kind, nil} }

func around(prefix, kind string, inside func([16]byte) []netip.Addr) network {
	return network{netip.MustParsePrefix(prefix), kind, inside}
}

func last(b [16]byte) []netip.Addr { return []netip.Addr{v4(b[12:])} }

func v4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// nat64 is for networks of which the operator chose how they hold addresses: with a prefix of 48 bits, around
// a byte of zeros (RFC 6052), or of 96.
func nat64(b [16]byte) []netip.Addr {
	if b[8]|b[11]|b[12]|b[13]|b[14]|b[15] == 0 {
		return []netip.Addr{v4([]byte{b[6], b[7], b[9], b[10]})}
	}
	return last(b)
}

func of6to4(b [16]byte) []netip.Addr { return []netip.Addr{v4(b[2:6])} }

// teredo has the server, and the client inverted.
func teredo(b [16]byte) []netip.Addr {
	return []netip.Addr{v4(b[4:8]), v4([]byte{^b[12], ^b[13], ^b[14], ^b[15]})}
}

// judge says why a must not be dialled for a name, and which address that is about: a, or an IPv4 address
// that it stands for. "" is that it may be.
func judge(a netip.Addr, named []netip.Prefix) (kind string, about netip.Addr) {
	if !a.IsValid() {
		return "no address", a
	}
	plain := a.WithZone("")
	n := networkOf(plain)
	switch {
	case a.Zone() != "" && (!plain.IsLinkLocalUnicast() || plain.Is4In6() || !contains(named, plain) || !isZone(a.Zone())):
		// No others have zones, and what takes an IPv4 address out of IPv6 drops them: it would be dialled as another.
		return "an address with a zone", a
	case n == nil:
		return "", a
	case !contains(named, plain):
		return n.kind, a
	case n.inside == nil:
		return "", a
	}
	for _, inner := range n.inside(plain.As16()) {
		if kind, about = judge(inner, named); kind != "" {
			return kind, about
		}
	}
	return "", a
}

// isZone is true of what an interface is called, and of "".
func isZone(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == ""
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// networkOf is nil for a public address.
func networkOf(a netip.Addr) *network {
	for i := range notPublic {
		if notPublic[i].prefix.Contains(a) {
			return &notPublic[i]
		}
	}
	if a.Is6() && !publicIPv6.Contains(a) {
		return &reservedIPv6
	}
	return nil
}
