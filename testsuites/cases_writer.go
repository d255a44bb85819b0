package testsuites

import (
	"errors"

	"github.com/berth-dev/storagedriver"
)

func writerCases() []scenario {
	return []scenario{
		{"write/size-exact", "Size is exact after opening, every Write, Commit and Close", writerSize},
		{"write/no-bytes", "a Write of no bytes is nothing", writerNoBytes},
		{"write/caller-keeps-buffers", "the bytes given to Write are the caller's afterwards", writerBuffers},
		{"write/makes-directories", "Commit makes the directories above the path", writerDirectories},
		{"write/close-idempotent", "Close may be called again, before and after Commit and Cancel", writerCloseTwice},
		{"write/close-after-commit", "Close after Commit does nothing", writerCloseAfterCommit},
		{"write/use-after-close", "Write and Commit after Close are Closed, and what was suspended stays", writerAfterClose},
		{"write/use-after-commit", "Write and Commit after Commit are Closed, and what was committed stays", writerAfterCommit},
		{"write/under-file", "an upload below a file is InvalidPath or, with files under files, possible", writerUnderFile},
		{"write/onto-directory", "an upload onto a directory is InvalidPath or, with files under files, possible", writerOntoDirectory},
		{"write/suspended-under-file", "an upload below a file or onto a directory that is suspended and continued is InvalidPath at Commit at the latest, unless there are files under files", writerSuspendedUnderFile},
		{"write/several-at-once", "uploads to different paths in one directory do not mix", writerSeveral},
	}
}

func writerSize(e *env) {
	p := e.path("file")
	part := e.suite.PartSize
	c := e.content(2*part + 70_001)
	w := e.writer(p, false)
	e.wantSize(w, 0, "of a fresh upload")
	at := int64(0)
	for _, step := range []int64{1, 7, 4096, part - 5000, 1, 895, 1, part, 70_000} {
		end := min(at+step, c.size)
		e.write(w, c, at, end)
		at = end
		e.wantSize(w, at, "after Write")
	}
	e.write(w, c, at, c.size)
	e.wantSize(w, c.size, "after the last Write")
	e.ok(w.Commit(e.ctx), "Commit")
	e.wantSize(w, c.size, "after Commit")
	e.close(w)
	e.wantSize(w, c.size, "after Commit and Close")
	e.wantContent(p, c)
}

func writerNoBytes(e *env) {
	p, c := e.path("file"), e.content(10)
	w := e.writer(p, false)
	for _, end := range []int64{0, 5, 10} {
		for _, nothing := range [][]byte{nil, {}} {
			if n, err := w.Write(nothing); n != 0 || err != nil {
				e.Fatalf("Write of no bytes: want 0 and no error, got %d and %v", n, err)
			}
		}
		e.wantSize(w, max(0, end-5), "after a Write of no bytes")
		e.write(w, c, max(0, end-5), end)
	}
	e.commit(w)
	e.wantContent(p, c)
}

func writerBuffers(e *env) {
	p, c := e.path("file"), e.content(100_000)
	w := e.writer(p, false)
	buffer := make([]byte, 1000)
	for at := int64(0); at < c.size; at += 1000 {
		c.fill(buffer, at)
		if n, err := w.Write(buffer); n != 1000 || err != nil {
			e.Fatalf("Write: want 1000 and no error, got %d and %v", n, err)
		}
		if firstDifference(buffer, c.slice(at, at+1000)) >= 0 {
			e.Fatalf("Write changed the bytes it was given")
		}
		clear(buffer)
	}
	e.commit(w)
	e.wantContent(p, c)
}

func writerDirectories(e *env) {
	p, c := e.path("a/b/c/file"), e.content(100)
	e.upload(p, c)
	e.wantContent(p, c)
	e.wantDirectory(e.path("a/b/c"))
	e.wantList(e.path("a/b/c"), "file")
	e.wantList(e.path("a"), "b")
}

func writerCloseTwice(e *env) {
	c := e.content(1000)
	w := e.suspend(e.path("suspended"), c, c.size)
	e.close(w)
	e.close(w)
	e.wantSize(w, c.size, "after Close")
	e.cancel(w)
	e.close(w)
	e.wantNoUpload(e.path("suspended"))

	w = e.writer(e.path("committed"), false)
	e.write(w, c, 0, c.size)
	for range 3 {
		e.commitOnce(w)
	}
	e.wantContent(e.path("committed"), c)

	w = e.writer(e.path("cancelled"), false)
	e.write(w, c, 0, c.size)
	e.cancel(w)
	e.close(w)
	e.close(w)
	e.wantMissing(e.path("cancelled"))
	e.wantNoUpload(e.path("cancelled"))
}

// commitOnce commits w unless it is committed, and closes it.
func (e *env) commitOnce(w storagedriver.FileWriter) {
	e.Helper()
	if err := w.Commit(e.ctx); err != nil {
		e.wantKind(err, storagedriver.KindClosed, "Commit after Commit")
	}
	e.close(w)
}

func writerCloseAfterCommit(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize+100)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	e.ok(w.Commit(e.ctx), "Commit")
	e.wantContent(p, c)
	e.close(w)
	e.wantContent(p, c)
	e.wantList(e.dir, "file")
}

func writerAfterClose(e *env) {
	p, c := e.path("file"), e.content(1000)
	w := e.suspend(p, c, 500)
	n, err := w.Write([]byte("x"))
	e.wantKind(err, storagedriver.KindClosed, "Write after Close")
	if n != 0 {
		e.Fatalf("Write after Close: want 0 bytes, got %d", n)
	}
	e.wantKind(w.Commit(e.ctx), storagedriver.KindClosed, "Commit after Close")
	e.wantMissing(p)
	e.wantSize(w, 500, "after Close and a Write that was refused")
	w = e.resume(e.d, p, 500)
	e.write(w, c, 500, c.size)
	e.commit(w)
	e.wantContent(p, c)
}

func writerAfterCommit(e *env) {
	p, c := e.path("file"), e.content(1000)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	e.ok(w.Commit(e.ctx), "Commit")
	for range 2 {
		n, err := w.Write([]byte("x"))
		e.wantKind(err, storagedriver.KindClosed, "Write after Commit")
		if n != 0 {
			e.Fatalf("Write after Commit: want 0 bytes, got %d", n)
		}
		e.wantKind(w.Commit(e.ctx), storagedriver.KindClosed, "Commit after Commit")
		e.wantSize(w, c.size, "after Commit")
		e.wantContent(p, c)
		e.close(w)
	}
}

// tryUpload uploads c to path and returns the first error.
func (e *env) tryUpload(path string, c content) error {
	w, err := e.d.Writer(e.ctx, path, false)
	if err != nil {
		return err
	}
	err = feed(w, c, 0, c.size, pieceSize)
	if err == nil {
		err = w.Commit(e.ctx)
	}
	if err != nil {
		err = errors.Join(err, w.Cancel(e.ctx))
	}
	return errors.Join(err, w.Close())
}

// wantUploadAsFile wants an upload to path to end in InvalidPath or, with files under files, well.
func (e *env) wantUploadAsFile(path string) {
	e.Helper()
	c := e.content(1000)
	err := e.tryUpload(path, c)
	if e.has(storagedriver.AbilityFilesUnderFiles) {
		e.ok(err, "an upload to %s", path)
		e.wantContent(path, c)
		return
	}
	e.wantKind(err, storagedriver.KindInvalidPath, "an upload to "+path)
}

func writerUnderFile(e *env) {
	c := e.content(32)
	e.put(e.path("file"), c)
	e.wantUploadAsFile(e.path("file/below"))
	e.wantContent(e.path("file"), c)
	e.wantUploadAsFile(e.path("file/deeper/below"))
	e.wantContent(e.path("file"), c)
}

func writerOntoDirectory(e *env) {
	c := e.content(32)
	e.put(e.path("dir/file"), c)
	e.wantUploadAsFile(e.path("dir"))
	e.wantContent(e.path("dir/file"), c)
}

// writerSuspendedUnderFile takes the way to the path that a put does not: that of what was stored before.
func writerSuspendedUnderFile(e *env) {
	file, c := e.content(32), e.content(1000)
	e.put(e.path("file"), file)
	e.put(e.path("dir/file"), file)
	for _, name := range []string{"file/below", "dir"} {
		err := e.trySuspended(e.path(name), c)
		if e.has(storagedriver.AbilityFilesUnderFiles) {
			e.ok(err, "a suspended upload to %s", e.path(name))
			e.wantContent(e.path(name), c)
		} else {
			e.wantKind(err, storagedriver.KindInvalidPath, "a suspended upload to "+e.path(name))
		}
		e.wantContent(e.path("file"), file)
		e.wantContent(e.path("dir/file"), file)
	}
}

// trySuspended uploads c to path, suspending it in the middle, and returns the first error.
func (e *env) trySuspended(path string, c content) error {
	w, err := e.d.Writer(e.ctx, path, false)
	if err != nil {
		return err
	}
	if err = errors.Join(feed(w, c, 0, c.size/2, pieceSize), w.Close()); err != nil {
		return errors.Join(err, w.Cancel(e.ctx))
	}
	if w, err = e.d.Writer(e.ctx, path, true); err != nil {
		return err
	}
	e.wantSize(w, c.size/2, "of the resumed upload to "+path)
	err = feed(w, c, c.size/2, c.size, pieceSize)
	if err == nil {
		err = w.Commit(e.ctx)
	}
	if err != nil {
		err = errors.Join(err, w.Cancel(e.ctx))
	}
	return errors.Join(err, w.Close())
}

func writerSeveral(e *env) {
	const uploads = 5
	var (
		writers  []storagedriver.FileWriter
		contents []content
		paths    = []string{e.path("a"), e.path("a-b"), e.path("a.b"), e.path("ab"), e.path("aa")}
	)
	for i := range uploads {
		contents = append(contents, e.content(int64(50_000+i)))
		writers = append(writers, e.writer(paths[i], false))
	}
	for at := int64(0); at < 50_000; at += 10_000 {
		for i, w := range writers {
			end := at + 10_000
			if end == 50_000 {
				end = contents[i].size
			}
			e.write(w, contents[i], at, end)
			if at == 20_000 && i%2 == 1 {
				e.close(w)
				writers[i] = e.resume(e.d, paths[i], end)
			}
		}
	}
	for i := range writers {
		i = (i + 2) % uploads
		e.commit(writers[i])
		e.wantContent(paths[i], contents[i])
	}
	for i, p := range paths {
		e.wantContent(p, contents[i])
	}
}
