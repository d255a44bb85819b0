package faultloop

import (
	"context"
	"strings"

	"github.com/berth-dev/storagedriver"
)

func moveFile(r *run, old []byte) {
	content := r.content("file", 2*r.partSize)
	op := func(ctx context.Context, d storagedriver.StorageDriver) error {
		return d.Move(ctx, r.path("a/file"), r.path("c/file"))
	}
	if err := r.do(op); err != nil {
		r.doneOrFailed(err, r.is("a/file", nil), "Move")
		r.wantEither("a/file", content, nil)
		r.wantEither("c/file", content, old)
		done := r.is("a/file", nil)
		r.check(!done || r.is("c/file", content), "the content is at neither path")
		r.doneOr(r.again(op), done, "Move once more")
	}
	r.wantContent("a/file", nil)
	r.wantContent("c/file", content)
	r.wantNoUpload("a/file", nil)
	r.wantNoUpload("c/file", content)
}

func moveDirectory(r *run) {
	op := func(ctx context.Context, d storagedriver.StorageDriver) error {
		return d.Move(ctx, r.path("tree"), r.path("moved/here"))
	}
	if err := r.do(op); err != nil {
		r.doneOrFailed(err, r.is("tree/e", nil), "Move")
		r.moveOnceMore(op)
	}
	for i, name := range files {
		r.wantContent(name, nil)
		r.wantContent(moved(name), r.content(name, 5*i))
	}
	for _, name := range []string{"tree/b", "tree/c/f"} {
		r.wantNoUpload(name, nil)
	}
	r.wantNoUpload(moved("tree/c/f"), nil)
	r.wantNoUpload(moved("tree/b"), r.content("tree/b", 10))
	for _, path := range []string{"tree", "moved"} {
		for _, left := range r.below(r.path(path)) {
			r.check(!storagedriver.IsPrivate(left), "an unfinished upload is left at %s", left)
		}
	}
}

func moved(name string) string { return strings.Replace(name, "tree/", "moved/here/", 1) }

// moveOnceMore repeats the Move. Where it was done file by file, half of it may be done, and then
// the target is a directory that is not empty: the Move says so, and the rest is moved one by one.
func (r *run) moveOnceMore(op func(context.Context, storagedriver.StorageDriver) error) {
	done := 0
	for i, name := range files {
		content := r.content(name, 5*i)
		r.wantEither(name, content, nil)
		r.wantEither(moved(name), content, nil)
		gone := r.is(name, nil)
		r.check(!gone || r.is(moved(name), content), "%s is at neither path", name)
		if gone {
			done++
		}
	}
	err := r.again(op)
	if storagedriver.KindOf(err) != storagedriver.KindInvalidPath {
		r.doneOr(err, done == len(files), "Move once more")
		return
	}
	r.check(len(r.below(r.path("moved"))) > 0, "Move once more: %v, but nothing is there", err)
	for _, name := range files {
		if !r.is(name, nil) {
			r.must(r.clean.Move(r.base, r.path(name), r.path(moved(name))), "moving the rest")
		}
	}
	if len(r.below(r.path("tree"))) > 0 {
		r.must(r.clean.Delete(r.base, r.path("tree")), "deleting what is left of the directory")
	}
}
