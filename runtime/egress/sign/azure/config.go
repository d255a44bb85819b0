package azure

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// Config is one credential: an account's name and key, or a SAS.
type Config struct {
	// AccountName is the storage account's name.
	AccountName string `parameter:"accountname"`
	// AccountKey is one of the account's keys, in base64 as the portal shows it.
	AccountKey factory.Secret `parameter:"accountkey,secret"`
	// SAS is the query of a URL with a shared access signature: "sv=...&sig=...", with or without the "?".
	SAS factory.Secret `parameter:"sas,secret"`
}

// New returns a Signer. It asks no server: do may be nil. A parameter that is wrong is KindInvalidArgument.
func New(ctx context.Context, cfg Config, _ sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var wrong scheme.Wrong
	if cfg.SAS.Reveal() != "" {
		wrong.Check(cfg.AccountKey.Reveal() == "", "accountkey", `must not be set beside "sas"`)
		s, ok := newSAS(cfg.SAS.Reveal())
		wrong.Check(ok, "sas", `must be the query of a URL with a shared access signature, with a version "sv" and a signature "sig"`)
		if err := wrong.Err(); err != nil {
			return nil, err
		}
		return s, nil
	}
	key := cfg.AccountKey.Reveal()
	raw, err := base64.StdEncoding.DecodeString(key)
	wrong.Check(isAccount(cfg.AccountName), "accountname", "must be a storage account's name: 3 to 24 lower-case letters and digits")
	wrong.Check(key != "" && err == nil, "accountkey", `must be an account's key in base64, unless there is a "sas"`)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return newSharedKey(cfg.AccountName, key, string(raw))
}

func isAccount(s string) bool {
	return 3 <= len(s) && len(s) <= 24 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// newSharedKey makes the vendor's credential and the client that signs with it.
func newSharedKey(account, key, raw string) (sign.Signer, error) {
	credential, err := blob.NewSharedKeyCredential(account, key)
	if err == nil {
		var client *blob.Client
		if client, err = newClient(credential); err == nil {
			return &sharedKey{"azure", account, credential, client, []factory.Secret{factory.NewSecret(key), factory.NewSecret(raw)}}, nil
		}
	}
	var wrong scheme.Wrong
	wrong.Check(false, "accountkey", "must be an account's key, as Microsoft's library takes it")
	return nil, wrong.Err()
}

func newSAS(token string) (*sas, bool) {
	token = strings.TrimPrefix(token, "?")
	parameters, err := url.ParseQuery(token)
	if err != nil || !scheme.Graphic(token) || strings.Contains(token, "#") || parameters.Get("sig") == "" || parameters.Get("sv") == "" {
		return nil, false
	}
	decoded, err := url.QueryUnescape(token)
	if err != nil {
		return nil, false
	}
	s := &sas{Name: "azure", token: factory.NewSecret(token), sent: []factory.Secret{factory.NewSecret(parameters.Get("sig")), factory.NewSecret(token), factory.NewSecret(decoded)}}
	for _, pair := range strings.Split(token, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "sig" {
			s.sent = append(s.sent, factory.NewSecret(value))
		}
	}
	for name := range parameters {
		if strings.IndexFunc(name, func(r rune) bool { return !('a' <= r && r <= 'z') }) >= 0 {
			return nil, false
		}
		s.owns = append(s.owns, "?"+name)
	}
	return s, true
}
