package served

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// flaky is a driver one of whose calls fails.
type flaky struct {
	storagedriver.StorageDriver
	left  atomic.Int64 // the call that fails, counted down
	after bool         // it has its effect first
}

// fail calls f, unless this is the call that fails before its effect.
func (d *flaky) fail(f func() error) error {
	now := d.left.Add(-1) == 0
	if now && !d.after {
		return errFlaky
	}
	if err := f(); err != nil || !now {
		return err
	}
	return errFlaky
}

var errFlaky error = &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("this call fails")}

func (d *flaky) Stat(ctx context.Context, path string) (info storagedriver.FileInfo, err error) {
	err = d.fail(func() (err error) { info, err = d.StorageDriver.Stat(ctx, path); return err })
	return info, err
}

func (d *flaky) Reader(ctx context.Context, path string, offset int64) (r io.ReadCloser, err error) {
	err = d.fail(func() (err error) { r, err = d.StorageDriver.Reader(ctx, path, offset); return err })
	if err != nil && r != nil {
		_ = r.Close()
	}
	return r, err
}

func (d *flaky) PutContent(ctx context.Context, path string, content []byte) error {
	return d.fail(func() error { return d.StorageDriver.PutContent(ctx, path, content) })
}

func (d *flaky) Delete(ctx context.Context, path string) error {
	return d.fail(func() error { return d.StorageDriver.Delete(ctx, path) })
}

func (d *flaky) Move(ctx context.Context, source, dest string) error {
	return d.fail(func() error { return d.StorageDriver.Move(ctx, source, dest) })
}

func (d *flaky) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	var w storagedriver.FileWriter
	err := d.fail(func() (err error) { w, err = d.StorageDriver.Writer(ctx, path, append); return err })
	if err != nil {
		if w != nil {
			_ = w.Close()
		}
		return nil, err
	}
	return flakyWriter{w, d}, nil
}

type flakyWriter struct {
	storagedriver.FileWriter
	d *flaky
}

func (w flakyWriter) Write(p []byte) (n int, err error) {
	err = w.d.fail(func() (err error) { n, err = w.FileWriter.Write(p); return err })
	return n, err
}

func (w flakyWriter) Commit(ctx context.Context) error {
	return w.d.fail(func() error { return w.FileWriter.Commit(ctx) })
}

func (w flakyWriter) Cancel(ctx context.Context) error {
	return w.d.fail(func() error { return w.FileWriter.Cancel(ctx) })
}

// Close fails after its effect alone: of one that suspends nothing the Size would be another.
func (w flakyWriter) Close() error {
	err := w.FileWriter.Close()
	if w.d.left.Add(-1) == 0 && err == nil {
		err = errFlaky
	}
	return err
}

// TestAFailingCallOfTheDriverLosesNothing has the first call of the driver fail, then the second and so on, and a client go on from the
// size that it is told.
func TestAFailingCallOfTheDriverLosesNothing(t *testing.T) {
	const partSize = 64
	content := make([]byte, 5*partSize+20)
	for i := range content {
		content[i] = byte(i*31) ^ byte(i>>3)
	}
	for _, after := range []bool{false, true} {
		calls := 0
		for n := int64(1); ; n++ {
			memory := inmemory.New()
			options := []layers.Option{layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(64 * partSize))}
			inner := layers.Complete(memory, options...)
			faulty := &flaky{StorageDriver: inner, after: after}
			faulty.left.Store(n)
			d := layers.Complete(New(faulty), options...)
			what := fmt.Sprintf("call %d (after its effect: %v)", n, after)
			if err := pushInSessions(t.Context(), d, content, partSize); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if err := d.Close(); err != nil && storagedriver.KindOf(err) != storagedriver.KindUnavailable {
				t.Errorf("%s: Close: %v", what, err)
			}
			if faulty.left.Load() > 0 {
				break
			}
			calls++
		}
		if calls < 15 {
			t.Errorf("only %d calls failed, want at least 15", calls)
		}
	}
}

// pushInSessions uploads content in three sessions, of which each may fail once, and looks at what it comes to.
func pushInSessions(ctx context.Context, d storagedriver.StorageDriver, content []byte, partSize int) error {
	const path = "/a/b/data"
	at, failures := int64(0), 0
	for _, end := range []int{2*partSize + 5, 2*partSize + 5, 4 * partSize, len(content)} {
		w, err := d.Writer(ctx, path, at > 0)
		if err != nil {
			failures++
			continue
		}
		if w.Size() != at {
			return fmt.Errorf("the Writer begins at %d, want %d", w.Size(), at)
		}
		if at < int64(end) {
			if _, err = w.Write(content[at:end]); err != nil {
				failures++
			}
		}
		if err := w.Close(); err != nil {
			failures++
		}
		at = w.Size()
	}
	if failures > 2 {
		return fmt.Errorf("one call failed, and %d of the client's", failures)
	}
	for n := 0; ; n++ {
		err := finish(ctx, d, path, content, at)
		if err == nil {
			break
		}
		got, readErr := d.GetContent(ctx, path)
		if readErr == nil && bytes.Equal(got, content) {
			break // the commit's answer was lost
		}
		if n > 0 {
			return fmt.Errorf("finishing at %d, once more: %w", at, err)
		}
		at = -1
	}
	got, err := d.GetContent(ctx, path)
	if err != nil { // it may be this call that failed
		got, err = d.GetContent(ctx, path)
	}
	if err != nil || !bytes.Equal(got, content) {
		return fmt.Errorf("the content: want %d bytes, got %d and %w", len(content), len(got), err)
	}
	return nil
}

// finish goes on from at, or wherever the upload is if that is -1, and commits.
func finish(ctx context.Context, d storagedriver.StorageDriver, path string, content []byte, at int64) error {
	w, err := d.Writer(ctx, path, at != 0)
	if err != nil {
		return err
	}
	defer w.Close()
	if at >= 0 && w.Size() != at {
		return fmt.Errorf("the Writer begins at %d, want %d", w.Size(), at)
	}
	if _, err := w.Write(content[w.Size():]); err != nil {
		return err
	}
	return w.Commit(ctx)
}
