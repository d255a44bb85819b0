//go:build servers

package s3_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
)

// loops is how many fault loops run at a time, each below a root directory of its own.
const loops = 4

// A run moves parts of 5 MiB, so that few of the scenarios are run in short: two in which an upload has the most to lose, and one in which services
// differ.
func TestHoldsWhateverFailsOnVersitygw(t *testing.T) {
	t.Parallel()
	holds(t, onVersitygw(t, nil), 50, "push over committed content", "push that goes on from less than a part")
}

func TestHoldsWhateverFailsOnMinio(t *testing.T) {
	t.Parallel()
	holds(t, onMinio(t, nil), 20, "cancel")
}

// holds runs the loops and wants nothing to break, and so many runs to have had a failure. Unless BERTH_LONG says so it runs the scenarios of short alone.
func holds(t *testing.T, parameters map[string]any, least int64, short ...string) {
	free := make(chan faultloop.Storage, loops)
	for i := range loops {
		own := maps.Clone(parameters)
		own["rootdirectory"] = fmt.Sprintf("loop-%d", i)
		s := loopStorage(t, own)
		s.Close = func() { free <- s }
		free <- s
	}
	long := os.Getenv("BERTH_LONG") == "1"
	h := faultloop.Harness{
		Name: s3.Name, PartSize: smallPart, Parallel: loops, Short: !long,
		New: func(context.Context) (faultloop.Storage, error) { return <-free, nil },
	}
	if !long {
		h.Run = func(scenario string) bool { return slices.Contains(short, scenario) }
	}
	report := faultloop.Run(t.Context(), h)
	t.Logf("\n%s", report)
	for _, f := range report.Failures() {
		t.Error(f)
	}
	if _, faults := report.Totals(); faults < least {
		t.Errorf("only %d runs had a failure", faults)
	}
}

// loopStorage is a service, and the same through a proxy one of whose requests fails: the driver then sends each once.
func loopStorage(t *testing.T, parameters map[string]any) faultloop.Storage {
	target, err := url.Parse(parameters["regionendpoint"].(string))
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{proxy: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // which is signed
	}, ErrorLog: log.New(io.Discard, "", 0)}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	broken := maps.Clone(parameters)
	maps.Copy(broken, map[string]any{"regionendpoint": server.URL, "maxattempts": 1})
	open := func(parameters map[string]any) func(context.Context) (storagedriver.Backend, error) {
		return func(ctx context.Context) (storagedriver.Backend, error) { return s3.Open(ctx, parameters) }
	}
	look, err := s3.Open(t.Context(), parameters)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = look.Close() })
	return faultloop.Storage{
		Open: open(parameters), OpenFailing: open(broken), Faults: f.faults(),
		Left: func(path string) []string { return left(look, path) },
	}
}

// left is what the service has for the directory at path: objects, and multipart uploads as far as it lists them.
func left(b storagedriver.Backend, path string) (names []string) {
	for _, list := range []func(cursor string) (storagedriver.Page, error){
		func(cursor string) (storagedriver.Page, error) {
			return b.ListTree(context.Background(), path, "", cursor, 1000)
		},
		func(cursor string) (storagedriver.Page, error) {
			return b.ListUploads(context.Background(), path, cursor, 1000)
		},
	} {
		for cursor, more := "", true; more; more = cursor != "" {
			page, err := list(cursor)
			if err != nil {
				return append(names, err.Error())
			}
			for _, e := range page.Entries {
				names = append(names, strings.TrimSuffix(path, "/")+"/"+e.Name)
			}
			cursor = page.Cursor
		}
	}
	return names
}

// failing is a proxy one of whose requests fails.
type failing struct {
	proxy http.Handler
	rule  atomic.Pointer[requestRule]
}

type requestRule struct {
	n      int64
	status int // 0 breaks the connection
	late   bool
	seen   atomic.Int64
}

func (f *failing) faults() map[string]faultloop.Inject {
	faults := map[string]faultloop.Inject{}
	for name, rule := range map[string]*requestRule{
		"the connection breaks after the request's effect": {late: true},
		"503 before the request's effect":                  {status: http.StatusServiceUnavailable},
	} {
		faults[name] = func(n int64) func() int64 {
			r := &requestRule{n: n, status: rule.status, late: rule.late}
			f.rule.Store(r)
			return func() int64 {
				f.rule.Store(nil)
				return r.seen.Load()
			}
		}
	}
	return faults
}

// ServeHTTP implements http.Handler.
func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule := f.rule.Load()
	if rule == nil || rule.seen.Add(1) != rule.n {
		f.proxy.ServeHTTP(w, r)
		return
	}
	if rule.late {
		f.proxy.ServeHTTP(httptest.NewRecorder(), r)
	}
	if rule.status == 0 {
		panic(http.ErrAbortHandler)
	}
	http.Error(w, "this request was made to fail", rule.status)
}
