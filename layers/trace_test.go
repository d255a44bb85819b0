package layers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
)

// record is a Trace that keeps a line for each operation that ended, and checks that each ends once.
type record struct {
	t    *testing.T
	mu   sync.Mutex
	open int
	line []string
}

type spanKey struct{}

func (r *record) trace(ctx context.Context, o layers.Operation) (context.Context, func(layers.Outcome)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	ended := false
	return context.WithValue(ctx, spanKey{}, o.Name), func(out layers.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if ended {
			r.t.Errorf("%s %s ended twice", o.Name, o.Path)
		}
		ended = true
		r.open--
		text := fmt.Sprintf("%s %s %s%s %d", o.Driver, o.Name, o.Path, o.Dest, out.Bytes)
		if out.Err != nil {
			text += " " + storagedriver.KindOf(out.Err).String()
		}
		r.line = append(r.line, text)
	}
}

// take wants exactly these lines since the last time.
func (r *record) take(what string, want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.line, want) {
		r.t.Errorf("%s: traced\n%s\nwant\n%s", what, strings.Join(r.line, "\n"), strings.Join(want, "\n"))
	}
	r.line = nil
}

func TestEveryOperationIsTraced(t *testing.T) {
	r := &record{t: t}
	var mu sync.Mutex
	var under []string
	m := &chunkedtest.Memory{Before: func(ctx context.Context, op, path string) error {
		name, _ := ctx.Value(spanKey{}).(string)
		mu.Lock()
		defer mu.Unlock()
		under = append(under, name+">"+op)
		if path == "/broken" {
			return storagedriver.NewError(storagedriver.KindUnavailable, "down")
		}
		return nil
	}}
	d := layers.Complete(m, layers.WithTrace(r.trace))
	ctx := t.Context()

	ok(t, "PutContent", d.PutContent(ctx, "/a", []byte("content")))
	r.take("PutContent", "memory PutContent /a 7")
	if !slices.Equal(under, []string{"PutContent>Put"}) {
		t.Errorf("the backend was called under %q, want the context of the trace", under)
	}
	_, err := d.GetContent(ctx, "/a")
	ok(t, "GetContent", err)
	r.take("GetContent", "memory GetContent /a 7")
	_, err = d.Stat(ctx, "/missing")
	wantKind(t, "Stat", err, storagedriver.KindNotFound)
	r.take("Stat", "memory Stat /missing 0 not found")
	_, err = d.List(ctx, "not a path")
	wantKind(t, "List", err, storagedriver.KindInvalidPath)
	r.take("List of what the gate refuses", "memory List not a path 0 invalid path")
	ok(t, "Move", d.Move(ctx, "/a", "/b"))
	r.take("a derived Move is one operation", "memory Move /a/b 0")
	boom := errors.New("boom")
	if err := d.Walk(ctx, "/", func(storagedriver.FileInfo) error { return boom }); err != boom {
		t.Errorf("Walk: %v, want the callback's error as it is", err)
	}
	r.take("Walk", "memory Walk / 0 unknown error")
	_, err = d.RedirectURL(ctx, "/b", storagedriver.RedirectOptions{Method: "GET"})
	ok(t, "RedirectURL", err)
	r.take("RedirectURL", "memory RedirectURL /b 0")
	_, err = d.Reader(ctx, "/broken", 0)
	wantKind(t, "Reader", err, storagedriver.KindUnavailable)
	r.take("Reader that is not opened", "memory Reader /broken 0 unavailable")
	ok(t, "Delete", d.Delete(ctx, "/b"))
	r.take("Delete", "memory Delete /b 0")
	ok(t, "Close", d.Close())
	r.take("Close of the driver is none")
	if r.open != 0 {
		t.Errorf("%d operations have not ended", r.open)
	}
	clean(t, m)
}

func TestAReaderIsTracedUntilItIsClosed(t *testing.T) {
	r := &record{t: t}
	m := &chunkedtest.Memory{}
	d := layers.Complete(m, layers.WithTrace(r.trace))
	m.Set("/a", "content")
	ctx, cancel := context.WithCancel(t.Context())
	body, err := d.Reader(ctx, "/a", 3)
	ok(t, "Reader", err)
	if sized, is := body.(storagedriver.SizedReader); !is || sized.Size() != 4 {
		t.Errorf("a traced reader: want one that tells its 4 bytes, got %v", is)
	}
	_, err = io.ReadFull(body, make([]byte, 2))
	ok(t, "Read", err)
	r.take("before Close")
	ok(t, "Close", errors.Join(body.Close(), body.Close()))
	r.take("after Close", "memory Reader /a 2")

	body, err = d.Reader(ctx, "/a", 0)
	ok(t, "Reader", err)
	cancel()
	if _, err = body.Read(make([]byte, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("Read under an ended context: %v", err)
	}
	ok(t, "Close", body.Close())
	r.take("a Read that failed", "memory Reader /a 0 canceled")
	clean(t, m)
}

func TestWhatEndsAWriterIsTraced(t *testing.T) {
	r := &record{t: t}
	m := &chunkedtest.Memory{MaxObject: 20}
	d := layers.Complete(m, layers.WithTrace(r.trace))
	ctx := t.Context()
	w, err := d.Writer(ctx, "/a", false)
	ok(t, "Writer", err)
	_, err = w.Write([]byte("content"))
	ok(t, "Write", err)
	r.take("a Write is none", "memory Writer /a 0")
	_, err = w.Write(make([]byte, 20))
	wantKind(t, "Write", err, storagedriver.KindLimit)
	r.take("a Write that fails", "memory Write /a 0 limit reached")
	ok(t, "Close", errors.Join(w.Close(), w.Close(), w.Close()))
	r.take("Close three times", "memory Close /a 7")
	w, err = d.Writer(ctx, "/a", true)
	ok(t, "Writer", err)
	ok(t, "Commit", w.Commit(ctx))
	ok(t, "Close", w.Close())
	r.take("Commit", "memory Writer /a 0", "memory Commit /a 7")
	_, err = d.Writer(ctx, "/a", true)
	wantKind(t, "Writer", err, storagedriver.KindUnsupported)
	r.take("Writer that is refused", "memory Writer /a 0 unsupported")
	w, err = d.Writer(ctx, "/b", false)
	ok(t, "Writer", err)
	ok(t, "Cancel", w.Cancel(ctx))
	ok(t, "Close", w.Close())
	r.take("Cancel", "memory Writer /b 0", "memory Cancel /b 0")
	clean(t, m)
}

func TestLogTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := func(level slog.Level) storagedriver.StorageDriver {
			m := &chunkedtest.Memory{Before: func(context.Context, string, string) error {
				<-time.After(3 * time.Millisecond) // of the bubble's clock
				return nil
			}}
			return layers.Complete(m, layers.WithTrace(layers.LogTrace(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})))))
		}
		d := log(slog.LevelDebug)
		err := d.Move(t.Context(), "/a", "/b")
		wantKind(t, "Move", err, storagedriver.KindNotFound)
		var line map[string]any
		if jsonErr := json.Unmarshal(out.Bytes(), &line); jsonErr != nil {
			t.Fatalf("%v: %q", jsonErr, &out)
		}
		delete(line, "time")
		want := map[string]any{
			"level": "DEBUG", "msg": "storage", "driver": "memory", "operation": "Move", "path": "/a", "dest": "/b",
			"duration": float64(3 * time.Millisecond), "bytes": float64(0), "kind": "not found", "error": err.Error(),
		}
		if fmt.Sprint(line) != fmt.Sprint(want) {
			t.Errorf("logged %v\nwant   %v", line, want)
		}
		out.Reset()
		d = log(slog.LevelInfo)
		ok(t, "PutContent", d.PutContent(t.Context(), "/a", []byte("x")))
		if out.Len() > 0 {
			t.Errorf("logged below debug: %s", &out)
		}
	})
}

// idle is a backend that does nothing.
type idle struct{ storagedriver.Unimplemented }

func (idle) Name() string                             { return "idle" }
func (idle) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }
func (idle) Stat(context.Context, string) (storagedriver.Entry, error) {
	return storagedriver.Entry{}, nil
}
func (idle) List(context.Context, string, string, int) (storagedriver.Page, error) {
	return storagedriver.Page{}, nil
}
func (idle) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	return io.NopCloser(strings.NewReader("")), 0, nil
}
func (idle) Put(context.Context, string, storagedriver.Source) error { return nil }
func (idle) Delete(context.Context, string) error                    { return nil }

func TestTracingThatIsOffAllocatesNothing(t *testing.T) {
	quiet := layers.LogTrace(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo})))
	per := func(d storagedriver.StorageDriver) float64 {
		return testing.AllocsPerRun(100, func() {
			_, err := d.Stat(t.Context(), "/a")
			ok(t, "Stat", err)
			r, err := d.Reader(t.Context(), "/a", 0)
			ok(t, "Reader", err)
			ok(t, "Close", r.Close())
		})
	}
	without, off := per(layers.Complete(idle{})), per(layers.Complete(idle{}, layers.WithTrace(quiet)))
	if off > without {
		t.Errorf("%v allocations with tracing that is off, %v without tracing", off, without)
	}
}
