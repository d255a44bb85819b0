//go:build servers

package s3_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
)

// hooked opens a driver whose requests pass before, which answers itself when it returns true, and whose answers pass after.
func hooked(t *testing.T, parameters map[string]any, before func(w http.ResponseWriter, r *http.Request) bool, after func(*http.Response) error) storagedriver.StorageDriver {
	t.Helper()
	target, err := url.Parse(parameters["regionendpoint"].(string))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }, ModifyResponse: after}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before == nil || !before(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	p := maps.Clone(parameters)
	p["regionendpoint"] = front.URL
	d, err := factory.FromOpen(s3.Name, s3.Open).Create(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// opens wants that the upload to path can be gone on with behind size bytes.
func opens(t *testing.T, d storagedriver.StorageDriver, path string, size int) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, true)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return
	}
	if w.Size() != int64(size) {
		t.Errorf("%s opens with %d bytes, want %d", path, w.Size(), size)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestAdoptsWhateverTheFormOfAnETag: some services answer a completion with one that lacks its quotes, or with none.
func TestAdoptsWhateverTheFormOfAnETag(t *testing.T) {
	direct := onVersitygw(t, nil)
	tag := regexp.MustCompile(`<ETag>(?:&#34;|&quot;|")?([^<&"]*)(?:&#34;|&quot;|")?</ETag>`)
	for path, form := range map[string]string{"/bare/data": "<ETag>$1</ETag>", "/none/data": ""} {
		d := hooked(t, direct, nil, func(r *http.Response) error {
			if r.Request.Method == http.MethodPost && r.Request.URL.Query().Has("uploadId") {
				text, err := io.ReadAll(r.Body)
				if err != nil {
					return err
				}
				text = tag.ReplaceAll(text, []byte(form))
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
				r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			}
			return nil
		})
		b := &begun{theirs: theirs(t, direct, smallPart), path: path, content: someBytes(smallPart + 1000)}
		b.begin(t)
		opens(t, d, path, smallPart+1000)
		opens(t, d, path, smallPart+1000)
	}
}

// TestAdoptsAfterADeath: a process dies as soon as the upload is its own, and another goes on with all that was there.
func TestAdoptsAfterADeath(t *testing.T) {
	direct := onVersitygw(t, nil)
	other := hooked(t, direct, nil, nil)
	for path, size := range map[string]int{"/a/data": smallPart + 1000, "/b/data": 1000} {
		var dead atomic.Bool
		dying := hooked(t, direct, func(w http.ResponseWriter, r *http.Request) bool {
			if dead.Load() {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			dead.Store(r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "~upload"))
			return false
		}, nil)
		b := &begun{theirs: theirs(t, direct, smallPart), path: path, content: someBytes(size)}
		b.begin(t)
		if _, err := dying.Writer(t.Context(), path, true); storagedriver.KindOf(err) != storagedriver.KindPermission {
			t.Errorf("%s: want permission denied, got %v", path, err)
		}
		opens(t, other, path, size)
	}
}

// TestAdoptsWhileAnotherOpens: who comes while the parts are copied leaves them alone.
func TestAdoptsWhileAnotherOpens(t *testing.T) {
	direct := onVersitygw(t, nil)
	other := hooked(t, direct, nil, nil)
	const path, size = "/a/data", smallPart + 1000
	var once sync.Once
	d := hooked(t, direct, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("X-Amz-Copy-Source-Range") != "" {
			once.Do(func() {
				if _, err := other.Writer(t.Context(), path, true); storagedriver.KindOf(err) != storagedriver.KindUnsupported {
					t.Errorf("the other: want unsupported, got %v", err)
				}
			})
		}
		return false
	}, nil)
	b := &begun{theirs: theirs(t, direct, smallPart), path: path, content: someBytes(size)}
	b.begin(t)
	opens(t, d, path, size)
	opens(t, other, path, size)
}

// TestAdoptsWhenAnAnswerIsLost: the state that replaces the fence is stored, and the service says that it has failed.
func TestAdoptsWhenAnAnswerIsLost(t *testing.T) {
	direct := onVersitygw(t, nil)
	other := hooked(t, direct, nil, nil)
	for path, size := range map[string]int{"/a/data": smallPart + 300<<10, "/b/data": 300 << 10} {
		var states atomic.Int32
		d := hooked(t, direct, nil, func(r *http.Response) error {
			if r.Request.Method == http.MethodPut && strings.HasSuffix(r.Request.URL.Path, "~upload") && states.Add(1) > 1 {
				r.StatusCode = http.StatusInternalServerError
			}
			return nil
		})
		b := &begun{theirs: theirs(t, direct, smallPart), path: path, content: someBytes(size)}
		b.begin(t)
		if _, err := d.Writer(t.Context(), path, true); storagedriver.KindOf(err) != storagedriver.KindUnavailable {
			t.Errorf("%s: want unavailable, got %v", path, err)
		}
		opens(t, other, path, size)
	}
}
