package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

// client is the connection to the service. It may be used concurrently.
type client struct {
	api *s3.Client
	// presign makes the URLs that clients are sent to.
	presign *s3.PresignClient

	transport *http.Transport
	place     *place
}

// newClient reads what the credentials come from, and sends nothing. The configuration is a checked one. The caller closes the client.
func newClient(ctx context.Context, c *Config) (*client, error) { return dialing(ctx, c, nil) }

// dialing is newClient with a function that opens the connections to the service; nil is net.Dialer's.
func dialing(ctx context.Context, c *Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*client, error) {
	transport, err := objects.Transport(objects.TransportOptions{Connections: c.Connections, CAFile: c.CACert, SkipVerify: c.SkipVerify, Dial: dial})
	if err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "cacert" must name a PEM file of certificates: %w`, err)
	}
	var loaded aws.Config
	if loaded, transport.TLSClientConfig, err = load(ctx, c, transport.TLSClientConfig); err != nil {
		return nil, err
	}
	place := c.place()
	out := &client{transport: transport, place: place}
	out.api = s3.NewFromConfig(loaded, func(o *s3.Options) { c.options(o, transport, place) })
	if err := c.resolve(ctx, out.api.Options(), place); err != nil {
		return nil, err
	}
	out.presign, err = c.presigning(out.api)
	return out, err
}

// presigning makes the client whose URLs go to clients.
func (c *Config) presigning(api *s3.Client) (*s3.PresignClient, error) {
	if c.RedirectEndpoint != "" {
		u, err := url.Parse(c.RedirectEndpoint)
		if err != nil {
			return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "redirectendpoint" must be a URL`)
		}
		// First of those that come after the endpoint: each puts itself before the ones that are there.
		api = s3.New(api.Options(), func(o *s3.Options) {
			o.APIOptions = append([]func(*middleware.Stack) error{toOrigin(u)}, o.APIOptions...)
		})
	}
	return s3.NewPresignClient(api, func(o *s3.PresignOptions) {
		if !c.V4Auth {
			o.Presigner = &signerV2{bucket: c.Bucket}
		}
	}), nil
}

// close drops idle connections. Requests that are under way go on.
func (c *client) close() { c.transport.CloseIdleConnections() }

// place is what texts of errors say about where requests go.
func (c *Config) place() *place {
	return &place{
		Bucket: c.Bucket, Region: c.Region, Custom: c.RegionEndpoint != "", Keys: c.AccessKey != "", Token: c.SessionToken.Reveal() != "",
		Customer: c.SSECustomerKey.Reveal() != "", V2: !c.V4Auth,
	}
}

// options completes what the SDK has made of the environment: parameters count for more.
func (c *Config) options(o *s3.Options, transport *http.Transport, place *place) {
	o.Region = c.Region
	o.HTTPClient = &http.Client{Transport: transport, CheckRedirect: notFollowed}
	if c.RegionEndpoint != "" {
		o.BaseEndpoint = &c.RegionEndpoint
	} else {
		o.EndpointOptions.DisableHTTPS = !c.Secure
	}
	o.UsePathStyle = c.ForcePathStyle
	o.ContinueHeaderThresholdBytes = -1 // a part would wait a round trip for a "100 Continue"; the service that does not want it is rare
	o.UseAccelerate = c.Accelerate
	if c.UseDualStack {
		o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
	}
	if c.UseFIPSEndpoint {
		o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
	}
	o.Retryer, o.RetryMaxAttempts = newRetryer(c.MaxAttempts), 0
	o.RequestChecksumCalculation, o.ResponseChecksumValidation = aws.RequestChecksumCalculationWhenRequired, aws.ResponseChecksumValidationWhenRequired
	if c.Checksums == ChecksumsWhenSupported {
		o.RequestChecksumCalculation, o.ResponseChecksumValidation = aws.RequestChecksumCalculationWhenSupported, aws.ResponseChecksumValidationWhenSupported
	}
	o.DisableLogOutputChecksumValidationSkipped = true
	o.Logger, o.ClientLogMode = newLogger(c), logMode(c.LogLevel)
	o.APIOptions = append(o.APIOptions, c.middleware(place)...)
	if !c.V4Auth {
		o.HTTPSignerV4 = &signerV2{bucket: c.Bucket}
	}
}

func (c *Config) middleware(place *place) []func(*middleware.Stack) error {
	out := []func(*middleware.Stack) error{explaining(place), agent(c.UserAgent), unsignedEncoding, readingAnswers()}
	if c.Checksums == ChecksumsWhenRequired {
		out = append(out, contentMD5)
	}
	if !c.V4Auth {
		out = append(out, forVersion2(c.Bucket))
	}
	return out
}

// notFollowed leaves redirects to be read as the errors they are: what is signed is signed for one host.
func notFollowed(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// resolve has the SDK's rules judge the endpoint that the parameters make, which each request would do, and notes it.
func (c *Config) resolve(ctx context.Context, o s3.Options, place *place) error {
	endpoint, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: &c.Bucket, Region: &o.Region, Endpoint: o.BaseEndpoint, ForcePathStyle: &o.UsePathStyle, Accelerate: &o.UseAccelerate,
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
	}.WithDefaults())
	if err != nil {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameters "bucket", "region", "regionendpoint", "accelerate", "usedualstack" and "usefipsendpoint" make no endpoint: %s`, oneLine(err.Error()))
	}
	place.Host = endpoint.URI.Host
	return nil
}
