package chunked_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// stuck leaves a Write of every part's body behind, to a pipe that nobody reads.
type stuck struct {
	*chunkedtest.Memory
	to    io.Writer
	ended chan error
}

func (s *stuck) PutPart(ctx context.Context, token string, part storagedriver.Part) ([]byte, error) {
	body, err := part.Body.Open(ctx)
	if err != nil {
		return nil, err
	}
	begun := make(chan struct{})
	go func() {
		_, err := body.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) {
			close(begun)
			return s.to.Write(p)
		}))
		s.ended <- err
	}()
	<-begun
	return s.Memory.PutPart(ctx, token, part)
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestAWriteThatIsStuckKeepsItsBytesAlone has nobody wait for it, and nobody use its bytes.
func TestAWriteThatIsStuckKeepsItsBytesAlone(t *testing.T) {
	m, o := backends["parts"](), options()
	read, to := io.Pipe()
	s := &stuck{Memory: m, to: to, ended: make(chan error, 1)}
	w, err := chunked.Open(t.Context(), s, target, false, o)
	ok(t, "Open", err)
	write(t, w, unique(partSize+1))
	ok(t, "Commit", w.Commit(t.Context()))
	if n := o.Budget.InUse(); n != int64(partSize) {
		t.Errorf("want the part whose bytes are being written in use, got %d bytes", n)
	}
	w, err = chunked.Open(t.Context(), m, target, false, o)
	ok(t, "Open", err)
	write(t, w, "other bytes in a buffer of the same size")
	got := make([]byte, partSize)
	if _, err := io.ReadFull(read, got); err != nil || string(got) != unique(partSize) {
		t.Errorf("the Write has %q, %v", got, err)
	}
	ok(t, "Cancel", w.Cancel(t.Context()))
	wantKind(t, "WriteTo after its call", <-s.ended, storagedriver.KindClosed)
	for deadline := time.Now().Add(10 * time.Second); o.Budget.InUse() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still in use", o.Budget.InUse())
		}
	}
}
