package transfer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/storagedriver"
)

// smallFile is the most bytes of a file that is written in one call, from memory.
const smallFile = 64 << 10

// File copies the file at from in src to the path to in dst, and compares the two as o says. It replaces what is there; a file
// that is there with the same size, and the same digest with VerifyDigest, is left as it is and Skipped. A suspended
// upload to a path where there is no file is continued with VerifyDigest, and begun anew if it turns out to have been of other content.
//
// The content appears at once, whole. A source whose size or time of change is another after it was read than before is KindConflict,
// and nothing appears. KindCorrupt says that the destination does not give back what was read, which is left there: what was
// there before is gone. A directory is KindInvalidArgument. After another error an upload that can be continued is suspended, and any other removed.
//
// Concurrent calls with one path to in dst are no good to anybody: the last one to commit wins.
func File(ctx context.Context, src, dst storagedriver.StorageDriver, from, to string, o Options) (Result, error) {
	if err := o.Check(); err != nil {
		return Result{From: from, To: to}, err
	}
	c := &copying{src: src, dst: dst, o: o, r: Result{From: from, To: to}}
	return c.whole(ctx, nil)
}

// copying is one file's.
type copying struct {
	src, dst storagedriver.StorageDriver
	o        Options
	r        Result
}

// whole tells of the file's beginning and end. found is what a walk said of it, or nil.
func (c *copying) whole(ctx context.Context, found storagedriver.FileInfo) (Result, error) {
	c.o.tell(Event{Stage: Begun, Path: c.r.From})
	err := c.file(ctx, found)
	c.o.tell(Event{Stage: Done, Path: c.r.From, Result: c.r, Err: err})
	return c.r, err
}

func (c *copying) file(ctx context.Context, found storagedriver.FileInfo) error {
	if found != nil {
		err := c.fileOf(ctx, found)
		if _, changed := err.(changedError); !changed { //nolint:errorlint // nobody wraps it
			return err
		}
		// What the walk said may be old: only what is said now counts.
	}
	info, err := c.src.Stat(ctx, c.r.From)
	if err != nil {
		return err
	}
	if err = c.fileOf(ctx, info); err == nil {
		return nil
	}
	if changed, is := err.(changedError); is { //nolint:errorlint // nobody wraps it
		return changed.classified()
	}
	return err
}

// fileOf copies a file that is, or was, as info says.
func (c *copying) fileOf(ctx context.Context, info storagedriver.FileInfo) error {
	if info.IsDir() {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s is a directory", c.r.From)
	}
	c.r = Result{From: c.r.From, To: c.r.To, Bytes: info.Size(), Written: c.r.Written}
	there, err := c.dst.Stat(ctx, c.r.To)
	missing := storagedriver.KindOf(err) == storagedriver.KindNotFound
	switch {
	case missing:
	case err != nil:
		return err
	case there.IsDir():
		return storagedriver.Errorf(storagedriver.KindInvalidPath, "there is a directory at %s in the destination, and a file at %s in the source", c.r.To, c.r.From)
	case there.Size() == info.Size():
		if digest, known := c.o.Journal.finished(c.r.To, info, c.o); known {
			c.r.Skipped, c.r.Digest = true, digest
			return nil
		}
		if same, err := c.same(ctx); err != nil || same {
			c.r.Skipped = err == nil
			return c.noted(info, err)
		}
	}
	return c.noted(info, c.copy(ctx, info, missing))
}

// noted writes a file that is there into the journal.
func (c *copying) noted(info storagedriver.FileInfo, err error) error {
	if err != nil {
		return err
	}
	return c.o.Journal.note(c.r, info, c.o)
}

// same reports whether the files, which are of one size, are the same.
func (c *copying) same(ctx context.Context) (bool, error) {
	if !c.o.digests() {
		return true, nil
	}
	var theirs string
	g, both := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		_, c.r.Digest, err = hashed(both, c.src, c.r.From, c.told(Read))
		return err
	})
	g.Go(func() (err error) {
		_, theirs, err = hashed(both, c.dst, c.r.To, c.told(ReadBack))
		return err
	})
	if err := g.Wait(); err != nil {
		return false, err
	}
	return c.r.Digest == theirs, nil
}

func (c *copying) told(s Stage) func(int64) {
	return func(n int64) { c.o.tell(Event{Stage: s, Path: c.r.From, Bytes: n}) }
}

// copy copies the file, and compares. missing says that there is none at the destination.
func (c *copying) copy(ctx context.Context, info storagedriver.FileInfo, missing bool) error {
	if info.Size() <= smallFile {
		if err := c.small(ctx, info); err != nil {
			return err
		}
		return c.compare(ctx)
	}
	if err := c.large(ctx, info, missing && c.o.digests()); err != nil {
		return err
	}
	err := c.compare(ctx)
	if c.r.Resumed > 0 && storagedriver.KindOf(err) == storagedriver.KindCorrupt {
		// The upload was of another content of the same length.
		if err := c.large(ctx, info, false); err != nil {
			return err
		}
		err = c.compare(ctx)
	}
	return err
}

// small copies a file in one call.
func (c *copying) small(ctx context.Context, info storagedriver.FileInfo) error {
	r, err := c.src.Reader(ctx, c.r.From, 0)
	if err != nil {
		return c.unlessChanged(ctx, info, err)
	}
	defer r.Close()
	var content bytes.Buffer
	if _, err := copyInto(&content, io.LimitReader(counted{r, c.told(Read), ctx}, info.Size()+1)); err != nil {
		return c.unlessChanged(ctx, info, err)
	}
	if err := c.unchanged(ctx, info, int64(content.Len()), true); err != nil {
		return err
	}
	if err := c.dst.PutContent(ctx, c.r.To, content.Bytes()); err != nil {
		return err
	}
	if c.o.digests() {
		h := sha256.New()
		h.Write(content.Bytes())
		c.r.Digest = digestOf(h)
	}
	c.r.Resumed = 0
	c.r.Written += int64(content.Len())
	return nil
}

// large copies a file through a Writer, which continues a suspended upload with resume.
func (c *copying) large(ctx context.Context, info storagedriver.FileInfo, resume bool) error {
	r, err := c.src.Reader(ctx, c.r.From, 0)
	if err != nil {
		return c.unlessChanged(ctx, info, err)
	}
	defer r.Close()
	w, err := c.dst.Writer(ctx, c.r.To, resume)
	if err == nil && w.Size() > info.Size() { // of something else
		if err = w.Close(); err == nil {
			w, err = c.dst.Writer(ctx, c.r.To, false)
		}
	}
	if err != nil {
		return err
	}
	c.r.Resumed = w.Size()
	h := sha256.New()
	var body io.Reader = counted{r, c.told(Read), ctx}
	if c.o.digests() {
		body = io.TeeReader(body, h)
	}
	n, err := copyInto(io.Discard, io.LimitReader(body, c.r.Resumed))
	if err == nil {
		var written int64
		written, err = copyInto(w, body)
		n += written
		c.r.Written += written
	}
	if err == nil || ctx.Err() == nil {
		if changed := c.unchanged(ctx, info, n, err == nil); changed != nil {
			_, useless := changed.(changedError) //nolint:errorlint // nobody wraps it
			if useless || err == nil {
				giveUp(ctx, w, c.o.digests() && !useless)
				return changed
			}
		}
	}
	if err == nil {
		if c.o.digests() {
			c.r.Digest = digestOf(h)
		}
		err = commit(ctx, w)
	}
	if err != nil {
		giveUp(ctx, w, c.o.digests())
	}
	return err
}

// compare compares what the destination has now.
func (c *copying) compare(ctx context.Context) error {
	switch {
	case c.o.digests():
		n, digest, err := hashed(ctx, c.dst, c.r.To, c.told(ReadBack))
		if err == nil && digest != c.r.Digest {
			err = storagedriver.Errorf(storagedriver.KindCorrupt, "%s: the destination gives back %d bytes with %s; %d bytes with %s were read",
				c.r.To, n, digest, c.r.Bytes, c.r.Digest)
		}
		return err
	case c.o.Verify == VerifySize:
		there, err := c.dst.Stat(ctx, c.r.To)
		if err == nil && there.Size() != c.r.Bytes {
			err = storagedriver.Errorf(storagedriver.KindCorrupt, "%s: the destination has %d bytes; %d were read", c.r.To, there.Size(), c.r.Bytes)
		}
		return err
	}
	return nil
}

// changedError is a source that is not as it was when it was read. It does not leave this package.
type changedError struct{ text string }

func (e changedError) Error() string { return e.text }

func (e changedError) classified() error {
	return storagedriver.NewError(storagedriver.KindConflict, e.text)
}

// unchanged returns a changedError if the source is another than info says, and KindCorrupt if it is not but n bytes are not the whole of it.
func (c *copying) unchanged(ctx context.Context, info storagedriver.FileInfo, n int64, whole bool) error {
	now, err := c.src.Stat(ctx, c.r.From)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return changedError{c.r.From + " was removed while it was copied"}
	case err != nil:
		return err
	case now.Size() != info.Size() || !sameTime(now.ModTime(), info.ModTime()):
		return changedError{fmt.Sprintf("%s changed while it was copied, from %s to %s: copy it again", c.r.From, state(info), state(now))}
	case whole && n != info.Size():
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s has %d bytes, and %d were read", c.r.From, info.Size(), n)
	}
	return nil
}

// unlessChanged returns err, or what is the reason for it: that the source changed.
func (c *copying) unlessChanged(ctx context.Context, info storagedriver.FileInfo, err error) error {
	if changed, is := c.unchanged(ctx, info, 0, false).(changedError); is && ctx.Err() == nil { //nolint:errorlint // nobody wraps it
		return changed
	}
	return err
}

func state(info storagedriver.FileInfo) string {
	if info.ModTime().IsZero() {
		return fmt.Sprintf("%d bytes", info.Size())
	}
	return fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// sameTime compares what may come from a listing and from a Stat: object stores give the second with more or fewer digits.
func sameTime(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() || a.Equal(b) {
		return true
	}
	if a.Nanosecond() != 0 && b.Nanosecond() != 0 {
		return false
	}
	return a.Unix() == b.Unix()
}
