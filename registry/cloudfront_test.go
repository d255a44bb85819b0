package registry_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what CloudFront verifies
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/metrics"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/layers/tracing"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace/noop"
)

// inBucket is a backend that says which bucket it is, and sends clients there.
type inBucket struct{ *inmemory.Driver }

func (b inBucket) Capabilities() storagedriver.Capabilities {
	c := b.Driver.Capabilities()
	c.Keys = storagedriver.Keys{Bucket: "images", Prefix: "registry/one/"}
	return c
}

// newBucket returns such a store, with the layers that a configuration can ask for.
func newBucket(t *testing.T, more ...string) storagedriver.StorageDriver {
	t.Helper()
	section := map[string]any{"retry": nil, "timeout": map[string]any{"operation": "1m"}, "limit": map[string]any{"concurrency": 64}, "fault": []any{"slow 1ns on Put"}, "tracing": true, "metrics": true}
	for _, name := range more {
		section[name] = true
	}
	counts, err := metrics.Register(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	open := stack.Open(func(context.Context, map[string]any) (storagedriver.Backend, error) {
		return inBucket{inmemory.New()}, nil
	},
		stack.Observers{
			Tracing: func(b storagedriver.Backend) storagedriver.Backend { return tracing.New(b, noop.NewTracerProvider()) },
			Metrics: func(b storagedriver.Backend) storagedriver.Backend { return metrics.New(b, counts) },
		})
	b, err := open(t.Context(), map[string]any{stack.Key: section})
	if err != nil {
		t.Fatal(err)
	}
	return layers.Complete(b)
}

// privateKey writes a new one into a file.
func privateKey(t *testing.T) (file string, public *rsa.PublicKey) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "key.pem")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, &key.PublicKey
}

// signed checks an address that CloudFront would accept, and returns it without what signs it.
func signed(t *testing.T, address, keyPair string, public *rsa.PublicKey) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	resource := u.Scheme + "://" + u.Host + u.Path
	policy := fmt.Sprintf(`{"Statement":[{"Resource":%q,"Condition":{"DateLessThan":{"AWS:EpochTime":%s}}}]}`, resource, q.Get("Expires"))
	signature, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(q.Get("Signature")))
	if err != nil {
		t.Fatalf("Signature: %v in %s", err, address)
	}
	sum := sha1.Sum([]byte(policy)) //nolint:gosec // as above
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA1, sum[:], signature); err != nil || q.Get("Key-Pair-Id") != keyPair {
		t.Errorf("the address is not signed by %s: %v: %s", keyPair, err, address)
	}
	return resource
}

func TestCloudFront(t *testing.T) {
	file, public := privateKey(t)
	d := digest.FromBytes(pattern(1000))
	key := "registry/one/docker/registry/v2/blobs/sha256/" + d.Encoded()[:2] + "/" + d.Encoded() + "/data"
	section := "storage: inmemory\nmiddleware: {storage: [{name: cloudfront, options: {baseurl: cdn.example.com, privatekey: " + file + ", keypairid: KEYPAIR, duration: 5m}}]}\n"
	before := time.Now()
	address := redirectOf(t, newBucket(t), section)
	if got, want := signed(t, address, "KEYPAIR", public), "https://cdn.example.com/"+key; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var expires int64
	if u, err := url.Parse(address); err == nil {
		_, _ = fmt.Sscan(u.Query().Get("Expires"), &expires)
	}
	if least := before.Add(5 * time.Minute).Unix(); expires < least || expires > time.Now().Add(5*time.Minute).Unix() {
		t.Errorf("the address is good until %d, want 5 minutes: %d", expires, least)
	}
	if got := redirectOf(t, newStore(t), section); got != "" {
		t.Errorf("without a bucket: sent to %q, want the content", got)
	}
}

func TestCloudFrontSaysWhenItDoesNothing(t *testing.T) {
	file, _ := privateKey(t)
	text := "version: 0.1\nlog: {level: warn}\nhttp: {secret: s, addr: '127.0.0.1:0'}\nstorage: inmemory\n" +
		"middleware: {storage: [{name: cloudfront, options: {baseurl: 'https://cdn.example.com', privatekey: " + file + ", keypairid: k}}]}\n"
	for what, c := range map[string]struct {
		store storagedriver.StorageDriver
		says  bool
	}{"a bucket": {newBucket(t), false}, "no bucket": {newStore(t), true}} {
		var log bytes.Buffer
		s := serve(t, registry.Options{Config: parse(t, text), Driver: c.store, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s.stop()
		if err := s.result(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "cloudfront does nothing: the driver has no bucket"); got != c.says {
			t.Errorf("%s: the log has\n%s", what, log.String())
		}
	}
}

// TestEveryLayerKeepsTheKeys: what ToDistribution returns knows the key of a path exactly when the driver has a bucket.
func TestEveryLayerKeepsTheKeys(t *testing.T) {
	type keyer interface{ S3BucketKey(path string) string }
	for _, d := range []storagedriver.StorageDriver{newBucket(t), newBucket(t, "readonly")} {
		k, ok := registry.ToDistribution(d).(keyer)
		if !ok {
			t.Fatalf("a driver with %+v gives no keys", d.Capabilities())
		}
		if got := k.S3BucketKey("/docker/x"); got != "registry/one/docker/x" {
			t.Errorf("got the key %q", got)
		}
	}
	if _, ok := registry.ToDistribution(newStore(t)).(keyer); ok {
		t.Error("a driver without a bucket gives keys")
	}
}

// TestCloudFrontSendsNetworksOfAWSToTheBucket has a list of networks in which the client of the test is.
func TestCloudFrontSendsNetworksOfAWSToTheBucket(t *testing.T) {
	file, public := privateKey(t)
	ranges := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"prefixes": []any{
			map[string]string{"ip_prefix": "127.0.0.0/8", "region": "us-east-1", "service": "AMAZON"},
		}})
	}))
	defer ranges.Close()
	options := "baseurl: 'https://cdn.example.com/', privatekey: " + file + ", keypairid: k, iprangesurl: '" + ranges.URL + "', updatefrequency: 12h"
	for filter, toBucket := range map[string]bool{
		"ipfilteredby: aws": true, "ipfilteredby: AWSRegion, awsregion: 'eu-west-1, us-east-1'": true,
		"ipfilteredby: awsregion, awsregion: eu-west-1": false, "ipfilteredby: none": false,
	} {
		address := redirectOf(t, redirecting{newBucket(t)}, "storage: inmemory\nmiddleware: {storage: [{name: cloudfront, options: {"+options+", "+filter+"}}]}\n")
		if toBucket && !strings.HasPrefix(address, "http://storage.example.com/bucket/") {
			t.Errorf("%s: sent to %s, want the bucket", filter, address)
		}
		if !toBucket {
			signed(t, address, "k", public)
		}
	}
}
