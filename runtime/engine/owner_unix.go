//go:build unix

package engine

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

func ownedByUs(dir string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, not to %d", dir, st.Uid, os.Geteuid())
	}
	return nil
}
