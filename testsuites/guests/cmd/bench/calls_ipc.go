package main

import (
	"context"
	"log/slog"

	"github.com/berth-dev/storagedriver/ipc"
)

func openIPC(ctx context.Context, path string) (called, error) {
	d, err := ipc.Load(ctx, path, ipc.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	return d.Open(ctx, nil)
}
