package webdav

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// On some servers, of which Apache's mod_dav is one, a PUT writes beside its target and renames at its end, while a MOVE onto a
// file removes that first. There a file is replaced by a PUT alone, and nothing is put under private names.

// putOnto stores body at path with one PUT. It is KindNotFound when the directory was deleted meanwhile.
func (d *driver) putOnto(c *berth.Call, path string, body *berth.Stream) error {
	dir, _ := parent(path)
	ensured := body.Size() < 0 || body.Size() > largeBody
	if ensured {
		if err := d.ensure(c, dir); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		failure := d.putOnce(c, path, body)
		e, ok := failure.(*berth.Error)
		var err error
		switch {
		case !ok:
			return failure
		case e.Status == 423 && attempt < lockedAttempts:
			err = pause(c, attempt)
		case !isAmbiguous(e.Status):
			return failure
		case !ensured:
			err, ensured = d.ensure(c, dir), true
		case attempt < putAttempts:
			err = d.clear(c, dir, path, failure)
		default:
			err = refused(failure)
		}
		if err != nil {
			return err
		}
	}
}

// clear makes room for a PUT to path that was refused as failure says: an empty directory there goes. It returns an error
// if that is not what is in the way.
func (d *driver) clear(c *berth.Call, dir, path string, failure error) error {
	there, err := d.lookup(c, path)
	if err != nil || !there.dir {
		return d.refusal(c, dir, failure)
	}
	_, err = d.mayReplace(c, path)
	return err
}

func (d *driver) putOnce(c *berth.Call, path string, body *berth.Stream) error {
	resp, err := c.Send(d.putFile, berth.Varying{Path: escape(path), Body: body})
	if err != nil {
		return err
	}
	resp.Close()
	if isDone(resp.Status) {
		return nil
	}
	return statusError("PUT", resp)
}

// moveByPut moves the file at source onto the one at dest: what a GET of the one answers is the body of a PUT to the
// other. A process that ends before the DELETE leaves both, with the same content.
func (d *driver) moveByPut(c *berth.Call, source, dest string) error {
	for attempt := 0; ; attempt++ {
		from, err := d.Read(c, source, 0, -1)
		if err != nil {
			return err
		}
		err = d.putOnce(c, dest, from.Body)
		if from.Body != nil {
			from.Body.Close()
		}
		e, ok := err.(*berth.Error)
		switch {
		case err == nil:
			return d.gone(c, source)
		case ok && e.Status == 423 && attempt < lockedAttempts:
			if err := pause(c, attempt); err != nil {
				return err
			}
		case ok && isAmbiguous(e.Status):
			dir, _ := parent(dest)
			if err = d.refusal(c, dir, err); isNotFound(err) {
				return deletedAgain() // the directory, not the source
			}
			return err
		default:
			return err
		}
	}
}

// gone deletes the source of a move that is done otherwise.
func (d *driver) gone(c *berth.Call, source string) error {
	if err := d.deleteFile(c, source); !isNotFound(err) {
		return err
	}
	return nil
}
