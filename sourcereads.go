package storagedriver

import "context"

// SourceReads says that a call whose body is read from the same Backend, and the reads it is
// made of, are one request: each waits for the others. A layer that bounds how many calls run at
// once grants them their places together, or callers that have some would wait for each other's.
type SourceReads struct {
	// Open is how many of the reads are open at one time, at least 1.
	Open int
}

type sourceReadsKey struct{}

// WithSourceReads returns a context for one such request: the call, and its reads, open of them
// at one time, are made under it. Each request has a context of its own.
func WithSourceReads(ctx context.Context, open int) context.Context {
	return context.WithValue(ctx, sourceReadsKey{}, &SourceReads{Open: max(1, open)})
}

// SourceReadsOf returns what WithSourceReads has put into ctx or one it comes from: the same pointer
// for all calls of one request; nil when there is none.
func SourceReadsOf(ctx context.Context) *SourceReads {
	s, _ := ctx.Value(sourceReadsKey{}).(*SourceReads)
	return s
}
