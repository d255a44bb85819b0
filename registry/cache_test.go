package registry_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
)

// counting counts how often a store is asked about content of blobs.
type counting struct {
	storagedriver.StorageDriver
	stats atomic.Int64
}

func (c *counting) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	if strings.HasSuffix(path, "/data") && strings.Contains(path, "/blobs/") {
		c.stats.Add(1)
	}
	return c.StorageDriver.Stat(ctx, path)
}

// statsOfHeads returns how often the store is asked when a client asks n times about one blob.
func statsOfHeads(t *testing.T, sections string, n int) int64 {
	t.Helper()
	store := &counting{StorageDriver: newStore(t)}
	d := newClient(t, store, testConfig()).push("a", pattern(10)) // the cache of another registry knows it
	c := newClient(t, store, parse(t, start+sections))
	store.stats.Store(0)
	for range n {
		c.do(http.MethodHead, "/v2/a/blobs/"+d.String(), nil, nil, http.StatusOK)
	}
	return store.stats.Load()
}

func TestBlobDescriptorsAreCachedInMemory(t *testing.T) {
	const asks = 5
	without := statsOfHeads(t, "storage: inmemory\n", asks)
	if without < asks {
		t.Fatalf("without a cache: the store was asked %d times by %d requests", without, asks)
	}
	for _, cache := range []string{"{blobdescriptor: inmemory}", "{blobdescriptor: inmemory, blobdescriptorsize: 10}", "{layerinfo: inmemory}", "{blobdescriptor: inmemory, blobdescriptorsize: 0}"} {
		if got := statsOfHeads(t, "storage: {inmemory: {}, cache: "+cache+"}\n", asks); got > without-asks+1 {
			t.Errorf("%s: the store was asked %d times, without a cache %d", cache, got, without)
		}
	}
}

func TestBlobDescriptorsAreCachedInRedis(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireUserAuth("registry", "secret")
	const asks = 5
	without := statsOfHeads(t, "storage: inmemory\n", asks)
	got := statsOfHeads(t, fmt.Sprintf("storage: {inmemory: {}, cache: {blobdescriptor: redis}}\n"+
		"redis: {addrs: ['%s'], username: registry, password: secret, db: 3, dialtimeout: 1s, readtimeout: 1s, writetimeout: 1s, poolsize: 4}\n", server.Addr()), asks)
	if got > without-asks+1 {
		t.Errorf("the store was asked %d times, without a cache %d", got, without)
	}
	var blobs int
	for _, key := range server.DB(3).Keys() {
		if strings.Contains(key, "sha256:") {
			blobs++
		}
	}
	if blobs == 0 {
		t.Errorf("redis has no descriptor in database 3: %q", server.DB(3).Keys())
	}
}

func TestRegistryWorksWhileRedisIsAway(t *testing.T) {
	server := miniredis.RunT(t)
	config := parse(t, fmt.Sprintf(start+"storage: {inmemory: {}, cache: {blobdescriptor: redis}}\nredis: {addrs: ['%s'], maxretries: -1, dialtimeout: 200ms}\n", server.Addr()))
	c := newClient(t, newStore(t), config)
	d := c.push("a", pattern(10))
	server.Close()
	c.pull("a", d)
}

func TestRedisThatIsNotConfiguredIsOneLine(t *testing.T) {
	config := parseTheirs(t, start+"storage: {inmemory: {}, cache: {blobdescriptor: redis}}\n")
	_, err := registry.NewHandler(t.Context(), newStore(t), config)
	expectOneLine(t, err, "redis")
}
