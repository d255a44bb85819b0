package s3

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/berth-dev/storagedriver"
)

// presigned is the URL of a GET of the key.
func presigned(t *testing.T, d *Driver, key string) *url.URL {
	t.Helper()
	r, err := d.client.presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &d.config.Bucket, Key: &key}, s3.WithPresignExpires(20*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestEndpoints looks at the URLs that the parameters make, and sends nothing.
func TestEndpoints(t *testing.T) {
	surroundings(t)
	aws := map[string]any{"accesskey": testAccess, "secretkey": testSecret, "bucket": "registry", "region": "eu-west-1", "probe": false}
	for _, c := range []struct {
		parameters map[string]any
		want       string
	}{
		{nil, "https://registry.s3.eu-west-1.amazonaws.com/a/b"},
		{map[string]any{"secure": false}, "http://registry.s3.eu-west-1.amazonaws.com/a/b"},
		{map[string]any{"forcepathstyle": true}, "https://s3.eu-west-1.amazonaws.com/registry/a/b"},
		{map[string]any{"accelerate": true, "forcepathstyle": true}, "https://registry.s3-accelerate.amazonaws.com/a/b"},
		{map[string]any{"usedualstack": true}, "https://registry.s3.dualstack.eu-west-1.amazonaws.com/a/b"},
		{map[string]any{"usefipsendpoint": true, "region": "us-gov-west-1"}, "https://registry.s3-fips.us-gov-west-1.amazonaws.com/a/b"},
		{map[string]any{"region": "cn-north-1"}, "https://registry.s3.cn-north-1.amazonaws.com.cn/a/b"},
		{map[string]any{"regionendpoint": "s3.example.com:9000"}, "https://registry.s3.example.com:9000/a/b"},
		{map[string]any{"regionendpoint": "s3.example.com", "forcepathstyle": true, "secure": false}, "http://s3.example.com/registry/a/b"},
		{map[string]any{"redirectendpoint": "https://cdn.example.com"}, "https://cdn.example.com/a/b"},
		{map[string]any{"redirectendpoint": "http://cdn.example.com:81/", "forcepathstyle": true}, "http://cdn.example.com:81/registry/a/b"},
		{map[string]any{"regionendpoint": "http://h", "v4auth": false, "redirectendpoint": "https://cdn.example.com"}, "https://cdn.example.com/a/b"},
	} {
		p := parametersOf("", map[string]any{"regionendpoint": nil, "forcepathstyle": nil})
		for name, value := range aws {
			p[name] = value
		}
		for name, value := range c.parameters {
			p[name] = value
		}
		u := presigned(t, unprobed(t, p), "a/b")
		if got := u.Scheme + "://" + u.Host + u.Path; got != c.want {
			t.Errorf("%v: %s, want %s", c.parameters, got, c.want)
		}
	}
}

func TestEndpointsThatDoNotExist(t *testing.T) {
	surroundings(t)
	for _, more := range []map[string]any{
		{"regionendpoint": nil, "accelerate": true, "usefipsendpoint": true},
		{"usedualstack": true},
		{"usefipsendpoint": true},
		{"region": "Not_A_Host", "forcepathstyle": false},
	} {
		_, err := Open(t.Context(), parametersOf("https://s3.example.com", more))
		says(t, err, storagedriver.KindInvalidArgument, `parameters "bucket", "region", "regionendpoint", "accelerate", "usedualstack" and "usefipsendpoint" make no endpoint: `)
	}
}

// TestRedirectEndpointIsSigned: the signature of version 2 is for the bucket's resource, wherever the URL points.
func TestRedirectEndpointOfVersion2(t *testing.T) {
	surroundings(t)
	at := func(more map[string]any) string {
		more["v4auth"] = false
		u := presigned(t, unprobed(t, parametersOf("http://s3.example.com", more)), "a/b")
		return u.Query().Get("Expires") + " " + u.Query().Get("Signature")
	}
	for deadline := time.Now().Add(time.Minute); ; {
		path, host := at(map[string]any{}), at(map[string]any{"forcepathstyle": false, "redirectendpoint": "https://cdn.example.com"})
		if path == host {
			return
		}
		if strings.Fields(path)[0] == strings.Fields(host)[0] || time.Now().After(deadline) { // else a second passed between them
			t.Fatalf("%s and %s", path, host)
		}
	}
}

func put(t *testing.T, d *Driver, body string) {
	t.Helper()
	_, err := d.client.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &d.config.Bucket, Key: ptr("k"), Body: strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBodiesAreSignedWhereTLSDoesNotProtectThem(t *testing.T) {
	surroundings(t)
	hash := sha256.Sum256([]byte("hello"))
	ok := func(http.ResponseWriter, *http.Request) {}
	plain := serve(t, false, ok)
	put(t, unprobed(t, plain.parameters(nil)), "hello")
	if got := plain.last(t).Header.Get("X-Amz-Content-Sha256"); got != hex.EncodeToString(hash[:]) {
		t.Errorf("over http the payload is %s", got)
	}
	secured := serve(t, true, ok)
	put(t, unprobed(t, secured.parameters(map[string]any{"skipverify": true})), "hello")
	r := secured.last(t)
	if got := r.Header.Get("X-Amz-Content-Sha256"); got != "UNSIGNED-PAYLOAD" {
		t.Errorf("over https the payload is %s", got)
	}
	for name := range r.Header {
		if strings.Contains(strings.ToLower(name), "checksum") || name == "Content-Encoding" {
			t.Errorf("checksums=when_required sends %s: %s", name, r.Header.Get(name))
		}
	}
	put(t, unprobed(t, secured.parameters(map[string]any{"skipverify": true, "checksums": "when_supported"})), "hello")
	if got := secured.last(t).Header.Get("X-Amz-Trailer"); got != "x-amz-checksum-crc32" {
		t.Errorf("checksums=when_supported has the trailer %q", got)
	}
}

func TestChecksumOfDeleteObjects(t *testing.T) {
	surroundings(t)
	s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<DeleteResult></DeleteResult>") })
	in := &s3.DeleteObjectsInput{Bucket: ptr("registry"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: ptr("a")}, {Key: ptr("b & <c>")}}}}
	if _, err := unprobed(t, s.parameters(nil)).client.api.DeleteObjects(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	sum := md5.Sum(s.bodies[0])
	h := s.last(t).Header
	if got := h.Get("Content-Md5"); got != base64.StdEncoding.EncodeToString(sum[:]) || h.Get("X-Amz-Checksum-Crc32") != "" || h.Get("X-Amz-Sdk-Checksum-Algorithm") != "" {
		t.Errorf("when_required: %v", h)
	}
	if _, err := unprobed(t, s.parameters(map[string]any{"checksums": "when_supported"})).client.api.DeleteObjects(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if h = s.last(t).Header; h.Get("Content-Md5") != "" || h.Get("X-Amz-Checksum-Crc32") == "" {
		t.Errorf("when_supported: %v", h)
	}
}

func TestCertificates(t *testing.T) {
	surroundings(t)
	s := serve(t, true, emptyBucket)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	_, err := Open(t.Context(), s.parameters(nil))
	says(t, err, storagedriver.KindInvalidArgument, "the certificate of 127.0.0.1:", `is not accepted: name its authority in parameter "cacert", or correct parameter "regionendpoint" (or, for tests, set "skipverify")`)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	opened(t, s.parameters(map[string]any{"cacert": authority}))
	opened(t, s.parameters(map[string]any{"skipverify": "true"}))
	t.Setenv("AWS_CA_BUNDLE", authority)
	opened(t, s.parameters(nil))
	os.Unsetenv("AWS_CA_BUNDLE")
	_, err = Open(t.Context(), s.parameters(map[string]any{"cacert": authority + "x"}))
	says(t, err, storagedriver.KindInvalidArgument, `parameter "cacert" must name a PEM file of certificates: `)
	_, err = Open(t.Context(), s.parameters(map[string]any{"regionendpoint": "http" + strings.TrimPrefix(s.URL, "https")}))
	says(t, err, storagedriver.KindInvalidArgument, `parameter "secure": the service at 127.0.0.1:`, `speaks TLS: set it to true, or begin "regionendpoint" with https://`)
	plain := serve(t, false, emptyBucket)
	_, err = Open(t.Context(), plain.parameters(map[string]any{"regionendpoint": strings.TrimPrefix(plain.URL, "http://")}))
	says(t, err, storagedriver.KindInvalidArgument, `does not speak TLS: set parameter "secure" to false, or begin "regionendpoint" with http://`)
	opened(t, plain.parameters(map[string]any{"regionendpoint": strings.TrimPrefix(plain.URL, "http://"), "secure": false}))
	if s.TLS.MinVersion > tls.VersionTLS13 {
		t.Fatal("the service has no TLS")
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	surroundings(t)
	other := serve(t, false, emptyBucket)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := Open(t.Context(), s.parameters(nil))
	says(t, err, storagedriver.KindInvalidArgument, `parameter "region" is "eu-west-1", and the bucket is in another: the service answers 307`)
	if n := len(other.seen()); n != 0 {
		t.Errorf("%d requests went on to where the service pointed", n)
	}
}

// body fails, as a client that goes away makes it.
type body struct {
	*strings.Reader
	err   error
	reads int
}

func (b *body) Read([]byte) (int, error) { b.reads++; return 0, b.err }

func TestErrorsOfBodiesAreNotRepeated(t *testing.T) {
	surroundings(t)
	s := serve(t, true, func(http.ResponseWriter, *http.Request) {})
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	d := unprobed(t, s.parameters(map[string]any{"skipverify": true}))
	b := &body{Reader: strings.NewReader("hello"), err: storagedriver.NewError(storagedriver.KindCorrupt, "the client's own")}
	_, err := d.client.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr("registry"), Key: ptr("k"), Body: b})
	if err = classify("s3:PutObject", err); !errors.Is(err, b.err) || storagedriver.KindOf(err) != storagedriver.KindCorrupt {
		t.Errorf("got %v, want the body's error", err)
	}
	if b.reads != 1 {
		t.Errorf("the body was read %d times", b.reads)
	}
}

// TestLogsHaveNoSecrets has the SDK log all it can.
func TestLogsHaveNoSecrets(t *testing.T) {
	surroundings(t)
	var text bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32))
	s := serve(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			emptyBucket(w, r)
		}
	})
	for _, level := range []string{"debug", "debugwithsigning", "debugwithhttpbody", "debugwithrequestretries"} {
		text.Reset()
		d := opened(t, s.parameters(map[string]any{"skipverify": true, "loglevel": level, "sessiontoken": "session-zebra", "ssecustomerkey": key}))
		_, err := d.client.api.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: ptr("registry"), Key: ptr("k"), Body: strings.NewReader("the content"),
			SSECustomerAlgorithm: ptr("AES256"), SSECustomerKey: &key,
		})
		if err != nil {
			t.Fatal(err)
		}
		signed := presigned(t, d, "k").Query()
		got := text.String()
		if !strings.Contains(got, "PUT /registry/k") || !strings.Contains(got, "X-Amz-Date") {
			t.Errorf("%s: the request is not in\n%s", level, got)
		}
		if logged := strings.Contains(got, "STRING TO SIGN"); logged != (level == "debugwithsigning") {
			t.Errorf("%s: what is signed is there: %v", level, logged)
		}
		if logged := strings.Contains(got, "the content"); logged != (level == "debugwithhttpbody") {
			t.Errorf("%s: the body is there: %v", level, logged)
		}
		authorization := s.last(t).Header.Get("Authorization")
		_, signature, _ := strings.Cut(authorization, "Signature=")
		for _, secret := range []string{testSecret, "zebra", key, signature, signed.Get("X-Amz-Signature")} {
			if secret == "" || strings.Contains(got, secret) {
				t.Errorf("%s: %q is in\n%s", level, secret, got)
			}
		}
	}
	text.Reset()
	opened(t, s.parameters(map[string]any{"skipverify": true}))
	if text.Len() > 0 {
		t.Errorf("loglevel=off logs %s", text.String())
	}
}

func TestPauses(t *testing.T) {
	surroundings(t)
	for _, c := range []struct {
		after string
		want  time.Duration
	}{{"7", 7 * time.Second}, {"20", 20 * time.Second}} {
		s := serve(t, false, refusal(503, "SlowDown", "", "Retry-After", c.after))
		_, err := unprobed(t, s.parameters(map[string]any{"maxattempts": 1})).client.api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: ptr("registry")})
		if got, failed := pause(1, err); got != c.want || failed != nil {
			t.Errorf("Retry-After %s: a pause of %v, %v", c.after, got, failed)
		}
	}
	for range 100 {
		if got, _ := pause(3, io.ErrUnexpectedEOF); got > 4*firstPause {
			t.Errorf("the third pause is %v", got)
		}
		if got, _ := pause(100, io.ErrUnexpectedEOF); got > maxPause {
			t.Errorf("the hundredth pause is %v", got)
		}
	}
}
