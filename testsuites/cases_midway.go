package testsuites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
)

// midwayCases end contexts while operations run.
func midwayCases() []scenario {
	return []scenario{
		{"context/mid-write", "a context that ends between Writes or in one suspends all that was accepted", midWrite},
		{"context/mid-write-resumed", "the same of a resumed upload, and of one on another driver", midWriteResumed},
		{"context/mid-close", "Close suspends everything though the writer's context ends while it runs", midClose},
		{"context/mid-commit", "a Commit whose context ends while it runs has committed all or nothing, and nothing is lost", midCommit},
		{"context/mid-put", "a PutContent whose context ends while it runs leaves the old content or the new, whole", midPut},
		{"context/mid-get", "a GetContent whose context ends while it runs gives all or an error", midGet},
		{"context/mid-read", "what a reader gives until its context ends is right", midRead},
		{"context/mid-list", "a List whose context ends while it runs gives all or an error", midList},
		{"context/mid-walk", "a Walk whose context ends while it runs has called in order, without a gap", midWalk},
		{"context/mid-move", "a Move whose context ends while it runs loses and mixes nothing", midMove},
		{"context/mid-delete", "a Delete whose context ends while it runs leaves files whole, and can be repeated", midDelete},
		{"context/ended-cancel", "Cancel with an ended context ends the upload or answers Canceled, and can be repeated", contextCancel},
		{"context/ended-writer", "a writer whose context ended answers Canceled or Closed, and what it accepted is resumed", contextWriter},
	}
}

// promptly is how long an operation may take to return after its context has ended: far more than one
// request on a slow server, and less than the 30 s after which what runs detached gives up.
const promptly = 20 * time.Second

// midway calls op, once to the end, and then with contexts that end after parts of the time this took.
// It wants op to succeed or to say Canceled, soon. check is called with what op returned each time, and
// with a number that no other call has, as op is.
func (e *env) midway(what string, prepare func(round int), op func(ctx context.Context, round int) error, check func(round int, err error)) {
	e.Helper()
	const rounds = 5
	var whole time.Duration
	for round := range rounds {
		prepare(round)
		ctx, cancel := context.WithCancel(e.ctx)
		ended := make(chan time.Time, 1)
		stop := func() bool { return false }
		if round > 0 {
			stop = time.AfterFunc(whole*time.Duration(round-1)/(rounds-1), func() {
				ended <- time.Now()
				cancel()
			}).Stop
		}
		begin := time.Now()
		err := op(ctx, round)
		returned := time.Now()
		if round == 0 {
			whole = returned.Sub(begin)
			e.ok(err, "%s", what)
		} else if !stop() {
			if late := returned.Sub(<-ended); late > promptly {
				e.Errorf("%s: want it to return within %v of the end of its context, got %v", what, promptly, late)
			}
		}
		cancel()
		if err != nil {
			e.cut.Store(true)
			e.wantKind(err, storagedriver.KindCanceled, what+" whose context ends")
		}
		check(round, err)
	}
}

// feedUntilEnd writes c from offset from on to w, whose context ends while it does, until a Write
// fails, and returns how many bytes were accepted. halfway is called when half is written.
func (e *env) feedUntilEnd(ctx context.Context, w storagedriver.FileWriter, c content, from int64, halfway func()) int64 {
	e.Helper()
	at := from
	for called := false; ; {
		if !called && at-from >= (c.size-from)/2 {
			called = true
			go halfway()
		}
		end := min(at+pieceSize, c.size-1)
		if at == end {
			<-ctx.Done() // the last byte comes after the end
			end++
		}
		n, err := w.Write(c.slice(at, end))
		at += int64(n)
		if err != nil {
			if !errors.Is(err, context.Canceled) && storagedriver.KindOf(err) != storagedriver.KindClosed {
				e.Fatalf("Write when the context has ended: want Canceled or Closed, got %v", err)
			}
			return at
		}
		if at == c.size {
			e.Fatalf("Write after the context ended: want an error, got %d bytes accepted", n)
		}
	}
}

// endMidWrite writes to an upload that has so many bytes of c, on d, until its context ends, and returns
// how many bytes it then has.
func (e *env) endMidWrite(d storagedriver.StorageDriver, path string, c content, from int64) int64 {
	e.Helper()
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	w, err := d.Writer(ctx, path, from > 0)
	e.ok(err, "Writer")
	e.Cleanup(func() { _ = w.Close() })
	e.wantSize(w, from, "after opening")
	accepted := e.feedUntilEnd(ctx, w, c, from, cancel)
	if err := w.Close(); err != nil {
		e.Fatalf("Close of a writer whose context ended in the middle: want no error, got %v", err)
	}
	e.wantSize(w, accepted, "of a writer whose context ended in the middle, after Close")
	e.wantMissing(path)
	return accepted
}

func midWrite(e *env) {
	part := e.suite.PartSize
	for _, size := range []int64{2*part + 1000, part / 2, 300} {
		p, c := e.path("file"), e.content(size)
		at := e.endMidWrite(e.d, p, c, 0)
		w := e.resume(e.d, p, at)
		e.write(w, c, at, size)
		e.commit(w)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func midWriteResumed(e *env) {
	p, c := e.path("file"), e.content(5*e.suite.PartSize/2+1000)
	other, at := e.reopen(), int64(700)
	e.suspend(p, c, at)
	for _, d := range []storagedriver.StorageDriver{e.d, other, e.d} {
		at = e.endMidWrite(d, p, content{seed: c.seed, size: at + (c.size-at)/2}, at)
	}
	w := e.resume(other, p, at)
	e.write(w, c, at, c.size)
	e.commit(w)
	e.wantContent(p, c)
}

func midClose(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize*5/4)
	var whole time.Duration
	for round := range 4 {
		ctx, cancel := context.WithCancel(e.ctx)
		w, err := e.d.Writer(ctx, p, false)
		e.ok(err, "Writer")
		e.Cleanup(func() { _ = w.Close() })
		e.write(w, c, 0, c.size)
		timer := time.AfterFunc(whole*time.Duration(round)/4, cancel)
		begin := time.Now()
		e.ok(w.Close(), "Close, while the writer's context ends")
		whole = time.Since(begin)
		timer.Stop()
		cancel()
		e.wantSize(w, c.size, "after Close")
		e.wantMissing(p)
		e.commit(e.resume(e.d, p, c.size))
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func midCommit(e *env) {
	var (
		part = e.suite.PartSize
		old  = e.content(1000)
		next = e.content(part*5/4 + 11)
		w    storagedriver.FileWriter
	)
	at := func(round int) string { return e.path(fmt.Sprintf("file-%d", round)) }
	e.midway("Commit", func(round int) {
		e.put(at(round), old)
		w = e.writer(at(round), false)
		e.write(w, next, 0, next.size)
	}, func(ctx context.Context, _ int) error {
		return w.Commit(ctx)
	}, func(round int, err error) {
		p := at(round)
		if err == nil {
			e.close(w)
			e.wantContent(p, next)
			return
		}
		e.wantEither(p, old, next)
		_ = w.Close() // what it suspends is seen by resuming it
		e.finishOrFinished(p, next)
	})
}

// wantEither wants one of two contents at path, whole.
func (e *env) wantEither(path string, a, b content) {
	e.Helper()
	got, err := e.d.GetContent(e.ctx, path)
	e.ok(err, "GetContent")
	e.ok(isOneOf(got, []content{a, b}), "the content at %s", path)
}

// finishOrFinished resumes the whole upload of c to path and commits it or, as the answer of an earlier
// Commit may have been lost, wants c to be at path, soon.
func (e *env) finishOrFinished(path string, c content) {
	e.Helper()
	var size int64
	w, err := e.d.Writer(e.ctx, path, true)
	if err == nil {
		if size = w.Size(); size == c.size {
			err = w.Commit(e.ctx)
		}
		_ = w.Close()
	}
	e.eventually(fmt.Sprintf("the upload to %s to be resumed or committed (Writer or Commit said %v, at %d of %d bytes)", path, err, size, c.size), func() bool {
		return e.check(e.d, path, c) == nil
	})
}

func midPut(e *env) {
	old, next := e.content(5<<20+1), e.content(6<<20+7)
	if most := e.d.Capabilities().MaxObject; most > 0 {
		next.size = min(next.size, most)
		old.size = min(old.size, most-1)
	}
	at := func(round int) string { return e.path(fmt.Sprintf("file-%d", round)) }
	body := next.bytes()
	e.midway("PutContent", func(round int) {
		e.put(at(round), old)
	}, func(ctx context.Context, round int) error {
		return e.d.PutContent(ctx, at(round), body)
	}, func(round int, err error) {
		if err == nil {
			e.wantContent(at(round), next)
		} else {
			e.wantEither(at(round), old, next)
		}
	})
	e.wantList(e.dir, "file-0", "file-1", "file-2", "file-3", "file-4")
}

func midGet(e *env) {
	p, c := e.path("file"), e.content(6<<20+7)
	e.upload(p, c)
	var got []byte
	e.midway("GetContent", func(int) {}, func(ctx context.Context, _ int) (err error) {
		got, err = e.d.GetContent(ctx, p)
		return err
	}, func(_ int, err error) {
		if err == nil {
			e.ok(c.verifyBytes(got), "GetContent whose context ends in the middle and which says no error")
		}
	})
}

func midRead(e *env) {
	p, c := e.path("file"), e.content(8<<20)
	e.upload(p, c)
	buffer := make([]byte, pieceSize)
	e.midway("Read", func(int) {}, func(ctx context.Context, _ int) error {
		r, err := e.d.Reader(ctx, p, 0)
		if err != nil {
			return err
		}
		defer r.Close()
		return c.verify(onlyReader{r, buffer}, 0)
	}, func(int, error) {})
}

// onlyReader reads through a buffer of its own size.
type onlyReader struct {
	r      interface{ Read(p []byte) (int, error) }
	buffer []byte
}

func (o onlyReader) Read(p []byte) (int, error) {
	n, err := o.r.Read(o.buffer[:min(len(p), len(o.buffer))])
	copy(p, o.buffer[:n])
	return n, err
}

func midList(e *env) {
	names := manyNames("dir")[:200]
	e.plant(e.dir, names)
	var want, got []string
	for _, name := range names {
		want = append(want, e.path(name))
	}
	slices.Sort(want)
	e.midway("List", func(int) {}, func(ctx context.Context, _ int) (err error) {
		got, err = e.d.List(ctx, e.path("dir"))
		return err
	}, func(_ int, err error) {
		if err == nil {
			e.wantKeys(got, want, "List whose context ends in the middle and which says no error")
		}
	})
}

// bushyTree are the names of some files in some directories.
func bushyTree() (names []string) {
	for i := range 36 {
		names = append(names, fmt.Sprintf("d%d/e%d/f%d", i%3, i%6, i))
	}
	return names
}

func midWalk(e *env) {
	names := bushyTree()
	e.plant(e.dir, names)
	want := keysOf(e.dir, names)
	var got []string
	e.midway("Walk", func(int) { got = nil }, func(ctx context.Context, _ int) error {
		return e.d.Walk(ctx, e.dir, func(info storagedriver.FileInfo) error {
			got = append(got, walkKey(info.Path(), info.IsDir()))
			return nil
		})
	}, func(_ int, err error) {
		if err == nil {
			e.wantKeys(got, want, "Walk whose context ends in the middle and which says no error")
			return
		}
		e.wantKeys(got, want[:min(len(got), len(want))], "Walk until its context ends")
	})
	for _, n := range []int{5, len(want) / 2, len(want) - 1} {
		ctx, cancel := context.WithCancel(e.ctx)
		calls := 0
		err := e.d.Walk(ctx, e.dir, func(storagedriver.FileInfo) error {
			if calls++; calls == n {
				cancel()
			}
			return nil
		})
		cancel()
		e.wantError(err, storagedriver.KindCanceled, "Walk", e.dir)
		if calls != n {
			e.Fatalf("Walk whose context ended in call %d: want no other call, got %d", n, calls-n)
		}
	}
}

// plantRound plants bushyTree in a directory of the round and returns the contents by name.
func (e *env) plantRound(round int) map[string]content {
	e.Helper()
	root, contents := e.path(fmt.Sprintf("from-%d/", round)), map[string]content{}
	var paths []string
	for _, name := range bushyTree() {
		paths = append(paths, root+name)
	}
	for p, c := range e.putAll(1000, paths...) {
		contents[strings.TrimPrefix(p, root)] = c
	}
	return contents
}

func midMove(e *env) {
	var contents map[string]content
	from := func(round int) string { return e.path(fmt.Sprintf("from-%d", round)) }
	to := func(round int) string { return e.path(fmt.Sprintf("to-%d/x", round)) }
	e.midway("Move", func(round int) { contents = e.plantRound(round) }, func(ctx context.Context, round int) error {
		return e.d.Move(ctx, from(round), to(round))
	}, func(round int, err error) {
		for name, c := range contents {
			source, dest := from(round)+"/"+name, to(round)+"/"+name
			if err == nil {
				e.wantContent(dest, c)
				e.wantMissing(source)
				continue
			}
			at := e.check(e.d, source, c)
			if storagedriver.KindOf(at) == storagedriver.KindNotFound {
				at = e.check(e.d, dest, c) // it has been moved, and only then was gone
			}
			e.ok(at, "a file that was being moved from %s to %s when the context ended", source, dest)
		}
	})
}

func midDelete(e *env) {
	var contents map[string]content
	root := func(round int) string { return e.path(fmt.Sprintf("from-%d", round)) }
	e.midway("Delete", func(round int) { contents = e.plantRound(round) }, func(ctx context.Context, round int) error {
		return e.d.Delete(ctx, root(round))
	}, func(round int, err error) {
		for name, c := range contents {
			at := e.check(e.d, root(round)+"/"+name, c)
			if err == nil && at == nil {
				e.Fatalf("Delete that says no error: want nothing at %s, got the file", root(round)+"/"+name)
			}
			if at != nil && storagedriver.KindOf(at) != storagedriver.KindNotFound {
				e.Fatalf("a file that was being deleted when the context ended: want it whole or missing, got %v", at)
			}
		}
		if err != nil {
			e.deleteUpload(root(round))
		}
		e.wantEmptyOrMissing(root(round))
	})
}

func contextCancel(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize+1000)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for _, suspended := range []bool{false, true} {
		for _, size := range []int64{400, c.size} {
			w := e.writer(p, false)
			e.write(w, c, 0, size)
			if suspended {
				e.close(w)
			}
			if err := w.Cancel(ctx); err != nil {
				e.wantKind(err, storagedriver.KindCanceled, "Cancel with an ended context")
			}
			e.wantMissing(p)
			e.cancel(w)
			e.close(w)
			e.wantMissing(p)
			e.wantNoUpload(p)
		}
	}
}

func contextWriter(e *env) {
	p, c := e.path("file"), e.content(1000)
	ctx, cancel := context.WithCancel(e.ctx)
	w, err := e.d.Writer(ctx, p, false)
	e.ok(err, "Writer")
	e.Cleanup(func() { _ = w.Close() })
	e.write(w, c, 0, 600)
	cancel()
	for range 3 {
		n, err := w.Write(c.slice(600, 700))
		e.wantKind(err, storagedriver.KindCanceled, "Write after the context ended", storagedriver.KindClosed)
		if n != 0 {
			e.Fatalf("Write after the context ended: want 0 bytes accepted, got %d", n)
		}
	}
	e.close(w)
	e.wantSize(w, 600, "after the context ended and Close")
	e.wantKind(w.Commit(e.ctx), storagedriver.KindClosed, "Commit after Close", storagedriver.KindCanceled)
	e.wantMissing(p)
	w = e.resume(e.d, p, 600)
	e.write(w, c, 600, c.size)
	e.commit(w)
	e.wantContent(p, c)
}
