package filesystem

import (
	"os"
	"time"
)

// Observe has f told of everything that changes the directory or makes it durable, right after it happened.
func (d *Driver) Observe(f func(effect string, names ...string)) { d.root.observe = f }

// FailSync has every sync fail with err, or none if it is nil.
func (d *Driver) FailSync(err error) {
	d.root.fsync = func(f *os.File) error {
		if err != nil {
			return err
		}
		return f.Sync()
	}
}

// SyncEvery has an upload synced at another interval than a second; 0: at each part.
func (d *Driver) SyncEvery(interval time.Duration) { d.syncEvery = interval }

// FreshDirs returns how many directories are remembered as not durable.
func (d *Driver) FreshDirs() int {
	d.fresh.mu.Lock()
	defer d.fresh.mu.Unlock()
	return len(d.fresh.dirs)
}
