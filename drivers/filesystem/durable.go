package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
)

// maxFresh is how many directories that are not durable yet are remembered. More than that many
// are made at once only where as many calls fail; each is then synced as it is made.
const maxFresh = 4096

// freshDirs are directories that this driver made and whose names are not durable yet. Whoever
// stores something below one sees to that first. The methods may be called concurrently.
type freshDirs struct {
	mu   sync.Mutex
	made uint64            // how many were made
	dirs map[string]uint64 // by name, with the count when it was made
}

// add notes that dir is about to be made, and returns what settled takes. It is empty when there are too many.
func (fd *freshDirs) add(dir string) map[string]uint64 {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if len(fd.dirs) >= maxFresh {
		return nil
	}
	if fd.dirs == nil {
		fd.dirs = map[string]uint64{}
	}
	fd.made++
	fd.dirs[dir] = fd.made
	return map[string]uint64{dir: fd.made}
}

// on returns the fresh ones among the directory dir, those above it and, with below, those
// below it.
func (fd *freshDirs) on(dir string, below bool) map[string]uint64 {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	if len(fd.dirs) == 0 {
		return nil
	}
	found := map[string]uint64{}
	for at := dir; at != "."; at = parent(at) {
		if made, fresh := fd.dirs[at]; fresh {
			found[at] = made
		}
	}
	if below {
		for name, made := range fd.dirs {
			if strings.HasPrefix(name, dir+"/") {
				found[name] = made
			}
		}
	}
	return found
}

// rmdir removes the directory dir if it is empty.
func (d *Driver) rmdir(dir string) error {
	d.fresh.mu.Lock()
	gone := map[string]uint64{dir: d.fresh.dirs[dir]}
	d.fresh.mu.Unlock()
	err := d.root.rmdir(dir)
	if err == nil {
		d.fresh.settled(gone)
	}
	return err
}

// settled forgets the directories, but for those that were made again meanwhile.
func (fd *freshDirs) settled(dirs map[string]uint64) {
	fd.mu.Lock()
	defer fd.mu.Unlock()
	for dir, made := range dirs {
		if fd.dirs[dir] == made {
			delete(fd.dirs, dir)
		}
	}
}

// mkdirs makes the directory dir and those above it, which are durable after settle. Others
// may do so at the same time, or remove them: the caller tries again on fs.ErrNotExist.
func (d *Driver) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	var noted map[string]uint64
	if d.root.sync {
		noted = d.fresh.add(dir)
	}
	err := d.root.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.mkdirs(parent(dir)); err == nil {
			err = d.root.Mkdir(dir, dirMode)
		}
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		// When it is no directory, what follows fails with ENOTDIR. When it is, somebody has
		// just made it, who may not have made it durable.
	case err != nil:
		d.fresh.settled(noted)
		return err
	}
	if noted == nil {
		return d.root.syncDir(parent(dir))
	}
	return nil
}

// settle makes durable: the content of f, which may be nil and is called name; the directory dir and
// those above it, as far as this driver has made them and, with below, those below it; and the
// names in the directories of changed. The file system does it all at once.
func (d *Driver) settle(f *os.File, name, dir string, below bool, changed ...string) error {
	if !d.root.sync {
		return nil
	}
	fresh := d.fresh.on(dir, below)
	dirs := map[string]bool{}
	for _, at := range changed {
		dirs[at] = true
	}
	for at := range fresh {
		dirs[parent(at)] = true
	}
	var wg sync.WaitGroup
	failures := make(chan error, len(dirs)+1)
	for at := range dirs {
		if f == nil && len(dirs) == 1 {
			failures <- d.root.syncDir(at) // alone
			break
		}
		wg.Go(func() { failures <- d.root.syncDir(at) })
	}
	if f != nil {
		failures <- d.root.syncFile(f, name)
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return err
		}
	}
	d.fresh.settled(fresh)
	return nil
}

// syncFile makes the content of f durable. Its name, for who observes, is name.
func (t *tree) syncFile(f *os.File, name string) error {
	if !t.sync {
		return nil
	}
	err := t.fsync(f)
	t.observed(err, "sync", name)
	return err
}

// syncDir makes the names in dir durable. A directory that has gone has none; some file
// systems keep directories durable by themselves and refuse.
func (t *tree) syncDir(dir string) error {
	if !t.sync {
		return nil
	}
	f, err := t.OpenFile(dir, os.O_RDONLY|dirFlags, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || err != nil && !dirsSync {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = t.fsync(f)
	if !dirsSync || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	t.observed(err, "sync directory", dir)
	return err
}

// create makes the file name, or opens it as flag (0 or os.O_EXCL) says, and makes
// the directories above it. The caller closes it.
func (d *Driver) create(name string, flag int) (*os.File, error) {
	for range attempts {
		f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|flag, fileMode)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = d.mkdirs(parent(name))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, classify(err, writing)
		}
	}
	return nil, removedAgain()
}
