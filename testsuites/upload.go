package testsuites

import (
	"io"

	"github.com/berth-dev/storagedriver"
)

// pieceSize is how many bytes of an upload are given to Write at once: not a divisor of any part.
const pieceSize = 100_003

// writer opens an upload. It is closed when the case is over.
func (e *env) writer(path string, append bool) storagedriver.FileWriter {
	e.Helper()
	return e.writerOf(e.d, path, append)
}

func (e *env) writerOf(d storagedriver.StorageDriver, path string, append bool) storagedriver.FileWriter {
	e.Helper()
	w, err := d.Writer(e.ctx, path, append)
	e.ok(err, "Writer %s (append: %v)", path, append)
	e.Cleanup(func() { _ = w.Close() }) // what a failed case left open
	return w
}

// feed writes to w the bytes of c from offset from to offset to, as many at once as piece says.
func feed(w io.Writer, c content, from, to, piece int64) error {
	buffer := make([]byte, min(piece, to-from))
	for from < to {
		p := buffer[:min(piece, to-from)]
		c.fill(p, from)
		n, err := w.Write(p)
		if err != nil {
			return err
		}
		if n != len(p) {
			return io.ErrShortWrite
		}
		from += int64(n)
	}
	return nil
}

// write writes to w the bytes of c from offset from to offset to.
func (e *env) write(w storagedriver.FileWriter, c content, from, to int64) {
	e.Helper()
	e.ok(feed(w, c, from, to, pieceSize), "Write")
}

// wantSize wants w to report size.
func (e *env) wantSize(w storagedriver.FileWriter, size int64, when string) {
	e.Helper()
	if got := w.Size(); got != size {
		e.Fatalf("Size %s: want %d, got %d", when, size, got)
	}
}

// close suspends w, or ends it after its commit.
func (e *env) close(w storagedriver.FileWriter) {
	e.Helper()
	e.ok(w.Close(), "Close of a writer")
}

// commit commits and closes w.
func (e *env) commit(w storagedriver.FileWriter) {
	e.Helper()
	e.ok(w.Commit(e.ctx), "Commit")
	e.close(w)
}

// cancel cancels w.
func (e *env) cancel(w storagedriver.FileWriter) {
	e.Helper()
	e.ok(w.Cancel(e.ctx), "Cancel")
}

// upload writes all of c to path through a writer.
func (e *env) upload(path string, c content) {
	e.Helper()
	w := e.writer(path, false)
	e.write(w, c, 0, c.size)
	e.commit(w)
}

// suspend writes the first size bytes of c to a fresh upload to path and suspends it.
func (e *env) suspend(path string, c content, size int64) storagedriver.FileWriter {
	e.Helper()
	w := e.writer(path, false)
	e.write(w, c, 0, size)
	e.close(w)
	return w
}

// resume opens the suspended upload to path on d, which must have size bytes.
func (e *env) resume(d storagedriver.StorageDriver, path string, size int64) storagedriver.FileWriter {
	e.Helper()
	w := e.writerOf(d, path, true)
	e.wantSize(w, size, "of the resumed upload to "+path)
	return w
}

// wantNoUpload wants no unfinished upload to path, where nothing is committed.
func (e *env) wantNoUpload(path string) {
	e.Helper()
	w := e.writer(path, true)
	e.wantSize(w, 0, "of an upload to "+path+", where none is unfinished,")
	e.close(w)
}
