package migrate

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
)

// merged is the two backends as one, without writers: the gate above it derives the rest. Its methods may be called
// concurrently.
type merged struct {
	storagedriver.Unimplemented

	old, new         storagedriver.Backend
	oldGate, newGate storagedriver.StorageDriver // over old and new
	stages           *stages
	timing           timing
	log              *slog.Logger
	capabilities     storagedriver.Capabilities
}

// abilities returns what the two do together. AbilityParts is there for AbortUploads and ListUploads: writers are the Driver's.
func abilities(old, new storagedriver.Capabilities, over bool) storagedriver.Capabilities {
	const own = storagedriver.AbilityParts | storagedriver.AbilityMove | storagedriver.AbilityDeleteTree
	const both = storagedriver.AbilityAppendCommitted | storagedriver.AbilityFilesUnderFiles | storagedriver.AbilityConditional
	const any = storagedriver.AbilityRedirect | storagedriver.AbilityListUploads
	c := storagedriver.Capabilities{MaxObject: new.MaxObject}
	if over {
		c.Keys = new.Keys
		c.Abilities = own | new.Abilities&(both|any)
		return c
	}
	c.Abilities = own | old.Abilities&new.Abilities&both | (old.Abilities|new.Abilities)&any
	return c
}

// Name implements storagedriver.Backend.
func (m *merged) Name() string { return Name }

// Capabilities implements storagedriver.Backend.
func (m *merged) Capabilities() storagedriver.Capabilities { return m.capabilities }

// Close implements storagedriver.Backend.
func (m *merged) Close() error { return errors.Join(m.newGate.Close(), m.oldGate.Close()) }

func (m *merged) underFiles() bool { return m.capabilities.Has(storagedriver.AbilityFilesUnderFiles) }

// readsOld reports whether what is not on new is looked for on old.
func (m *merged) readsOld(ctx context.Context) (bool, error) {
	s, err := m.stages.now(ctx)
	return s == reading, m.onNew(err)
}

// Stat implements storagedriver.Backend.
func (m *merged) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	entry, err := m.new.Stat(ctx, path)
	if err != nil && !missing(err) || err == nil && (!entry.Dir || path == "/") {
		return entry, m.onNew(err)
	}
	if reads, phaseErr := m.readsOld(ctx); phaseErr != nil || !reads {
		return entry, either(phaseErr, err)
	}
	older, oldErr := m.old.Stat(ctx, path)
	switch {
	case oldErr != nil && !missing(oldErr):
		return entry, m.onOld(oldErr)
	case oldErr == nil && err != nil:
		return older, nil
	case oldErr == nil && !older.Dir: // and new has a directory
		if !m.underFiles() {
			if holds, err := hasFile(ctx, m.new, path); err != nil || holds {
				return entry, m.onNew(err)
			}
		}
		return older, nil
	case err == nil:
		return entry, nil
	}
	// What was on old a moment ago may have been put on new since it was looked for there.
	entry, err = m.new.Stat(ctx, path)
	return entry, m.onNew(err)
}

// hasFile reports whether there is a public file below the directory at path.
func hasFile(ctx context.Context, b storagedriver.Backend, path string) (bool, error) {
	entries, err := listAll(ctx, b, path, "")
	if err != nil {
		return false, unlessMissing(err)
	}
	for _, e := range entries {
		if !e.Dir && !storagedriver.IsPrivate(e.Name) {
			return true, nil
		}
	}
	for _, e := range entries {
		if !e.Dir || storagedriver.IsPrivate(e.Name) {
			continue
		}
		if holds, err := hasFile(ctx, b, storagedriver.JoinPath(path, e.Name)); err != nil || holds {
			return holds, err
		}
	}
	return false, nil
}

// Read implements storagedriver.Backend.
func (m *merged) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	body, n, err := m.new.Read(ctx, path, offset, length)
	if !missing(err) {
		return body, n, m.onNew(err)
	}
	if reads, phaseErr := m.readsOld(ctx); phaseErr != nil || !reads {
		return nil, 0, either(phaseErr, err)
	}
	body, n, err = m.old.Read(ctx, path, offset, length)
	if !missing(err) {
		return body, n, m.onOld(err)
	}
	body, n, err = m.new.Read(ctx, path, offset, length)
	return body, n, m.onNew(err)
}

// Redirect implements storagedriver.Backend.
func (m *merged) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	to := func(b storagedriver.Backend) (string, error) {
		if !b.Capabilities().Has(storagedriver.AbilityRedirect) {
			return "", nil
		}
		return b.Redirect(ctx, path, options)
	}
	reads, err := m.readsOld(ctx)
	if err != nil {
		return "", err
	}
	if reads {
		_, err := m.new.Stat(ctx, path)
		if err != nil && !missing(err) {
			return "", m.onNew(err)
		}
		if err != nil {
			_, err := m.old.Stat(ctx, path)
			if err == nil {
				url, err := to(m.old)
				return url, m.onOld(err)
			}
			if !missing(err) {
				return "", m.onOld(err)
			}
		}
	}
	url, err := to(m.new)
	return url, m.onNew(err)
}

// blocked returns KindInvalidPath for a file that could not be at path on new were all on one side: new sees nothing of what is on old.
func (m *merged) blocked(ctx context.Context, path string) error {
	if m.underFiles() {
		return nil
	}
	if reads, err := m.readsOld(ctx); err != nil || !reads {
		return err
	}
	return m.onOld(blockedBy(ctx, m.old, path))
}

// blockedBy returns KindInvalidPath if b has a directory with files at path, or a file above it.
func blockedBy(ctx context.Context, b storagedriver.Backend, path string) error {
	entry, err := b.Stat(ctx, path)
	switch {
	case err == nil && entry.Dir:
		if holds, err := hasFile(ctx, b, path); err != nil || holds {
			return either(err, storagedriver.NewError(storagedriver.KindInvalidPath, "there is a directory"))
		}
		return nil
	case err == nil: // it is there, so nothing is in its way
		return nil
	case !missing(err):
		return err
	}
	for above, _ := storagedriver.ParentPath(path); above != "/"; above, _ = storagedriver.ParentPath(above) {
		entry, err := b.Stat(ctx, above)
		switch {
		case err == nil && entry.Dir:
			return nil
		case err == nil:
			return storagedriver.Errorf(storagedriver.KindInvalidPath, "%s is a file", above)
		case !missing(err):
			return err
		}
	}
	return nil
}

func either(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Put implements storagedriver.Backend.
func (m *merged) Put(ctx context.Context, path string, body storagedriver.Source) error {
	if err := m.blocked(ctx, path); err != nil {
		return err
	}
	return m.change(ctx, area{Paths: []string{path}, Settle: []string{path}}, func(ctx context.Context) error {
		return m.onNew(m.new.Put(ctx, path, body))
	})
}

// Delete implements storagedriver.Backend.
func (m *merged) Delete(ctx context.Context, path string) error {
	return m.change(ctx, area{Paths: []string{path}}, func(ctx context.Context) error {
		return m.deleteBoth(ctx, func() error {
			if _, err := m.old.Stat(ctx, path); err != nil {
				return err
			}
			return m.dropOld(ctx, path)
		}, func() error { return m.new.Delete(ctx, path) })
	})
}

// DeleteTree implements storagedriver.Backend.
func (m *merged) DeleteTree(ctx context.Context, path string) error {
	return m.change(ctx, area{Paths: []string{path}, Tree: true}, func(ctx context.Context) error {
		return m.deleteBoth(ctx, func() error { return m.oldGate.Delete(ctx, path) }, func() error { return m.newGate.Delete(ctx, path) })
	})
}

// deleteBoth removes from old first, so that nothing old comes back. Missing on one side is not missing.
func (m *merged) deleteBoth(ctx context.Context, fromOld, fromNew func() error) error {
	s, err := m.stages.now(ctx)
	if err != nil {
		return m.onNew(err)
	}
	gone := error(storagedriver.NewError(storagedriver.KindNotFound, "nothing is there on either side"))
	if s != finished {
		gone = fromOld()
		if err := unlessMissing(gone); err != nil {
			return m.onOld(err)
		}
	}
	err = fromNew()
	if missing(err) && gone == nil {
		return nil
	}
	return m.onNew(err)
}

// Move implements storagedriver.Backend, of files.
func (m *merged) Move(ctx context.Context, source, dest string) error {
	if err := m.blocked(ctx, dest); err != nil {
		return err
	}
	return m.change(ctx, area{Paths: []string{source, dest}, Settle: []string{dest}}, func(ctx context.Context) error {
		for {
			err := m.moveFile(ctx, source, dest)
			if err != errMoved { //nolint:errorlint // by identity
				return err
			}
		}
	})
}

// errMoved says that a file that was on old alone is not there any more.
var errMoved = errors.New("it is not on old any more")

func (m *merged) moveFile(ctx context.Context, source, dest string) error {
	entry, err := m.new.Stat(ctx, source)
	s, stageErr := m.stages.now(ctx)
	switch {
	case stageErr != nil:
		return m.onNew(stageErr)
	case err != nil && !missing(err):
		return m.onNew(err)
	case err == nil && !entry.Dir, s != reading:
		if s != finished {
			if err := m.dropOld(ctx, source); err != nil {
				return err
			}
		}
		return m.onNew(rename(ctx, m.new, source, dest, entry.Size))
	}
	if there, err := isFile(ctx, m.old, source); err != nil {
		return m.onOld(err)
	} else if !there {
		// As in Stat: it may have come to new meanwhile.
		if there, err = isFile(ctx, m.new, source); err != nil || !there {
			return m.onNew(either(err, storagedriver.NewError(storagedriver.KindNotFound, "nothing is there on either side")))
		}
		return errMoved
	}
	err = m.moveFromOld(ctx, source, dest)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if there, statErr := isFile(ctx, m.old, source); statErr == nil && !there {
		return errMoved // by another, or it was replaced
	}
	return err
}

// moveFromOld moves a file that is on old alone.
func (m *merged) moveFromOld(ctx context.Context, source, dest string) error {
	place := movesDir + "/" + nonce()
	defer func() {
		ctx, cancel := m.detached(ctx)
		defer cancel()
		_ = m.removeDir(ctx, place) // Finish removes what stays
	}()
	if err := m.carry(ctx, source, place, dest); err != nil {
		return err
	}
	return m.dropOld(ctx, source)
}

// AbortUploads implements storagedriver.Backend.
func (m *merged) AbortUploads(ctx context.Context, path string) error {
	s, err := m.stages.now(ctx)
	if err == nil && s == reading {
		if err := chunked.Abort(ctx, m.old, path); err != nil {
			return m.onOld(err)
		}
	}
	return m.onNew(either(err, chunked.Abort(ctx, m.new, path)))
}

// ListUploads implements storagedriver.Backend.
func (m *merged) ListUploads(ctx context.Context, path, from string, limit int) (storagedriver.Page, error) {
	const olds, news = "o", "n"
	reads, err := m.readsOld(ctx)
	if err != nil {
		return storagedriver.Page{}, err
	}
	if from == "" {
		from = news
	}
	side, rest := from[:1], from[1:]
	if side == news {
		p, err := uploads(ctx, m.new, path, rest, limit)
		switch {
		case err == nil && p.Cursor != "":
			p.Cursor = news + p.Cursor
		case err == nil && reads:
			p.Cursor = olds
		}
		return p, m.onNew(err)
	}
	p, err := uploads(ctx, m.old, path, rest, limit)
	if err == nil && p.Cursor != "" {
		p.Cursor = olds + p.Cursor
	}
	return p, m.onOld(err)
}

func uploads(ctx context.Context, b storagedriver.Backend, path, from string, limit int) (storagedriver.Page, error) {
	if c := b.Capabilities(); !c.Has(storagedriver.AbilityListUploads | storagedriver.AbilityParts) {
		return storagedriver.Page{}, nil
	}
	return b.ListUploads(ctx, path, from, limit)
}
