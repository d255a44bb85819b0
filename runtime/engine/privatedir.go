package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// PrivateDir makes sure that dir is a directory that only this user may write to, making
// it (0700) when it is missing. Compiled code is run as it is found: a directory that
// others may write to is an error.
func PrivateDir(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		info, err = os.Lstat(dir)
	}
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%s may be written to by others (mode %04o): remove it, or empty it and chmod 700 it", dir, info.Mode().Perm())
	}
	return ownedByUs(dir, info)
}
