package filesystem

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// limits: parts are appended to one file. They may have any size, and any number; Max bounds what a
// writer collects in memory, which a killed process loses.
var limits = storagedriver.PartLimits{Max: 4 << 20, Sequential: true}

// OpenUpload implements Uploads. It makes nothing: the first part does.
func (d *Driver) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	if err := d.enter(ctx); err != nil {
		return storagedriver.Upload{}, err
	}
	defer d.leave()
	t := token{session: rand.Text(), path: path}
	info, err := d.root.Stat(rel(path))
	switch {
	case err == nil && info.IsDir():
		if err := d.admits(ctx, rel(path)); err != nil {
			return storagedriver.Upload{}, err
		}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return storagedriver.Upload{}, classify(err, writing)
	}
	var length int64
	resumed := false
	if append {
		files, err := d.files(uploadDir(path))
		if err != nil {
			return storagedriver.Upload{}, classify(err, writing)
		}
		if resumed = len(files) > 0; resumed {
			t.base, t.beside = files[0], files[1:min(len(files), maxFiles)]
		}
		length = t.base.length
		if !resumed && info != nil && info.Mode().IsRegular() && info.Size() > 0 {
			t.committed, length, resumed = versionOf(info), info.Size(), true
		}
	}
	upload := storagedriver.Upload{Token: t.String(), Limits: limits, Resumed: resumed}
	if length > 0 {
		// What earlier writers stored is one part to this one.
		upload.Receipts = &storagedriver.Receipts{}
		upload.Receipts.Set(storagedriver.Receipt{Number: 1, Size: length, Data: []byte{}})
	}
	return upload, nil
}

// maxFiles is how many files of one upload a token has: some 80 bytes each, and a token is to fit in 2 KiB.
const maxFiles = 8

// files returns the files of the upload in dir. It has one, or several if writers have begun anew beside
// each other, and then the one written last is first.
func (d *Driver) files(dir string) (files []seen, err error) {
	for range attempts {
		states, err := d.states(dir)
		if len(states) == 0 || err != nil {
			return nil, err
		}
		files = files[:0]
		var written time.Time
		for _, s := range states {
			info, missing := d.root.Lstat(join(dir, s.String()))
			if err = missing; err != nil {
				break // renamed by its writer, or ended: look again
			}
			files = append(files, seen{s, info.Size()})
			// Times of files are of milliseconds.
			if c := info.ModTime().Compare(written); c > 0 || c == 0 && s.synced > files[0].synced {
				written = info.ModTime()
				files[0], files[len(files)-1] = files[len(files)-1], files[0]
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return files, err
		}
	}
	return nil, busy("the upload's writers are too quick")
}

// states returns the states in an upload directory, which may be missing. A reading is not
// atomic (a signal cuts the system call in two), and one during a rename may have neither
// name. An upload directory without a state is a rare thing, so then it is read again.
func (d *Driver) states(dir string) (states []state, err error) {
	for range attempts {
		names, err := d.names(dir)
		if isMissing(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if s, ok := parseState(name); ok {
				states = append(states, s)
			}
		}
		if len(states) > 0 {
			break
		}
	}
	return states, nil
}

// names returns what is in an upload directory. It does not look at the files, or it would
// leave out what is renamed before it does.
func (d *Driver) names(dir string) (names []string, err error) {
	f, err := d.root.openDir(dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	err = f.scan(func(name string, _ fs.FileMode) error {
		names = append(names, name)
		return nil
	})
	return names, err
}

// PutPart implements Uploads.
func (d *Driver) PutPart(ctx context.Context, name string, part storagedriver.Part) ([]byte, error) {
	t, err := parseToken(name)
	if err != nil {
		return nil, err
	}
	c, err := d.claim(ctx, t, part.Offset)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.append(ctx, part.Body); err != nil {
		return nil, err
	}
	return []byte{}, nil
}

// SuspendUpload implements Uploads. A tail becomes a part.
func (d *Driver) SuspendUpload(ctx context.Context, name string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	end, err := endOf(receipts)
	if err != nil {
		return err
	}
	if end == 0 && (tail == nil || tail.Size() == 0) {
		return nil
	}
	c, err := d.claim(ctx, t, end)
	if err != nil {
		return err
	}
	defer c.close()
	if tail != nil && tail.Size() > 0 {
		err = c.append(ctx, tail)
	}
	// The parts are kept in any case: there may be no room for the tail.
	if suspended := c.suspend(ctx); err == nil {
		err = suspended
	}
	return err
}

// CommitUpload implements Uploads: a sync if there is a last part, and a rename.
func (d *Driver) CommitUpload(ctx context.Context, name string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	end, err := endOf(receipts)
	if err != nil {
		return err
	}
	c, err := d.claim(ctx, t, end)
	if err != nil {
		return err
	}
	defer c.close()
	return c.commit(ctx, last)
}

// endOf returns where the parts of receipts end, or an error if there is a gap.
func endOf(receipts *storagedriver.Receipts) (int64, error) {
	var end int64
	for _, r := range receipts.All() {
		if r.Offset != end || r.Size < 0 {
			return 0, storagedriver.Errorf(storagedriver.KindInvalidArgument, "part %d begins at %d, and those before it end at %d", r.Number, r.Offset, end)
		}
		end += r.Size
	}
	return end, nil
}

// CancelUpload implements Uploads. It removes what the writer stored, or what it continues if it has stored nothing,
// and what it was opened beside; but nothing that somebody else has gone on with.
func (d *Driver) CancelUpload(ctx context.Context, name string) error {
	t, err := parseToken(name)
	if err != nil {
		return nil // unknown
	}
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	dir := uploadDir(t.path)
	names, err := d.names(dir)
	if err != nil && !isMissing(err) {
		return classify(err, reading)
	}
	own := slices.DeleteFunc(names, func(name string) bool {
		return !strings.HasPrefix(name, t.session+"-") && name != freshName(t.session)
	})
	if len(own) == 0 && t.base != (seen{}) && d.isUntouched(dir, t.base) {
		own = append(own, t.base.state.String())
	}
	if len(own) > 0 {
		// These first: a call that is cut short leaves the upload that the writer was opened on, and no other.
		if _, err := d.removeUntouched(dir, t.beside); err != nil {
			return classify(err, reading)
		}
	}
	for _, name := range own {
		if err := d.root.Remove(join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return classify(err, reading)
		}
	}
	if d.rmdir(dir) == nil { // unless others have something there
		dir = parent(dir)
	}
	if len(own) == 0 {
		return nil
	}
	return classify(d.root.syncDir(dir), reading)
}

// isUntouched reports whether nobody has gone on with the file since it was seen.
func (d *Driver) isUntouched(dir string, file seen) bool {
	info, err := d.root.Lstat(join(dir, file.state.String()))
	return err == nil && info.Size() <= file.size
}

// removeUntouched removes those of the files that nobody has gone on with since they were seen, and reports whether there were any.
func (d *Driver) removeUntouched(dir string, files []seen) (removed bool, err error) {
	for _, file := range files {
		if !d.isUntouched(dir, file) {
			continue
		}
		if err := d.root.Remove(join(dir, file.state.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, err
		}
		removed = true
	}
	return removed, nil
}

// AbortUploads implements Uploads.
func (d *Driver) AbortUploads(ctx context.Context, path string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.leave()
	if path != "/" {
		if err := d.removeUpload(ctx, uploadDir(path)); err != nil {
			return classify(err, reading)
		}
	}
	if err := d.abortBelow(ctx, rel(path)); err != nil && !isMissing(err) {
		return classify(err, reading)
	}
	return nil
}

// removeUpload removes an upload directory, durably. A missing one is nil.
func (d *Driver) removeUpload(ctx context.Context, dir string) error {
	_, err := d.root.Lstat(dir)
	if err == nil {
		err = d.removeTree(ctx, dir)
	}
	if isMissing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return d.root.syncDir(parent(dir))
}

// abortBelow removes every upload directory below dir. Links to directories are not followed:
// what they lead to has a path of its own.
func (d *Driver) abortBelow(ctx context.Context, dir string) error {
	var dirs []string
	err := d.each(ctx, dir, func(name string, mode fs.FileMode) error {
		if mode.IsDir() {
			dirs = append(dirs, join(dir, name))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range dirs {
		if strings.HasSuffix(name, storagedriver.PrivateMark) {
			err = d.removeUpload(ctx, name)
		} else {
			err = d.abortBelow(ctx, name)
		}
		if err != nil && !isMissing(err) {
			return err
		}
	}
	return ctx.Err()
}
