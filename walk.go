package storagedriver

import "errors"

// WalkFunc is called for each file and directory by Walk. It returns nil to go on,
// ErrSkipDir to leave out what lies below the directory it was called with (of a file it
// means nothing), ErrFilledBuffer to end the walk, which then returns nil, and any
// other error to end the walk with that very error.
type WalkFunc func(info FileInfo) error

// ErrSkipDir is returned by a WalkFunc to leave out a directory's content.
var ErrSkipDir = errors.New("skip this directory")

// ErrFilledBuffer is returned by a WalkFunc that has enough entries.
var ErrFilledBuffer = errors.New("we have enough entries")

// WalkOptions are set by the options given to Walk.
type WalkOptions struct {
	// StartAfterHint names the entry after which the walk begins: it and what sorts
	// before it are not called back; what lies below it is. "" begins at the start.
	StartAfterHint string
}

// WithStartAfterHint makes Walk begin after the entry with the full path
// startAfterHint, which need not exist.
func WithStartAfterHint(startAfterHint string) func(*WalkOptions) {
	return func(o *WalkOptions) { o.StartAfterHint = startAfterHint }
}
