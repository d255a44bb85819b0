package registry_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/opencontainers/go-digest"
)

// patience is how long a test waits for what happens in the background.
const patience = 20 * time.Second

// eventually polls until done reports true.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		<-tick.C
	}
}

// startPatch sends the header of a PATCH of length bytes and then content, and returns the
// connection, on which the server waits for the rest.
func (c *client) startPatch(location string, length int, content []byte) net.Conn {
	c.t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		c.t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(c.t.Context(), "tcp", u.Host)
	if err != nil {
		c.t.Fatal(err)
	}
	header := fmt.Sprintf("PATCH %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, length)
	if _, err := conn.Write(append([]byte(header), content...)); err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// received is how many bytes the upload's status says were received.
func (c *client) received(location string) int {
	c.t.Helper()
	a := c.do(http.MethodGet, location, nil, nil, http.StatusNoContent)
	var last int
	if _, err := fmt.Sscanf(a.Header.Get("Range"), "0-%d", &last); err != nil {
		c.t.Fatalf("Range: %q", a.Header.Get("Range"))
	}
	if last == 0 {
		return 0
	}
	return last + 1
}

// interrupt begins an upload, sends content of a longer PATCH and goes away. It returns
// the upload's location once other, which shares the store, reports all that was sent.
func interrupt(t *testing.T, c, other *client, content []byte) string {
	t.Helper()
	at := c.begin("a/b")
	conn := c.startPatch(at, len(content)*2, content)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.Replace(at, c.base, other.base, 1)
	eventually(t, "the status reports what was sent", func() bool { return other.received(elsewhere) == len(content) })
	return elsewhere
}

// resume continues an upload with the rest of content in a PATCH and finishes it.
func resume(t *testing.T, c *client, at string, content []byte, from int) {
	t.Helper()
	at = c.location(c.do(http.MethodGet, at, nil, nil, http.StatusNoContent))
	at = c.location(c.do(http.MethodPatch, at, bytes.NewReader(content[from:]), nil, http.StatusAccepted))
	d := digest.FromBytes(content)
	c.do(http.MethodPut, c.add(at, "digest", d.String()), nil, nil, http.StatusCreated)
	if got := c.pull("a/b", d); !bytes.Equal(got, content) {
		t.Error("the content is another")
	}
}

// hashStates returns the paths of all stored hash states.
func hashStates(t *testing.T, store storagedriver.StorageDriver) []string {
	t.Helper()
	var found []string
	err := store.Walk(t.Context(), "/docker", func(info storagedriver.FileInfo) error {
		if strings.Contains(info.Path(), "/hashstates/sha256/") {
			found = append(found, info.Path())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestInterruptedPatchIsContinuedByAnotherProcess(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c, other := newClient(t, store, testConfig()), newClient(t, store, testConfig())
		content := pattern(900_000)
		at := interrupt(t, c, other, content[:400_000])
		eventually(t, "the hash state at 400000", func() bool {
			states := hashStates(t, store)
			return len(states) == 1 && strings.HasSuffix(states[0], "/400000")
		})
		resume(t, other, at, content, 400_000)
		expectNoUploads(t, store, "a/b")
	})
}

func TestUploadWithoutHashStateIsHashedAnew(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c, other := newClient(t, store, testConfig()), newClient(t, store, testConfig())
		content := pattern(900_000)
		at := interrupt(t, c, other, content[:400_000])
		eventually(t, "a hash state", func() bool { return len(hashStates(t, store)) == 1 })
		if err := store.Delete(t.Context(), hashStates(t, store)[0]); err != nil {
			t.Fatal(err)
		}
		// In two more steps: the hash of a part alone must not pass for that of the whole.
		at = other.location(other.do(http.MethodGet, at, nil, nil, http.StatusNoContent))
		at = other.location(other.do(http.MethodPatch, at, bytes.NewReader(content[400_000:500_000]), nil, http.StatusAccepted))
		if states := hashStates(t, store); len(states) != 0 {
			t.Errorf("a hash state was stored that does not cover the upload: %q", states)
		}
		resume(t, other, at, content, 500_000)
		expectNoUploads(t, store, "a/b")
	})
}

func TestStatusDoesNotDisturbAPatch(t *testing.T) {
	onEachStore(t, func(t *testing.T, store storagedriver.StorageDriver) {
		c, other := newClient(t, store, testConfig()), newClient(t, store, testConfig())
		content := pattern(400_000)
		at := c.begin("a/b")
		conn := c.startPatch(at, len(content), content[:200_000])
		defer conn.Close()
		elsewhere := strings.Replace(at, c.base, other.base, 1)
		for range 5 {
			if n := other.received(elsewhere); n > 200_000 {
				t.Errorf("status during the PATCH: got %d, want at most what was sent", n)
			}
		}
		if _, err := conn.Write(content[200_000:]); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the PATCH is complete", func() bool { return other.received(elsewhere) == len(content) })
		eventually(t, "the hash state", func() bool { return len(hashStates(t, store)) == 1 })
		d := digest.FromBytes(content)
		at = other.location(other.do(http.MethodGet, elsewhere, nil, nil, http.StatusNoContent))
		other.do(http.MethodPut, other.add(at, "digest", d.String()), nil, nil, http.StatusCreated)
		if got := other.pull("a/b", d); !bytes.Equal(got, content) {
			t.Error("the content is another")
		}
	})
}
