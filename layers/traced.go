package layers

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// traced is the gate with a Trace: what Complete returns when there is one, so that
// without one nothing is in the way.
type traced struct {
	*gate
}

var _ storagedriver.StorageDriver = traced{}

// begin tells the trace of an operation. The func it returns is never nil.
func (t traced) begin(ctx context.Context, name, path string) (context.Context, func(Outcome)) {
	ctx, end := t.trace(ctx, Operation{Driver: t.name, Name: name, Path: path})
	if end == nil {
		end = untraced
	}
	return ctx, end
}

func untraced(Outcome) {}

// GetContent implements storagedriver.StorageDriver.
func (t traced) GetContent(ctx context.Context, path string) ([]byte, error) {
	ctx, end := t.begin(ctx, "GetContent", path)
	content, err := t.gate.GetContent(ctx, path)
	end(Outcome{Bytes: int64(len(content)), Err: err})
	return content, err
}

// PutContent implements storagedriver.StorageDriver.
func (t traced) PutContent(ctx context.Context, path string, content []byte) error {
	ctx, end := t.begin(ctx, "PutContent", path)
	err := t.gate.PutContent(ctx, path, content)
	if err != nil {
		end(Outcome{Err: err})
		return err
	}
	end(Outcome{Bytes: int64(len(content))})
	return nil
}

// Stat implements storagedriver.StorageDriver.
func (t traced) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	ctx, end := t.begin(ctx, "Stat", path)
	info, err := t.gate.Stat(ctx, path)
	end(Outcome{Err: err})
	return info, err
}

// List implements storagedriver.StorageDriver.
func (t traced) List(ctx context.Context, path string) ([]string, error) {
	ctx, end := t.begin(ctx, "List", path)
	children, err := t.gate.List(ctx, path)
	end(Outcome{Err: err})
	return children, err
}

// Move implements storagedriver.StorageDriver.
func (t traced) Move(ctx context.Context, sourcePath, destPath string) error {
	ctx, end := t.trace(ctx, Operation{Driver: t.name, Name: "Move", Path: sourcePath, Dest: destPath})
	err := t.gate.Move(ctx, sourcePath, destPath)
	if end != nil {
		end(Outcome{Err: err})
	}
	return err
}

// Delete implements storagedriver.StorageDriver.
func (t traced) Delete(ctx context.Context, path string) error {
	ctx, end := t.begin(ctx, "Delete", path)
	err := t.gate.Delete(ctx, path)
	end(Outcome{Err: err})
	return err
}

// RedirectURL implements storagedriver.StorageDriver. The URL, which may be signed, is not told.
func (t traced) RedirectURL(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	ctx, end := t.begin(ctx, "RedirectURL", path)
	url, err := t.gate.RedirectURL(ctx, path, options)
	end(Outcome{Err: err})
	return url, err
}

// Walk implements storagedriver.StorageDriver. What f takes is part of it.
func (t traced) Walk(ctx context.Context, path string, f storagedriver.WalkFunc, options ...func(*storagedriver.WalkOptions)) error {
	ctx, end := t.begin(ctx, "Walk", path)
	err := t.gate.Walk(ctx, path, f, options...)
	end(Outcome{Err: err})
	return err
}

// Reader implements storagedriver.StorageDriver.
func (t traced) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	ctx, end := t.trace(ctx, Operation{Driver: t.name, Name: "Reader", Path: path})
	r, err := t.gate.Reader(ctx, path, offset)
	switch {
	case end == nil:
		return r, err
	case err != nil:
		end(Outcome{Err: err})
		return nil, err
	}
	return &tracedReader{SizedReader: r.(*reader), end: end}, nil
}

// tracedReader ends its operation when it is closed.
type tracedReader struct {
	storagedriver.SizedReader
	end func(Outcome) // nil once it has been called
	out Outcome
}

func (r *tracedReader) Read(p []byte) (int, error) {
	n, err := r.SizedReader.Read(p)
	r.out.Bytes += int64(n)
	if err != nil && err != io.EOF && r.out.Err == nil {
		r.out.Err = err
	}
	return n, err
}

func (r *tracedReader) Close() error {
	err := r.SizedReader.Close()
	if r.end != nil {
		if r.out.Err == nil {
			r.out.Err = err
		}
		r.end(r.out)
		r.end = nil
	}
	return err
}

// Writer implements storagedriver.StorageDriver.
func (t traced) Writer(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	ctx, end := t.begin(ctx, "Writer", path)
	w, err := t.gate.Writer(ctx, path, append)
	end(Outcome{Err: err})
	if err != nil {
		return nil, err
	}
	return &tracedWriter{FileWriter: w, driver: t, ctx: ctx, path: path}, nil
}

// tracedWriter makes operations of what ends an upload or its writer.
type tracedWriter struct {
	storagedriver.FileWriter
	driver traced
	ctx    context.Context // the one given to Writer
	path   string
	ended  bool // Close has nothing to do
}

func (w *tracedWriter) Write(p []byte) (int, error) {
	n, err := w.FileWriter.Write(p)
	if err != nil {
		_, end := w.driver.begin(w.ctx, "Write", w.path)
		end(Outcome{Bytes: int64(n), Err: err})
	}
	return n, err
}

func (w *tracedWriter) Close() error {
	if w.ended {
		return w.FileWriter.Close()
	}
	w.ended = true
	_, end := w.driver.begin(w.ctx, "Close", w.path)
	err := w.FileWriter.Close()
	end(Outcome{Bytes: w.Size(), Err: err})
	return err
}

func (w *tracedWriter) Commit(ctx context.Context) error {
	ctx, end := w.driver.begin(ctx, "Commit", w.path)
	err := w.FileWriter.Commit(ctx)
	w.ended = w.ended || err == nil
	end(Outcome{Bytes: w.Size(), Err: err})
	return err
}

func (w *tracedWriter) Cancel(ctx context.Context) error {
	ctx, end := w.driver.begin(ctx, "Cancel", w.path)
	err := w.FileWriter.Cancel(ctx)
	w.ended = w.ended || err == nil
	end(Outcome{Err: err})
	return err
}
