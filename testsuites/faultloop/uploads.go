package faultloop

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

// target is the upload's path in every scenario about one.
const target = "a/b/data"

func uploadScenarios() []scenario {
	nothing := func(*run) {}
	return []scenario{
		{name: "push in three sessions", upload: true, prepare: nothing, act: func(r *run) {
			p := r.partSize
			u := r.upload(target, nil, r.content("pushed", 4*p+p/2))
			u.session(2*p+p/2, false)
			u.session(3*p, false)
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "push that goes on from less than a part", upload: true, prepare: func(r *run) { lessThanAPart(r).suspended(r.partSize / 2) }, act: func(r *run) {
			u := lessThanAPart(r)
			u.durable, u.begun = int64(r.partSize/2), true
			u.session(len(u.whole), false)
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "push in one session", upload: true, prepare: nothing, act: func(r *run) {
			u := r.upload(target, nil, r.content("pushed", 3*r.partSize))
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "push of less than a part", upload: true, prepare: nothing, act: func(r *run) {
			u := r.upload(target, nil, r.content("pushed", r.partSize/2))
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "push of nothing", upload: true, prepare: nothing, act: func(r *run) {
			u := r.upload(target, nil, []byte{})
			u.session(0, true)
			u.finish()
		}},
		{name: "push over committed content", upload: true, prepare: func(r *run) { r.put(target, r.content("old", 7)) }, act: func(r *run) {
			u := r.upload(target, r.content("old", 7), r.content("pushed", 2*r.partSize+r.partSize/2))
			u.session(r.partSize+5, false)
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "commit of several segments", upload: true, prepare: prepareSegments, act: func(r *run) {
			u := segments(r)
			u.durable = int64(2*r.partSize + 20)
			u.session(len(u.whole), true)
			u.finish()
		}},
		{name: "commit of one segment", upload: true, prepare: func(r *run) { segments(r).suspended(10) }, act: func(r *run) {
			u := r.upload(target, nil, segments(r).whole[:10])
			u.durable = 10
			u.session(10, true)
			u.finish()
		}},
		{name: "commit over content of the same size", upload: true, prepare: func(r *run) {
			old := r.content("old", 10)
			r.put(target, old)
			u := segments(r)
			u.old = old
			u.suspended(10)
		}, act: func(r *run) {
			u := r.upload(target, r.content("old", 10), segments(r).whole[:10])
			u.durable, u.begun = 10, true
			u.session(10, true)
			u.finish()
		}},
		{name: "suspend of what was resumed", upload: true, prepare: prepareSegments, act: func(r *run) {
			u := segments(r)
			u.durable = int64(2*r.partSize + 20)
			u.session(len(u.whole), false)
			u.prefix()
		}},
		{name: "cancel", upload: true, prepare: prepareSegments, act: cancel},
		{name: "append to committed content", upload: true, prepare: func(r *run) { r.put(target, segments(r).whole[:10]) }, act: appendCommitted},
	}
}

// segments is an upload that comes to three segments and a rest.
func segments(r *run) *upload {
	return r.upload(target, nil, r.content("segments", 4*r.partSize+20))
}

// lessThanAPart is an upload that is first suspended with less than a part, and then has two.
func lessThanAPart(r *run) *upload {
	return r.upload(target, nil, r.content("less", 2*r.partSize+20))
}

func prepareSegments(r *run) {
	segments(r).suspended(10, r.partSize+20, 2*r.partSize+20)
}

// cancel resumes, writes and cancels.
func cancel(r *run) {
	u := segments(r)
	u.durable = int64(2*r.partSize + 20)
	var w storagedriver.FileWriter
	err := r.do(func(ctx context.Context, d storagedriver.StorageDriver) (err error) {
		if w, err = d.Writer(ctx, r.path(target), true); err != nil {
			u.notOpened(true)
			return err
		}
		if err = u.write(ctx, w, len(u.whole)-3); err != nil {
			_ = w.Close() // what was accepted may be lost: it is to be cancelled
		}
		return w.Cancel(ctx)
	})
	r.wantContent(target, nil)
	if err != nil && w != nil {
		next := u.next()
		late := !r.exact() || r.loop.way.hangs
		r.check(next == w.Size() || late && w.Size() < next, "Cancel failed, Size is %d, and the next Writer begins at %d", w.Size(), next)
		r.must(w.Close(), "Close after a Cancel that failed")
		err = w.Cancel(r.base)
		r.check(err == nil || !r.exact(), "Cancel once more: %v", err)
	}
	if w == nil || err != nil {
		r.must(r.again(func(ctx context.Context, d storagedriver.StorageDriver) error {
			w, err := d.Writer(ctx, r.path(target), true)
			if err != nil {
				return err
			}
			return w.Cancel(ctx)
		}), "Cancel with another writer")
	}
	r.check(u.next() == 0, "after a Cancel %d bytes are there", u.next())
	r.wantContent(target, nil)
	r.wantOnly()
}

// appendCommitted continues content that was committed, where a driver does that.
func appendCommitted(r *run) {
	u := segments(r)
	u.old, u.durable = u.whole[:10], 10
	if !r.clean.Capabilities().Has(storagedriver.AbilityAppendCommitted) {
		err := r.do(func(ctx context.Context, d storagedriver.StorageDriver) error {
			_, err := d.Writer(ctx, r.path(target), true)
			return err
		})
		r.check(err != nil, "Writer with append to what is committed: no error, and the ability is not declared")
		r.wantContent(target, u.old)
		return
	}
	appended := func(ctx context.Context, d storagedriver.StorageDriver) error {
		w, err := d.Writer(ctx, r.path(target), true)
		if err != nil {
			return err
		}
		r.check(w.Size() >= 10, "Writer with append to 10 committed bytes begins at %d", w.Size())
		if err = u.write(ctx, w, len(u.whole)); err == nil {
			err = w.Commit(ctx)
		}
		if closeErr := w.Close(); err == nil {
			err = closeErr
		}
		return err
	}
	err := r.do(appended)
	if err == nil {
		r.wantContent(target, u.whole)
		return
	}
	r.wantEither(target, u.old, u.whole)
	if r.is(target, u.old) {
		r.must(r.again(appended), "appending once more")
		r.wantContent(target, u.whole)
	}
}
