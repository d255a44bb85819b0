package sigv4_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// The keys of AWS's examples.
const (
	accessKey = "AKIAIOSFODNN7EXAMPLE"
	secretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func example() sigv4.Config {
	return sigv4.Config{AccessKey: accessKey, SecretKey: factory.NewSecret(secretKey), Region: "us-east-1"}
}

func open(t testing.TB, cfg sigv4.Config) sign.Signer {
	t.Helper()
	s, err := sigv4.New(context.Background(), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t testing.TB, method, rawURL string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, rawURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// at runs f when it is then, by the clock of a bubble.
func at(t *testing.T, then string, f func(t *testing.T)) {
	t.Helper()
	end, err := time.Parse(time.RFC3339, then)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(end))
		f(t)
	})
}

// The examples of "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)", Amazon S3 API
// Reference, sig-v4-header-based-auth.html.
func TestPublishedHeaders(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		name, method, url       string
		headers                 []string
		body                    string
		hash, signed, signature string
	}{
		{"GET object", "GET", "https://examplebucket.s3.amazonaws.com/test.txt", []string{"Range", "bytes=0-9"}, "", empty,
			"host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"PUT object", "PUT", "https://examplebucket.s3.amazonaws.com/test$file.text", []string{"Date", "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class", "REDUCED_REDUNDANCY"},
			"Welcome to Amazon S3.", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"GET bucket lifecycle", "GET", "https://examplebucket.s3.amazonaws.com/?lifecycle", nil, "", empty,
			"host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"GET bucket (list objects)", "GET", "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", nil, "", empty,
			"host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at(t, "2013-05-24T00:00:00Z", func(t *testing.T) {
				req := request(t, c.method, c.url, c.headers...)
				if err := open(t, example()).Sign(context.Background(), req, suite.Payload{Content: c.body}); err != nil {
					t.Fatal(err)
				}
				want := "AWS4-HMAC-SHA256 Credential=" + accessKey + "/20130524/us-east-1/s3/aws4_request, SignedHeaders=" + c.signed + ", Signature=" + c.signature
				if got := req.Header.Get("Authorization"); got != want {
					t.Errorf("Authorization\n%s, want\n%s", got, want)
				}
				if got := req.Header.Get("X-Amz-Content-Sha256"); got != c.hash {
					t.Errorf("X-Amz-Content-Sha256 %s, want %s", got, c.hash)
				}
				if got := req.Header.Get("X-Amz-Date"); got != "20130524T000000Z" {
					t.Errorf("X-Amz-Date %s", got)
				}
			})
		})
	}
}

// The example of "Authenticating Requests: Using Query Parameters", sigv4-query-string-auth.html.
func TestPublishedQuery(t *testing.T) {
	at(t, "2013-05-24T00:00:00Z", func(t *testing.T) {
		got, err := open(t, example()).Presign(context.Background(), request(t, "GET", "https://examplebucket.s3.amazonaws.com/test.txt"), 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		const want = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
		if got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
	})
}

func TestSuite(t *testing.T) {
	t.Run("static", func(t *testing.T) {
		suite.Run(t, suite.Case{Signer: open(t, example()), Config: example(), Secrets: []string{secretKey}, Presigns: true})
	})
	t.Run("session", func(t *testing.T) {
		cfg := example()
		cfg.SessionToken = factory.NewSecret("AQoDYXdzEPT//////////wEXAMPLE+token==")
		suite.Run(t, suite.Case{Signer: open(t, cfg), Config: cfg, Secrets: []string{secretKey, cfg.SessionToken.Reveal()}, Presigns: true})
	})
	t.Run("another service", func(t *testing.T) {
		cfg := example()
		cfg.Service = "execute-api"
		suite.Run(t, suite.Case{Signer: open(t, cfg), Config: cfg, Secrets: []string{secretKey}})
	})
}

// canonical is what a server makes of a request that came over the wire, written after AWS's rules and not after the signer's code.
func canonical(t *testing.T, req *http.Request, signedHeaders, hash string, double bool) string {
	t.Helper()
	var wire bytes.Buffer
	if err := req.Write(&wire); err != nil {
		t.Fatal(err)
	}
	target := strings.Fields(wire.String())[1]
	rawPath, rawQuery, _ := strings.Cut(target, "?")
	escape := func(s string, keep string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~"+keep, c) >= 0 {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		return b.String()
	}
	path, err := url.PathUnescape(rawPath)
	if err != nil {
		t.Fatal(err)
	}
	path = escape(path, "/")
	if double {
		path = escape(path, "/")
	}
	var pairs []string
	for _, pair := range strings.Split(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		value, _ = url.QueryUnescape(value)
		if pair != "" {
			pairs = append(pairs, escape(name, "")+"="+escape(value, ""))
		}
	}
	for i := range pairs {
		for j := i + 1; j < len(pairs); j++ {
			if pairs[j] < pairs[i] {
				pairs[i], pairs[j] = pairs[j], pairs[i]
			}
		}
	}
	var headers strings.Builder
	for _, name := range strings.Split(signedHeaders, ";") {
		values := req.Header.Values(name)
		if name == "host" {
			values = []string{req.Host}
		}
		for i := range values {
			values[i] = strings.Join(strings.Fields(values[i]), " ")
		}
		headers.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	return strings.Join([]string{req.Method, path, strings.Join(pairs, "&"), headers.String(), signedHeaders, hash}, "\n")
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}

// verify checks the signature of a request as a server would.
func verify(t *testing.T, req *http.Request, region, service string, double bool) {
	t.Helper()
	var signedHeaders, signature string
	for _, part := range strings.Split(req.Header.Get("Authorization"), ", ") {
		if v, ok := strings.CutPrefix(part, "SignedHeaders="); ok {
			signedHeaders = v
		}
		if v, ok := strings.CutPrefix(part, "Signature="); ok {
			signature = v
		}
	}
	hash := req.Header.Get("X-Amz-Content-Sha256")
	if hash == "" {
		sum := sha256.Sum256(nil)
		hash = hex.EncodeToString(sum[:])
	}
	date := req.Header.Get("X-Amz-Date")
	sum := sha256.Sum256([]byte(canonical(t, req, signedHeaders, hash, double)))
	toSign := strings.Join([]string{"AWS4-HMAC-SHA256", date, date[:8] + "/" + region + "/" + service + "/aws4_request", hex.EncodeToString(sum[:])}, "\n")
	key := mac(mac(mac(mac([]byte("AWS4"+secretKey), date[:8]), region), service), "aws4_request")
	if want := hex.EncodeToString(mac(key, toSign)); want != signature {
		t.Errorf("%s %s: the signature over %s is not what a server computes", req.Method, req.URL, signedHeaders)
	}
}

func TestServersAgree(t *testing.T) {
	for _, c := range []struct{ service, url string }{
		{"s3", "https://h.example.com"},
		{"s3", "https://h.example.com/"},
		{"s3", "https://h.example.com:443/port"},
		{"s3", "http://127.0.0.1:9000/bucket/key"},
		{"s3", "http://[::1]:9000/bucket/key"},
		{"s3", "https://h.example.com/a%20b/c+d/%2B/e%2Ff/g;h/(i)*'!/%E2%82%AC/~._-"},
		{"s3", "https://h.example.com/a$&,:=@b"},
		{"s3", "https://h.example.com/?uploads"},
		{"s3", "https://h.example.com/?prefix=a%2Fb+c%20d&delimiter=%2f&z=1&z=0&a-b=1&a/b=2&A=*~"},
		{"s3", "https://h.example.com/a//b/../c/./d"},
		{"execute-api", "https://h.example.com/stage/a%20b?c=d"},
	} {
		cfg := example()
		cfg.Service = c.service
		req := request(t, "GET", c.url, "X-Amz-Meta-A", "  a   b ", "Content-Type", "text/plain", "User-Agent", "berth")
		if err := open(t, cfg).Sign(context.Background(), req, suite.Payload{}); err != nil {
			t.Fatal(err)
		}
		verify(t, req, "us-east-1", c.service, c.service != "s3")
	}
}

func TestPayload(t *testing.T) {
	once := suite.Payload{Content: "a", Once: true}
	for _, c := range []struct {
		name, url, service string
		payload            suite.Payload
		want               string
		kind               storagedriver.Kind
		says               string
	}{
		{"hashed", "http://h/k", "", suite.Payload{Content: "Welcome to Amazon S3."}, "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072", 0, ""},
		{"once over https", "https://h/k", "", once, "UNSIGNED-PAYLOAD", 0, ""},
		{"once over http", "http://h/k", "", once, "", storagedriver.KindDenied, "not sent unsigned over http"},
		{"once for another service", "https://h/k", "execute-api", once, "", storagedriver.KindDenied, "execute-api"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := example()
			cfg.Service = c.service
			req := request(t, "PUT", c.url)
			err := open(t, cfg).Sign(context.Background(), req, c.payload)
			if storagedriver.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v, want %v %q", err, c.kind, c.says)
			}
			if got := req.Header.Get("X-Amz-Content-Sha256"); got != c.want {
				t.Errorf("X-Amz-Content-Sha256 %s, want %s", got, c.want)
			}
			if err != nil && len(req.Header) != 0 {
				t.Errorf("a request that was refused has %v", req.Header)
			}
		})
	}
}

func TestSession(t *testing.T) {
	cfg := example()
	cfg.SessionToken = factory.NewSecret("session/token+")
	s := open(t, cfg)
	req := request(t, "GET", "https://h.example.com/k")
	if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil {
		t.Fatal(err)
	}
	if got := req.Header.Get("X-Amz-Security-Token"); got != "session/token+" || !strings.Contains(req.Header.Get("Authorization"), ";x-amz-security-token,") {
		t.Errorf("the token %q, Authorization %s", got, req.Header.Get("Authorization"))
	}
	if got := s.Sent(); len(got) != 1 || got[0] != "session/token+" {
		t.Errorf("Sent: %q", got)
	}
	raw, err := s.Presign(context.Background(), request(t, "GET", "https://h.example.com/k"), time.Minute)
	if err != nil || !strings.Contains(raw, "&X-Amz-Security-Token=session%2Ftoken%2B&") {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestPresign(t *testing.T) {
	s := open(t, example())
	ctx := context.Background()
	raw, err := s.Presign(ctx, request(t, "PUT", "https://h.example.com:443/a+b c?partNumber=1&uploadId=x", "Content-Type", "text/plain", "X-Amz-Meta-A", "b"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if u.Host != "h.example.com" || u.EscapedPath() != "/a%2Bb%20c" || q.Get("partNumber") != "1" || q.Get("uploadId") != "x" || q.Get("X-Amz-Expires") != "3600" || q.Get("X-Amz-SignedHeaders") != "content-type;host;x-amz-meta-a" {
		t.Errorf("%s", raw)
	}
	if _, err := s.Presign(ctx, request(t, "PUT", "http://h.example.com/a"), time.Hour); storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), "PUT over http") {
		t.Errorf("PUT over http: %v", err)
	}
	if _, err := s.Presign(ctx, request(t, "GET", "http://h.example.com/a"), 7*24*time.Hour); err != nil {
		t.Errorf("GET over http, seven days: %v", err)
	}
}

func TestQueryThatCannotBeSigned(t *testing.T) {
	s := open(t, example())
	for _, q := range []string{"a;b=1", "a=%zz"} {
		req := request(t, "GET", "https://h.example.com/")
		req.URL.RawQuery = q
		if err := s.Sign(context.Background(), req, suite.Payload{}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "query cannot be signed") {
			t.Errorf("%q: %v", q, err)
		}
	}
}

func TestWrongParameters(t *testing.T) {
	for _, c := range []struct {
		change func(*sigv4.Config)
		want   string
	}{
		{func(c *sigv4.Config) { c.AccessKey = "" }, `parameter "accesskey" must be an access key ID`},
		{func(c *sigv4.Config) { c.AccessKey = "a/b" }, `parameter "accesskey" must be`},
		{func(c *sigv4.Config) { c.SecretKey = factory.Secret{} }, `parameter "secretkey" must be`},
		{func(c *sigv4.Config) { c.SecretKey = factory.NewSecret("zebra zebra\n") }, `parameter "secretkey" must be`},
		{func(c *sigv4.Config) { c.SessionToken = factory.NewSecret("zebra\x7f") }, `parameter "sessiontoken" must be`},
		{func(c *sigv4.Config) { c.Region = "" }, `parameter "region" must be`},
		{func(c *sigv4.Config) { c.Service = "s3/x" }, `parameter "service" must be`},
		{func(c *sigv4.Config) { *c = sigv4.Config{} }, `parameter "accesskey" must be an access key ID: letters and digits; parameter "secretkey" must`},
	} {
		cfg := example()
		c.change(&cfg)
		s, err := sigv4.New(context.Background(), cfg, nil)
		if s != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
}
