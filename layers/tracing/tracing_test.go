package tracing_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/tracing"
	"github.com/berth-dev/storagedriver/testsuites"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorded returns a provider and the recorder of all its spans.
func recorded(t *testing.T) (*tracetest.SpanRecorder, trace.TracerProvider) {
	t.Helper()
	r := tracetest.NewSpanRecorder()
	p := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r))
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r, p
}

// complete is a gate and its backend, both traced.
func complete(b storagedriver.Backend, p trace.TracerProvider, options ...layers.Option) storagedriver.StorageDriver {
	return layers.Complete(tracing.New(b, p), append(options, layers.WithTrace(tracing.Trace(p)))...)
}

// ended returns the spans of that name that ended, in that order.
func ended(r *tracetest.SpanRecorder, name string) []sdktrace.ReadOnlySpan {
	var out []sdktrace.ReadOnlySpan
	for _, s := range r.Ended() {
		if s.Name() == name {
			out = append(out, s)
		}
	}
	return out
}

// one returns the only span of that name that ended.
func one(t *testing.T, r *tracetest.SpanRecorder, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	spans := ended(r, name)
	if len(spans) != 1 {
		t.Fatalf("%d spans %q ended, want one", len(spans), name)
	}
	return spans[0]
}

func value(s sdktrace.ReadOnlySpan, key string) any {
	for _, a := range s.Attributes() {
		if string(a.Key) == key {
			return a.Value.AsInterface()
		}
	}
	return nil
}

func wantAttributes(t *testing.T, s sdktrace.ReadOnlySpan, want ...attribute.KeyValue) {
	t.Helper()
	got := attribute.NewSet(s.Attributes()...)
	wanted := attribute.NewSet(want...)
	if !got.Equals(&wanted) {
		t.Errorf("span %s has the attributes\n%v, want\n%v", s.Name(), got.ToSlice(), wanted.ToSlice())
	}
}

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

const prefix = "io.cncf.distribution.storage."

func TestBackendSpansAreChildrenOfTheGatesAndThoseOfTheCallers(t *testing.T) {
	r, p := recorded(t)
	var met trace.SpanID // what the backend's own requests would be children of
	d := complete(&chunkedtest.Memory{Before: func(ctx context.Context, _, _ string) error {
		met = trace.SpanContextFromContext(ctx).SpanID()
		return nil
	}}, p)
	ctx, request := p.Tracer("http").Start(t.Context(), "GET /v2/")
	ok(t, "PutContent", d.PutContent(ctx, "/a", []byte("hello")))
	request.End()

	gate, backend := one(t, r, "PutContent"), one(t, r, "backend.Put")
	if gate.Parent().SpanID() != request.SpanContext().SpanID() {
		t.Errorf("the gate's span is a child of %v, want the caller's", gate.Parent().SpanID())
	}
	if backend.Parent().SpanID() != gate.SpanContext().SpanID() {
		t.Errorf("the backend's span is a child of %v, want the gate's", backend.Parent().SpanID())
	}
	if backend.SpanContext().SpanID() != met {
		t.Errorf("the backend was called under the span %v, want its own", met)
	}
	if backend.SpanContext().TraceID() != request.SpanContext().TraceID() {
		t.Error("the backend's span is of another trace")
	}
	wantAttributes(t, gate, attribute.String(prefix+"driver.name", "memory"), attribute.String(prefix+"path", "/a"), attribute.Int64("berth.storage.bytes", 5))
	wantAttributes(t, backend, attribute.String(prefix+"driver.name", "memory"), attribute.String(prefix+"path", "/a"), attribute.Int64("berth.storage.written", 5))
	if backend.InstrumentationScope().Name != tracing.Name {
		t.Errorf("the scope is %q", backend.InstrumentationScope().Name)
	}
}

func TestASpanOfABodyEndsWhenItIsClosed(t *testing.T) {
	r, p := recorded(t)
	m := &chunkedtest.Memory{}
	m.Set("/a", "0123456789")
	d := complete(m, p)
	body, err := d.Reader(t.Context(), "/a", 2)
	ok(t, "Reader", err)
	if _, err := io.CopyN(io.Discard, body, 3); err != nil {
		t.Fatal(err)
	}
	if n := len(ended(r, "backend.Read")); n != 0 {
		t.Errorf("%d spans ended before the body was closed", n)
	}
	ok(t, "Close", body.Close())
	ok(t, "Close again", body.Close())
	span := one(t, r, "backend.Read")
	wantAttributes(t, span, attribute.String(prefix+"driver.name", "memory"), attribute.String(prefix+"path", "/a"),
		attribute.Int64(prefix+"offset", 2), attribute.Int64("berth.storage.read", 3))
	if events := span.Events(); len(events) != 1 || events[0].Name != "answered" {
		t.Errorf("the events are %v, want one that the backend answered", events)
	}
	if b := m.Breaches(); len(b) > 0 {
		t.Error(b)
	}
}

// failing is a body that breaks after its first byte.
type failing struct{ sent bool }

func (f *failing) Read(p []byte) (int, error) {
	if f.sent {
		return 0, &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("connection reset")}
	}
	f.sent = true
	return copy(p, "x"), nil
}

func (*failing) Close() error { return nil }

type breaking struct{ chunkedtest.Memory }

func (*breaking) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	return &failing{}, 10, nil
}

func TestErrorsAreRecorded(t *testing.T) {
	r, p := recorded(t)
	m := &chunkedtest.Memory{Before: func(_ context.Context, op, _ string) error {
		if op == "Delete" {
			return storagedriver.NewError(storagedriver.KindPermission, "read-only account")
		}
		return nil
	}}
	d := complete(m, p)
	m.Set("/a", "x")
	if err := d.Delete(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindPermission {
		t.Fatalf("Delete: %v", err)
	}
	if _, err := d.GetContent(t.Context(), "/none"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatalf("GetContent: %v", err)
	}
	body, err := complete(&breaking{}, p).Reader(t.Context(), "/b", 0)
	ok(t, "Reader", err)
	if _, err := io.ReadAll(body); storagedriver.KindOf(err) != storagedriver.KindUnavailable {
		t.Fatalf("ReadAll: %v", err)
	}
	ok(t, "Close", body.Close())

	for _, name := range []string{"Delete", "backend.Delete"} {
		span := one(t, r, name)
		if span.Status().Code != codes.Error || !strings.Contains(span.Status().Description, "read-only account") {
			t.Errorf("%s: the status is %+v", name, span.Status())
		}
		if value(span, "error.type") != "permission denied" {
			t.Errorf("%s: error.type is %v", name, value(span, "error.type"))
		}
		if events := span.Events(); len(events) != 1 || events[0].Name != "exception" {
			t.Errorf("%s: the events are %v, want the exception", name, events)
		}
	}
	missing := ended(r, "backend.Read")[0]
	if missing.Status().Code != codes.Unset || value(missing, "error.type") != "not found" || len(missing.Events()) != 0 {
		t.Errorf("a read of nothing: status %+v, attributes %v, events %v", missing.Status(), missing.Attributes(), missing.Events())
	}
	broken := ended(r, "backend.Read")[1]
	if broken.Status().Code != codes.Error || value(broken, "error.type") != "unavailable" ||
		value(broken, "berth.storage.temporary") != true || value(broken, "berth.storage.read") != int64(1) {
		t.Errorf("a body that broke: status %+v, attributes %v", broken.Status(), broken.Attributes())
	}
}

func TestUploadsAreTracedWithoutTheirTokens(t *testing.T) {
	r, p := recorded(t)
	m := &chunkedtest.Memory{Can: storagedriver.AbilityParts, Limits: storagedriver.PartLimits{Min: 4}}
	d := complete(m, p, layers.WithPartSize(4), layers.WithParallel(1))
	w, err := d.Writer(t.Context(), "/up", false)
	ok(t, "Writer", err)
	_, err = w.Write([]byte("0123456789"))
	ok(t, "Write", err)
	ok(t, "Close", w.Close())
	w, err = d.Writer(t.Context(), "/up", true)
	ok(t, "Writer", err)
	if w.Size() != 10 {
		t.Fatalf("Size is %d, want 10", w.Size())
	}
	_, err = w.Write([]byte("ab"))
	ok(t, "Write", err)
	ok(t, "Commit", w.Commit(t.Context()))
	if got := m.Content()["/up"]; got != "0123456789ab" {
		t.Fatalf("the content is %q", got)
	}

	var parts []int64
	var written int64
	for _, s := range r.Ended() {
		if n, is := value(s, "berth.storage.part").(int64); is {
			parts = append(parts, n)
		}
		if n, is := value(s, "berth.storage.written").(int64); is {
			written += n
		}
		for _, a := range s.Attributes() {
			if strings.Contains(a.Value.String(), "token") {
				t.Errorf("span %s tells the token: %v", s.Name(), a)
			}
		}
	}
	slices.Sort(parts)
	if !slices.Equal(slices.Compact(parts), []int64{1, 2}) && !slices.Equal(slices.Compact(parts), []int64{1, 2, 3}) {
		t.Errorf("the parts are %v", parts)
	}
	if written < 12 {
		t.Errorf("%d bytes were written, want at least the content's 12", written)
	}
	if tails := ended(r, "backend.ReadTail"); len(tails) != 1 || value(tails[0], "berth.storage.read") != int64(2) {
		t.Errorf("the tail of 2 bytes was read as %v", tails)
	}
	if opened := ended(r, "backend.OpenUpload"); len(opened) != 2 || value(opened[1], prefix+"append") != true {
		t.Errorf("the openings are %v", opened)
	}
	suspend := one(t, r, "backend.SuspendUpload")
	if suspend.Parent().SpanID() != ended(r, "Writer")[0].SpanContext().SpanID() {
		t.Error("suspending is no child of the writer's opening")
	}
	commit := one(t, r, "backend.CommitUpload")
	if commit.Parent().SpanID() != one(t, r, "Commit").SpanContext().SpanID() {
		t.Error("the backend's commit is no child of the gate's")
	}
}

func TestSignedURLsAreNotRecorded(t *testing.T) {
	r, p := recorded(t)
	d := complete(redirecting{}, p)
	url, err := d.RedirectURL(t.Context(), "/a", storagedriver.RedirectOptions{Method: "GET"})
	if err != nil || !strings.Contains(url, "s3cret") {
		t.Fatalf("RedirectURL: %q, %v", url, err)
	}
	if len(r.Ended()) != 2 {
		t.Fatalf("%d spans ended, want 2", len(r.Ended()))
	}
	for _, s := range r.Ended() {
		for _, a := range s.Attributes() {
			if strings.Contains(a.Value.String(), "s3cret") {
				t.Errorf("span %s: %v", s.Name(), a)
			}
		}
	}
}

type redirecting struct{ storagedriver.Backend }

func (redirecting) Name() string { return "redirecting" }
func (redirecting) Close() error { return nil }
func (redirecting) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: storagedriver.AbilityRedirect}
}

func (redirecting) Redirect(context.Context, string, storagedriver.RedirectOptions) (string, error) {
	return "https://blobs.example/a?signature=s3cret", nil
}

func TestMoveAndCopyNameBothPaths(t *testing.T) {
	r, p := recorded(t)
	m := &chunkedtest.Memory{Can: storagedriver.AbilityMove}
	m.Set("/a", "x")
	ok(t, "Move", complete(m, p).Move(t.Context(), "/a", "/b"))
	for _, name := range []string{"Move", "backend.Move"} {
		wantAttributes(t, one(t, r, name), attribute.String(prefix+"driver.name", "memory"),
			attribute.String(prefix+"source.path", "/a"), attribute.String(prefix+"dest.path", "/b"))
	}
}

// A provider that records nothing is in nobody's way, and the driver is as conformant as before.
func TestSuite(t *testing.T) {
	recorder, recording := recorded(t)
	for name, c := range map[string]struct {
		provider trace.TracerProvider
		cases    string
	}{
		"recorded": {recording, "content,reader,write,append,cancel,move,delete"},
		"noop":     {noop.NewTracerProvider(), "content,append"},
	} {
		t.Run(name, func(t *testing.T) {
			backend := inmemory.New()
			testsuites.RegisterInProcessSuite(t, func(testsuites.T) storagedriver.StorageDriver {
				return complete(backend, c.provider, layers.WithPartSize(64<<10))
			}, testsuites.Configure(func(h *testsuites.Harness) {
				h.PartSize = 64 << 10
				h.Run = c.cases
			}))
		})
	}
	if started, ended := len(recorder.Started()), len(recorder.Ended()); started == 0 || started != ended {
		t.Errorf("%d spans started and %d ended", started, ended)
	}
}
