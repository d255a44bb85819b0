package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// eventually polls.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
		wait := time.NewTimer(time.Millisecond)
		<-wait.C
	}
}

func TestARequestWaitsForItsTurnHoldingNothing(t *testing.T) {
	var in atomic.Int64
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		in.Add(1)
		<-release
	}))
	defer s.Close()
	c := newRuleClient(t, Config{MaxRequests: 2}, Rule{Origin: s.URL})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL}); err != nil || got != 200 {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
	eventually(t, "two requests wait", func() bool { return in.Load() == 2 })
	opened, ended := 0, 0
	waits := &Request{Method: "PUT", URL: s.URL, Size: 1, Open: func(context.Context) (io.ReadCloser, error) { opened++; return nil, errors.New("opened") }, Ended: func() { ended++ }}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, waits); !errors.Is(err, context.DeadlineExceeded) || opened != 0 || ended != 1 || in.Load() != 2 {
		t.Errorf("%v, opened %d, ended %d, %d requests", err, opened, ended, in.Load())
	}
	close(release)
	wg.Wait()
	for range 10 { // turns come back, also from what fails
		if _, err := c.Do(t.Context(), waits); err == nil || err.Error() != "opened" {
			t.Fatalf("%v", err)
		}
	}
	if got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL}); err != nil || got != 200 {
		t.Errorf("%d, %v", got, err)
	}
}

// TestTurnsAreForTheWaitAlone has many responses open.
func TestTurnsAreForTheWaitAlone(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 100_000)) }))
	defer s.Close()
	c := newRuleClient(t, Config{MaxRequests: 1}, Rule{Origin: s.URL})
	for range 5 {
		resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
	}
}

// TestUploadsThatReadsFeedCannotDeadlock fills every turn with an upload whose body is a download of the same Client.
func TestUploadsThatReadsFeedCannotDeadlock(t *testing.T) {
	const uploads = 16
	var arrived sync.WaitGroup
	arrived.Add(uploads)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			_, _ = io.WriteString(w, "content")
			return
		}
		arrived.Done()
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != "content" {
			t.Errorf("%q, %v", b, err)
		}
	}))
	defer s.Close()
	c := newRuleClient(t, Config{MaxRequests: uploads}, Rule{Origin: s.URL})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	feed := func(ctx context.Context) (io.ReadCloser, error) {
		resp, err := c.Do(Feeding(ctx), &Request{Method: "GET", URL: s.URL})
		if err != nil {
			return nil, err
		}
		return resp.Body, nil
	}
	var wg sync.WaitGroup
	for range uploads {
		wg.Go(func() {
			r := &Request{Method: "PUT", URL: s.URL, Size: -1, Open: func(ctx context.Context) (io.ReadCloser, error) {
				return &lazy{open: func() (io.ReadCloser, error) {
					arrived.Wait() // until all of them have a turn
					return feed(ctx)
				}}, nil
			}}
			if got, err := status(ctx, c, r); err != nil || got != 200 {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
	wg.Wait()
	if n := cap(c.turns.reserve); n != uploads/8 || len(c.turns.all)+len(c.turns.reserve) != 0 {
		t.Errorf("a reserve of %d, %d and %d turns are out", n, len(c.turns.all), len(c.turns.reserve))
	}
}

// lazy opens when it is first read.
type lazy struct {
	open func() (io.ReadCloser, error)
	r    io.ReadCloser
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.r == nil {
		var err error
		if l.r, err = l.open(); err != nil {
			return 0, err
		}
	}
	return l.r.Read(p)
}

func (l *lazy) Close() error {
	if l.r == nil {
		return nil
	}
	return l.r.Close()
}

func TestTheReserveIsOneAtLeast(t *testing.T) {
	for n, want := range map[int]int{1: 1, 7: 1, 8: 1, 16: 2, 512: 64} {
		if got := newTurns(n); cap(got.all) != n || cap(got.reserve) != want {
			t.Errorf("%d requests: %d and %d more, want %d", n, cap(got.all), cap(got.reserve), want)
		}
	}
	var none turns
	if turn, err := none.take(t.Context()); turn != nil || err != nil {
		t.Errorf("without a limit: %v, %v", turn, err)
	}
}

func TestAResponseHasAMost(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &n)
		if r.URL.RawQuery == "chunked" {
			_ = http.NewResponseController(w).Flush()
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(n))
		}
		if r.Method != "HEAD" {
			_, _ = w.Write(make([]byte, n))
		}
	}))
	defer s.Close()
	c := newRuleClient(t, Config{MaxResponse: 1000}, Rule{Origin: s.URL})
	for _, r := range []struct {
		method, path string
		read         int
		err          string
	}{
		{"GET", "/1000", 1000, ""}, {"GET", "/1000?chunked", 1000, ""}, {"HEAD", "/5000", 0, ""},
		{"GET", "/1001", 0, "answers with 1001 bytes, more than the 1000 of the limit on a response"},
		{"GET", "/1001?chunked", 1000, "answers with more than the 1000 bytes of the limit on a response"},
		{"GET", "/100000?chunked", 1000, "more than the 1000 bytes"},
	} {
		resp, err := c.Do(t.Context(), &Request{Method: r.method, URL: s.URL + r.path})
		n := 0
		if err == nil {
			var b []byte
			b, err = io.ReadAll(resp.Body)
			n = len(b)
			if err != nil {
				if again, err2 := resp.Body.Read(make([]byte, 10)); again != 0 || err2 != err {
					t.Errorf("%s: then %d, %v", r.path, again, err2)
				}
			}
			if cerr := resp.Body.Close(); cerr != nil {
				t.Error(cerr)
			}
		}
		if n != r.read || (r.err == "") != (err == nil) || err != nil && (storagedriver.KindOf(err) != limited || !strings.Contains(err.Error(), r.err)) {
			t.Errorf("%s %s: %d bytes, %v", r.method, r.path, n, err)
		}
	}
}

func TestResponseHeadersHaveAMost(t *testing.T) {
	for _, c := range []struct {
		name, headers string
		kind          storagedriver.Kind
		err           string
	}{
		{"200 headers", many(200, "X-%d: v\r\n"), passes, ""},
		{"300 headers", many(300, "X-%d: v\r\n"), limited, "answers with 301 headers, more than 256"},
		{"300 of one name", many(300, "X: %d\r\n"), limited, "answers with 301 headers, more than 256"},
		{"a long one", "X: " + strings.Repeat("x", 300<<10) + "\r\n", offline, "exceeded"},
	} {
		w := newWorld(t, "8.8.4.4")
		w.answer = func(*http.Request) string { return "HTTP/1.1 200 OK\r\n" + c.headers + "Content-Length: 0\r\n\r\n" }
		_, err := status(t.Context(), w.client(Rule{Origin: "http://a.example"}), &Request{Method: "GET", URL: "http://a.example/"})
		if c.kind == passes && err != nil || c.kind != passes && (storagedriver.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestDecisionsOnHeaders(t *testing.T) {
	for _, c := range []struct {
		name, value string
		kind        storagedriver.Kind
		err         string
	}{
		{"Accept", "*/*", passes, ""}, {"X-Tab", "a\tb", passes, ""}, {"X-Empty", "", passes, ""}, {"X-Umlaut", "\u00e4", passes, ""}, {"Authorization", "Basic x", passes, ""}, {"Cookie", "a=b", passes, ""},
		{"Host", "b", denied, "the header Host is the host's to set"}, {"hOST", "b", denied, "the header Host is"}, {"Content-Length", "1", denied, "the header Content-Length is"},
		{"Transfer-Encoding", "chunked", denied, "the header Transfer-Encoding is"}, {"Connection", "close", denied, "the header Connection is"}, {"Keep-Alive", "1", denied, "the header Keep-Alive is"},
		{"TE", "trailers", denied, "the header Te is"}, {"Trailer", "x", denied, "the header Trailer is"}, {"Upgrade", "h2c", denied, "the header Upgrade is"}, {"HTTP2-Settings", "x", denied, "the header Http2-Settings is"},
		{"Proxy-Authorization", "x", denied, "the header Proxy-Authorization is"}, {"Proxy-Connection", "x", denied, "the header Proxy-Connection is"}, {"proxy-anything", "x", denied, "the header Proxy-Anything is"},
		{"Accept-Encoding", "gzip", denied, "the header Accept-Encoding is"},
		{"X", "a\r\nHost: b", invalid, `the header "X" has bytes`}, {"X", "a\nb", invalid, `the header "X" has bytes`}, {"X", "a\rb", invalid, `the header "X" has bytes`}, {"X", "a\x00b", invalid, `the header "X" has bytes`}, {"X", "a\x7fb", invalid, `the header "X" has bytes`},
		{"X\r\nHost", "b", invalid, `the header "X\r\nHost" has bytes`}, {"X Y", "b", invalid, `the header "X Y" has bytes`}, {"X:", "b", invalid, `the header "X:" has bytes`}, {"", "b", invalid, `the header "" has bytes`},
		{"Host ", "b", invalid, `the header "Host " has bytes`}, {"\u00e4", "b", invalid, "has bytes that a header cannot have"}, {"X", strings.Repeat("x", 16<<10), limited, "bytes of request headers, more than 16384"},
	} {
		w := newWorld(t, "8.8.4.4")
		_, err := status(t.Context(), w.client(Rule{Origin: "http://a.example"}), &Request{Method: "GET", URL: "http://a.example/", Headers: []string{c.name, c.value}})
		want := map[bool]string{true: "8.8.4.4:80", false: ""}[c.kind == passes]
		decision{url: c.name + ": " + c.value[:min(len(c.value), 20)], dialled: want, kind: c.kind, err: c.err}.check(t, w, err)
	}
}

func TestTheTotalIsBounded(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow": // some progress all the time
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("x"))
				_ = http.NewResponseController(w).Flush()
				wait := time.NewTimer(5 * time.Millisecond)
				<-wait.C
			}
		case "/hop":
			http.Redirect(w, r, "/stuck", http.StatusFound)
		case "/stuck":
			<-release
		}
	}))
	defer s.Close()
	defer close(release)
	c := newRuleClient(t, Config{TotalTimeout: 150 * time.Millisecond}, Rule{Origin: s.URL, Redirects: 1})
	for _, path := range []string{"/slow", "/stuck", "/hop"} {
		_, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL + path})
		if storagedriver.KindOf(err) != storagedriver.KindDeadline || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), "the request to "+s.URL+" took longer than 150ms in all") {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL + "/"}); got != 200 || err != nil {
		t.Errorf("in time: %d, %v", got, err)
	}
}

// slowResolver never answers.
type slowResolver struct{}

func (slowResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestConnectingHasItsOwnLimits has limits that each would end what the others allow.
func TestConnectingHasItsOwnLimits(t *testing.T) {
	ca := newAuthority(t)
	hang := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	mute := func(context.Context, string, string) (net.Conn, error) { // takes all and says nothing
		ours, theirs := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		return ours, nil
	}
	const short, long = 40 * time.Millisecond, time.Minute
	for _, c := range []struct {
		name, origin string
		dial         DialFunc
		connect      time.Duration
		first        time.Duration
		err          string
	}{
		{"connecting", "http://192.0.2.1", hang, short, long, "cannot reach http://192.0.2.1:80: connecting to 192.0.2.1:80 took longer than 40ms"},
		{"connecting longer than the wait for a response", "http://192.0.2.1", hang, 5 * short, short, "connecting to 192.0.2.1:80 took longer than 200ms"},
		{"looking up", "http://a.example", hang, short, long, "cannot reach http://a.example:80: looking up a.example took longer than 40ms"},
		{"the handshake", "https://192.0.2.1", mute, short, long, "cannot reach https://192.0.2.1:443: the TLS handshake took longer than 40ms"},
		{"the handshake longer than the wait for a response", "https://192.0.2.1", mute, 5 * short, short, "the TLS handshake took longer than 200ms"},
		{"the response", "http://192.0.2.1", mute, long, short, "http://192.0.2.1:80 made no progress for 40ms"},
	} {
		r := Rule{Origin: c.origin}
		if strings.HasPrefix(c.origin, "https") {
			r.TLS.CAFile = ca.file
		}
		client := newRuleClient(t, Config{DialContext: c.dial, Resolver: slowResolver{}, ConnectTimeout: c.connect, FirstByteTimeout: c.first}, r)
		_, err := status(t.Context(), client, &Request{Method: "GET", URL: c.origin})
		if storagedriver.KindOf(err) != offline || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTheNextAddressIsTried(t *testing.T) {
	w := newWorld(t, "8.8.4.4,2600::1,9.9.9.9")
	w.down["8.8.4.4:80"], w.down["[2600::1]:80"] = true, true
	c := w.client(Rule{Origin: "http://a.example"})
	if got, err := status(t.Context(), c, &Request{Method: "GET", URL: "http://a.example/"}); got != 200 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if got := strings.Join(w.dialled, " "); got != "8.8.4.4:80 [2600::1]:80 9.9.9.9:80" || len(w.asked) != 1 {
		t.Errorf("dialled %s, asked %v", got, w.asked)
	}
	w = newWorld(t, "8.8.4.1,8.8.4.2,8.8.4.3,8.8.4.4,8.8.4.5")
	for i := range 6 {
		w.down[fmt.Sprintf("8.8.4.%d:80", i)] = true
	}
	_, err := status(t.Context(), w.client(Rule{Origin: "http://a.example"}), &Request{Method: "GET", URL: "http://a.example/"})
	if storagedriver.KindOf(err) != offline || !strings.Contains(err.Error(), "none of 4 addresses answers, the last one: 8.8.4.4:80 is down") {
		t.Errorf("%v", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for what, answer := range map[string][]netip.Addr{
		"the name a.example has no addresses":                                          {},
		"leads to invalid IP, no address: have its name servers answer with addresses": {{}},
	} {
		w := newWorld(t, "")
		w.answers["a.example"] = answer
		_, err := status(t.Context(), w.client(Rule{Origin: "http://a.example"}), &Request{Method: "GET", URL: "http://a.example/"})
		if err == nil || !strings.Contains(err.Error(), what) || len(w.dialled) != 0 {
			t.Errorf("%v: %v, dialled %v", answer, err, w.dialled)
		}
	}
}
