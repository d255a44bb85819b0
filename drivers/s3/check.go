package s3

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/berth-dev/storagedriver"
)

const (
	// endpointRegion signs where nobody asks for a region.
	endpointRegion = "us-east-1"
	defaultSession = "berth"

	// customerKeySize is that of AES-256.
	customerKeySize = 32
)

// regionName is what AWS's regions look like. That there is one of the name, the probe finds out: new ones come, and partitions of their own exist.
var regionName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// mistakes collects what is wrong with parameters.
type mistakes []string

func (m *mistakes) add(parameter, format string, args ...any) {
	*m = append(*m, `parameter "`+parameter+`" `+fmt.Sprintf(format, args...))
}

func (m *mistakes) value(parameter string, err error) {
	if err != nil {
		m.add(parameter, "%v", err)
	}
}

func (m *mistakes) between(parameter string, value, low, high int64) {
	switch {
	case value >= low && value <= high:
	case high == noLimit:
		m.add(parameter, "must be at least %d", low)
	default:
		m.add(parameter, "must be from %d to %d", low, high)
	}
}

const noLimit = 1<<63 - 1

// err is one line for all that is wrong.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return storagedriver.NewError(storagedriver.KindInvalidArgument, strings.Join(m, "; "))
}

// check judges the parameters and completes them: endpoints get a scheme, and what has a default that depends on another gets it.
func (c *Config) check() error {
	var m mistakes
	c.checkCredentials(&m)
	c.checkPlace(&m)
	c.checkObjects(&m)
	c.checkNumbers(&m)
	return m.err()
}

func (c *Config) checkCredentials(m *mistakes) {
	if (c.AccessKey == "") != (c.SecretKey.Reveal() == "") {
		m.add("accesskey", `and parameter "secretkey" must be given together, or neither, for the credentials of AWS's default chain`)
	}
	if c.SessionToken.Reveal() != "" && c.AccessKey == "" {
		m.add("sessiontoken", `needs parameters "accesskey" and "secretkey", which it belongs to`)
	}
	var sources []string
	for name, given := range map[string]bool{"accesskey": c.AccessKey != "", "profile": c.Profile != "", "webidentitytokenfile": c.WebIdentityTokenFile != ""} {
		if given {
			sources = append(sources, name)
		}
	}
	if slices.Sort(sources); len(sources) > 1 {
		m.add(sources[0], "excludes %s: credentials come from one of them", strings.Join(sources[1:], " and "))
	}
	if c.RoleARN == "" {
		for name, value := range map[string]string{"rolesessionname": c.RoleSessionName, "roleexternalid": c.RoleExternalID, "stsendpoint": c.STSEndpoint, "webidentitytokenfile": c.WebIdentityTokenFile} {
			if value != "" {
				m.add(name, `needs parameter "rolearn", the role to assume`)
			}
		}
		slices.Sort(*m)
		return
	}
	if c.RoleSessionName == "" {
		c.RoleSessionName = defaultSession
	}
	if c.WebIdentityTokenFile != "" && c.RoleExternalID != "" {
		m.add("roleexternalid", `excludes "webidentitytokenfile": a web identity has none`)
	}
	m.url("stsendpoint", &c.STSEndpoint, true)
}

func (c *Config) checkPlace(m *mistakes) {
	switch {
	case c.Bucket == "":
		m.add("bucket", "must name the bucket")
	case !strings.HasPrefix(c.Bucket, "arn:") && strings.ContainsFunc(c.Bucket, func(r rune) bool { return r == '/' || !printable(r) || r == ' ' }):
		m.add("bucket", `must be a bucket's name, without "/"; a prefix of the keys is parameter "rootdirectory"`)
	}
	m.url("regionendpoint", &c.RegionEndpoint, c.Secure)
	switch {
	case c.Region == "" && c.RegionEndpoint != "":
		c.Region = endpointRegion
	case c.Region == "":
		m.add("region", `must be the bucket's region, such as "us-east-1"`)
	case !regionName.MatchString(c.Region) && c.RegionEndpoint == "":
		m.add("region", `must be a region of AWS's, such as "us-east-1"`)
	case strings.ContainsFunc(c.Region, func(r rune) bool { return !printable(r) || strings.ContainsRune(" /,", r) }):
		m.add("region", `must be a region's name, such as "us-east-1"`)
	}
	c.checkRedirect(m)
	if c.Accelerate {
		c.ForcePathStyle = false // the SDK before this one ignored it too
		if c.RegionEndpoint != "" {
			m.add("accelerate", `excludes "regionendpoint": it is AWS's, and has endpoints of its own`)
		}
	}
	if !c.V4Auth {
		switch {
		case c.RegionEndpoint == "" || isAWS(hostOf(c.RegionEndpoint)):
			m.add("v4auth", "must be true for Amazon S3, which takes no other signature")
		case c.Checksums == ChecksumsWhenSupported:
			m.add("v4auth", `must be true with "checksums" when_supported: signature version 2 knows no checksums behind bodies`)
		}
	}
	if !utf8.ValidString(c.RootDirectory) || strings.ContainsFunc(c.RootDirectory, func(r rune) bool { return !printable(r) }) {
		m.add("rootdirectory", "must be text of printable characters")
	}
	if strings.ContainsFunc(c.UserAgent, func(r rune) bool { return !printable(r) }) {
		m.add("useragent", "must be one line of printable characters")
	}
}

// checkRedirect has distribution's rules: the path and the query are those that are signed.
func (c *Config) checkRedirect(m *mistakes) {
	if c.RedirectEndpoint == "" {
		return
	}
	u, err := url.Parse(c.RedirectEndpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		m.add("redirectendpoint", "must be a scheme and a host, such as https://registry-content.example.com, and nothing more")
	}
}

func (c *Config) checkObjects(m *mistakes) {
	m.value("storageclass", oneOf(c.StorageClass, storageClasses))
	m.value("objectacl", oneOf(c.ObjectACL, objectACLs))
	m.value("checksums", oneOf(c.Checksums, checksums))
	m.value("filesunderfiles", oneOf(c.FilesUnderFiles, filesUnderFiles))
	m.value("loglevel", oneOf(c.LogLevel, logLevels))
	if c.SSECustomerKey.Reveal() == "" {
		return
	}
	key, err := base64.StdEncoding.DecodeString(c.SSECustomerKey.Reveal())
	if err != nil || len(key) != customerKeySize {
		m.add("ssecustomerkey", "must be the base64 of %d bytes", customerKeySize)
	}
	if c.Encrypt {
		m.add("ssecustomerkey", `excludes "encrypt": an object is encrypted with one key`)
	}
	if strings.HasPrefix(c.RegionEndpoint, "http:") || c.RegionEndpoint == "" && !c.Secure {
		m.add("ssecustomerkey", "needs TLS, for it is sent with every request: have the endpoint be https")
	}
}

func (c *Config) checkNumbers(m *mistakes) {
	m.between("chunksize", c.ChunkSize, MinChunkSize, MaxChunkSize)
	m.between("multipartcopychunksize", c.MultipartCopyChunkSize, MinChunkSize, MaxChunkSize)
	m.between("multipartcopythresholdsize", c.MultipartCopyThresholdSize, 0, MaxChunkSize)
	m.between("multipartcopymaxconcurrency", c.MultipartCopyMaxConcurrency, 1, noLimit)
	m.between("parallel", int64(c.Parallel), 1, MaxParallel)
	m.between("maxattempts", int64(c.MaxAttempts), 1, MaxMaxAttempts)
	m.between("connections", int64(c.Connections), 1, MaxConnections)
}

// hasScheme is how the SDK before this one told a URL from a host.
var hasScheme = regexp.MustCompile(`^[^:]+://`)

// url judges an endpoint and gives it a scheme.
func (m *mistakes) url(parameter string, endpoint *string, secure bool) {
	if *endpoint == "" {
		return
	}
	text := *endpoint
	switch {
	case hasScheme.MatchString(text):
	case secure:
		text = "https://" + text
	default:
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		m.add(parameter, "must be a URL of http or https, such as https://s3.example.com:9000, without user and query")
		return
	}
	*endpoint = text
}

func hostOf(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// isAWS reports whether a host is one of AWS's.
func isAWS(host string) bool {
	host = "." + strings.TrimSuffix(strings.ToLower(host), ".")
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

func printable(r rune) bool { return unicode.IsPrint(r) && r != utf8.RuneError }
