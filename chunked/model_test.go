package chunked_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"pgregory.net/rapid"
)

// machine drives writers of one target and knows what the contract says of them.
type machine struct {
	m       *chunkedtest.Memory
	o       chunked.Options
	writers int // the most that are open at a time
	open    []*session
	had     [][]byte // every content a writer had when it ended
	visible []byte   // nil is none
	// suspended is the suspended upload, nil for none. With several writers at a time it
	// is the backend's timing that decides, and any of had is right.
	suspended []byte
}

// session is one open writer.
type session struct {
	w        *chunked.Writer
	resumed  [][]byte // what its beginning may be
	written  []byte   // after that
	accepted bool
}

func (s *session) size() int64 { return int64(len(s.resumed[0]) + len(s.written)) }

// TestModel runs one or three writers at a time and holds each answer to the contract.
func TestModel(t *testing.T) {
	for name, newBackend := range backends {
		for _, writers := range []int{1, 3} {
			t.Run(name+"/"+strings.Repeat("w", writers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rapid.Check(bubbled{t}, func(t *rapid.T) { runModel(t, newBackend(), writers) })
				})
			})
		}
	}
}

// bubbled hides Deadline, which rapid asks for and which a bubble does not have.
type bubbled struct{ rapid.TB }

func runModel(t *rapid.T, m *chunkedtest.Memory, writers int) {
	x := &machine{m: m, o: options(), writers: writers}
	m.Page = rapid.IntRange(1, 5).Draw(t, "page")
	t.Repeat(map[string]func(*rapid.T){
		"": x.check, "open": x.begin, "write": x.write, "close": x.close, "cancel": x.cancel, "commit": x.commit,
	})
	for _, s := range x.open {
		_ = s.w.Close()
	}
	if b := m.Breaches(); len(b) > 0 {
		t.Fatalf("breaches of the backend's contract: %v", b)
	}
	if n := x.o.Budget.InUse(); n != 0 {
		t.Fatalf("%d bytes of the budget are still in use", n)
	}
}

func (x *machine) alone() bool { return x.writers == 1 }

// check: what is visible is what was committed last.
func (x *machine) check(t *rapid.T) {
	got, visible := x.m.Content()[target]
	if visible != (x.visible != nil) || got != string(x.visible) {
		t.Fatalf("visible: %t %q, want %t %q", visible, got, x.visible != nil, x.visible)
	}
}

func (x *machine) begin(t *rapid.T) {
	if len(x.open) == x.writers {
		t.Skip("as many as there may be")
	}
	resume := rapid.Bool().Draw(t, "append")
	w, err := chunked.Open(t.Context(), x.m, target, resume, x.o)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported && resume && len(x.visible) > 0 && (x.suspended == nil || !x.alone()) {
		return
	}
	if err != nil {
		t.Fatalf("Open(%t): %v", resume, err)
	}
	s := &session{w: w, resumed: [][]byte{nil}}
	switch {
	case !resume:
		x.suspended = nil
	case x.alone():
		s.resumed = [][]byte{x.suspended}
	case w.Size() > 0:
		s.resumed = nil
		for _, c := range x.had {
			if int64(len(c)) >= w.Size() {
				s.resumed = append(s.resumed, c[:w.Size()])
			}
		}
		for _, other := range x.open {
			for _, c := range other.contents() {
				if int64(len(c)) >= w.Size() {
					s.resumed = append(s.resumed, c[:w.Size()])
				}
			}
		}
		if len(s.resumed) == 0 {
			t.Fatalf("resumed %d bytes, which no writer had", w.Size())
		}
	}
	if w.Size() != s.size() {
		t.Fatalf("Size when opened: %d, want %d", w.Size(), s.size())
	}
	x.open = append(x.open, s)
}

func (s *session) contents() [][]byte {
	var out [][]byte
	for _, r := range s.resumed {
		out = append(out, append(bytes.Clone(r), s.written...))
	}
	return out
}

func (x *machine) pick(t *rapid.T) (*session, int) {
	if len(x.open) == 0 {
		t.Skip("no writer is open")
	}
	i := rapid.IntRange(0, len(x.open)-1).Draw(t, "writer")
	return x.open[i], i
}

// end takes a writer from those that are open.
func (x *machine) end(t *rapid.T) *session {
	s, i := x.pick(t)
	x.open = append(x.open[:i:i], x.open[i+1:]...)
	x.had = append(x.had, s.contents()...)
	return s
}

func (x *machine) write(t *rapid.T) {
	s, _ := x.pick(t)
	p := []byte(rapid.StringN(1, 3*partSize, 3*partSize).Draw(t, "bytes"))
	n, err := s.w.Write(p)
	synctest.Wait() // parts in flight land now, not between two answers that are compared
	s.written = append(s.written, p[:n]...)
	s.accepted = s.accepted || n > 0
	if err != nil {
		x.mayConflict(t, "Write", err)
	}
	if s.w.Size() != s.size() {
		t.Fatalf("Size after Write: %d, want %d", s.w.Size(), s.size())
	}
}

func (x *machine) mayConflict(t *rapid.T, what string, err error) {
	if x.alone() || storagedriver.KindOf(err) != storagedriver.KindConflict {
		t.Fatalf("%s: %v", what, err)
	}
}

func (x *machine) close(t *rapid.T) {
	s := x.end(t)
	x.closed(t, s, s.w.Close())
}

func (x *machine) closed(t *rapid.T, s *session, err error) {
	if err != nil {
		x.mayConflict(t, "Close", err)
	}
	if !s.accepted {
		return // it has nothing to say of what others did since
	}
	if err == nil {
		x.suspended = s.contents()[0]
		if s.w.Size() != s.size() {
			t.Fatalf("Size after Close: %d, want %d", s.w.Size(), s.size())
		}
	}
	next, err := chunked.Open(t.Context(), x.m, target, true, x.o)
	if err != nil {
		if storagedriver.KindOf(err) != storagedriver.KindUnsupported || s.w.Size() != 0 {
			t.Fatalf("after Close with Size %d the next open: %v", s.w.Size(), err)
		}
		return
	}
	if next.Size() != s.w.Size() {
		t.Fatalf("Size after Close: %d, the next open reports %d", s.w.Size(), next.Size())
	}
	_ = next.Close()
}

func (x *machine) cancel(t *rapid.T) {
	s := x.end(t)
	if err := s.w.Cancel(t.Context()); err != nil {
		t.Fatalf("Cancel: %v", err)
	}
	x.suspended = nil
	if got := x.m.Content(); x.alone() && len(got) > 1 {
		t.Fatalf("after Cancel there is %v", got)
	}
}

func (x *machine) commit(t *rapid.T) {
	s := x.end(t)
	if err := s.w.Commit(t.Context()); err != nil {
		x.mayConflict(t, "Commit", err)
		x.closed(t, s, s.w.Close())
		return
	}
	got := []byte(x.m.Content()[target])
	for _, c := range s.contents() {
		if bytes.Equal(got, c) {
			x.visible, x.suspended = append([]byte{}, got...), nil
			return
		}
	}
	t.Fatalf("committed %q, which is not what the writer was given after what it resumed: %q", got, s.contents())
}
