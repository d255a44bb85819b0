//go:build servers

package s3

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// started starts a service with a bucket and returns the parameters of a driver of it.
func started(t *testing.T, name, variable string) func(more map[string]any) map[string]any {
	t.Helper()
	surroundings(t)
	s := servers.StartS3(t, name, variable)
	servers.MakeBucket(t, s, "registry")
	return func(more map[string]any) map[string]any {
		p := map[string]any{"accesskey": s.AccessKey, "secretkey": s.SecretKey, "region": servers.Region}
		for key, value := range more {
			p[key] = value
		}
		return parametersOf(s.URL, p)
	}
}

func TestProbeOfVersitygw(t *testing.T) {
	probes(t, started(t, "versitygw", "BERTH_VERSITYGW"))
}

func TestProbeOfMinio(t *testing.T) {
	t.Setenv("MINIO_SITE_REGION", servers.Region) // without one it takes any
	probes(t, started(t, "minio", "BERTH_MINIO"))
}

func probes(t *testing.T, parameters func(map[string]any) map[string]any) {
	url := parameters(nil)["regionendpoint"].(string)
	host := strings.TrimPrefix(url, "http://")
	opened(t, parameters(nil))
	opened(t, parameters(map[string]any{"regionendpoint": host, "secure": "false", "forcepathstyle": "false", "rootdirectory": "/a", "checksums": "when_supported"}))
	for _, c := range []struct {
		name string
		more map[string]any
		kind storagedriver.Kind
		says string
	}{
		{"key", map[string]any{"accesskey": "other"}, storagedriver.KindPermission, `the service does not know the access key: look at parameter "accesskey": the service answers 403 InvalidAccessKeyId: `},
		{"secret", map[string]any{"secretkey": "zebra"}, storagedriver.KindPermission, `the secret key is wrong: look at parameter "secretkey": the service answers 403 SignatureDoesNotMatch: `},
		{"token", map[string]any{"sessiontoken": "zebra"}, storagedriver.KindPermission, `the session token is not accepted: look at parameter "sessiontoken": `},
		{"bucket", map[string]any{"bucket": "other"}, storagedriver.KindInvalidArgument, `parameter "bucket": there is no bucket "other" at ` + host + `: the service answers 404 NoSuchBucket: `},
		{"bucket's name", map[string]any{"bucket": "Other_"}, storagedriver.KindInvalidArgument, `parameter "bucket": "Other_" cannot be a bucket's name: `},
		{"region", map[string]any{"region": "eu-west-1"}, storagedriver.KindInvalidArgument, `parameter "region" is "eu-west-1", but must be "us-east-1", where the bucket is: the service answers 400 AuthorizationHeaderMalformed: `},
		{"TLS", map[string]any{"regionendpoint": host}, storagedriver.KindInvalidArgument, "the service at " + host + ` does not speak TLS: set parameter "secure" to false`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), parameters(c.more))
			says(t, err, c.kind, c.says)
		})
	}
}

// TestVersion2OnMinio: versitygw takes version 4 alone, and says so.
func TestVersion2OnMinio(t *testing.T) {
	parameters := started(t, "minio", "BERTH_MINIO")
	d := opened(t, parameters(map[string]any{"v4auth": false, "redirectendpoint": parameters(nil)["regionendpoint"]}))
	api, bucket, key := d.client.api, ptr("registry"), ptr("a dir/+b=c&d")
	if _, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("hello"), ContentType: ptr("text/plain"), StorageClass: "STANDARD"}); err != nil {
		t.Fatal(err)
	}
	got, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, Range: ptr("bytes=1-")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	got.Body.Close()
	if string(body) != "ello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	list, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: ptr("a dir/"), StartAfter: ptr("a dir/+")})
	if err != nil || len(list.Contents) != 1 || aws.ToString(list.Contents[0].Key) != *key {
		t.Errorf("got %+v, %v", list, err)
	}
	resp, err := http.Get(presigned(t, d, *key).String())
	if err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || string(body) != "hello" || err != nil {
		t.Errorf("the presigned URL answers %s: %s, %v", resp.Status, body, err)
	}
	multipart(t, d, "a dir/large")
	if _, err := api.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key}}}}); err != nil {
		t.Errorf("DeleteObjects: %v", err)
	}
	_, err = Open(t.Context(), parameters(map[string]any{"v4auth": false, "secretkey": "zebra"}))
	says(t, err, storagedriver.KindPermission, `the secret key is wrong: look at parameter "secretkey"`)
}

func TestVersion2OnVersitygw(t *testing.T) {
	_, err := Open(t.Context(), started(t, "versitygw", "BERTH_VERSITYGW")(map[string]any{"v4auth": false}))
	says(t, err, storagedriver.KindPermission, `or the service takes no signatures of version 2: grant s3:ListBucket, or set parameter "v4auth" to true: `)
}

// multipart uploads a part and a copied part, and reads them.
func multipart(t *testing.T, d *Driver, key string) {
	t.Helper()
	api, bucket := d.client.api, ptr("registry")
	part := make([]byte, MinChunkSize)
	if _, err := rand.Read(part); err != nil {
		t.Fatal(err)
	}
	upload, err := api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	one, err := api.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(part)})
	if err != nil {
		t.Fatal(err)
	}
	two, err := api.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{Bucket: bucket, Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(2), CopySource: ptr("registry/a%20dir/%2Bb%3Dc%26d")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
		Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: one.ETag}, {PartNumber: aws.Int32(2), ETag: two.CopyPartResult.ETag}},
	}}); err != nil {
		t.Fatal(err)
	}
	got, err := api.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	if !bytes.Equal(body, append(part, "hello"...)) || err != nil {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
}
