package registry_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/opencontainers/go-digest"
)

// served is a running Serve.
type served struct {
	*client
	t    *testing.T
	stop context.CancelFunc
	done chan error
}

// serve runs Serve until the test ends or stop is called.
func serve(t *testing.T, o registry.Options) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan string, 1)
	o.Ready = func(addr string) { ready <- addr }
	s := &served{t: t, stop: cancel, done: make(chan error, 1)}
	go func() { s.done <- registry.Serve(ctx, o) }()
	select {
	case addr := <-ready:
		s.client = &client{t: t, base: "http://" + addr, http: &http.Client{Transport: &http.Transport{}}}
	case err := <-s.done:
		t.Fatalf("Serve: %v", err)
	}
	t.Cleanup(func() {
		s.http.CloseIdleConnections()
		cancel()
	})
	return s
}

// result waits for Serve to return.
func (s *served) result() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(patience):
		s.t.Fatal("Serve does not return")
		return nil
	}
}

// watched is a store that knows whether it was closed, and whether it was used afterwards.
type watched struct {
	storagedriver.StorageDriver
	closed, late atomic.Bool
	broken       atomic.Bool
	writers      atomic.Int32 // opened so far
}

func (w *watched) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w.use()
	defer w.writers.Add(1)
	return w.StorageDriver.Writer(ctx, path, append)
}

func (w *watched) Close() error {
	w.closed.Store(true)
	return w.StorageDriver.Close()
}

func (w *watched) use() {
	if w.closed.Load() {
		w.late.Store(true)
	}
}

func (w *watched) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	w.use()
	if w.broken.Load() {
		return nil, storagedriver.NewError(storagedriver.KindUnavailable, "broken")
	}
	return w.StorageDriver.Stat(ctx, path)
}

func (w *watched) PutContent(ctx context.Context, path string, content []byte) error {
	w.use()
	return w.StorageDriver.PutContent(ctx, path, content)
}

func TestServeOpensServesAndCloses(t *testing.T) {
	config := parse(t, "version: 0.1\nlog: {level: error}\nstorage: {anything: {a: 1}}\nhttp: {addr: '127.0.0.1:0', secret: s}\n")
	store := &watched{StorageDriver: newStore(t)}
	var access bytes.Buffer
	s := serve(t, registry.Options{Config: config, Drivers: &recordingDrivers{store: store}, AccessLog: &access})
	content := pattern(1000)
	if got := s.pull("a", s.push("a", content)); !bytes.Equal(got, content) {
		t.Error("the content is another")
	}
	s.do(http.MethodGet, "/", nil, nil, http.StatusOK)
	s.stop()
	if err := s.result(); err != nil {
		t.Errorf("got %v, want nil after a clean stop", err)
	}
	if !store.closed.Load() || store.late.Load() {
		t.Errorf("closed %v, used afterwards %v, want true and false", store.closed.Load(), store.late.Load())
	}
	if !strings.Contains(access.String(), "POST /v2/a/blobs/uploads/") {
		t.Errorf("access log: %q", access.String())
	}
}

func TestServeLeavesAGivenDriverOpen(t *testing.T) {
	store := &watched{StorageDriver: newStore(t)}
	s := serve(t, registry.Options{Config: testConfig(), Driver: store})
	s.stop()
	if err := s.result(); err != nil || store.closed.Load() {
		t.Errorf("got %v, closed %v, want nil and false", err, store.closed.Load())
	}
}

func TestServeDrainsAnUploadUnderWay(t *testing.T) {
	store := &watched{StorageDriver: newStore(t)}
	s := serve(t, registry.Options{Config: testConfig(), Driver: store})
	content := pattern(100_000)
	at := s.begin("a")
	conn := s.startPatch(at, len(content), content[:50_000])
	defer conn.Close()
	eventually(t, "the PATCH is under way", func() bool { return store.writers.Load() == 2 })
	s.awaitRefusal(func() { s.stop() })
	if _, err := conn.Write(content[50_000:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(answer); err != nil || !strings.HasSuffix(string(answer), "202") {
		t.Errorf("the upload under way: got %q, %v, want it to be accepted", answer, err)
	}
	if err := s.result(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// awaitRefusal stops the server and waits until it accepts no connection.
func (s *served) awaitRefusal(stop func()) {
	s.t.Helper()
	s.http.CloseIdleConnections()
	stop()
	eventually(s.t, "connections are refused", func() bool {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.base+"/", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		fresh := &http.Transport{DisableKeepAlives: true}
		response, err := fresh.RoundTrip(r)
		if err == nil {
			response.Body.Close()
		}
		return err != nil
	})
}

func TestServeSuspendsWhatDoesNotFinishInTime(t *testing.T) {
	store := &watched{StorageDriver: newStore(t)}
	config := testConfig()
	config.HTTP.DrainTimeout = 50 * time.Millisecond
	s := serve(t, registry.Options{Config: config, Driver: store})
	content := pattern(100_000)
	at := s.begin("a/b")
	conn := s.startPatch(at, len(content), content[:50_000])
	defer conn.Close()
	eventually(t, "the PATCH is under way", func() bool { return store.writers.Load() == 2 })
	s.stop()
	if err := s.result(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	store.closed.Store(true)

	next := serve(t, registry.Options{Config: testConfig(), Driver: store.StorageDriver})
	at = strings.Replace(at, s.base, next.base, 1)
	n := next.received(at)
	if n > 50_000 {
		t.Errorf("received %d, want at most what was sent", n)
	}
	resume(t, next.client, at, content, n)
	if store.late.Load() {
		t.Error("the driver was used after Serve had returned")
	}
}

func TestHeadersAndRelativeURLsAreHonoured(t *testing.T) {
	config := testConfig()
	config.HTTP.Headers = http.Header{"X-Test": {"yes"}}
	config.HTTP.RelativeURLs = true
	c := newClient(t, newStore(t), config)
	a := c.do(http.MethodPost, "/v2/a/blobs/uploads/", nil, nil, http.StatusAccepted)
	if a.Header.Get("X-Test") != "yes" || !strings.HasPrefix(a.Header.Get("Location"), "/v2/") {
		t.Errorf("got X-Test %q and Location %q", a.Header.Get("X-Test"), a.Header.Get("Location"))
	}
}

func TestReadOnlyRegistryRefusesPushes(t *testing.T) {
	store := newStore(t)
	d := newClient(t, store, testConfig()).push("a", pattern(10))
	config := parse(t, "version: 0.1\nstorage: {inmemory: {}, maintenance: {readonly: {enabled: true}}}\nhttp: {secret: s}\n")
	c := newClient(t, store, config)
	c.do(http.MethodPost, "/v2/a/blobs/uploads/", nil, nil, http.StatusMethodNotAllowed)
	c.do(http.MethodGet, "/v2/a/blobs/"+d.String(), nil, nil, http.StatusOK)
}

func TestServeFailsWhenItsAddressIsTaken(t *testing.T) {
	taken := httptest.NewServer(nil)
	defer taken.Close()
	config := testConfig()
	config.HTTP.Addr = taken.Listener.Addr().String()
	store := &watched{StorageDriver: newStore(t)}
	config.Storage = parse(t, "version: 0.1\nstorage: inmemory\n").Storage
	err := registry.Serve(t.Context(), registry.Options{Config: config, Drivers: &recordingDrivers{store: store}})
	expectOneLine(t, err, "http.addr", config.HTTP.Addr)
	if !store.closed.Load() {
		t.Error("the driver that Serve opened was not closed")
	}
}

func TestServeReportsWhatOpeningFailedWith(t *testing.T) {
	failure := storagedriver.NewError(storagedriver.KindDenied, "the origin is not allowed")
	err := registry.Serve(t.Context(), registry.Options{Config: testConfig(), Drivers: &recordingDrivers{err: failure}})
	expectOneLine(t, err, "storage.filesystem", "not allowed")
	if !errors.Is(err, failure) || storagedriver.KindOf(err) != storagedriver.KindDenied {
		t.Errorf("got %v, want the driver's own error in it", err)
	}
}

// panicking panics where a driver must not.
type panicking struct{ storagedriver.StorageDriver }

func (panicking) List(context.Context, string) ([]string, error) { panic("a bug\nin a driver") }

func TestPanicInARequestEndsThatRequestOnly(t *testing.T) {
	s := serve(t, registry.Options{Config: testConfig(), Driver: panicking{newStore(t)}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/v2/_catalog", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := s.http.Do(r); err == nil {
		response.Body.Close()
		t.Errorf("got %s, want an aborted connection", response.Status)
	}
	content := pattern(10)
	if got := s.pull("a", s.push("a", content)); digest.FromBytes(got) != digest.FromBytes(content) {
		t.Error("the registry does not work any more")
	}
	s.stop()
	if err := s.result(); err != nil {
		t.Error(err)
	}
}
