package egress

import (
	"net/netip"

	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// Rule is the operator's word on one origin.
type Rule struct {
	// Origin is scheme://host or scheme://host:port. It is granted whole. An address in it is
	// named by that: such an origin may have any.
	Origin string
	// Networks are those in which the host's addresses may lie beside public ones: loopback, private
	// and the like are refused without. One address that is refused makes the name unreachable, whatever
	// others it has. An IPv6 address around an IPv4 one (NAT64, 6to4, v4-mapped) needs both to be named,
	// unless the inner one is public.
	Networks []netip.Prefix
	// TLS is for origins of https.
	TLS TLS
	// Redirects is how many redirects of a response are followed, each under the rules, at most
	// MaxRedirects; with 0 the caller sees the 3xx. To another origin go only headers that hold no
	// credential, and from there on nothing is signed.
	Redirects int
	// Proxy is an HTTP proxy, http://host:port, through which the origin is reached; "" is none. The
	// proxy's address is the operator's word, and resolving the origin's name is then the proxy's: its
	// addresses are not checked, so Networks must be empty. The origin must be https if there is a credential.
	Proxy string
	// Credential is what requests to the origin may be signed with.
	Credential Credential
}

// Credential is a Signer under the name that requests name it by. The zero value is none.
type Credential struct {
	Name   string
	Signer sign.Signer

	scans *scans // of what Signer sends
}

// TLS says how a server is known, and how we are. Files are PEM.
type TLS struct {
	// CAFile has the certificates that vouch for the server, in place of the system's.
	CAFile string
	// CertFile and KeyFile are the client's certificate and its key.
	CertFile, KeyFile string
	// MinVersion is "1.2", which is also "", or "1.3".
	MinVersion string
}

// MaxRedirects is the most redirects that are followed: what browsers and curl's callers think of
// as a loop starts at twice that.
const MaxRedirects = 10

// Origins returns rules that allow the origins, and nothing special of them.
func Origins(origins ...string) []Rule {
	rules := make([]Rule, len(origins))
	for i, o := range origins {
		rules[i].Origin = o
	}
	return rules
}
