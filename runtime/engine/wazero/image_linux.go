package wazero

import (
	"os"

	"golang.org/x/sys/unix"
)

// imageFile returns an empty file that has no name anywhere.
func imageFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("berth-image", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "berth-image"), nil
}
