package egress

import "context"

type feedingKey struct{}

// Feeding marks a context under which the body of a request of the same Client is read: requests made under
// it must not wait for those that wait for them.
func Feeding(ctx context.Context) context.Context { return context.WithValue(ctx, feedingKey{}, true) }

func isFeeding(ctx context.Context) bool { return ctx.Value(feedingKey{}) != nil }

// NotFeeding returns a context under which requests feed none: those of another Client, beneath the one that is fed.
func NotFeeding(ctx context.Context) context.Context {
	if !isFeeding(ctx) {
		return ctx
	}
	return context.WithValue(ctx, feedingKey{}, nil)
}
