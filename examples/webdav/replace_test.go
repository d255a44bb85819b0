package webdav

import (
	"net/http"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// openPutting returns a server whose PUT replaces a file in one step, and the driver told so.
func openPutting(t *testing.T) (*server, *store) {
	s, h := newServer(t, "")
	s.style.putReplaces = true
	return s, open(t, h, "", map[string]any{"replace": "put"})
}

func TestAPutThatReplacesIsOneRequest(t *testing.T) {
	s, d := openPutting(t)
	ok(t, d.put("/a/f", text("new")))
	same(t, "requests", s.log(), `PUT /a/f: 409
PROPFIND /a depth 0: 404
PROPFIND / depth 0: 207
MKCOL /a/: 201
PUT /a/f: 201`)
	ok(t, d.put("/a/f", text("newer")))
	same(t, "requests", s.log(), `PUT /a/f: 204`)
	ok(t, d.put("/a/f", text(strings.Repeat("x", largeBody+1))))
	same(t, "requests", s.log(), "PROPFIND /a depth 0: 207\nPUT /a/f: 204")
	if err := d.put("/a/f", ending{"short"}); err == nil {
		t.Fatal("a put of a body that ended early succeeded")
	}
	same(t, "tree", s.tree(), "/a/ /a/f="+strings.Repeat("x", largeBody+1))
}

func TestAPutThatReplacesLeavesDirectories(t *testing.T) {
	s, d := openPutting(t)
	s.put("/a/f", "x")
	wantKind(t, d.put("/a", text("y")), berth.KindInvalidPath)
	wantKind(t, d.put("/a/f/g", text("y")), berth.KindInvalidPath)
	same(t, "tree", s.tree(), "/a/ /a/f=x")
	s.nodes["/e"] = &node{dir: true}
	ok(t, d.put("/e", text("y"))) // an empty directory counts as nothing
	same(t, "tree", s.tree(), "/a/ /a/f=x /e=y")
}

func TestMoveOntoAFileByPut(t *testing.T) {
	s, d := openPutting(t)
	s.put("/a/f", "1")
	s.put("/a/empty", "")
	s.put("/t", "old")
	ok(t, d.move("/a/f", "/n"))
	same(t, "tree", s.tree(), "/a/ /a/empty= /n=1 /t=old")
	s.log()
	ok(t, d.move("/n", "/t"))
	same(t, "requests", s.log(), `PROPFIND /n depth 0: 207
PROPFIND / depth 0: 207
MOVE /n to /t overwrite F: 412
PROPFIND /t depth 0: 207
GET /n: 200
PUT /t: 204
DELETE /n: 204`)
	same(t, "tree", s.tree(), "/a/ /a/empty= /t=1")
	ok(t, d.copy("/a/empty", "/t"))
	same(t, "tree", s.tree(), "/a/ /a/empty= /t=")
	ok(t, d.put("/a/f", text("2")))
	ok(t, d.copy("/a/f", "/t"))
	wantKind(t, d.move("/missing", "/t"), berth.KindNotFound)
	wantKind(t, d.move("/t", "/a"), berth.KindInvalidPath)
	same(t, "tree", s.tree(), "/a/ /a/empty= /a/f=2 /t=2")
}

// TestMoveOntoAFileByPutThatFails: the source stays until its content is at the target.
func TestMoveOntoAFileByPutThatFails(t *testing.T) {
	s, d := openPutting(t)
	s.put("/f", "new")
	s.put("/t", "old")
	status := 507
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && status != 0 {
			w.WriteHeader(status)
			if status == 423 {
				status = 0 // the lock goes away
			}
			return true
		}
		return false
	}
	wantKind(t, d.move("/f", "/t"), berth.KindNoSpace)
	same(t, "tree", s.tree(), "/f=new /t=old")
	status = 423
	ok(t, d.move("/f", "/t"))
	same(t, "tree", s.tree(), "/t=new")
}
