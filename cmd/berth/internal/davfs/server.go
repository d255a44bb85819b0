package davfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"golang.org/x/net/webdav"
)

// The directories inside the one given to Open. They share a file system, so that a
// rename from one to the other is atomic.
const (
	dataDir    = "data"    // what is served
	partialDir = "partial" // bodies that are being received, and trees that are being deleted
)

const allowed = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, COPY, MOVE, PROPFIND"

// Server serves one directory over WebDAV. It may be used concurrently.
type Server struct {
	root    *os.Root
	lock    *os.File
	handler webdav.Handler
}

// Open makes dir, if need be, and serves it. A directory is served by one Server at a
// time, in this process or another: a second Open is an error that says so. What an
// earlier process left half received is removed. The caller closes the Server.
func Open(dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(root, "lock")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dir, err), root.Close())
	}
	s := &Server{root: root, lock: lock}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.handler = webdav.Handler{FileSystem: tree{root}, LockSystem: webdav.NewMemLS()}
	return s, nil
}

func (s *Server) prepare() error {
	if err := s.root.RemoveAll(partialDir); err != nil {
		return err
	}
	for _, d := range []string{partialDir, dataDir} {
		if err := s.root.Mkdir(d, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return syncDir(s.root, ".")
}

// Close releases the directory. No request may be running.
func (s *Server) Close() error {
	return errors.Join(s.lock.Close(), s.root.Close())
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		// Set here, so that the library does not read the file to guess it.
		w.Header().Set("Content-Type", "application/octet-stream")
		s.handler.ServeHTTP(w, r)
	case http.MethodPut, http.MethodDelete, "MKCOL", "COPY", "MOVE", "PROPFIND":
		if refused := unheard(r); refused != "" {
			http.Error(w, refused+" is not supported by this server", http.StatusNotImplemented)
			return
		}
		s.serveTracked(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		w.Header().Set("DAV", "1")
	default:
		w.Header().Set("Allow", allowed)
		http.Error(w, r.Method+" is not supported by this server", http.StatusMethodNotAllowed)
	}
}

// unheard names a header that the library ignores although it changes what the
// request means.
func unheard(r *http.Request) string {
	if r.Method == "PROPFIND" {
		return ""
	}
	for _, h := range []string{"Content-Range", "If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if r.Header.Get(h) != "" {
			return r.Method + " with " + h
		}
	}
	return ""
}

// serveTracked runs the request with an exchange, through which the file system sees
// what the library does not tell it, and says what the library would not.
func (s *Server) serveTracked(w http.ResponseWriter, r *http.Request) {
	x := &exchange{method: r.Method, expected: r.ContentLength, body: r.Body}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	r.Body = x
	s.handler.ServeHTTP(&statusWriter{ResponseWriter: w, exchange: x}, r)
	if r.Method == "PROPFIND" && x.failed {
		// The library would end the listing where it failed, as if it were whole.
		panic(http.ErrAbortHandler)
	}
}

func temporaryName() string { return partialDir + "/" + strings.ToLower(rand.Text()) }
