package migrate

import (
	"context"
	"errors"
	"time"

	"github.com/berth-dev/storagedriver"
)

// fileAttempts is how often a file is tried in one pass: what changes under the copier is looked at anew.
const fileAttempts = 3

// one does to the file at path what the phase is about.
func (c *copier) one(ctx context.Context, path string) error {
	var err error
	for range fileAttempts {
		if c.state.Phase == PhaseVerifying {
			err = c.verify(ctx, path)
		} else {
			_, err = c.bring(ctx, path)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		// What is not on old any more is nobody's concern.
		if there, statErr := isFile(ctx, c.m.old, path); statErr == nil && !there {
			return nil
		}
		if storagedriver.KindOf(err) == storagedriver.KindCorrupt {
			return err
		}
	}
	return err
}

// bring makes N of O unless there is one. It returns whether it did.
func (c *copier) bring(ctx context.Context, path string) (bool, error) {
	there, err := isFile(ctx, c.m.new, path)
	if err != nil || there {
		return false, c.m.onNew(err)
	}
	before, err := c.m.old.Stat(ctx, path)
	if err != nil {
		return false, c.m.onOld(err)
	}
	if before.Dir {
		return false, nil
	}
	r, err := c.m.stage(ctx, c.src, path, copiesDir, nil)
	if err != nil {
		return false, err
	}
	if err := c.admit(ctx, path); err != nil {
		return false, err
	}
	defer c.intents.end(path)
	placed, err := c.place(ctx, path, before, r.Bytes)
	if err == nil && placed {
		c.mu.Lock()
		c.state.Copied.add(r.Bytes)
		c.mu.Unlock()
	}
	return placed, err
}

// admit waits until the intent for path stands. The caller ends it.
func (c *copier) admit(ctx context.Context, path string) error {
	for {
		err := c.intents.begin(ctx, path)
		if err != errChanging { //nolint:errorlint // by identity
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(c.m.timing.poll * 4):
		}
	}
}

// place puts the copy of path where it belongs, while an intent stands: unless there is an N, or O is not what was copied.
func (c *copier) place(ctx context.Context, path string, copied storagedriver.Entry, size int64) (bool, error) {
	there, err := isFile(ctx, c.m.new, path)
	if err != nil {
		return false, c.m.onNew(err)
	}
	now, err := c.m.old.Stat(ctx, path)
	if err := unlessMissing(err); err != nil {
		return false, c.m.onOld(err)
	}
	if there || err != nil || now.Dir {
		return false, c.m.onNew(unlessMissing(c.m.new.Delete(ctx, copiesDir+path)))
	}
	if now.Size != copied.Size || now.Size != size || !now.ModTime.Equal(copied.ModTime) {
		return false, errors.Join(storagedriver.NewError(storagedriver.KindConflict, "it changed while it was copied"),
			unlessMissing(c.m.new.Delete(ctx, copiesDir+path)))
	}
	return true, c.m.onNew(rename(ctx, c.m.new, copiesDir+path, path, size))
}

// verify compares O with N, and makes N if there is none.
func (c *copier) verify(ctx context.Context, path string) error {
	differ, err := c.compare(ctx, path)
	if err == nil && differ == "" {
		return nil
	}
	if missing(err) { // on one side, at that moment
		return c.bringMissing(ctx, path)
	}
	if err != nil {
		return err
	}
	// Perhaps it is being changed: what is found while nobody can is certain.
	if err := c.admit(ctx, path); err != nil {
		return err
	}
	differ, err = c.compare(ctx, path)
	c.intents.end(path)
	switch {
	case missing(err):
		return c.bringMissing(ctx, path)
	case err == nil && differ != "":
		return storagedriver.NewError(storagedriver.KindCorrupt, differ)
	}
	return err
}

func (c *copier) bringMissing(ctx context.Context, path string) error {
	brought, err := c.bring(ctx, path)
	if err == nil && brought {
		c.mu.Lock()
		c.state.Missing++
		c.mu.Unlock()
	}
	return unlessMissing(err)
}

// compare says how O and N differ, or "". KindNotFound: one of them is missing.
func (c *copier) compare(ctx context.Context, path string) (string, error) {
	older, err := c.m.old.Stat(ctx, path)
	if err != nil {
		return "", c.m.onOld(err)
	}
	newer, err := c.m.new.Stat(ctx, path)
	if err != nil {
		return "", c.m.onNew(err)
	}
	switch {
	case newer.Dir && !older.Dir:
		return "new has a directory where old has a file", nil
	case newer.Size != older.Size:
		return "old and new have files of different sizes; new is what is read: if that is the right one, remove the other from old", nil
	case c.o.Verify == VerifySize:
		return "", nil
	}
	same, err := equal(ctx, c.src, c.m.newGate, path)
	if err == nil && !same {
		return "old and new have files with different digests; new is what is read: if that is the right one, remove the other from old", nil
	}
	return "", err
}
