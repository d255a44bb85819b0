package oss_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/oss"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

func keys() oss.Config {
	return oss.Config{AccessKeyID: "ak", AccessKeySecret: factory.NewSecret("sk"), Region: "cn-hangzhou"}
}

func open(t testing.TB, cfg oss.Config) sign.Signer {
	t.Helper()
	s, err := oss.New(context.Background(), cfg, nil)
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

// at runs f when it is then, in seconds since 1970, by the clock of a bubble.
func at(t *testing.T, then int64, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Unix(then, 0)))
		f(t)
	})
}

// What the tests of alibabacloud-oss-go-sdk-v2 (oss/signer/signer_test.go) sign, as a request.
func example(t testing.TB, rawURL, contentType string) *http.Request {
	return request(t, "PUT", rawURL+"?%2Bparam1=value3&%2Bparam2=&%7Cparam1=value4&%7Cparam2=&param1=value1&param2",
		"x-oss-head1", "value", "abc", "value", "ZAbc", "value", "XYZ", "value", "content-type", contentType)
}

const object = "/1234+-/123/1.txt"

func TestPublishedHeaders(t *testing.T) {
	for _, c := range []struct {
		name             string
		token            string
		then             int64
		scope, signature string
	}{
		{"TestV4AuthHeader", "", 1702743657, "20231216", "e21d18daa82167720f9b1047ae7e7f1ce7cb77a31e8203a7d5f4624fa0284afe"},
		{"TestV4AuthHeaderToken", "token", 1702784856, "20231217", "b94a3f999cf85bcdc00d332fbd3734ba03e48382c36fa4d5af5df817395bd9ea"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, origin := range []struct{ url, bucket string }{
				{"http://bucket.oss-cn-hangzhou.aliyuncs.com", ""},
				{"http://bucket.oss-cn-hangzhou-internal.aliyuncs.com:80", ""},
				{"http://blobs.example.com", "bucket"},
				{"http://127.0.0.1:9000/bucket", ""},
				{"http://oss-cn-hangzhou.aliyuncs.com/bucket", ""},
			} {
				at(t, c.then, func(t *testing.T) {
					cfg := keys()
					cfg.SecurityToken, cfg.Bucket = factory.NewSecret(c.token), origin.bucket
					req := example(t, origin.url+object, "text/plain")
					if err := open(t, cfg).Sign(context.Background(), req, suite.Payload{}); err != nil {
						t.Fatal(err)
					}
					want := "OSS4-HMAC-SHA256 Credential=ak/" + c.scope + "/cn-hangzhou/oss/aliyun_v4_request,Signature=" + c.signature
					if got := req.Header.Get("Authorization"); got != want {
						t.Errorf("%s: Authorization %s, want %s", origin.url, got, want)
					}
					if got := req.Header.Get("X-Oss-Security-Token"); got != c.token {
						t.Errorf("X-Oss-Security-Token %s", got)
					}
				})
			}
		})
	}
}

func TestPublishedQuery(t *testing.T) {
	for _, c := range []struct {
		name      string
		token     string
		then      int64
		signature string
	}{
		{"TestV4AuthQuery", "", 1702781677, "a39966c61718be0d5b14e668088b3fa07601033f6518ac7b523100014269c0fe"},
		{"TestV4AuthQueryToken", "token", 1702785388, "3817ac9d206cd6dfc90f1c09c00be45005602e55898f26f5ddb06d7892e1f8b5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at(t, c.then, func(t *testing.T) {
				cfg := keys()
				cfg.SecurityToken = factory.NewSecret(c.token)
				raw, err := open(t, cfg).Presign(context.Background(), example(t, "https://bucket.oss-cn-hangzhou.aliyuncs.com"+object, "application/octet-stream"), 599*time.Second)
				if err != nil {
					t.Fatal(err)
				}
				u, err := url.Parse(raw)
				if err != nil {
					t.Fatal(err)
				}
				q := u.Query()
				if u.EscapedPath() != "/1234%2B-/123/1.txt" || q.Get("x-oss-expires") != "599" || q.Get("x-oss-credential") != "ak/20231217/cn-hangzhou/oss/aliyun_v4_request" || q.Get("x-oss-security-token") != c.token || q.Get("|param1") != "value4" {
					t.Errorf("%s", raw)
				}
				if got := q.Get("x-oss-signature"); got != c.signature {
					t.Errorf("the signature %s, want %s", got, c.signature)
				}
			})
		})
	}
}

func TestSuite(t *testing.T) {
	cfg := keys()
	cfg.AccessKeySecret = factory.NewSecret("wJalrXUtnFEMI/K7MDENG")
	t.Run("keys", func(t *testing.T) {
		suite.Run(t, suite.Case{Signer: open(t, cfg), Config: cfg, Secrets: []string{"wJalrXUtnFEMI/K7MDENG"}, Presigns: true})
	})
	cfg.SecurityToken = factory.NewSecret("security/token+")
	t.Run("security token", func(t *testing.T) {
		suite.Run(t, suite.Case{Signer: open(t, cfg), Config: cfg, Secrets: []string{"wJalrXUtnFEMI/K7MDENG", "security/token+"}, Presigns: true})
	})
}

func TestUnsignedBodies(t *testing.T) {
	s := open(t, keys())
	for _, c := range []struct {
		name, url string
		md5       string
		payload   suite.Payload
		kind      storagedriver.Kind
	}{
		{"over https", "https://b.oss-cn-hangzhou.aliyuncs.com/o", "", suite.Payload{Content: "a", Once: true}, 0},
		{"no body over http", "http://b.oss-cn-hangzhou.aliyuncs.com/o", "", suite.Payload{}, 0},
		{"over http", "http://b.oss-cn-hangzhou.aliyuncs.com/o", "", suite.Payload{Content: "a"}, storagedriver.KindDenied},
		{"of unknown length over http", "http://b.oss-cn-hangzhou.aliyuncs.com/o", "", suite.Payload{Content: "a", Once: true}, storagedriver.KindDenied},
		{"over http with Content-MD5", "http://b.oss-cn-hangzhou.aliyuncs.com/o", "DMF1ucDxtqgxw5niaXcmYQ==", suite.Payload{Content: "a"}, 0},
	} {
		req := request(t, "PUT", c.url)
		if c.md5 != "" {
			req.Header.Set("Content-MD5", c.md5)
		}
		if err := s.Sign(context.Background(), req, c.payload); storagedriver.KindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), "set Content-MD5, or use an origin of https") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := s.Presign(context.Background(), request(t, "PUT", "http://b.oss-cn-hangzhou.aliyuncs.com/o"), time.Hour); storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), "PUT over http") {
		t.Errorf("a presigned PUT over http: %v", err)
	}
}

func TestWrongParameters(t *testing.T) {
	for _, c := range []struct {
		change func(*oss.Config)
		want   string
	}{
		{func(c *oss.Config) { *c = oss.Config{} }, `parameter "accesskeyid" must be an access key ID: letters and digits; parameter "accesskeysecret" must be`},
		{func(c *oss.Config) { c.AccessKeyID = "a/b" }, `parameter "accesskeyid" must be`},
		{func(c *oss.Config) { c.AccessKeySecret = factory.NewSecret("zebra zebra") }, `parameter "accesskeysecret" must be`},
		{func(c *oss.Config) { c.SecurityToken = factory.NewSecret("zebra\n") }, `parameter "securitytoken" must be`},
		{func(c *oss.Config) { c.Region = "" }, `parameter "region" must be`},
		{func(c *oss.Config) { c.Region = "oss-cn-hangzhou" }, `parameter "region" must be a region without "oss-", such as "cn-hangzhou"`},
		{func(c *oss.Config) { c.Bucket = "a/b" }, `parameter "bucket" must be a bucket's name`},
	} {
		cfg := keys()
		c.change(&cfg)
		s, err := oss.New(context.Background(), cfg, nil)
		if s != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
}
