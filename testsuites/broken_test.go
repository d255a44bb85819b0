package testsuites_test

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// broken is a driver that is right in all but what the functions set here replace.
type broken struct {
	storagedriver.StorageDriver
	getContent func(ctx context.Context, path string) ([]byte, error)
	putContent func(ctx context.Context, path string, content []byte) error
	reader     func(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	writer     func(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error)
	stat       func(ctx context.Context, path string) (storagedriver.FileInfo, error)
	list       func(ctx context.Context, path string) ([]string, error)
	move       func(ctx context.Context, source, dest string) error
	remove     func(ctx context.Context, path string) error
	walk       func(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error
	redirect   func(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error)
	name       func() string
	abilities  func() storagedriver.Ability
	close      func() error
	budget     int64 // what NewWithBudget was given, else 0
}

func (b *broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return b.StorageDriver.Name()
}

func (b *broken) Capabilities() storagedriver.Capabilities {
	c := b.StorageDriver.Capabilities()
	if b.abilities != nil {
		c.Abilities = b.abilities()
	}
	return c
}

func (b *broken) Close() error {
	if b.close != nil {
		return b.close()
	}
	return b.StorageDriver.Close()
}

func (b *broken) RedirectURL(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	if b.redirect != nil {
		return b.redirect(ctx, path, options)
	}
	return b.StorageDriver.RedirectURL(ctx, path, options)
}

func (b *broken) GetContent(ctx context.Context, path string) ([]byte, error) {
	if b.getContent != nil {
		return b.getContent(ctx, path)
	}
	return b.StorageDriver.GetContent(ctx, path)
}

func (b *broken) PutContent(ctx context.Context, path string, content []byte) error {
	if b.putContent != nil {
		return b.putContent(ctx, path, content)
	}
	return b.StorageDriver.PutContent(ctx, path, content)
}

func (b *broken) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if b.reader != nil {
		return b.reader(ctx, path, offset)
	}
	return b.StorageDriver.Reader(ctx, path, offset)
}

func (b *broken) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	if b.writer != nil {
		return b.writer(ctx, path, append)
	}
	return b.StorageDriver.Writer(ctx, path, append)
}

func (b *broken) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	if b.stat != nil {
		return b.stat(ctx, path)
	}
	return b.StorageDriver.Stat(ctx, path)
}

func (b *broken) List(ctx context.Context, path string) ([]string, error) {
	if b.list != nil {
		return b.list(ctx, path)
	}
	return b.StorageDriver.List(ctx, path)
}

func (b *broken) Move(ctx context.Context, source, dest string) error {
	if b.move != nil {
		return b.move(ctx, source, dest)
	}
	return b.StorageDriver.Move(ctx, source, dest)
}

func (b *broken) Delete(ctx context.Context, path string) error {
	if b.remove != nil {
		return b.remove(ctx, path)
	}
	return b.StorageDriver.Delete(ctx, path)
}

func (b *broken) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	if b.walk != nil {
		return b.walk(ctx, path, f, options...)
	}
	return b.StorageDriver.Walk(ctx, path, f, options...)
}

// brokenWriter is a writer that is right in all but what the functions set here replace.
type brokenWriter struct {
	storagedriver.FileWriter
	write  func(p []byte) (int, error)
	size   func() int64
	close  func() error
	commit func(ctx context.Context) error
	cancel func(ctx context.Context) error
}

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.write != nil {
		return w.write(p)
	}
	return w.FileWriter.Write(p)
}

func (w *brokenWriter) Size() int64 {
	if w.size != nil {
		return w.size()
	}
	return w.FileWriter.Size()
}

func (w *brokenWriter) Close() error {
	if w.close != nil {
		return w.close()
	}
	return w.FileWriter.Close()
}

func (w *brokenWriter) Commit(ctx context.Context) error {
	if w.commit != nil {
		return w.commit(ctx)
	}
	return w.FileWriter.Commit(ctx)
}

func (w *brokenWriter) Cancel(ctx context.Context) error {
	if w.cancel != nil {
		return w.cancel(ctx)
	}
	return w.FileWriter.Cancel(ctx)
}
