//go:build servers

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/storagedriver/testsuites/e2e/ocilayout"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// balancer sends each request to the next of several registries, whose secret is the same. One that cannot be reached any more is left out; the
// request that found that out, and those that it was working on, are answered with 502.
type balancer struct {
	*httptest.Server

	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	next   int
	up     []string       // addresses
	served map[string]int // requests, by address
	active map[string]int // those that are not answered yet
}

// chosen is the key of the address in the context of a request.
type chosen struct{}

// newBalancer returns one before the registries. It is closed when the test ends.
func newBalancer(t *testing.T, registries ...*server) *balancer {
	t.Helper()
	b := &balancer{served: map[string]int{}, active: map[string]int{}}
	for _, r := range registries {
		b.up = append(b.up, r.addr)
	}
	b.proxy = &httputil.ReverseProxy{
		// The Host stays: a registry makes the URLs of uploads of it.
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Context().Value(chosen{}).(string)
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			if r.Context().Err() == nil {
				b.leaveOut(r.URL.Host)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	}
	b.Server = httptest.NewServer(b)
	t.Cleanup(b.Close)
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	addr := b.choose()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.active[addr]--
	}()
	b.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chosen{}, addr)))
}

func (b *balancer) choose() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	addr := b.up[b.next%len(b.up)]
	b.served[addr]++
	b.active[addr]++
	return addr
}

// busiest is which of two registries works on more requests.
func (b *balancer) busiest(registries [2]*server) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.active[registries[0].addr] >= b.active[registries[1].addr] {
		return 0
	}
	return 1
}

// leaveOut leaves one out unless it is the last.
func (b *balancer) leaveOut(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.up) > 1 {
		b.up = slices.DeleteFunc(b.up, func(a string) bool { return a == addr })
	}
}

// pusher is a client of uploads that goes on after errors, as those of containers do.
type pusher struct {
	base    string // URL of the registry
	client  *http.Client
	content []byte
	sizes   []int // of the PATCHes, in turn

	// sending is called with how many bytes of the content a PATCH has read, before it reads on. It may block.
	sending func(sent int64)

	location string // of the upload; "" is none
	begun    int    // uploads
	resumed  int
}

// attempts bounds what a client tries again.
const attempts = 6

// failure is an answer that a client goes on after: the registry has gone, or says where the upload is.
type failure struct {
	request string
	status  int
	text    []byte
}

func (f *failure) Error() string { return fmt.Sprintf("%s: %d: %.200s", f.request, f.status, f.text) }

// do returns an answer with one of the statuses; it is read. Any other is a *failure.
func (p *pusher) do(ctx context.Context, method, target string, body io.Reader, size int64, statuses ...int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, err
	}
	req.URL.Host = strings.TrimPrefix(p.base, "http://")
	req.ContentLength = size
	if body != nil {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, &failure{request: method, text: []byte(err.Error())}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || !slices.Contains(statuses, res.StatusCode) {
		return nil, &failure{method + " " + target, res.StatusCode, text}
	}
	return res, nil
}

// push uploads the content. When a request fails it asks for the offset and goes on there; an upload that there is none of any
// more, or that is elsewhere than it says, is begun anew.
func (p *pusher) push(ctx context.Context) error {
	var problems []error
	for range attempts {
		err := p.try(ctx)
		if err == nil {
			return nil
		}
		problems = append(problems, err)
		var f *failure
		if !errors.As(err, &f) {
			break
		}
		if f.status == http.StatusNotFound || f.status == http.StatusRequestedRangeNotSatisfiable {
			p.location = ""
			if p.there(ctx) {
				return nil
			}
		}
	}
	return fmt.Errorf("a push of %d bytes: %w", len(p.content), errors.Join(problems...))
}

// try begins the upload or goes on with it, and commits it.
func (p *pusher) try(ctx context.Context) error {
	var offset int64
	var err error
	if p.location == "" {
		p.begun++
		p.location, err = p.at(p.do(ctx, http.MethodPost, p.base+"/v2/resume/app/blobs/uploads/", nil, 0, http.StatusAccepted))
	} else if offset, err = p.offset(ctx); err == nil {
		p.resumed++
	}
	if err == nil {
		err = p.send(ctx, offset)
	}
	if err == nil {
		err = p.complete(ctx)
	}
	return err
}

// at is the URL that an answer gives the upload.
func (p *pusher) at(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	at, err := res.Location()
	if err != nil {
		return "", err
	}
	return at.String(), nil
}

// offset asks how many bytes there are.
func (p *pusher) offset(ctx context.Context) (int64, error) {
	res, err := p.do(ctx, http.MethodGet, p.location, nil, 0, http.StatusNoContent)
	if err != nil {
		return 0, err
	}
	_, end, found := strings.Cut(res.Header.Get("Range"), "-")
	n, err := strconv.ParseInt(end, 10, 64)
	if !found || err != nil || n > int64(len(p.content)) {
		return 0, fmt.Errorf("the status of an upload of %d bytes has Range %q", len(p.content), res.Header.Get("Range"))
	}
	if n == 0 {
		return 0, nil // or one; the tests never send just one
	}
	return n + 1, nil
}

// send sends the content from an offset, in PATCHes.
func (p *pusher) send(ctx context.Context, offset int64) error {
	for i := 0; offset < int64(len(p.content)); i++ {
		n := min(int64(p.sizes[i%len(p.sizes)]), int64(len(p.content))-offset)
		body := &reporting{r: bytes.NewReader(p.content[offset : offset+n]), at: offset, report: p.sending}
		next, err := p.at(p.do(ctx, http.MethodPatch, p.location, io.NopCloser(body), n, http.StatusAccepted))
		if err != nil {
			return err
		}
		p.location, offset = next, offset+n
	}
	return nil
}

func (p *pusher) complete(ctx context.Context) error {
	u, err := url.Parse(p.location)
	if err != nil {
		return err
	}
	query := u.Query()
	query.Set("digest", p.digest())
	u.RawQuery = query.Encode()
	_, err = p.do(ctx, http.MethodPut, u.String(), nil, 0, http.StatusCreated)
	return err
}

func (p *pusher) digest() string { return (&upload{content: p.content}).digest() }

// there reports whether the registry has the blob already.
func (p *pusher) there(ctx context.Context) bool {
	_, err := p.do(ctx, http.MethodHead, p.base+"/v2/resume/app/blobs/"+p.digest(), nil, 0, http.StatusOK)
	return err == nil
}

// reporting reports how far it was read.
type reporting struct {
	r      io.Reader
	at     int64
	report func(sent int64)
}

func (r *reporting) Read(b []byte) (int, error) {
	if r.report != nil {
		r.report(r.at)
	}
	n, err := r.r.Read(b)
	r.at += int64(n)
	return n, err
}

// wantBlobs demands that each content can be read from s and is what was sent.
func wantBlobs(t *testing.T, s *server, contents ...[]byte) {
	t.Helper()
	for _, content := range contents {
		(&upload{t: t, content: content}).wantBlob(s)
	}
}

// replicas starts two registries in one bucket, each with a way to the service of its own, which watches.
func replicas(t *testing.T) (behind *servers.Watched, ways [2]*servers.Watched, registries [2]*server) {
	t.Helper()
	behind = versitygw.start(t)
	for i := range registries {
		ways[i] = servers.Watch(t, behind.S3)
		registries[i] = versitygw.storage(ways[i], true).start(t, t.TempDir())
	}
	return behind, ways, registries
}

// oddSizes are those of PATCHes: shorter than a part, just past one, past two, and next to nothing.
var oddSizes = []int{3*mib + 1, 5*mib + 4097, 11*mib - 1, 777}

// TestUploadsAlternateBetweenReplicas: each request of an upload goes to another registry than the one before, of twenty uploads, four at a
// time. Every one of them is committed at its first attempt.
func TestUploadsAlternateBetweenReplicas(t *testing.T) {
	behind, ways, registries := replicas(t)
	b := newBalancer(t, registries[0], registries[1])
	const uploads = 20
	contents := make([][]byte, uploads)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range contents {
		contents[i] = content(t, byte(100+i), int64(11*mib+i*(12*mib)/(uploads-1)-i%3))
		group.Go(func() error {
			p := &pusher{base: b.URL, client: &http.Client{Timeout: patience}, content: contents[i], sizes: append(oddSizes[i%4:], oddSizes[:i%4]...)}
			if err := p.push(t.Context()); err != nil {
				return err
			}
			if p.begun != 1 || p.resumed != 0 {
				return fmt.Errorf("upload %d: want it done at once, it was begun %d times and resumed %d times", i, p.begun, p.resumed)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, s := range registries {
		if b.served[s.addr] < uploads || ways[i].Count(servers.PartsSent) == 0 {
			t.Errorf("want both replicas to receive parts, one has served %d requests and sent %d parts", b.served[s.addr], ways[i].Count(servers.PartsSent))
		}
		wantBlobs(t, s, contents[i*uploads/2:(i+1)*uploads/2]...)
	}
	image, back := filepath.Join(t.TempDir(), "image"), filepath.Join(t.TempDir(), "back")
	ocilayout.WriteImage(t, image, 90, 1000, s3Layer, 6*mib)
	front := &server{t: t, addr: strings.TrimPrefix(b.URL, "http://")}
	push(t, front, image, "team/app:v1")
	pull(t, front, "team/app:v1", back)
	ocilayout.WantSameBlobs(t, image, back)
	for _, s := range registries {
		s.stop()
	}
	for _, way := range ways {
		if left := way.UploadsLeft(t, s3Bucket); len(left) > 0 {
			t.Errorf("want no multipart upload left, got those to %q", left)
		}
	}
	s3WantNothingLeft(t, behind, writeConfig(t, t.TempDir(), "look.yml", versitygw.section(behind)))
}

// TestAReplicaIsKilledAmidPushes: what was committed through either can be read from the other, and every push that the kill
// interrupts is gone on with or begun anew, and is committed.
func TestAReplicaIsKilledAmidPushes(t *testing.T) {
	_, ways, registries := replicas(t)
	b := newBalancer(t, registries[0], registries[1])
	const pushes, size = 4, 23*mib + 5
	k := &kill{reached: make(chan struct{}, pushes), released: make(chan struct{})}
	var (
		group    errgroup.Group
		pushers  [pushes]*pusher
		contents = [][]byte{content(t, 200, 11*mib), content(t, 201, 13*mib+1), content(t, 202, 1000)}
	)
	for _, content := range contents {
		p := &pusher{base: b.URL, client: &http.Client{Timeout: patience}, content: content, sizes: oddSizes}
		if err := p.push(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := [2]int{ways[0].Count(servers.PartsSent), ways[1].Count(servers.PartsSent)}
	for i := range pushers {
		p := &pusher{base: b.URL, client: &http.Client{Timeout: patience}, content: content(t, byte(210+i), size+int64(i)), sizes: []int{2*mib + 1 + i, 20 * mib}}
		p.sending = k.holder(16 * mib)
		pushers[i], contents = p, append(contents, p.content)
		group.Go(func() error { return p.push(t.Context()) })
	}
	k.wait(t, pushes)
	one := b.busiest(registries)
	killed, survivor := registries[one], registries[1-one]
	poll(t, "parts sent by the replica that is to be killed", func() bool { return ways[one].Count(servers.PartsSent) > before[one] })
	killed.kill()
	close(k.released)
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	interrupted := 0
	for _, p := range pushers {
		if p.begun > 1 || p.resumed > 0 {
			interrupted++
		}
		t.Logf("an upload was begun %d times and resumed %d times", p.begun, p.resumed)
	}
	if interrupted == 0 {
		t.Error("want pushes that the kill interrupts, none was")
	}
	wantBlobs(t, survivor, contents...)
	back := filepath.Join(t.TempDir(), "image")
	ocilayout.WriteImage(t, back, 91, 1000, 7*mib)
	push(t, &server{t: t, addr: strings.TrimPrefix(b.URL, "http://")}, back, "team/app:v2")
	survivor.stop()
}

// kill holds uploads until something has been killed.
type kill struct {
	reached  chan struct{} // one for each that is held
	released chan struct{} // closed when they are to go on
}

// holder holds one upload when it has sent so many bytes, once.
func (k *kill) holder(at int64) func(int64) {
	hold := sync.OnceFunc(func() { k.reached <- struct{}{}; <-k.released })
	return func(sent int64) {
		if sent >= at {
			hold()
		}
	}
}

func (k *kill) wait(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(patience)
	for i := range n {
		select {
		case <-k.reached:
		case <-deadline:
			t.Fatalf("want %d uploads under way, %d have come that far", n, i)
		}
	}
}

// poll waits until something is so.
func poll(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
