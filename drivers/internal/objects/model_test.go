package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
	"pgregory.net/rapid"
)

// memory is an object in memory that is stricter than a service: no request but the first comes without a tag, no body is read after
// its end, its Close or its context's, and all are closed.
type memory struct {
	t      interface{ Errorf(string, ...any) }
	breaks func(number int) (after int, err error) // of the body of a request; no error is no break
	before func(number int) error                  // a request is answered; called with mu held
	stalls func(number int) bool                   // the body of a request, until its context ends
	ending func()                                  // a Read that stalled

	mu       sync.Mutex
	content  []byte
	tag      string
	requests int
	bodies   int
}

func (m *memory) number() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests
}

func (m *memory) check() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bodies != 0 {
		m.t.Errorf("%d bodies were left open", m.bodies)
	}
}

func (m *memory) open(ctx context.Context, offset, length int64, tag string) (objects.Opened, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	number := m.requests
	m.requests++
	if number > 0 && tag == "" {
		m.t.Errorf("request %d has no tag", number)
	}
	if err := ctx.Err(); err != nil {
		return objects.Opened{}, err
	}
	if m.before != nil {
		if err := m.before(number); err != nil {
			return objects.Opened{}, err
		}
	}
	if tag != "" && tag != m.tag {
		return objects.Opened{}, storagedriver.NewError(storagedriver.KindConflict, "another version")
	}
	data := m.content[offset:]
	if length >= 0 {
		data = data[:min(length, int64(len(data)))]
	}
	m.bodies++
	body := &memoryBody{of: m, ctx: ctx, data: data, err: io.EOF}
	body.stalls = m.stalls != nil && m.stalls(number)
	if m.breaks != nil {
		if after, err := m.breaks(number); err != nil && after < len(data) {
			body.data, body.err = data[:after], err
		}
	}
	return objects.Opened{Body: body, Length: int64(len(data)), Size: int64(len(m.content)), Tag: m.tag}, nil
}

type memoryBody struct {
	of            *memory
	ctx           context.Context
	data          []byte
	err           error
	stalls        bool
	ended, closed bool
}

func (b *memoryBody) Read(p []byte) (int, error) {
	if b.ended || b.closed {
		b.of.t.Errorf("a body is read after its end or Close")
	}
	if b.stalls {
		<-b.ctx.Done()
		if b.of.ending != nil {
			b.of.ending()
		}
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	if len(b.data) == 0 && (n == 0 || n%2 == 0) {
		b.ended = true
		return n, b.err
	}
	return n, nil
}

func (b *memoryBody) Close() error {
	if b.closed {
		b.of.t.Errorf("a body is closed twice")
	}
	b.closed = true
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	b.of.bodies--
	return nil
}

var (
	errBroken  = errors.New("connection reset by peer")
	errBusy    = &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New("slow down")}
	errRefused = storagedriver.NewError(storagedriver.KindPermission, "denied")
)

// TestABodyGivesTheRightBytes has connections break, the service refuse, and the object be replaced wherever rapid draws it.
func TestABodyGivesTheRightBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 20_000).Draw(t, "size")
		offset := rapid.IntRange(0, size).Draw(t, "offset")
		length := rapid.IntRange(-1, size).Draw(t, "length")
		breaks := rapid.SliceOfN(rapid.IntRange(-1, 6000), 0, 30).Draw(t, "bytes before each request's connection breaks")
		answers := rapid.SliceOfN(rapid.SampledFrom([]error{nil, nil, nil, errBusy}), 0, 10).Draw(t, "answers")
		refused := rapid.IntRange(-60, 60).Draw(t, "refused from request")
		replaced := rapid.IntRange(-60, 60).Draw(t, "replaced before request")
		closeAfter := rapid.IntRange(-2*size-1, 2*size).Draw(t, "closed after bytes")
		o := objects.BodyOptions{
			Pause:    time.Nanosecond,
			Attempts: rapid.IntRange(1, 50).Draw(t, "attempts"),
			Ahead:    rapid.IntRange(0, 4).Draw(t, "ahead"),
			Chunk:    int64(rapid.IntRange(1, 5000).Draw(t, "chunk")),
			Budget:   chunked.NewBudget(int64(rapid.IntRange(1, 40_000).Draw(t, "budget"))),
		}
		m := &memory{t: t, content: randomBytes(size), tag: "1"}
		m.breaks = func(number int) (int, error) {
			if number < len(breaks) && breaks[number] >= 0 {
				return breaks[number], []error{errBroken, io.EOF, io.ErrUnexpectedEOF}[number%3]
			}
			return 0, nil
		}
		m.before = func(number int) error {
			if number == replaced && number > 0 {
				m.content, m.tag = randomBytes(size+1), "2"
			}
			switch {
			case number > 0 && refused > 0 && number >= refused:
				return errRefused
			case number > 0 && number < len(answers):
				return answers[number]
			}
			return nil
		}
		want := m.content[offset:]
		if length >= 0 {
			want = want[:min(length, len(want))]
		}
		body, _, err := objects.Open(t.Context(), m.open, int64(offset), int64(length), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for err == nil && (closeAfter < 0 || len(got) < closeAfter) {
			p := make([]byte, rapid.IntRange(1, 7000).Draw(t, "read"))
			var n int
			n, err = body.Read(p)
			got = append(got, p[:n]...)
		}
		if !bytes.HasPrefix(want, got) {
			t.Fatalf("got %d bytes that are not those of the object", len(got))
		}
		switch kind := storagedriver.KindOf(err); {
		case err == nil:
		case err == io.EOF:
			if len(got) != len(want) {
				t.Fatalf("the end came after %d of %d bytes", len(got), len(want))
			}
		case kind == storagedriver.KindConflict && replaced > 0, kind == storagedriver.KindPermission && refused > 0:
		case kind == storagedriver.KindUnavailable && storagedriver.IsTemporary(err):
			if m.number() <= o.Attempts {
				t.Fatalf("it gave up after %d requests, with %d attempts: %v", m.number(), o.Attempts, err)
			}
		default:
			t.Fatalf("unexpected: %v", err)
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
		if n := o.Budget.InUse(); n != 0 {
			t.Fatalf("%d bytes were not given back", n)
		}
		m.check()
	})
}
