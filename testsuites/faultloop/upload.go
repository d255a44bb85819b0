package faultloop

import (
	"bytes"
	"context"

	"github.com/berth-dev/storagedriver"
)

// upload is one that is made in sessions, as by a client that asks after each how far it has come.
type upload struct {
	r        *run
	name     string
	old      []byte // what is committed there before; nil is nothing
	whole    []byte // what is to be committed
	durable  int64  // what the next open reports
	finished bool
	begun    bool // there is an upload for certain, also where it is as long as old
}

func (r *run) upload(name string, old, whole []byte) *upload {
	return &upload{r: r, name: name, old: old, whole: whole}
}

// session writes from where the upload is to end, and commits or suspends. It compares what it was
// told with what is there.
func (u *upload) session(end int, commit bool) {
	if u.finished {
		return
	}
	_ = u.r.do(func(ctx context.Context, d storagedriver.StorageDriver) error {
		return u.with(ctx, d, end, commit)
	})
}

// resume reports whether there is something to append to that is not the old content.
func (u *upload) resume() bool {
	return u.durable > 0 && (u.begun || u.old == nil || u.durable != int64(len(u.old)))
}

// with is a session with a driver. It returns why it did not come to its end.
func (u *upload) with(ctx context.Context, d storagedriver.StorageDriver, end int, commit bool) error {
	resume := u.resume()
	w, err := d.Writer(ctx, u.r.path(u.name), resume)
	if err != nil {
		u.notOpened(resume)
		return err
	}
	if !resume {
		u.durable = 0
	}
	u.r.check(w.Size() == u.durable, "Writer (append: %t) begins at %d, want %d", resume, w.Size(), u.durable)
	err = u.write(ctx, w, end)
	if err == nil && commit && w.Size() == int64(len(u.whole)) {
		if err = w.Commit(ctx); err == nil {
			u.finished = true
			u.r.wantContent(u.name, u.whole)
			u.r.must(w.Close(), "Close after Commit")
			u.r.must(w.Cancel(ctx), "Cancel after Commit")
			u.r.wantContent(u.name, u.whole)
			return nil
		}
	}
	accepted := w.Size()
	closeErr := w.Close()
	u.r.check(closeErr != nil || w.Size() == accepted || ctx.Err() != nil || u.committed(),
		"after a Close that went well %d of %d bytes are left", w.Size(), accepted)
	u.r.must(w.Close(), "Close once more")
	u.afterwards(w.Size(), accepted, closeErr)
	if err == nil {
		err = closeErr
	}
	return err
}

// write writes up to end in pieces that fit no part, and compares the size each time, unless ctx has ended:
// then the writer suspends itself meanwhile.
func (u *upload) write(ctx context.Context, w storagedriver.FileWriter, end int) error {
	piece := u.r.partSize/3 + 1
	for at := int(w.Size()); at < end; {
		n, err := w.Write(u.whole[at:min(end, at+piece)])
		at += n
		size := w.Size()
		u.r.check(size == int64(at) || ctx.Err() != nil, "Size after Write is %d, want %d", size, at)
		if err != nil {
			return err
		}
	}
	return nil
}

// committed reports whether the whole is visible: then a commit's answer was lost, or none was needed.
func (u *upload) committed() bool { return u.r.is(u.name, u.whole) }

// afterwards looks what is there after a session that said so much is left of what it accepted. Where even
// asking had no time left, more may be there than was said.
func (u *upload) afterwards(said, accepted int64, closeErr error) {
	if u.committed() {
		u.finished = true
		u.wantNotResumable()
		return
	}
	u.r.wantContent(u.name, u.old)
	before := u.durable
	u.durable = u.next()
	u.r.check(u.durable >= before, "of %d bytes that were suspended before %d are left", before, u.durable)
	late := !u.r.exact() || storagedriver.KindOf(closeErr) == storagedriver.KindDeadline
	u.r.check(said == u.durable || late && said < u.durable, "Size after Close is %d, and the next Writer begins at %d", said, u.durable)
	old := u.old != nil && u.durable == int64(len(u.old))
	u.r.check(u.durable <= accepted || old, "%d bytes are left of %d", u.durable, accepted)
}

// notOpened looks what is there after a Writer that could not be opened, which must not cost what was
// suspended, unless that was to be discarded.
func (u *upload) notOpened(resume bool) {
	u.r.wantContent(u.name, u.old)
	now := u.next()
	if resume {
		u.r.check(now == u.durable, "Writer failed, and of the suspended %d bytes %d are left", u.durable, now)
	}
	u.durable = now
}

// next returns the size that another driver's Writer begins with.
func (u *upload) next() int64 {
	w, err := u.r.clean.Writer(u.r.base, u.r.path(u.name), true)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported && len(u.old) > 0 {
		return 0
	}
	u.r.must(err, "Writer with append of another driver")
	size := w.Size()
	u.r.must(w.Close(), "Close of a writer that wrote nothing")
	return size
}

// wantNotResumable wants no upload to be left where one was committed, or a prefix of the same content
// where its state could not be removed.
func (u *upload) wantNotResumable() {
	w, err := u.r.clean.Writer(u.r.base, u.r.path(u.name), true)
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported && len(u.whole) > 0 {
		return
	}
	u.r.must(err, "Writer with append after the commit")
	u.r.check(w.Size() <= int64(len(u.whole)), "after a commit of %d bytes an upload of %d is there", len(u.whole), w.Size())
	u.r.must(w.Close(), "Close of a writer that wrote nothing")
}

// finish repeats the upload until it is committed, which nothing hinders any more.
func (u *upload) finish() {
	if !u.finished {
		u.r.must(u.r.again(func(ctx context.Context, d storagedriver.StorageDriver) error {
			return u.with(ctx, d, len(u.whole), true)
		}), "the upload once more")
	}
	u.r.check(u.finished, "the upload was not committed")
	u.r.wantContent(u.name, u.whole)
	u.wantNotResumable()
	u.r.wantOnly(u.name)
}

// suspended makes a suspended upload of the first end bytes, in one session for each of the ends.
func (u *upload) suspended(ends ...int) {
	for _, end := range ends {
		u.r.must(u.with(u.r.base, u.r.clean, end, false), "preparing an upload to %s", u.name)
	}
	u.r.check(u.durable == int64(ends[len(ends)-1]), "preparing an upload: %d bytes are suspended", u.durable)
}

// wantNoUpload wants nothing to resume at a name: what was moved away or deleted has no upload any more.
func (r *run) wantNoUpload(name string, content []byte) {
	u := r.upload(name, content, nil)
	if n := u.next(); n > 0 {
		r.check(n == int64(len(content)), "an upload of %d bytes can be resumed at %s", n, name)
	}
}

// prefix commits what can be resumed, and wants it to be the beginning of the whole.
func (u *upload) prefix() {
	w, err := u.r.clean.Writer(u.r.base, u.r.path(u.name), true)
	u.r.must(err, "Writer with append")
	size := w.Size()
	u.r.must(w.Commit(u.r.base), "Commit of what is suspended")
	got, _ := u.r.get(u.name)
	u.r.check(int64(len(got)) == size && bytes.HasPrefix(u.whole, got), "the %d bytes that were suspended are not the beginning of what was written", size)
}
