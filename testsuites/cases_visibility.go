package testsuites

import (
	"context"
	"strings"

	"github.com/berth-dev/storagedriver"
)

func visibilityCases() []scenario {
	return []scenario{
		{"write/commit-makes-visible", "nothing is at the path of an upload before Commit, all of it after", visibilityCommit},
		{"write/committed-untouched", "committed content is untouched until the Commit of what replaces it", visibilityUntouched},
		{"write/large-invisible", "nothing of an upload of several parts is visible before Commit", visibilityLarge},
		{"write/uploads-hidden", "List and Walk show nothing of an unfinished upload, anywhere", visibilityHidden},
		{"write/commit-atomic", "a reader sees the old content or the committed, whole", visibilityAtomic},
		{"write/reader-under-commit", "a reader opened before a Commit gives the old content, or fails", visibilityReader},
	}
}

func visibilityCommit(e *env) {
	p, c := e.path("dir/file"), e.content(1000)
	e.put(e.path("dir/other"), e.content(8))
	w := e.writer(p, false)
	e.wantMissing(p)
	e.write(w, c, 0, 500)
	e.wantMissing(p)
	e.close(w)
	e.wantMissing(p)
	w = e.resume(e.d, p, 500)
	e.wantMissing(p)
	e.write(w, c, 500, c.size)
	e.wantMissing(p)
	e.wantList(e.path("dir"), "other")
	e.ok(w.Commit(e.ctx), "Commit")
	e.wantContent(p, c)
	e.wantList(e.path("dir"), "file", "other")
	e.close(w)
	e.wantContent(p, c)
}

func visibilityUntouched(e *env) {
	p, old, next := e.path("file"), e.content(2000), e.content(1000)
	e.put(p, old)
	w := e.writer(p, false)
	e.wantContent(p, old)
	e.write(w, next, 0, 500)
	e.wantContent(p, old)
	e.close(w)
	e.wantContent(p, old)
	w = e.resume(e.d, p, 500)
	e.write(w, next, 500, next.size)
	e.wantContent(p, old)
	e.ok(w.Commit(e.ctx), "Commit")
	e.wantContent(p, next)
	e.close(w)
	e.wantContent(p, next)
}

func visibilityLarge(e *env) {
	part := e.suite.PartSize
	p, old, next := e.path("file"), e.content(1000), e.content(part*9/4)
	for _, committed := range []bool{false, true} {
		check := func() {
			if committed {
				e.wantContent(p, old)
			} else {
				e.wantMissing(p)
			}
		}
		if committed {
			e.put(p, old)
		}
		w := e.writer(p, false)
		for at := int64(0); at < next.size; at += part * 3 / 4 {
			e.write(w, next, at, min(next.size, at+part*3/4))
			check()
		}
		e.close(w)
		check()
		w = e.resume(e.d, p, next.size)
		check()
		e.commit(w)
		e.wantContent(p, next)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func visibilityHidden(e *env) {
	part := e.suite.PartSize
	e.put(e.path("dir/file"), e.content(8))
	large, small := e.content(part+part/4), e.content(100)
	suspended := e.suspend(e.path("dir/suspended"), large, large.size)
	running := e.writer(e.path("dir/running"), false)
	e.write(running, large, 0, large.size)
	over := e.suspend(e.path("dir/file"), small, small.size)
	check := func() {
		e.Helper()
		e.wantList(e.path("dir"), "file")
		e.wantWalk(e.dir, []string{e.path("dir") + "/", e.path("dir/file")}, nil)
		names, err := e.d.List(e.ctx, "/")
		e.ok(err, "List /")
		for _, name := range names {
			if strings.Contains(name, storagedriver.PrivateMark) {
				e.Fatalf("List /: want no private name, got %q", name)
			}
		}
	}
	check()
	_, err := e.d.Stat(e.ctx, e.path("dir/suspended"))
	e.wantError(err, storagedriver.KindNotFound, "Stat", e.path("dir/suspended"))
	e.cancel(suspended)
	e.cancel(running)
	e.cancel(over)
	check()
}

func visibilityAtomic(e *env) { e.overwriteUnderReaders(e.tryUpload) }

func visibilityReader(e *env) {
	p, old, next := e.path("file"), e.content(4<<20), e.content(4<<20)
	e.put(p, old)
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	r, err := e.d.Reader(ctx, p, 0)
	e.ok(err, "Reader")
	defer r.Close()
	e.upload(p, next)
	e.wantOldOrFailure(r, nil, old)
	e.wantContent(p, next)
}
