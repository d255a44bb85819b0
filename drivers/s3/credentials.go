package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/berth-dev/storagedriver"
)

const (
	// askTimeout bounds one request for credentials: the SDK repeats them.
	askTimeout = 10 * time.Second
	// askBefore is how long before their end credentials are renewed.
	askBefore = 5 * time.Minute
)

// load reads AWS's environment and shared files, of which keys in the parameters need nothing. The second result is trusted and the
// authorities that the environment (AWS_CA_BUNDLE) names for all of AWS's clients.
func load(ctx context.Context, c *Config, trusted *tls.Config) (aws.Config, *tls.Config, error) {
	from := loadChain
	if c.AccessKey != "" {
		from = loadKeys
	}
	loaded, err := from(ctx, c, trusted)
	if err != nil {
		return aws.Config{}, nil, err
	}
	if c.RoleARN != "" {
		loaded.Credentials = aws.NewCredentialsCache(c.role(loaded), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = askBefore })
	}
	loaded.Credentials = explained{loaded.Credentials}
	if client, ok := loaded.HTTPClient.(*awshttp.BuildableClient); ok {
		trusted = client.GetTransport().TLSClientConfig
	}
	return loaded, trusted, nil
}

// loadKeys has the keys of the parameters. A profile that the environment names need not be there then.
func loadKeys(_ context.Context, c *Config, trusted *tls.Config) (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "AWS's environment variables: %s", oneLine(err.Error()))
	}
	if env.CustomCABundle != "" {
		if trusted, err = trusting(trusted, env.CustomCABundle); err != nil {
			return aws.Config{}, err
		}
	}
	return aws.Config{
		Region: c.Region, ConfigSources: []any{env}, Logger: newLogger(c), HTTPClient: asker(trusted),
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey.Reveal(), c.SessionToken.Reveal()),
	}, nil
}

// loadChain has AWS's default chain.
func loadChain(ctx context.Context, c *Config, trusted *tls.Config) (aws.Config, error) {
	options := []func(*config.LoadOptions) error{config.WithRegion(c.Region), config.WithHTTPClient(asker(trusted)), config.WithLogger(newLogger(c))}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, loadError(ctx, err)
	}
	return loaded, nil
}

// asker is what credentials are asked for with.
func asker(trusted *tls.Config) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithTimeout(askTimeout).WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig = trusted.Clone()
		t.DisableKeepAlives = true // hours lie between its requests, and nothing could close what is idle
	})
}

// trusting adds the authorities in a file of AWS_CA_BUNDLE's, which without parameter cacert are the only ones, as with AWS's other clients.
func trusting(trusted *tls.Config, bundle string) (*tls.Config, error) {
	trusted = trusted.Clone()
	if trusted.RootCAs == nil {
		trusted.RootCAs = x509.NewCertPool()
	}
	certificates, err := os.ReadFile(bundle)
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the file that AWS_CA_BUNDLE names cannot be read: %w", err)
	}
	if !trusted.RootCAs.AppendCertsFromPEM(certificates) {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the file %s, which AWS_CA_BUNDLE names, has no certificate in PEM", bundle)
	}
	return trusted, nil
}

// role has STS give out the credentials of the role.
func (c *Config) role(loaded aws.Config) aws.CredentialsProvider {
	service := sts.NewFromConfig(loaded, func(o *sts.Options) {
		o.Retryer, o.RetryMaxAttempts = newRetryer(c.MaxAttempts), 0
		if c.STSEndpoint != "" {
			o.BaseEndpoint = &c.STSEndpoint
		}
	})
	if c.WebIdentityTokenFile != "" {
		return stscreds.NewWebIdentityRoleProvider(service, c.RoleARN, stscreds.IdentityTokenFile(c.WebIdentityTokenFile), func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = c.RoleSessionName
		})
	}
	return stscreds.NewAssumeRoleProvider(service, c.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = c.RoleSessionName
		if c.RoleExternalID != "" {
			o.ExternalID = &c.RoleExternalID
		}
	})
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
	return storagedriver.NewError(storagedriver.KindInvalidArgument, "AWS's environment variables and shared files make no credential chain: look at what the profile's role and its source name, and at AWS_CA_BUNDLE")
}

// explained marks the errors of a provider as such, for classify. It keeps nothing: what is inside does.
type explained struct{ aws.CredentialsProvider }

func (e explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	keys, err := e.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return keys, &credentialsError{err}
	}
	return keys, nil
}

// credentialsError is that there are no credentials to sign with.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
