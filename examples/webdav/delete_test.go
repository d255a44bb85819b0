package webdav

import (
	"fmt"
	"net/http"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func TestDelete(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/f", "1")
	s.put("/ab", "2")
	d := open(t, h, "", nil)
	wantKind(t, d.delete("/a"), berth.KindInvalidPath)
	ok(t, d.delete("/a/f"))
	ok(t, d.delete("/a"))
	wantKind(t, d.delete("/a"), berth.KindNotFound)
	same(t, "tree", s.tree(), "/ab=2")
	s.put("/a/b/c", "3")
	ok(t, d.deleteTree("/a"))
	wantKind(t, d.deleteTree("/a"), berth.KindNotFound)
	same(t, "tree", s.tree(), "/ab=2")
}

func TestADeleteThatFailsForSomeIsAnError(t *testing.T) {
	s, h := newServer(t, "")
	s.put("/a/f", "1")
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != "DELETE" {
			return false
		}
		w.WriteHeader(207)
		fmt.Fprint(w, `<multistatus xmlns="DAV:"><response><href>/a/f</href><status>HTTP/1.1 423 Locked</status></response>`+
			`<response><href>/a</href><status>HTTP/1.1 424 Failed Dependency</status></response></multistatus>`)
		return true
	}
	err := open(t, h, "", nil).deleteTree("/a")
	wantKind(t, err, berth.KindUnavailable)
	if !berth.IsTemporary(err) {
		t.Fatalf("%v is not temporary", err)
	}
}

// TestADeleteThatMeetsAnother has a tree removed by two DELETEs together, as mod_dav does it: each goes on where the other was
// before it, and says that it failed for that.
func TestADeleteThatMeetsAnother(t *testing.T) {
	const forbidden = `<multistatus xmlns="DAV:"><response><href>/a/f</href><status>HTTP/1.1 403 Forbidden</status></response></multistatus>`
	const missing = `<multistatus xmlns="DAV:"><response><href>/a/f</href><status>HTTP/1.1 404 Not Found</status></response></multistatus>`
	type answer struct {
		status int
		body   string
		all    bool // and all is gone
	}
	for name, c := range map[string]struct {
		answers []answer
		want    berth.Kind // 0 is none
	}{
		"the rest was removed by this":            {[]answer{{207, forbidden, true}}, 0},
		"a member had gone":                       {[]answer{{207, missing, true}}, 0},
		"all had gone":                            {[]answer{{404, "", true}}, berth.KindNotFound},
		"all had gone when it was repeated":       {[]answer{{207, forbidden, false}, {404, "", true}}, 0},
		"a directory below had gone":              {[]answer{{404, "", false}, {204, "", true}}, 0},
		"a directory below had gone, as it seems": {[]answer{{404, "", false}, {404, "", false}, {404, "", false}, {404, "", false}}, berth.KindUnavailable},
		"a member had gone, as it seems":          {[]answer{{207, missing, false}, {207, missing, false}, {207, missing, false}, {207, missing, false}}, berth.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := newServer(t, "")
			s.put("/a/f", "1")
			left := c.answers
			s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != "DELETE" {
					return false
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(left) == 0 {
					t.Error("one DELETE too many")
					return false
				}
				if left[0].all {
					s.remove("/a")
				}
				w.WriteHeader(left[0].status)
				fmt.Fprint(w, left[0].body)
				left = left[1:]
				return true
			}
			err := open(t, h, "", nil).deleteTree("/a")
			if c.want == 0 {
				ok(t, err)
			} else if wantKind(t, err, c.want); berth.IsTemporary(err) != (c.want == berth.KindUnavailable) {
				t.Fatalf("temporary %v: %v", berth.IsTemporary(err), err)
			}
			if len(left) > 0 {
				t.Fatalf("%d DELETEs too few", len(left))
			}
		})
	}
}

// TestADeleteTakesNothingThatCameLater has another client delete what is to be deleted before the first DELETE comes, and a third one
// store something in its place.
func TestADeleteTakesNothingThatCameLater(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(s *server)
		doomed  string
		theirs  string
		do      func(d *store) error
		answers int // to the first DELETE
		kind    berth.Kind
		want    string // the tree
	}{
		"a file in an empty directory": {func(s *server) { s.put("/a/old", ""); s.remove("/a/old") }, "/a", "/a/new",
			func(d *store) error { return d.delete("/a") }, 404, berth.KindNotFound, "/a/ /a/new=theirs"},
		"a file in an empty directory, refused": {func(s *server) { s.put("/a/old", ""); s.remove("/a/old") }, "/a", "/a/new",
			func(d *store) error { return d.delete("/a") }, 409, berth.KindInvalidPath, "/a/ /a/new=theirs"},
		"a file for an empty directory, refused": {func(s *server) { s.put("/a/old", ""); s.remove("/a/old") }, "/a", "/a",
			func(d *store) error { return d.delete("/a") }, 409, berth.KindNotFound, "/a=theirs"},
		"a directory for a file": {func(s *server) { s.put("/f", "1") }, "/f", "/f/x",
			func(d *store) error { return d.delete("/f") }, 404, berth.KindNotFound, "/f/ /f/x=theirs"},
		"a directory for a file, refused": {func(s *server) { s.put("/f", "1") }, "/f", "/f/x",
			func(d *store) error { return d.delete("/f") }, 403, berth.KindNotFound, "/f/ /f/x=theirs"},
		"a directory for a file, without an answer": {func(s *server) { s.put("/f", "1") }, "/f", "/f/x",
			func(d *store) error { return d.delete("/f") }, 502, 0, "/f/ /f/x=theirs"},
		"a file where an empty directory is replaced": {func(s *server) { s.put("/src", "1"); s.put("/a/old", ""); s.remove("/a/old") }, "/a", "/a",
			func(d *store) error { return d.move("/src", "/a") }, 404, 0, "/a=1"},
		"a file in an empty directory that is replaced": {func(s *server) { s.put("/src", "1"); s.put("/a/old", ""); s.remove("/a/old") }, "/a", "/a/new",
			func(d *store) error { return d.move("/src", "/a") }, 404, berth.KindInvalidPath, "/a/ /a/new=theirs /src=1"},
		"the source of a move that is a PUT": {func(s *server) { s.style.putReplaces = true; s.put("/src", "1"); s.put("/dst", "0") }, "/src", "/src",
			func(d *store) error { d.driver.(*driver).putReplaces = true; return d.move("/src", "/dst") }, 404, 0, "/dst=1 /src=theirs"},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := newServer(t, "")
			c.before(s)
			first := true
			s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				if r.Method != "DELETE" || !first {
					return false
				}
				first = false
				s.remove(c.doomed)
				s.put(c.theirs, "theirs")
				w.WriteHeader(c.answers)
				return true
			}
			err := c.do(open(t, h, "", nil))
			if c.kind == 0 {
				ok(t, err)
			} else {
				wantKind(t, err, c.kind)
			}
			same(t, "tree", s.tree(), c.want)
		})
	}
}
