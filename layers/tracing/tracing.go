package tracing

import (
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/internal/observe"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Name is the instrumentation scope of the spans.
const Name = "github.com/berth-dev/storagedriver/layers/tracing"

const (
	prefix = "io.cncf.distribution.storage."

	keyDriver = attribute.Key(prefix + "driver.name")
	keyPath   = attribute.Key(prefix + "path")
	keySource = attribute.Key(prefix + "source.path")
	keyDest   = attribute.Key(prefix + "dest.path")
	keyOffset = attribute.Key(prefix + "offset")
	keyAppend = attribute.Key(prefix + "append")

	keyPart      = attribute.Key("berth.storage.part")
	keyRead      = attribute.Key("berth.storage.read")
	keyWritten   = attribute.Key("berth.storage.written")
	keyBytes     = attribute.Key("berth.storage.bytes")
	keyTemporary = attribute.Key("berth.storage.temporary")
	keyError     = attribute.Key("error.type")
)

// New returns b with a span of every call, made by provider, which may not be nil. Closing it
// closes b.
func New(b storagedriver.Backend, provider trace.TracerProvider) storagedriver.Backend {
	tracer, name := provider.Tracer(Name), b.Name()
	return observe.New(b, func(ctx context.Context, c observe.Call) (context.Context, observe.Watch) {
		ctx, span := tracer.Start(ctx, "backend."+c.Operation, trace.WithSpanKind(trace.SpanKindInternal))
		if !span.IsRecording() {
			return ctx, observe.Watch{Ended: func(observe.Result) { span.End() }}
		}
		span.SetAttributes(attributesOf(name, c)...)
		return ctx, observe.Watch{
			Answered: func() { span.AddEvent("answered") },
			Ended: func(r observe.Result) {
				count(span, keyRead, r.Read)
				count(span, keyWritten, r.Written)
				end(span, r.Err)
			},
		}
	})
}

// Trace returns what makes a span, by provider, of every operation at a gate: see
// layers.WithTrace. provider may not be nil.
func Trace(provider trace.TracerProvider) layers.Trace {
	tracer := provider.Tracer(Name)
	return func(ctx context.Context, o layers.Operation) (context.Context, func(layers.Outcome)) {
		ctx, span := tracer.Start(ctx, o.Name, trace.WithSpanKind(trace.SpanKindInternal))
		if !span.IsRecording() {
			return ctx, func(layers.Outcome) { span.End() }
		}
		span.SetAttributes(attributesOf(o.Driver, observe.Call{Path: o.Path, Dest: o.Dest})...)
		return ctx, func(out layers.Outcome) {
			count(span, keyBytes, out.Bytes)
			end(span, out.Err)
		}
	}
}

func attributesOf(driver string, c observe.Call) []attribute.KeyValue {
	out := append(make([]attribute.KeyValue, 0, 5), keyDriver.String(driver))
	switch {
	case c.Dest != "":
		out = append(out, keySource.String(c.Path), keyDest.String(c.Dest))
	case c.Path != "":
		out = append(out, keyPath.String(c.Path))
	}
	if c.Offset != 0 || c.Number != 0 {
		out = append(out, keyOffset.Int64(c.Offset))
	}
	if c.Number != 0 {
		out = append(out, keyPart.Int(c.Number))
	}
	if c.Append {
		out = append(out, keyAppend.Bool(true))
	}
	return out
}

func count(span trace.Span, key attribute.Key, bytes int64) {
	if bytes > 0 {
		span.SetAttributes(key.Int64(bytes))
	}
}

// end ends the span with the verdict.
func end(span trace.Span, err error) {
	defer span.End()
	if err == nil {
		return
	}
	kind := storagedriver.KindOf(err)
	span.SetAttributes(keyError.String(kind.String()))
	if storagedriver.IsTemporary(err) {
		span.SetAttributes(keyTemporary.Bool(true))
	}
	if kind == storagedriver.KindNotFound {
		return
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
}
