package faultloop

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
)

func scenarios() []scenario {
	return append(uploadScenarios(), []scenario{
		{name: "put", prepare: func(*run) {}, act: func(r *run) { put(r, nil) }},
		{name: "put over old content", prepare: func(r *run) { r.put("a/file", r.content("old", 7)) },
			act: func(r *run) { put(r, r.content("old", 7)) }},
		{name: "read whole and ranges", prepare: func(r *run) { r.put("a/file", r.content("file", 2*r.partSize+9)) }, act: read},
		{name: "stat, list and walk", prepare: prepareTree, act: look},
		{name: "delete of a file", prepare: func(r *run) { r.put("a/file", r.content("file", 20)) }, act: deleteFile},
		{name: "delete of a tree", prepare: prepareTreeWithUpload, act: deleteTree},
		{name: "move of a file", prepare: func(r *run) {
			r.put("a/file", r.content("file", 2*r.partSize))
			for _, name := range []string{"a/file", "c/file"} {
				u := r.upload(name, nil, r.content("unfinished", 2*r.partSize))
				if name == "a/file" {
					u.old = r.content("file", 2*r.partSize)
				}
				u.suspended(r.partSize + 3)
			}
		}, act: func(r *run) { moveFile(r, nil) }},
		{name: "move onto a file", prepare: func(r *run) {
			r.put("a/file", r.content("file", 2*r.partSize))
			r.put("c/file", r.content("old", 7))
		}, act: func(r *run) { moveFile(r, r.content("old", 7)) }},
		{name: "move of a directory", prepare: prepareTreeWithUpload, act: moveDirectory},
	}...)
}

func put(r *run, old []byte) {
	content := r.content("new", r.partSize+1)
	op := func(ctx context.Context, d storagedriver.StorageDriver) error {
		return d.PutContent(ctx, r.path("a/file"), content)
	}
	if r.do(op) != nil {
		r.wantEither("a/file", old, content)
		r.must(r.again(op), "PutContent once more")
	}
	r.wantContent("a/file", content)
	r.wantOnly("a/file")
}

func read(r *run) {
	content := r.content("file", 2*r.partSize+9)
	var got []byte
	get := func(ctx context.Context, d storagedriver.StorageDriver) (err error) {
		got, err = d.GetContent(ctx, r.path("a/file"))
		return err
	}
	if err := r.do(get); err != nil {
		r.truthful("GetContent", err)
		r.must(r.again(get), "GetContent once more")
	}
	r.check(slices.Equal(got, content), "GetContent gives %s, want %s", describe(got, true), describe(content, true))
	for _, offset := range []int{0, 1, r.partSize, len(content) - 1, len(content)} {
		part := func(ctx context.Context, d storagedriver.StorageDriver) error {
			body, err := d.Reader(ctx, r.path("a/file"), int64(offset))
			if err != nil {
				return err
			}
			got, err = io.ReadAll(body)
			r.check(len(got) <= len(content)-offset && slices.Equal(got, content[offset:offset+len(got)]),
				"Reader from %d gives %s, want %s", offset, describe(got, true), describe(content[offset:], true))
			return errors.Join(err, body.Close())
		}
		if err := r.do(part); err != nil {
			r.truthful("Reader", err)
			r.must(r.again(part), "Reader from %d once more", offset)
		}
		r.check(len(got) == len(content)-offset, "Reader from %d ends well after %d of %d bytes", offset, len(got), len(content)-offset)
	}
}

// tree is what prepareTree makes, in the order of a walk.
var tree = []string{"tree/a", "tree/a/1", "tree/a/2", "tree/b", "tree/c", "tree/c/d", "tree/c/d/3", "tree/e"}

// files are those of the tree.
var files = []string{"tree/a/1", "tree/a/2", "tree/b", "tree/c/d/3", "tree/e"}

func prepareTree(r *run) {
	for i, name := range files {
		r.put(name, r.content(name, 5*i))
	}
}

// prepareTreeWithUpload leaves unfinished uploads in it as well.
func prepareTreeWithUpload(r *run) {
	prepareTree(r)
	for _, name := range []string{"tree/c/f", "tree/b"} {
		u := r.upload(name, nil, r.content(name+" unfinished", 2*r.partSize))
		if name == "tree/b" {
			u.old = r.content(name, 10)
		}
		u.suspended(r.partSize + 2)
	}
}

func look(r *run) {
	var seen []string
	walk := func(ctx context.Context, d storagedriver.StorageDriver) error {
		seen = nil
		return d.Walk(ctx, r.path("tree"), func(info storagedriver.FileInfo) error {
			seen = append(seen, strings.TrimPrefix(info.Path(), r.dir+"/"))
			return nil
		})
	}
	if err := r.do(walk); err != nil {
		r.truthful("Walk", err)
		r.check(len(seen) <= len(tree) && slices.Equal(seen, tree[:len(seen)]), "a Walk that failed called back %q", seen)
		r.must(r.again(walk), "Walk once more")
	}
	r.check(slices.Equal(seen, tree), "Walk called back %q, want %q", seen, tree)

	var children []string
	list := func(ctx context.Context, d storagedriver.StorageDriver) (err error) {
		children, err = d.List(ctx, r.path("tree"))
		return err
	}
	if err := r.do(list); err != nil {
		r.truthful("List", err)
		r.must(r.again(list), "List once more")
	}
	want := []string{r.path("tree/a"), r.path("tree/b"), r.path("tree/c"), r.path("tree/e")}
	r.check(slices.Equal(children, want), "List gives %q, want %q", children, want)

	for i, name := range files {
		var info storagedriver.FileInfo
		stat := func(ctx context.Context, d storagedriver.StorageDriver) (err error) {
			info, err = d.Stat(ctx, r.path(name))
			return err
		}
		if err := r.do(stat); err != nil {
			r.truthful("Stat", err)
			r.must(r.again(stat), "Stat once more")
		}
		r.check(info.Size() == int64(5*i) && !info.IsDir(), "Stat of %s says %d bytes, directory %t", name, info.Size(), info.IsDir())
	}
}

func deleteFile(r *run) {
	op := func(ctx context.Context, d storagedriver.StorageDriver) error { return d.Delete(ctx, r.path("a/file")) }
	if err := r.do(op); err != nil {
		r.doneOrFailed(err, r.is("a/file", nil), "Delete")
		r.wantEither("a/file", nil, r.content("file", 20))
		r.doneOr(r.again(op), r.is("a/file", nil), "Delete once more")
	}
	r.wantContent("a/file", nil)
	r.wantOnly()
}

// doneOr wants success, or NotFound where it was done already.
func (r *run) doneOr(err error, done bool, what string) {
	if storagedriver.KindOf(err) == storagedriver.KindNotFound && err != nil {
		r.check(done, "%s: %v, but it was not done", what, err)
		return
	}
	r.must(err, "%s", what)
}

// doneOrFailed allows any failure but a NotFound of what was not done: what is below the backend may have
// repeated a request whose answer was lost.
func (r *run) doneOrFailed(err error, done bool, what string) {
	r.check(done || storagedriver.KindOf(err) != storagedriver.KindNotFound, "%s: %v, but it was not done", what, err)
}

func deleteTree(r *run) {
	op := func(ctx context.Context, d storagedriver.StorageDriver) error { return d.Delete(ctx, r.path("tree")) }
	if err := r.do(op); err != nil {
		r.doneOrFailed(err, len(r.below(r.path("tree"))) == 0, "Delete")
		for i, name := range files {
			r.wantEither(name, nil, r.content(name, 5*i))
		}
		err := r.again(op)
		r.doneOr(err, len(r.below(r.path("tree"))) == 0, "Delete once more")
	}
	r.wantNothing(r.path("tree"))
}
