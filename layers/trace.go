package layers

import (
	"context"
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Operation is one call at the gate.
type Operation struct {
	// Driver is the driver's name.
	Driver string
	// Name is the method, as in storagedriver.Error.Op: "Stat", or "Commit" of a writer.
	Name string
	// Path is what the call is about: the source of a Move, the target of a writer.
	Path string
	// Dest is where a Move leads, and otherwise empty.
	Dest string
}

// Outcome is how an operation ended.
type Outcome struct {
	// Bytes of content were read or written: what was read of a Reader before it was
	// closed, and the upload's size at Close and Commit. Listings have none.
	Bytes int64
	// Err is the error that the caller got, or nil.
	Err error
}

// Trace is told of every call at the gate as it begins, and returns the context to run it
// under and what to call once when it ends. Without an end, which may be nil, the call
// costs nothing more.
//
// The context it returns reaches the backend and, of Reader and Writer, governs what they
// return; it must be ctx or made of it. Of a writer's Close and Write, which run under the
// context given to Writer, it is not used. A Reader ends when it is closed, or at once when it
// fails. A Writer's opening, Close, Commit and Cancel are operations of their own; a
// Write, of which there are thousands, is one only when it fails. A Close that has nothing
// left to do is none, and neither are Name, Capabilities and the Close of a driver.
//
// It is called concurrently, must not block, and must not keep ctx beyond the end.
type Trace func(ctx context.Context, o Operation) (context.Context, func(Outcome))

// WithTrace makes the gate tell trace of every operation. nil is no tracing, the default.
func WithTrace(trace Trace) Option {
	return func(g *gate) { g.trace = trace }
}

// LogTrace returns a Trace that logs each operation as it ends, at slog.LevelDebug, with
// driver, operation, path, dest (of a Move), duration, bytes and, of a failure, the error's
// kind and text. Where the logger is not enabled for that level, operations are not timed.
// logger may not be nil.
func LogTrace(logger *slog.Logger) Trace {
	return func(ctx context.Context, o Operation) (context.Context, func(Outcome)) {
		if !logger.Enabled(ctx, slog.LevelDebug) {
			return ctx, nil
		}
		begun := time.Now()
		return ctx, func(out Outcome) {
			attrs := make([]slog.Attr, 0, 8)
			attrs = append(attrs, slog.String("driver", o.Driver), slog.String("operation", o.Name), slog.String("path", o.Path))
			if o.Dest != "" {
				attrs = append(attrs, slog.String("dest", o.Dest))
			}
			attrs = append(attrs, slog.Duration("duration", time.Since(begun)), slog.Int64("bytes", out.Bytes))
			if out.Err != nil {
				attrs = append(attrs, slog.String("kind", storagedriver.KindOf(out.Err).String()), slog.String("error", out.Err.Error()))
			}
			logger.LogAttrs(context.WithoutCancel(ctx), slog.LevelDebug, "storage", attrs...)
		}
	}
}
