package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// bufferSize is what content is copied through.
	bufferSize = 256 << 10
	// cleanTimeout bounds what removes an upload after its context has ended.
	cleanTimeout = 30 * time.Second
)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// counted tells how many bytes are read.
type counted struct {
	r     io.Reader
	tell  func(n int64)
	ended context.Context
}

func (c counted) Read(p []byte) (int, error) {
	if err := c.ended.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	if n > 0 {
		c.tell(int64(n))
	}
	return n, err
}

// copyInto is io.Copy through a buffer of the pool.
func copyInto(w io.Writer, r io.Reader) (int64, error) {
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buffer[:])
}

func digestOf(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// hashed returns the length and the digest of the content at path.
func hashed(ctx context.Context, d storagedriver.StorageDriver, path string, tell func(int64)) (int64, string, error) {
	r, err := d.Reader(ctx, path, 0)
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	h := sha256.New()
	n, err := copyInto(h, counted{r, tell, ctx})
	return n, digestOf(h), err
}

// giveUp ends an upload that failed: with keep it is suspended, for a later call to go on with, and otherwise removed.
func giveUp(ctx context.Context, w storagedriver.FileWriter, keep bool) {
	if !keep {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
		defer cancel()
		_ = w.Cancel(ctx) // what came before it is reported
	}
	_ = w.Close() // as above
}

// commit ends an upload well.
func commit(ctx context.Context, w storagedriver.FileWriter) error {
	if err := w.Commit(ctx); err != nil {
		return err
	}
	return w.Close()
}
