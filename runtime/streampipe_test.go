package runtime

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// reading is a stream whose guest is the test: it has begun.
type reading struct{ p *pipe }

func (r reading) Read(b []byte) (int, error) {
	got, err := r.p.next(len(b))
	if err != nil {
		return 0, err
	}
	n := copy(b, got)
	return n, r.p.took(n)
}

func TestPipesCarryWhatIsWanted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 3*pipeSize)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	for range 300 {
		skip, want := random.Int64N(pipeSize), random.Int64N(2*pipeSize)
		p := newPipe(skip, want)
		most := 1 + random.IntN(pipeSize)
		var group sync.WaitGroup
		group.Go(func() {
			rest := content
			for len(rest) > 0 {
				n := min(1+random.IntN(most), len(rest))
				if err := p.write(rest[:n]); err != nil {
					if !errors.Is(err, errStreamOver) {
						t.Error(err)
					}
					break
				}
				rest = rest[n:]
			}
			p.end(nil)
		})
		var got []byte
		buf := make([]byte, 1+pipeSize/3)
		var err error
		for err == nil {
			var n int
			n, err = reading{p}.Read(buf)
			got = append(got, buf[:n]...)
		}
		group.Wait()
		if err != io.EOF || !bytes.Equal(got, content[skip:skip+want]) {
			t.Fatalf("skip %d, want %d: %d bytes, %v", skip, want, len(got), err)
		}
		if p.buf != nil || p.pooled != nil {
			t.Fatal("the buffer was not given back")
		}
	}
}

func TestPipesTellHowTheyEnd(t *testing.T) {
	cause := storagedriver.NewError(storagedriver.KindUnavailable, "gone")
	read := func(p *pipe) (string, error) {
		b, err := io.ReadAll(reading{p})
		return string(b), err
	}
	for name, c := range map[string]struct {
		do   func(p *pipe)
		got  string
		kind storagedriver.Kind
	}{
		"all":                      {func(p *pipe) { _ = p.write([]byte("012345")); p.end(nil) }, "2345", storagedriver.KindUnknown},
		"all, and then an error":   {func(p *pipe) { _ = p.write([]byte("012345")); p.end(cause) }, "2345", storagedriver.KindUnknown},
		"too little":               {func(p *pipe) { _ = p.write([]byte("0123")); p.end(nil) }, "23", storagedriver.KindCorrupt},
		"less than is skipped":     {func(p *pipe) { _ = p.write([]byte("0")); p.end(nil) }, "", storagedriver.KindCorrupt},
		"an error halfway":         {func(p *pipe) { _ = p.write([]byte("0123")); p.end(cause) }, "23", storagedriver.KindUnavailable},
		"ended from outside":       {func(p *pipe) { _ = p.write([]byte("0123")); p.fail(cause) }, "", storagedriver.KindUnavailable},
		"ended after the guest":    {func(p *pipe) { _ = p.write([]byte("012345")); p.end(nil); p.fail(cause) }, "", storagedriver.KindUnavailable},
		"the first end is right":   {func(p *pipe) { _ = p.write([]byte("0123")); p.end(cause); p.end(nil) }, "23", storagedriver.KindUnavailable},
		"ended twice from outside": {func(p *pipe) { p.fail(cause); p.fail(errStreamOver) }, "", storagedriver.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipe(2, 4)
			c.do(p)
			got, err := read(p)
			if got != c.got || (err == nil) != (c.kind == storagedriver.KindUnknown) || err != nil && storagedriver.KindOf(err) != c.kind {
				t.Errorf("%q, %v; want %q and kind %v", got, err, c.got, c.kind)
			}
			if err := p.write([]byte("x")); storagedriver.KindOf(err) != storagedriver.KindCanceled {
				t.Errorf("writing afterwards: %v", err)
			}
		})
	}
}

// faulty fails after some bytes.
type faulty struct{ left int }

func (w *faulty) Write(p []byte) (int, error) {
	n := min(w.left, len(p))
	w.left -= n
	if n < len(p) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

func TestAStreamIsCopiedUntilTheWriterFails(t *testing.T) {
	p := newPipe(0, 10)
	if err := p.write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	p.end(nil)
	s := &stream{pipe: p, begun: true}
	if n, err := s.WriteTo(&faulty{left: 4}); n != 4 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%d, %v", n, err)
	}
	if rest, err := io.ReadAll(s); err != nil || string(rest) != "456789" {
		t.Errorf("the rest is %q, %v", rest, err)
	}
	if n, err := s.WriteTo(io.Discard); n != 0 || err != nil {
		t.Errorf("after the end: %d, %v", n, err)
	}
}
