package egress

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// The kinds of what is refused; none is "".
const (
	denied  = storagedriver.KindDenied
	invalid = storagedriver.KindInvalidArgument
	limited = storagedriver.KindLimit
	corrupt = storagedriver.KindCorrupt
	offline = storagedriver.KindUnavailable
	passes  = storagedriver.KindUnknown
)

// A decision is what comes of one request: what is dialled, and why nothing is.
type decision struct {
	rules, answers, url, dialled string
	kind                         storagedriver.Kind
	err                          string
}

func (d decision) check(t *testing.T, w *world, err error) {
	t.Helper()
	if d.kind == passes && err != nil || d.kind != passes && (storagedriver.KindOf(err) != d.kind || !strings.Contains(err.Error(), d.err)) {
		t.Errorf("%+v: %v", d, err)
	}
	if d.kind != passes && len(d.err) < 4 {
		t.Errorf("%+v: without a reason", d)
	}
	if got := strings.Join(w.dialled, " "); got != d.dialled {
		t.Errorf("%+v: dialled %q", d, got)
	}
}

func TestDecisionsOnURLs(t *testing.T) {
	const pub = "8.8.4.4"
	const here = "http://127.0.0.1; http://a.example; http://b.example:8080; https://c.example; http://[2600::1]:81"
	for _, d := range []decision{
		{here, pub, "http://a.example/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://A.EXAMPLE/", "8.8.4.4:80", passes, ""},
		{here, pub, "HTTP://a.example/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example./", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example:80/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example:080/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example:/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example?x=@b", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example#@evil.example", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example//evil.example/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://a.example/%2e%2e/", "8.8.4.4:80", passes, ""},
		{here, pub, "http://b.example:8080/", "8.8.4.4:8080", passes, ""},
		{here, pub, "http://127.0.0.1/", "127.0.0.1:80", passes, ""},
		{here, pub, "http://127.0.0.1./", "127.0.0.1:80", passes, ""},
		{here, pub, "http://[::ffff:127.0.0.1]/", "127.0.0.1:80", passes, ""},
		{here, pub, "http://[::ffff:7f00:1]/", "127.0.0.1:80", passes, ""},
		{here, pub, "http://[2600:0:0::1]:81/", "[2600::1]:81", passes, ""},
		{here, pub, "https://c.example/", "8.8.4.4:443", offline, "cannot reach https://c.example:443"},
		{here, pub, "http://evil.example/", "", denied, "the origin http://evil.example:80 is not allowed: allow it with --allow http://evil.example:80"},
		{here, pub, "http://a.example.evil.example/", "", denied, "a.example.evil.example:80 is not allowed"},
		{here, pub, "http://xa.example/", "", denied, "xa.example:80 is not allowed"},
		{here, pub, "http://a.example:81/", "", denied, "a.example:81 is not allowed"},
		{here, pub, "https://a.example/", "", denied, "https://a.example:443 is not allowed"},
		{here, pub, "https://a.example:80/", "", denied, "https://a.example:80 is not allowed"},
		{here, pub, "http://c.example:443/", "", denied, "http://c.example:443 is not allowed"},
		{here, pub, "http://b.example/", "", denied, "b.example:80 is not allowed"},
		{here, pub, "http://127.0.0.2/", "", denied, "127.0.0.2:80 is not allowed"},
		{here, pub, "http://8.8.4.4/", "", denied, "8.8.4.4:80 is not allowed"},
		{here, pub, "http://localhost/", "", denied, "localhost:80 is not allowed"},
		{here, pub, "http://[::1]/", "", denied, "[::1]:80 is not allowed"},
		{here, pub, "http://[::]/", "", denied, "[::]:80 is not allowed"},
		{here, pub, "http://[::7f00:1]/", "", denied, "[::7f00:1]:80 is not allowed"},
		{here, pub, "http://[64:ff9b::7f00:1]/", "", denied, "[64:ff9b::7f00:1]:80 is not allowed"},
		{here, pub, "http://[2002:7f00:1::]/", "", denied, "[2002:7f00:1::]:80 is not allowed"},
		{here, pub, "http://169.254.169.254/latest/meta-data/", "", denied, "169.254.169.254:80 is not allowed"},
		{here, pub, "http://[::ffff:169.254.169.254]/", "", denied, "http://169.254.169.254:80 is not allowed"},
		{here, pub, "http://0.0.0.0/", "", denied, "0.0.0.0:80 is not allowed"},
		{here, pub, "http://0/", "", invalid, `the host "0" ends in a number`},
		{here, pub, "http://127.1/", "", invalid, `the host "127.1" ends in a number`},
		{here, pub, "http://127.0.1/", "", invalid, "ends in a number"},
		{here, pub, "http://2130706433/", "", invalid, "ends in a number"},
		{here, pub, "http://0x7f000001/", "", invalid, "ends in a number"},
		{here, pub, "http://0x7f.1/", "", invalid, "ends in a number"},
		{here, pub, "http://0X7F.0.0.0X1/", "", invalid, "ends in a number"},
		{here, pub, "http://127.0.0.0x/", "", invalid, "ends in a number"},
		{here, pub, "http://0177.0.0.1/", "", invalid, "ends in a number"},
		{here, pub, "http://127.0.0.01/", "", invalid, "ends in a number"},
		{here, pub, "http://017700000001/", "", invalid, "ends in a number"},
		{here, pub, "http://127.0.0.1.1/", "", invalid, "ends in a number"},
		{here, pub, "http://256.0.0.1/", "", invalid, "ends in a number"},
		{here, pub, "http://a.example.1/", "", invalid, "ends in a number"},
		{here, pub, "http://127.0.0.1../", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a.example../", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a..example/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://.a.example/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://./", "", invalid, "neither an address nor a name"},
		{here, pub, "http://\uff11\uff12\uff17.0.0.1/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://\u2460\u2461\u2466.0.0.1/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://127\u30020\u30020\u30021/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://\u0661\u0662\u0667.0.0.1/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a.ex\u00e4mple/", "", invalid, "in punycode"},
		{here, pub, "http://\u212a.example/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a.example%2f@evil.example/", "", invalid, "the URL"},
		{here, pub, "http://%61.example/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a%2eexample/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://127%2e0%2e0%2e1/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://%e2%84%aa.example/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a.example@evil.example/", "", invalid, "a user in it"},
		{here, pub, "http://evil.example@a.example/", "", invalid, "a user in it"},
		{here, pub, "http://a.example:80@evil.example/", "", invalid, "a user in it"},
		{here, pub, "http://@a.example/", "", invalid, "a user in it"},
		{here, pub, `http://a.example\@evil.example/`, "", invalid, "the URL is not an absolute one"},
		{here, pub, `http://evil.example\.a.example/`, "", invalid, "the URL is not an absolute one"},
		{here, pub, `http:\\a.example\`, "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example\t.evil.example/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example\r\nHost: evil.example/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example /", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example\x00/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example/\n", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example/?x HTTP/1.1", "", invalid, "the URL is not an absolute one"},
		{here, pub, " http://a.example/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http:///a.example/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http:a.example", "", invalid, "the URL is not an absolute one"},
		{here, pub, "//a.example/", "", invalid, `the scheme "" is neither`},
		{here, pub, "/path", "", invalid, "the URL is not an absolute one"},
		{here, pub, "", "", invalid, "the URL is not an absolute one"},
		{here, pub, "file:///etc/passwd", "", invalid, "the URL is not an absolute one"},
		{here, pub, "gopher://a.example/", "", invalid, `the scheme "gopher" is neither http nor https`},
		{here, pub, "unix://a.example/", "", invalid, `the scheme "unix" is neither`},
		{here, pub, "ws://a.example/", "", invalid, `the scheme "ws" is neither`},
		{here, pub, "http://[fe80::1%25eth0]/", "", invalid, "without a zone"},
		{here, pub, "http://[::1%25lo]/", "", invalid, "without a zone"},
		{here, pub, "http://[fe80::1%eth0]/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://::1/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://[::1/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://[a.example]/", "", invalid, "the URL"},
		{here, pub, "http://a.example:0/", "", invalid, `the port "0" is not 1 to 65535`},
		{here, pub, "http://a.example:65616/", "", invalid, `the port "65616" is not`},
		{here, pub, "http://a.example:-1/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example:8o/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://a.example:80:80/", "", invalid, "the URL is not an absolute one"},
		{here, pub, "http://*/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://a,b/", "", invalid, "neither an address nor a name"},
		{here, pub, "http://" + strings.Repeat("a", 254) + "/", "", invalid, "neither an address nor a name"},
	} {
		w := newWorld(t, d.answers)
		_, err := status(t.Context(), w.client(rulesOf(t, d.rules)...), &Request{Method: http.MethodGet, URL: d.url})
		d.check(t, w, err)
		for _, name := range w.asked {
			if !slices.Contains([]string{"a.example", "b.example", "c.example"}, name) {
				t.Errorf("%s: asked for %q", d.url, name)
			}
		}
	}
}

func TestDecisionsOnAddresses(t *testing.T) {
	const name = "http://a.example"
	for _, d := range []decision{
		{name, "8.8.4.4", name, "8.8.4.4:80", passes, ""},
		{name, "8.8.4.4,2600::1", name, "8.8.4.4:80", passes, ""},
		{name, "2600::1", name, "[2600::1]:80", passes, ""},
		{name, "9.255.255.255", name, "9.255.255.255:80", passes, ""},
		{name, "11.0.0.0", name, "11.0.0.0:80", passes, ""},
		{name, "172.15.255.255", name, "172.15.255.255:80", passes, ""},
		{name, "172.32.0.0", name, "172.32.0.0:80", passes, ""},
		{name, "100.128.0.0", name, "100.128.0.0:80", passes, ""},
		{name, "223.255.255.255", name, "223.255.255.255:80", passes, ""},
		{name, "2001:200::", name, "[2001:200::]:80", passes, ""},
		{name, "", name, "", offline, "no such host"},
		{name, "0.0.0.0", name, "", denied, "leads to 0.0.0.0, the unspecified address"},
		{name, "0.1.2.3", name, "", denied, "an address of this network"},
		{name, "127.0.0.1", name, "", denied, `leads to 127.0.0.1, a loopback address: name its network to allow it, with --allow http://a.example:80=127.0.0.1/32, or under "cidr" in the origin's rule`},
		{name, "127.255.255.254", name, "", denied, "a loopback address"},
		{name, "10.0.0.1", name, "", denied, "a private address"},
		{name, "172.16.0.0", name, "", denied, "a private address"},
		{name, "172.31.255.255", name, "", denied, "a private address"},
		{name, "192.168.1.1", name, "", denied, "a private address"},
		{name, "169.254.0.1", name, "", denied, "a link-local address"},
		{name, "169.254.169.254", name, "", denied, "a cloud's metadata service"},
		{name, "100.100.100.200", name, "", denied, "a cloud's metadata service"},
		{name, "168.63.129.16", name, "", denied, "a cloud's metadata service"},
		{name, "fd00:ec2::254", name, "", denied, "a cloud's metadata service"},
		{name, "fd20:ce::254", name, "", denied, "a cloud's metadata service"},
		{name, "100.64.0.1", name, "", denied, "a carrier-grade NAT's address"},
		{name, "100.127.255.255", name, "", denied, "a carrier-grade NAT's address"},
		{name, "192.0.0.8", name, "", denied, "an address for protocols"},
		{name, "192.0.2.1", name, "", denied, "a documentation address"},
		{name, "198.51.100.1", name, "", denied, "a documentation address"},
		{name, "203.0.113.1", name, "", denied, "a documentation address"},
		{name, "192.88.99.1", name, "", denied, "a 6to4 relay"},
		{name, "198.19.255.255", name, "", denied, "a benchmarking address"},
		{name, "224.0.0.1", name, "", denied, "a multicast address"},
		{name, "239.255.255.250", name, "", denied, "a multicast address"},
		{name, "240.0.0.1", name, "", denied, "a reserved address"},
		{name, "255.255.255.255", name, "", denied, "the broadcast address"},
		{name, "::", name, "", denied, "the unspecified address"},
		{name, "::1", name, "", denied, "a loopback address"},
		{name, "::ffff:127.0.0.1", name, "", denied, "a v4-mapped address"},
		{name, "::ffff:8.8.4.4", name, "", denied, "a v4-mapped address"},
		{name, "::127.0.0.1", name, "", denied, "a v4-compatible address"},
		{name, "::8.8.4.4", name, "", denied, "a v4-compatible address"},
		{name, "::ffff:0:7f00:1", name, "", denied, "a v4-translated address"},
		{name, "64:ff9b::7f00:1", name, "", denied, "a NAT64 address"},
		{name, "64:ff9b::808:404", name, "", denied, "a NAT64 address"},
		{name, "64:ff9b:1::a00:1", name, "", denied, "a NAT64 address"},
		{name, "2002:7f00:1::1", name, "", denied, "a 6to4 address"},
		{name, "2001:0:808:404::1", name, "", denied, "a Teredo address"},
		{name, "2001:10::1", name, "", denied, "an ORCHID address"},
		{name, "2001:2f:ffff::1", name, "", denied, "an ORCHID address"},
		{name, "2001:2::1", name, "", denied, "a benchmarking address"},
		{name, "2001:1::1", name, "", denied, "an address for protocols"},
		{name, "2001:db8::1", name, "", denied, "a documentation address"},
		{name, "3fff:fff::1", name, "", denied, "a documentation address"},
		{name, "100::1", name, "", denied, "a discard address"},
		{name, "fc00::1", name, "", denied, "a private address"},
		{name, "fdff:ffff::1", name, "", denied, "a private address"},
		{name, "fe80::1", name, "", denied, "a link-local address"},
		{name, "fe80::1%eth0", name, "", denied, "leads to fe80::1, an address with a zone"},
		{name, "2600::1%eth0", name, "", denied, "an address with a zone"},
		{name, "fec0::1", name, "", denied, "a site-local address"},
		{name, "ff02::1", name, "", denied, "a multicast address"},
		{name, "4000::1", name, "", denied, "a reserved address"},
		{name, "5f00::1", name, "", denied, "a reserved address"},
		{name, "8.8.4.4,127.0.0.1", name, "", denied, "leads to 127.0.0.1, a loopback address"},
		{name, "127.0.0.1,8.8.4.4", name, "", denied, "leads to 127.0.0.1, a loopback address"},
		{name, "2600::1,8.8.4.4,fd00::1", name, "", denied, "leads to fd00::1, a private address"},
		{"http://localhost", "127.0.0.1", "http://localhost", "", denied, "http://localhost:80 leads to 127.0.0.1, a loopback address"},
		{"http://localhost", "::1", "http://localhost", "", denied, "with --allow http://localhost:80=::1/128"},
		{"http://localhost cidr=127.0.0.0/8", "127.0.0.1", "http://localhost", "127.0.0.1:80", passes, ""},
		{"http://localhost cidr=::1/128", "::1", "http://localhost", "[::1]:80", passes, ""},
		{"http://localhost cidr=::1/128", "::1,127.0.0.1", "http://localhost", "", denied, "leads to 127.0.0.1"},
		{name + " cidr=10.0.0.0/8", "10.1.2.3", name, "10.1.2.3:80", passes, ""},
		{name + " cidr=10.0.0.0/8", "10.1.2.3,8.8.4.4", name, "10.1.2.3:80", passes, ""},
		{name + " cidr=10.0.0.0/8", "192.168.0.1", name, "", denied, "leads to 192.168.0.1, a private address"},
		{name + " cidr=10.0.0.0/8", "::ffff:10.1.2.3", name, "", denied, "a v4-mapped address"},
		{name + " cidr=::ffff:0:0/96", "::ffff:10.1.2.3", name, "", denied, "leads to ::ffff:10.1.2.3, which stands for 10.1.2.3, a private address"},
		{name + " cidr=::ffff:0:0/96 cidr=10.0.0.0/8", "::ffff:10.1.2.3", name, "[::ffff:10.1.2.3]:80", passes, ""},
		{name + " cidr=::/0", "::127.0.0.1", name, "", denied, "stands for 127.0.0.1, a loopback address"},
		{name + " cidr=64:ff9b::/96", "64:ff9b::808:404", name, "[64:ff9b::808:404]:80", passes, ""},
		{name + " cidr=64:ff9b::/96", "64:ff9b::a9fe:a9fe", name, "", denied, "stands for 169.254.169.254, a cloud's metadata service"},
		{name + " cidr=64:ff9b::/96 cidr=169.254.169.254/32", "64:ff9b::a9fe:a9fe", name, "[64:ff9b::a9fe:a9fe]:80", passes, ""},
		{name + " cidr=64:ff9b:1::/48", "64:ff9b:1::a00:1", name, "", denied, "stands for 10.0.0.1, a private address"},
		{name + " cidr=64:ff9b:1::/48", "64:ff9b:1:a00:0:100::", name, "", denied, "stands for 10.0.0.1, a private address"},
		{name + " cidr=64:ff9b:1::/48", "64:ff9b:1::808:404", name, "[64:ff9b:1::808:404]:80", passes, ""},
		{name + " cidr=2002::/16", "2002:a00:1::1", name, "", denied, "stands for 10.0.0.1, a private address"},
		{name + " cidr=2002::/16", "2002:808:404::1", name, "[2002:808:404::1]:80", passes, ""},
		{name + " cidr=2001::/32", "2001:0:a00:1::f7f7:fbfb", name, "", denied, "stands for 10.0.0.1"},
		{name + " cidr=2001::/32", "2001:0:808:404::f5ff:fffe", name, "", denied, "stands for 10.0.0.1"},
		{name + " cidr=2001::/32", "2001:0:808:404::f7f7:fbfb", name, "[2001:0:808:404::f7f7:fbfb]:80", passes, ""},
		{name + " cidr=fe80::/10", "fe80::1", name, "[fe80::1]:80", passes, ""},
		{name + " cidr=fe80::/10", "fe80::1%eth0", name, "[fe80::1%eth0]:80", passes, ""},
		{name + " cidr=fe80::/10", "fe80::1%eth0]:22", name, "", denied, "an address with a zone"},
		{"http://10.0.0.1", "", "http://10.0.0.1", "10.0.0.1:80", passes, ""},
		{"http://169.254.169.254", "", "http://169.254.169.254", "169.254.169.254:80", passes, ""},
		{"http://[fd00::1]:9000", "", "http://[fd00::1]:9000", "[fd00::1]:9000", passes, ""},
		{name + "; http://b.example cidr=10.0.0.0/8", "10.0.0.1", name, "", denied, "http://a.example:80 leads to 10.0.0.1"},
		{name + "; http://a.example:81 cidr=10.0.0.0/8", "10.0.0.1", name, "", denied, "http://a.example:80 leads to 10.0.0.1"},
	} {
		w := newWorld(t, d.answers)
		_, err := status(t.Context(), w.client(rulesOf(t, d.rules)...), &Request{Method: http.MethodGet, URL: d.url})
		d.check(t, w, err)
		if len(w.asked) > 1 {
			t.Errorf("%+v: asked for %q", d, w.asked)
		}
	}
}
