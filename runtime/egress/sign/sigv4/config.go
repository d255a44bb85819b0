package sigv4

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/net/http/httpguts"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

// DefaultService is the service of a Config that names none.
const DefaultService = "s3"

// Config is a static credential.
type Config struct {
	// AccessKey is the access key's ID, which is not secret.
	AccessKey string `parameter:"accesskey"`
	// SecretKey is the secret access key.
	SecretKey factory.Secret `parameter:"secretkey,secret"`
	// SessionToken belongs to keys that STS gave out; optional.
	SessionToken factory.Secret `parameter:"sessiontoken,secret"`
	// Region is the one that the service expects, such as "eu-central-1"; services of others often take any.
	Region string `parameter:"region"`
	// Service is the service's name in signatures. Default "s3".
	Service string `parameter:"service"`
}

// New returns a Signer. It asks no server: do may be nil. A parameter that is wrong is KindInvalidArgument.
func New(ctx context.Context, cfg Config, _ sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	keys := aws.Credentials{AccessKeyID: cfg.AccessKey, SecretAccessKey: cfg.SecretKey.Reveal(), SessionToken: cfg.SessionToken.Reveal()}
	var wrong scheme.Wrong
	wrong.Check(word(keys.AccessKeyID), "accesskey", "must be an access key ID: letters and digits")
	wrong.Check(scheme.Graphic(keys.SecretAccessKey), "secretkey", "must be a secret access key: without spaces and line ends")
	wrong.Check(keys.SessionToken == "" || scheme.Graphic(keys.SessionToken) && httpguts.ValidHeaderFieldValue(keys.SessionToken), "sessiontoken", "must be a session token: without spaces and line ends")
	cfg.Service = checkScope(&wrong, cfg.Region, cfg.Service)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return newSigner("sigv4", static{&keys}, cfg.Region, cfg.Service), nil
}

// Provider gives out the keys that requests are signed with. It may be called concurrently.
type Provider interface {
	// Retrieve returns keys that are good. Its errors are classified and hold no secret.
	Retrieve(ctx context.Context) (aws.Credentials, error)
	// Known returns the keys that may be good, without waiting.
	Known() []aws.Credentials
}

// NewProvider returns a Signer for keys that change, which prints as name. Service is as in Config. A region or a service that is
// wrong is KindInvalidArgument.
func NewProvider(name string, keys Provider, region, service string) (sign.Signer, error) {
	var wrong scheme.Wrong
	service = checkScope(&wrong, region, service)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return newSigner(name, keys, region, service), nil
}

func checkScope(wrong *scheme.Wrong, region, service string) string {
	if service == "" {
		service = DefaultService
	}
	wrong.Check(word(region), "region", `must be a region, such as "us-east-1": letters, digits, "-" and "_"`)
	wrong.Check(word(service), "service", `must be the name of a service, such as "s3": letters, digits, "-" and "_"`)
	return service
}

// word reports whether s can be a part of a signature's scope.
func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 128
}

// static are keys that do not change.
type static struct{ keys *aws.Credentials }

// Retrieve implements Provider.
func (s static) Retrieve(context.Context) (aws.Credentials, error) { return *s.keys, nil }

// Known implements Provider.
func (s static) Known() []aws.Credentials { return []aws.Credentials{*s.keys} }
