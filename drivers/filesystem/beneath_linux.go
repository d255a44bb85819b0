package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// beneath resolves names by openat2 with RESOLVE_BENEATH: one system call where os.Root makes one
// for each directory of the name. Every method answers errElsewhere where the kernel does not do it (before 5.6,
// or under a seccomp filter), and where a name leads out of the root directory, which os.Root says better.
type beneath struct {
	dir *os.File
	raw syscall.RawConn // of dir; nil: nothing is resolved here
}

func newBeneath(dir *os.File) beneath {
	raw, err := dir.SyscallConn()
	if err != nil {
		raw = nil
	}
	return beneath{dir, raw}
}

func (b beneath) close() error { return b.dir.Close() }

// with calls f with the root directory's descriptor, which stays open meanwhile.
func (b beneath) with(f func(root int) error) (err error) {
	if b.raw == nil {
		return errElsewhere
	}
	if closed := b.raw.Control(func(fd uintptr) { err = f(int(fd)) }); closed != nil {
		return errElsewhere // os.Root is closed as well, and says so
	}
	return err
}

// openat2 opens name below root.
func openat2(root int, name string, flags int, mode fs.FileMode) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   uint64(flags) | unix.O_CLOEXEC | unix.O_LARGEFILE,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode.Perm())
	}
	err = uninterrupted(func() error {
		fd, err = unix.Openat2(root, name, &how)
		return err
	})
	return fd, settle("openat2", name, err)
}

// settle makes a system call's error that of package os, or errElsewhere.
func settle(op, name string, err error) error {
	var settled *os.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &settled):
		return err
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM),
		errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ELOOP), errors.Is(err, unix.E2BIG):
		return errElsewhere
	}
	return &os.PathError{Op: op, Path: name, Err: err}
}

// uninterrupted repeats a system call that a signal interrupted.
func uninterrupted(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// within calls f with the directory of name, open, and the last part of name.
func (b beneath) within(op, name string, f func(dir int, base string) error) error {
	return b.with(func(root int) error {
		dir, up := root, parent(name)
		if up != "." {
			var err error
			if dir, err = openat2(root, up, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
				return err
			}
			defer unix.Close(dir)
		}
		return settle(op, name, uninterrupted(func() error { return f(dir, path.Base(name)) }))
	})
}

func (b beneath) openFile(name string, flag int, mode fs.FileMode) (f *os.File, err error) {
	err = b.with(func(root int) error {
		fd, err := openat2(root, name, flag, mode)
		if err == nil {
			f = os.NewFile(uintptr(fd), name)
		}
		return err
	})
	return f, err
}

func (b beneath) stat(name string, follow bool) (out fs.FileInfo, err error) {
	flags := unix.O_PATH
	if !follow {
		flags |= unix.O_NOFOLLOW
	}
	err = b.with(func(root int) error {
		fd, err := openat2(root, name, flags, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var s unix.Stat_t
		if err := uninterrupted(func() error { return unix.Fstat(fd, &s) }); err != nil {
			return settle("fstat", name, err)
		}
		out = infoOf(path.Base(name), &s)
		return nil
	})
	return out, err
}

func (b beneath) mkdir(name string, mode fs.FileMode) error {
	return b.within("mkdirat", name, func(dir int, base string) error { return unix.Mkdirat(dir, base, uint32(mode.Perm())) })
}

func (b beneath) rename(from, to string) error {
	return b.within("renameat", from, func(fromDir int, fromBase string) error {
		if parent(from) == parent(to) {
			return unix.Renameat(fromDir, fromBase, fromDir, path.Base(to))
		}
		err := b.within("renameat", to, func(toDir int, toBase string) error { return unix.Renameat(fromDir, fromBase, toDir, toBase) })
		if err == errElsewhere {
			return unix.EXDEV
		}
		return err
	})
}

func (b beneath) remove(name string) error {
	return b.within("unlinkat", name, func(dir int, base string) error {
		err := unix.Unlinkat(dir, base, 0)
		if err == unix.EISDIR {
			return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
		}
		return err
	})
}

func (b beneath) rmdir(name string) error {
	return b.within("rmdir", name, func(dir int, base string) error { return unix.Unlinkat(dir, base, unix.AT_REMOVEDIR) })
}

func (b beneath) isNamed(f *os.File, name string) (is bool, err error) {
	var there, named unix.Stat_t
	if err := uninterrupted(func() error { return unix.Fstat(int(f.Fd()), &there) }); err != nil {
		return false, err
	}
	err = b.within("fstatat", name, func(dir int, base string) error {
		return unix.Fstatat(dir, base, &named, unix.AT_SYMLINK_NOFOLLOW)
	})
	return err == nil && there.Dev == named.Dev && there.Ino == named.Ino, err
}

// info is a stat as an fs.FileInfo.
type info struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
}

func infoOf(name string, s *unix.Stat_t) info {
	return info{name, s.Size, fs.FileMode(s.Mode&0o777) | typeOf(s.Mode), time.Unix(s.Mtim.Unix())}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modTime }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// typeOf returns the type bits of a file's mode.
func typeOf(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	}
	return fs.ModeIrregular
}
