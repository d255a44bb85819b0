package migrate

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// Quick makes c's waits so short that tests can wait for them. scale is a heartbeat.
func Quick(c Config, scale time.Duration) Config {
	c.timing = timing{heartbeat: scale, lease: 4 * scale, stale: 8 * scale, confirm: 2 * scale, poll: max(scale/50, time.Millisecond)}
	return c
}

// The places of this package's objects.
const (
	ChangingDir = changingDir
	CopyingDir  = copyingDir
	StatePath   = statePath
	FinishPath  = finishPath
	IDsDir      = idsDir
)

// BeginOnOld begins an upload on old, as if that had been before the migration.
func (d *Driver) BeginOnOld(ctx context.Context, path string) (storagedriver.FileWriter, error) {
	if err := chunked.Abort(ctx, d.m.new, path); err != nil {
		return nil, d.wrap("Writer", path, err)
	}
	return d.openOnOld(ctx, path, false)
}

// ResumeOnOld opens the upload that another writer has begun on old. Where that has stored nothing yet [Driver.Writer] would begin one on new beside it, which
// no upload from before the migration makes it do: it has bytes.
func (d *Driver) ResumeOnOld(ctx context.Context, path string) (storagedriver.FileWriter, error) {
	return d.openOnOld(ctx, path, true)
}

func (d *Driver) openOnOld(ctx context.Context, path string, append bool) (storagedriver.FileWriter, error) {
	w, err := d.m.oldGate.Writer(ctx, path, append)
	if err != nil {
		return nil, d.wrap("Writer", path, err)
	}
	return &writer{d: d, path: path, w: w, old: true}, nil
}
