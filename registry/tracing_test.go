package registry_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/tracing"
	"github.com/berth-dev/storagedriver/registry"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A push is one trace for each request: the client's span, the request's, the gate's, the backend's.
func TestStorageSpansAreChildrenOfTheRequests(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	t.Cleanup(func() {
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	d := layers.Complete(tracing.New(inmemory.New(), provider), layers.WithTrace(tracing.Trace(provider)))
	s := serve(t, registry.Options{Config: testConfig(), Driver: d, Traces: provider})
	content := s.push("a", pattern(10))
	const traceID, spanID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	s.do(http.MethodGet, "/v2/a/blobs/"+content.String(), nil, http.Header{"Traceparent": {"00-" + traceID + "-" + spanID + "-01"}}, http.StatusOK)
	s.stop()
	if err := s.result(); err != nil {
		t.Fatal(err)
	}

	spans := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, span := range recorder.Ended() {
		spans[span.SpanContext().SpanID()] = span
	}
	if started := len(recorder.Started()); started != len(spans) {
		t.Errorf("%d spans started and %d ended", started, len(spans))
	}
	backends := 0
	for _, span := range spans {
		if !strings.HasPrefix(span.Name(), "backend.") {
			continue
		}
		backends++
		gate := spans[span.Parent().SpanID()]
		if gate == nil || gate.InstrumentationScope().Name != tracing.Name || strings.HasPrefix(gate.Name(), "backend.") {
			t.Errorf("%s is the child of %v, want a span of the gate", span.Name(), gate)
			continue
		}
		request := spans[gate.Parent().SpanID()]
		if request == nil || !strings.Contains(request.Name(), " /v2/") {
			t.Errorf("%s of %v is the child of %v, want a request's span", gate.Name(), gate.Attributes(), request)
		}
	}
	if backends == 0 {
		t.Error("no call of the backend has a span")
	}
	found := false
	for _, span := range spans {
		if span.Name() != "GET /v2/a/blobs/"+content.String() {
			continue
		}
		found = true
		if span.SpanContext().TraceID().String() != traceID || span.Parent().SpanID().String() != spanID {
			t.Errorf("the request's span has the trace %s and the parent %s, want the client's", span.SpanContext().TraceID(), span.Parent().SpanID())
		}
	}
	if !found {
		t.Error("the pull has no span")
	}
}
