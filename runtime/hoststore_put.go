package runtime

import (
	"context"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/internal/nesting"
	"github.com/berth-dev/storagedriver/internal/served"
)

const (
	// smallPut is the most bytes that are collected for a store's PutContent, which leaves an unfinished upload at the path as it is.
	smallPut = 4 << 20
	// putMemory is the most bytes that all such content has in the process, for each reserve of package nesting: 16 of the longest
	// puts at a time.
	putMemory = 16 * smallPut
)

// putReserves are the memory of puts. Whoever waits for it has none: a call has one put under way, and those that feed it, and
// those of the drivers below, draw on other reserves.
var putReserves struct {
	mu   sync.Mutex
	list map[int]*semaphore.Weighted
}

func putReserve(n int) *semaphore.Weighted {
	putReserves.mu.Lock()
	defer putReserves.mu.Unlock()
	r := putReserves.list[n]
	if r == nil {
		if putReserves.list == nil {
			putReserves.list = map[int]*semaphore.Weighted{}
		}
		r = semaphore.NewWeighted(putMemory)
		putReserves.list[n] = r
	}
	return r
}

// storePut stores data, or what handles have.
func (in *instance) storePut(request []byte) (abi.Message, error) {
	var m abi.StorePutRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if len(m.Data) > 0 && len(m.Body) > 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "store_put: both data and body")
	}
	s, err := in.storeFor(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	if err := in.soleSink(abi.HostStorePut); err != nil {
		return nil, err
	}
	parts, err := in.sequence(m.Body)
	if err != nil {
		return nil, err
	}
	size := parts.size + int64(len(m.Data))
	if parts.size < 0 {
		size = -1
	}
	k, err := in.newStoreSink(s, m.Path, size)
	if err == nil {
		err = k.take(in.ctx, parts, m.Data)
	}
	parts.drop()
	if err != nil {
		return nil, err
	}
	return &abi.Empty{}, nil
}

// take makes data, or what parts have, the content.
func (k *storeSink) take(ctx context.Context, parts *sequence, data []byte) error {
	err := k.write(data)
	if err == nil {
		err = k.copy(ctx, parts)
	}
	if err == nil {
		return k.finish()
	}
	k.abort()
	return k.use.outcome(err)
}

// copy writes what parts have. They are closed when it returns, so that nothing is held that a Commit may wait for.
func (k *storeSink) copy(ctx context.Context, parts *sequence) error {
	r, err := parts.open(ctx)
	if err != nil {
		return err
	}
	buffer := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buffer)
	_, err = io.CopyBuffer(sinkWriter{k}, struct{ io.Reader }{r}, buffer[:])
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return err
}

type sinkWriter struct{ k *storeSink }

func (w sinkWriter) Write(p []byte) (int, error) {
	if err := w.k.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// soleSink refuses what might wait for what another call has that waits for what the open sink of this one has.
func (in *instance) soleSink(op abi.HostOp) error {
	for i := range in.table.slots {
		s := &in.table.slots[i]
		if s.kind != kindSink {
			continue
		}
		switch s.sink.(type) {
		case *httpSink:
			return storagedriver.Errorf(storagedriver.KindLimit, "%v: the sink of a request is open: finish or close it first", op)
		case *storeSink:
			return storagedriver.Errorf(storagedriver.KindLimit, "%v: the sink of a store is open: finish or close it first", op)
		}
	}
	return nil
}

// storeSink is content on its way into a store. Up to smallPut bytes are collected for one put; more goes on, with
// what was collected, through a Writer of the store's.
type storeSink struct {
	s       *store
	use     *storeUse
	path    string // the store's driver's
	content []byte
	most    int64  // bytes that are collected
	free    func() // gives the memory of content back
	w       storagedriver.FileWriter
}

// newStoreSink begins content of size bytes, -1 when that is not known. It waits for memory. finish or abort ends it.
func (in *instance) newStoreSink(s *store, path string, size int64) (*storeSink, error) {
	use, err := in.d.stores.begin(in.ctx, true)
	if err != nil {
		return nil, err
	}
	k := &storeSink{s: s, use: use, path: served.EscapePath(path), most: smallPut, free: func() {}}
	if most := s.Capabilities().MaxObject; most > 0 {
		k.most = min(k.most, most)
	}
	if size > k.most {
		k.most = -1
		return k, nil
	}
	if size >= 0 {
		k.most = size
	}
	below, err := s.deeper(use.ctx)
	if err == nil {
		memory, n := putReserve(nesting.Reserve(below)), k.most
		if err = memory.Acquire(use.ctx, n); err == nil {
			k.free = sync.OnceFunc(func() { memory.Release(n) })
			return k, nil
		}
	}
	use.end()
	return nil, use.outcome(err)
}

// write implements sink.
func (k *storeSink) write(p []byte) error {
	if err := k.use.ctx.Err(); err != nil {
		return k.use.outcome(err)
	}
	if k.w == nil && int64(len(k.content)+len(p)) <= k.most {
		if k.content == nil && len(p) > 0 {
			k.content = make([]byte, 0, k.most)
		}
		k.content = append(k.content, p...)
		return nil
	}
	if k.w == nil {
		w, err := k.s.Writer(k.use.ctx, k.path, false)
		if err != nil {
			return served.Cause(err)
		}
		k.w = w
		err = k.pass(k.content)
		k.content = nil
		k.free()
		if err != nil {
			return err
		}
	}
	return k.pass(p)
}

// pass gives p to the Writer.
func (k *storeSink) pass(p []byte) error {
	n, err := k.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return served.Cause(err)
}

// finish makes the content visible. The sink is done whatever comes.
func (k *storeSink) finish() error {
	var err error
	if k.w == nil {
		err = k.s.PutContent(k.use.ctx, k.path, k.content)
	} else {
		err = k.w.Commit(k.use.ctx)
	}
	if err != nil {
		k.abort()
		return k.use.outcome(served.Cause(err))
	}
	k.end()
	return nil
}

// abort implements sink: nothing of an upload is left either.
func (k *storeSink) abort() {
	if k.w != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(k.use.ctx), chunked.SuspendTimeout)
		defer cancel()
		_ = k.w.Cancel(ctx) // what ended the sink is the error to tell
	}
	k.end()
}

func (k *storeSink) end() {
	if k.w != nil {
		_ = k.w.Close() // nothing, after a commit or a cancel
	}
	k.content, k.w = nil, nil
	k.free()
	k.use.end()
}

// storeBegin starts content of unknown length.
func (in *instance) storeBegin(request []byte) (abi.Message, error) {
	var m abi.StoreRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := in.storeFor(m.Store, m.Path)
	if err != nil {
		return nil, err
	}
	if err := in.soleSink(abi.HostStoreBegin); err != nil {
		return nil, err
	}
	k, err := in.newStoreSink(s, m.Path, -1)
	if err != nil {
		return nil, err
	}
	h, err := in.table.add(slot{kind: kindSink, sink: k})
	if err != nil {
		k.abort()
		return nil, err
	}
	return &abi.SinkMessage{Sink: h}, nil
}

// storeFinish makes what was written into a sink visible.
func (in *instance) storeFinish(request []byte) (abi.Message, error) {
	var m abi.SinkMessage
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	sl, err := in.table.want(m.Sink, kindSink)
	if err != nil {
		return nil, err
	}
	k, ok := sl.sink.(*storeSink)
	if !ok {
		return nil, wrongSink(m.Sink, abi.HostStoreBegin)
	}
	in.table.remove(m.Sink)
	if err := k.finish(); err != nil {
		return nil, err
	}
	return &abi.Empty{}, nil
}
