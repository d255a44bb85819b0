package sign_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/suite"
)

func TestFixed(t *testing.T) {
	secret := factory.NewSecret("open sesame")
	bearer, bearerErr := sign.NewBearer(factory.NewSecret("mF_9.B5f-4.1JqM"))
	basic, basicErr := sign.NewBasic("Aladdin", secret)
	header, headerErr := sign.NewHeader("x-api-key", secret)
	for _, c := range []struct {
		name, header, value string
		signer              sign.Signer
		err                 error
		sent                []string
	}{
		{"bearer", "Authorization", "Bearer mF_9.B5f-4.1JqM", bearer, bearerErr, []string{"mF_9.B5f-4.1JqM"}}, // RFC 6750, section 2.1
		{"basic", "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", basic, basicErr, []string{"open sesame", "Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}},
		{"header", "X-Api-Key", "open sesame", header, headerErr, []string{"open sesame"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.err != nil {
				t.Fatal(c.err)
			}
			req, _ := http.NewRequest("GET", "https://example.com/", nil)
			if err := c.signer.Sign(context.Background(), req, suite.Payload{}); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get(c.header); got != c.value {
				t.Errorf("%s: %s, want %s", c.header, got, c.value)
			}
			if got := c.signer.Sent(); !slices.Equal(got, c.sent) {
				t.Errorf("Sent: %q, want %q", got, c.sent)
			}
			suite.Run(t, suite.Case{Signer: c.signer, Config: struct{ Secret factory.Secret }{secret}, Secrets: c.sent})
		})
	}
}

func TestFixedWrong(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (sign.Signer, error)
		want string
	}{
		{"no token", func() (sign.Signer, error) { return sign.NewBearer(factory.Secret{}) }, `parameter "token" must be`},
		{"a token with a line", func() (sign.Signer, error) { return sign.NewBearer(factory.NewSecret("zebra\nX: y")) }, `parameter "token" must be`},
		{"a token of two words", func() (sign.Signer, error) { return sign.NewBearer(factory.NewSecret("zebra zebra")) }, `parameter "token" must be`},
		{"no user", func() (sign.Signer, error) { return sign.NewBasic("", factory.NewSecret("zebra")) }, `parameter "username" must be`},
		{"a user with a colon", func() (sign.Signer, error) { return sign.NewBasic("a:b", factory.NewSecret("zebra")) }, `parameter "username" must be`},
		{"no password", func() (sign.Signer, error) { return sign.NewBasic("a", factory.Secret{}) }, `parameter "password" must be`},
		{"both", func() (sign.Signer, error) { return sign.NewBasic("", factory.NewSecret("zebra\x00")) }, `parameter "username" must be a name without colons and control characters; parameter "password" must be`},
		{"no name", func() (sign.Signer, error) { return sign.NewHeader("", factory.NewSecret("zebra")) }, `parameter "name" must be`},
		{"a name with a space", func() (sign.Signer, error) { return sign.NewHeader("a b", factory.NewSecret("zebra")) }, `parameter "name" must be`},
		{"host", func() (sign.Signer, error) { return sign.NewHeader("hOST", factory.NewSecret("zebra")) }, `parameter "name" must be`},
		{"content-length", func() (sign.Signer, error) { return sign.NewHeader("content-length", factory.NewSecret("zebra")) }, `parameter "name" must be`},
		{"proxy", func() (sign.Signer, error) { return sign.NewHeader("Proxy-Authorization", factory.NewSecret("zebra")) }, `parameter "name" must be`},
		{"a value with a line", func() (sign.Signer, error) { return sign.NewHeader("X-A", factory.NewSecret("zebra\r\nzebra")) }, `parameter "value" must be`},
		{"a value with a space around", func() (sign.Signer, error) { return sign.NewHeader("X-A", factory.NewSecret(" zebra")) }, `parameter "value" must be`},
		{"no value", func() (sign.Signer, error) { return sign.NewHeader("X-A", factory.Secret{}) }, `parameter "value" must be`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := c.make()
			if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "zebra") || s != nil {
				t.Errorf("%v, %v; want %q", s, err, c.want)
			}
		})
	}
}
