package layers

import (
	"context"
	"slices"
)

// Traces returns a Trace that tells all of traces, in order, each with the context that the one
// before it made; their ends are called in the opposite order. nil ones are left out, and of
// none the result is nil.
func Traces(traces ...Trace) Trace {
	traces = slices.DeleteFunc(slices.Clone(traces), func(t Trace) bool { return t == nil })
	switch len(traces) {
	case 0:
		return nil
	case 1:
		return traces[0]
	}
	return func(ctx context.Context, o Operation) (context.Context, func(Outcome)) {
		var ends []func(Outcome)
		for _, t := range traces {
			var end func(Outcome)
			if ctx, end = t(ctx, o); end != nil {
				ends = append(ends, end)
			}
		}
		if len(ends) == 0 {
			return ctx, nil
		}
		return ctx, func(out Outcome) {
			for _, end := range slices.Backward(ends) {
				end(out)
			}
		}
	}
}
