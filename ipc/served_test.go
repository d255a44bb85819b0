//go:build unix

package ipc

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// connected opens a Backend that is served in this process, so that the race detector sees both ends.
func connected(t testing.TB, served storagedriver.Backend) *backend {
	t.Helper()
	host, driver := socketEnds(t)
	c := Config{Logger: (&lines{}).logger(), Settle: 30 * time.Second}.withDefaults()
	b := newBackend(&Driver{path: "in this process", cfg: c, manifest: aManifest}, guest.Values{})
	b.life, b.end = context.WithCancel(context.Background())
	r := &running{p: &process{host: host, gone: true, over: make(chan struct{}), state: "exit status 0"}, grace: c.Grace, started: time.Now()}
	r.link = newLink(host, &c, func(text string) string { return text })
	go func() {
		defer close(r.p.over)
		err := serve(context.Background(), driver, []byte(`{"name":"test"}`), func(context.Context, map[string]any) (storagedriver.Backend, error) { return served, nil })
		if err != nil {
			r.p.state = err.Error()
		}
	}()
	go r.receive()
	go r.watch()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if r.p.state != "exit status 0" {
			t.Errorf("the driver ended with %q", r.p.state)
		}
	})
	b.running = r
	if _, err := r.greet(t.Context()); err != nil {
		t.Fatal(err)
	}
	var reply abi.OpenReply
	if err := r.do(t.Context(), abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")}, &reply); err != nil {
		t.Fatal(err)
	}
	b.Caps = storagedriver.Capabilities{Abilities: storagedriver.Ability(reply.Caps), MaxObject: reply.MaxObject}
	r.caps = b.Caps
	return b
}

// socketEnds are those of a socket.
func socketEnds(t testing.TB) (host, driver *net.UnixConn) {
	t.Helper()
	pair, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	conns := make([]*net.UnixConn, 2)
	for i, fd := range pair {
		f := os.NewFile(uintptr(fd), "socket")
		conn, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close() // conn has its own
		conns[i] = conn.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// own is a Backend in memory some of whose methods are the test's.
type own struct {
	*inmemory.Driver
	put     func(ctx context.Context, path string, body storagedriver.Source) error
	read    func(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error)
	stat    func(ctx context.Context, path string) (storagedriver.Entry, error)
	open    func(ctx context.Context, path string) (storagedriver.Upload, error)
	commit  func(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) error
	putPart func(ctx context.Context, part storagedriver.Part) ([]byte, error)
}

func (o *own) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: o.Driver.Capabilities().Abilities | storagedriver.AbilityParts}
}

func (o *own) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if o.put != nil {
		return o.put(ctx, path, body)
	}
	return o.Driver.Put(ctx, path, body)
}

func (o *own) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if o.read != nil {
		return o.read(ctx, path, offset, length)
	}
	return o.Driver.Read(ctx, path, offset, length)
}

func (o *own) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if o.stat != nil {
		return o.stat(ctx, path)
	}
	return o.Driver.Stat(ctx, path)
}

func (o *own) OpenUpload(ctx context.Context, path string, _ bool) (storagedriver.Upload, error) {
	return o.open(ctx, path)
}

func (o *own) PutPart(ctx context.Context, _ string, part storagedriver.Part) ([]byte, error) {
	return o.putPart(ctx, part)
}

func (o *own) CommitUpload(ctx context.Context, _ string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	return o.commit(ctx, receipts, last)
}

// plain is a Source whose readers are readers and no more.
type plain []byte

func (p plain) Size() int64 { return int64(len(p)) }

func (p plain) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(struct{ io.Reader }{bytes.NewReader(p)}), nil
}

// odd is a Source that promises size bytes, has others, and ends with an error.
type odd struct {
	size   int64
	has    []byte
	err    error
	opened *atomic.Int64
	most   int64 // openings that succeed; 0: all
	closed *atomic.Int64
}

func (o odd) Size() int64 { return o.size }

func (o odd) Open(context.Context) (io.ReadCloser, error) {
	if n := o.opened.Add(1); o.most > 0 && n > o.most {
		return nil, o.err
	}
	tail := io.Reader(bytes.NewReader(nil))
	if o.err != nil && o.most == 0 {
		tail = failing{o.err}
	}
	return counted{io.MultiReader(bytes.NewReader(o.has), tail), o.closed}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type counted struct {
	io.Reader
	closed *atomic.Int64
}

func (c counted) Close() error {
	c.closed.Add(1)
	return nil
}

func newOdd(size int64, has []byte, err error) odd {
	return odd{size: size, has: has, err: err, opened: new(atomic.Int64), closed: new(atomic.Int64)}
}

func getAll(t testing.TB, b *backend, path string) []byte {
	t.Helper()
	r, n, err := b.Read(t.Context(), path, 0, -1)
	if err != nil {
		t.Fatalf("reading %s: %v", path, err)
	}
	got, err := readAll(r)
	if err != nil || int64(len(got)) != n {
		t.Fatalf("reading %s: %d of %d bytes, %v", path, len(got), n, err)
	}
	return got
}
