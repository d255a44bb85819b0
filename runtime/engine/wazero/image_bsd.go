//go:build darwin || freebsd

package wazero

import (
	"errors"
	"os"
)

// imageFile returns an empty file whose name is gone already.
func imageFile() (*os.File, error) {
	f, err := os.CreateTemp("", "berth-image-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
