package azure_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/azure"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

// key is the emulator's, which Microsoft has published.
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

func shared() azure.Config {
	return azure.Config{AccountName: "myaccount", AccountKey: factory.NewSecret(key)}
}

func open(t testing.TB, cfg azure.Config) sign.Signer {
	t.Helper()
	s, err := azure.New(context.Background(), cfg, nil)
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
	end, err := time.Parse(time.RFC1123, then)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(end))
		f(t)
	})
}

func mac(t testing.TB, s string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, raw)
	io.WriteString(h, s)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// The first is the example of "Authorize with Shared Key" (Azure Storage REST API), which has the string to sign, but not the key that its signature was
// made with; the others were written after the rules of that page.
func TestPublished(t *testing.T) {
	const date = "Fri, 26 Jun 2015 23:39:12 GMT"
	for _, c := range []struct {
		name    string
		req     *http.Request
		payload suite.Payload
		toSign  string
	}{
		{"get container metadata", request(t, "GET", "http://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20", "x-ms-version", "2015-02-21"), suite.Payload{},
			"GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:" + date + "\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20"},
		{"put blob", request(t, "PUT", "https://myaccount.blob.core.windows.net/mycontainer/hello.txt", "x-ms-version", "2015-02-21", "x-ms-blob-type", "BlockBlob", "x-ms-meta-m1", " v1 ", "Content-Type", "text/plain; charset=UTF-8", "content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="), suite.Payload{Content: "hello world"},
			"PUT\n\n\n11\nXrY7u+Ae7tCTyyK7j1rNww==\ntext/plain; charset=UTF-8\n\n\n\n\n\n\nx-ms-blob-type:BlockBlob\nx-ms-date:" + date + "\nx-ms-meta-m1:v1\nx-ms-version:2015-02-21\n/myaccount/mycontainer/hello.txt"},
		{"get a range, if it is the one", request(t, "GET", "https://myaccount.blob.core.windows.net/c/a%20b%2Fc+d", "Range", "bytes=0-9", "If-Match", `"0x8D"`, "If-Modified-Since", date, "Date", "Thu, 25 Jun 2015 23:39:12 GMT", "User-Agent", "berth"), suite.Payload{},
			"GET\n\n\n\n\n\n\n" + date + "\n\"0x8D\"\n\n\nbytes=0-9\nx-ms-date:" + date + "\n/myaccount/c/a%20b%2Fc+d"},
		{"parameters that come twice", request(t, "GET", "https://myaccount.blob.core.windows.net/c?include=snapshots&comp=list&include=metadata&Prefix=a%2Fb&restype=container"), suite.Payload{},
			"GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:" + date + "\n/myaccount/c\nprefix:a/b\ncomp:list\ninclude:metadata,snapshots\nrestype:container"},
		{"the emulator's path", request(t, "DELETE", "http://127.0.0.1:10000/myaccount/c/b"), suite.Payload{},
			"DELETE\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:" + date + "\n/myaccount/myaccount/c/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at(t, date, func(t *testing.T) {
				if err := open(t, shared()).Sign(context.Background(), c.req, c.payload); err != nil {
					t.Fatal(err)
				}
				if got := c.req.Header.Get("X-Ms-Date"); got != date {
					t.Errorf("X-Ms-Date: %s", got)
				}
				if got, want := c.req.Header.Get("Authorization"), "SharedKey myaccount:"+mac(t, c.toSign); got != want {
					t.Errorf("Authorization: %s, want %s of\n%q", got, want, c.toSign)
				}
			})
		})
	}
}

// capture is a transport that keeps requests and sends none.
type capture struct{ requests []*http.Request }

var errCaptured = errors.New("captured")

func (c *capture) Do(req *http.Request) (*http.Response, error) {
	c.requests = append(c.requests, req)
	return nil, errCaptured
}

// TestVendorAgrees signs what the vendor's client has signed.
func TestVendorAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		credential, err := blob.NewSharedKeyCredential("myaccount", key)
		if err != nil {
			t.Fatal(err)
		}
		c := &capture{}
		options := azcore.ClientOptions{Transport: c, Retry: policy.RetryOptions{MaxRetries: -1}}
		name := "https://myaccount.blob.core.windows.net/container/" + url.PathEscape("a b/ü+%&?.txt")
		block, err := blockblob.NewClientWithSharedKeyCredential(name, credential, &blockblob.ClientOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		value, contentType := "a  value", "text/plain"
		_, _ = block.Upload(ctx, readSeekCloser{bytes.NewReader([]byte("hello world"))}, &blockblob.UploadOptions{
			Metadata: map[string]*string{"A": &value}, HTTPHeaders: &blob.HTTPHeaders{BlobContentType: &contentType}, TransactionalValidation: blob.TransferValidationTypeMD5(make([]byte, 16)),
		})
		_, _ = block.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: 5, Count: 10}})
		_, _ = block.CommitBlockList(ctx, []string{"AAAA", "BBBB"}, nil)
		_, _ = block.GetBlockList(ctx, blockblob.BlockListTypeAll, nil)
		_, _ = block.Delete(ctx, nil)
		if len(c.requests) != 5 {
			t.Fatalf("the client made %d requests", len(c.requests))
		}
		s := open(t, shared())
		for _, req := range c.requests {
			want := req.Header.Get("Authorization")
			ours := request(t, req.Method, req.URL.String())
			payload := suite.Payload{}
			for name, values := range req.Header {
				switch name = http.CanonicalHeaderKey(name); name {
				case "Authorization", "X-Ms-Date":
				case "Content-Length":
					payload.Content = strings.Repeat("x", int(req.ContentLength))
				default:
					ours.Header[name] = values
				}
			}
			if err := s.Sign(ctx, ours, payload); err != nil {
				t.Fatal(err)
			}
			if got := ours.Header.Get("Authorization"); got != want || want == "" {
				t.Errorf("%s %s: %q, want the client's %q", req.Method, req.URL, got, want)
			}
		}
	})
}

type readSeekCloser struct{ *bytes.Reader }

func (readSeekCloser) Close() error { return nil }

func TestSuite(t *testing.T) {
	raw, _ := base64.StdEncoding.DecodeString(key)
	t.Run("shared key", func(t *testing.T) {
		suite.Run(t, suite.Case{Signer: open(t, shared()), Config: shared(), Secrets: []string{key, string(raw)}, Presigns: true})
	})
	t.Run("SAS", func(t *testing.T) {
		cfg := azure.Config{SAS: factory.NewSecret("?" + token)}
		suite.Run(t, suite.Case{Signer: open(t, cfg), Config: cfg, Secrets: []string{token, "Z+/RHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtk=", "Z%2B%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtk%3D"}})
	})
}

const token = "sv=2022-11-02&st=2022-12-01T22%3A18%3A26Z&se=2050-12-01T22%3A23%3A26Z&sr=c&sp=rwdl&spr=https&sig=Z%2B%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtk%3D"

func TestSAS(t *testing.T) {
	s := open(t, azure.Config{SAS: factory.NewSecret(token)})
	for _, c := range []struct{ url, want string }{
		{"https://myaccount.blob.core.windows.net/c/b", "https://myaccount.blob.core.windows.net/c/b?" + token},
		{"https://myaccount.blob.core.windows.net/c?restype=container&comp=list", "https://myaccount.blob.core.windows.net/c?restype=container&comp=list&" + token},
	} {
		req := request(t, "GET", c.url)
		if err := s.Sign(context.Background(), req, suite.Payload{}); err != nil || req.URL.String() != c.want || len(req.Header) != 0 {
			t.Errorf("%s, %v, %v", req.URL, req.Header, err)
		}
	}
	decoded, _ := url.QueryUnescape(token)
	sent := s.Sent()
	for _, want := range []string{token, decoded, "Z+/RHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtk=", "Z%2B%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtk%3D"} {
		if !slices.Contains(sent, want) {
			t.Errorf("Sent does not have %s", want)
		}
	}
	owns := s.Owns()
	slices.Sort(owns)
	if want := []string{"?se", "?sig", "?sp", "?spr", "?sr", "?st", "?sv"}; !slices.Equal(owns, want) {
		t.Errorf("Owns: %q", owns)
	}
}

// The strings to sign are those of "Create a service SAS" (Azure Storage REST API), version 2020-12-06 and later.
func TestPresign(t *testing.T) {
	for _, c := range []struct{ method, url, protocol, resource string }{
		{"GET", "https://myaccount.blob.core.windows.net/container/a%20b/c", "https", "/blob/myaccount/container/a b/c"},
		{"HEAD", "http://127.0.0.1:10000/myaccount/container/b", "https,http", "/blob/myaccount/container/b"},
		{"GET", "https://blobs.example.com/container/b", "https", "/blob/myaccount/container/b"},
		{"GET", "https://myaccount.blob.core.windows.net/b", "https", "/blob/myaccount/$root/b"},
		{"GET", "https://myaccount.blob.core.windows.net/myaccount/b", "https", "/blob/myaccount/myaccount/b"},
	} {
		at(t, "Fri, 26 Jun 2015 23:39:12 GMT", func(t *testing.T) {
			got, err := open(t, shared()).Presign(context.Background(), request(t, c.method, c.url), time.Hour)
			sig := mac(t, strings.Join([]string{"r", "", "2015-06-27T00:39:12Z", c.resource, "", "", c.protocol, "2022-11-02", "b", "", "", "", "", "", "", ""}, "\n"))
			want := c.url + "?se=" + url.QueryEscape("2015-06-27T00:39:12Z") + "&sig=" + url.QueryEscape(sig) + "&sp=r&spr=" + url.QueryEscape(c.protocol) + "&sr=b&sv=2022-11-02"
			if err != nil || got != want {
				t.Errorf("%s, %v; want\n%s", got, err, want)
			}
		})
	}
}

func TestPresignThatThereIsNot(t *testing.T) {
	for _, c := range []struct{ method, url, says string }{
		{"PUT", "https://myaccount.blob.core.windows.net/c/b", "for GET and HEAD, not for PUT"},
		{"GET", "https://myaccount.blob.core.windows.net/", "must name a container and a blob"},
		{"GET", "https://myaccount.blob.core.windows.net/c/", "must name a container and a blob"},
		{"GET", "https://myaccount.blob.core.windows.net/c?restype=container&comp=list", "must have no query"},
	} {
		if got, err := open(t, shared()).Presign(context.Background(), request(t, c.method, c.url), time.Hour); storagedriver.KindOf(err) != storagedriver.KindUnsupported || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %q, %v", c.method, c.url, got, err)
		}
	}
}

func TestWrong(t *testing.T) {
	for _, c := range []struct {
		change func(*azure.Config)
		want   string
	}{
		{func(c *azure.Config) { *c = azure.Config{} }, `parameter "accountname" must be a storage account's name: 3 to 24 lower-case letters and digits; parameter "accountkey" must be`},
		{func(c *azure.Config) { c.AccountName = "My-Account" }, `parameter "accountname" must be`},
		{func(c *azure.Config) { c.AccountKey = factory.NewSecret("zebra!") }, `parameter "accountkey" must be an account's key in base64`},
		{func(c *azure.Config) { c.SAS = factory.NewSecret("sv=1&sig=zebra") }, `parameter "accountkey" must not be set beside "sas"`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("sv=zebra")} }, `parameter "sas" must be`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("sig=zebra")} }, `parameter "sas" must be`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("https://h/?sv=1&sig=zebra")} }, `parameter "sas" must be`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("sv=1&sig=zebra#")} }, `parameter "sas" must be`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("sv=1&sig=zebra\n")} }, `parameter "sas" must be`},
		{func(c *azure.Config) { *c = azure.Config{SAS: factory.NewSecret("sv=1&sig=%zebra")} }, `parameter "sas" must be`},
	} {
		cfg := shared()
		c.change(&cfg)
		s, err := azure.New(context.Background(), cfg, nil)
		if s != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	req := request(t, "GET", "https://myaccount.blob.core.windows.net/c/b")
	req.URL.RawQuery = "a;b"
	if err := open(t, shared()).Sign(context.Background(), req, suite.Payload{}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "query cannot be signed") {
		t.Errorf("a query with a semicolon: %v", err)
	}
}
