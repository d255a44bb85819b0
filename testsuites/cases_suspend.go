package testsuites

import (
	"context"
	"errors"

	"github.com/berth-dev/storagedriver"
)

func suspendCases() []scenario {
	return []scenario{
		{"suspend/second-driver", "another driver on the same storage resumes a suspended upload", suspendSecond},
		{"suspend/second-driver-large", "another driver resumes an upload of several parts, and a third commits it", suspendSecondLarge},
		{"suspend/first-driver-closed", "an upload whose driver was closed after its writer is resumed by another", suspendDriverClosed},
		{"suspend/nothing-accepted", "a writer that accepted nothing suspends nothing", suspendNothing},
		{"suspend/discarded", "an upload without append begins anew where one is suspended", suspendDiscarded},
		{"suspend/discarded-by-opening", "opening without append discards the suspended upload, whatever comes after", suspendDiscardedByOpening},
		{"suspend/context-ended", "a writer whose context ends suspends itself", suspendContext},
		{"suspend/close-after-context-ended", "Close suspends also after the writer's context ended", suspendCloseAfterContext},
		{"suspend/commit-under-another-context", "Commit works under its own context after a resume", suspendCommitContext},
		{"suspend/status", "a second writer that only asks for the size does not disturb the first", suspendStatus},
		{"suspend/status-of-resumed", "a second writer that only asks for the size disturbs no resumed upload", suspendStatusResumed},
		{"suspend/status-second-driver", "asking for the size on another driver disturbs nobody", suspendStatusSecond},
		{"suspend/each-its-own", "suspended uploads to several paths in one directory do not mix", suspendSeveral},
	}
}

func suspendSecond(e *env) {
	p, c := e.path("dir/file"), e.content(1000)
	w := e.suspend(p, c, 400)
	other := e.reopen()
	w2 := e.resume(other, p, w.Size())
	e.write(w2, c, 400, 700)
	e.close(w2)
	w3 := e.resume(e.d, p, 700)
	e.write(w3, c, 700, c.size)
	e.commit(w3)
	e.wantContentOf(other, p, c)
	e.wantContent(p, c)
}

func suspendSecondLarge(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(part*11/4)
	e.suspend(p, c, part+part/2)
	w := e.resume(e.reopen(), p, part+part/2)
	e.write(w, c, part+part/2, c.size)
	e.close(w)
	third := e.reopen()
	e.commit(e.resume(third, p, c.size))
	e.wantContentOf(third, p, c)
	e.wantContent(p, c)
}

func suspendDriverClosed(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(part*5/4)
	d := e.reopenUnclosed()
	w, err := d.Writer(e.ctx, p, false)
	e.ok(err, "Writer")
	e.ok(feed(w, c, 0, c.size-100, pieceSize), "Write")
	e.close(w)
	e.ok(d.Close(), "Close of the driver")
	e.wantSize(w, c.size-100, "after Close of its driver")
	w = e.resume(e.d, p, c.size-100)
	e.write(w, c, c.size-100, c.size)
	e.commit(w)
	e.wantContent(p, c)
}

func suspendNothing(e *env) {
	p := e.path("file")
	for _, append := range []bool{false, true} {
		w := e.writer(p, append)
		e.close(w)
		e.wantSize(w, 0, "after Close of a writer that accepted nothing")
		e.wantMissing(p)
		e.wantError(e.d.Delete(e.ctx, p), storagedriver.KindNotFound, "Delete", p)
		e.wantNoUpload(p)
	}
	c := e.content(100)
	e.put(p, c)
	e.close(e.writer(p, false))
	e.wantContent(p, c)
}

func suspendDiscarded(e *env) {
	p, old, c := e.path("file"), e.content(e.suite.PartSize+1000), e.content(500)
	e.suspend(p, old, old.size)
	w := e.writer(p, false)
	e.wantSize(w, 0, "of an upload without append where one is suspended")
	e.write(w, c, 0, 200)
	e.close(w)
	w = e.resume(e.d, p, 200)
	e.write(w, c, 200, c.size)
	e.commit(w)
	e.wantContent(p, c)

	e.suspend(p, old, 3000)
	e.upload(p, c)
	e.wantContent(p, c)
	e.ok(e.d.Delete(e.ctx, p), "Delete")
	e.wantNoUpload(p)
}

func suspendDiscardedByOpening(e *env) {
	p, c := e.path("file"), e.content(500)
	e.suspend(p, c, 400)
	e.close(e.writer(p, false))
	e.wantNoUpload(p)

	e.suspend(p, c, 400)
	e.cancel(e.writer(p, false))
	e.wantNoUpload(p)

	e.suspend(p, c, 400)
	e.commit(e.writer(p, false))
	e.wantContent(p, content{})
	w := e.writer(p, true)
	e.wantSize(w, 0, "of an upload with append to content of no bytes")
	e.close(w)
}

// sizeOfUpload asks for the size of the suspended upload to path as a status request does.
func (e *env) sizeOfUpload(d storagedriver.StorageDriver, path string) int64 {
	e.Helper()
	w := e.writerOf(d, path, true)
	size := w.Size()
	e.close(w)
	return size
}

func suspendContext(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{500, part + part/3} {
		p, c := e.path("file"), e.content(size+100)
		ctx, cancel := context.WithCancel(e.ctx)
		w, err := e.d.Writer(ctx, p, false)
		e.ok(err, "Writer")
		e.Cleanup(func() { _ = w.Close() })
		e.write(w, c, 0, size)
		cancel()
		e.eventually("the writer to suspend itself after its context ended", func() bool {
			return e.sizeOfUpload(e.d, p) == size
		})
		n, err := w.Write([]byte("x"))
		if err == nil {
			e.Fatalf("Write after the context ended: want an error, got %d bytes accepted", n)
		}
		if !errors.Is(err, context.Canceled) && storagedriver.KindOf(err) != storagedriver.KindClosed {
			e.Fatalf("Write after the context ended: want Canceled or Closed, got %v", err)
		}
		e.wantMissing(p)
		w = e.resume(e.d, p, size)
		e.write(w, c, size, c.size)
		e.commit(w)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func suspendCloseAfterContext(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{500, part + part/3} {
		p, c := e.path("file"), e.content(size)
		ctx, cancel := context.WithCancel(e.ctx)
		w, err := e.d.Writer(ctx, p, false)
		e.ok(err, "Writer")
		e.write(w, c, 0, size)
		cancel()
		e.ok(w.Close(), "Close after the context ended")
		e.wantSize(w, size, "after Close after the context ended")
		e.commit(e.resume(e.reopen(), p, size))
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func suspendCommitContext(e *env) {
	p, c := e.path("file"), e.content(500)
	e.suspend(p, c, 400)
	w := e.resume(e.d, p, 400)
	e.write(w, c, 400, 500)
	ctx, cancel := context.WithCancel(e.ctx)
	e.ok(w.Commit(ctx), "Commit")
	cancel()
	e.close(w)
	e.wantContent(p, c)
}

func suspendStatus(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{400, part + part/2} {
		p, c := e.path("file"), e.content(2*size)
		w := e.writer(p, false)
		for _, at := range []int64{0, size / 2} {
			e.write(w, c, at, at+size/2)
			if got := e.sizeOfUpload(e.d, p); got < 0 || got > w.Size() {
				e.Fatalf("Size of a second writer: want at most the %d bytes accepted, got %d", w.Size(), got)
			}
		}
		e.write(w, c, size, c.size)
		e.commit(w)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func suspendStatusResumed(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{400, part + part/2} {
		p, c := e.path("file"), e.content(3*size)
		e.suspend(p, c, size)
		w := e.resume(e.d, p, size)
		if got := e.sizeOfUpload(e.d, p); got != size {
			e.Fatalf("Size of a second writer before the first accepted more: want %d, got %d", size, got)
		}
		e.write(w, c, size, 2*size)
		if got := e.sizeOfUpload(e.d, p); got < size || got > 2*size {
			e.Fatalf("Size of a second writer: want %d to %d, got %d", size, 2*size, got)
		}
		e.close(w)
		if got := e.sizeOfUpload(e.d, p); got != 2*size {
			e.Fatalf("Size after the first writer suspended: want %d, got %d", 2*size, got)
		}
		w = e.resume(e.d, p, 2*size)
		e.write(w, c, 2*size, c.size)
		e.sizeOfUpload(e.d, p)
		e.commit(w)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func suspendStatusSecond(e *env) {
	other := e.reopen()
	p, c := e.path("file"), e.content(1000)
	e.suspend(p, c, 400)
	w := e.resume(e.d, p, 400)
	e.write(w, c, 400, 700)
	if got := e.sizeOfUpload(other, p); got < 400 || got > 700 {
		e.Fatalf("Size on another driver: want 400 to 700, got %d", got)
	}
	e.write(w, c, 700, c.size)
	e.commit(w)
	e.wantContent(p, c)
}

func suspendSeveral(e *env) {
	paths := []string{e.path("a"), e.path("a-b"), e.path("a.b"), e.path("ab"), e.path("aa"), e.path("b/a"), e.path("b/b/a")}
	var contents []content
	for i, p := range paths {
		c := e.content(int64(1000 + i))
		contents = append(contents, c)
		e.suspend(p, c, int64(500+i))
	}
	for i, p := range paths {
		e.wantMissing(p)
		w := e.resume(e.d, p, int64(500+i))
		e.write(w, contents[i], int64(500+i), contents[i].size)
		e.commit(w)
	}
	for i, p := range paths {
		e.wantContent(p, contents[i])
	}
}
