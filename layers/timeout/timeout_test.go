package timeout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/berth-dev/storagedriver/layers/timeout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hanging hangs in every operation until its context ends.
func hanging(t *testing.T, rule string, c timeout.Config) storagedriver.Backend {
	t.Helper()
	rules, err := fault.Parse(rule)
	if err != nil {
		t.Fatal(err)
	}
	m := inmemory.New()
	if err := m.Put(t.Context(), "/a", storagedriver.BytesSource(strings.Repeat("content ", 1000))); err != nil {
		t.Fatal(err)
	}
	return timeout.New(fault.New(m, rules), c)
}

var operations = []struct {
	name, key string
	call      func(context.Context, storagedriver.Backend) error
}{
	{"Stat", "operation", func(ctx context.Context, b storagedriver.Backend) error { _, err := b.Stat(ctx, "/a"); return err }},
	{"List", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.List(ctx, "/", "", 1)
		return err
	}},
	{"ListTree", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.ListTree(ctx, "/", "", "", 1)
		return err
	}},
	{"Read", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, _, err := b.Read(ctx, "/a", 0, -1)
		return err
	}},
	{"Redirect", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.Redirect(ctx, "/a", storagedriver.RedirectOptions{})
		return err
	}},
	{"Delete", "operation", func(ctx context.Context, b storagedriver.Backend) error { return b.Delete(ctx, "/a") }},
	{"OpenUpload", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.OpenUpload(ctx, "/a", true)
		return err
	}},
	{"CancelUpload", "operation", func(ctx context.Context, b storagedriver.Backend) error { return b.CancelUpload(ctx, "t") }},
	{"ListUploads", "operation", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.ListUploads(ctx, "/a", "", 1)
		return err
	}},
	{"AbortUploads", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.AbortUploads(ctx, "/a") }},
	{"DeleteTree", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.DeleteTree(ctx, "/a") }},
	{"Copy", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.Copy(ctx, "/a", "/b") }},
	{"Move", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.Move(ctx, "/a", "/b") }},
	{"Concat", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.Concat(ctx, "/b", []string{"/a"}) }},
	{"CommitUpload", "bulk", func(ctx context.Context, b storagedriver.Backend) error { return b.CommitUpload(ctx, "t", nil, nil) }},
	{"Put", "progress", func(ctx context.Context, b storagedriver.Backend) error {
		return b.Put(ctx, "/a", storagedriver.BytesSource("content"))
	}},
	{"PutPart", "progress", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.PutPart(ctx, "t", storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("content")})
		return err
	}},
	{"SuspendUpload", "progress", func(ctx context.Context, b storagedriver.Backend) error { return b.SuspendUpload(ctx, "t", nil, nil) }},
}

func TestACallThatHangsPassesItsDeadline(t *testing.T) {
	config := timeout.Config{Operation: 2 * time.Second, Bulk: 3 * time.Second, Progress: 5 * time.Second}
	limits := map[string]time.Duration{"operation": config.Operation, "bulk": config.Bulk, "progress": config.Progress}
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := hanging(t, "hang before on "+op.name, config)
				begun := time.Now()
				err := op.call(t.Context(), b)
				if took := time.Since(begun); took != limits[op.key] {
					t.Errorf("want it after %v, it took %v", limits[op.key], took)
				}
				want := fmt.Sprintf("for %v (layers.timeout.%s)", limits[op.key], op.key)
				if storagedriver.KindOf(err) != storagedriver.KindDeadline || !storagedriver.IsTemporary(err) || !strings.Contains(err.Error(), want) {
					t.Errorf("want a temporary deadline with %q, got %#v", want, err)
				}
			})
		})
		t.Run(op.name+"/caller", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				err := op.call(ctx, hanging(t, "hang before on "+op.name, config))
				if storagedriver.KindOf(err) != storagedriver.KindCanceled || storagedriver.IsTemporary(err) {
					t.Errorf("want the end of the caller's context, got %#v", err)
				}
			})
		})
		t.Run(op.name+"/off", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 1000*time.Hour)
				defer cancel()
				begun := time.Now()
				err := op.call(ctx, hanging(t, "hang before on "+op.name, timeout.Config{}))
				if storagedriver.KindOf(err) != storagedriver.KindDeadline || storagedriver.IsTemporary(err) || time.Since(begun) != 1000*time.Hour {
					t.Errorf("want no deadline but the caller's, got %v after %v", err, time.Since(begun))
				}
			})
		})
	}
}

// dripping gives a byte after each pause, and then hangs in Read, deaf to everything, until it is let go.
type dripping struct {
	bytes int
	pause time.Duration
	letGo chan struct{} // nil: it ends instead
	close chan struct{} // closed by Close, if it is to wake a Read
	deaf  bool          // Close does not

	reads   int
	closed  atomic.Int32
	overlap atomic.Bool
	inRead  atomic.Bool
}

func (d *dripping) Read(p []byte) (int, error) {
	d.inRead.Store(true)
	defer d.inRead.Store(false)
	if d.reads == d.bytes {
		if d.letGo == nil {
			return 0, io.EOF
		}
		select {
		case <-d.letGo:
		case <-d.close:
		}
		return 0, errors.New("let go")
	}
	<-time.After(d.pause)
	d.reads++
	p[0] = 'x'
	return 1, nil
}

func (d *dripping) Close() error {
	if d.inRead.Load() {
		d.overlap.Store(true)
	}
	d.closed.Add(1)
	if !d.deaf && d.close != nil {
		close(d.close)
	}
	return nil
}

// one is a backend with one body, which its Put reads as well.
type one struct {
	storagedriver.Unimplemented
	body *dripping
	wait time.Duration // of a Put, once it has its body
}

func (*one) Name() string                             { return "one" }
func (*one) Capabilities() storagedriver.Capabilities { return storagedriver.Capabilities{} }
func (*one) Stat(context.Context, string) (storagedriver.Entry, error) {
	return storagedriver.Entry{}, nil
}
func (*one) List(context.Context, string, string, int) (storagedriver.Page, error) {
	return storagedriver.Page{}, nil
}
func (*one) Delete(context.Context, string) error { return nil }
func (o *one) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	return o.body, 100, nil
}
func (o *one) Put(ctx context.Context, _ string, s storagedriver.Source) error {
	r, err := s.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	select {
	case <-time.After(o.wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (o *one) CommitUpload(ctx context.Context, _ string, _ *storagedriver.Receipts, s storagedriver.Source) error {
	return o.Put(ctx, "", s)
}

// drip is a source whose body is slow.
type drip struct{ d *dripping }

func (s drip) Size() int64                                 { return int64(s.d.bytes) }
func (s drip) Open(context.Context) (io.ReadCloser, error) { return s.d, nil }

// TestATransferMayLast has bytes move, slowly, for far longer than the deadlines, and whoever reads rest.
func TestATransferMayLast(t *testing.T) {
	config := timeout.Config{Operation: time.Second, Bulk: time.Second, Progress: time.Minute}
	synctest.Test(t, func(t *testing.T) {
		b := timeout.New(&one{body: &dripping{bytes: 100, pause: 59 * time.Second}, wait: 59 * time.Second}, config)
		r, _, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 10)
		for i := range 100 {
			if n, err := r.Read(p); n != 1 || p[0] != 'x' || err != nil {
				t.Fatalf("byte %d: %d, %v", i, n, err)
			}
			<-time.After(time.Hour) // the reader's own time
		}
		if n, err := r.Read(p); n != 0 || err != io.EOF {
			t.Errorf("want the end, got %d, %v", n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := b.Put(t.Context(), "/a", drip{&dripping{bytes: 100, pause: 59 * time.Second}}); err != nil {
			t.Errorf("Put: %v", err)
		}
	})
}

func TestASourceOrAnAnswerThatStallsPassesTheDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		call func(context.Context, storagedriver.Backend) error
		key  string
		want time.Duration
	}{
		"a source": {func(ctx context.Context, b storagedriver.Backend) error {
			return b.Put(ctx, "/a", drip{&dripping{bytes: 3, pause: 50 * time.Second}})
		}, "progress", 150*time.Second + time.Minute},
		"an answer to Put": {func(ctx context.Context, b storagedriver.Backend) error {
			return b.Put(ctx, "/a", storagedriver.BytesSource("x"))
		}, "progress", time.Minute},
		"an answer to Commit": {func(ctx context.Context, b storagedriver.Backend) error {
			return b.CommitUpload(ctx, "t", nil, drip{&dripping{bytes: 3, pause: 50 * time.Second}})
		}, "bulk", 150*time.Second + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := timeout.New(&one{wait: 1000 * time.Hour}, timeout.Config{Bulk: time.Hour, Progress: time.Minute})
				begun := time.Now()
				err := c.call(t.Context(), b)
				if took := time.Since(begun); took != c.want || !strings.Contains(fmt.Sprint(err), "layers.timeout."+c.key) {
					t.Errorf("want %s after %v, got %v after %v", c.key, c.want, err, took)
				}
			})
		})
	}
}

// TestABodyThatHangsIsLeftBehind frees the reader whatever the body does, and ends the goroutine when the body lets go.
func TestABodyThatHangsIsLeftBehind(t *testing.T) {
	for name, c := range map[string]struct {
		deaf bool
		free func(r io.Closer, cancel context.CancelFunc) // what frees the reader after a second
		kind storagedriver.Kind
		took time.Duration
	}{
		"progress":       {true, func(io.Closer, context.CancelFunc) {}, storagedriver.KindDeadline, time.Minute},
		"progress/woken": {false, func(io.Closer, context.CancelFunc) {}, storagedriver.KindDeadline, time.Minute},
		"caller":         {true, func(_ io.Closer, cancel context.CancelFunc) { cancel() }, storagedriver.KindCanceled, time.Second},
		"close":          {true, func(r io.Closer, _ context.CancelFunc) { _ = r.Close() }, storagedriver.KindClosed, time.Second},
		"close/woken":    {false, func(r io.Closer, _ context.CancelFunc) { _ = r.Close() }, storagedriver.KindClosed, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := &dripping{bytes: 2, pause: time.Second, letGo: make(chan struct{}), close: make(chan struct{}), deaf: c.deaf}
				b := timeout.New(&one{body: body}, timeout.Config{Progress: time.Minute})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				r, _, err := b.Read(ctx, "/a", 0, -1)
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if _, err := io.CopyN(&got, r, 2); err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				time.AfterFunc(time.Second, func() { c.free(r, cancel) })
				_, err = r.Read(make([]byte, 10))
				if took := time.Since(begun); took != c.took || storagedriver.KindOf(err) != c.kind || storagedriver.IsTemporary(err) != (c.kind == storagedriver.KindDeadline) {
					t.Errorf("want %v after %v, got %v after %v", c.kind, c.took, err, took)
				}
				if _, again := r.Read(make([]byte, 1)); storagedriver.KindOf(again) != c.kind {
					t.Errorf("want the same again, got %v", again)
				}
				for range 2 {
					if err := r.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
				if time.Since(begun) != c.took {
					t.Errorf("want Close at once, it took %v", time.Since(begun)-c.took)
				}
				<-time.After(time.Hour) // far longer than anything waits
				if c.deaf {
					close(body.letGo)
				}
				synctest.Wait()
				if body.closed.Load() != 1 || !body.overlap.Load() {
					t.Errorf("want the body closed once, under the Read that did not end, closed %d times, under it %v", body.closed.Load(), body.overlap.Load())
				}
			})
		})
	}
}

// TestABodyThatListensIsClosedAfterItsRead never closes under a Read that ends with its context.
func TestABodyThatListensIsClosedAfterItsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := &dripping{letGo: make(chan struct{}), close: make(chan struct{})}
		b := timeout.New(&one{body: body}, timeout.Config{Progress: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		r, _, err := b.Read(ctx, "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		time.AfterFunc(2*time.Second, func() { close(body.letGo) })
		if _, err := r.Read(make([]byte, 1)); storagedriver.KindOf(err) != storagedriver.KindCanceled {
			t.Errorf("want the end of the context, got %v", err)
		}
		<-time.After(time.Hour)
		if body.closed.Load() != 1 || body.overlap.Load() {
			t.Errorf("want it closed once and not under its Read, closed %d times, under it %v", body.closed.Load(), body.overlap.Load())
		}
	})
}

func TestAHangInTheMiddleOfABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := hanging(t, "hang body 5000 on Read", timeout.Config{Progress: time.Minute})
		r, promise, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil || promise != 8000 {
			t.Fatal(promise, err)
		}
		got, err := io.ReadAll(r)
		if len(got) != 5000 || !strings.HasPrefix(string(got), "content content") || storagedriver.KindOf(err) != storagedriver.KindDeadline {
			t.Errorf("want 5000 bytes and a deadline, got %d and %v", len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestBodiesThatWereNotReadAreClosed(t *testing.T) {
	for _, config := range []timeout.Config{{Progress: time.Minute}, {Operation: time.Minute}, {}} {
		synctest.Test(t, func(t *testing.T) {
			body := &dripping{}
			r, _, err := timeout.New(&one{body: body}, config).Read(t.Context(), "/a", 0, -1)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil || body.closed.Load() != 1 {
				t.Errorf("want the body closed once, got %d, %v", body.closed.Load(), err)
			}
		})
	}
}

func TestACallThatSucceededIsASuccess(t *testing.T) {
	b := timeout.New(inmemory.New(), timeout.Config{Operation: time.Hour, Bulk: time.Hour, Progress: time.Hour})
	content := storagedriver.BytesSource(strings.Repeat("0123456789", 30_000))
	if err := b.Put(t.Context(), "/a", content); err != nil {
		t.Fatal(err)
	}
	r, promise, err := b.Read(t.Context(), "/a", 5, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || promise != int64(len(content)-5) || !bytes.Equal(got, content[5:]) {
		t.Errorf("want %d bytes, got %d (%d promised), %v", len(content)-5, len(got), promise, err)
	}
}

// resending reads the body of a commit, and then begins again and hangs; its reads are answered too late.
type resending struct{ storagedriver.Backend }

func (resending) CommitUpload(ctx context.Context, _ string, _ *storagedriver.Receipts, last storagedriver.Source) error {
	body, err := last.Open(ctx)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, body)
	if err := errors.Join(err, body.Close()); err != nil {
		return err
	}
	if body, err = last.Open(ctx); err != nil {
		return err
	}
	defer body.Close()
	<-ctx.Done()
	return ctx.Err()
}

type endedBody struct{ ctx context.Context }

func (b endedBody) Read([]byte) (int, error) { return 0, b.ctx.Err() }
func (endedBody) Close() error               { return nil }

func (resending) Read(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, int64, error) {
	<-ctx.Done()
	return endedBody{ctx}, 1, nil
}

func TestABodyThatIsSentAgainIsWatchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := timeout.New(resending{inmemory.New()}, timeout.Config{Progress: 5 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun := time.Now()
		err := b.CommitUpload(ctx, "t", nil, storagedriver.BytesSource("content"))
		if took := time.Since(begun); took != 5*time.Second || !strings.Contains(fmt.Sprint(err), "layers.timeout.progress") {
			t.Errorf("want the deadline for progress after 5s, got %v after %v", err, took)
		}
	})
}

func TestAnAnswerThatComesWithTheDeadlineIsThatDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := timeout.New(resending{inmemory.New()}, timeout.Config{Operation: 2 * time.Second})
		r, _, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_, err = r.Read(make([]byte, 1))
		if storagedriver.KindOf(err) != storagedriver.KindDeadline || !storagedriver.IsTemporary(err) {
			t.Errorf("want a temporary deadline, got %#v", err)
		}
	})
}
