package objects_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

func TestABodyGoesOnWhereItsConnectionBreaks(t *testing.T) {
	const size = 300_000
	cuts := []int64{none, 1, 2, 1000, 4095, 4096, 4097, 32 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, size / 2, size - 101, size - 100 - 1}
	for i := range 20 {
		cuts = append(cuts, int64(i)*14_983+7)
	}
	for _, reset := range []bool{false, true} {
		for _, cut := range cuts {
			s := newService(t, size)
			s.fault = func(r request) fault {
				if r.number == 0 {
					return fault{cut: cut, reset: reset}
				}
				return fault{}
			}
			got, err := io.ReadAll(s.mustOpen(100, brisk()))
			if err != nil || !bytes.Equal(got, s.content[100:]) {
				t.Errorf("cut after %d bytes, reset: %v: want the rest, got %d bytes, right: %v, error %v", cut, reset, len(got), bytes.Equal(got, s.content[100:]), err)
			}
			all := s.all()
			if len(all) != 2 || all[1].tag != s.tag || all[1].end != size || all[1].offset < 100 || all[1].offset > 100+max(cut, 0) {
				t.Errorf("cut after %d bytes, reset: %v: want a second request from there on for %s, got %+v", cut, reset, s.tag, all)
			}
			if !reset && len(all) == 2 && all[1].offset != 100+max(cut, 0) {
				t.Errorf("cut after %d bytes: want the second request to begin at %d, got %d", cut, 100+max(cut, 0), all[1].offset)
			}
		}
	}
}

func TestAReplacedObjectEndsABody(t *testing.T) {
	const size = 200_000
	for name, second := range map[string]fault{
		"replaced":                  {replace: randomBytes(size - 1)},
		"replaced/If-Match ignored": {replace: randomBytes(size - 1), ignore: true},
		"shorter":                   {status: http.StatusRequestedRangeNotSatisfiable},
		"deleted":                   {delete: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, size)
			old := s.content
			s.fault = func(r request) fault {
				if r.number == 0 {
					return fault{cut: 70_000}
				}
				return second
			}
			got, err := io.ReadAll(s.mustOpen(0, brisk()))
			wantKind(t, err, storagedriver.KindConflict, false, "replaced or deleted while it was read, after byte 70000 of 200000")
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the error is that of an object that does not exist: %v", err)
			}
			if !bytes.Equal(got, old[:70_000]) {
				t.Errorf("want the first 70000 bytes of the old object, got %d bytes, right: %v", len(got), bytes.HasPrefix(old, got))
			}
			if n := len(s.all()); n != 2 {
				t.Errorf("want 2 requests, got %d", n)
			}
		})
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	s := newService(t, 100_000)
	s.fault = func(r request) fault { return fault{cut: 1000} }
	o := brisk()
	o.Attempts = 3
	body := s.mustOpen(0, o)
	got, err := io.ReadAll(body)
	wantKind(t, err, storagedriver.KindUnavailable, true, "could not be read on from byte 4000 of 100000: no attempt in 3 got further")
	if !bytes.Equal(got, s.content[:4000]) {
		t.Errorf("want the first 4000 bytes, got %d, right: %v", len(got), bytes.HasPrefix(s.content, got))
	}
	if n := len(s.all()); n != 4 {
		t.Errorf("want 4 requests, got %d", n)
	}
	if _, again := body.Read(make([]byte, 1)); again != err {
		t.Errorf("want the same error once more, got %v", again)
	}
}

func TestAttemptsCountAnewAfterProgress(t *testing.T) {
	const mib = 1 << 20
	s := newService(t, 5*mib)
	s.fault = func(r request) fault { return fault{cut: mib} }
	o := brisk()
	o.Attempts = 1
	got, err := io.ReadAll(s.mustOpen(0, o))
	if err != nil || !bytes.Equal(got, s.content) {
		t.Errorf("want all bytes, got %d, error %v", len(got), err)
	}
	s = newService(t, 5*mib)
	s.fault = func(r request) fault { return fault{cut: 500_000} }
	got, err = io.ReadAll(s.mustOpen(0, o))
	wantKind(t, err, storagedriver.KindUnavailable, true, "no attempt in 1 got further")
	if want := 1_000_000; len(got) != want {
		t.Errorf("want %d bytes, of two requests, got %d", want, len(got))
	}
}

func TestWhatTheServiceAnswersToASecondRequest(t *testing.T) {
	after := func(seconds string) http.Header { return http.Header{"Retry-After": {seconds}} }
	for name, c := range map[string]struct {
		second    fault
		kind      storagedriver.Kind
		temporary bool
		says      string
		requests  int
	}{
		"denied":      {fault{status: 403}, storagedriver.KindPermission, false, "status 403", 2},
		"patience":    {fault{status: 503, header: after("60")}, storagedriver.KindUnavailable, true, "asks to be left alone for 1m0s", 2},
		"overloaded":  {fault{status: 503}, storagedriver.KindUnavailable, true, "no attempt in 2 got further, and the last error is: unavailable: GET was answered with status 503", 3},
		"a lie":       {fault{claim: 5, cut: none}, storagedriver.KindCorrupt, false, "100000 bytes from byte 50000 on were requested, and 100005 were promised", 2},
		"without tag": {fault{noTag: true}, storagedriver.KindConflict, false, `its tag was "1" and is `, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, 150_000)
			s.fault = func(r request) fault {
				if r.number == 0 {
					return fault{cut: 50_000}
				}
				return c.second
			}
			o := brisk()
			o.Attempts = 2
			got, err := io.ReadAll(s.mustOpen(0, o))
			wantKind(t, err, c.kind, c.temporary, c.says)
			if !bytes.Equal(got, s.content[:50_000]) {
				t.Errorf("want the first 50000 bytes, got %d", len(got))
			}
			if n := len(s.all()); n != c.requests {
				t.Errorf("want %d requests, got %d", c.requests, n)
			}
			if e := (*storagedriver.Error)(nil); name == "patience" && (!errors.As(err, &e) || e.RetryAfter != time.Minute) {
				t.Errorf("want the minute that the service asked for, got %v", err)
			}
		})
	}
}

func TestABodyThatRunsOnIsCorrupt(t *testing.T) {
	for _, first := range []bool{true, false} {
		s := newService(t, 100_000)
		s.fault = func(r request) fault {
			if r.number == 0 && !first {
				return fault{cut: 10_000}
			}
			return fault{extra: 1}
		}
		got, err := io.ReadAll(s.mustOpen(0, brisk()))
		wantKind(t, err, storagedriver.KindCorrupt, false, "goes on after byte 100000")
		if !bytes.Equal(got, s.content) {
			t.Errorf("want the promised bytes, got %d", len(got))
		}
	}
}

func TestAnAnswerThatIsShorterThanItsLengthGoesOn(t *testing.T) {
	s := newService(t, 100_000)
	s.fault = func(r request) fault {
		if r.number == 0 {
			return fault{claim: 50} // the connection ends where the object does
		}
		return fault{status: http.StatusRequestedRangeNotSatisfiable}
	}
	got, err := io.ReadAll(s.mustOpen(0, brisk()))
	wantKind(t, err, storagedriver.KindConflict, false, "after byte 100000 of 100000")
	if !bytes.Equal(got, s.content) {
		t.Errorf("want what there is, got %d bytes", len(got))
	}
}

func TestAStalledConnectionIsBroken(t *testing.T) {
	openers := map[string]func(s *service, o objects.BodyOptions) io.ReadCloser{
		"Open": func(s *service, o objects.BodyOptions) io.ReadCloser { return s.mustOpen(0, o) },
		"Body": func(s *service, o objects.BodyOptions) io.ReadCloser {
			first, err := s.open(s.t.Context(), 0, -1, "")
			if err != nil {
				s.t.Fatal(err)
			}
			return objects.Body(s.t.Context(), s.open, first, 0, o)
		},
	}
	for name, open := range openers {
		for _, at := range []int64{none, 1, 40_000} {
			s := newService(t, 100_000)
			s.fault = func(r request) fault {
				if r.number < 2 {
					return fault{stall: at}
				}
				return fault{}
			}
			o := brisk()
			o.Stall = 30 * time.Millisecond
			body := open(s, o)
			got, err := io.ReadAll(body)
			if err != nil || !bytes.Equal(got, s.content) {
				t.Errorf("%s, after %d bytes: want all, got %d, error %v", name, at, len(got), err)
			}
			if n := len(s.all()); n != 3 {
				t.Errorf("%s, after %d bytes: want 3 requests, got %d", name, at, n)
			}
			_ = body.Close()
		}
	}
	s := newService(t, 100_000)
	s.fault = func(r request) fault { return fault{stall: none} }
	o := brisk()
	o.Stall, o.Attempts = 10*time.Millisecond, 1
	_, err := io.ReadAll(s.mustOpen(0, o))
	wantKind(t, err, storagedriver.KindUnavailable, true, "the connection stalled: no byte came for 10ms")
}

func TestTheContextEndsARead(t *testing.T) {
	for _, ahead := range []int{0, 2} {
		s := newService(t, 1_000_000)
		s.fault = func(r request) fault {
			if r.number > 0 {
				return fault{stall: none}
			}
			return fault{stall: 300_000}
		}
		o := brisk()
		o.Ahead, o.Chunk = ahead, 64<<10
		ctx, cancel := context.WithCancel(t.Context())
		body := s.mustOpenUnder(ctx, 0, o)
		if _, err := io.ReadFull(body, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := io.Copy(io.Discard, body)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("want context.Canceled, got %v", err)
		}
		if n := len(s.all()); n > 1+ahead {
			t.Errorf("want no request after the end of the context, got %d", n-1-ahead)
		}
		_ = body.Close()
	}
}

func TestThePauseEndsWithTheContext(t *testing.T) {
	s := newService(t, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	s.fault = func(r request) fault {
		if r.number == 1 {
			time.AfterFunc(10*time.Millisecond, cancel)
			return fault{status: 503}
		}
		return fault{cut: 10}
	}
	body := s.mustOpenUnder(ctx, 0, objects.BodyOptions{Attempts: 1000, Pause: time.Nanosecond})
	_, err := io.ReadAll(body)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
}

func TestCloseOfABody(t *testing.T) {
	s := newService(t, 100_000)
	body := s.mustOpen(0, brisk())
	if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := body.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, err := body.Read(make([]byte, 1))
	wantKind(t, err, storagedriver.KindClosed, false, "the body was closed")
}

// TestAnotherSizeUnderTheSameTagEndsABody has a service whose tags do not tell versions apart.
func TestAnotherSizeUnderTheSameTagEndsABody(t *testing.T) {
	s := newService(t, 1000)
	s.fault = func(r request) fault {
		if r.number > 0 {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.content = randomBytes(2000)
			return fault{}
		}
		return fault{cut: 10}
	}
	got, err := io.ReadAll(s.mustOpen(0, brisk()))
	wantKind(t, err, storagedriver.KindConflict, false, "it had 1000 bytes and has 2000")
	if len(got) != 10 {
		t.Errorf("want 10 bytes, got %d", len(got))
	}
}

// TestAStallEndsTheRequest has a body that only its context ends.
func TestAStallEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{t: t, content: randomBytes(1000), tag: "1"}
		m.stalls = func(number int) bool { return number == 0 }
		body, _, err := objects.Open(t.Context(), m.open, 0, -1, brisk())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || !bytes.Equal(got, m.content) || m.number() != 2 {
			t.Errorf("want all bytes with 2 requests, got %d with %d, error %v", len(got), m.number(), err)
		}
		_ = body.Close()
		m.check()
	})
}

func TestAnObjectWithoutTagIsNotGoneOnWith(t *testing.T) {
	s := newService(t, 100_000)
	s.fault = func(r request) fault { return fault{cut: 10, noTag: true} }
	_, err := io.ReadAll(s.mustOpen(0, brisk()))
	wantKind(t, err, storagedriver.KindUnavailable, true, "no tag to go on with")
	if n := len(s.all()); n != 1 {
		t.Errorf("want 1 request, got %d", n)
	}
}

// ending gives data, and err after them or with the last of them.
type ending struct {
	data []byte
	err  error
	with bool
}

func (e *ending) Read(p []byte) (int, error) {
	n := copy(p, e.data)
	e.data = e.data[n:]
	if len(e.data) == 0 && (n == 0 || e.with) {
		return n, e.err
	}
	return n, nil
}

func (e *ending) Close() error { return nil }

// TestTheEndOfABody has bodies that have given all their bytes and end with an error.
func TestTheEndOfABody(t *testing.T) {
	checksum := errors.New("the checksum does not match")
	for _, c := range []struct{ end, want error }{
		{io.EOF, nil}, {checksum, checksum}, {io.ErrUnexpectedEOF, nil}, {&http.MaxBytesError{}, &http.MaxBytesError{}},
	} {
		for _, with := range []bool{true, false} {
			body := objects.Body(t.Context(), nil, objects.Opened{Body: &ending{[]byte("bytes"), c.end, with}, Length: 5, Size: 5, Tag: "t"}, 0, brisk())
			got, err := io.ReadAll(body)
			if string(got) != "bytes" || (c.want == nil) != (err == nil) || err != nil && err.Error() != c.want.Error() {
				t.Errorf("a body that ends with %v: want error %v, got %q and %v", c.end, c.want, got, err)
			}
			_ = body.Close()
		}
	}
	body := objects.Body(t.Context(), nil, objects.Opened{Body: &ending{nil, io.EOF, false}, Tag: "t"}, 0, brisk())
	if got, err := io.ReadAll(body); len(got) != 0 || err != nil {
		t.Errorf("want an empty body, got %q, error %v", got, err)
	}
	_ = body.Close()
	body = objects.Body(t.Context(), nil, objects.Opened{Body: &ending{nil, io.EOF, false}, Length: -1}, 0, brisk())
	_, err := io.ReadAll(body)
	wantKind(t, err, storagedriver.KindCorrupt, false, "a body of -1 bytes was promised")
	_ = body.Close()
}

func TestWhatOpenAnswersFirst(t *testing.T) {
	s := newService(t, 1000)
	s.fault = func(r request) fault { return fault{status: 404} }
	_, _, err := objects.Open(t.Context(), s.open, 0, -1, brisk())
	wantKind(t, err, storagedriver.KindNotFound, false, "status 404")
	s.fault = nil
	body, first, err := objects.Open(t.Context(), s.open, 10, 20, brisk())
	if err != nil {
		t.Fatal(err)
	}
	if first.Length != 20 || first.Size != 1000 || first.Tag != s.tag {
		t.Errorf("want 20 bytes of 1000 and the tag %s, got %+v", s.tag, first)
	}
	got, err := io.ReadAll(body)
	if err != nil || !slices.Equal(got, s.content[10:30]) {
		t.Errorf("want bytes 10 to 30, got %d, error %v", len(got), err)
	}
	_ = body.Close()
}
