package runtime_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/internal/secretwatch"
)

// report fails the test when something was found, or nothing looked at.
func report(t *testing.T, w *secretwatch.Watch) {
	t.Helper()
	found, looks := w.Found()
	for _, f := range found {
		t.Error(f)
	}
	if looks == 0 {
		t.Error("nothing was looked at")
	}
}

// revealing is an origin that shows what it was asked with.
type revealing struct {
	*httptest.Server
	mu     sync.Mutex
	days   map[string]bool // of signatures that came
	copied []byte          // what was put to /copied
	puts   []string        // bodies that were put, and how they were hashed
}

func newRevealing(t *testing.T) *revealing {
	s := &revealing{days: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *revealing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var echo strings.Builder
	fmt.Fprintf(&echo, "%s %s\n", r.Method, r.URL)
	for _, name := range slices.Sorted(headerNames(r.Header)) {
		fmt.Fprintf(&echo, "%s: %s\n", name, strings.Join(r.Header[name], ","))
	}
	s.mu.Lock()
	if day := r.Header.Get("X-Amz-Date"); len(day) > 8 {
		s.days[day[:8]] = true
	}
	s.mu.Unlock()
	switch r.URL.Path {
	case "/echo/body":
		s.answer(w, echo.String())
	case "/echo/late":
		s.answer(w, strings.Repeat("content ", 30_000)+echo.String())
	case "/echo/base64":
		s.answer(w, base64.StdEncoding.EncodeToString([]byte(echo.String())))
	case "/echo/headers":
		for name, values := range r.Header {
			w.Header()["X-Echo-"+name] = values
		}
		s.answer(w, "see above")
	case "/refused":
		s.refuse(w, r)
	case "/copied":
		b, err := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.copied = append(s.copied, b...)
		if err == nil {
			s.copied = append(s.copied, "(whole)"...)
		}
	default:
		b, err := io.ReadAll(r.Body)
		if err == nil && r.Method == http.MethodPut {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.puts = append(s.puts, string(b)+" "+r.Header.Get("X-Amz-Content-Sha256"))
		}
		s.answer(w, "plain")
	}
}

func headerNames(h http.Header) func(func(string) bool) {
	return func(yield func(string) bool) {
		for name := range h {
			if !yield(name) {
				return
			}
		}
	}
}

func (*revealing) answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	_, _ = io.WriteString(w, text)
}

// refuse answers as S3 does when a signature does not match: with all that was signed.
func (s *revealing) refuse(w http.ResponseWriter, r *http.Request) {
	auth := r.Header.Get("Authorization")
	part := func(name string) string {
		_, rest, _ := strings.Cut(auth, name+"=")
		value, _, _ := strings.Cut(rest, ",")
		return value
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	for _, name := range strings.Split(part("SignedHeaders"), ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, value)
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", part("SignedHeaders"), r.Header.Get("X-Amz-Content-Sha256"))
	id, scope, _ := strings.Cut(part("Credential"), "/")
	toSign := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", r.Header.Get("X-Amz-Date"), scope, sha256.Sum256([]byte(canonical.String())))
	s.answer(w, fmt.Sprintf("<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>%s</AWSAccessKeyId><StringToSign>%s</StringToSign><SignatureProvided>%s</SignatureProvided><StringToSignBytes>% x</StringToSignBytes><CanonicalRequest>%s</CanonicalRequest><Sent>%s</Sent></Error>",
		id, toSign, part("Signature"), toSign, canonical.String(), auth))
}

const (
	secretToken = "tok/4711+abcdefghijklmnop"
	secretKey   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	hmacKey     = "a key that is only for HMAC"
	region      = "eu-central-1"
)

func mac(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(data))
	return string(h.Sum(nil))
}

// addDerived has all looked for that SigV4 makes of the key on the way to a signature.
func addDerived(w *secretwatch.Watch, day string) {
	key := mac("AWS4"+secretKey, day)
	w.Add("the date key", key)
	for _, step := range []string{region, "s3", "aws4_request"} {
		key = mac(key, step)
		w.Add("the key of "+step, key)
	}
}

// scheme is how requests of a test are signed.
type scheme struct {
	credential string // as guests name it
	signer     sign.Signer
	shown      bool // by an echo
}

func schemes(t *testing.T) map[string]scheme {
	t.Helper()
	good := func(s sign.Signer, err error) sign.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return map[string]scheme{
		"bearer": {"main", good(sign.NewBearer(factory.NewSecret(secretToken))), true},
		"basic":  {"main", good(sign.NewBasic("someone", factory.NewSecret(secretToken))), true},
		"header": {"main", good(sign.NewHeader("X-Api-Key", factory.NewSecret(secretToken))), true},
		"sigv4":  {"main", good(sigv4.New(t.Context(), sigv4.Config{AccessKey: "AKIDEXAMPLE", SecretKey: factory.NewSecret(secretKey), Region: region, Service: "s3"}, nil)), false},
		"keyed":  {"keyed", nil, true},
	}
}

// revealingDriver opens the guest on s with a scheme and what watches it.
func revealingDriver(t *testing.T, s *revealing, how scheme, others ...egress.Rule) (storagedriver.Backend, *secretwatch.Watch) {
	t.Helper()
	w := secretwatch.New(map[string]string{"the token": secretToken, "the key": secretKey, "the pair": "someone:" + secretToken, "the HMAC key": hmacKey,
		"the first HMAC": mac(hmacKey, "20231114"), "the second HMAC": mac(mac(hmacKey, "20231114"), "a string to sign")})
	for _, at := range []time.Time{time.Now(), time.Now().Add(time.Minute)} {
		addDerived(w, at.UTC().Format("20060102"))
	}
	m := load(t, runtime.Config{
		Allow:   append(others, egress.Rule{Origin: s.URL, Credential: egress.Credential{Name: map[bool]string{true: "main"}[how.signer != nil], Signer: how.signer}}),
		Secrets: map[string]runtime.Secret{"key": {Value: hmacKey, Origins: []string{s.URL}}, "readable": {Value: "all may read this", Readable: true}},
		Logger:  slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	m.OnReturn(w.Memory)
	tags := []any{}
	for _, o := range others {
		tags = append(tags, o.Origin)
	}
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL, "tags": tags})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, w
}

// TestNoSecretComesBack asks origins that show what they are sent, by each scheme, and has the guest pass the answers on in
// each way that there is.
func TestNoSecretComesBack(t *testing.T) {
	for name, how := range schemes(t) {
		t.Run(name, func(t *testing.T) {
			s := newRevealing(t)
			d, w := revealingDriver(t, s, how)
			for _, place := range []string{"echo/body", "echo/late", "echo/base64", "echo/headers", "refused"} {
				for _, way := range []string{"body", "inline", "read", "all", "headers", "splice", "send", "finish", "logged"} {
					shown := how.shown && !(place == "refused" && name == "header") // that shows Authorization
					if shown && (way == "headers" || way == "logged") && place != "echo/headers" {
						continue // the headers are clean
					}
					comesBack(t, d, w, how.credential, place, way, shown)
				}
			}
			s.mu.Lock()
			w.Look("what was copied", s.copied)
			want := map[string]int{"header": 2, "sigv4": 10}[name]
			if got := strings.Count(string(s.copied), "(whole)"); got != want {
				t.Errorf("%d responses were copied whole, not %d", got, want)
			}
			if len(s.days) == 0 && name == "sigv4" {
				t.Error("no signature came")
			}
			s.mu.Unlock()
			report(t, w)
		})
	}
}

func comesBack(t *testing.T, d storagedriver.Backend, w *secretwatch.Watch, credential, place, way string, shown bool) {
	t.Helper()
	r, _, err := d.Read(t.Context(), "/signing/"+way+"/"+credential+"/"+place, 0, -1)
	var got []byte
	if err == nil {
		got, err = io.ReadAll(r)
		w.Error(r.Close())
	}
	w.Error(err)
	w.Look("what a reader was given", got)
	where := place + " by " + way
	switch {
	case shown:
		if storagedriver.KindOf(err) != storagedriver.KindDenied {
			t.Errorf("%s: %v after %d bytes, %.100q", where, err, len(got), got)
		}
		if strings.Contains(string(got), "GET /") {
			t.Errorf("%s: the piece with the secret came", where)
		}
	case way == "logged":
		if storagedriver.KindOf(err) != storagedriver.KindConflict {
			t.Errorf("%s: %v", where, err)
		}
	case err != nil:
		t.Errorf("%s: %v", where, err)
	case way != "splice" && way != "send" && len(got) == 0:
		t.Errorf("%s: nothing came", where)
	}
}

// TestTheWatchFindsPlantedSecrets has the same guest keep, log and tell what the watch is made to look for.
func TestTheWatchFindsPlantedSecrets(t *testing.T) {
	s := newRevealing(t)
	d, w := revealingDriver(t, s, scheme{})
	w.Add("a planted one", "content content content ")
	r, _, err := d.Read(t.Context(), "/signing/read/-/echo/late", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if cerr := r.Close(); err != nil || cerr != nil {
		t.Error(err, cerr)
	}
	w.Look("what a reader was given", b)
	w.Add("a planted header", "X-Echo-User-Agent Berth"[:17])
	w.Add("another", "x-echo-user-agent")
	_, _, err = d.Read(t.Context(), "/signing/logged/-/echo/headers", 0, -1)
	w.Error(err)
	found, _ := w.Found()
	for _, want := range []string{"linear memory holds a planted one as raw", "what a reader was given holds a planted one as raw", "the log holds another as raw", "an error holds another as raw"} {
		if !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, want) }) {
			t.Errorf("%q is not among %q", want, found)
		}
	}
}

// TestBodiesAreHashed puts content with a credential that signs it.
func TestBodiesAreHashed(t *testing.T) {
	s := newRevealing(t)
	d, w := revealingDriver(t, s, schemes(t)["sigv4"])
	if err := d.Put(t.Context(), "/signing/put/main/a", storagedriver.BytesSource([]byte("content"))); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("content %x", sha256.Sum256([]byte("content"))); len(s.puts) != 1 || s.puts[0] != want {
		t.Errorf("%q came, want %q", s.puts, want)
	}
	err := d.Put(t.Context(), "/signing/sink/main/a", storagedriver.BytesSource([]byte("content")))
	w.Error(err)
	wantKind(t, err, storagedriver.KindDenied, "https") // it is read but once, and the origin is one of http
	report(t, w)
}

func TestPresignedURLsOfGuests(t *testing.T) {
	s := newRevealing(t)
	for name, how := range schemes(t) {
		d, w := revealingDriver(t, s, how)
		got, err := d.Redirect(t.Context(), "/signing/presign/main/a/b", storagedriver.RedirectOptions{})
		w.Error(err)
		w.Look("a URL", []byte(got))
		switch name {
		case "sigv4":
			u, perr := url.Parse(got)
			if err != nil || perr != nil || "http://"+u.Host != s.URL || u.Path != "/a/b" || u.Query().Get("X-Amz-Expires") != "60" || u.Query().Get("X-Amz-Signature") == "" {
				t.Errorf("%q, %v", got, err)
			}
		case "keyed":
			wantKind(t, err, storagedriver.KindDenied, `"main"`, s.URL)
		default:
			wantKind(t, err, storagedriver.KindUnsupported)
		}
		report(t, w)
	}
}

// TestMisusedCredentials has the guest do with credentials and keys what it may not.
func TestMisusedCredentials(t *testing.T) {
	s, other := newRevealing(t), newRevealing(t)
	d, w := revealingDriver(t, s, schemes(t)["sigv4"], egress.Origins(other.URL)...)
	for name, want := range map[string]struct {
		kind  storagedriver.Kind
		parts []string
	}{
		"algorithm": {storagedriver.KindInvalidArgument, []string{`"md5"`, "sha256"}}, "no key": {storagedriver.KindInvalidArgument, []string{"a key or the name of a secret"}},
		"both": {storagedriver.KindInvalidArgument, []string{"one of them"}}, "forged": {storagedriver.KindInvalidArgument, []string{"not open in this call"}},
		"unknown": {storagedriver.KindDenied, []string{`"nothing"`, `"secrets"`}}, "readable": {storagedriver.KindDenied, []string{`"readable"`, "origins"}},
		"seconds": {storagedriver.KindInvalidArgument, []string{"0 seconds"}}, "many seconds": {storagedriver.KindInvalidArgument, []string{"604801"}},
		"presign elsewhere": {storagedriver.KindDenied, []string{"http://169.254.169.254:80"}}, "presign a header": {storagedriver.KindDenied, []string{"Host"}},
		"read a key": {storagedriver.KindInvalidArgument, nil}, "send a key": {storagedriver.KindInvalidArgument, []string{"is a key"}},
		"no mark": {storagedriver.KindInvalidArgument, []string{"{key}", `"x-sig"`}}, "two marks": {storagedriver.KindInvalidArgument, []string{"{key}"}},
		"encoding": {storagedriver.KindInvalidArgument, []string{`"raw"`, "base64url"}}, "another handle": {storagedriver.KindInvalidArgument, []string{"a body, not a key"}},
		"another origin": {storagedriver.KindDenied, []string{other.URL, `"secrets"`}}, "host": {storagedriver.KindDenied, []string{"Host"}}, "line": {storagedriver.KindInvalidArgument, []string{`"X-Sig"`}},
		"digest": {storagedriver.KindInvalidArgument, []string{"5 bytes"}}, "authorization": {storagedriver.KindDenied, []string{"Authorization", `"main"`}},
	} {
		_, err := d.Stat(t.Context(), "/misuse/"+strings.ReplaceAll(name, " ", "-"))
		w.Error(err)
		t.Run(name, func(t *testing.T) { wantKind(t, err, want.kind, want.parts...) })
	}
	_, _, err := d.Read(t.Context(), "/signing/body/other/a", 0, -1)
	wantKind(t, err, storagedriver.KindDenied, `"other"`, s.URL, `"allow"`)
	report(t, w)
}

// TestSecretsOfTheOperatorAreHidden has the guest say what it happens to know.
func TestSecretsOfTheOperatorAreHidden(t *testing.T) {
	s := newRevealing(t)
	var log bytes.Buffer
	bearer, err := sign.NewBearer(factory.NewSecret("x-echo-user-agent"))
	if err != nil {
		t.Fatal(err)
	}
	m := load(t, runtime.Config{
		Allow:   append(egress.Origins(s.URL), egress.Rule{Origin: "http://elsewhere", Credential: egress.Credential{Name: "main", Signer: bearer}}),
		Secrets: map[string]runtime.Secret{"known": {Value: "content-length", Readable: true}},
		Logger:  slog.New(slog.NewTextHandler(&log, nil)),
	})
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, _, err = d.Read(t.Context(), "/signing/logged/-/echo/headers", 0, -1)
	for what, text := range map[string]string{"the error": err.Error(), "the log": log.String()} {
		if strings.Contains(text, "x-echo-user-agent") || strings.Contains(text, "content-length") || strings.Count(text, "(secret)") != 2 {
			t.Errorf("%s says %s", what, text)
		}
	}
}

func TestSecretsAreChecked(t *testing.T) {
	wasm, err := exercise()
	if err != nil {
		t.Fatal(err)
	}
	for text, secret := range map[string]runtime.Secret{`the origin "store"`: {Value: "v-4711", Origins: []string{"store"}}, "is empty": {Origins: []string{"http://store"}}} {
		_, err := runtime.Compile(context.Background(), "exercise.wasm", wasm, runtime.Config{Secrets: map[string]runtime.Secret{"key": secret}})
		wantKind(t, err, storagedriver.KindInvalidArgument, `"key"`, text)
		if strings.Contains(err.Error(), "4711") {
			t.Errorf("%v tells the value", err)
		}
	}
}
