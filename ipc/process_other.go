//go:build !unix

package ipc

import (
	"context"
	"runtime"

	"github.com/berth-dev/storagedriver"
)

func startProcess(_ context.Context, c processConfig) (*process, error) {
	return nil, storagedriver.Errorf(storagedriver.KindUnsupported,
		"%s: a driver in a process of its own needs a socket that it inherits, which %s does not have: use a .wasm file", c.path, runtime.GOOS)
}

func killGroup(int) {}
