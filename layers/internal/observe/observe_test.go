package observe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/internal/observe"
)

type key struct{}

// next is a backend that says what it is called with, and fails when it is told to.
type next struct {
	told []string
	err  error
}

func (n *next) call(ctx context.Context, text string, args ...any) error {
	under, _ := ctx.Value(key{}).(string)
	n.told = append(n.told, under+": "+fmt.Sprintf(text, args...))
	return n.err
}

// read reads a body that the backend was given.
func (n *next) read(ctx context.Context, s storagedriver.Source) string {
	if s == nil {
		return "nothing"
	}
	r, err := s.Open(ctx)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	var all strings.Builder
	if _, err := io.Copy(&all, r); err != nil {
		return err.Error()
	}
	return all.String()
}

var capabilities = storagedriver.Capabilities{Abilities: storagedriver.AbilityParts, MaxObject: 7}

func (n *next) Name() string                             { return "next" }
func (n *next) Capabilities() storagedriver.Capabilities { return capabilities }
func (n *next) Close() error                             { return n.call(context.Background(), "Close") }

func (n *next) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return storagedriver.Entry{Size: 1}, n.call(ctx, "Stat %s", path)
}

func (n *next) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return storagedriver.Page{Cursor: "on"}, n.call(ctx, "List %s %s %d", path, cursor, limit)
}

func (n *next) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	return storagedriver.Page{Cursor: "on"}, n.call(ctx, "ListTree %s %s %s %d", path, startAfter, cursor, limit)
}

func (n *next) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if err := n.call(ctx, "Read %s %d %d", path, offset, length); err != nil {
		return nil, 0, err
	}
	return io.NopCloser(strings.NewReader("body")), 4, nil
}

func (n *next) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return n.call(ctx, "Put %s %s", path, n.read(ctx, body))
}

func (n *next) Delete(ctx context.Context, path string) error { return n.call(ctx, "Delete %s", path) }
func (n *next) DeleteTree(ctx context.Context, path string) error {
	return n.call(ctx, "DeleteTree %s", path)
}

func (n *next) Copy(ctx context.Context, source, dest string) error {
	return n.call(ctx, "Copy %s %s", source, dest)
}

func (n *next) Move(ctx context.Context, source, dest string) error {
	return n.call(ctx, "Move %s %s", source, dest)
}

func (n *next) Concat(ctx context.Context, dest string, sources []string) error {
	return n.call(ctx, "Concat %s %v", dest, sources)
}

func (n *next) Redirect(ctx context.Context, path string, o storagedriver.RedirectOptions) (string, error) {
	return "url", n.call(ctx, "Redirect %s %s", path, o.Method)
}

// tailed is the tail of an upload: it knows the context that it is opened under.
type tailed struct {
	storagedriver.BytesSource
	n *next
}

func (t tailed) Open(ctx context.Context) (io.ReadCloser, error) {
	if err := t.n.call(ctx, "tail"); err != nil {
		return nil, err
	}
	return t.BytesSource.Open(ctx)
}

func (n *next) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	return storagedriver.Upload{Token: "t", Tail: tailed{storagedriver.BytesSource("tail"), n}}, n.call(ctx, "OpenUpload %s %v", path, append)
}

func (n *next) PutPart(ctx context.Context, token string, p storagedriver.Part) ([]byte, error) {
	return []byte("receipt"), n.call(ctx, "PutPart %s %d %d %s", token, p.Number, p.Offset, n.read(ctx, p.Body))
}

func (n *next) SuspendUpload(ctx context.Context, token string, r *storagedriver.Receipts, tail storagedriver.Source) error {
	return n.call(ctx, "SuspendUpload %s %d %s", token, r.Len(), n.read(ctx, tail))
}

func (n *next) CommitUpload(ctx context.Context, token string, r *storagedriver.Receipts, last storagedriver.Source) error {
	return n.call(ctx, "CommitUpload %s %d %s", token, r.Len(), n.read(ctx, last))
}

func (n *next) CancelUpload(ctx context.Context, token string) error {
	return n.call(ctx, "CancelUpload %s", token)
}
func (n *next) AbortUploads(ctx context.Context, path string) error {
	return n.call(ctx, "AbortUploads %s", path)
}

func (n *next) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return storagedriver.Page{Cursor: "on"}, n.call(ctx, "ListUploads %s %s %d", path, cursor, limit)
}

// calls is every call of a Backend: what it is told as, what reaches the backend, and what the
// watch is told of its end.
var calls = []struct {
	begun, reached, ended string
	do                    func(ctx context.Context, b storagedriver.Backend) (string, error)
	result                string
}{
	{"Stat /a", "Stat /a", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		e, err := b.Stat(ctx, "/a")
		return fmt.Sprint(e.Size), err
	}, "1"},
	{"List /a", "List /a c 9", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		p, err := b.List(ctx, "/a", "c", 9)
		return p.Cursor, err
	}, "on"},
	{"ListTree /a", "ListTree /a s c 9", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		p, err := b.ListTree(ctx, "/a", "s", "c", 9)
		return p.Cursor, err
	}, "on"},
	{"Read /a 3", "Read /a 3 8", "4 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		r, size, err := b.Read(ctx, "/a", 3, 8)
		if err != nil {
			return "", err
		}
		content, err := io.ReadAll(r)
		return fmt.Sprint(string(content), size), errors.Join(err, r.Close(), r.Close())
	}, "body4"},
	{"Put /a", "Put /a in memory", "0 9", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.Put(ctx, "/a", storagedriver.BytesSource("in memory"))
	}, ""},
	{"Put /a", "Put /a joined", "0 6", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.Put(ctx, "/a", storagedriver.JoinSources(storagedriver.BytesSource("joi"), storagedriver.BytesSource("ned")))
	}, ""},
	{"Delete /a", "Delete /a", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) { return "", b.Delete(ctx, "/a") }, ""},
	{"DeleteTree /a", "DeleteTree /a", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) { return "", b.DeleteTree(ctx, "/a") }, ""},
	{"Copy /a > /b", "Copy /a /b", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) { return "", b.Copy(ctx, "/a", "/b") }, ""},
	{"Move /a > /b", "Move /a /b", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) { return "", b.Move(ctx, "/a", "/b") }, ""},
	{"Concat /a", "Concat /a [/x /y]", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.Concat(ctx, "/a", []string{"/x", "/y"})
	}, ""},
	{"Redirect /a", "Redirect /a GET", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return b.Redirect(ctx, "/a", storagedriver.RedirectOptions{Method: "GET"})
	}, "url"},
	{"OpenUpload /a append", "OpenUpload /a true", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		u, err := b.OpenUpload(ctx, "/a", true)
		return u.Token, err
	}, "t"},
	{"PutPart 7 #2", "PutPart t 2 7 part", "0 4", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		receipt, err := b.PutPart(ctx, "t", storagedriver.Part{Number: 2, Offset: 7, Body: storagedriver.BytesSource("part")})
		return string(receipt), err
	}, "receipt"},
	{"SuspendUpload", "SuspendUpload t 0 tail", "0 4", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.SuspendUpload(ctx, "t", &storagedriver.Receipts{}, storagedriver.BytesSource("tail"))
	}, ""},
	{"SuspendUpload", "SuspendUpload t 0 nothing", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.SuspendUpload(ctx, "t", &storagedriver.Receipts{}, nil)
	}, ""},
	{"CommitUpload", "CommitUpload t 0 last", "0 4", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.CommitUpload(ctx, "t", &storagedriver.Receipts{}, storagedriver.BytesSource("last"))
	}, ""},
	{"CommitUpload", "CommitUpload t 0 nothing", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.CommitUpload(ctx, "t", &storagedriver.Receipts{}, nil)
	}, ""},
	{"CancelUpload", "CancelUpload t", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.CancelUpload(ctx, "t")
	}, ""},
	{"AbortUploads /a", "AbortUploads /a", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		return "", b.AbortUploads(ctx, "/a")
	}, ""},
	{"ListUploads /a", "ListUploads /a c 9", "0 0", func(ctx context.Context, b storagedriver.Backend) (string, error) {
		p, err := b.ListUploads(ctx, "/a", "c", 9)
		return p.Cursor, err
	}, "on"},
}

// record is a Begin that keeps lines.
type record struct{ begun, ended []string }

func (r *record) begin(ctx context.Context, c observe.Call) (context.Context, observe.Watch) {
	text := c.Operation
	if c.Path != "" {
		text += " " + c.Path
	}
	if c.Dest != "" {
		text += " > " + c.Dest
	}
	if c.Offset != 0 {
		text += fmt.Sprint(" ", c.Offset)
	}
	if c.Number != 0 {
		text += fmt.Sprint(" #", c.Number)
	}
	if c.Append {
		text += " append"
	}
	r.begun = append(r.begun, text)
	outer, _ := ctx.Value(key{}).(string)
	return context.WithValue(ctx, key{}, outer+"/"+c.Operation), observe.Watch{Ended: func(result observe.Result) {
		text := fmt.Sprintf("%d %d", result.Read, result.Written)
		if result.Err != nil {
			text += " " + result.Err.Error()
		}
		r.ended = append(r.ended, text)
	}}
}

func TestEveryCallIsToldAndHandedOn(t *testing.T) {
	ctx := context.WithValue(t.Context(), key{}, "caller")
	broken := errors.New("broken")
	for _, c := range calls {
		for _, fails := range []error{nil, broken} {
			n, r := &next{err: fails}, &record{}
			result, err := c.do(ctx, observe.New(n, r.begin))
			if !errors.Is(err, fails) || fails == nil && result != c.result {
				t.Errorf("%s: %q, %v, want %q, %v", c.reached, result, err, c.result, fails)
			}
			operation, _, _ := strings.Cut(c.begun, " ")
			if want := "caller/" + operation + ": " + c.reached; !slices.Equal(n.told, []string{want}) {
				t.Errorf("the backend was told %q, want %q", n.told, want)
			}
			ended := c.ended
			if fails != nil {
				if operation == "Read" {
					ended = "0 0"
				}
				ended += " broken"
			}
			if !slices.Equal(r.begun, []string{c.begun}) || !slices.Equal(r.ended, []string{ended}) {
				t.Errorf("%s: began as %q and ended as %q, want %q and %q", c.reached, r.begun, r.ended, c.begun, ended)
			}
		}
	}
}

func TestATailIsReadFromTheBackend(t *testing.T) {
	ctx := context.WithValue(t.Context(), key{}, "caller")
	n, r := &next{}, &record{}
	u, err := observe.New(n, r.begin).OpenUpload(ctx, "/a", true)
	if err != nil || u.Tail.Size() != 4 {
		t.Fatalf("%v, %v", u, err)
	}
	if got := n.read(ctx, u.Tail); got != "tail" {
		t.Errorf("the tail is %q", got)
	}
	n.err = errors.New("broken")
	if got := n.read(ctx, u.Tail); got != "broken" {
		t.Errorf("a tail that cannot be opened is %q", got)
	}
	wantBegun := []string{"OpenUpload /a append", "ReadTail /a", "ReadTail /a"}
	wantEnded := []string{"0 0", "4 0", "0 0 broken"}
	if !slices.Equal(r.begun, wantBegun) || !slices.Equal(r.ended, wantEnded) || n.told[1] != "caller/ReadTail: tail" {
		t.Errorf("began as %q and ended as %q, want %q and %q; the backend was told %q", r.begun, r.ended, wantBegun, wantEnded, n.told)
	}
}

func TestWhatIsNoCallIsHandedOn(t *testing.T) {
	n, r := &next{}, &record{}
	b := observe.New(n, r.begin)
	if b.Name() != "next" || b.Capabilities() != capabilities {
		t.Errorf("%s, %v", b.Name(), b.Capabilities())
	}
	if err := b.Close(); err != nil || !slices.Equal(n.told, []string{": Close"}) || r.begun != nil {
		t.Errorf("Close: %v; told %q, began %q", err, n.told, r.begun)
	}
}
