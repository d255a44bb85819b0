package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// secretFile holds the secret that signs the state of uploads.
const secretFile = "http-secret"

// secretIn returns the secret that is kept in dir, which exists, made the first time. Processes that
// start at one time get the same one, and after a crash the file is whole or not there.
func secretIn(dir string) (string, error) {
	path := filepath.Join(dir, secretFile)
	secret, err := os.ReadFile(path)
	if err == nil && len(secret) > 0 {
		return string(secret), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	fresh := rand.Text()
	if err := keepWhole(path, fresh, err == nil); err != nil {
		return "", fmt.Errorf("%s cannot be kept: %w", path, err)
	}
	// Another process may have been first.
	secret, err = os.ReadFile(path)
	return string(secret), err
}

// keepWhole puts content at path for this user alone, at once and durably. What is there already
// stays, unless replace is set.
func keepWhole(path, content string, replace bool) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(f.Name()); err == nil && !errors.Is(removeErr, fs.ErrNotExist) {
			err = removeErr
		}
	}()
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if !replace {
		err = os.Link(f.Name(), path)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	if replace || err != nil { // there are file systems without links
		if err = os.Rename(f.Name(), path); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// syncDir makes the entries of a directory durable where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
