package testsuites

import (
	"context"

	"github.com/berth-dev/storagedriver"
)

func endingCases() []scenario {
	return []scenario{
		{"ending/delete-path", "Delete of a path ends its suspended upload", endingDelete},
		{"ending/delete-ancestor", "Delete of a directory ends the suspended uploads below it", endingDeleteAncestor},
		{"ending/delete-siblings", "Delete leaves suspended uploads alone whose path only begins alike", endingDeleteSiblings},
		{"ending/delete-running", "an upload whose path is deleted while it runs ends well or not at all, and mixes nothing", endingDeleteRunning},
		{"ending/move-path", "Move of a path ends its suspended upload, and nobody resumes it at the new path", endingMove},
		{"ending/move-ancestor", "Move of a directory ends the suspended uploads below it, and nobody resumes them at the new path", endingMoveAncestor},
		{"ending/move-onto", "Move onto a path ends the suspended upload there", endingMoveOnto},
		{"ending/move-onto-ancestor", "Move onto a directory that holds nothing but suspended uploads ends them, or fails and harms nothing", endingMoveOntoAncestor},
		{"ending/move-siblings", "Move leaves suspended uploads alone whose path only begins alike", endingMoveSiblings},
		{"ending/commit-leaves-nothing", "after Commit nothing of the upload is left to resume", endingCommit},
	}
}

// deleteUpload deletes path, where there may be nothing but the state of unfinished uploads:
// whether that counts as something is open.
func (e *env) deleteUpload(path string) {
	e.Helper()
	if err := e.d.Delete(e.ctx, path); err != nil {
		e.wantError(err, storagedriver.KindNotFound, "Delete", path)
	}
}

// wantEnded wants the upload that was suspended at path with size bytes not to be resumed where
// committed is.
func (e *env) wantEnded(path string, committed content) {
	e.Helper()
	w, err := e.d.Writer(e.ctx, path, true)
	if committed.size > 0 && !e.has(storagedriver.AbilityAppendCommitted) {
		if err == nil {
			_ = w.Close()
		}
		e.wantError(err, storagedriver.KindUnsupported, "Writer", path)
		return
	}
	e.ok(err, "Writer with append")
	e.Cleanup(func() { _ = w.Close() })
	e.wantSize(w, committed.size, "of an upload with append to "+path+", whose suspended upload has ended,")
	e.close(w)
}

func endingDelete(e *env) {
	part := e.suite.PartSize
	p, c := e.path("dir/file"), e.content(part+1000)
	for _, size := range []int64{400, c.size} {
		e.suspend(p, c, size)
		e.deleteUpload(p)
		e.wantNoUpload(p)

		e.put(p, e.content(33))
		e.suspend(p, c, size)
		e.ok(e.d.Delete(e.ctx, p), "Delete of a file with a suspended upload")
		e.wantMissing(p)
		e.wantNoUpload(p)
	}
	e.upload(p, c)
	e.wantContent(p, c)
}

func endingDeleteAncestor(e *env) {
	c := e.content(1000)
	names := []string{"dir/file", "dir/a/file", "dir/a/b/c/file"}
	for _, kept := range []bool{false, true} {
		if kept {
			e.put(e.path("dir/committed"), e.content(8))
		}
		for _, name := range names {
			e.suspend(e.path(name), c, 400)
		}
		e.deleteUpload(e.path("dir"))
		for _, name := range names {
			e.wantNoUpload(e.path(name))
		}
	}
	e.wantMissing(e.path("dir/committed"))
}

// siblings are uploads that must live on when something happens to dir/a.
func (e *env) siblings() (check func()) {
	names := []string{"dir/ab", "dir/a-b", "dir/a.b", "dir/b", "ab/x", "other/a"}
	c := e.content(1000)
	for _, name := range names {
		e.suspend(e.path(name), c, 400)
	}
	return func() {
		e.Helper()
		for _, name := range names {
			w := e.resume(e.d, e.path(name), 400)
			e.write(w, c, 400, c.size)
			e.commit(w)
			e.wantContent(e.path(name), c)
		}
	}
}

func endingDeleteSiblings(e *env) {
	e.put(e.path("dir/a/file"), e.content(8))
	check := e.siblings()
	e.ok(e.d.Delete(e.ctx, e.path("dir/a")), "Delete of a directory")
	e.put(e.path("dir/a"), e.content(8))
	e.ok(e.d.Delete(e.ctx, e.path("dir/a")), "Delete of a file")
	check()
}

// endingDeleteRunning deletes under a writer's feet. The writer may fail or finish; when it says it
// committed, all is there.
func endingDeleteRunning(e *env) {
	part := e.suite.PartSize
	p, c := e.path("dir/file"), e.content(part*2+500)
	e.put(e.path("dir/other"), e.content(8))
	w := e.writer(p, false)
	e.write(w, c, 0, part+part/2)
	e.deleteUpload(p)
	err := feed(w, c, part+part/2, c.size, pieceSize)
	if err == nil {
		err = w.Commit(e.ctx)
	}
	if err == nil {
		e.close(w)
		e.wantContent(p, c)
		return
	}
	_ = w.Cancel(context.WithoutCancel(e.ctx))
	_ = w.Close()
	e.wantMissing(p)
	e.wantNoUpload(p)
}

func endingMove(e *env) {
	p, to, committed, c := e.path("dir/file"), e.path("to"), e.content(33), e.content(1000)
	e.put(p, committed)
	e.suspend(p, c, 400)
	e.ok(e.d.Move(e.ctx, p, to), "Move of a file with a suspended upload")
	e.wantContent(to, committed)
	e.wantNoUpload(p)
	e.wantEnded(to, committed)
	e.wantContent(to, committed)
}

func endingMoveAncestor(e *env) {
	committed, c := e.content(33), e.content(e.suite.PartSize+1000)
	e.put(e.path("dir/committed"), committed)
	e.suspend(e.path("dir/file"), c, c.size)
	e.suspend(e.path("dir/a/b/file"), c, 400)
	e.suspend(e.path("dir/committed"), c, 500)
	e.ok(e.d.Move(e.ctx, e.path("dir"), e.path("to")), "Move of a directory with suspended uploads")
	for _, name := range []string{"file", "a/b/file"} {
		e.wantNoUpload(e.path("dir/" + name))
		e.wantNoUpload(e.path("to/" + name))
	}
	e.wantNoUpload(e.path("dir/committed"))
	e.wantContent(e.path("to/committed"), committed)
	e.wantEnded(e.path("to/committed"), committed)
	e.wantFiles(e.path("to"), e.path("to/committed"))
}

func endingMoveOnto(e *env) {
	p, to, c := e.path("file"), e.path("dir/to"), e.content(1000)
	for _, overwrite := range []bool{false, true} {
		moved := e.content(33)
		if overwrite {
			e.put(to, e.content(44))
		}
		e.put(p, moved)
		e.suspend(to, c, 400)
		e.ok(e.d.Move(e.ctx, p, to), "Move onto a path with a suspended upload")
		e.wantContent(to, moved)
		e.wantEnded(to, moved)
		e.wantContent(to, moved)
		e.ok(e.d.Delete(e.ctx, to), "Delete")
		e.wantNoUpload(to)
	}
}

// wantFiles wants exactly the files below dir; whether directories that hold nothing stay is open.
func (e *env) wantFiles(dir string, files ...string) {
	e.Helper()
	var got []string
	err := e.d.Walk(e.ctx, dir, func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			got = append(got, info.Path())
		}
		return nil
	})
	e.ok(err, "Walk %s", dir)
	e.wantKeys(got, files, "Walk "+dir+", of files")
}

// endingMoveOntoAncestor accepts a refusal, as what holds nothing may count as a directory.
func endingMoveOntoAncestor(e *env) {
	c, to := e.content(1000), e.path("to")
	for source, inner := range map[string]string{"file": "", "dir": "/inner"} {
		moved := e.content(33)
		e.put(e.path(source+inner), moved)
		for _, upload := range []string{"/x", "/y/z"} {
			e.suspend(to+upload, c, 400)
			if err := e.d.Move(e.ctx, e.path(source), to); err != nil {
				e.wantError(err, storagedriver.KindInvalidPath, "Move", e.path(source), to)
				e.wantContent(e.path(source+inner), moved)
				e.cancel(e.resume(e.d, to+upload, 400))
				continue
			}
			e.wantContent(to+inner, moved)
			e.ok(e.d.Move(e.ctx, to, e.path(source)), "Move back")
			e.wantNoUpload(to + upload)
		}
		e.ok(e.d.Delete(e.ctx, e.path(source)), "Delete")
	}
}

func endingMoveSiblings(e *env) {
	e.put(e.path("dir/a/file"), e.content(8))
	check := e.siblings()
	e.ok(e.d.Move(e.ctx, e.path("dir/a"), e.path("moved")), "Move of a directory")
	e.ok(e.d.Move(e.ctx, e.path("moved/file"), e.path("dir/a")), "Move of a file")
	e.ok(e.d.Move(e.ctx, e.path("dir/a"), e.path("moved/file")), "Move of a file")
	check()
}

func endingCommit(e *env) {
	p, c := e.path("dir/file"), e.content(e.suite.PartSize+1000)
	e.suspend(p, c, c.size-500)
	w := e.resume(e.d, p, c.size-500)
	e.write(w, c, c.size-500, c.size)
	e.commit(w)
	e.wantEnded(p, c)
	e.ok(e.d.Delete(e.ctx, p), "Delete")
	e.wantNoUpload(p)
}
