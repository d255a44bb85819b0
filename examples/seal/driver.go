package seal

import (
	"strings"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// driver seals into one store. It may be used concurrently.
type driver struct {
	berth.Unimplemented
	recipients []age.Recipient
	identities []age.Identity // none: it only writes
}

// Delete implements berth.Driver.
func (d *driver) Delete(c *berth.Call, path string) error { return c.Store(store).Delete(path) }

// DeleteTree implements berth.Driver.
func (d *driver) DeleteTree(c *berth.Call, path string) error {
	if err := d.AbortUploads(c, path); err != nil {
		return err
	}
	return c.Store(store).DeleteTree(path)
}

// Move implements berth.Driver.
func (d *driver) Move(c *berth.Call, source, dest string) error {
	return c.Store(store).Move(source, dest)
}

// AbortUploads implements berth.Driver.
func (d *driver) AbortUploads(c *berth.Call, path string) error {
	return c.Store(store).AbortUploads(path)
}

// private reports whether a name is one of the host's, of which not all are this driver's files.
func private(name string) bool { return strings.Contains(name, "~") }
