package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

// TestAPieceDoesNotWaitForItsUpload has a guest put something beside an upload that has all memory of the store's writers.
func TestAPieceDoesNotWaitForItsUpload(t *testing.T) {
	const piece = 2 << 20
	budget := chunked.NewBudget(delegatedPart)
	under := layers.Complete(inmemory.New(), layers.WithPartSize(delegatedPart), layers.WithBudget(budget))
	b, _ := granting(t, runtime.Config{}, under)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	up, err := b.OpenUpload(ctx, "/delegated/transformed-aside/a/data", false)
	ok(t, err, "OpenUpload")
	content, receipts := unique(4*piece), &storagedriver.Receipts{}
	for n := range 4 { // two pieces
		at := n * piece
		_, err = b.PutPart(ctx, up.Token, storagedriver.Part{Number: n + 1, Offset: int64(at), Body: storagedriver.BytesSource(content[at : at+piece])})
		ok(t, err, "PutPart")
		receipts.Set(storagedriver.Receipt{Number: n + 1, Offset: int64(at), Size: piece})
	}
	ok(t, b.CommitUpload(ctx, up.Token, receipts, nil), "CommitUpload")
	wantTransformed(t, under, content)
	last := content[2*piece:]
	wantContent(t, under, "/aside", slices.Concat(last, last, last))
	if n := budget.InUse(); n != 0 {
		t.Errorf("%d bytes of the budget are in use", n)
	}
}

// holding is a driver whose PutContent below a path waits for gate.
type holding struct {
	storagedriver.StorageDriver
	below string
	begun chan struct{}
	gate  chan struct{}
}

func (h holding) PutContent(ctx context.Context, path string, content []byte) error {
	if strings.HasPrefix(path, h.below) {
		h.begun <- struct{}{}
		<-h.gate
	}
	return h.StorageDriver.PutContent(ctx, path, content)
}

// TestAllClosesWaitForTheUploads closes a driver again while it has more uploads to suspend than it does at a time.
func TestAllClosesWaitForTheUploads(t *testing.T) {
	const uploads, atATime = 17, 16
	under := memory()
	slow := holding{under, "/in-store/", make(chan struct{}, 2*uploads), make(chan struct{})}
	b, _ := granting(t, runtime.Config{}, slow)
	for i := range uploads {
		up, err := b.OpenUpload(t.Context(), transformedPath+strings.Repeat("x", i), false)
		ok(t, err, "OpenUpload")
		_, err = b.PutPart(t.Context(), up.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource(unique(1000))})
		ok(t, err, "PutPart")
	}
	first, again := make(chan error, 1), make(chan error, 1)
	go func() { first <- b.Close() }()
	for range atATime {
		<-slow.begun
	}
	go func() { again <- b.Close() }()
	select {
	case err := <-again:
		t.Errorf("the second Close has come back before the first: %v", err)
		again <- nil
	default:
	}
	close(slow.gate)
	ok(t, <-first, "Close")
	ok(t, <-again, "Close again")
	for i := range uploads {
		if n := uploadSize(t, under, transformedDest+strings.Repeat("x", i)); n == 0 {
			t.Errorf("upload %d was not suspended", i)
		}
	}
}

// TestClosingAModuleHonoursTheContext has a store that does not end with its call's context.
func TestClosingAModuleHonoursTheContext(t *testing.T) {
	slow := holding{memory(), "/f", make(chan struct{}, 1), make(chan struct{})}
	d, m := granting(t, runtime.Config{}, slow)
	put := make(chan error, 1)
	go func() { put <- d.Put(context.Background(), "put under /f", storagedriver.BytesSource("x")) }()
	<-slow.begun
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- m.Close(ctx) }()
	var err error
	select {
	case err = <-closed:
	case <-time.After(10 * time.Second):
		t.Error("Close goes on after its context has ended")
	}
	close(slow.gate)
	<-put
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("closing while a store is called: %v, want the deadline", err)
	}
	ok(t, m.Close(t.Context()), "Close again")
}

// TestCloseEndsAPutWhoseBodyGoesOn closes the driver while a put collects what comes byte by byte.
func TestCloseEndsAPutWhoseBodyGoesOn(t *testing.T) {
	d, _ := granting(t, runtime.Config{}, memory())
	body := trickle{make(chan struct{}), 1 << 20}
	result, closed := make(chan error, 1), make(chan error, 1)
	go func() { result <- d.Put(context.Background(), "put under /f", body) }()
	body.next <- struct{}{}
	go func() { closed <- d.Close() }()
	for n := int64(1); n < body.size; n++ {
		select {
		case body.next <- struct{}{}:
			continue
		case err := <-closed:
			ok(t, err, "Close")
		}
		wantKind(t, <-result, storagedriver.KindClosed)
		return
	}
	t.Errorf("Close has waited for the whole body: %v, %v", <-closed, <-result)
}

// trickle is a source that gives a byte for each next.
type trickle struct {
	next chan struct{}
	size int64
}

func (s trickle) Size() int64 { return s.size }

func (s trickle) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(readerFunc(func(p []byte) (int, error) {
		<-s.next
		p[0] = 0
		return 1, nil
	}), s.size)), nil
}

// TestRecordsAreReadInPart has what a guest may have put where the host keeps its own.
func TestRecordsAreReadInPart(t *testing.T) {
	under := &countingReads{StorageDriver: memory()}
	b, _ := granting(t, runtime.Config{}, under)
	for i := range 100 {
		size := 1000
		if i == 0 {
			size = 20 << 20
		}
		ok(t, b.Put(t.Context(), fmt.Sprintf("put under %s~transformed/%03d", transformedDest, i), storagedriver.BytesSource(unique(size))), "Put")
	}
	d := layers.Complete(b)
	w, err := d.Writer(t.Context(), transformedPath, true)
	if ok(t, err, "Writer"); w.Size() != 0 {
		t.Errorf("it goes on at %d", w.Size())
	}
	if most := int64(4 << 20); under.read.Load() > most {
		t.Errorf("%d bytes of records were read, more than %d", under.read.Load(), most)
	}
	content := unique(9 << 20)
	write(t, w, content)
	ok(t, w.Commit(t.Context()), "Commit")
	ok(t, w.Close(), "Close")
	wantTransformed(t, under, content)
}

// countingReads is a driver that counts the bytes that are read.
type countingReads struct {
	storagedriver.StorageDriver
	read atomic.Int64
}

func (c *countingReads) GetContent(ctx context.Context, path string) ([]byte, error) {
	content, err := c.StorageDriver.GetContent(ctx, path)
	c.read.Add(int64(len(content)))
	return content, err
}

func (c *countingReads) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := c.StorageDriver.Reader(ctx, path, offset)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		c.read.Add(int64(n))
		return n, err
	}), r}, nil
}

// mortal is a store that a process reaches until it has put so many files.
type mortal struct {
	storagedriver.StorageDriver
	left *atomic.Int64
}

var errDead error = storagedriver.NewError(storagedriver.KindClosed, "the process is dead")

func (m mortal) PutContent(ctx context.Context, path string, content []byte) error {
	if m.left.Add(-1) < 0 {
		return errDead
	}
	return m.StorageDriver.PutContent(ctx, path, content)
}

func (m mortal) Delete(ctx context.Context, path string) error {
	if m.left.Load() <= 0 {
		return errDead
	}
	return m.StorageDriver.Delete(ctx, path)
}

// TestAWriterThatWasTakenOverIsNotTakenForAnother suspends an upload that another process has begun anew, with content of one size,
// and that dies when it has noted this and before its content is there.
func TestAWriterThatWasTakenOverIsNotTakenForAnother(t *testing.T) {
	const size = 4 << 20
	under := memory()
	receipts := &storagedriver.Receipts{}
	receipts.Set(storagedriver.Receipt{Number: 1, Size: size})
	var both [2]storagedriver.Backend
	var tokens [2]string
	for i, s := range []storagedriver.StorageDriver{under, mortal{under, new(atomic.Int64)}} {
		if m, ok := s.(mortal); ok {
			m.left.Store(2)
		}
		both[i], _ = granting(t, runtime.Config{}, s)
		up, err := both[i].OpenUpload(t.Context(), transformedPath, true)
		ok(t, err, "OpenUpload")
		tokens[i] = up.Token
		_, err = both[i].PutPart(t.Context(), up.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource(variant(byte(i+1), 0, size))})
		ok(t, err, "PutPart")
	}
	ok(t, both[0].SuspendUpload(t.Context(), tokens[0], receipts, nil), "SuspendUpload")
	if err := both[1].SuspendUpload(t.Context(), tokens[1], receipts, nil); err == nil {
		t.Error("both have suspended the upload")
	}
	next, _ := granting(t, runtime.Config{}, under)
	up, err := next.OpenUpload(t.Context(), transformedPath, true)
	if ok(t, err, "OpenUpload"); up.Resumed {
		t.Error("the upload goes on with the content of one and the state of the other")
	}
}
