package webdav

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a WebDAV server in memory that is stricter than real ones: what a careful client never
// sends fails the test.
type server struct {
	t      *testing.T
	prefix string // of every path, "" or beginning with a slash

	mu         sync.Mutex
	nodes      map[string]*node // by path without prefix, "" is the root
	transcript []string
	seen       map[string]bool // paths that a PROPFIND found since they last changed

	// intercept may answer instead, and says that it did. It runs unlocked.
	intercept func(w http.ResponseWriter, r *http.Request) bool
	// style changes the XML of PROPFIND.
	style style
}

type node struct {
	dir     bool
	content []byte
	modTime time.Time
}

type style struct {
	prefix       string // of the namespace
	absolute     bool   // hrefs with scheme and host
	noLength     bool   // no getcontentlength
	escapeAll    bool   // every byte of a name is escaped
	redirectDirs bool   // collections without a slash answer 301
	putReplaces  bool   // a PUT is atomic, and a MOVE onto a file is not
	etags        bool   // files have ETags
}

var fixedTime = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func newServer(t *testing.T, prefix string) (*server, *httptest.Server) {
	s := &server{t: t, prefix: prefix, nodes: map[string]*node{"": {dir: true}}, seen: map[string]bool{}}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	return s, h
}

// put stores content directly, with its directories.
func (s *server) put(p, content string) {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		s.nodes[dir] = &node{dir: true}
	}
	s.nodes[p] = &node{content: []byte(content), modTime: fixedTime}
}

// tree lists all paths, with contents.
func (s *server) tree() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for p, n := range s.nodes {
		switch {
		case p == "":
		case n.dir:
			lines = append(lines, p+"/")
		default:
			lines = append(lines, p+"="+string(n.content))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, " ")
}

// log returns what was sent since the last time, temporary names made equal.
func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := strings.Join(s.transcript, "\n")
	s.transcript = nil
	return out
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		line := r.Method + " " + masked(r.URL.Path)
		if d := r.Header.Get("Depth"); r.Method == "PROPFIND" {
			line += " depth " + d
		}
		if d := r.Header.Get("Destination"); d != "" {
			u, _ := url.Parse(d)
			line += " to " + masked(u.Path) + " overwrite " + r.Header.Get("Overwrite")
		}
		if v := r.Header.Get("Range"); v != "" {
			line += " " + v
		}
		s.transcript = append(s.transcript, fmt.Sprintf("%s: %d", line, rec.status))
	}()
	if s.intercept != nil && s.intercept(rec, r) {
		return
	}
	s.handle(rec, r)
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) { r.status = status; r.ResponseWriter.WriteHeader(status) }

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = 200
	}
	return r.ResponseWriter.Write(p)
}

// masked replaces the random part of temporary names.
func masked(p string) string {
	if i := strings.Index(p, "~put-"); i >= 0 {
		return p[:i] + "~put" + p[i+len("~put-")+16:]
	}
	return p
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	p, ok := strings.CutPrefix(r.URL.Path, s.prefix)
	if !ok {
		w.WriteHeader(404)
		return
	}
	p = strings.TrimSuffix(p, "/")
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return // the client gave up: nothing is stored
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[p]
	switch r.Method {
	case "PROPFIND":
		s.propfind(w, r, p, n, string(body))
	case "PUT":
		w.WriteHeader(s.store(p, body))
	case "MKCOL":
		switch {
		case n != nil:
			w.WriteHeader(405)
		case !s.hasParent(p):
			w.WriteHeader(409)
		default:
			s.nodes[p] = &node{dir: true}
			w.WriteHeader(201)
		}
	case "GET", "HEAD":
		if n == nil || n.dir {
			w.WriteHeader(404)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		if s.style.etags {
			w.Header().Set("ETag", etag(string(n.content)))
		}
		http.ServeContent(w, r, "", n.modTime, strings.NewReader(string(n.content)))
	case "DELETE":
		if n == nil {
			w.WriteHeader(404)
			return
		}
		s.require(!n.dir || s.seen[p], "DELETE of the collection %s without a look into it", p)
		s.remove(p)
		w.WriteHeader(204)
	case "MOVE", "COPY":
		w.WriteHeader(s.transfer(r, p, n))
	default:
		s.t.Errorf("unexpected method %s", r.Method)
		w.WriteHeader(501)
	}
}

func (s *server) require(ok bool, format string, args ...any) {
	if !ok {
		s.t.Errorf(format, args...)
	}
}

func (s *server) hasParent(p string) bool {
	dir := strings.TrimSuffix(path.Dir(p), "/")
	n := s.nodes[dir]
	return n != nil && n.dir
}

func (s *server) store(p string, body []byte) int {
	s.require(strings.Contains(p, "~put-") != s.style.putReplaces, "PUT to %s: private names are for servers whose PUT shows its target growing, and needed there", p)
	if n := s.nodes[p]; n != nil && n.dir {
		return 405
	}
	if !s.hasParent(p) {
		return 409
	}
	status := 201
	if s.nodes[p] != nil {
		status = 204
	}
	s.nodes[p] = &node{content: body, modTime: fixedTime}
	return status
}

func etag(content string) string { return fmt.Sprintf("%q", fmt.Sprintf("%x", content)) }

func (s *server) remove(p string) {
	for q := range s.nodes {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(s.nodes, q)
			delete(s.seen, q)
		}
	}
}

func (s *server) transfer(r *http.Request, p string, n *node) int {
	u, err := url.Parse(r.Header.Get("Destination"))
	if err != nil || u.Host != r.Host {
		return 502
	}
	dest := strings.TrimSuffix(strings.TrimPrefix(u.Path, s.prefix), "/")
	overwrite := r.Header.Get("Overwrite")
	s.require(overwrite == "T" || overwrite == "F", "%s without an explicit Overwrite", r.Method)
	if r.Method == "MOVE" {
		s.require(s.seen[p], "MOVE of %s without a PROPFIND of it before", p)
		delete(s.seen, p)
	}
	there := s.nodes[dest]
	switch {
	case n == nil:
		s.require(there == nil, "%s of a missing source onto %s, which some servers then delete", r.Method, dest)
		return 404
	case !s.hasParent(dest):
		return 409
	case there != nil && overwrite == "F":
		return 412
	}
	s.require(there == nil || n.dir || !s.style.putReplaces, "%s onto the file %s, which nobody can read meanwhile", r.Method, dest)
	s.require(there == nil || !there.dir, "%s onto the collection %s, which is then deleted", r.Method, dest)
	s.remove(dest)
	for q, m := range s.nodes {
		if q == p || strings.HasPrefix(q, p+"/") {
			s.nodes[dest+q[len(p):]] = m
		}
	}
	if r.Method == "MOVE" {
		s.remove(p)
	}
	if there != nil {
		return 204
	}
	return 201
}

func (s *server) propfind(w http.ResponseWriter, r *http.Request, p string, n *node, body string) {
	depth := r.Header.Get("Depth")
	s.require(depth == "0" || depth == "1", "PROPFIND with Depth %q", depth)
	s.require(strings.Contains(body, "getcontentlength") && !strings.Contains(body, "allprop"), "PROPFIND without named properties: %s", body)
	switch {
	case n == nil:
		w.WriteHeader(404)
		return
	case n.dir && s.style.redirectDirs && !strings.HasSuffix(r.URL.Path, "/"):
		w.Header().Set("Location", r.URL.Path+"/")
		w.WriteHeader(301)
		return
	}
	s.seen[p] = true
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(207)
	ns, decl := s.style.prefix, `xmlns="DAV:"`
	if ns != "" {
		decl = `xmlns:` + ns + `="DAV:"`
		ns += ":"
	}
	fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<%smultistatus %s>", ns, decl)
	s.response(w, r, ns, p, n)
	if depth == "1" && n.dir {
		for q, m := range s.nodes {
			if q != "" && strings.TrimSuffix(path.Dir(q), "/") == p {
				s.response(w, r, ns, q, m)
			}
		}
	}
	fmt.Fprintf(w, "</%smultistatus>", ns)
}

func (s *server) response(w io.Writer, r *http.Request, ns, p string, n *node) {
	href := (&url.URL{Path: s.prefix + p}).EscapedPath()
	if s.style.escapeAll {
		href = ""
		for _, c := range []byte(s.prefix + p) {
			if c == '/' {
				href += "/"
			} else {
				href += fmt.Sprintf("%%%02x", c)
			}
		}
	}
	if n.dir {
		href += "/"
	}
	if s.style.absolute {
		href = "http://" + r.Host + href
	}
	if strings.Contains(href, "&") {
		href = strings.ReplaceAll(href, "&", "&amp;")
	}
	props := "<" + ns + "resourcetype/>"
	if n.dir {
		props = "<" + ns + "resourcetype><" + ns + "collection/></" + ns + "resourcetype>"
	} else if !s.style.noLength {
		props += "<" + ns + "getcontentlength>" + strconv.Itoa(len(n.content)) + "</" + ns + "getcontentlength>"
	}
	if !n.dir {
		props += "<" + ns + "getlastmodified>" + n.modTime.Format(http.TimeFormat) + "</" + ns + "getlastmodified>"
	}
	fmt.Fprintf(w, "<%[1]sresponse><%[1]shref>%[2]s</%[1]shref><%[1]spropstat><%[1]sprop>%[3]s</%[1]sprop><%[1]sstatus>HTTP/1.1 200 OK</%[1]sstatus></%[1]spropstat>", ns, href, props)
	if n.dir {
		fmt.Fprintf(w, "<%[1]spropstat><%[1]sprop><%[1]sgetcontentlength/></%[1]sprop><%[1]sstatus>HTTP/1.1 404 Not Found</%[1]sstatus></%[1]spropstat>", ns)
	}
	fmt.Fprintf(w, "</%sresponse>\n", ns)
}
