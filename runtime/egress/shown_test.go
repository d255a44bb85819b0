package egress

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

const token = "tok-4711/abcdefgh+ijklmnop"

// signers are the schemes that send something as it is.
func signers(t *testing.T) map[string]sign.Signer {
	t.Helper()
	bearer, err := sign.NewBearer(factory.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	basic, err := sign.NewBasic("someone", factory.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	key, err := sign.NewHeader("X-Api-Key", factory.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]sign.Signer{"bearer": bearer, "basic": basic, "header": key}
}

func clientOf(t *testing.T, rules ...Rule) *Client {
	t.Helper()
	policy, err := NewPolicy(rules)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(Config{Policy: policy, ConnectTimeout: time.Minute, FirstByteTimeout: time.Minute, IdleTimeout: time.Minute, MaxIdleConns: 2})
	t.Cleanup(c.Close)
	return c
}

// sentAs is how the server was told the secret.
func sentAs(r *http.Request) string { return r.Header.Get("Authorization") + r.Header.Get("X-Api-Key") }

// showing are servers that show what they were sent, each in its own place.
func showing() map[string]http.HandlerFunc {
	long := strings.Repeat("content ", 40_000)
	return map[string]http.HandlerFunc{
		"body":             func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, sentAs(r)) },
		"end of a body":    func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, long+sentAs(r)) },
		"middle of a body": func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, long+sentAs(r)+long) },
		"pieces": func(w http.ResponseWriter, r *http.Request) {
			for _, b := range []byte(long[:100] + sentAs(r)) {
				_, _ = w.Write([]byte{b})
				_ = http.NewResponseController(w).Flush()
			}
		},
		"base64": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, base64.StdEncoding.EncodeToString([]byte("z"+sentAs(r))))
		},
		"error page": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, fmt.Sprintf("%q", r.Header), http.StatusForbidden)
		},
		"header": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Echo", sentAs(r)) },
		"name of a header": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-"+strings.NewReplacer("/", "%2f", "=", "%3D", " ", "-").Replace(sentAs(r)), "1")
		},
		"location": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/?was="+strings.ReplaceAll(sentAs(r), " ", "%20"), http.StatusFound)
		},
		"status line":     raw(func(sent string) string { return "HTTP/1.1 200 " + sent + "\r\nContent-Length: 0\r\n\r\n" }),
		"bad status line": raw(func(sent string) string { return "HTTP/9 " + sent + "\r\n\r\n" }),
		"bad header":      raw(func(sent string) string { return "HTTP/1.1 200 OK\r\n" + sent + "\r\n\r\n" }),
		"bad length":      raw(func(sent string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + sent + "\r\n\r\n" }),
		"bad encoding":    raw(func(sent string) string { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + sent + "\r\n\r\n" }),
		"bad trailer":     raw(func(sent string) string { return chunked + sent + "\r\n\r\n" }),
		"bad chunk":       raw(func(sent string) string { return chunked[:len(chunked)-3] + sent + "\r\n\r\n" }),
		"trailer":         raw(func(sent string) string { return chunked + "X-Echo: " + sent + "\r\n\r\n" }),
		"early hint": raw(func(sent string) string {
			return "HTTP/1.1 103 x\r\nLink: " + sent + "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		}),
		"after the last byte": raw(func(sent string) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx" + sent
		}),
	}
}

// TestNothingThatWasSentComesBack has servers that show what they were sent, each in its own place.
func TestNothingThatWasSentComesBack(t *testing.T) {
	for name, answer := range showing() {
		unseen := map[string]bool{"status line": true, "trailer": true, "early hint": true, "after the last byte": true} // nobody is given these
		for scheme, signer := range signers(t) {
			t.Run(name+" "+scheme, func(t *testing.T) {
				s := httptest.NewServer(answer)
				defer s.Close()
				c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: signer}})
				var got []byte
				resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL, Credential: "main"})
				if err == nil {
					got, err = io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					got = append(got, fmt.Sprint(resp.Header)...)
				}
				text := string(got) + fmt.Sprint(err)
				for _, secret := range []string{token, base64.StdEncoding.EncodeToString([]byte("someone:" + token)), base64.StdEncoding.EncodeToString([]byte("zBearer " + token))[11:20], token[:12]} {
					if strings.Contains(text, secret) {
						t.Fatalf("%q came: %.300q", secret, text)
					}
				}
				if unseen[name] && err == nil {
					return
				}
				if (name == "bad chunk" || name == "bad status line" && scheme != "header") && storagedriver.KindOf(err) == storagedriver.KindUnavailable {
					return // net/http quotes none of it, or what is before the space
				}
				if storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), `shows the credential "main"`) || !strings.Contains(err.Error(), s.URL) || storagedriver.IsTemporary(err) {
					t.Errorf("%v after %d bytes", err, len(got))
				}
			})
		}
	}
}

const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"

// raw answers with the bytes that answer makes.
func raw(answer func(sent string) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = buf.WriteString(answer(sentAs(r)))
		_ = buf.Flush()
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
			_, _ = io.Copy(io.Discard, bufio.NewReader(conn))
		}
	}
}

// TestALaterResponseIsGuarded asks a server, without the credential, for what it was sent with it.
func TestALaterResponseIsGuarded(t *testing.T) {
	var seen atomic.Value
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent := sentAs(r); sent != "" {
			seen.Store(sent)
			return
		}
		_, _ = io.WriteString(w, seen.Load().(string))
	}))
	defer s.Close()
	c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: signers(t)["bearer"]}})
	if resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL, Credential: "main"}); err != nil {
		t.Fatal(err)
	} else if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); storagedriver.KindOf(err) != storagedriver.KindDenied || len(b) > 0 {
		t.Errorf("%q, %v", b, err)
	}
}

// TestSharedHeadersStayAsTheyWere signs two requests of one form.
func TestSharedHeadersStayAsTheyWere(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Signed", fmt.Sprint(sentAs(r) != "", r.Header.Get("X-Keyed") != ""))
	}))
	defer s.Close()
	c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: signers(t)["bearer"]}})
	r := Request{Method: "GET", URL: s.URL, Headers: []string{"x-a", "1"}}
	for _, how := range []struct {
		credential string
		keyed      []Keyed
		want       string
	}{{"main", nil, "true false"}, {"", []Keyed{{Name: "x-keyed", Value: "v", Secret: []byte("derived-key")}}, "false true"}, {"", nil, "false false"}} {
		r.Credential, r.Keyed = how.credential, how.keyed
		resp, err := c.Do(t.Context(), &r)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.Header.Get("X-Signed"); got != how.want {
			t.Errorf("%q: %s, want %s", how.credential, got, how.want)
		}
		_ = resp.Body.Close()
	}
	if len(r.Checked.header) != 2 {
		t.Errorf("the shared header became %v", r.Checked.header)
	}
}

func TestPresignedURLs(t *testing.T) {
	s := &signer{}
	c := clientOf(t, Rule{Origin: "https://store", Credential: Credential{Name: "main", Signer: s}}, Rule{Origin: "https://other"})
	ask := func(r Request) (string, error) {
		r.Method = "GET"
		return c.Presign(t.Context(), &r, time.Minute)
	}
	if got, err := ask(Request{URL: "https://STORE:443/a%20b?c=d", Credential: "main"}); err != nil || got != "https://store/a%20b?c=d&sig=1m0s" {
		t.Errorf("%q, %v", got, err)
	}
	for name, c := range map[string]struct {
		r      Request
		before func(*http.Request)
		err    error
		kind   storagedriver.Kind
		part   string
	}{
		"no credential":   {Request{URL: "https://store/"}, nil, nil, storagedriver.KindInvalidArgument, "names no credential"},
		"another":         {Request{URL: "https://store/", Credential: "x"}, nil, nil, storagedriver.KindDenied, `"x" is not bound to the origin https://store:443`},
		"none bound":      {Request{URL: "https://other/", Credential: "main"}, nil, nil, storagedriver.KindDenied, `"main" is not bound to the origin https://other:443`},
		"not allowed":     {Request{URL: "https://elsewhere/", Credential: "main"}, nil, nil, storagedriver.KindDenied, "https://elsewhere:443"},
		"owned header":    {Request{URL: "https://store/", Credential: "main", Headers: []string{"authorization", "x"}}, nil, nil, storagedriver.KindDenied, "Authorization"},
		"owned parameter": {Request{URL: "https://store/?sig=1", Credential: "main"}, nil, nil, storagedriver.KindDenied, `"sig"`},
		"bad header":      {Request{URL: "https://store/", Credential: "main", Headers: []string{"host", "x"}}, nil, nil, storagedriver.KindDenied, "Host"},
		"turned away":     {Request{URL: "https://store/", Credential: "main"}, func(r *http.Request) { r.URL.Host = "other" }, nil, storagedriver.KindDenied, "https://other:443"},
		"led astray":      {Request{URL: "https://store/", Credential: "main"}, func(r *http.Request) { r.URL.Host = "elsewhere" }, nil, storagedriver.KindDenied, "https://elsewhere:443"},
		"no such URLs":    {Request{URL: "https://store/", Credential: "main"}, nil, storagedriver.NewError(storagedriver.KindUnsupported, "no URLs"), storagedriver.KindUnsupported, "no URLs"},
		"telling":         {Request{URL: "https://store/", Credential: "main"}, nil, storagedriver.NewError(storagedriver.KindUnavailable, "the-signing-key is bad"), storagedriver.KindUnavailable, `"main"`},
	} {
		s.before, s.err = c.before, c.err
		got, err := ask(c.r)
		if got != "" || storagedriver.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), "the-signing-key") {
			t.Errorf("%s: %q, %v; want %v", name, got, err, c.kind)
		}
	}
}

// rejecter counts what it is told of refused requests.
type rejecter struct {
	signer
	rejected []string
}

func (r *rejecter) Rejected(req *http.Request) {
	r.rejected = append(r.rejected, req.Header.Get("Authorization"))
}

func TestARefusedRequestIsTold(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }))
	defer s.Close()
	r := &rejecter{signer: signer{token: "token-4711"}}
	c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: r}})
	for _, credential := range []string{"main", ""} {
		resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL, Credential: credential})
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if strings.Join(r.rejected, ";") != "Test token-4711" {
		t.Errorf("it was told of %q", r.rejected)
	}
}

// renewing has no token until the first request is signed, and another one with each.
type renewing struct {
	rejecter
	mu  sync.Mutex
	all []string
}

func (r *renewing) Sign(_ context.Context, req *http.Request, _ sign.Payload) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, fmt.Sprintf("token-4711-%d", len(r.all)))
	req.Header.Set("Authorization", r.all[len(r.all)-1])
	return nil
}

func (r *renewing) Sent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// TestAResponseUnderWayIsGuarded reads a server's log, which goes on while other requests are made with tokens that there were
// none of when it was asked for.
func TestAResponseUnderWayIsGuarded(t *testing.T) {
	asked, log := make(chan struct{}), make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/log":
			_ = http.NewResponseController(w).Flush()
			asked <- struct{}{}
			_, _ = io.WriteString(w, <-log)
		case "/late":
			asked <- struct{}{}
			w.Header().Set("X-Log", <-log)
		default:
			log <- sentAs(r)
		}
	}))
	defer s.Close()
	for _, keyed := range [][]Keyed{nil, {{Name: "x-keyed", Value: "v", Secret: []byte("derived-key")}}} {
		c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: &renewing{}}})
		for range 2 {
			for _, path := range []string{"/log", "/late"} {
				var b []byte
				done := make(chan error, 1)
				go func() {
					resp, err := c.Do(t.Context(), &Request{Method: "GET", URL: s.URL + path, Keyed: keyed})
					if err == nil {
						b, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
					done <- err
				}()
				<-asked
				if got, err := status(t.Context(), c, &Request{Method: "GET", URL: s.URL, Credential: "main"}); err != nil || got != 200 {
					t.Fatalf("%d, %v", got, err)
				}
				if err := <-done; storagedriver.KindOf(err) != storagedriver.KindDenied || !strings.Contains(err.Error(), `the credential "main"`) || len(b) > 0 {
					t.Errorf("%s: %q, %v", path, b, err)
				}
			}
		}
	}
}

// TestAPieceOfASecretIsNotQuoted has net/http quote what is before the space.
func TestAPieceOfASecretIsNotQuoted(t *testing.T) {
	s := httptest.NewServer(raw(func(sent string) string { return "HTTP/1.1 " + sent + "\r\n\r\n" }))
	defer s.Close()
	key, err := sign.NewHeader("X-Api-Key", factory.NewSecret("open sesame and so on"))
	if err != nil {
		t.Fatal(err)
	}
	c := clientOf(t, Rule{Origin: s.URL, Credential: Credential{Name: "main", Signer: key}})
	_, err = c.Do(t.Context(), &Request{Method: "GET", URL: s.URL, Credential: "main"})
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || !strings.Contains(err.Error(), "malformed HTTP status code (what") || strings.Contains(err.Error(), "open") {
		t.Errorf("%v", err)
	}
}
