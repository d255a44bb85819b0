package partstore

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// allowed holds the request's condition against what is at its key. s.mu is held.
func (x *exchange) allowed() error {
	o, there := x.s.objects[x.Key]
	if want := x.r.Header.Get("If-Match"); want != "" && (!there || want != `"`+o.etag+`"`) {
		return refuse(http.StatusPreconditionFailed, "what is at %s is not %s", x.Key, want)
	}
	if x.r.Header.Get("If-None-Match") == "*" && there {
		return refuse(http.StatusPreconditionFailed, "there is something at %s", x.Key)
	}
	return nil
}

func (x *exchange) put() error {
	c, err := x.body(0)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return x.store(c)
}

// store stores c if the condition holds, and answers. s.mu is held.
func (x *exchange) store(c content) error {
	if err := x.allowed(); err != nil {
		return err
	}
	o := x.s.seal(c)
	status := http.StatusOK
	if x.s.place(x.Key, o) {
		status = http.StatusCreated
	}
	x.w.Header().Set("ETag", `"`+o.etag+`"`)
	x.w.WriteHeader(status)
	return nil
}

func (x *exchange) copy() error {
	source, ok := strings.CutPrefix(x.r.Header.Get("Copy-From"), "/objects/")
	if !ok || x.r.ContentLength > 0 {
		return refuse(http.StatusBadRequest, "a copy names /objects/KEY in Copy-From and has no body")
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	o, there := x.s.objects[source]
	if !there {
		return refuse(http.StatusNotFound, "nothing is at %s", source)
	}
	return x.store(o.content)
}

func (x *exchange) get() error {
	x.s.mu.Lock()
	o, there := x.s.objects[x.Key]
	x.s.mu.Unlock()
	if !there {
		return refuse(http.StatusNotFound, "nothing is at %s", x.Key)
	}
	return x.send(o)
}

// send answers with o, or the range of it that was asked for.
func (x *exchange) send(o object) error {
	h := x.w.Header()
	h.Set("ETag", `"`+o.etag+`"`)
	h.Set("Modified", strconv.FormatInt(o.modified.UnixNano(), 10))
	h.Set("Content-Type", "application/octet-stream")
	offset, length, status := int64(0), o.content.size, http.StatusOK
	if asked := x.r.Header.Get("Range"); asked != "" {
		first, last, ok := parseRange(asked)
		if !ok {
			return refuse(http.StatusBadRequest, "the range %q is not bytes=A- or bytes=A-B", asked)
		}
		if first >= o.content.size {
			h.Set("Content-Range", fmt.Sprintf("bytes */%d", o.content.size))
			return refuse(http.StatusRequestedRangeNotSatisfiable, "the content has %d bytes", o.content.size)
		}
		if last < 0 || last >= o.content.size {
			last = o.content.size - 1
		}
		offset, length, status = first, last-first+1, http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, o.content.size))
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	_ = o.content.send(x.w, offset, length) // a reader that went away is no failure of the store
	return nil
}

// parseRange parses bytes=A- (last is -1) and bytes=A-B.
func parseRange(s string) (first, last int64, ok bool) {
	s, ok = strings.CutPrefix(s, "bytes=")
	from, to, dash := strings.Cut(s, "-")
	first, err := strconv.ParseInt(from, 10, 64)
	if !ok || !dash || err != nil || first < 0 {
		return 0, 0, false
	}
	if to == "" {
		return first, -1, true
	}
	last, err = strconv.ParseInt(to, 10, 64)
	return first, last, err == nil && last >= first
}

func (x *exchange) delete() error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if err := x.allowed(); err != nil {
		return err
	}
	if _, there := x.s.objects[x.Key]; !there {
		return refuse(http.StatusNotFound, "nothing is at %s", x.Key)
	}
	from, _ := x.s.span(x.Key)
	x.s.remove(from, 1)
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (x *exchange) deleteTree() error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	removed := 0
	if _, there := x.s.objects[x.Key]; there {
		from, _ := x.s.span(x.Key)
		x.s.remove(from, 1)
		removed++
	}
	from, to := x.s.span(x.Key + "/")
	x.s.remove(from, to-from)
	if removed += to - from; removed == 0 {
		return refuse(http.StatusNotFound, "nothing is at or below %s", x.Key)
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
