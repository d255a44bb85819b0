//go:build servers

package s3bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// quiet is how long no request comes before those that wait are let through together, as one round trip.
const quiet = 40 * time.Millisecond

// counter is a proxy that counts requests and round trips: it holds requests until no others come, and lets them through together. What is
// sent one after the other is as many round trips.
type counter struct {
	mu      sync.Mutex
	names   []string // of the requests, in order
	trips   int
	waiting chan struct{} // closed when those that wait are let through; nil: none does
	timer   *time.Timer
	held    bool // whether requests are held at all
}

// startCounter starts a counter in front of the service until the test ends, and returns the service's URL through it.
func startCounter(t testing.TB, upstream string) (*counter, string) {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { // the Host is signed: it stays
		r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.wait(nameOf(r))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *counter) wait(name string) {
	c.mu.Lock()
	c.names = append(c.names, name)
	if !c.held {
		c.mu.Unlock()
		return
	}
	if c.waiting == nil {
		c.waiting = make(chan struct{})
		c.timer = time.AfterFunc(quiet, c.release)
	} else {
		c.timer.Reset(quiet)
	}
	waiting := c.waiting
	c.mu.Unlock()
	<-waiting
}

func (c *counter) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return // let through a moment ago
	}
	c.trips++
	c.names = append(c.names, "|")
	close(c.waiting)
	c.waiting = nil
}

// of counts what do sends. Without hold it counts no round trips.
func (c *counter) of(hold bool, do func() error) (requests []string, trips int, err error) {
	c.mu.Lock()
	c.names, c.trips, c.held = nil, 0, hold
	c.mu.Unlock()
	err = do()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	return slices.Clone(c.names), c.trips, err
}

// nameOf is the operation that a request asks for.
func nameOf(r *http.Request) string {
	q := r.URL.Query()
	name := r.Method
	switch {
	case q.Has("uploadId") && r.Method == http.MethodPost:
		name = "Complete"
	case q.Has("uploads") && r.Method == http.MethodPost:
		name = "Create"
	case q.Has("uploads"):
		name = "ListUploads"
	case q.Has("uploadId") && r.Method == http.MethodGet:
		name = "ListParts"
	case q.Has("uploadId") && r.Method == http.MethodDelete:
		name = "Abort"
	case q.Has("partNumber") && r.Header.Get("X-Amz-Copy-Source") != "":
		name = "PartCopy"
	case q.Has("partNumber"):
		name = "Part"
	case r.Header.Get("X-Amz-Copy-Source") != "":
		name = "Copy"
	case q.Has("delete"):
		name = "DeleteObjects"
	case q.Has("list-type"):
		name = "List"
	}
	for _, mark := range []string{"~upload", "~tail"} {
		if strings.Contains(r.URL.Path, mark) {
			name += mark
		}
	}
	return name
}

// counted opens a driver whose requests are counted.
func counted(t testing.TB, b *bench, c *counter, at, side string) store {
	t.Helper()
	by, err := b.by(t.Context(), side, task{Parameters: with(with(b.direct, "regionendpoint", at), "rootdirectory", "/"+side)})
	if err != nil {
		t.Fatal(err)
	}
	d, done, err := by.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := done(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// count does the operation and returns what it sent.
func (o *operation) count(t testing.TB, c *counter, hold bool, d store) (requests []string, trips int) {
	t.Helper()
	if o.before != nil {
		if err := o.before(t.Context(), d); err != nil {
			t.Fatalf("before %s: %v", o.name, err)
		}
	}
	requests, trips, err := c.of(hold, func() error { return o.do(t.Context(), d) })
	if err != nil {
		t.Fatalf("%s: %v", o.name, err)
	}
	return requests, trips
}

// BenchmarkRequests prints how many requests and round trips each operation is, and with -v which. Round trips are between the vertical lines.
func BenchmarkRequests(b *testing.B) {
	bench := newBench(b, *service, sizes{})
	c, at := startCounter(b, bench.direct["regionendpoint"].(string))
	sides := []string{sideTheirs, sideOurs, sideSandboxed}
	var stores []store
	fmt.Print("\n| Operation |")
	for _, side := range sides {
		stores = append(stores, counted(b, bench, c, at, side))
		fmt.Printf(" %s: requests, round trips |", side)
	}
	fmt.Print("\n|---|---|---|---|\n")
	for _, o := range operations(*layer, *deleted, *walked) {
		row := "| " + o.name
		for i, d := range stores {
			names, trips := o.count(b, c, true, d)
			count := len(names) - trips
			row += fmt.Sprintf(" | %d, %d", count, trips)
			if testing.Verbose() && count < 100 {
				fmt.Fprintf(os.Stderr, "%s by %s: %s\n", o.name, sides[i], strings.Join(names, " "))
			}
		}
		fmt.Println(row + " |")
	}
}

// TestRequests holds our driver to the number of requests that its operations had when this was written.
func TestRequests(t *testing.T) {
	bench := newBench(t, "versitygw", sizes{})
	c, at := startCounter(t, bench.direct["regionendpoint"].(string))
	d := counted(t, bench, c, at, sideOurs)
	for _, o := range operations(12<<20, 10, 10) {
		names, _ := o.count(t, c, false, d)
		if most := o.most; most > 0 && len(names) > most {
			t.Errorf("%s: want at most %d requests, got %d: %s", o.name, most, len(names), strings.Join(names, " "))
		}
	}
}

// operation is one that is counted.
type operation struct {
	name       string
	most       int // requests of our driver; 0 is not known
	before, do func(context.Context, store) error
}

func operations(layer int64, deleted, walked int) []operation {
	put := func(ctx context.Context, d store) error { return d.PutContent(ctx, "/dir/small", []byte("content")) }
	all := []operation{
		{"PutContent", 1, nil, put},
		{"GetContent", 1, nil, func(ctx context.Context, d store) error {
			_, err := d.GetContent(ctx, "/dir/small")
			return err
		}},
		{"Stat of a file", 1, nil, func(ctx context.Context, d store) error { return is(ctx, d, "/dir/small", 7) }},
		{"Stat of a directory", 2, nil, func(ctx context.Context, d store) error { return is(ctx, d, "/dir", 0) }},
		{"Stat of nothing", 2, nil, func(ctx context.Context, d store) error {
			if _, err := d.size(ctx, "/dir/none"); !absent(err) {
				return fmt.Errorf("want nothing there, got %w", err)
			}
			return nil
		}},
		{"List", 1, nil, func(ctx context.Context, d store) error {
			_, err := d.List(ctx, "/dir")
			return err
		}},
		{"Move of a small file", 12, nil, func(ctx context.Context, d store) error { return d.Move(ctx, "/dir/small", "/dir/other") }},
		{"Delete of a file", 5, put, func(ctx context.Context, d store) error { return d.Delete(ctx, "/dir/small") }},
		{fmt.Sprintf("Delete of %d files", deleted), 0, func(ctx context.Context, d store) error {
			return populate(ctx, d, deleted, goneObject("gone"))
		}, func(ctx context.Context, d store) error { return d.Delete(ctx, goneDir("gone")) }},
		{fmt.Sprintf("Walk of %d files", walked), 0, func(ctx context.Context, d store) error { return populate(ctx, d, walked, treeObject) }, func(ctx context.Context, d store) error {
			_, _, err := d.walk(ctx, registry)
			return err
		}},
	}
	most := func(size int64, state, tail, parts int) int {
		switch {
		case size < 256<<10:
			return state
		case size < 10<<20:
			return tail
		case size <= 32<<20:
			return parts
		}
		return 0
	}
	for n, size := range []int64{4 << 10, 3 << 20, 32 << 20, layer} {
		content := uploadDir("counted", n) + "/data"
		title := func(what string) string { return fmt.Sprintf("%s, %d KiB", what, size>>10) }
		all = append(all,
			operation{title("POST: Writer, Close"), 3, nil, func(ctx context.Context, d store) error {
				return written(ctx, d, content, false, func(fileWriter) error { return nil })
			}},
			operation{title("PATCH: Writer (append), all of it, Close"), most(size, 4, 5, 10), nil, func(ctx context.Context, d store) error {
				return written(ctx, d, content, true, func(w fileWriter) error { return pour(w, size) })
			}},
			operation{title("PUT: Writer (append), Commit"), most(size, 6, 8, 9), nil, func(ctx context.Context, d store) error {
				return written(ctx, d, content, true, func(w fileWriter) error { return w.Commit(ctx) })
			}},
			operation{title("Stat, Move to the blob's path"), 13, nil, func(ctx context.Context, d store) error {
				if err := is(ctx, d, content, size); err != nil {
					return err
				}
				return d.Move(ctx, content, blob("counted", n))
			}},
			operation{title("push at once: Writer, Commit, Move"), most(size, 16, 16, 24), nil, func(ctx context.Context, d store) error {
				return pushOne(ctx, d, "once", n, size)
			}},
			operation{title("all calls of a registry's push"), 0, nil, func(ctx context.Context, d store) error {
				return pushAsRegistry(ctx, d, "whole", n, size)
			}},
		)
	}
	return all
}
