package s3

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
)

// maxPut is what S3 takes in one request.
const maxPut = 5 << 30

// Driver is a Backend. It may be used concurrently.
type Driver struct {
	storagedriver.Unimplemented
	config Config
	client *client
	keys   storagedriver.Keys
	common common

	sessions *sessions
	// completing are the completions of uploads under way.
	completing sync.WaitGroup
}

// common is what every request that makes an object says of it.
type common struct {
	acl          types.ObjectCannedACL
	encryption   types.ServerSideEncryption
	kmsKey       *string
	storageClass types.StorageClass
	contentType  *string
	payer        types.RequestPayer
	customer     customer
}

// customer is the key that the service is to encrypt with and does not keep (SSE-C).
type customer struct{ algorithm, key, md5 *string }

func newDriver(config Config, c *client) *Driver {
	prefix := strings.TrimLeft(strings.TrimRight(config.RootDirectory, "/")+"/", "/")
	d := &Driver{
		config: config, client: c, sessions: newSessions(),
		keys: storagedriver.Keys{Bucket: config.Bucket, Prefix: prefix},
	}
	d.common = config.common()
	return d
}

// random returns n random bytes in hexadecimal.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it does not fail
	return hex.EncodeToString(b)
}

// Name implements storagedriver.Backend.
func (d *Driver) Name() string { return Name }

// Capabilities implements storagedriver.Backend.
func (d *Driver) Capabilities() storagedriver.Capabilities {
	abilities := storagedriver.AbilityCopy | storagedriver.AbilityParts | storagedriver.AbilityListTree | storagedriver.AbilityDeleteTree |
		storagedriver.AbilityIdempotent | storagedriver.AbilityListUploads
	if d.common.customer.key == nil {
		abilities |= storagedriver.AbilityRedirect // nobody else has the key
	}
	if d.config.FilesUnderFiles == FilesAllowed {
		abilities |= storagedriver.AbilityFilesUnderFiles
	}
	if d.config.ConditionalWrites {
		abilities |= storagedriver.AbilityConditional
	}
	return storagedriver.Capabilities{Abilities: abilities, MaxObject: maxPut, Keys: d.keys}
}

// Close implements storagedriver.Backend. It waits for completions of uploads that nobody waits for any more.
func (d *Driver) Close() error {
	d.completing.Wait()
	d.client.close()
	return nil
}

// key is the key of a path.
func (d *Driver) key(path string) string { return d.keys.Prefix + strings.TrimPrefix(path, "/") }

// path is the path of a key.
func (d *Driver) path(key string) string { return "/" + strings.TrimPrefix(key, d.keys.Prefix) }

// below is the prefix of the keys below the directory at path.
func (d *Driver) below(path string) string {
	if path == "/" {
		return d.keys.Prefix
	}
	return d.key(path) + "/"
}

func (d *Driver) bucket() *string { return &d.config.Bucket }

// Stat implements storagedriver.Backend. Where there is no object there may be a directory: a prefix of others.
func (d *Driver) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if path == "/" {
		_, err := d.list(ctx, listing{limit: 1})
		return storagedriver.Entry{Dir: true}, err
	}
	h, err := d.head(ctx, d.key(path))
	if err == nil {
		return h.entry, nil
	}
	if storagedriver.KindOf(err) != storagedriver.KindNotFound {
		return storagedriver.Entry{}, err
	}
	dir, err := d.hasBelow(ctx, path)
	if err == nil && !dir {
		err = storagedriver.NewError(storagedriver.KindNotFound, "no object has the key "+d.key(path))
	}
	return storagedriver.Entry{Dir: true}, err
}

// hasBelow reports whether a key is below the directory at path. What others put there for the directory itself is the first and no such key.
func (d *Driver) hasBelow(ctx context.Context, path string) (bool, error) {
	for cursor, limit := "", 1; ; limit = maxKeys {
		page, err := d.list(ctx, listing{prefix: d.below(path), cursor: cursor, limit: limit})
		if err != nil || len(page.Entries) > 0 || page.Cursor == "" {
			return len(page.Entries) > 0, err
		}
		cursor = page.Cursor
	}
}

// object is what a HEAD says.
type object struct {
	entry  storagedriver.Entry
	tag    string
	upload string // the mark of the upload that made it
}

func (d *Driver) head(ctx context.Context, key string) (object, error) {
	out, err := d.client.api.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: d.bucket(), Key: &key, RequestPayer: d.common.payer,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
	})
	if err != nil {
		return object{}, classify("s3:GetObject", err)
	}
	return object{
		entry:  storagedriver.Entry{Size: aws.ToInt64(out.ContentLength), ModTime: aws.ToTime(out.LastModified)},
		tag:    aws.ToString(out.ETag),
		upload: out.Metadata[markKey],
	}, nil
}

// Put implements storagedriver.Backend: the service replaces an object in one step.
func (d *Driver) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return d.placed(ctx, path, func() error {
		_, err := d.put(ctx, d.key(path), body, condition{})
		return err
	})
}

// condition is on the object that a PutObject replaces. The zero value is none.
type condition struct {
	match  string // it has this ETag
	absent bool   // there is none
}

// headers are those of requests that replace objects, If-Match and If-None-Match.
func (c condition) headers() (match, absent *string) {
	if c.match != "" {
		match = &c.match
	}
	if c.absent {
		absent = aws.String("*")
	}
	return match, absent
}

// put returns the ETag of what it put.
func (d *Driver) put(ctx context.Context, key string, body storagedriver.Source, c condition) (string, error) {
	return d.putMarked(ctx, key, body, c, "")
}

// putMarked puts an object that says which upload it was, unless mark is "".
func (d *Driver) putMarked(ctx context.Context, key string, body storagedriver.Source, c condition, mark string) (string, error) {
	in := &s3.PutObjectInput{
		Bucket: d.bucket(), Key: &key, ContentLength: aws.Int64(body.Size()), ContentType: d.common.contentType,
		ACL: d.common.acl, StorageClass: d.common.storageClass, RequestPayer: d.common.payer,
		ServerSideEncryption: d.common.encryption, SSEKMSKeyId: d.common.kmsKey,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
	}
	if mark != "" {
		in.Metadata = map[string]string{markKey: mark}
	}
	in.IfMatch, in.IfNoneMatch = c.headers()
	content := seekable(ctx, body)
	defer content.Close()
	in.Body = content
	out, err := d.client.api.PutObject(ctx, in)
	if err != nil {
		return "", sending("s3:PutObject", content, err)
	}
	return aws.ToString(out.ETag), nil
}

// common is what the parameters say of objects.
func (c *Config) common() common {
	out := common{
		acl: types.ObjectCannedACL(c.ObjectACL), contentType: aws.String("application/octet-stream"),
	}
	if c.StorageClass != NoStorageClass {
		out.storageClass = types.StorageClass(c.StorageClass)
	}
	if c.RequestPayer {
		out.payer = types.RequestPayerRequester
	}
	switch {
	case c.Encrypt && c.KeyID != "":
		out.encryption, out.kmsKey = types.ServerSideEncryptionAwsKms, &c.KeyID
	case c.Encrypt:
		out.encryption = types.ServerSideEncryptionAes256
	}
	if key := c.SSECustomerKey.Reveal(); key != "" {
		raw, _ := base64.StdEncoding.DecodeString(key) // check has seen that it is
		sum := md5.Sum(raw)                            //nolint:gosec // what S3 wants of the key
		out.customer = customer{aws.String("AES256"), &key, aws.String(base64.StdEncoding.EncodeToString(sum[:]))}
	}
	return out
}
