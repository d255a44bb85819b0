package webdav

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

// text is a body that can be opened again and again.
type text string

func (s text) Size() int64 { return int64(len(s)) }

func (s text) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(string(s))), nil
}

// store is a driver opened natively, with shorthands.
type store struct {
	t      *testing.T
	driver berth.Driver
	client *http.Client
}

func open(t *testing.T, h *httptest.Server, prefix string, more map[string]any) *store {
	t.Helper()
	params := map[string]any{"endpoint": h.URL + prefix}
	for k, v := range more {
		params[k] = v
	}
	b, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	d, _, _, err := Open(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	client := native.NewClient()
	t.Cleanup(client.CloseIdleConnections)
	return &store{t, d, client}
}

// call runs f with a Call of its own.
func (s *store) call(f func(c *berth.Call, h *native.Host) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := native.NewHost(ctx, s.client, nil)
	defer h.Close()
	return f(berth.NewCall(h), h)
}

func (s *store) put(path string, body native.Opener) error {
	return s.call(func(c *berth.Call, h *native.Host) error { return s.driver.Put(c, path, h.Source(body)) })
}

func (s *store) read(path string, offset, length int64) (string, error) {
	var out string
	err := s.call(func(c *berth.Call, _ *native.Host) error {
		content, err := s.driver.Read(c, path, offset, length)
		if err != nil || content.Body == nil {
			out = string(content.Data)
			return err
		}
		b, err := io.ReadAll(io.LimitReader(content.Body, content.Length))
		out = string(b)
		if err == nil && int64(len(b)) != content.Length {
			err = fmt.Errorf("%d bytes were promised and %d came", content.Length, len(b))
		}
		return err
	})
	return out, err
}

func (s *store) stat(path string) (e berth.Entry, err error) {
	err = s.call(func(c *berth.Call, _ *native.Host) error { e, err = s.driver.Stat(c, path); return err })
	return e, err
}

func (s *store) list(path string, limit int) (names []string, err error) {
	cursor := ""
	for {
		var page berth.Page
		err = s.call(func(c *berth.Call, _ *native.Host) error {
			page, err = s.driver.List(c, path, cursor, limit)
			return err
		})
		for _, e := range page.Entries {
			names = append(names, key(&e))
		}
		if cursor = page.Cursor; err != nil || cursor == "" {
			return names, err
		}
	}
}

func (s *store) move(from, to string) error {
	return s.call(func(c *berth.Call, _ *native.Host) error { return s.driver.Move(c, from, to) })
}

func (s *store) copy(from, to string) error {
	return s.call(func(c *berth.Call, _ *native.Host) error { return s.driver.Copy(c, from, to) })
}

func (s *store) delete(path string) error {
	return s.call(func(c *berth.Call, _ *native.Host) error { return s.driver.Delete(c, path) })
}

func (s *store) deleteTree(path string) error {
	return s.call(func(c *berth.Call, _ *native.Host) error { return s.driver.DeleteTree(c, path) })
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind berth.Kind) {
	t.Helper()
	if err == nil || berth.KindOf(err) != kind {
		t.Fatalf("got error %v, want %v", err, kind)
	}
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

func TestPutOfANewFile(t *testing.T) {
	s, h := newServer(t, "/dav")
	d := open(t, h, "/dav", nil)
	ok(t, d.put("/a/b/c", text("hello")))
	same(t, "requests", s.log(), `PUT /dav/a/b/~put: 409
PROPFIND /dav/a/b depth 0: 404
PROPFIND /dav/a depth 0: 404
PROPFIND /dav/ depth 0: 207
MKCOL /dav/a/: 201
MKCOL /dav/a/b/: 201
PUT /dav/a/b/~put: 201
PROPFIND /dav/a/b/~put depth 0: 207
MOVE /dav/a/b/~put to /dav/a/b/c overwrite F: 201`)
	same(t, "tree", s.tree(), "/a/ /a/b/ /a/b/c=hello")
	ok(t, d.put("/a/b/d", text("")))
	same(t, "requests", s.log(), `PUT /dav/a/b/~put: 201
PROPFIND /dav/a/b/~put depth 0: 207
MOVE /dav/a/b/~put to /dav/a/b/d overwrite F: 201`)
}

func TestPutOverAFileNeedsASecondMove(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/f", "old")
	d := open(t, h, "", nil)
	ok(t, d.put("/a/f", text("new")))
	same(t, "requests", s.log(), `PUT /a/~put: 201
PROPFIND /a/~put depth 0: 207
MOVE /a/~put to /a/f overwrite F: 412
PROPFIND /a/f depth 0: 207
PROPFIND /a/~put depth 0: 207
MOVE /a/~put to /a/f overwrite T: 204`)
	same(t, "tree", s.tree(), "/a/ /a/f=new")
}

func TestALargePutLooksForItsDirectoryFirst(t *testing.T) {
	s, h := newServer(t, "")
	d := open(t, h, "", nil)
	ok(t, d.put("/a/f", text(strings.Repeat("x", largeBody+1))))
	if log := s.log(); !strings.HasPrefix(log, "PROPFIND /a depth 0: 404\nPROPFIND / depth 0: 207\nMKCOL /a/: 201\nPUT ") {
		t.Fatalf("requests:\n%s", log)
	}
}

func TestPutNeverReplacesADirectory(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/f", "x")
	d := open(t, h, "", nil)
	wantKind(t, d.put("/a", text("y")), berth.KindInvalidPath)
	same(t, "tree", s.tree(), "/a/ /a/f=x")
	s.nodes["/e"] = &node{dir: true}
	ok(t, d.put("/e", text("y"))) // an empty directory counts as nothing
	same(t, "tree", s.tree(), "/a/ /a/f=x /e=y")
}

func TestPathsThroughAFileAreInvalid(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a", "x")
	s.put("/b", "x")
	d := open(t, h, "", nil)
	wantKind(t, d.put("/a/b/c", text("y")), berth.KindInvalidPath)
	wantKind(t, d.put("/a/b", text(strings.Repeat("y", largeBody+1))), berth.KindInvalidPath)
	wantKind(t, d.move("/b", "/a/b"), berth.KindInvalidPath)
	wantKind(t, d.copy("/b", "/a/b"), berth.KindInvalidPath)
	_, err := d.stat("/a/b")
	wantKind(t, err, berth.KindNotFound)
	same(t, "tree", s.tree(), "/a=x /b=x")
}

func TestAMissingEndpointIsMade(t *testing.T) {
	s, h := newServer(t, "")
	d := open(t, h, "/reg/istry", nil)
	if e, err := d.stat("/"); err != nil || !e.Dir {
		t.Fatalf("the root is %+v, %v", e, err)
	}
	if names, err := d.list("/", 10); err != nil || len(names) != 0 {
		t.Fatalf("the root has %v, %v", names, err)
	}
	ok(t, d.put("/f", text("x")))
	same(t, "tree", s.tree(), "/reg/ /reg/istry/ /reg/istry/f=x")
}

func TestAShortStoreIsNotCommitted(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/f", "old")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" {
			r.Body = io.NopCloser(io.LimitReader(r.Body, 2))
		}
		return false
	}
	d := open(t, h, "", nil)
	wantKind(t, d.put("/f", text("newer")), berth.KindCorrupt)
	same(t, "tree", s.tree(), "/f=old")
}

// ending is a body that ends before its size.
type ending struct{ text }

func (e ending) Size() int64 { return int64(len(e.text)) + 5 }

func TestABodyThatEndsEarlyLeavesTheOld(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/f", "old")
	d := open(t, h, "", nil)
	if err := d.put("/f", ending{"new"}); err == nil {
		t.Fatal("a put of a body that ended early succeeded")
	}
	same(t, "tree", s.tree(), "/f=old")
}

func TestALostMoveIsLookedAfter(t *testing.T) {
	for name, after := range map[string]bool{"after its effect": true, "before its effect": false} {
		t.Run(name, func(t *testing.T) {
			s, h := newServer(t, "")
			var once sync.Once
			s.intercept = func(w http.ResponseWriter, r *http.Request) (answered bool) {
				if r.Method == "MOVE" {
					once.Do(func() {
						if after {
							s.handle(httptest.NewRecorder(), r)
						}
						panic(http.ErrAbortHandler)
					})
				}
				return false
			}
			d := open(t, h, "", nil)
			err := d.put("/f", text("x"))
			if after {
				ok(t, err)
				same(t, "tree", s.tree(), "/f=x")
				return
			}
			wantKind(t, err, berth.KindUnavailable)
			if !berth.IsTemporary(err) {
				t.Fatalf("%v is not temporary", err)
			}
			// The MOVE may still be under way, so its source must stay.
			if tree := s.tree(); !strings.HasPrefix(tree, "/~put-") {
				t.Fatalf("the source of a MOVE under way was removed: %q", tree)
			}
			if n := strings.Count(s.log(), "MOVE"); n != 1 {
				t.Fatalf("%d MOVEs were sent, want 1", n)
			}
		})
	}
}

func TestALostMoveOntoSomethingElseIsAConflict(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/f", "content")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "MOVE" {
			s.mu.Lock()
			s.remove("/f")
			s.mu.Unlock()
			w.WriteHeader(504)
			return true
		}
		return false
	}
	wantKind(t, open(t, h, "", nil).move("/f", "/g"), berth.KindConflict)
}

func TestMoveAndCopy(t *testing.T) {
	s, h := newServer(t, "/x")
	s.put("/a/f", "1")
	s.put("/a/g/h", "2")
	s.put("/t", "old")
	d := open(t, h, "/x/", nil)
	ok(t, d.move("/a/f", "/t"))
	same(t, "tree", s.tree(), "/a/ /a/g/ /a/g/h=2 /t=1")
	ok(t, d.move("/a", "/n/m"))
	same(t, "tree", s.tree(), "/n/ /n/m/ /n/m/g/ /n/m/g/h=2 /t=1")
	ok(t, d.copy("/t", "/o/p"))
	ok(t, d.copy("/n/m/g/h", "/t"))
	same(t, "tree", s.tree(), "/n/ /n/m/ /n/m/g/ /n/m/g/h=2 /o/ /o/p=1 /t=2")
	ok(t, d.move("/t", "/t"))
	wantKind(t, d.move("/n", "/n/m/q"), berth.KindInvalidPath)
	wantKind(t, d.move("/missing", "/t"), berth.KindNotFound)
	wantKind(t, d.copy("/missing", "/t"), berth.KindNotFound)
	wantKind(t, d.move("/t", "/n"), berth.KindInvalidPath)
	wantKind(t, d.copy("/n", "/z"), berth.KindInvalidPath)
	same(t, "tree", s.tree(), "/n/ /n/m/ /n/m/g/ /n/m/g/h=2 /o/ /o/p=1 /t=2")
}
