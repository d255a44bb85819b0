package testsuites

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
)

func errorCases() []scenario {
	return []scenario{
		{"errors/not-found", "every operation on a missing path says NotFound, itself, the driver and the path, and is fs.ErrNotExist", errorsNotFound},
		{"errors/writer", "errors of a FileWriter are classified too and say the driver", errorsWriter},
	}
}

// operations calls every operation of the driver on path with ctx and returns its error.
func (e *env) operations(ctx context.Context, path string) map[string]error {
	errs := map[string]error{}
	_, errs["GetContent"] = e.d.GetContent(ctx, path)
	r, err := e.d.Reader(ctx, path, 0)
	if err == nil {
		r.Close()
	}
	errs["Reader"] = err
	_, errs["Stat"] = e.d.Stat(ctx, path)
	_, errs["List"] = e.d.List(ctx, path)
	errs["Walk"] = e.d.Walk(ctx, path, func(storagedriver.FileInfo) error { return nil })
	errs["Delete"] = e.d.Delete(ctx, path)
	return errs
}

func errorsNotFound(e *env) {
	e.put(e.path("dir/file"), e.content(8))
	for _, name := range []string{"dir/missing", "missing"} {
		p := e.path(name)
		for op, err := range e.operations(e.ctx, p) {
			e.wantError(err, storagedriver.KindNotFound, op, p)
			if storagedriver.IsTemporary(err) {
				e.Fatalf("%s %s: want NotFound not to be temporary, got %v", op, p, err)
			}
		}
		e.wantError(e.d.Move(e.ctx, p, e.path("to")), storagedriver.KindNotFound, "Move", p, e.path("to"))
	}
}

func errorsWriter(e *env) {
	p, c := e.path("file"), e.content(8)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	e.commit(w)
	_, err := w.Write([]byte("x"))
	e.wantKind(err, storagedriver.KindClosed, "Write after Commit")
	e.wantKind(w.Commit(e.ctx), storagedriver.KindClosed, "Commit after Commit")
}

func contextCases() []scenario {
	return []scenario{
		{"context/ended-reads", "reading operations with an ended context answer Canceled", contextReads},
		{"context/ended-changes", "changing operations with an ended context answer Canceled and change nothing", contextChanges},
		{"context/ended-commit", "Commit with an ended context answers Canceled, makes nothing visible, and the upload can be suspended or cancelled", contextCommit},
		{"context/deadline", "operations whose deadline has passed answer Deadline", contextDeadline},
	}
}

func contextReads(e *env) {
	e.put(e.path("dir/file"), e.content(100))
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for _, name := range []string{"dir/file", "dir", "missing"} {
		errs := e.operations(ctx, e.path(name))
		_, errs["RedirectURL"] = e.d.RedirectURL(ctx, e.path(name), storagedriver.RedirectOptions{Method: "GET"})
		for op, err := range errs {
			e.wantError(err, storagedriver.KindCanceled, op, e.path(name))
		}
	}
}

func contextChanges(e *env) {
	p, to, c := e.path("dir/file"), e.path("to"), e.content(100)
	e.put(p, c)
	e.put(e.path("sibling"), c)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.wantError(e.d.PutContent(ctx, p, []byte("other")), storagedriver.KindCanceled, "PutContent", p)
	e.wantError(e.d.PutContent(ctx, to, []byte("other")), storagedriver.KindCanceled, "PutContent", to)
	e.wantError(e.d.Move(ctx, p, to), storagedriver.KindCanceled, "Move", p, to)
	e.wantError(e.d.Move(ctx, e.path("dir"), to), storagedriver.KindCanceled, "Move", e.path("dir"), to)
	e.wantError(e.d.Delete(ctx, p), storagedriver.KindCanceled, "Delete", p)
	e.wantError(e.d.Delete(ctx, e.path("dir")), storagedriver.KindCanceled, "Delete", e.path("dir"))
	for _, append := range []bool{false, true} {
		w, err := e.d.Writer(ctx, to, append)
		if err == nil {
			_ = w.Close()
		}
		e.wantError(err, storagedriver.KindCanceled, "Writer", to)
	}
	e.wantContent(p, c)
	e.wantMissing(to)
	e.wantList(e.dir, "dir", "sibling")
}

func contextCommit(e *env) {
	p, c := e.path("file"), e.content(1000)
	w := e.writer(p, false)
	e.write(w, c, 0, c.size)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.wantKind(w.Commit(ctx), storagedriver.KindCanceled, "Commit with an ended context")
	e.wantMissing(p)
	e.close(w)
	w = e.resume(e.d, p, c.size)
	e.commit(w)
	e.wantContent(p, c)

	w = e.writer(p, false)
	e.write(w, e.content(500), 0, 500)
	e.wantKind(w.Commit(ctx), storagedriver.KindCanceled, "Commit with an ended context")
	e.cancel(w)
	e.close(w)
	e.wantContent(p, c)
}

func contextDeadline(e *env) {
	e.put(e.path("dir/file"), e.content(100))
	ctx, cancel := context.WithDeadline(e.ctx, time.Now().Add(-time.Second))
	defer cancel()
	p := e.path("dir/file")
	errs := e.operations(ctx, p)
	errs["PutContent"] = e.d.PutContent(ctx, p, []byte("other"))
	for op, err := range errs {
		e.wantError(err, storagedriver.KindDeadline, op, p)
	}
}
