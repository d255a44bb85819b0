package webdav

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// Move implements berth.Driver.
func (d *driver) Move(c *berth.Call, source, dest string) error {
	r, err := d.find(c, source)
	if err != nil {
		return err
	}
	if source == dest {
		return nil
	}
	if source == "/" || len(dest) > len(source) && dest[:len(source)+1] == source+"/" {
		return berth.NewError(berth.KindInvalidPath, "a path cannot be moved to below itself")
	}
	// Not every server says plainly that the target's directory is missing: mod_dav answers 500.
	above, _ := parent(dest)
	if err := d.ensure(c, above); err != nil {
		return err
	}
	_, err = d.move(c, source, dest, r)
	return err
}

// Copy implements berth.Driver: a COPY shows its target while it grows, so it goes to a private name.
func (d *driver) Copy(c *berth.Call, source, dest string) error {
	from, err := d.find(c, source)
	if err != nil {
		return err
	}
	if from.dir {
		return directoryThere()
	}
	if source == dest {
		return nil
	}
	dir, _ := parent(dest)
	temporary := temporaryIn(c, dir)
	if err := d.copy(c, source, dir, temporary); err != nil {
		return err
	}
	r, err := d.lookup(c, temporary)
	if err == nil && r.size != from.size {
		err = &berth.Error{Kind: berth.KindConflict, Temporary: true, Msg: "the file changed while it was copied"}
	}
	if err = d.commit(c, temporary, dest, r, err); isNotFound(err) {
		return deletedAgain() // it is the copy that has gone, not the source
	}
	return err
}

func (d *driver) copy(c *berth.Call, source, dir, dest string) error {
	for ensured := false; ; ensured = true {
		resp, err := d.do(c, &berth.Request{
			Method: "COPY", URL: d.url(source), Want: wantFailure, Max: maxInline,
			Headers: []string{"Destination", d.url(dest), "Overwrite", "F", "Depth", "0"},
		})
		if err != nil {
			d.discard(c, dest)
			return err
		}
		resp.Close()
		switch failure := statusError("COPY", resp); {
		case isDone(resp.Status):
			return nil
		case !isAmbiguous(resp.Status):
			d.discard(c, dest)
			return failure
		case ensured:
			if _, err := d.find(c, source); err != nil {
				return err
			}
			return refused(failure)
		}
		if err := d.ensure(c, dir); err != nil {
			return err
		}
	}
}

// move sends a MOVE of source, which a PROPFIND has just found to be r, and sends it again only after another one.
// uncertain says that the error leaves open whether a MOVE is still under way: then the
// source must be left alone, because some servers delete the target of a MOVE
// whose source has gone.
func (d *driver) move(c *berth.Call, source, dest string, r resource) (uncertain bool, err error) {
	overwrite, ensured := "F", false
	for attempt := 0; ; attempt++ {
		resp, err := d.sendMove(c, source, dest, r.dir, overwrite)
		if err == nil {
			resp.Close()
		}
		switch {
		case err != nil:
			return d.lostMove(c, source, dest, r, err)
		case isDone(resp.Status):
			return false, nil
		case resp.Status == 412 && overwrite == "F":
			if overwrite, err = d.mayReplace(c, dest); err != nil {
				return false, err
			}
			if overwrite == "T" && d.putReplaces && !r.dir {
				return false, d.moveByPut(c, source, dest)
			}
		case resp.Status == 423 && attempt < lockedAttempts:
			if err := pause(c, attempt); err != nil {
				return false, err
			}
		case isAmbiguous(resp.Status) && !ensured:
			dir, _ := parent(dest)
			if err := d.ensure(c, dir); err != nil {
				return false, err
			}
			ensured = true
		case resp.Status >= 500 && resp.Status != 501 && resp.Status != 507:
			return d.lostMove(c, source, dest, r, statusError("MOVE", resp))
		case isAmbiguous(resp.Status):
			return false, d.refusedMove(c, source, resp)
		default:
			return false, statusError("MOVE", resp)
		}
		if r, err = d.find(c, source); err != nil {
			return false, err
		}
	}
}

func (d *driver) sendMove(c *berth.Call, source, dest string, dir bool, overwrite string) (*berth.Response, error) {
	if !dir && overwrite == "F" {
		return c.Send(d.moveFile, berth.Varying{Path: escape(source), Header: c.Join(d.base, escape(dest))})
	}
	from, to := d.url(source), d.url(dest)
	if dir {
		from, to = from+"/", to+"/"
	}
	return d.do(c, &berth.Request{
		Method: "MOVE", URL: from, Want: wantFailure, Headers: []string{"Destination", to, "Overwrite", overwrite},
	})
}

// mayReplace returns the Overwrite header for a MOVE to dest, where something is. Only a file is replaced; an
// empty directory counts as nothing and goes.
func (d *driver) mayReplace(c *berth.Call, dest string) (string, error) {
	switch r, err := d.lookup(c, dest); {
	case isNotFound(err):
		return "F", nil
	case err != nil:
		return "", err
	case !r.dir:
		return "T", nil
	}
	if err := d.deleteEmpty(c, dest); err != nil && !isNotFound(err) {
		if berth.KindOf(err) == berth.KindInvalidPath {
			return "", directoryThere()
		}
		return "", err
	}
	return "F", nil
}

// refusedMove explains an ambiguous status when the target's directory is there.
func (d *driver) refusedMove(c *berth.Call, source string, resp *berth.Response) error {
	if _, err := d.find(c, source); err != nil {
		return err
	}
	return refused(statusError("MOVE", resp))
}

// lostMove looks at both ends of a MOVE whose answer did not come, or says nothing.
func (d *driver) lostMove(c *berth.Call, source, dest string, r resource, failure error) (uncertain bool, err error) {
	_, sourceErr := d.lookup(c, source)
	if !isNotFound(sourceErr) {
		return true, failure // still there, or nobody can tell
	}
	there, destErr := d.lookup(c, dest)
	e, _ := failure.(*berth.Error)
	switch {
	case isNotFound(destErr) && e != nil && e.Status == 500:
		return false, notFound() // the server itself failed: the source went elsewhere before
	case destErr == nil && there.dir == r.dir && (r.dir || there.size == r.size):
		return false, nil
	case destErr == nil, isNotFound(destErr):
		return true, berth.NewError(berth.KindConflict, "the answer to a MOVE was lost; its source is gone and its target is something else")
	}
	return true, failure
}
