package swift_test

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
	"github.com/berth-dev/storagedriver/runtime/egress/sign/swift"
)

// The examples of Swift's documentation, "TempURL middleware" (docs.openstack.org/swift/latest/api/temporary_url_middleware.html), have a key, a
// path and an end, but no signatures; these were computed by its Python of "hmac.new(key, hmac_body, sha256)".
func TestTempURL(t *testing.T) {
	for _, c := range []struct{ digest, signature string }{
		{"", "b4324a658d4b6cdbe381a441983b89730d8fd81660aa340220c6dd37eafb6155"},
		{"sha256", "b4324a658d4b6cdbe381a441983b89730d8fd81660aa340220c6dd37eafb6155"},
		{"sha1", "8a6da84d2ba8c54afb22bcbd1fe532662bf3a43b"},
		{"sha512", "4cc58381b9d3e712b3c52e19385807243ad8dc5583053220d22e357a4320d26ab3e258db4f12e94807bae96f9c8db2ca35cf9c64c5e6ed713e88d964146b3aba"},
	} {
		synctest.Test(t, func(t *testing.T) {
			<-time.After(time.Until(time.Unix(1400000000, 0)))
			cfg := user()
			cfg.TempURLKey, cfg.TempURLDigest = factory.NewSecret("MYKEY"), c.digest
			got, err := open(t, cfg, http.DefaultClient).Presign(context.Background(), request(t, "GET", "/v1/AUTH_account/container/a%20b?filename=c"), 60*time.Second)
			want := "https://swift.example.com/v1/AUTH_account/container/a%20b?filename=c&temp_url_sig=" + c.signature + "&temp_url_expires=1400000060"
			if err != nil || got != want {
				t.Errorf("%s, %v; want\n%s", got, err, want)
			}
		})
	}
}

func TestTempURLThatThereIsNot(t *testing.T) {
	cfg := user()
	without := open(t, cfg, http.DefaultClient)
	cfg.TempURLKey = factory.NewSecret("MYKEY")
	with := open(t, cfg, http.DefaultClient)
	for _, c := range []struct {
		s                    sign.Signer
		method, scheme, path string
		kind                 storagedriver.Kind
		says                 string
	}{
		{without, "GET", "https", "/v1/a/c/o", storagedriver.KindUnsupported, `parameter "tempurlkey"`},
		{with, "PATCH", "https", "/v1/a/c/o", storagedriver.KindUnsupported, "PATCH"},
		{with, "GET", "https", "/v1/a/c", storagedriver.KindUnsupported, "/v1/account/container/object"},
		{with, "GET", "https", "/v1/a/c/", storagedriver.KindUnsupported, "/v1/account/container/object"},
		{with, "PUT", "http", "/v1/a/c/o", storagedriver.KindDenied, "PUT over http"},
	} {
		req := &http.Request{Method: c.method, URL: &url.URL{Scheme: c.scheme, Host: "swift.example.com", Path: c.path}}
		if got, err := c.s.Presign(context.Background(), req, time.Hour); storagedriver.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %q, %v", c.method, c.path, got, err)
		}
	}
}

func TestWrongParameters(t *testing.T) {
	zebra := factory.NewSecret("zebra")
	v1 := func(c *swift.Config) {
		*c = swift.Config{AuthURL: c.AuthURL, AuthVersion: 1, Username: "test:tester", Password: zebra}
	}
	app := func(c *swift.Config) {
		*c = swift.Config{AuthURL: c.AuthURL, ApplicationCredentialID: "a", ApplicationCredentialSecret: zebra}
	}
	for _, c := range []struct {
		change func(*swift.Config)
		want   string
	}{
		{func(c *swift.Config) { c.AuthURL = "" }, `parameter "authurl" must be a URL of http or https`},
		{func(c *swift.Config) { c.AuthURL = "https://admin:zebra@keystone/v3" }, `parameter "authurl" must be a URL of http or https, without a user`},
		{func(c *swift.Config) { c.AuthURL = "ftp://keystone/v3" }, `parameter "authurl" must`},
		{func(c *swift.Config) { c.AuthURL = "https://keystone/v3?zebra" }, `parameter "authurl" must`},
		{func(c *swift.Config) { c.AuthVersion = 2 }, `parameter "authversion" must be 3 or 1`},
		{func(c *swift.Config) { c.Username = "" }, `parameter "username" must be`},
		{func(c *swift.Config) { c.UserID = "a" }, `parameter "username" must be`},
		{func(c *swift.Config) { c.Password = factory.Secret{} }, `parameter "password" must be`},
		{func(c *swift.Config) { c.Project = "" }, `parameter "project" must be`},
		{func(c *swift.Config) { c.ProjectID = "a" }, `parameter "project" must be`},
		{func(c *swift.Config) { c.Domain, c.DomainID = "a", "b" }, `parameter "domain" must not be set beside "domainid"`},
		{func(c *swift.Config) { c.ProjectDomain, c.ProjectDomainID = "a", "b" }, `parameter "projectdomain" must not be set beside "projectdomainid"`},
		{func(c *swift.Config) { c.TempURLDigest = "md5" }, `parameter "tempurldigest" must be "sha256", "sha512" or "sha1"`},
		{func(c *swift.Config) { app(c); c.Project = "a" }, `parameter "project" must not be set beside an application credential`},
		{func(c *swift.Config) { app(c); c.Password = zebra }, `parameter "password" must not be set beside an application credential`},
		{func(c *swift.Config) { app(c); c.ApplicationCredentialID = "" }, `parameter "applicationcredentialid" must be`},
		{func(c *swift.Config) { v1(c); c.Username = "" }, `parameter "username" must be a user`},
		{func(c *swift.Config) { v1(c); c.Password = factory.NewSecret("zebra\r\nX: y") }, `parameter "password" must be the user's key`},
		{func(c *swift.Config) { v1(c); c.Project = "a" }, `parameter "project" must not be set with version 1`},
	} {
		cfg := user()
		c.change(&cfg)
		s, err := swift.New(context.Background(), cfg, http.DefaultClient)
		if s != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") {
			t.Errorf("%v; want %s", err, c.want)
		}
	}
	if _, err := swift.New(context.Background(), user(), nil); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "needs a client that may ask the server") {
		t.Errorf("without a client: %v", err)
	}
}
