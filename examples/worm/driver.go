package worm

import (
	"bytes"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// driver retains files of one store. It may be used concurrently.
type driver struct {
	berth.Unimplemented
	retention *retention
}

// Stat implements berth.Driver.
func (d *driver) Stat(c *berth.Call, path string) (berth.Entry, error) {
	return c.Store(store).Stat(path)
}

// List implements berth.Driver.
func (d *driver) List(c *berth.Call, path, cursor string, limit int) (berth.Page, error) {
	return c.Store(store).List(path, cursor, limit)
}

// Read implements berth.Driver: with the store's body, which the host passes on.
func (d *driver) Read(c *berth.Call, path string, offset, length int64) (berth.Content, error) {
	return c.Store(store).Read(path, offset, length)
}

// Redirect implements berth.Driver. An address for anything but reading would be a change that passes by here.
func (d *driver) Redirect(c *berth.Call, path string, options berth.RedirectOptions) (string, error) {
	switch options.Method {
	case "", "GET", "HEAD":
		return c.Store(store).Redirect(path, options)
	}
	return "", nil
}

// Put implements berth.Driver.
func (d *driver) Put(c *berth.Call, path string, body *berth.Stream) error {
	there, refusal, err := d.look(c, path)
	if err != nil {
		return err
	}
	if refusal == nil {
		return c.Store(store).PutStreams(path, body)
	}
	if there.Size != body.Size() {
		return refusal
	}
	want, err := digest(c, body)
	if err != nil {
		return err
	}
	got, err := d.digestOf(c, path)
	if err != nil || !bytes.Equal(want, got) {
		return either(err, refusal)
	}
	return nil
}

// Delete implements berth.Driver.
func (d *driver) Delete(c *berth.Call, path string) error {
	if err := d.mayChange(c, path); err != nil {
		return err
	}
	return c.Store(store).Delete(path)
}

// DeleteTree implements berth.Driver.
func (d *driver) DeleteTree(c *berth.Call, path string) error {
	if err := d.mayChangeTree(c, path); err != nil {
		return err
	}
	if err := d.AbortUploads(c, path); err != nil {
		return err
	}
	return c.Store(store).DeleteTree(path)
}

// Move implements berth.Driver.
func (d *driver) Move(c *berth.Call, source, dest string) error {
	from, err := c.Store(store).Stat(source)
	if err != nil {
		return err
	}
	if from.Dir {
		if err := d.mayChangeTree(c, source); err != nil {
			return err
		}
		// Where files may be under files, what is moved may meet others.
		if err := d.mayChangeTree(c, dest); err != nil {
			return err
		}
		return c.Store(store).Move(source, dest)
	}
	if err := d.mayChange(c, source); err != nil {
		return err
	}
	to, refusal, err := d.look(c, dest)
	switch {
	case err != nil:
		return err
	case refusal == nil:
		return c.Store(store).Move(source, dest)
	case from.Size != to.Size:
		return refusal
	}
	want, err := d.digestOf(c, source)
	if err != nil {
		return err
	}
	got, err := d.digestOf(c, dest)
	if err != nil || !bytes.Equal(want, got) {
		return either(err, refusal)
	}
	return c.Store(store).Delete(source)
}

// OpenUpload implements berth.Driver: the store does it.
func (d *driver) OpenUpload(_ *berth.Call, path string, _ bool, _ *berth.Receipts) (berth.Upload, error) {
	return berth.Upload{Delegate: berth.Delegate{Store: store, Path: path}}, nil
}

// Committing implements berth.Driver.
func (d *driver) Committing(c *berth.Call, path string, _ int64, _ []byte, _ *berth.Output) error {
	return d.mayChange(c, path)
}

// AbortUploads implements berth.Driver: what is not visible is not retained.
func (d *driver) AbortUploads(c *berth.Call, path string) error {
	return c.Store(store).AbortUploads(path)
}

// look returns the file at path if it is one that may not be changed now, and then why. An error is that of looking.
func (d *driver) look(c *berth.Call, path string) (there berth.Entry, refusal, err error) {
	if !d.retention.at(path) {
		return there, nil, nil
	}
	there, err = c.Store(store).Stat(path)
	if berth.KindOf(err) == berth.KindNotFound {
		return there, nil, nil
	}
	if err != nil || there.Dir {
		return there, nil, err
	}
	return there, d.retention.check(path, there.ModTime, c.Now()), nil
}

// mayChange returns why the file at path may not be changed; nil when it may, or there is none.
func (d *driver) mayChange(c *berth.Call, path string) error {
	_, refusal, err := d.look(c, path)
	return either(err, refusal)
}

// mayChangeTree is mayChange of a file at path and of all those below it.
func (d *driver) mayChangeTree(c *berth.Call, path string) error {
	if !d.retention.below(path) {
		return nil
	}
	if err := d.mayChange(c, path); err != nil {
		return err
	}
	for left := []string{path}; len(left) > 0; {
		dir := left[len(left)-1]
		left = left[:len(left)-1]
		for cursor := ""; ; {
			page, err := c.Store(store).List(dir, cursor, berth.MaxList)
			if berth.KindOf(err) == berth.KindNotFound {
				break
			}
			if err != nil {
				return err
			}
			for i := range page.Entries {
				e := &page.Entries[i]
				child := join(dir, e.Name)
				if e.Dir && d.retention.below(child) {
					left = append(left, child)
				}
				if err := d.mayChangeEntry(c, child, e); err != nil {
					return err
				}
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
	}
	return nil
}

// mayChangeEntry is mayChange of what a listing says of path.
func (d *driver) mayChangeEntry(c *berth.Call, path string, e *berth.Entry) error {
	switch {
	case e.Dir || !d.retention.at(path):
		return nil
	case e.ModTime.IsZero():
		return d.mayChange(c, path) // listings may know less
	}
	return d.retention.check(path, e.ModTime, c.Now())
}

// digestOf returns the digest of the file at path. The host makes it: the content does not come here.
func (d *driver) digestOf(c *berth.Call, path string) ([]byte, error) {
	content, err := c.Store(store).Read(path, 0, -1)
	if err != nil {
		return nil, err
	}
	if content.Body == nil {
		return digest(c)
	}
	defer content.Body.Close()
	return digest(c, content.Body)
}

func digest(c *berth.Call, streams ...*berth.Stream) ([]byte, error) {
	digests, _, err := c.HashStreams([]string{berth.SHA256}, streams...)
	return digests[berth.SHA256], err
}

// either returns the first of two errors that is one.
func either(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}
