package transfer

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/berth-dev/storagedriver"
)

// Put stores what body has, to its end, at the path to in dst, and compares as o says; o's Progress is told, with the path to. It does
// not close body. When it fails, what was accepted is suspended, unless the content is committed already.
//
// With resume it continues the upload that is suspended at the path, if there is one: as many bytes of body as that has are read, or skipped if
// they can be and no digest is wanted. KindConflict: the upload is longer than body, or committed content is there which the driver
// might continue in place of an upload. KindCorrupt is as in File; of a resumed upload it says that it was of other content.
func Put(ctx context.Context, dst storagedriver.StorageDriver, to string, body io.Reader, resume bool, o Options) (Result, error) {
	r := Result{To: to}
	if err := o.Check(); err != nil {
		return r, err
	}
	c := &copying{dst: dst, o: o, r: r}
	o.tell(Event{Stage: Begun, Path: to})
	err := c.put(ctx, body, resume)
	if err == nil {
		err = c.compare(ctx)
	}
	o.tell(Event{Stage: Done, Path: to, Result: c.r, Err: err})
	return c.r, err
}

func (c *copying) put(ctx context.Context, body io.Reader, resume bool) error {
	if resume {
		if err := c.mayResume(ctx); err != nil {
			return err
		}
	}
	w, err := c.dst.Writer(ctx, c.r.To, resume)
	if err != nil {
		return err
	}
	h := sha256.New()
	read := func(n int64) { c.o.tell(Event{Stage: Read, Path: c.r.To, Bytes: n}) }
	var from io.Reader = counted{body, read, ctx}
	if c.o.digests() {
		from = io.TeeReader(from, h)
	}
	c.r.Resumed = w.Size()
	if err = c.skip(body, from); err == nil {
		c.r.Written, err = copyInto(w, from)
	}
	c.r.Bytes = c.r.Resumed + c.r.Written
	if err == nil {
		err = commit(ctx, w)
	}
	if err != nil {
		giveUp(ctx, w, true)
		return err
	}
	if c.o.digests() {
		c.r.Digest = digestOf(h)
	}
	return nil
}

// mayResume returns KindConflict if committed content would be continued.
func (c *copying) mayResume(ctx context.Context) error {
	there, err := c.dst.Stat(ctx, c.r.To)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return nil
	case err != nil:
		return err
	case there.Size() > 0 && c.dst.Capabilities().Has(storagedriver.AbilityAppendCommitted):
		return storagedriver.Errorf(storagedriver.KindConflict, "%s is a file of %d bytes, which would be appended to: put it without resuming to replace it", c.r.To, there.Size())
	}
	return nil
}

// skip leaves out the beginning of body that the upload has: from is what it is read through.
func (c *copying) skip(body, from io.Reader) error {
	if c.r.Resumed == 0 {
		return nil
	}
	if s, ok := body.(io.Seeker); ok && !c.o.digests() {
		end, err := s.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if end >= c.r.Resumed {
			_, err = s.Seek(c.r.Resumed, io.SeekStart)
			return err
		}
		return c.tooLong(end)
	}
	n, err := copyInto(io.Discard, io.LimitReader(from, c.r.Resumed))
	if err == nil && n < c.r.Resumed {
		err = c.tooLong(n)
	}
	return err
}

func (c *copying) tooLong(source int64) error {
	return storagedriver.Errorf(storagedriver.KindConflict, "%s: the upload that is suspended there has %d bytes, and the source %d: put it without resuming to begin anew",
		c.r.To, c.r.Resumed, source)
}
