package awschain

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/token"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
)

// Config says which credentials of the chain are meant, and for what.
type Config struct {
	// Profile is the one of the shared files; default AWS_PROFILE, or "default".
	Profile string `parameter:"profile"`
	// Region is the one that the service expects; default AWS_REGION, or the profile's.
	Region string `parameter:"region"`
	// Service is the service's name in signatures. Default "s3".
	Service string `parameter:"service"`
}

// askTimeout bounds one request of the chain's: the SDK retries.
const askTimeout = 10 * time.Second

// New reads the environment and the shared files. What the chain asks servers for, such as STS and the metadata
// services, goes through do; with nil none is asked, and credentials come from this machine only. A parameter that is
// wrong, and an environment that makes no chain, are KindInvalidArgument. Whether there are credentials shows when the first request is signed.
func New(ctx context.Context, cfg Config, do sign.Doer) (sign.Signer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if do == nil {
		do = nobody{}
	}
	client := asker{token.NewServer("the AWS credential chain", do)}
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client),
		config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = client }),
	}
	if cfg.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(cfg.Profile))
	}
	if cfg.Region != "" {
		options = append(options, config.WithRegion(cfg.Region))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, loadError(ctx, err)
	}
	var wrong scheme.Wrong
	wrong.Check(loaded.Region != "", "region", `must be a region, such as "us-east-1", unless AWS_REGION or the profile has one`)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return sigv4.NewProvider("awschain", &chain{token.NewSource(fetch(loaded.Credentials))}, loaded.Region, cfg.Service)
}

// loadError leaves out what the parser says of a file's lines.
func loadError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var profile config.SharedConfigProfileNotExistError
	var file config.SharedConfigLoadError
	switch {
	case errors.As(err, &profile):
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "profile" must name a profile of AWS's shared files: there is no %q`, profile.Profile)
	case errors.As(err, &file):
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "AWS's shared file %s cannot be read", file.Filename)
	}
	return storagedriver.NewError(storagedriver.KindInvalidArgument, "AWS's environment variables and shared files make no credential chain: look at what the profile's role and its source name; a CA bundle (AWS_CA_BUNDLE) is not taken from there")
}

// fetch returns what gets new keys from the chain: the chain's own cache would hand out the old ones to their end.
func fetch(provider aws.CredentialsProvider) func(context.Context) (aws.Credentials, time.Time, error) {
	return func(ctx context.Context) (aws.Credentials, time.Time, error) {
		if cache, ok := provider.(*aws.CredentialsCache); ok {
			cache.Invalidate()
		}
		keys, err := provider.Retrieve(ctx)
		if err != nil {
			return aws.Credentials{}, time.Time{}, retrieveError(ctx, err)
		}
		keys.Expires = keys.Expires.Round(0).UTC()
		if !keys.CanExpire {
			return keys, time.Time{}, nil
		}
		return keys, keys.Expires, nil
	}
}

// chain implements sigv4.Provider.
type chain struct {
	source *token.Source[aws.Credentials]
}

func (c *chain) Retrieve(ctx context.Context) (aws.Credentials, error) { return c.source.Get(ctx) }
func (c *chain) Known() []aws.Credentials                              { return c.source.All() }

// asker is the chain's HTTP client. The chain's cache waits for a request without any deadline of its caller's.
type asker struct{ server *token.Server }

func (a asker) Do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), askTimeout)
	defer cancel()
	return a.server.RoundTrip(req.WithContext(ctx))
}

// nobody is asked where the operator has not said through what.
type nobody struct{}

func (nobody) Do(req *http.Request) (*http.Response, error) {
	return nil, storagedriver.Errorf(storagedriver.KindDenied, "no server may be asked, and that is where the credentials are: %s", req.URL.Host)
}
