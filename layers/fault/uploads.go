package fault

import (
	"context"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// targets says which upload a token names, for patterns.
type targets struct {
	mu      sync.Mutex
	byToken map[string]string
}

func newTargets() *targets { return &targets{byToken: map[string]string{}} }

func (t *targets) set(token, path string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byToken[token] = path
}

func (t *targets) end(token string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byToken, token)
}

// of returns the target's path, or none when nobody has asked for it or the upload has ended.
func (t *targets) of(token string) []string {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if path, ok := t.byToken[token]; ok {
		return []string{path}
	}
	return nil
}

// OpenUpload implements storagedriver.Uploads.
func (b *backend) OpenUpload(ctx context.Context, path string, resume bool) (storagedriver.Upload, error) {
	c := b.begin(opOpenUpload, path)
	upload, err := result(ctx, c, func() (storagedriver.Upload, error) { return b.next.OpenUpload(ctx, path, resume) })
	if err != nil {
		return storagedriver.Upload{}, err
	}
	b.targets.set(upload.Token, path)
	if rules := c.at(body); len(rules) > 0 && upload.Tail != nil {
		upload.Tail = &faultySource{next: upload.Tail, rules: rules}
	}
	return upload, nil
}

// PutPart implements storagedriver.Uploads.
func (b *backend) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	c := b.begin(opPutPart, b.targets.of(token)...)
	part.Body = c.source(part.Body)
	return result(ctx, c, func() ([]byte, error) { return b.next.PutPart(ctx, token, part) })
}

// SuspendUpload implements storagedriver.Uploads.
func (b *backend) SuspendUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	c := b.begin(opSuspendUpload, b.targets.of(token)...)
	return c.run(ctx, func() error { return b.next.SuspendUpload(ctx, token, receipts, c.source(tail)) })
}

// CommitUpload implements storagedriver.Uploads.
func (b *backend) CommitUpload(ctx context.Context, token string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	c := b.begin(opCommitUpload, b.targets.of(token)...)
	err := c.run(ctx, func() error { return b.next.CommitUpload(ctx, token, receipts, c.source(last)) })
	if err == nil {
		b.targets.end(token)
	}
	return err
}

// CancelUpload implements storagedriver.Uploads.
func (b *backend) CancelUpload(ctx context.Context, token string) error {
	err := b.begin(opCancelUpload, b.targets.of(token)...).run(ctx, func() error { return b.next.CancelUpload(ctx, token) })
	if err == nil {
		b.targets.end(token)
	}
	return err
}

// AbortUploads implements storagedriver.Uploads.
func (b *backend) AbortUploads(ctx context.Context, path string) error {
	return b.begin(opAbortUploads, path).run(ctx, func() error { return b.next.AbortUploads(ctx, path) })
}

// ListUploads implements storagedriver.Uploads.
func (b *backend) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	q := question{op: opListUploads, path: path, cursor: cursor, limit: limit}
	return answered(ctx, b, opListUploads, q, func() (storagedriver.Page, error) {
		return b.next.ListUploads(ctx, path, cursor, limit)
	})
}
