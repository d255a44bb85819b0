package partstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxComplete is the most bytes of a list of parts: 10,000 lines of a number and a tag.
const maxComplete = 1 << 20

// find returns the upload that the request names. s.mu is held.
func (x *exchange) find() (*upload, error) {
	u, there := x.s.uploads[x.Upload]
	switch {
	case there && u.key == x.Key:
		return u, nil
	case !there && x.s.ended[x.Upload]:
		return nil, refuse(http.StatusGone, "the upload %s has ended", x.Upload)
	}
	return nil, refuse(http.StatusNotFound, "there is no upload %s to %s", x.Upload, x.Key)
}

func (x *exchange) begin() error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	u, there := x.s.uploads[x.Upload]
	switch {
	case there && u.key != x.Key:
		return refuse(http.StatusConflict, "the upload %s is to another key", x.Upload)
	case there:
		x.w.WriteHeader(http.StatusOK)
		return nil
	case x.s.ended[x.Upload]:
		return refuse(http.StatusGone, "the upload %s has ended", x.Upload)
	}
	x.s.uploads[x.Upload] = &upload{key: x.Key, begun: time.Now(), parts: map[int][]object{}}
	x.w.WriteHeader(http.StatusCreated)
	return nil
}

func (x *exchange) look() error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	_, err := x.find()
	if err == nil {
		x.w.WriteHeader(http.StatusOK)
	}
	return err
}

func (x *exchange) putPart() error {
	// Before the body: nobody sends what will be refused.
	x.s.mu.Lock()
	_, err := x.find()
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	c, err := x.body(x.s.config.MaxPart)
	if err == nil {
		err = x.verify(c)
	}
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	u, err := x.find()
	switch {
	case err != nil:
		return err
	case c.size == 0:
		return refuse(http.StatusBadRequest, "a part has at least one byte")
	}
	o := x.s.seal(c)
	u.parts[x.Part] = append(u.parts[x.Part], o)
	x.w.Header().Set("ETag", `"`+o.etag+`"`)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// verify holds c against the digest that came with it, if one did.
func (x *exchange) verify(c content) error {
	want := x.r.Header.Get("Content-Digest")
	if want == "" {
		return nil
	}
	h := sha256.New()
	_ = c.send(h, 0, c.size) // a hash takes everything
	if got := "sha256=" + hex.EncodeToString(h.Sum(nil)); got != want {
		return refuse(http.StatusBadRequest, "the digest of part %d is %s, not %s", x.Part, got, want)
	}
	return nil
}

func (x *exchange) getPart() error {
	x.s.mu.Lock()
	u, err := x.find()
	var o object
	if err == nil {
		o, err = x.s.part(u, x.Part, x.query.Get("etag"))
	}
	x.s.mu.Unlock()
	if err != nil {
		return err
	}
	return x.send(o)
}

// part returns the content that was stored under number with etag. s.mu is held.
func (s *Store) part(u *upload, number int, etag string) (object, error) {
	for _, o := range u.parts[number] {
		if o.etag == etag {
			return o, nil
		}
	}
	return object{}, refuse(http.StatusConflict, "there is no part %d with the tag %q", number, etag)
}

func (x *exchange) complete() error {
	list, err := x.body(maxComplete)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	_ = list.send(&text, 0, list.size) // a buffer takes everything
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	u, err := x.find()
	if err != nil {
		return err
	}
	parts, err := x.s.chosen(u, strings.TrimSuffix(text.String(), "\n"))
	if err != nil {
		return err
	}
	if err := x.store(join(parts)); err != nil {
		return err
	}
	x.s.end(x.Upload)
	return nil
}

// chosen returns the parts that a list names. s.mu is held.
func (s *Store) chosen(u *upload, list string) ([]content, error) {
	var parts []content
	last := 0
	for line := range strings.SplitSeq(list, "\n") {
		number, etag, _ := strings.Cut(line, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n <= last || n > s.config.MaxParts {
			return nil, refuse(http.StatusBadRequest, "%q does not name a part after part %d", line, last)
		}
		if len(parts) > 0 && parts[len(parts)-1].size < s.config.MinPart {
			return nil, refuse(http.StatusBadRequest, "part %d has %d bytes, and only the last may have fewer than %d", last, parts[len(parts)-1].size, s.config.MinPart)
		}
		o, err := s.part(u, n, etag)
		if err != nil {
			return nil, err
		}
		parts, last = append(parts, o.content), n
	}
	return parts, nil
}

func (x *exchange) abort() error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if _, err := x.find(); err != nil {
		return err
	}
	x.s.end(x.Upload)
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

// end ends the upload for good. s.mu is held.
func (s *Store) end(id string) {
	delete(s.uploads, id)
	s.ended[id] = true
}
