package webdav

import berth "github.com/berth-dev/storagedriver/guest-sdk/go"

// Delete implements berth.Driver. A WebDAV DELETE takes everything below a collection with it, so a
// collection is looked into first; what somebody stores in it between the look and the
// DELETE is lost, which no request of WebDAV can prevent.
func (d *driver) Delete(c *berth.Call, path string) error {
	r, err := d.find(c, path)
	if err != nil {
		return err
	}
	if r.dir {
		return d.deleteEmpty(c, path)
	}
	return d.deleteFile(c, path)
}

// DeleteTree implements berth.Driver.
func (d *driver) DeleteTree(c *berth.Call, path string) error {
	r, err := d.find(c, path)
	if err != nil {
		return err
	}
	if !r.dir {
		return d.deleteFile(c, path)
	}
	return d.delete(c, d.collectionURL(path), true, func() error { return d.still(c, path, true) })
}

// deleteFile deletes the file at path.
func (d *driver) deleteFile(c *berth.Call, path string) error {
	return d.delete(c, d.url(path), false, func() error { return d.still(c, path, false) })
}

// deleteEmpty deletes the collection at path if nothing is in it, and is KindInvalidPath if something is.
func (d *driver) deleteEmpty(c *berth.Call, path string) error {
	empty := func() error {
		members := 0
		if err := d.members(c, path, func(string, *resource) { members++ }); err != nil {
			return err
		}
		if members > 0 || path == "/" {
			return berth.NewError(berth.KindInvalidPath, "the directory is not empty")
		}
		return nil
	}
	if err := empty(); err != nil {
		return err
	}
	return d.delete(c, d.collectionURL(path), false, empty)
}

// still is KindNotFound when what was at path, a directory or a file, is gone, whatever has taken its place.
func (d *driver) still(c *berth.Call, path string, dir bool) error {
	switch r, err := d.lookup(c, path); {
	case err != nil:
		return err
	case r.dir != dir:
		return notFound()
	}
	return nil
}

// deleteAttempts is how often a DELETE is sent that fails although its target is there: some servers
// refuse one that meets another on its way.
const deleteAttempts = 4

// delete deletes what is at url. Where that fails, look says if it is still there and still may be deleted: KindNotFound, or
// why not.
//
// A DELETE of mod_dav that meets another goes on with the rest, answers that it failed for what the other had removed, and
// the collection is gone: then it is this call that deleted it, so that of many that delete one path one at least says so.
// Its DELETE of a tree also answers 404 when a collection below goes on its way. Any other 404 is final: what is found
// at the path from then on is somebody's that came later.
func (d *driver) delete(c *berth.Call, url string, tree bool, look func() error) error {
	partly := false // an attempt that failed has removed some of it, or all
	for attempt := 1; ; attempt++ {
		some, failure := d.deleteOnce(c, url)
		partly = partly || some
		e, ok := failure.(*berth.Error)
		switch {
		case !ok || !isAmbiguous(e.Status) && e.Status < 500:
			return failure
		case isNotFound(failure) && tree:
			failure = metAnother()
		case isNotFound(failure) && partly:
			return nil
		case isNotFound(failure):
			return failure
		}
		if attempt < deleteAttempts {
			if err := pause(c, attempt); err != nil {
				return failure
			}
		}
		switch err := look(); {
		case isNotFound(err) && partly:
			return nil
		case err != nil:
			return err
		case attempt == deleteAttempts:
			return failure
		}
	}
}

// deleteOnce sends one DELETE. When that fails, partly says that it may have removed some of it, or all.
func (d *driver) deleteOnce(c *berth.Call, url string) (partly bool, err error) {
	resp, err := d.do(c, &berth.Request{Method: "DELETE", URL: url, Max: maxInline, Want: wantFailure})
	if err != nil {
		return false, err
	}
	defer resp.Close()
	switch {
	case isDone(resp.Status):
		return false, nil
	case resp.Status == 207:
		return true, partialFailure(resp)
	}
	return resp.Status >= 500, statusError("DELETE", resp)
}

// wantFailure are the headers that statusError reads.
var wantFailure = []string{"location", "retry-after"}

// metAnother is the error of a DELETE below whose target something went on its way.
func metAnother() error {
	return &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Status: 404, Msg: "DELETE met another DELETE on its way"}
}

// partialFailure reads the multistatus of a DELETE that failed for some of what it was to do. Of several failures it returns
// the last that neither follows from another nor is that of a member which was gone, and those only for want of one.
func partialFailure(resp *berth.Response) error {
	status := 0
	look := func(r *resource) error {
		gone, follows := r.status == 404, r.status == 424
		if r.status >= 300 && (status == 0 || !follows && (status == 424 || !gone)) {
			status = r.status
		}
		return nil
	}
	var err error
	if resp.Body != nil {
		err = multistatus(nil, resp.Body, look)
	} else {
		err = multistatus(resp.Data, nil, look)
	}
	switch {
	case err != nil:
		return err
	case status == 0:
		return nil
	case status == 404:
		return metAnother()
	}
	return statusError("DELETE", &berth.Response{Status: status})
}
