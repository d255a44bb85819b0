package storagedriver_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/berth-dev/storagedriver"
)

// tracked is a Source that counts what is open of it.
type tracked struct {
	content string
	size    int64
	open    *int
	wrap    func(io.Reader) io.Reader
	openErr error
	close   error
}

func (s tracked) Size() int64 { return s.size }

func (s tracked) Open(context.Context) (io.ReadCloser, error) {
	if s.openErr != nil {
		return nil, s.openErr
	}
	*s.open++
	r := io.Reader(strings.NewReader(s.content))
	if s.wrap != nil {
		r = s.wrap(r)
	}
	return &trackedBody{r, s}, nil
}

type trackedBody struct {
	io.Reader
	s tracked
}

func (b *trackedBody) Close() error {
	*b.s.open--
	return b.s.close
}

func TestBytesSource(t *testing.T) {
	s := storagedriver.BytesSource("content")
	if s.Size() != 7 {
		t.Errorf("Size: %d", s.Size())
	}
	for range 2 { // the readers are independent
		r, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, []byte("content")); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Open under an ended context: %v", err)
	}
	if _, err := storagedriver.JoinSources(s).Open(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Open of joined sources under an ended context: %v", err)
	}
}

func TestJoinSources(t *testing.T) {
	open := 0
	part := func(content string, wrap func(io.Reader) io.Reader) storagedriver.Source {
		return tracked{content: content, size: int64(len(content)), open: &open, wrap: wrap}
	}
	s := storagedriver.JoinSources(part("", nil), part("one,", iotest.OneByteReader), part("", iotest.DataErrReader),
		part("two,", iotest.DataErrReader), storagedriver.JoinSources(), part("three", iotest.HalfReader))
	if s.Size() != 13 {
		t.Errorf("Size: %d", s.Size())
	}
	for range 2 {
		r, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for buf := make([]byte, 3); ; {
			if n, err := r.Read(nil); n != 0 || err != nil {
				t.Fatalf("Read of nothing: %d, %v", n, err)
			}
			n, err := r.Read(buf)
			got = append(got, buf[:n]...)
			if open > 1 {
				t.Fatalf("%d sources are open at once", open)
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if string(got) != "one,two,three" || open != 0 {
			t.Errorf("got %q, and %d sources are open at the end", got, open)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestJoinSourcesFails(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		second tracked
		want   func(error) bool
	}{
		"short":    {tracked{content: "ab", size: 3}, isKind(storagedriver.KindCorrupt)},
		"long":     {tracked{content: "abcd", size: 3}, isKind(storagedriver.KindCorrupt)},
		"negative": {tracked{content: "abcd", size: -1}, isKind(storagedriver.KindCorrupt)},
		"open":     {tracked{openErr: boom}, func(err error) bool { return errors.Is(err, boom) }},
		"close":    {tracked{close: boom}, func(err error) bool { return errors.Is(err, boom) }},
		"read":     {tracked{content: "abcd", size: 4, wrap: iotest.TimeoutReader}, func(err error) bool { return errors.Is(err, iotest.ErrTimeout) }},
	} {
		open := 0
		c.second.open = &open
		if name == "read" {
			c.second.wrap = func(r io.Reader) io.Reader { return iotest.TimeoutReader(iotest.OneByteReader(r)) }
		}
		r, err := storagedriver.JoinSources(storagedriver.BytesSource("first"), c.second, storagedriver.BytesSource("third")).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if !c.want(err) || bytes.Contains(got, []byte("third")) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		_ = r.Close()
		if open != 0 {
			t.Errorf("%s: %d sources stay open", name, open)
		}
	}
}

func isKind(kind storagedriver.Kind) func(error) bool {
	return func(err error) bool { return err != nil && storagedriver.KindOf(err) == kind }
}

func TestJoinedBodyAfterClose(t *testing.T) {
	open := 0
	r, err := storagedriver.JoinSources(tracked{content: "content", size: 7, open: &open}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil || open != 0 {
		t.Errorf("Close twice: %v, %d open", err, open)
	}
	if _, err := r.Read(make([]byte, 1)); !isKind(storagedriver.KindClosed)(err) {
		t.Errorf("Read after Close: %v, want Closed: an end would pass for that of the content", err)
	}
}

func TestExactBody(t *testing.T) {
	boom := errors.New("boom")
	whole := func(r io.Reader) io.Reader { return r }
	for _, c := range []struct {
		content string
		size    int64
		wrap    func(io.Reader) io.Reader
		want    func(error) bool
	}{
		{"", 0, whole, nil},
		{"abc", 3, whole, nil},
		{"abc", 3, iotest.OneByteReader, nil},
		{"abc", 3, iotest.DataErrReader, nil},
		{"abc", 4, whole, isKind(storagedriver.KindCorrupt)},
		{"abc", 4, iotest.DataErrReader, isKind(storagedriver.KindCorrupt)},
		{"", 1, whole, isKind(storagedriver.KindCorrupt)},
		{"abc", 2, whole, isKind(storagedriver.KindCorrupt)},
		{"abc", 2, iotest.OneByteReader, isKind(storagedriver.KindCorrupt)},
		{"abc", 2, iotest.DataErrReader, isKind(storagedriver.KindCorrupt)},
		{"a", 0, whole, isKind(storagedriver.KindCorrupt)},
		{"a", -1, whole, isKind(storagedriver.KindCorrupt)},
		{"abc", 9, func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(boom)) }, func(err error) bool { return err == boom }},
		{"abc", 3, func(r io.Reader) io.Reader { return io.MultiReader(r, iotest.ErrReader(boom)) }, func(err error) bool { return err == boom }},
	} {
		r := storagedriver.ExactBody(io.NopCloser(c.wrap(strings.NewReader(c.content))), c.size)
		got, err := io.ReadAll(r)
		if c.want == nil && (err != nil || string(got) != c.content) || c.want != nil && !c.want(err) {
			t.Errorf("%q of %d: %q, %v", c.content, c.size, got, err)
		}
		if int64(len(got)) > max(c.size, 0) {
			t.Errorf("%q of %d: got %q", c.content, c.size, got)
		}
		if _, again := r.Read(make([]byte, 1)); err != nil && again != err || err == nil && again != io.EOF {
			t.Errorf("%q of %d: then %v, after %v", c.content, c.size, again, err)
		}
	}
}

// TestExactBodyJudgesWithTheLastBytes: who stops at the promised length has the verdict.
func TestExactBodyJudgesWithTheLastBytes(t *testing.T) {
	for content, want := range map[string]func(error) bool{
		"abc": func(err error) bool { return err == io.EOF }, "abcd": isKind(storagedriver.KindCorrupt),
	} {
		r := storagedriver.ExactBody(io.NopCloser(strings.NewReader(content)), 3)
		n, err := r.Read(make([]byte, 3))
		if n != 3 || !want(err) {
			t.Errorf("%q: %d bytes, %v", content, n, err)
		}
	}
}

// FuzzExactBody holds ExactBody against what it is for, whatever the sizes of reads.
func FuzzExactBody(f *testing.F) {
	f.Add([]byte("abc"), int64(3), uint8(1))
	f.Add([]byte("abc"), int64(2), uint8(0))
	f.Add([]byte(""), int64(-1), uint8(9))
	f.Fuzz(func(t *testing.T, content []byte, size int64, step uint8) {
		s := storagedriver.JoinSources(storagedriver.BytesSource(content))
		body, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r := storagedriver.ExactBody(body, size)
		var got []byte
		buf := make([]byte, int(step)+1)
		for err == nil {
			var n int
			n, err = r.Read(buf)
			got = append(got, buf[:n]...)
		}
		switch {
		case size == int64(len(content)) && (err != io.EOF || !bytes.Equal(got, content)):
			t.Errorf("%d of %d bytes, %v", len(got), size, err)
		case size != int64(len(content)) && storagedriver.KindOf(err) != storagedriver.KindCorrupt:
			t.Errorf("%d bytes for %d promised: %v", len(content), size, err)
		case !bytes.HasPrefix(content, got):
			t.Errorf("got other bytes")
		}
	})
}
