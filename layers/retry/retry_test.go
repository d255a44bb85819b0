package retry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/retry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broken fails as errs says, call after call, and then succeeds. It notes when it was called.
type broken struct {
	storagedriver.Unimplemented
	able storagedriver.Ability
	errs []error
	read bool // it reads bodies
	at   []time.Duration
	from time.Time
	body string // what the last body was
}

func (b *broken) call() error {
	if b.from.IsZero() {
		b.from = time.Now()
	}
	b.at = append(b.at, time.Since(b.from))
	if n := len(b.at) - 1; n < len(b.errs) {
		return b.errs[n]
	}
	return nil
}

func (b *broken) send(ctx context.Context, s storagedriver.Source) error {
	if b.read && s != nil {
		r, err := s.Open(ctx)
		if err == nil {
			var content bytes.Buffer
			_, err = io.Copy(&content, r)
			b.body = content.String()
			err = errors.Join(err, r.Close())
		}
		if err != nil {
			b.at = append(b.at, 0)
			return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: err}
		}
	}
	return b.call()
}

func (b *broken) Name() string { return "broken" }
func (b *broken) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: b.able, MaxObject: 7}
}
func (b *broken) Stat(context.Context, string) (storagedriver.Entry, error) {
	return storagedriver.Entry{Size: int64(len(b.at)) + 1}, b.call()
}
func (b *broken) List(context.Context, string, string, int) (storagedriver.Page, error) {
	return storagedriver.Page{}, b.call()
}
func (b *broken) ListTree(context.Context, string, string, string, int) (storagedriver.Page, error) {
	return storagedriver.Page{}, b.call()
}
func (b *broken) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	if err := b.call(); err != nil {
		return nil, 0, err
	}
	return io.NopCloser(strings.NewReader("x")), 1, nil
}
func (b *broken) Put(ctx context.Context, _ string, s storagedriver.Source) error {
	return b.send(ctx, s)
}
func (b *broken) Delete(context.Context, string) error           { return b.call() }
func (b *broken) DeleteTree(context.Context, string) error       { return b.call() }
func (b *broken) Copy(context.Context, string, string) error     { return b.call() }
func (b *broken) Move(context.Context, string, string) error     { return b.call() }
func (b *broken) Concat(context.Context, string, []string) error { return b.call() }
func (b *broken) Redirect(context.Context, string, storagedriver.RedirectOptions) (string, error) {
	return "", b.call()
}
func (b *broken) OpenUpload(context.Context, string, bool) (storagedriver.Upload, error) {
	return storagedriver.Upload{}, b.call()
}
func (b *broken) PutPart(context.Context, string, storagedriver.Part) ([]byte, error) {
	return nil, b.call()
}
func (b *broken) SuspendUpload(ctx context.Context, _ string, _ *storagedriver.Receipts, s storagedriver.Source) error {
	return b.send(ctx, s)
}
func (b *broken) CommitUpload(context.Context, string, *storagedriver.Receipts, storagedriver.Source) error {
	return b.call()
}
func (b *broken) CancelUpload(context.Context, string) error { return b.call() }
func (b *broken) AbortUploads(context.Context, string) error { return b.call() }
func (b *broken) ListUploads(context.Context, string, string, int) (storagedriver.Page, error) {
	return storagedriver.Page{}, b.call()
}

func temporary(after time.Duration) error {
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, RetryAfter: after, Err: errors.New("try again")}
}

// operations are all but Close, and what repeats them: "always", "idempotent" or "never".
var operations = []struct {
	name, repeated string
	call           func(context.Context, storagedriver.Backend) error
}{
	{"Stat", "always", func(ctx context.Context, b storagedriver.Backend) error { _, err := b.Stat(ctx, "/a"); return err }},
	{"List", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.List(ctx, "/a", "", 1)
		return err
	}},
	{"ListTree", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.ListTree(ctx, "/a", "", "", 1)
		return err
	}},
	{"Read", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, _, err := b.Read(ctx, "/a", 0, -1)
		return err
	}},
	{"Redirect", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.Redirect(ctx, "/a", storagedriver.RedirectOptions{})
		return err
	}},
	{"OpenUpload", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.OpenUpload(ctx, "/a", true)
		return err
	}},
	{"CancelUpload", "always", func(ctx context.Context, b storagedriver.Backend) error { return b.CancelUpload(ctx, "t") }},
	{"AbortUploads", "always", func(ctx context.Context, b storagedriver.Backend) error { return b.AbortUploads(ctx, "/a") }},
	{"ListUploads", "always", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.ListUploads(ctx, "/a", "", 1)
		return err
	}},
	{"Put", "idempotent", func(ctx context.Context, b storagedriver.Backend) error {
		return b.Put(ctx, "/a", storagedriver.BytesSource("content"))
	}},
	{"Delete", "idempotent", func(ctx context.Context, b storagedriver.Backend) error { return b.Delete(ctx, "/a") }},
	{"DeleteTree", "idempotent", func(ctx context.Context, b storagedriver.Backend) error { return b.DeleteTree(ctx, "/a") }},
	{"Copy", "idempotent", func(ctx context.Context, b storagedriver.Backend) error { return b.Copy(ctx, "/a", "/b") }},
	{"Concat", "idempotent", func(ctx context.Context, b storagedriver.Backend) error { return b.Concat(ctx, "/b", []string{"/a"}) }},
	{"SuspendUpload", "idempotent", func(ctx context.Context, b storagedriver.Backend) error { return b.SuspendUpload(ctx, "t", nil, nil) }},
	{"Move", "never", func(ctx context.Context, b storagedriver.Backend) error { return b.Move(ctx, "/a", "/b") }},
	{"PutPart", "never", func(ctx context.Context, b storagedriver.Backend) error {
		_, err := b.PutPart(ctx, "t", storagedriver.Part{})
		return err
	}},
	{"CommitUpload", "never", func(ctx context.Context, b storagedriver.Backend) error { return b.CommitUpload(ctx, "t", nil, nil) }},
}

func TestWhatIsRepeated(t *testing.T) {
	for _, op := range operations {
		for _, idempotent := range []bool{false, true} {
			for _, c := range []struct {
				err  error
				want bool
			}{
				{temporary(0), op.repeated == "always" || idempotent && op.repeated == "idempotent"},
				{storagedriver.NewError(storagedriver.KindUnavailable, "for good"), false},
				{errors.New("unclassified"), false},
			} {
				t.Run(fmt.Sprint(op.name, idempotent, c.err), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := &broken{errs: []error{c.err, c.err}, read: true}
						if idempotent {
							b.able = storagedriver.AbilityIdempotent
						}
						err := op.call(t.Context(), retry.New(b, retry.Config{}))
						if c.want && (err != nil || len(b.at) != 3) {
							t.Errorf("want success at the third attempt, got %v after %d", err, len(b.at))
						}
						if !c.want && (!errors.Is(err, c.err) || len(b.at) != 1) {
							t.Errorf("want %v after one attempt, got %v after %d", c.err, err, len(b.at))
						}
					})
				})
			}
		}
	}
}

func TestAttemptsAreBoundedAndSaid(t *testing.T) {
	for _, attempts := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{errs: make([]error, 100)}
			for i := range b.errs {
				b.errs[i] = temporary(0)
			}
			_, err := retry.New(b, retry.Config{Attempts: attempts}).Stat(t.Context(), "/a")
			if want := fmt.Sprintf("unavailable: try again (after %d attempts)", attempts); err == nil || err.Error() != want {
				t.Errorf("want %q, got %v", want, err)
			}
			if len(b.at) != attempts || !storagedriver.IsTemporary(err) {
				t.Errorf("want %d attempts and a temporary error, got %d and %#v", attempts, len(b.at), err)
			}
		})
	}
}

// TestPausesGrowAndAreRandom looks at many: each within its bound, and spread over it.
func TestPausesGrowAndAreRandom(t *testing.T) {
	c := retry.Config{Attempts: 6, Budget: 1_000_000, Wait: 100 * time.Millisecond, MaxWait: 500 * time.Millisecond}
	most := []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, c.MaxWait, c.MaxWait}
	var low, high [5]int
	const runs = 200
	for range runs {
		synctest.Test(t, func(t *testing.T) {
			b := &broken{errs: []error{temporary(0), temporary(0), temporary(0), temporary(0), temporary(0)}}
			if _, err := retry.New(b, c).Stat(t.Context(), "/a"); err != nil {
				t.Fatal(err)
			}
			for i, most := range most {
				pause := b.at[i+1] - b.at[i]
				if pause < 0 || pause > most {
					t.Errorf("pause %d: want at most %v, got %v", i+1, most, pause)
				}
				if pause < most/2 {
					low[i]++
				} else {
					high[i]++
				}
			}
		})
	}
	for i := range most {
		if low[i] < runs/5 || high[i] < runs/5 {
			t.Errorf("pause %d: want it spread over its range, got %d in the lower and %d in the upper half", i+1, low[i], high[i])
		}
	}
}

func TestRetryAfterIsHonouredAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{errs: []error{temporary(3 * time.Second)}}
		if _, err := retry.New(b, retry.Config{}).Stat(t.Context(), "/a"); err != nil {
			t.Fatal(err)
		}
		if pause := b.at[1]; pause < 3*time.Second || pause > 3100*time.Millisecond {
			t.Errorf("want a pause of 3 s and up to 100 ms, got %v", pause)
		}
		b = &broken{errs: []error{temporary(11 * time.Second)}}
		_, err := retry.New(b, retry.Config{}).Stat(t.Context(), "/a")
		if len(b.at) != 1 || storagedriver.KindOf(err) != storagedriver.KindUnavailable {
			t.Errorf("want a backend that asks for longer than maxwait left alone, got %v after %d attempts", err, len(b.at))
		}
	})
}

func TestWaitsEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &broken{errs: []error{temporary(5 * time.Second)}}
		begun := time.Now()
		time.AfterFunc(time.Second, cancel)
		_, err := retry.New(b, retry.Config{}).Stat(ctx, "/a")
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "try again") || storagedriver.IsTemporary(err) {
			t.Errorf("want the end of the context and what failed before, got %v", err)
		}
		if took := time.Since(begun); took != time.Second || len(b.at) != 1 {
			t.Errorf("want it at once, after one attempt, got it after %v and %d", took, len(b.at))
		}
	})
}

// TestADeadlineTooCloseIsNotWaitedFor answers with what failed instead.
func TestADeadlineTooCloseIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		_, err := retry.New(&broken{errs: []error{temporary(5 * time.Second)}}, retry.Config{}).Stat(ctx, "/a")
		if storagedriver.KindOf(err) != storagedriver.KindUnavailable || time.Since(begun) != 0 {
			t.Errorf("want what failed, at once, got %v after %v", err, time.Since(begun))
		}
	})
}

// TestTheBudgetBoundsTheShareOfRepeats has a backend fail for long, and then answer.
func TestTheBudgetBoundsTheShareOfRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{errs: make([]error, 130)}
		for i := range b.errs {
			b.errs[i] = temporary(0)
		}
		r := retry.New(b, retry.Config{Attempts: 4, Budget: 30})
		for range 100 {
			if _, err := r.Stat(t.Context(), "/a"); storagedriver.KindOf(err) != storagedriver.KindUnavailable {
				t.Fatal(err)
			}
		}
		if len(b.at) != 130 {
			t.Errorf("want 100 calls and the budget's 30 repeats, got %d", len(b.at))
		}
		_, err := r.Stat(t.Context(), "/a")
		if err != nil {
			t.Fatal(err)
		}
		for range 19 { // with the one before, two repeats' worth
			if _, err := r.Stat(t.Context(), "/a"); err != nil {
				t.Fatal(err)
			}
		}
		before := len(b.at)
		b.errs = append(make([]error, before), temporary(0), temporary(0), temporary(0))
		_, err = r.Stat(t.Context(), "/a")
		if !strings.Contains(fmt.Sprint(err), "layers.retry.budget") || len(b.at)-before != 3 {
			t.Errorf("want the two repeats that 20 successes gave back, and the parameter named, got %d calls and %v", len(b.at)-before, err)
		}
	})
}

func TestNothingThereIsSuccessOnceItMayHaveBeenRemoved(t *testing.T) {
	missing := storagedriver.NewError(storagedriver.KindNotFound, "nothing is there")
	for _, op := range operations {
		if op.name != "Delete" && op.name != "DeleteTree" && op.name != "CancelUpload" {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			b := &broken{able: storagedriver.AbilityIdempotent, errs: []error{temporary(0), missing}}
			if err := op.call(t.Context(), retry.New(b, retry.Config{})); err != nil {
				t.Errorf("%s: want success when the answer to the first attempt was lost, got %v", op.name, err)
			}
			b = &broken{able: storagedriver.AbilityIdempotent, errs: []error{missing}}
			if err := op.call(t.Context(), retry.New(b, retry.Config{})); !errors.Is(err, missing) {
				t.Errorf("%s: want what the only attempt said, got %v", op.name, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		b := &broken{able: storagedriver.AbilityIdempotent, errs: []error{temporary(0), missing}}
		if err := retry.New(b, retry.Config{}).Copy(t.Context(), "/a", "/b"); !errors.Is(err, missing) {
			t.Errorf("Copy: want a source that is gone to be an error, got %v", err)
		}
	})
}

// once is a source that can be opened a number of times, and breaks when it is read the first.
type once struct {
	content string
	opens   int // how often it may be opened
	breaks  error
	opened  int
	writes  bool // its bodies write themselves
	gone    bool // once it was opened often enough, what it reads is gone
}

func (s *once) Size() int64 { return int64(len(s.content)) }

func (s *once) Open(context.Context) (io.ReadCloser, error) {
	if s.opened == s.opens && s.gone {
		return nil, storagedriver.NewError(storagedriver.KindNotFound, "it is gone")
	}
	if s.opened == s.opens {
		return nil, storagedriver.NewError(storagedriver.KindClosed, "it can be read once")
	}
	s.opened++
	var r io.Reader = &onlyReader{strings.NewReader(s.content)}
	if s.opened == 1 && s.breaks != nil {
		r = io.MultiReader(io.LimitReader(r, 3), failing{s.breaks})
	}
	if s.writes {
		return io.NopCloser(io.MultiReader(r)), nil // which is an io.WriterTo
	}
	return io.NopCloser(&onlyReader{r}), nil
}

type onlyReader struct{ io.Reader }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBodiesAreOpenedForEachAttempt(t *testing.T) {
	for _, op := range []string{"Put", "SuspendUpload"} {
		for name, c := range map[string]struct {
			source   *once
			errs     []error
			attempts int
			want     string // in the error; "" is success
		}{
			"each time anew":                   {&once{content: "content", opens: 9}, []error{temporary(0), temporary(0)}, 3, ""},
			"a refusal gives the first error":  {&once{content: "content", opens: 1}, []error{temporary(0), temporary(0)}, 2, "try again"},
			"a refusal at the first":           {&once{content: "content"}, nil, 1, "it can be read once"},
			"one that breaks for a while":      {&once{content: "content", opens: 9, breaks: temporary(0)}, nil, 2, ""},
			"one that breaks for good":         {&once{content: "content", opens: 9, breaks: errors.New("broken")}, nil, 1, "broken"},
			"one that writes itself":           {&once{content: "content", opens: 9, breaks: errors.New("broken"), writes: true}, nil, 1, "broken"},
			"one that is gone since":           {&once{content: "content", opens: 1, gone: true}, []error{temporary(0)}, 2, "it is gone"},
			"joined, a refusal of what it has": {&once{content: "content", opens: 1}, []error{temporary(0)}, 2, "try again"},
		} {
			t.Run(op+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &broken{able: storagedriver.AbilityIdempotent, read: true, errs: c.errs}
					layer := retry.New(b, retry.Config{})
					source := &once{content: c.source.content, opens: c.source.opens, breaks: c.source.breaks, writes: c.source.writes, gone: c.source.gone}
					var body storagedriver.Source = source
					if strings.HasPrefix(name, "joined") {
						body = storagedriver.JoinSources(source)
					}
					err := layer.Put(t.Context(), "/a", body)
					if op == "SuspendUpload" {
						b.at, source.opened, b.body = nil, 0, ""
						err = layer.SuspendUpload(t.Context(), "t", nil, body)
					}
					if len(b.at) != c.attempts {
						t.Errorf("want %d attempts, got %d", c.attempts, len(b.at))
					}
					if c.want == "" && (err != nil || b.body != "content") {
						t.Errorf("want success with the whole body, got %v with %q", err, b.body)
					}
					if c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
						t.Errorf("want %q, got %v", c.want, err)
					}
				})
			})
		}
	}
}

func TestAConcatOntoItsSourceIsNotRepeated(t *testing.T) {
	b := &broken{able: storagedriver.AbilityIdempotent, errs: []error{temporary(0)}}
	err := retry.New(b, retry.Config{}).Concat(t.Context(), "/a", []string{"/b", "/a"})
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable || len(b.at) != 1 {
		t.Errorf("want what the one attempt said, got %v after %d", err, len(b.at))
	}
}

func TestCapabilitiesAndCloseAreHandedOn(t *testing.T) {
	b := &broken{able: storagedriver.AbilityCopy}
	r := retry.New(b, retry.Default())
	if got := r.Capabilities(); got != b.Capabilities() || r.Name() != "broken" {
		t.Errorf("want what the backend says, got %v of %s", got, r.Name())
	}
	defer func() {
		if recover() == nil {
			t.Error("want a configuration that is out of range to panic")
		}
	}()
	retry.New(b, retry.Config{Attempts: -1})
}
