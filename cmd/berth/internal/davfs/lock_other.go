//go:build !unix

package davfs

import "os"

// acquire only opens the lock file where there is no flock: that no second process
// serves the directory is then up to the operator.
func acquire(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}
