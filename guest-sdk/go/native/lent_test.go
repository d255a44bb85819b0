package native_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

func lent(t *testing.T, c native.Config) (*native.Host, *berth.Call) {
	c.Client = native.NewClient()
	h := c.NewHost(context.Background())
	t.Cleanup(func() { h.Close(); c.Client.CloseIdleConnections() })
	return h, berth.NewCall(h)
}

func wantKind(t *testing.T, err error, kind berth.Kind, part string) {
	t.Helper()
	if err == nil || berth.KindOf(err) != kind || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v, want %v that says %q", err, kind, part)
	}
}

func stream(h *native.Host, s string) *berth.Stream {
	var open, most int
	return h.Source(pieces{s, &open, &most})
}

func TestCredentialsSignWhatIsSent(t *testing.T) {
	var got http.Header
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got, query = r.Header.Clone(), r.URL.RawQuery }))
	defer server.Close()
	_, c := lent(t, native.Config{
		Credential: func(_ context.Context, r *http.Request, name string, sum []byte) error {
			r.Header.Set("Authorization", name+" "+r.URL.Path+" "+hex.EncodeToString(sum))
			return nil
		},
		Presign: func(_ context.Context, r *http.Request, name string, valid time.Duration) (string, error) {
			return r.URL.String() + "?by=" + name + "&for=" + valid.String() + "&as=" + r.Method + r.Header.Get("X-A"), nil
		},
		Secrets: map[string]string{"seed": "key"},
	})
	if _, err := c.HTTP(&berth.Request{Method: "PUT", URL: server.URL + "/a", Data: []byte("x"), Credential: "storage", SHA256: []byte{1, 2}}); err != nil {
		t.Fatal(err)
	}
	if got.Get("Authorization") != "storage /a 0102" {
		t.Errorf("sent %q", got.Get("Authorization"))
	}
	url, err := c.Presign("GET", "http://127.0.0.1:1/a", []string{"X-A", "b"}, "storage", 90*time.Second)
	if err != nil || url != "http://127.0.0.1:1/a?by=storage&for=1m30s&as=GETb" {
		t.Errorf("presigned as %q, %v", url, err)
	}
	_, err = c.Presign("GET", "http://127.0.0.1:1/a", nil, "storage", time.Millisecond)
	wantKind(t, err, berth.KindInvalidArgument, "1 to 604800 seconds, not 0")

	// RFC 4231 and the well-known digest of the quick brown fox.
	first, err := c.HMAC("seed", berth.SHA256, []byte("The quick brown fox jumps over the lazy dog"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.HMAC(c, berth.SHA1, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.HTTP(&berth.Request{Method: "GET", URL: server.URL + "/a?x=1", Keyed: []berth.Keyed{
		{Name: "x-signature", Text: "v1 {key}!", Key: first, Encoding: berth.Hex}, {Name: "?sig", Text: berth.KeyMark, Key: second, Encoding: berth.Base64},
	}}); err != nil {
		t.Fatal(err)
	}
	if want := "v1 f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8!"; got.Get("X-Signature") != want {
		t.Errorf("sent %q, want %q", got.Get("X-Signature"), want)
	}
	if !strings.HasPrefix(query, "x=1&sig=") || !strings.HasSuffix(query, "%3D") {
		t.Errorf("the query is %q", query)
	}
	_, err = c.HTTP(&berth.Request{Method: "GET", URL: server.URL, Keyed: []berth.Keyed{{Name: "a", Text: "no mark", Key: first, Encoding: berth.Hex}}})
	wantKind(t, err, berth.KindInvalidArgument, "{key} once")
	_, err = c.HMAC("seed", "md5", nil)
	wantKind(t, err, berth.KindInvalidArgument, `"md5"`)
}

func TestWhatIsNotLentIsDenied(t *testing.T) {
	_, c := lent(t, native.Config{})
	_, err := c.HTTP(&berth.Request{Method: "GET", URL: "http://127.0.0.1:1/", Credential: "storage"})
	wantKind(t, err, berth.KindDenied, `the credential "storage"`)
	_, err = c.Presign("GET", "http://127.0.0.1:1/", nil, "storage", time.Second)
	wantKind(t, err, berth.KindDenied, `"storage"`)
	_, err = c.HMAC("seed", berth.SHA256, nil)
	wantKind(t, err, berth.KindDenied, `the secret "seed"`)
	_, err = c.Secret("seed")
	wantKind(t, err, berth.KindDenied, `"seed"`)
	_, err = c.Compress(berth.Compression{Alg: berth.Zstd})
	wantKind(t, err, berth.KindUnsupported, "zstd")
	s := c.Store("under")
	_, err = s.Info()
	wantKind(t, err, berth.KindDenied, `the store "under"`)
	_, err = s.Begin("/a")
	wantKind(t, err, berth.KindDenied, `"under"`)
	for _, err := range []error{s.Put("/a", nil), s.Delete("/a"), s.DeleteTree("/a"), s.Move("/a", "/b"), s.AbortUploads("/a")} {
		wantKind(t, err, berth.KindDenied, `"under"`)
	}
}

func TestHashesAreThoseOfTheStreams(t *testing.T) {
	h, c := lent(t, native.Config{})
	want := map[string]string{
		berth.SHA256: "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225", berth.SHA1: "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
		berth.MD5: "25f9e794323b453885f5181f1b624d0b", berth.CRC32C: "e3069283", berth.CRC64: "995dc9bbdf1939fa",
	}
	algs := []string{berth.SHA256, berth.SHA1, berth.MD5, berth.CRC32C, berth.CRC64}
	check := func(digests map[string][]byte, size int64, err error) {
		t.Helper()
		for alg, sum := range want {
			if got := hex.EncodeToString(digests[alg]); got != sum || size != 9 || err != nil {
				t.Errorf("%s of %d bytes is %s, %v, want %s", alg, size, got, err, sum)
			}
		}
	}
	digests, err := c.Hash(algs, []byte("123456789"))
	check(digests, 9, err)
	check(c.HashStreams(algs, stream(h, "1234"), stream(h, "56789")))
	sink, err := c.HashBegin(algs...)
	if err != nil {
		t.Fatal(err)
	}
	sink.Write([]byte("123"))
	if n, err := sink.Splice(stream(h, "4567890"), 6); n != 6 || err != nil {
		t.Fatalf("spliced %d, %v", n, err)
	}
	check(sink.Finish())
	_, err = c.Hash([]string{"sha512"}, nil)
	wantKind(t, err, berth.KindInvalidArgument, `"sha512"`)
	_, err = c.Hash(nil, nil)
	wantKind(t, err, berth.KindInvalidArgument, "needs an algorithm")
}

func TestGzipGoesBothWays(t *testing.T) {
	h, c := lent(t, native.Config{})
	text := strings.Repeat("0123456789", 100_000)
	packed, err := c.Compress(berth.Compression{Alg: berth.Gzip, Level: 9}, stream(h, text[:1000]), stream(h, text[1000:]))
	if err != nil || packed.Size() != -1 {
		t.Fatalf("size %d, %v", packed.Size(), err)
	}
	b, err := packed.ReadAll(100_000)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := io.ReadAll(z); err != nil || string(out) != text {
		t.Fatalf("it is that of %d bytes, %v", len(out), err)
	}
	undo := func(content string, limit int64) (string, error) {
		s, err := c.Compress(berth.Compression{Alg: berth.Gzip, Undo: true, Max: limit}, stream(h, content))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		out, err := io.ReadAll(s)
		return string(out), err
	}
	for _, limit := range []int64{0, int64(len(text))} {
		if out, err := undo(string(b), limit); err != nil || out != text {
			t.Errorf("with a limit of %d: %d bytes, %v", limit, len(out), err)
		}
	}
	out, err := undo(string(b), 1000)
	if wantKind(t, err, berth.KindLimit, "more than 1000 bytes"); len(out) != 1000 {
		t.Errorf("%d bytes came before it", len(out))
	}
	for name, content := range map[string]string{"nothing": "", "text": "#!/bin/sh and so on", "cut": string(b[:len(b)-1]), "trailing": string(b) + "rubbish"} {
		if _, err := undo(content, 0); berth.KindOf(err) != berth.KindCorrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = c.Compress(berth.Compression{Alg: berth.Gzip, Level: 10})
	wantKind(t, err, berth.KindInvalidArgument, "1 to 9")
	_, err = c.Compress(berth.Compression{Alg: berth.Gzip, Level: 1, Undo: true})
	wantKind(t, err, berth.KindInvalidArgument, "no level")
	_, err = c.Compress(berth.Compression{Alg: "lz4"})
	wantKind(t, err, berth.KindInvalidArgument, `"lz4"`)
}

func TestTimesHaveFormats(t *testing.T) {
	_, c := lent(t, native.Config{})
	at := time.Date(2023, 11, 14, 22, 13, 20, 5, time.UTC)
	for format, want := range map[string]string{
		berth.TimeRFC3339: "2023-11-14T22:13:20Z", berth.TimeHTTP: "Tue, 14 Nov 2023 22:13:20 GMT", berth.TimeBasic: "20231114T221320Z", berth.TimeDate: "20231114",
	} {
		text, err := c.FormatTime(at, format)
		if err != nil || text != want {
			t.Errorf("%s: %q, %v, want %q", format, text, err, want)
		}
		back, err := c.ParseTime(text, format)
		if err != nil || format != berth.TimeDate && !back.Equal(at.Truncate(time.Second)) || format == berth.TimeDate && !back.Equal(at.Truncate(24*time.Hour)) {
			t.Errorf("%s: read as %v, %v", format, back, err)
		}
	}
	_, err := c.ParseTime("yesterday", berth.TimeHTTP)
	wantKind(t, err, berth.KindInvalidArgument, `"yesterday"`)
	_, err = c.FormatTime(at, "unix")
	wantKind(t, err, berth.KindInvalidArgument, `"unix"`)
}

func TestMetricsAreTold(t *testing.T) {
	var told []string
	h, c := lent(t, native.Config{Metric: func(name string, counter bool, value int64) {
		told = append(told, name, map[bool]string{true: "counter", false: "gauge"}[counter], time.Duration(value).String())
	}})
	c.Count("retries", 2)
	c.Gauge("depth", -3)
	c.Count("no name", 1) // a warning in the log, and nothing else
	if got := strings.Join(told, " "); got != "retries counter 2ns depth gauge -3ns" {
		t.Errorf("told of %s", got)
	}
	wantKind(t, h.Metric("retries", true, -1), berth.KindInvalidArgument, "only goes up")
}
