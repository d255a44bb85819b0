//go:build servers

package runtime_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/sigv4"
	"github.com/berth-dev/storagedriver/runtime/internal/secretwatch"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// TestNoSecretInAWholeSuiteRun runs the suite on a guest that has its requests signed, against a real service behind one
// that tells in each answer what was sent and what was signed, and looks at the whole memory of each instance as it comes
// back, at the log and at every error.
func TestNoSecretInAWholeSuiteRun(t *testing.T) {
	s := servers.StartS3(t, "versitygw", "BERTH_VERSITYGW")
	signer, err := sigv4.New(t.Context(), sigv4.Config{AccessKey: s.AccessKey, SecretKey: factory.NewSecret(s.SecretKey), Region: servers.Region}, nil)
	if err != nil {
		t.Fatal(err)
	}
	origin, told := telling(t, s.URL)
	put(t, signer, origin+"/registry")

	w := secretwatch.New(map[string]string{"the key": s.SecretKey})
	for _, at := range []time.Time{time.Now(), time.Now().Add(time.Hour)} { // it may become midnight
		key := mac("AWS4"+s.SecretKey, at.UTC().Format("20060102"))
		w.Add("the date key of "+at.UTC().Format("2006-01-02"), key)
		for _, step := range []string{servers.Region, "s3", "aws4_request"} {
			key = mac(key, step)
			w.Add("the key of "+step+" of "+at.UTC().Format("2006-01-02"), key)
		}
	}
	m, err := runtime.Load(t.Context(), guestbuild.Path(t, "s3"), runtime.Config{
		Allow:  []egress.Rule{{Origin: origin, Credential: egress.Credential{Name: "storage", Signer: signer}}},
		Logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	var returned, shown atomic.Int64
	m.OnReturn(func(memory []byte) {
		returned.Add(1)
		if bytes.Contains(memory, []byte("<StringToSign>AWS4-HMAC-SHA256")) {
			shown.Add(1)
		}
		w.Memory(memory)
	})
	trace := func(ctx context.Context, _ layers.Operation) (context.Context, func(layers.Outcome)) {
		return ctx, func(o layers.Outcome) { w.Error(o.Err) }
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		report(t, w)
		t.Logf("looked at %d instances, %d of which had been told what was signed; %d answers told it", returned.Load(), shown.Load(), told.Load())
		if shown.Load() == 0 {
			t.Error("no instance was told what was signed: nothing is proved")
		}
	})
	parameters := map[string]any{"endpoint": origin, "bucket": "registry"}
	loader := func(ctx context.Context, _ string, parameters map[string]any) (storagedriver.StorageDriver, error) {
		b, err := m.Open(ctx, parameters)
		if err != nil {
			return nil, err
		}
		return layers.Complete(b, layers.WithPartSize(5<<20), layers.WithTrace(trace)), nil
	}
	testsuites.RegisterWasmSuite(t, guestbuild.Path(t, "s3"), parameters, loader,
		testsuites.Configure(func(h *testsuites.Harness) {
			h.PartSize, h.Parallel = 5<<20, 4
			h.NewWithBudget = func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
				b, err := m.Open(t.Context(), parameters)
				if err != nil {
					t.Fatalf("open: %v", err)
				}
				return layers.Complete(b, layers.WithPartSize(5<<20), layers.WithTrace(trace), layers.WithBudget(chunked.NewBudget(bytes)))
			}
		}))
}

// put makes a request without a body.
func put(t *testing.T, signer sign.Signer, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Sign(t.Context(), r, noPayload{}); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", resp.Status, said)
	}
}

type noPayload struct{}

func (noPayload) SHA256(context.Context) ([32]byte, bool, error) {
	return sha256.Sum256(nil), true, nil
}
func (noPayload) Size() int64 { return 0 }

// telling returns the origin of a proxy that adds to each answer of the service what was sent and what was signed: to
// its headers, and where the body is XML to that.
func telling(t *testing.T, service string) (origin string, told *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	told = new(atomic.Int64)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays: it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			sent := r.Request.Header
			for name, values := range sent {
				r.Header["X-Echo-"+name] = slices.Clone(values)
			}
			if !strings.Contains(r.Header.Get("Content-Type"), "xml") || r.Request.Method == http.MethodHead {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			if i := bytes.LastIndex(body, []byte("</")); i > 0 {
				told.Add(1)
				body = slices.Concat(body[:i], []byte(toldOf(r.Request)), body[i:])
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL, told
}

// toldOf is what S3 says when a signature does not match, with what was sent as well.
func toldOf(r *http.Request) string {
	auth := r.Header.Get("Authorization")
	_, signed, _ := strings.Cut(auth, "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	for name := range strings.SplitSeq(signed, ";") {
		fmt.Fprintf(&canonical, "%s:%s\n", name, r.Header.Get(name))
	}
	toSign := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%x", r.Header.Get("X-Amz-Date"), sha256.Sum256([]byte(canonical.String())))
	return fmt.Sprintf("<StringToSign>%s</StringToSign><StringToSignBytes>% x</StringToSignBytes><CanonicalRequest>%s</CanonicalRequest><Sent>%s</Sent>",
		toSign, toSign, canonical.String(), auth)
}
