package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

func TestGuestsThatBreakAreReplaced(t *testing.T) {
	d, _, m := open(t, runtime.Config{MemoryLimit: 64 << 20}, map[string]any{"password": "geheim-1234"})
	for _, c := range []struct{ path, reason string }{
		{"trap", "out of bounds memory access"}, {"panic", "panic: boom (secret)"}, {"exit", "proc_exit(3)"}, {"nothing", "malformed message"},
		{"outside", "outside memory"}, {"huge", "more than 1048576"}, {"garbage", "malformed message"}, {"trailing", "malformed message"},
		{"count", "malformed message"}, {"deep", "nested deeper than 16"}, {"negative", "malformed message"},
		{"pointer", "outside memory"}, {"length", "outside memory"}, {"memory", "out of memory"},
	} {
		t.Run(c.path, func(t *testing.T) {
			before := m.Stats().ByOp["open"]
			_, err := d.Stat(t.Context(), "/hostile/"+c.path)
			if c.path == "trap" { // Go sees to it that a nil pointer is a panic of its own
				c.reason = "nil pointer"
			}
			wantKind(t, err, storagedriver.KindGuest, c.reason, "stat")
			var g *runtime.GuestError
			if !errors.As(err, &g) || g.Op != "stat" {
				t.Fatalf("%v is no GuestError of stat", err)
			}
			for _, text := range []string{err.Error(), g.Reason, g.Stderr, g.Stack} {
				if strings.Contains(text, "geheim") || strings.Contains(text, "\x1b") || len(text) > 2*abi.MaxText {
					t.Errorf("a text of %d bytes: %q", len(text), text)
				}
			}
			if _, err := d.Stat(t.Context(), "/echo"); err != nil {
				t.Fatalf("afterwards: %v", err)
			}
			if got := m.Stats(); got.ByOp["open"] != before+1 || got.Instances != 1 {
				t.Errorf("%d instances after %d openings, want one new instance", got.Instances, got.ByOp["open"]-before)
			}
		})
	}
}

func TestATrapCarriesTheStack(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	_, err := d.Stat(t.Context(), "/hostile/panic")
	var g *runtime.GuestError
	if !errors.As(err, &g) || !strings.Contains(g.Stack, "main.hostile") && !strings.Contains(g.Stderr, "main.hostile") {
		t.Fatalf("neither stack nor stderr names the function: %+v", g)
	}
	if !strings.Contains(g.Stderr, "about to fail") {
		t.Errorf("stderr is %q", g.Stderr)
	}
}

func TestRepliesAreHeldAgainstTheRequest(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	content := unique(100_000)
	s.set("/big", content)
	for _, name := range []string{"entries", "slash", "dotdot"} {
		_, err := d.List(t.Context(), "/hostile/"+name, "", 10)
		wantKind(t, err, storagedriver.KindGuest, "the entry")
	}
	for name, kind := range map[string]storagedriver.Kind{
		"offset": storagedriver.KindCorrupt, "status": storagedriver.KindCorrupt, "longer": storagedriver.KindCorrupt,
		"both": storagedriver.KindGuest, "promise": storagedriver.KindGuest, "source": storagedriver.KindGuest,
	} {
		_, _, err := d.Read(t.Context(), "/hostile/"+name, 7, -1)
		wantKind(t, err, kind)
	}
	r, n, err := d.Read(t.Context(), "/hostile/prefix", 100, -1)
	if err != nil || n != int64(len(content))-100 {
		t.Fatalf("a body read from before: %d, %v", n, err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content[100:]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestABodyThatEndsEarlyIsAnError(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	r, _, err := d.Read(t.Context(), "/hostile/cut", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err == nil {
		t.Errorf("%d of 1000 bytes without an error", len(got))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestHandlesAreChecked(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxOpenBodies: 500}, nil)
	s.set("/big", unique(100_000))
	if _, err := d.Stat(t.Context(), "/hostile/stale"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stale", "forged", "take"} {
		e, err := d.Stat(t.Context(), "/hostile/"+name)
		if err != nil || -e.Size != 0 && e.Size != -abi.Failure(abi.KindInvalidArgument) {
			t.Errorf("%s: the host answered %d, %v", name, -e.Size, err)
		}
	}
	_, err := d.Stat(t.Context(), "/hostile/leak")
	wantKind(t, err, storagedriver.KindLimit, "more than 256 handles", "after 256")
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies open after the call", n)
	}
	_, err = d.Stat(t.Context(), "/hostile/receipts")
	wantKind(t, err, storagedriver.KindInvalidArgument)
	_, err = d.Stat(t.Context(), "/hostile/op")
	wantKind(t, err, storagedriver.KindUnsupported, "99")
	_, err = d.Stat(t.Context(), "/hostile/message")
	wantKind(t, err, storagedriver.KindInvalidArgument, "malformed")
}

func TestOpenBodiesAreLimited(t *testing.T) {
	d, s, m := open(t, runtime.Config{MaxOpenBodies: 3}, nil)
	s.set("/big", unique(1_000_000))
	var held []io.Closer
	for range 3 {
		r, _, err := d.Read(t.Context(), "/big", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, r)
	}
	_, _, err := d.Read(t.Context(), "/big", 0, -1)
	wantKind(t, err, storagedriver.KindLimit, "more than 3 response bodies")
	if !storagedriver.IsTemporary(err) {
		t.Error("the limit is not temporary")
	}
	for _, c := range held {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("%d bodies open", n)
	}
}

func TestRequestsAreHeldToThePolicy(t *testing.T) {
	d, s, _ := open(t, runtime.Config{Allow: egress.Origins("http://127.0.0.1:1")}, nil)
	s.set("/big", unique(10))
	_, err := d.Stat(t.Context(), "/hostile/escape")
	wantKind(t, err, storagedriver.KindDenied, "http://169.254.169.254:80", "--allow http://169.254.169.254:80")
	_, err = d.Stat(t.Context(), "/hostile/host")
	wantKind(t, err, storagedriver.KindDenied, "Host")
	for _, name := range []string{"crlf", "user", "scheme"} {
		_, err = d.Stat(t.Context(), "/hostile/"+name)
		wantKind(t, err, storagedriver.KindInvalidArgument)
	}
	_, err = d.Stat(t.Context(), "/hostile/unreachable")
	wantKind(t, err, storagedriver.KindUnavailable, "cannot reach http://127.0.0.1:1")
	if !storagedriver.IsTemporary(err) {
		t.Error("an unreachable origin is not temporary")
	}
	e, err := d.Stat(t.Context(), "/hostile/redirect")
	if err != nil || e.Size != 302 {
		t.Errorf("a redirect was answered as %d, %v", e.Size, err)
	}
	url, err := d.Redirect(t.Context(), "/a", storagedriver.RedirectOptions{Method: "GET"})
	if err != nil || url != s.URL+"/a" {
		t.Errorf("redirect: %q, %v", url, err)
	}
	_, err = d.Redirect(t.Context(), "/elsewhere", storagedriver.RedirectOptions{})
	wantKind(t, err, storagedriver.KindDenied, "http://elsewhere.invalid:80")
}

// lines counts what is logged.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	return len(p), nil
}

func TestTheLogIsLimited(t *testing.T) {
	var l lines
	d, _, _ := open(t, runtime.Config{Logger: slog.New(slog.NewTextHandler(&l, nil))}, nil)
	if _, err := d.Stat(t.Context(), "/hostile/log"); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.text); n == 0 || n > 150 {
		t.Errorf("%d lines of 1000", n)
	}
	for _, line := range l.text {
		if len(line) > 2*abi.MaxText || strings.Contains(line, "\x1b") {
			t.Fatalf("a line of %d bytes", len(line))
		}
	}
}

func TestErrorsOfTheGuestAreBounded(t *testing.T) {
	d, _, m := open(t, runtime.Config{}, nil)
	_, err := d.Stat(t.Context(), "/hostile/kind")
	wantKind(t, err, storagedriver.KindGuest, `long\nlong`)
	if len(err.Error()) > abi.MaxText+100 {
		t.Errorf("%d bytes", len(err.Error()))
	}
	if m.Stats().ByOp["open"] != 1 {
		t.Error("an error reply cost the instance")
	}
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	s.set("/big", unique(10))
	for name, call := range map[string]func(ctx context.Context) error{
		"sleep": func(ctx context.Context) error { _, err := d.Stat(ctx, "/hostile/sleep"); return err },
		"body": func(ctx context.Context) error {
			r, _, err := d.Read(ctx, "/hostile/stall", 0, -1)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		},
		"source": func(ctx context.Context) error {
			return d.Put(ctx, "/x-written", gated{n: 2, in: new(counter), gate: make(chan struct{})})
		},
		"sent source": func(ctx context.Context) error {
			return d.Put(ctx, "/x", gated{n: 2, in: new(counter), gate: make(chan struct{})})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			begun := time.Now()
			err := call(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the deadline", err)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if _, err := d.Stat(t.Context(), "/echo"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	if _, err := d.Stat(t.Context(), "/hostile/nap"); err != nil {
		t.Errorf("a sleep of 20 ms: %v", err)
	}
}

func TestABodyWithoutProgressIsGivenUp(t *testing.T) {
	d, _, _ := open(t, runtime.Config{IdleTimeout: 80 * time.Millisecond}, nil)
	r, _, err := d.Read(t.Context(), "/hostile/stall", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, r)
	wantKind(t, err, storagedriver.KindUnavailable, "no progress for 80ms")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadersFailWhenTheDriverIsClosed(t *testing.T) {
	s := newStore(t)
	m := load(t, runtime.Config{Allow: egress.Origins(s.URL)})
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := d.Read(t.Context(), "/hostile/stall", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("reading afterwards: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	_, err = d.Stat(t.Context(), "/echo")
	wantKind(t, err, storagedriver.KindClosed)
}
