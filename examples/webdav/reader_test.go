package webdav

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func TestRead(t *testing.T) {
	for name, ignoresRange := range map[string]bool{"ranges": false, "a server that ignores Range": true} {
		t.Run(name, func(t *testing.T) {
			s, h := newServer(t, "")
			s.put("/f", "0123456789")
			s.put("/e", "")
			s.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
				if ignoresRange {
					r.Header.Del("Range")
				}
				return false
			}
			d := open(t, h, "", nil)
			for _, c := range []struct {
				path           string
				offset, length int64
				want           string
				kind           berth.Kind
			}{
				{"/f", 0, -1, "0123456789", 0}, {"/f", 3, -1, "3456789", 0}, {"/f", 3, 4, "3456", 0}, {"/f", 0, 4, "0123", 0},
				{"/f", 8, 100, "89", 0}, {"/f", 10, -1, "", 0}, {"/f", 10, 5, "", 0}, {"/f", 11, -1, "", berth.KindInvalidOffset},
				{"/f", 11, 3, "", berth.KindInvalidOffset}, {"/f", 4, 0, "", 0}, {"/f", 11, 0, "", berth.KindInvalidOffset},
				{"/e", 0, -1, "", 0}, {"/e", 0, 5, "", 0}, {"/e", 1, -1, "", berth.KindInvalidOffset},
				{"/missing", 0, -1, "", berth.KindNotFound}, {"/missing", 5, 1, "", berth.KindNotFound},
				{"/f", 3, 1<<63 - 1, "3456789", 0},
			} {
				got, err := d.read(c.path, c.offset, c.length)
				if got != c.want || berth.KindOf(err) != c.kind || (err != nil) != (c.kind != 0) {
					t.Errorf("read %s %d+%d: %q, %v; want %q, %v", c.path, c.offset, c.length, got, err, c.want, c.kind)
				}
			}
		})
	}
}

func TestWrongPartialAnswersAreCorrupt(t *testing.T) {
	for header, body := range map[string]string{
		"bytes 2-4/10": "234",   // begins elsewhere
		"bytes 3-9/10": "345",   // other length than the range
		"bytes 3-4/10": "34",    // ends too early
		"bytes 3-7/10": "34567", // longer than asked
		"bytes 3-6/5":  "3456",  // past its total
		"3-6/10":       "3456",  // no unit
		"":             "3456",
		"bytes 3-5/*":  "345",
	} {
		_, h := newServer(t, "")
		s := h.Config.Handler.(*server)
		s.put("/f", "0123456789")
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "GET" {
				return false
			}
			if header != "" {
				w.Header().Set("Content-Range", header)
			}
			w.WriteHeader(206)
			fmt.Fprint(w, body)
			return true
		}
		if got, err := open(t, h, "", nil).read("/f", 3, 4); berth.KindOf(err) != berth.KindCorrupt {
			t.Errorf("%q with %q: got %q, %v; want corrupt", header, body, got, err)
		}
	}
}

func TestReadOfADirectoryIsNotFound(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/f", "x")
	for _, status := range []int{301, 403, 405} {
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != "GET" {
				return false
			}
			w.Header().Set("Location", r.URL.Path+"/")
			w.WriteHeader(status)
			return true
		}
		_, err := open(t, h, "", nil).read("/a", 0, -1)
		wantKind(t, err, berth.KindNotFound)
	}
}

func TestRefusalsAreClassified(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/there", "x")
	s.put("/file", "x")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PROPFIND" && (r.URL.Path == "/a" || r.URL.Path == "/" || r.URL.Path == "/file") {
			return false
		}
		w.WriteHeader(403)
		return true
	}
	d := open(t, h, "", nil)
	_, err := d.stat("/a/there")
	wantKind(t, err, berth.KindPermission)
	_, err = d.read("/a/there", 0, -1)
	wantKind(t, err, berth.KindPermission)
	for _, missing := range []string{"/a/gone", "/gone/gone/gone", "/file/x"} {
		_, err = d.stat(missing)
		wantKind(t, err, berth.KindNotFound)
		_, err = d.read(missing, 0, -1)
		wantKind(t, err, berth.KindNotFound)
	}
	wantKind(t, d.put("/a/new", text("x")), berth.KindPermission)
	wantKind(t, d.put("/file/new", text("x")), berth.KindInvalidPath)
}

func TestStatusesHaveTheirKinds(t *testing.T) {
	for status, want := range map[int]struct {
		kind      berth.Kind
		temporary bool
	}{
		401: {berth.KindPermission, false}, 423: {berth.KindUnavailable, true}, 429: {berth.KindUnavailable, true},
		500: {berth.KindUnavailable, true}, 501: {berth.KindUnsupported, false}, 503: {berth.KindUnavailable, true},
		507: {berth.KindNoSpace, false}, 413: {berth.KindLimit, false}, 302: {berth.KindInvalidArgument, false}, 418: {berth.KindCorrupt, false},
	} {
		s, h := newServer(t, "")
		s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			return true
		}
		_, err := open(t, h, "", nil).stat("/f")
		if berth.KindOf(err) != want.kind || berth.IsTemporary(err) != want.temporary {
			t.Errorf("%d: got %v (temporary %v), want %v (%v)", status, err, berth.IsTemporary(err), want.kind, want.temporary)
		}
	}
}

func TestALockThatGoesAwayIsWaitedFor(t *testing.T) {
	s, h := newServer(t, "")
	locked := map[string]int{"PUT": 2, "MOVE": 2, "MKCOL": 1, "DELETE": 1}
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if locked[r.Method] == 0 {
			return false
		}
		locked[r.Method]--
		w.WriteHeader(423)
		return true
	}
	d := open(t, h, "", nil)
	ok(t, d.put("/a/f", text("x")))
	ok(t, d.delete("/a/f"))
	same(t, "tree", s.tree(), "/a/")
	if log := s.log(); strings.Count(log, "MOVE") != 3 {
		t.Fatalf("requests:\n%s", log)
	}
}

func TestBasicAuthentication(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/f", "x")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if u, p, ok := r.BasicAuth(); ok && u == "ann" && p == "s:cret" {
			return false
		}
		w.WriteHeader(401)
		return true
	}
	_, err := open(t, h, "", nil).stat("/f")
	wantKind(t, err, berth.KindPermission)
	_, err = open(t, h, "", map[string]any{"username": "ann", "password": "s:cret"}).stat("/f")
	ok(t, err)
}

func TestBadParameters(t *testing.T) {
	for params, want := range map[string]string{
		`{}`:                                        `"endpoint" is missing`,
		`{"endpoint":"ftp://x"}`:                    `must begin with http`,
		`{"endpoint":"http://"}`:                    `must name a host`,
		`{"endpoint":"http://u:hunter2@h/"}`:        `without user or password`,
		`{"endpoint":"http://h/?hunter2"}`:          `without query`,
		`{"endpoint":"http://h/%zz"}`:               `percent escape`,
		`{"endpoint":"http://h","password":"x"}`:    `needs "username"`,
		`{"endpoint":"http://h","username":"a:b"}`:  `colon`,
		`{"endpoint":"http://h","rootdir":"/"}`:     `unknown parameter "rootdir"; there are: endpoint, username, password, replace, confirm`,
		`{"endpoint":"http://h","replace":"copy"}`:  `"replace" must be one of move, put`,
		`{"endpoint":"http://h","confirm":"maybe"}`: `"confirm" must be true or false`,
	} {
		_, _, _, err := Open(nil, []byte(params))
		if err == nil || berth.KindOf(err) != berth.KindInvalidArgument || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %s", params, err, want)
		}
	}
}
