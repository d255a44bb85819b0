package parts

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func (d *driver) limits() berth.UploadLimits {
	l := berth.UploadLimits{Min: d.config.minPart, Max: d.config.maxPart, Count: int(d.config.maxParts)}
	if d.config.digest == "sha256" {
		l.Digests = []string{"sha256"}
	}
	return l
}

// OpenUpload implements berth.Driver. It asks only where there may be something to resume.
func (d *driver) OpenUpload(c *berth.Call, path string, resume bool, receipts *berth.Receipts) (berth.Upload, error) {
	fresh := berth.Upload{Limits: d.limits()}
	if !resume {
		fresh.Token = newToken(c, "", "", path).String()
		return fresh, nil
	}
	s, err := d.load(c, path)
	if err != nil {
		return fresh, err
	}
	base := ""
	if s != nil {
		up, alive, err := d.resume(c, path, s, receipts)
		if err != nil || alive {
			return up, err
		}
		base = s.etag
	}
	resp, err := d.do(c, "HEAD", &berth.Request{Method: "HEAD", URL: d.url(path), Want: none}, 200, 404)
	if err != nil {
		return fresh, err
	}
	resp.Close()
	if resp.Status == 200 && resp.Length != 0 {
		return fresh, berth.NewError(berth.KindUnsupported, "content that has been committed cannot be appended to")
	}
	fresh.Token = newToken(c, "", base, path).String()
	return fresh, nil
}

// resume continues the upload that s describes, unless it has ended at the store: then what described it
// was left behind by a crash.
func (d *driver) resume(c *berth.Call, path string, s *state, receipts *berth.Receipts) (berth.Upload, bool, error) {
	up := berth.Upload{Token: newToken(c, s.id, s.etag, path).String(), Limits: d.limits(), Resumed: true, Tail: s.rest}
	if len(s.parts) == 0 && s.last == nil {
		return up, true, nil
	}
	alive, err := d.alive(c, path, s.id)
	if err == nil && alive && s.last != nil {
		s.close()
		up.Tail, alive, err = d.stored(c, path, s)
	}
	if err != nil || !alive {
		s.close()
		return up, false, err
	}
	return up, true, receipts.Set(s.parts)
}

// stored opens the content of the last part of a commit that did not come to its end.
func (d *driver) stored(c *berth.Call, path string, s *state) (berth.Content, bool, error) {
	resp, err := c.HTTP(&berth.Request{
		Method: "GET", URL: d.uploadURL(path, s.id) + "&part=" + strconv.Itoa(s.last.Number) + "&etag=" + string(s.last.Data), Want: none,
	})
	switch {
	case err != nil:
		return berth.Content{}, false, err
	case resp.Status == 404 || resp.Status == 410:
		resp.Close()
		return berth.Content{}, false, nil
	case resp.Status != 200:
		return berth.Content{}, false, failure(c, "GET of a part", resp)
	case resp.Body == nil || resp.Length != s.last.Size:
		resp.Close()
		return berth.Content{}, false, berth.NewError(berth.KindCorrupt, "a part is not as long as its receipt says")
	}
	return berth.Content{Length: resp.Length, Body: resp.Body}, true, nil
}

func (d *driver) uploadURL(path, id string) string { return d.url(path) + "?upload=" + id }

// alive reports whether the upload has begun and not ended.
func (d *driver) alive(c *berth.Call, path, id string) (bool, error) {
	resp, err := d.do(c, "HEAD of an upload", &berth.Request{Method: "HEAD", URL: d.uploadURL(path, id), Want: none}, 200, 404, 410)
	if err != nil {
		return false, err
	}
	resp.Close()
	return resp.Status == 200, nil
}

// begin begins the upload at the store, which may be done again.
func (d *driver) begin(c *berth.Call, t token) error {
	d.mu.Lock()
	begun := d.begun == t.id
	d.mu.Unlock()
	if begun {
		return nil
	}
	err := closed(d.do(c, "POST of an upload", &berth.Request{Method: "POST", URL: d.uploadURL(t.path, t.id), Want: none}, 200, 201))
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.begun = t.id
	d.mu.Unlock()
	return nil
}

// PutPart implements berth.Driver. The receipt is the part's tag.
func (d *driver) PutPart(c *berth.Call, text string, part berth.Part) ([]byte, error) {
	t, err := parseToken(text)
	if err != nil {
		return nil, err
	}
	tag, err := d.put(c, t, &part)
	if err == nil && int64(part.Number) == d.config.trapOnPart {
		err = d.trap(c, t)
	}
	return []byte(tag), err
}

func (d *driver) put(c *berth.Call, t token, part *berth.Part) (tag string, err error) {
	if err := d.begin(c, t); err != nil {
		return "", err
	}
	r := &berth.Request{
		Method: "PUT", URL: d.uploadURL(t.path, t.id) + "&part=" + strconv.Itoa(part.Number), Body: []*berth.Stream{part.Body}, Want: wantTag,
	}
	if digest := part.Digests["sha256"]; digest != nil {
		r.Headers = []string{"Content-Digest", "sha256=" + hexadecimal(digest)}
	}
	resp, err := d.do(c, "PUT of part "+strconv.Itoa(part.Number), r, 200)
	if err != nil {
		return "", ended(err)
	}
	resp.Close()
	if tag = tagOf(resp); tag == "" || strings.ContainsAny(tag, " \n") {
		return "", berth.NewError(berth.KindCorrupt, "the store gives a part no usable tag")
	}
	return tag, nil
}

// ended makes an error that comes of the upload's end a Conflict: another writer has ended it.
func ended(err error) error {
	if status(err) == 404 {
		return conflict("the upload has been ended")
	}
	return err
}

// SuspendUpload implements berth.Driver.
func (d *driver) SuspendUpload(c *berth.Call, text string, receipts *berth.Receipts, tail *berth.Stream) error {
	t, err := parseToken(text)
	if err != nil {
		return err
	}
	s := &state{id: t.id, writer: t.writer}
	if err := s.collect(receipts); err != nil {
		return err
	}
	if tail != nil {
		s.tail = tail.Size()
	}
	if err := d.save(c, t, s, tail); err != nil || len(s.parts) == 0 {
		return err
	}
	// Delete ends uploads without asking their writers. Had it done so before the state was written, nobody
	// would end this one again.
	alive, err := d.alive(c, t.path, t.id)
	if err != nil || alive {
		return err
	}
	if err := d.forget(c, t); err != nil {
		return err
	}
	return conflict("the upload has been ended")
}

func (s *state) collect(receipts *berth.Receipts) error {
	return receipts.All(func(r berth.Receipt) error {
		s.parts = append(s.parts, r)
		return nil
	})
}

// CommitUpload implements berth.Driver.
func (d *driver) CommitUpload(c *berth.Call, text string, receipts *berth.Receipts, last *berth.Part) error {
	t, err := parseToken(text)
	if err != nil {
		return err
	}
	s := &state{id: t.id, writer: t.writer}
	if err := s.collect(receipts); err != nil {
		return err
	}
	if last != nil && last.Size > 0 {
		tag, err := d.put(c, t, last)
		if err != nil {
			return err
		}
		s.last = &berth.Receipt{Number: last.Number, Offset: last.Offset, Size: last.Size, Data: []byte(tag)}
	}
	if t.base == "" {
		return d.complete(c, t, s)
	}
	if err := d.save(c, t, s, nil); err != nil {
		return err
	}
	if err := d.complete(c, t, s); err != nil {
		return err
	}
	return d.forget(c, t)
}

// complete makes the parts the content.
func (d *driver) complete(c *berth.Call, t token, s *state) error {
	list := []byte{}
	for i := range s.parts {
		list = appendPart(list, &s.parts[i])
	}
	if s.last != nil {
		list = appendPart(list, s.last)
	}
	if len(list) == 0 {
		return closed(d.do(c, "PUT of nothing", &berth.Request{Method: "PUT", URL: d.url(t.path), Want: none}, 200, 201))
	}
	return ended(closed(d.do(c, "POST of the list of parts", &berth.Request{
		Method: "POST", URL: d.uploadURL(t.path, t.id) + "&complete", Data: list, Want: none,
	}, 200, 201)))
}

func appendPart(list []byte, r *berth.Receipt) []byte {
	list = append(strconv.AppendInt(list, int64(r.Number), 10), ' ')
	return append(append(list, r.Data...), '\n')
}

// forget removes the state of an upload that has ended, whoever wrote it.
func (d *driver) forget(c *berth.Call, t token) error {
	for {
		s, err := d.load(c, t.path)
		if err != nil || s == nil {
			return err
		}
		s.close()
		if s.id != t.id {
			return nil
		}
		if gone, err := d.drop(c, t.path, s.etag); err != nil || gone {
			return err
		}
	}
}

// CancelUpload implements berth.Driver. What another writer has gone on with stays.
func (d *driver) CancelUpload(c *berth.Call, text string) error {
	t, err := parseToken(text)
	if err != nil {
		return err
	}
	s, err := d.load(c, t.path)
	if err != nil {
		return err
	}
	if s != nil && s.id == t.id {
		s.close()
		if s.writer != t.writer && s.etag != t.base {
			return nil
		}
		if gone, err := d.drop(c, t.path, s.etag); err != nil || !gone {
			return err
		}
	}
	return d.abort(c, t.path, t.id)
}

func (d *driver) abort(c *berth.Call, path, id string) error {
	return closed(d.do(c, "DELETE of an upload", &berth.Request{Method: "DELETE", URL: d.uploadURL(path, id), Want: none}, 204, 404, 410))
}

// AbortUploads implements berth.Driver. The state goes first: what is left when the rest fails is found by
// the next call, and resumed by nobody.
func (d *driver) AbortUploads(c *berth.Call, path string) error {
	prefix := path[1:]
	for after := ""; ; {
		page, err := d.list(c, listing{prefix: prefix, suffix: stateSuffix, after: after, limit: 1000})
		if err != nil {
			return err
		}
		for i := range page.Entries {
			key := prefix + page.Entries[i].Name
			if !atOrBelow("/"+strings.TrimSuffix(key, stateSuffix), path) {
				continue
			}
			if err := closed(d.do(c, "DELETE of an upload's state", &berth.Request{Method: "DELETE", URL: d.url("/" + key), Want: none}, 204, 404)); err != nil {
				return err
			}
		}
		if after = page.Cursor; after == "" {
			return d.abortAll(c, path)
		}
	}
}

func (d *driver) abortAll(c *berth.Call, path string) error {
	for after := ""; ; {
		page, next, err := d.unfinished(c, path[1:], after, 1000)
		if err != nil {
			return err
		}
		for _, u := range page {
			if !atOrBelow("/"+u.key, path) {
				continue
			}
			if err := d.abort(c, "/"+u.key, u.id); err != nil {
				return err
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

func atOrBelow(path, top string) bool {
	return path == top || top == "/" || strings.HasPrefix(path, top+"/")
}
