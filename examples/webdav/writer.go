package webdav

import (
	"encoding/hex"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// largeBody is from where on the directory is looked for before a body is sent: a server that refuses
// a body without reading it may close the connection before its answer is read.
const largeBody = 64 << 10

// putAttempts bound how often a put begins again because its directory was deleted under it.
const putAttempts = 8

// Put implements berth.Driver: PUT to a private name, a look at what arrived, MOVE; or a PUT alone. When somebody deletes the
// directory meanwhile, temporary file and all, it begins again: the deletion came first.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	for attempt := 1; ; attempt++ {
		err := d.put(c, path, body)
		if !isNotFound(err) {
			return err
		}
		if attempt == putAttempts {
			return deletedAgain()
		}
	}
}

func (d *driver) put(c *berth.Call, path string, body *berth.Stream) error {
	if d.putReplaces {
		return d.putOnto(c, path, body)
	}
	dir, _ := parent(path)
	temporary := temporaryIn(c, dir)
	if err := d.upload(c, dir, temporary, body); err != nil {
		return err
	}
	r, err := d.lookup(c, temporary)
	if err == nil && (r.dir || r.size != body.Size()) {
		err = &berth.Error{Kind: berth.KindCorrupt, Temporary: true, Msg: "the server stored another length than was sent"}
	}
	return d.commit(c, temporary, path, r, err)
}

// commit moves the temporary file to path, or removes it when err says that it is not good or the MOVE fails.
func (d *driver) commit(c *berth.Call, temporary, path string, r resource, err error) error {
	uncertain := false
	if err == nil {
		uncertain, err = d.move(c, temporary, path, r)
	}
	if err != nil && !uncertain && !isNotFound(err) {
		d.discard(c, temporary)
	}
	return err
}

// temporaryIn returns a private path in dir that nobody else uses.
func temporaryIn(c *berth.Call, dir string) string {
	var random [8]byte
	c.Random(random[:])
	name := [...]byte{'~', 'p', 'u', 't', '-', 20: 0}
	hex.Encode(name[5:], random[:])
	if dir == "/" {
		dir = ""
	}
	return c.Join(dir, "/", string(name[:]))
}

// upload puts body at path in dir, which is made if it is missing.
func (d *driver) upload(c *berth.Call, dir, path string, body *berth.Stream) error {
	ensured := body.Size() < 0 || body.Size() > largeBody
	if ensured {
		if err := d.ensure(c, dir); err != nil {
			return err
		}
	}
	for {
		v := berth.Varying{Path: escape(path), Body: body}
		resp, err := c.Send(d.putFile, v)
		if err == nil && resp.Status == 423 {
			resp, err = d.again(c, d.putFile.To(v), resp)
		}
		if err != nil {
			d.discard(c, path)
			return err
		}
		resp.Close()
		if isDone(resp.Status) {
			return nil
		}
		switch failure := statusError("PUT", resp); {
		case isAmbiguous(resp.Status) && !ensured:
			if err := d.ensure(c, dir); err != nil {
				return err
			}
			ensured = true
		case isAmbiguous(resp.Status):
			return d.refusal(c, dir, failure)
		default:
			d.discard(c, path)
			return failure
		}
	}
}

// refusal explains an ambiguous status about something in dir, which was there a moment ago: KindNotFound when it
// has gone again.
func (d *driver) refusal(c *berth.Call, dir string, failure error) error {
	if _, err := d.lookup(c, dir); isNotFound(err) {
		return err
	}
	return refused(failure)
}

// refused is the error of an ambiguous status when nothing but a refusal is left to explain it.
func refused(failure error) error {
	if e, ok := failure.(*berth.Error); ok && e.Kind != berth.KindPermission {
		return &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Status: e.Status, Msg: e.Msg + " although the directory is there"}
	}
	return failure
}

// discard removes a temporary file. That it fails is not what the caller wants to hear.
func (d *driver) discard(c *berth.Call, path string) {
	if err := d.deleteFile(c, path); err != nil && !isNotFound(err) {
		c.Log(berth.LevelWarn, "a temporary file stays behind at "+path+": "+err.Error())
	}
}

// ensure makes the collection at dir, and those above it, unless they are there. A file in the way is
// KindInvalidPath; no error is KindNotFound.
func (d *driver) ensure(c *berth.Call, dir string) error {
	for attempt := 1; ; attempt++ {
		err := d.ensureOnce(c, dir)
		if !isNotFound(err) {
			return err
		}
		if attempt == putAttempts {
			return deletedAgain()
		}
	}
}

func deletedAgain() error {
	return &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Msg: "the directory is deleted again and again"}
}

// ensureOnce is ensure, but KindNotFound when what was there above has gone meanwhile.
func (d *driver) ensureOnce(c *berth.Call, dir string) error {
	switch r, err := d.lookup(c, dir); {
	case err == nil && r.dir:
		return nil
	case err == nil:
		return fileInTheWay(dir)
	case !isNotFound(err) && !isRefusal(err):
		return err
	}
	if dir == "/" {
		return d.makeRoot(c)
	}
	above, _ := parent(dir)
	if err := d.ensureOnce(c, above); err != nil {
		return err
	}
	return d.makeCollection(c, dir)
}

func (d *driver) makeCollection(c *berth.Call, dir string) error {
	resp, err := d.mkcol(c, d.collectionURL(dir))
	if err != nil {
		return err
	}
	if isDone(resp.Status) {
		return nil
	}
	if isAmbiguous(resp.Status) {
		// Somebody else may have made it, or a file.
		switch r, err := d.lookup(c, dir); {
		case err == nil && r.dir:
			return nil
		case err == nil:
			return fileInTheWay(dir)
		case isNotFound(err) && (resp.Status == 404 || resp.Status == 409):
			return err
		}
	}
	return refused(statusError("MKCOL", resp))
}

func (d *driver) mkcol(c *berth.Call, url string) (*berth.Response, error) {
	resp, err := d.do(c, &berth.Request{Method: "MKCOL", URL: url, Want: wantFailure})
	if err == nil {
		resp.Close()
	}
	return resp, err
}

// makeRoot makes the endpoint's own collection. What lies above it belongs to somebody else, perhaps
// unseen by us, so only the last answer counts.
func (d *driver) makeRoot(c *berth.Call) error {
	for i := 1; i < len(d.root); i++ {
		if d.root[i] == '/' {
			if _, err := d.mkcol(c, d.origin+escape(d.root[:i])+"/"); err != nil {
				return err
			}
		}
	}
	return d.makeCollection(c, "/")
}
