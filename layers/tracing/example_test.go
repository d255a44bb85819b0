package tracing_test

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/tracing"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// Gate and backend are traced by one provider: the backend's spans are children of the gate's.
func Example() {
	ctx := context.Background()
	exporter := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	d := layers.Complete(tracing.New(inmemory.New(), provider), layers.WithTrace(tracing.Trace(provider)))
	defer d.Close()
	if err := d.PutContent(ctx, "/a", []byte("12345")); err != nil {
		fmt.Println(err)
		return
	}
	spans := exporter.GetSpans()
	for _, s := range spans {
		fmt.Println(s.Name)
	}
	fmt.Println(spans[0].Parent.SpanID() == spans[1].SpanContext.SpanID())
	// Output:
	// backend.Put
	// PutContent
	// true
}
