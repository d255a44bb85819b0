package testsuites_test

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// brokenBackend is a backend that is right in all but what the functions set here replace.
type brokenBackend struct {
	storagedriver.Backend
	stat       func(ctx context.Context, path string) (storagedriver.Entry, error)
	list       func(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error)
	read       func(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)
	put        func(ctx context.Context, path string, body storagedriver.Source) error
	deleteTree func(ctx context.Context, path string) error
	move       func(ctx context.Context, source, dest string) error
	concat     func(ctx context.Context, dest string, sources []string) error
}

func (b *brokenBackend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if b.stat != nil {
		return b.stat(ctx, path)
	}
	return b.Backend.Stat(ctx, path)
}

func (b *brokenBackend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if b.list != nil {
		return b.list(ctx, path, cursor, limit)
	}
	return b.Backend.List(ctx, path, cursor, limit)
}

func (b *brokenBackend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if b.read != nil {
		return b.read(ctx, path, offset, length)
	}
	return b.Backend.Read(ctx, path, offset, length)
}

func (b *brokenBackend) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if b.put != nil {
		return b.put(ctx, path, body)
	}
	return b.Backend.Put(ctx, path, body)
}

func (b *brokenBackend) DeleteTree(ctx context.Context, path string) error {
	if b.deleteTree != nil {
		return b.deleteTree(ctx, path)
	}
	return b.Backend.DeleteTree(ctx, path)
}

func (b *brokenBackend) Move(ctx context.Context, source, dest string) error {
	if b.move != nil {
		return b.move(ctx, source, dest)
	}
	return b.Backend.Move(ctx, source, dest)
}

func (b *brokenBackend) Concat(ctx context.Context, dest string, sources []string) error {
	if b.concat != nil {
		return b.concat(ctx, dest, sources)
	}
	return b.Backend.Concat(ctx, dest, sources)
}
