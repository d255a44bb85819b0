package webdav

import (
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/guest-sdk/go/native"
)

func TestListIsSortedWithDirectoriesAsNameAndSlash(t *testing.T) {
	for name, st := range map[string]style{
		"plain": {}, "prefix": {prefix: "D"}, "absolute": {absolute: true, prefix: "lp1"}, "escaped": {escapeAll: true}, "redirecting": {redirectDirs: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, h := newServer(t, "/d av")
			s.style = st
			for _, p := range []string{"/x/a/1", "/x/a.b", "/x/a-", "/x/a0", "/x/B", "/x/~p", "/x/a~/q", "/xy/1"} {
				s.put(p, "1")
			}
			s.put("/x/not nameable & odd", "1")
			d := open(t, h, "/d%20av", nil)
			names, err := d.list("/x", 0)
			ok(t, err)
			same(t, "names", strings.Join(names, " "), "B a- a.b a/ a0 a~/ ~p")
			for limit := 1; limit < 9; limit++ {
				paged, err := d.list("/x", limit)
				ok(t, err)
				same(t, fmt.Sprintf("names in pages of %d", limit), strings.Join(paged, " "), strings.Join(names, " "))
			}
			_, err = d.list("/x/a0", 0)
			wantKind(t, err, berth.KindNotFound)
			_, err = d.list("/x/none", 0)
			wantKind(t, err, berth.KindNotFound)
			if e, err := d.stat("/x/a/1"); err != nil || e.Size != 1 || !e.ModTime.Equal(fixedTime) || e.Dir {
				t.Fatalf("stat: %+v, %v", e, err)
			}
			if e, err := d.stat("/x/a"); err != nil || e.Size != 0 || !e.Dir {
				t.Fatalf("stat: %+v, %v", e, err)
			}
		})
	}
}

func TestALengthThatPropfindLacksIsAskedFor(t *testing.T) {
	s, h := newServer(t, "")
	s.style.noLength = true
	s.put("/f", "12345")
	if e, err := open(t, h, "", nil).stat("/f"); err != nil || e.Size != 5 {
		t.Fatalf("got %+v, %v", e, err)
	}
}

// TestPagesAreCutFromOneAnswer shows the saving, and that another instance goes on all the same.
func TestPagesAreCutFromOneAnswer(t *testing.T) {
	s, h := newServer(t, "")
	var want []string
	for i := range 2500 {
		name := fmt.Sprintf("n%d", i)
		s.put("/x/"+name, "")
		want = append(want, name)
	}
	sort.Strings(want)
	d := open(t, h, "", nil)
	names, err := d.list("/x", 1000)
	ok(t, err)
	same(t, "names", strings.Join(names, " "), strings.Join(want, " "))
	same(t, "requests", s.log(), "PROPFIND /x depth 1: 207")

	var page berth.Page
	ok(t, d.call(func(c *berth.Call, _ *native.Host) error { page, err = d.driver.List(c, "/x", "", 1000); return err }))
	other := open(t, h, "", nil)
	ok(t, other.call(func(c *berth.Call, _ *native.Host) error {
		page, err = other.driver.List(c, "/x", page.Cursor, 1000)
		return err
	}))
	if page.Entries[0].Name != want[1000] || len(page.Entries) != 1000 {
		t.Fatalf("another instance went on at %s with %d entries, want %s", page.Entries[0].Name, len(page.Entries), want[1000])
	}
}

// TestAPropfindThatFailsHalfWayIsRepeated: it changes nothing, and servers fail when something is deleted meanwhile.
func TestAPropfindThatFailsHalfWayIsRepeated(t *testing.T) {
	s, h := newServer(t, "")
	for i := range 2000 {
		s.put(fmt.Sprintf("/x/n%d", i), "")
	}
	failures := 0
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		failures++
		switch failures {
		case 1:
			w.WriteHeader(500)
			return true
		case 2:
			w.WriteHeader(207)
			io.WriteString(w, `<multistatus xmlns="DAV:"><response><href>/x/ghost</href><propstat><prop/></propstat></response>`)
			w.(*recorder).ResponseWriter.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case 3:
			w.WriteHeader(207)
			io.WriteString(w, `<multistatus xmlns="DAV:"><response>Internal Server Error`)
			return true
		}
		return false
	}
	names, err := open(t, h, "", nil).list("/x", 0)
	if err != nil || len(names) != 2000 || failures != 4 {
		t.Fatalf("got %d names after %d requests: %v", len(names), failures, err)
	}
}
