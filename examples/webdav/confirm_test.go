package webdav

import (
	"io"
	"net/http"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func openConfirming(t *testing.T) (*server, *store) {
	s, h := newServer(t, "")
	s.style.etags = true
	s.put("/f", "content")
	return s, open(t, h, "", map[string]any{"confirm": true})
}

func wantRead(t *testing.T, d *store, offset, length int64, want string) {
	t.Helper()
	got, err := d.read("/f", offset, length)
	ok(t, err)
	same(t, "content", got, want)
}

func TestAReadIsConfirmed(t *testing.T) {
	s, d := openConfirming(t)
	wantRead(t, d, 0, -1, "content")
	same(t, "requests", s.log(), "GET /f: 200\nHEAD /f: 200")
	wantRead(t, d, 3, 2, "te")
	same(t, "requests", s.log(), "GET /f bytes=3-4: 206\nHEAD /f: 200")
	s.put("/f", "")
	s.log()
	wantRead(t, d, 0, -1, "") // its length is all there is to know
	same(t, "requests", s.log(), "GET /f: 200")
}

// TestAReadOfAReplacedFileIsRepeated: the server sends the new content under the old length, as one does that looks
// at a file before it opens it.
func TestAReadOfAReplacedFileIsRepeated(t *testing.T) {
	s, d := openConfirming(t)
	times := 3
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Method != "GET" || times == 0 {
			return false
		}
		times--
		w.Header().Set("ETag", etag("old"))
		w.Header().Set("Content-Length", "3")
		_, _ = io.WriteString(w, "con")
		return true
	}
	wantRead(t, d, 0, -1, "content")
	same(t, "requests", s.log(), strings.Repeat("GET /f: 200\nHEAD /f: 200\n", 3)+"GET /f: 200\nHEAD /f: 200")

	times = -1
	_, err := d.read("/f", 0, -1)
	wantKind(t, err, berth.KindUnavailable)
	if n := strings.Count(s.log(), "GET"); n != confirmAttempts || !berth.IsTemporary(err) {
		t.Fatalf("want a temporary error after %d GETs, got %v after %d", confirmAttempts, err, n)
	}
}

func TestAReadOfAFileThatGoesAwayIsNotFound(t *testing.T) {
	s, d := openConfirming(t)
	s.intercept = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == "HEAD" {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.remove("/f")
		}
		return false
	}
	_, err := d.read("/f", 0, -1)
	wantKind(t, err, berth.KindNotFound)
}

// TestETagsAreComparedWeakly: the mark of a weak tag may go between two requests.
func TestETagsAreComparedWeakly(t *testing.T) {
	s, d := openConfirming(t)
	s.intercept = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "HEAD" {
			w.Header().Set("ETag", "W/"+etag("content"))
			w.Header().Set("Content-Length", "7")
			w.WriteHeader(200)
			return true
		}
		return false
	}
	wantRead(t, d, 0, -1, "content")
}

func TestConfirmNeedsETags(t *testing.T) {
	s, d := openConfirming(t)
	s.style.etags = false
	_, err := d.read("/f", 0, -1)
	wantKind(t, err, berth.KindUnsupported)
}
