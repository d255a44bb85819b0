package egress

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// Origin is a scheme, a host and a port, normalised: lower case, no trailing dot, the
// port always there, IPv6 without brackets.
type Origin struct {
	Scheme, Host string
	Port         uint16
}

// String writes the origin as scheme://host:port.
func (o Origin) String() string {
	return o.Scheme + "://" + net.JoinHostPort(o.Host, strconv.Itoa(int(o.Port)))
}

// host is host:port as URLs have it: the scheme's own port left out, IPv6 in brackets.
func (o Origin) host() string {
	h := net.JoinHostPort(o.Host, strconv.Itoa(int(o.Port)))
	if o.Scheme == "http" && o.Port == 80 || o.Scheme == "https" && o.Port == 443 {
		return h[:strings.LastIndexByte(h, ':')]
	}
	return h
}

// ParseOrigin parses scheme://host or scheme://host:port. Anything more than that (a
// path, a user, a query) is KindInvalidArgument: an origin is granted whole.
func ParseOrigin(s string) (Origin, error) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the origin %q is not of the form http://host:port", redact(s))
	}
	return OriginOf(u)
}

// maxHost is the longest name that DNS has.
const maxHost = 253

// lower is for ASCII alone: Unicode has letters whose lower case is an ASCII one.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// clip keeps a message readable.
func clip(s string) string { return s[:min(len(s), maxHost)] }

// redact keeps a password in a mistyped origin out of the message.
func redact(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "...@" + s[i+1:]
	}
	return s
}

// OriginOf returns the origin of u; schemes other than http and https are KindInvalidArgument.
func OriginOf(u *url.URL) (Origin, error) {
	o := Origin{Scheme: strings.ToLower(u.Scheme), Host: strings.TrimSuffix(lower(u.Hostname()), ".")}
	switch o.Scheme {
	case "http":
		o.Port = 80
	case "https":
		o.Port = 443
	default:
		return Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the scheme %q is neither http nor https", u.Scheme)
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the port %q is not 1 to 65535", p)
		}
		o.Port = uint16(n)
	}
	switch ip := net.ParseIP(o.Host); {
	case ip != nil:
		o.Host = ip.String()
	case o.Host == "" || strings.Trim(o.Host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" || len(o.Host) > maxHost || strings.Contains("."+o.Host+".", ".."):
		return Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the host %q is neither an address nor a name of ASCII letters, digits, '-', '.' and '_' (write others in punycode, without a zone)", clip(o.Host))
	case endsInNumber(o.Host):
		return Origin{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the host %q ends in a number and is not an address of four decimal ones, a.b.c.d", clip(o.Host))
	}
	return o, nil
}

// endsInNumber is true of what some resolvers take for an address: 127.1, 0x7f.1, 2130706433. No top-level domain
// is a number.
func endsInNumber(host string) bool {
	end := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(end, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(end, "0123456789") == ""
}
