package partstore

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// exchange is one request being answered.
type exchange struct {
	Request
	s     *Store
	r     *http.Request
	w     http.ResponseWriter
	query url.Values
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, r: r, w: w}
	run, err := x.route()
	if err != nil {
		x.refuse(err)
		return
	}
	defer s.leave(x.Request)
	fault := s.intercept(r.Context(), x.Request)
	if fault != nil && !fault.Late {
		fault.fail(w)
		return
	}
	if fault != nil {
		x.w = discard{http.Header{}}
	}
	if err := run(); err != nil {
		x.refuse(err)
	}
	if fault != nil {
		fault.fail(w)
	}
}

// discard is where the answer of a late Fault goes.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func (x *exchange) refuse(err error) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		http.Error(x.w, r.text, r.status)
	case errors.Is(err, io.ErrUnexpectedEOF):
		http.Error(x.w, "the body is shorter than its Content-Length", http.StatusBadRequest)
	default: // the connection broke: nobody hears the answer
		http.Error(x.w, err.Error(), http.StatusBadRequest)
	}
}

// route says what the request is and returns what answers it.
func (x *exchange) route() (func() error, error) {
	var err error
	if x.query, err = url.ParseQuery(x.r.URL.RawQuery); err != nil {
		return nil, refuse(http.StatusBadRequest, "the query cannot be parsed")
	}
	switch x.r.URL.Path {
	case "/list":
		return x.only(OpList, x.list, http.MethodGet)
	case "/uploads":
		return x.only(OpUploads, x.listUploads, http.MethodGet)
	}
	key, ok := strings.CutPrefix(x.r.URL.Path, "/objects/")
	if !ok || !validKey(key) {
		return nil, refuse(http.StatusBadRequest, "%q is nothing that this store has", x.r.URL.Path)
	}
	x.Key = key
	if x.query.Has("upload") {
		return x.routeUpload()
	}
	switch {
	case x.r.Method == http.MethodGet || x.r.Method == http.MethodHead:
		return x.op(OpGet, x.get)
	case x.r.Method == http.MethodPut && x.r.Header.Get("Copy-From") != "":
		return x.op(OpCopy, x.copy)
	case x.r.Method == http.MethodPut:
		return x.op(OpPut, x.put)
	case x.r.Method == http.MethodDelete && x.query.Has("tree"):
		return x.op(OpDeleteTree, x.deleteTree)
	case x.r.Method == http.MethodDelete:
		return x.op(OpDelete, x.delete)
	}
	return nil, x.notAllowed()
}

func (x *exchange) routeUpload() (func() error, error) {
	if x.Upload = x.query.Get("upload"); !validID(x.Upload) {
		return nil, refuse(http.StatusBadRequest, "an upload's ID is 1 to 64 letters and digits")
	}
	if x.query.Has("part") {
		n, err := strconv.Atoi(x.query.Get("part"))
		if err != nil || n < 1 || n > x.s.config.MaxParts {
			return nil, refuse(http.StatusBadRequest, "part %q is not 1 to %d", x.query.Get("part"), x.s.config.MaxParts)
		}
		x.Part = n
		switch x.r.Method {
		case http.MethodPut:
			return x.op(OpPart, x.putPart)
		case http.MethodGet:
			return x.op(OpGetPart, x.getPart)
		}
		return nil, x.notAllowed()
	}
	switch {
	case x.r.Method == http.MethodPost && x.query.Has("complete"):
		return x.op(OpComplete, x.complete)
	case x.r.Method == http.MethodPost:
		return x.op(OpBegin, x.begin)
	case x.r.Method == http.MethodHead:
		return x.op(OpLook, x.look)
	case x.r.Method == http.MethodDelete:
		return x.op(OpAbort, x.abort)
	}
	return nil, x.notAllowed()
}

func (x *exchange) op(op Op, run func() error) (func() error, error) {
	x.Op = op
	return run, nil
}

func (x *exchange) only(op Op, run func() error, method string) (func() error, error) {
	if x.r.Method != method {
		return nil, x.notAllowed()
	}
	return x.op(op, run)
}

func (x *exchange) notAllowed() error {
	return refuse(http.StatusMethodNotAllowed, "%s is not for %s", x.r.Method, x.r.URL)
}

// body reads the request's body, all of it.
func (x *exchange) body(most int64) (content, error) {
	size := x.r.ContentLength
	if size < 0 {
		return content{}, refuse(http.StatusLengthRequired, "a body needs a Content-Length")
	}
	if most > 0 && size > most {
		return content{}, refuse(http.StatusRequestEntityTooLarge, "a body of %d bytes where %d are allowed", size, most)
	}
	return x.s.receive(x.r.Body, size)
}

// page returns the parameters of a listing.
func (x *exchange) page() (prefix, after string, limit int, err error) {
	limit = 1000
	if x.query.Has("limit") {
		limit, err = strconv.Atoi(x.query.Get("limit"))
		if err != nil || limit < 1 || limit > 1000 {
			return "", "", 0, refuse(http.StatusBadRequest, "limit %q is not 1 to 1000", x.query.Get("limit"))
		}
	}
	return x.query.Get("prefix"), x.query.Get("after"), limit, nil
}
