package objects

import (
	"context"
	"io"
	"sync"

	"github.com/berth-dev/storagedriver/chunked"
)

// ahead is a queue of ranges without a gap from one byte to the end, the first few of which are being fetched to memory.
type ahead struct {
	ctx     context.Context // of their requests
	cancel  context.CancelFunc
	version *version
	from    int64 // where the first range began
	next    int64 // where the next to be fetched begins
	end     int64
	queue   []*fetched // in order; the first is the one that is read
	running sync.WaitGroup
}

// startAhead starts as many of the ranges from there to the end as there may be and memory is free for. It returns nil for none.
func startAhead(ctx context.Context, v *version, from, end int64) *ahead {
	a := &ahead{version: v, from: from, next: from, end: end}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.fill(v.o.Ahead)
	if len(a.queue) == 0 {
		a.cancel()
		return nil
	}
	return a
}

// fill lengthens the queue, up to most.
func (a *ahead) fill(most int) {
	for len(a.queue) < most && a.next < a.end {
		memory := a.version.o.Budget.TrySpare(a.ctx, a.version.o.Chunk)
		if memory == nil {
			return
		}
		a.fetch(memory)
	}
}

// fetch starts the next range.
func (a *ahead) fetch(memory *chunked.Spare) {
	size := min(a.version.o.Chunk, a.end-a.next)
	f := &fetched{memory: memory, data: memory.Bytes()[:size], more: make(chan struct{}, 1)}
	s := &stream{ctx: a.ctx, version: a.version, at: a.next, end: a.next + size}
	a.next += size
	a.queue = append(a.queue, f)
	a.running.Go(func() { f.fill(s) })
}

// read reads from the first range. The memory of one that has been read is that of the next.
func (a *ahead) read(ctx context.Context, p []byte) (int, error) {
	for len(a.queue) > 0 {
		f := a.queue[0]
		n, err := f.read(ctx, p)
		if err != io.EOF {
			return n, err
		}
		a.queue = a.queue[1:]
		if a.next < a.end {
			a.fetch(f.memory)
		} else {
			f.memory.Release()
		}
		a.fill(a.version.o.Ahead + 1)
	}
	return 0, io.EOF
}

// close ends the requests, and gives the memory back.
func (a *ahead) close() {
	a.cancel()
	a.running.Wait()
	for _, f := range a.queue {
		f.memory.Release()
	}
	a.queue = nil
}

// fetched is a range on its way to memory. One goroutine fills it and another reads.
type fetched struct {
	memory *chunked.Spare
	data   []byte
	taken  int           // by read
	more   chan struct{} // has an item when there may be more

	mu  sync.Mutex
	got int
	err error // io.EOF when the range is whole
}

func (f *fetched) fill(s *stream) {
	defer s.close()
	for at := 0; ; {
		n, err := s.Read(f.data[at:])
		at += n
		f.mu.Lock()
		f.got, f.err = at, err
		f.mu.Unlock()
		select {
		case f.more <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// read waits for bytes. After the last of a range, f.fill has ended.
func (f *fetched) read(ctx context.Context, p []byte) (int, error) {
	for {
		f.mu.Lock()
		got, err := f.got, f.err
		f.mu.Unlock()
		if f.taken < got {
			n := copy(p, f.data[f.taken:got])
			f.taken += n
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-f.more:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
