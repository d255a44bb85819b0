package s3

import (
	"strconv"
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// limits are S3's. The part numbers of an upload go to 10,000.
var limits = berth.UploadLimits{Min: 5 << 20, Max: 5 << 30, Count: 10_000, Digests: []string{"sha256"}}

func (d *driver) uploadURL(path, id string) string { return d.url(path) + "?uploadId=" + escape(id) }

// OpenUpload implements berth.Driver.
func (d *driver) OpenUpload(c *berth.Call, path string, resume bool, receipts *berth.Receipts) (berth.Upload, error) {
	t := token{writer: random(c, 8), base: noWriter, path: path}
	if resume {
		s, err := d.load(c, path)
		if err != nil {
			return berth.Upload{}, err
		}
		if s != nil {
			t.base = s.writer
			up, alive, err := d.resume(c, t, s, receipts)
			if err != nil || alive {
				return up, err
			}
		}
		entry, _, err := d.head(c, path)
		if err == nil && entry.Size > 0 {
			err = berth.NewError(berth.KindUnsupported, "content that has been committed cannot be appended to")
		}
		if err != nil {
			return berth.Upload{}, err
		}
	}
	resp, err := d.send(c, "POST of an upload", &berth.Request{Method: "POST", URL: d.url(path) + "?uploads=", Want: none}, 200)
	if err != nil {
		return berth.Upload{}, err
	}
	if t.id = element(text(resp), "UploadId"); t.id == "" || strings.ContainsAny(t.id, " \n") {
		return berth.Upload{}, berth.NewError(berth.KindCorrupt, "the service gives an upload no usable ID")
	}
	return berth.Upload{Token: t.String(), Limits: limits}, nil
}

// resume continues the upload that s describes, unless it has ended at the service: then what describes it was
// left behind by a crash.
func (d *driver) resume(c *berth.Call, t token, s *state, receipts *berth.Receipts) (berth.Upload, bool, error) {
	t.id = s.id
	up := berth.Upload{Token: t.String(), Limits: limits, Resumed: true}
	alive, err := d.alive(c, t)
	if err != nil || !alive {
		return up, false, err
	}
	if s.tail != "" {
		resp, err := d.open(c, "GET of a tail", &berth.Request{Method: "GET", URL: d.url(s.tail), Want: none}, 200, 404)
		switch {
		case err != nil:
			return up, false, err
		case resp.Status == 404:
			resp.Close()
			return up, false, nil
		case resp.Length != s.length || resp.Body == nil:
			resp.Close()
			return up, false, berth.NewError(berth.KindCorrupt, "the tail of an upload is not as long as its state says")
		}
		up.Tail = berth.Content{Length: s.length, Body: resp.Body}
	}
	return up, true, receipts.Set(s.parts)
}

// alive reports whether the upload has not ended.
func (d *driver) alive(c *berth.Call, t token) (bool, error) {
	resp, err := d.send(c, "GET of an upload", &berth.Request{Method: "GET", URL: d.uploadURL(t.path, t.id) + "&max-parts=1", Want: none}, 200, 404)
	if err != nil {
		return false, err
	}
	resp.Close()
	return resp.Status == 200, nil
}

// PutPart implements berth.Driver. The receipt is the part's tag.
func (d *driver) PutPart(c *berth.Call, name string, part berth.Part) ([]byte, error) {
	t, err := parseToken(name)
	if err != nil {
		return nil, err
	}
	return d.part(c, t, &part)
}

func (d *driver) part(c *berth.Call, t token, part *berth.Part) ([]byte, error) {
	if err := d.claim(c, t); err != nil {
		return nil, err
	}
	resp, err := d.send(c, "PUT of part "+strconv.Itoa(part.Number), &berth.Request{
		Method: "PUT", URL: d.uploadURL(t.path, t.id) + "&partNumber=" + strconv.Itoa(part.Number),
		Body: []*berth.Stream{part.Body}, SHA256: part.Digests["sha256"], Want: wantTag,
	}, 200)
	if status(err) == 500 {
		// versitygw says no more when the upload ends meanwhile.
		if alive, aliveErr := d.alive(c, t); aliveErr == nil && !alive {
			return nil, conflict("the upload has been ended")
		}
	}
	if err != nil {
		return nil, ended(err)
	}
	resp.Close()
	tag := resp.Header("etag")
	if tag == "" || strings.ContainsAny(tag, " \n<&") {
		return nil, berth.NewError(berth.KindCorrupt, "the service gives a part no usable tag")
	}
	return []byte(tag), nil
}

// claim takes a resumed upload over before its first part is stored: two writers' parts of one number would replace
// each other.
func (d *driver) claim(c *berth.Call, t token) error {
	if t.base == noWriter {
		return nil
	}
	s, err := d.current(c, t)
	if err != nil || s.writer == t.writer {
		return err
	}
	taken := *s
	taken.writer = t.writer
	return d.save(c, t, &taken, s)
}

var wantTag = []string{"etag"}

// ended makes of an upload that is not there a Conflict: another writer has ended it.
func ended(err error) error {
	if status(err) == 404 {
		return conflict("the upload has been ended")
	}
	return err
}

func collect(receipts *berth.Receipts) (parts []berth.Receipt, err error) {
	err = receipts.All(func(r berth.Receipt) error {
		parts = append(parts, r)
		return nil
	})
	return parts, err
}

// SuspendUpload implements berth.Driver. The tail is stored before the state that names it, under a name of its own.
func (d *driver) SuspendUpload(c *berth.Call, name string, receipts *berth.Receipts, tail *berth.Stream) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	before, err := d.current(c, t)
	if err != nil {
		return err
	}
	s := &state{id: t.id, writer: t.writer}
	if s.parts, err = collect(receipts); err != nil {
		return err
	}
	if tail != nil && tail.Size() > 0 {
		s.tail, s.length = t.path+tailSuffix+t.writer+"."+random(c, 4), tail.Size()
		if err := d.Put(c, s.tail, tail); err != nil {
			return err
		}
	}
	if err := d.save(c, t, s, before); err != nil {
		if berth.KindOf(err) == berth.KindConflict { // another writer's has kept it from its place
			_ = d.deleteUnnamedTail(c, t.path, s)
		}
		return err
	}
	if before != nil && before.tail != "" {
		_ = d.Delete(c, before.tail) // nothing names it any more
	}
	// Delete ends uploads without asking their writers. Had it done so before the state was written, nobody would
	// end this one again.
	alive, err := d.alive(c, t)
	if err != nil || alive {
		return err
	}
	if err := d.forget(c, t.path, s); err != nil {
		return err
	}
	return conflict("the upload has been ended")
}

// CommitUpload implements berth.Driver.
func (d *driver) CommitUpload(c *berth.Call, name string, receipts *berth.Receipts, last *berth.Part) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	before, err := d.current(c, t)
	if err != nil {
		return err
	}
	parts, err := collect(receipts)
	if err != nil {
		return err
	}
	if last != nil && last.Size > 0 {
		tag, err := d.part(c, t, last)
		if err != nil {
			return err
		}
		parts = append(parts, berth.Receipt{Number: last.Number, Data: tag})
	}
	if err := d.complete(c, t, parts); err != nil {
		return err
	}
	return d.forget(c, t.path, before)
}

// complete makes the parts the content.
func (d *driver) complete(c *berth.Call, t token, parts []berth.Receipt) error {
	if len(parts) == 0 {
		if err := d.do(c, "PUT of nothing", &berth.Request{Method: "PUT", URL: d.url(t.path)}, 200); err != nil {
			return err
		}
		return d.abort(c, t.path, t.id)
	}
	list := []byte("<CompleteMultipartUpload>")
	for i := range parts {
		list = append(list, "<Part><PartNumber>"...)
		list = strconv.AppendInt(list, int64(parts[i].Number), 10)
		list = append(list, "</PartNumber><ETag>"...)
		list = append(append(list, parts[i].Data...), "</ETag></Part>"...)
	}
	list = append(list, "</CompleteMultipartUpload>"...)
	return d.placed(c, t.path, func() error {
		resp, err := d.send(c, "POST of the list of parts", &berth.Request{Method: "POST", URL: d.uploadURL(t.path, t.id), Data: list, Want: none, Outlast: true}, 200)
		if err == nil {
			err = afterAll("POST of the list of parts", resp)
		}
		return ended(err)
	})
}

// CancelUpload implements berth.Driver. What another writer has gone on with stays.
func (d *driver) CancelUpload(c *berth.Call, name string) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	s, err := d.load(c, t.path)
	if err != nil {
		return err
	}
	if s != nil && s.id == t.id {
		if s.writer != t.writer && s.writer != t.base {
			return nil
		}
		if err := d.forget(c, t.path, s); err != nil {
			return err
		}
	}
	return d.abort(c, t.path, t.id)
}

func (d *driver) abort(c *berth.Call, path, id string) error {
	return d.do(c, "DELETE of an upload", &berth.Request{Method: "DELETE", URL: d.uploadURL(path, id)}, 204, 404)
}

// AbortUploads implements berth.Driver: of uploads that were suspended. The state goes first: what is left when the
// rest fails is resumed by nobody.
func (d *driver) AbortUploads(c *berth.Call, path string) error {
	if path != "/" {
		if err := d.end(c, path); err != nil {
			return err
		}
	}
	for cursor := ""; ; {
		page, err := d.ListTree(c, path, "", cursor, 1000)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if target, ok := strings.CutSuffix(e.Name, stateSuffix); ok {
				if err := d.end(c, "/"+directory(path)+target); err != nil {
					return err
				}
			}
		}
		if cursor = page.Cursor; cursor == "" {
			return nil
		}
	}
}

// end ends the upload that was suspended at path, if there is one.
func (d *driver) end(c *berth.Call, path string) error {
	s, err := d.load(c, path)
	if err != nil || s == nil {
		return err
	}
	if err := d.forget(c, path, s); err != nil {
		return err
	}
	return d.abort(c, path, s.id)
}
