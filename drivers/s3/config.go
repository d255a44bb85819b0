package s3

import (
	"context"
	"math"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

// The names the driver is registered under: distribution has both.
const (
	Name      = "s3"
	AliasName = "s3aws"
)

// The sizes are distribution's and S3's own.
const (
	// MinChunkSize is the smallest part that S3 takes, but for the last of an upload.
	MinChunkSize = 5 << 20
	// MaxChunkSize is the largest part that S3 takes.
	MaxChunkSize = min(5<<30, math.MaxInt)

	DefaultChunkSize                   = 2 * MinChunkSize
	DefaultMultipartCopyChunkSize      = 32 << 20
	DefaultMultipartCopyMaxConcurrency = 100
	DefaultMultipartCopyThresholdSize  = 32 << 20
)

// The defaults and bounds of what distribution does not have.
const (
	DefaultMaxAttempts = 5
	MaxMaxAttempts     = 20
	DefaultConnections = 64
	MaxConnections     = 4096
	DefaultParallel    = 4
	MaxParallel        = 64
)

// Config is the driver's parameters. Begin with [Default].
type Config struct {
	// AccessKey is the access key. Without it and SecretKey the credentials are those of Profile, WebIdentityTokenFile, or
	// AWS's default chain: environment, shared files, SSO, container and instance roles.
	AccessKey string `parameter:"accesskey,secret"`
	// SecretKey is the secret key of AccessKey. Either is given with the other.
	SecretKey factory.Secret `parameter:"secretkey,secret"`
	// SessionToken is that of temporary credentials, given as AccessKey and SecretKey.
	SessionToken factory.Secret `parameter:"sessiontoken,secret"`
	// Profile is the profile of AWS's shared files to take credentials from, SSO included. Default: AWS_PROFILE, or "default".
	Profile string `parameter:"profile"`
	// WebIdentityTokenFile is a file with a token that STS exchanges for the credentials of RoleARN. It is read again whenever they expire.
	WebIdentityTokenFile string `parameter:"webidentitytokenfile"`
	// RoleARN is a role to assume with the credentials that the other parameters give.
	RoleARN string `parameter:"rolearn"`
	// RoleSessionName names the session of RoleARN in the provider's audit log. Default "berth".
	RoleSessionName string `parameter:"rolesessionname"`
	// RoleExternalID is the external ID that the trust policy of RoleARN demands.
	RoleExternalID string `parameter:"roleexternalid"`
	// STSEndpoint is the URL of the service that RoleARN is assumed at. Default: AWS's in the region.
	STSEndpoint string `parameter:"stsendpoint"`

	// Bucket is the bucket. It must exist.
	Bucket string `parameter:"bucket"`
	// Region is the region of the bucket. Required, except with RegionEndpoint, where the default is "us-east-1".
	Region string `parameter:"region"`
	// RegionEndpoint is the URL of a service other than AWS's. Without a scheme, Secure says which. Most of these services need ForcePathStyle too.
	RegionEndpoint string `parameter:"regionendpoint"`
	// RedirectEndpoint is the origin, scheme://host, that clients are sent to for content; the service must accept the bucket and signatures there. Default: the one
	// the driver uses.
	RedirectEndpoint string `parameter:"redirectendpoint"`
	// ForcePathStyle puts the bucket into the path of URLs (https://host/bucket/key), not into the host's name. Accelerate overrides it.
	ForcePathStyle bool `parameter:"forcepathstyle"`
	// Accelerate uses S3 Transfer Acceleration, which the bucket must have enabled.
	Accelerate bool `parameter:"accelerate"`
	// UseDualStack uses the endpoints of AWS that are reached by IPv6 as well.
	UseDualStack bool `parameter:"usedualstack"`
	// UseFIPSEndpoint uses the endpoints of AWS that comply with FIPS 140.
	UseFIPSEndpoint bool `parameter:"usefipsendpoint"`
	// Secure uses TLS where the endpoint does not say. Default true.
	Secure bool `parameter:"secure"`
	// SkipVerify accepts any certificate of the service.
	SkipVerify bool `parameter:"skipverify"`
	// CACert is a PEM file with certificates that are trusted besides the system's.
	CACert string `parameter:"cacert"`
	// V4Auth signs requests with AWS Signature Version 4. false is version 2, for services that have no other; AWS's own does
	// not take it. Default true.
	V4Auth bool `parameter:"v4auth"`

	// RootDirectory is a prefix of all keys.
	RootDirectory string `parameter:"rootdirectory"`
	// StorageClass is that of new objects: STANDARD (default), REDUCED_REDUNDANCY, STANDARD_IA, ONEZONE_IA,
	// INTELLIGENT_TIERING, OUTPOSTS, GLACIER_IR or EXPRESS_ONEZONE; NONE sends none, for services that know no classes.
	StorageClass StorageClass `parameter:"storageclass"`
	// ObjectACL is the canned ACL of new objects: private (default), public-read, public-read-write, authenticated-read,
	// aws-exec-read, bucket-owner-read or bucket-owner-full-control.
	ObjectACL ObjectACL `parameter:"objectacl"`
	// Encrypt has the service encrypt what it stores: with its own keys (SSE-S3), or with KeyID.
	Encrypt bool `parameter:"encrypt"`
	// KeyID is a key of KMS to encrypt with (SSE-KMS). Without Encrypt it is ignored, as distribution documents it.
	KeyID string `parameter:"keyid"`
	// SSECustomerKey is the base64 of 32 bytes that the service encrypts with and does not keep (SSE-C). It needs TLS,
	// excludes Encrypt, and leaves clients without redirects, for they have not got the key.
	SSECustomerKey factory.Secret `parameter:"ssecustomerkey,secret"`
	// RequestPayer accepts that requests are charged to the caller, as buckets demand whose requester pays.
	RequestPayer bool `parameter:"requestpayer"`
	// Checksums says when bodies get a CRC32 besides what signing needs, and answers are checked for one: when_required (default), as
	// many services know none, or when_supported.
	Checksums Checksums `parameter:"checksums"`

	// ChunkSize is the size of the parts of an upload, in bytes: 5 MiB to 5 GiB, default 10 MiB.
	ChunkSize int64 `parameter:"chunksize"`
	// EqualParts has all parts of an upload but the last be of one size, as R2 demands.
	EqualParts bool `parameter:"equalparts"`
	// Parallel is how many parts of one upload are sent at a time: 1 to 64, default 4.
	Parallel int `parameter:"parallel"`
	// MultipartCopyThresholdSize is the largest object that is copied with one request, in bytes: 0 to 5 GiB, default 32 MiB.
	MultipartCopyThresholdSize int64 `parameter:"multipartcopythresholdsize"`
	// MultipartCopyChunkSize is the size of the ranges in which larger objects are copied, in bytes: 5 MiB to 5 GiB, default 32 MiB.
	MultipartCopyChunkSize int64 `parameter:"multipartcopychunksize"`
	// MultipartCopyMaxConcurrency is how many ranges of one object are copied at a time: at least 1, default 100. Connections bounds it as well.
	MultipartCopyMaxConcurrency int64 `parameter:"multipartcopymaxconcurrency"`

	// ConditionalWrites uses If-Match and If-None-Match for the state of uploads, so that of two writers one certainly
	// fails. false is for services that ignore or refuse them. Default true.
	ConditionalWrites bool `parameter:"conditionalwrites"`
	// FilesUnderFiles says what the service does with the keys a and a/b: "true" (default) has both; "refused" refuses the second
	// by itself, as versitygw does; "checked" has the driver look before it writes, for minio, which stores both and lists one.
	FilesUnderFiles FilesUnderFiles `parameter:"filesunderfiles"`

	// MaxAttempts is how often one request is sent at most: 1 to 20, default 5. All requests share a budget for repetitions,
	// which successes refill.
	MaxAttempts int `parameter:"maxattempts"`
	// Connections is how many connections to the service are kept when idle, and how many requests one operation has in
	// flight at most: 1 to 4096, default 64.
	Connections int `parameter:"connections"`
	// Probe asks the service for one key when the driver is opened, so that wrong credentials, bucket, region or
	// endpoint show then. Default true.
	Probe bool `parameter:"probe"`
	// UserAgent is added to the User-Agent header of requests.
	UserAgent string `parameter:"useragent"`
	// LogLevel says what of the requests is logged, at level debug and without secrets: off (default), debug, debugwithsigning, debugwithhttpbody,
	// debugwithrequestretries, debugwithrequesterrors or debugwitheventstreambody.
	LogLevel LogLevel `parameter:"loglevel"`
}

// Default returns the parameters' defaults. Bucket and Region have none.
func Default() Config {
	return Config{
		Secure:                      true,
		V4Auth:                      true,
		StorageClass:                "STANDARD",
		ObjectACL:                   "private",
		Checksums:                   ChecksumsWhenRequired,
		ChunkSize:                   DefaultChunkSize,
		Parallel:                    DefaultParallel,
		MultipartCopyThresholdSize:  DefaultMultipartCopyThresholdSize,
		MultipartCopyChunkSize:      DefaultMultipartCopyChunkSize,
		MultipartCopyMaxConcurrency: DefaultMultipartCopyMaxConcurrency,
		ConditionalWrites:           true,
		FilesUnderFiles:             FilesAllowed,
		MaxAttempts:                 DefaultMaxAttempts,
		Connections:                 DefaultConnections,
		Probe:                       true,
		LogLevel:                    LogOff,
	}
}

var _ storagedriver.OpenFunc = Open

// Open is New for the factory.
func Open(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	config := Default()
	if err := factory.Decode(parameters, &config); err != nil {
		return nil, err
	}
	d, err := New(ctx, config)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// New opens a driver. The caller closes it. Any number of drivers, in any number of processes, may share a bucket and a root directory. What is
// wrong with the parameters is KindInvalidArgument, and so is what the probe finds to be wrong with them; a service that cannot be reached is
// KindUnavailable, and one that refuses the credentials KindPermission.
func New(ctx context.Context, config Config) (*Driver, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	c, err := newClient(ctx, &config)
	if err != nil {
		return nil, err
	}
	d := newDriver(config, c)
	if config.Probe {
		if err := c.probe(ctx, config.Bucket, d.keys.Prefix, d.common.payer); err != nil {
			c.close()
			return nil, err
		}
	}
	return d, nil
}
