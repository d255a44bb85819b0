// Package readonly is the layer that refuses every change.
package readonly

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// changing are the abilities that nothing of a read-only driver can use.
const changing = storagedriver.AbilityCopy | storagedriver.AbilityMove | storagedriver.AbilityMoveTree |
	storagedriver.AbilityConcat | storagedriver.AbilityDeleteTree | storagedriver.AbilityAppendCommitted |
	storagedriver.AbilityConditional | storagedriver.AbilityIdempotent

// New returns b without its changing operations: they are KindPermission and never reach b.
// Reads pass. Closing it closes b.
//
// Its Capabilities are those of b without the abilities to change. AbilityParts is among what it
// declares even where b has none: a Writer asks for parts at once, and is refused when it is opened and not
// when it has its first bytes to store.
func New(b storagedriver.Backend) storagedriver.Backend { return readOnly{Backend: b} }

type readOnly struct {
	storagedriver.Backend
}

func refused() error {
	return storagedriver.NewError(storagedriver.KindPermission, "the configuration makes this driver read-only (layers.readonly)")
}

// Capabilities implements storagedriver.Backend.
func (r readOnly) Capabilities() storagedriver.Capabilities {
	c := r.Backend.Capabilities()
	c.Abilities = c.Abilities&^changing | storagedriver.AbilityParts
	return c
}

// Redirect implements storagedriver.Backend. An address that was signed for anything but reading would be a change
// that passes by here.
func (r readOnly) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	switch options.Method {
	case "", "GET", "HEAD":
		return r.Backend.Redirect(ctx, path, options)
	}
	return "", refused()
}

// Put implements storagedriver.Backend.
func (readOnly) Put(context.Context, string, storagedriver.Source) error { return refused() }

// Delete implements storagedriver.Backend.
func (readOnly) Delete(context.Context, string) error { return refused() }

// DeleteTree implements storagedriver.Backend.
func (readOnly) DeleteTree(context.Context, string) error { return refused() }

// Copy implements storagedriver.Backend.
func (readOnly) Copy(context.Context, string, string) error { return refused() }

// Move implements storagedriver.Backend.
func (readOnly) Move(context.Context, string, string) error { return refused() }

// Concat implements storagedriver.Backend.
func (readOnly) Concat(context.Context, string, []string) error { return refused() }

// OpenUpload implements storagedriver.Uploads.
func (readOnly) OpenUpload(context.Context, string, bool) (storagedriver.Upload, error) {
	return storagedriver.Upload{}, refused()
}

// PutPart implements storagedriver.Uploads.
func (readOnly) PutPart(context.Context, string, storagedriver.Part) ([]byte, error) {
	return nil, refused()
}

// SuspendUpload implements storagedriver.Uploads.
func (readOnly) SuspendUpload(context.Context, string, *storagedriver.Receipts, storagedriver.Source) error {
	return refused()
}

// CommitUpload implements storagedriver.Uploads.
func (readOnly) CommitUpload(context.Context, string, *storagedriver.Receipts, storagedriver.Source) error {
	return refused()
}

// CancelUpload implements storagedriver.Uploads.
func (readOnly) CancelUpload(context.Context, string) error { return refused() }

// AbortUploads implements storagedriver.Uploads.
func (readOnly) AbortUploads(context.Context, string) error { return refused() }
