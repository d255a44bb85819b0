package berth

import "time"

// Algorithms of HMAC: SHA1, SHA256, SHA384 and SHA512. Algorithms of Hash: SHA256, SHA1, MD5, CRC32C and CRC64, the two last
// big endian; CRC64 is that of ECMA-182, reflected.
const (
	SHA1   = "sha1"
	SHA256 = "sha256"
	SHA384 = "sha384"
	SHA512 = "sha512"
	MD5    = "md5"
	CRC32C = "crc32c"
	CRC64  = "crc64"
)

// Encodings of a Keyed.
const (
	Hex       = "hex"
	Base64    = "base64"
	Base64URL = "base64url"
)

// KeyMark is what stands for the key's value in the text of a Keyed.
const KeyMark = "{key}"

// Keyed is a value of a request that is made of a key.
type Keyed struct {
	// Name is the header, or "?" and the parameter of the query.
	Name string
	// Text is the value, in which KeyMark, once, stands for the key's.
	Text string
	Key  *Key
	// Encoding is how the key is written: Hex, Base64, Base64URL.
	Encoding string
}

// Key is what HMAC made of a secret: it is named and never read. It ends with the call, or when it is closed.
type Key struct{ host HostKey }

// NewKey returns a Key on host. Drivers never need it.
func NewKey(host HostKey) *Key { return &Key{host: host} }

// Host returns the other side.
func (k *Key) Host() HostKey { return k.host }

// Close gives the key back.
func (k *Key) Close() error { return k.host.Close() }

// HMAC keys data with k, which stays.
func (k *Key) HMAC(c *Call, alg string, data []byte) (*Key, error) {
	return c.host.HMAC("", k, alg, data)
}

// HMAC keys data with the secret of that name, which the operator must have bound to origins: to these the result may go,
// in a request's Keyed. A secret that is not there is KindDenied.
func (c *Call) HMAC(secret, alg string, data []byte) (*Key, error) {
	return c.host.HMAC(secret, nil, alg, data)
}

// Secret returns the value of a secret that the operator has marked as readable; any other is KindDenied. It must
// not go into errors and logs.
func (c *Call) Secret(name string) ([]byte, error) { return c.host.Secret(name) }

// Presign returns a URL with which somebody without the credential may make the request, with these headers (names and
// values in turn), for valid: whole seconds, 1 to MaxPresign. A credential whose scheme has no such URLs is KindUnsupported.
func (c *Call) Presign(method, url string, headers []string, credential string, valid time.Duration) (string, error) {
	r := Request{Method: method, URL: url, Headers: headers, Credential: credential}
	return c.host.Presign(&r, int64(valid/time.Second))
}
