package berth

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// fakeImports answers every host operation with reply and keeps the request.
type fakeImports struct {
	op      int32
	request []byte
	reply   []byte
	waiting []byte
}

func (f *fakeImports) call(op int32, request, out []byte) int64 {
	f.op = op
	f.request = append([]byte(nil), request...)
	if len(f.reply) <= len(out) {
		copy(out, f.reply)
	} else {
		f.waiting = f.reply
	}
	return int64(len(f.reply))
}

func (f *fakeImports) take(out []byte) int64 {
	n := copy(out, f.waiting)
	f.waiting = nil
	return int64(n)
}

func (f *fakeImports) read(int64, []byte) int64   { return 0 }
func (f *fakeImports) write(int64, []byte) int64  { return 0 }
func (f *fakeImports) splice(_, _, _ int64) int64 { return 0 }
func (f *fakeImports) close(int64) int64          { return 0 }
func (f *fakeImports) now() int64                 { return 1 }
func (f *fakeImports) random([]byte) int64        { return 0 }
func (f *fakeImports) log(int32, []byte) int64    { return 0 }

// answering is a driver that answers as reply says.
type answering struct {
	Unimplemented
	host  *wireHost
	fails bool
	reply struct {
		Kind       Kind
		Tmp        bool
		After      int64
		Status     int
		Msg        string
		Size, Time int64
		Dir        bool
		Entries    []struct {
			Name       string
			Size, Time int64
			Dir        bool
		}
		Cursor, URL  string
		Len, Body    int64
		Data         []byte
		Caps, MaxObj int64
		Version      []byte
		Stream       []byte
		Skip         int64
		State        []byte
		Token        string
		Limits       struct {
			Min, Max   int64
			Count      int
			Multiple   int64
			Equal, Seq bool
			Total      int64
			Digests    []string
		}
		Resumed     bool
		Tail        []byte
		Store, Dest string
		Transform   bool
	}
}

func (a *answering) err() error {
	if !a.fails {
		return nil
	}
	r := &a.reply
	return &Error{Kind: r.Kind, Temporary: r.Tmp, RetryAfter: time.Duration(r.After) * time.Millisecond, Status: r.Status, Msg: r.Msg}
}

func (a *answering) open(*Call, []byte) (Driver, Abilities, int64, error) {
	return a, Abilities(a.reply.Caps), a.reply.MaxObj, a.err()
}

func when(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

func (a *answering) Stat(*Call, string) (Entry, error) {
	return Entry{Size: a.reply.Size, ModTime: when(a.reply.Time), Dir: a.reply.Dir}, a.err()
}

func (a *answering) List(*Call, string, string, int) (Page, error) {
	page := Page{Cursor: a.reply.Cursor}
	for _, e := range a.reply.Entries {
		page.Entries = append(page.Entries, Entry{Name: e.Name, Size: e.Size, ModTime: when(e.Time), Dir: e.Dir})
	}
	return page, a.err()
}

func (a *answering) ListTree(c *Call, path, _, cursor string, limit int) (Page, error) {
	return a.List(c, path, cursor, limit)
}

func (a *answering) ListUploads(c *Call, path, cursor string, limit int) (Page, error) {
	return a.List(c, path, cursor, limit)
}

func (a *answering) Read(*Call, string, int64, int64) (Content, error) {
	content := Content{Length: a.reply.Len, Data: a.reply.Data, Version: a.reply.Version, State: a.reply.Stream, Skip: a.reply.Skip}
	if a.reply.Body != 0 {
		content.Body = NewStream(&handle{a.host, a.reply.Body}, content.Length)
	}
	return content, a.err()
}

func (a *answering) Redirect(*Call, string, RedirectOptions) (string, error) {
	return a.reply.URL, a.err()
}

func (a *answering) OpenUpload(*Call, string, bool, *Receipts) (Upload, error) {
	r := &a.reply
	u := Upload{Token: r.Token, Resumed: r.Resumed, Tail: Content{Length: r.Len, Data: r.Tail}, Delegate: Delegate{r.Store, r.Dest, r.Transform}}
	u.Limits = UploadLimits{r.Limits.Min, r.Limits.Max, r.Limits.Count, r.Limits.Multiple, r.Limits.Equal, r.Limits.Seq, r.Limits.Total, r.Limits.Digests}
	if r.Body != 0 {
		u.Tail.Body = NewStream(&handle{a.host, r.Body}, r.Len)
	}
	return u, a.err()
}

func (a *answering) Stream(*Call, string, []byte, *Stream, *Output) ([]byte, error) {
	return a.reply.State, a.err()
}

func (a *answering) Committing(*Call, string, int64, []byte, *Output) error { return a.err() }

func (a *answering) PutPart(*Call, string, Part) ([]byte, error)           { return a.reply.Data, a.err() }
func (a *answering) Put(*Call, string, *Stream) error                      { return a.err() }
func (a *answering) Delete(*Call, string) error                            { return a.err() }
func (a *answering) DeleteTree(*Call, string) error                        { return a.err() }
func (a *answering) Copy(*Call, string, string) error                      { return a.err() }
func (a *answering) Move(*Call, string, string) error                      { return a.err() }
func (a *answering) Concat(*Call, string, []string) error                  { return a.err() }
func (a *answering) SuspendUpload(*Call, string, *Receipts, *Stream) error { return a.err() }
func (a *answering) CommitUpload(*Call, string, *Receipts, *Part) error    { return a.err() }
func (a *answering) CancelUpload(*Call, string) error                      { return a.err() }
func (a *answering) AbortUploads(*Call, string) error                      { return a.err() }

// replyError decodes a reply that must be an error.
func replyError(t *testing.T, reply []byte) *Error {
	t.Helper()
	err := emptyReply(reply)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("the reply %x is not an error: %v", reply, err)
	}
	return e
}

func TestUnknownOperationsAreUnsupported(t *testing.T) {
	g := newGuest(&fakeImports{}, Manifest{}, (&answering{}).open)
	g.driver = &answering{}
	if e := replyError(t, g.dispatch(99, []byte{0x80})); e.Kind != KindUnsupported {
		t.Fatalf("got %v, want unsupported", e)
	}
}

func TestUnknownKeysAreIgnored(t *testing.T) {
	var e encoder
	o := e.object()
	o.str("path", "/a")
	o.key("later").arrayLen(2)
	e.object().str("x", "y")
	e.bin([]byte{1, 2})
	o.int("off", 7)
	var r request
	if err := r.decode(e.b); err != nil || string(r.path) != "/a" || r.off != 7 {
		t.Fatalf("got %+v, %v", r, err)
	}
}

func TestMalformedRequestsAreErrors(t *testing.T) {
	for name, message := range map[string][]byte{
		"empty":      {},
		"no map":     {0x01},
		"truncated":  {0x81, 0xa4, 'p', 'a'},
		"trailing":   {0x80, 0x80},
		"wrong type": append([]byte{0x81, 0xa4}, "path\x01"...),
		"huge count": {0xdf, 0xff, 0xff, 0xff, 0xff},
		"huge bin":   append([]byte{0x81, 0xa6}, "params\xc6\xff\xff\xff\xff"...),
	} {
		g := newGuest(&fakeImports{}, Manifest{}, (&answering{}).open)
		g.driver = &answering{}
		if e := replyError(t, g.dispatch(opStat, message)); e.Kind != KindCorrupt {
			t.Errorf("%s: got %v, want corrupt", name, e)
		}
	}
}

func TestErrorsCrossWithTheirWrapping(t *testing.T) {
	g := newGuest(&fakeImports{}, Manifest{}, nil)
	g.encodeError(fmt.Errorf("outer: %w", &Error{Kind: KindNoSpace, Temporary: true, Status: 507, Msg: "full\nup"}))
	e := replyError(t, g.reply.b)
	if e.Kind != KindNoSpace || !e.Temporary || e.Status != 507 || e.Msg != "outer: no space: full up" {
		t.Fatalf("got %+v", e)
	}
	g.encodeError(errors.New(strings.Repeat("é", MaxText)))
	if e := replyError(t, g.reply.b); len(e.Msg) > MaxText || e.Kind != KindUnknown {
		t.Fatalf("got %d bytes of kind %v", len(e.Msg), e.Kind)
	}
}

func TestRepliesLongerThanTheBufferAreTaken(t *testing.T) {
	var e encoder
	o := e.object()
	o.int("status", 207)
	o.int("len", 3*replyRoom)
	o.bin("data", make([]byte, 3*replyRoom))
	resp, err := newWireHost(&fakeImports{reply: e.b}).HTTP(&Request{Method: "GET", URL: "http://x/"})
	if err != nil || resp.Status != 207 || len(resp.Data) != 3*replyRoom {
		t.Fatalf("got %+v, %v", resp, err)
	}
}

func TestDataOutlivesTheNextRoundTrip(t *testing.T) {
	var e encoder
	o := e.object()
	o.int("status", 200)
	o.bin("data", []byte("first"))
	im := &fakeImports{reply: e.b}
	w := newWireHost(im)
	resp, err := w.HTTP(&Request{Method: "GET", URL: "http://x/"})
	if err != nil {
		t.Fatal(err)
	}
	im.reply = []byte(strings.Replace(string(e.b), "first", "other", 1))
	if _, err := w.HTTP(&Request{Method: "GET", URL: "http://x/"}); err != nil {
		t.Fatal(err)
	}
	if string(resp.Data) != "first" {
		t.Fatalf("the first response became %q", resp.Data)
	}
}

func TestReceiptsArePaged(t *testing.T) {
	table := &pagedReceipts{}
	for i := 1; i <= 2*MaxReceiptPage+3; i++ {
		table.all = append(table.all, Receipt{Number: i})
	}
	next := 1
	err := NewReceipts(table).All(func(r Receipt) error {
		if r.Number != next {
			t.Fatalf("got receipt %d, want %d", r.Number, next)
		}
		next++
		return nil
	})
	if err != nil || next != len(table.all)+1 || table.calls != 3 {
		t.Fatalf("stopped before %d after %d calls: %v", next, table.calls, err)
	}
}

type pagedReceipts struct {
	all   []Receipt
	calls int
}

func (p *pagedReceipts) Page(after, limit int) ([]Receipt, error) {
	p.calls++
	return p.all[after:min(len(p.all), after+limit)], nil
}

func (p *pagedReceipts) Set([]Receipt) error { return nil }

func BenchmarkDispatchStat(b *testing.B) {
	g := newGuest(&fakeImports{}, Manifest{}, nil)
	g.driver = &answering{}
	var e encoder
	e.object().str("path", "/docker/registry/v2/repositories/library/busybox/_manifests/tags/latest/current/link")
	b.ReportAllocs()
	for range b.N {
		g.dispatch(opStat, e.b)
	}
}
