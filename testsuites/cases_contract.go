package testsuites

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/berth-dev/storagedriver"
)

// contractCases are what remains of a FileWriter's contract: its states, and several writers of one upload.
func contractCases() []scenario {
	return []scenario{
		{"write/size-odd-writes", "Size is exact after every single Write, whatever its length, also of a resumed upload", contractSizes},
		{"write/close-three-times", "Close may be called three times in every state, and Size stays", contractCloseThrice},
		{"write/commit-then-anew", "after a Commit the next upload to the path begins at once, and replaces it", contractAnew},
		{"suspend/empty-writes", "a writer that was given only empty writes suspends nothing", contractEmptyWrites},
		{"suspend/status-many", "many that ask for the size while an upload runs do not disturb it", contractStatusMany},
		{"suspend/discarded-keeps-committed", "what discards a suspended upload leaves committed content alone", contractDiscardKeeps},
		{"cancel/after-context-ended", "Cancel after the writer's context ended deletes what it suspended", cancelAfterContext},
		{"cancel/after-failed-commit", "Cancel after a Commit that failed ends the upload", cancelAfterFailedCommit},
		{"cancel/every-state", "Cancel ends an upload fresh, running, suspended, resumed, resumed and written to, and is nil once it is over", cancelEveryState},
		{"cancel/then-anew", "after Cancel the next upload to the path is its own", cancelAnew},
		{"race/stale-commit", "a Commit by a writer that was overtaken commits its own whole or is Conflict, which is certain where writes are conditional", raceStaleCommit},
		{"race/stale-after-commit", "what a stale writer does after another's Commit never harms what is committed", raceStaleAfterCommit},
		{"race/commits-at-once", "of several writers of one upload that commit at once one's content remains, whole", raceCommitsAtOnce},
		{"concurrent/large-puts-one-path", "of large contents put to one path at the same time one remains, whole, and readers see one of them", concurrentLargePuts},
		{"concurrent/uploads-one-path", "of large uploads to one path that commit at the same time one remains, whole", concurrentUploadsOnePath},
	}
}

func contractSizes(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(2*part+part/2+3)
	rng := rand.New(rand.NewPCG(e.seed, 2))
	w, at := e.writer(p, false), int64(0)
	for writes := 0; at < c.size; writes++ {
		n := rng.Int64N(max(part/7, 2)) | 1
		if writes%5 == 0 {
			n = 1 + rng.Int64N(13)
		}
		n = min(n, c.size-at)
		if got, err := w.Write(c.slice(at, at+n)); err != nil || int64(got) != n {
			e.Fatalf("Write of %d bytes: want them accepted, got %d and %v", n, got, err)
		}
		at += n
		e.wantSize(w, at, fmt.Sprintf("after a Write of %d bytes", n))
		if writes%16 == 15 && at < c.size {
			e.close(w)
			e.wantSize(w, at, "after Close")
			w = e.resume(e.d, p, at)
		}
	}
	e.commit(w)
	e.wantSize(w, c.size, "after Commit")
	e.wantContent(p, c)
}

// closeThrice closes w three times and wants its size to be the same each time.
func (e *env) closeThrice(w storagedriver.FileWriter, size int64, when string) {
	e.Helper()
	for i := range 3 {
		if err := w.Close(); err != nil {
			e.Fatalf("Close %d %s: want no error, got %v", i+1, when, err)
		}
		e.wantSize(w, size, fmt.Sprintf("after Close %d %s", i+1, when))
	}
}

func contractCloseThrice(e *env) {
	p := e.path("file")
	for _, size := range []int64{0, 700, e.suite.PartSize + 700} {
		c := e.content(size)
		w := e.writer(p, false)
		e.write(w, c, 0, size)
		e.closeThrice(w, size, "of a running upload")
		e.wantMissing(p)
		w = e.resume(e.d, p, size)
		e.closeThrice(w, size, "of a resumed upload")
		w = e.resume(e.d, p, size)
		e.ok(w.Commit(e.ctx), "Commit")
		e.closeThrice(w, size, "after Commit")
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")

		ctx, cancel := context.WithCancel(e.ctx)
		w, err := e.d.Writer(ctx, p, false)
		e.ok(err, "Writer")
		e.write(w, c, 0, size)
		cancel()
		e.closeThrice(w, size, "after the context ended")
		e.cancel(e.resume(e.d, p, size))
		e.wantNoUpload(p)
	}
}

func contractAnew(e *env) {
	p := e.path("file")
	for _, size := range []int64{e.suite.PartSize + 1000, 500, 0, 1000} {
		c := e.content(size)
		w := e.writer(p, false)
		e.wantSize(w, 0, "of an upload after a Commit")
		e.write(w, c, 0, size)
		e.ok(w.Commit(e.ctx), "Commit")
		next := e.suspend(p, e.content(300), 300)
		e.close(w)
		e.wantContent(p, c)
		e.cancel(w)
		e.close(e.resume(e.d, p, 300))
		e.cancel(next)
		e.wantContent(p, c)
	}
}

func contractEmptyWrites(e *env) {
	p := e.path("file")
	w := e.writer(p, false)
	for _, nothing := range [][]byte{nil, {}, nil} {
		if n, err := w.Write(nothing); n != 0 || err != nil {
			e.Fatalf("Write of no bytes: want 0 and no error, got %d and %v", n, err)
		}
	}
	e.close(w)
	e.wantSize(w, 0, "after Close of a writer that accepted nothing")
	e.wantMissing(p)
	e.wantError(e.d.Delete(e.ctx, p), storagedriver.KindNotFound, "Delete", p)
	e.wantNoUpload(p)
	e.wantEmptyOrMissing(e.dir)
}

func contractStatusMany(e *env) {
	part := e.suite.PartSize
	p, c := e.path("file"), e.content(3*part)
	e.suspend(p, c, part/2)
	w := e.resume(e.d, p, part/2)
	written := make(chan struct{})
	e.parallel(4, func(i int) error {
		if i == 0 {
			defer close(written)
			return feed(w, c, part/2, c.size, pieceSize)
		}
		for again := true; again; {
			select {
			case <-written:
				again = false
			default:
			}
			status, err := e.d.Writer(e.ctx, p, true)
			if err != nil {
				return err
			}
			size := status.Size()
			if err := status.Close(); err != nil {
				return err
			}
			if size < part/2 || size > c.size {
				return fmt.Errorf("size of a running upload: want %d to %d, got %d", part/2, c.size, size)
			}
		}
		return nil
	})
	e.wantSize(w, c.size, "of an upload whose size others asked for")
	e.commit(w)
	e.wantContent(p, c)
}

func contractDiscardKeeps(e *env) {
	p, old := e.path("file"), e.content(1000)
	e.put(p, old)
	for _, size := range []int64{500, e.suite.PartSize + 500} {
		e.suspend(p, e.content(size), size)
		w := e.writer(p, false)
		e.wantSize(w, 0, "of an upload that discards another")
		e.wantContent(p, old)
		e.close(w)
		e.wantContent(p, old)
		e.wantEnded(p, old)
	}
}

func cancelAfterContext(e *env) {
	p, c := e.path("file"), e.content(e.suite.PartSize+1000)
	for _, closed := range []bool{false, true} {
		for _, size := range []int64{400, c.size} {
			ctx, cancel := context.WithCancel(e.ctx)
			w, err := e.d.Writer(ctx, p, false)
			e.ok(err, "Writer")
			e.Cleanup(func() { _ = w.Close() })
			e.write(w, c, 0, size)
			cancel()
			if closed {
				e.close(w)
			}
			e.cancel(w)
			e.close(w)
			e.wantMissing(p)
			e.wantNoUpload(p)
		}
	}
}

func cancelAfterFailedCommit(e *env) {
	p, old, c := e.path("file"), e.content(100), e.content(e.suite.PartSize+1000)
	e.put(p, old)
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	for _, size := range []int64{0, 400, c.size} {
		w := e.writer(p, false)
		e.write(w, c, 0, size)
		e.wantKind(w.Commit(ctx), storagedriver.KindCanceled, "Commit with an ended context")
		e.cancel(w)
		e.wantKind(w.Commit(e.ctx), storagedriver.KindClosed, "Commit after Cancel")
		e.close(w)
		e.wantContent(p, old)
		e.wantEnded(p, old)
	}
}

func cancelEveryState(e *env) {
	p, c := e.path("file"), e.content(2000)
	over := func(state string, w storagedriver.FileWriter) {
		for range 2 {
			if err := w.Cancel(e.ctx); err != nil {
				e.Fatalf("Cancel of an upload that is %s: want no error, got %v", state, err)
			}
			e.close(w)
			e.wantMissing(p)
			e.wantNoUpload(p)
		}
	}
	over("fresh", e.writer(p, false))
	over("fresh, with append", e.writer(p, true))
	w := e.writer(p, false)
	e.write(w, c, 0, 500)
	over("running", w)
	over("suspended", e.suspend(p, c, 500))
	e.suspend(p, c, 500)
	over("resumed", e.resume(e.d, p, 500))
	e.suspend(p, c, 500)
	w = e.resume(e.d, p, 500)
	e.write(w, c, 500, 700)
	over("resumed and written to", w)
	e.suspend(p, c, 500)
	w = e.resume(e.d, p, 500)
	e.write(w, c, 500, 700)
	e.close(w)
	over("resumed and suspended again", w)
}

func cancelAnew(e *env) {
	part := e.suite.PartSize
	p := e.path("file")
	for _, size := range []int64{400, part + 400} {
		w := e.writer(p, false)
		e.write(w, e.content(size), 0, size)
		e.cancel(w)
		c := e.content(size + 100)
		next := e.suspend(p, c, size/2)
		e.close(w)
		e.cancel(w)
		e.close(next)
		next = e.resume(e.d, p, size/2)
		e.write(next, c, size/2, c.size)
		e.cancel(w)
		e.commit(next)
		e.wantContent(p, c)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

// raceStaleCommit has one writer resume an upload, another overtake it by suspending more, and then the
// first commit, with and without bytes of its own.
func raceStaleCommit(e *env) {
	part := e.suite.PartSize
	p := e.path("file")
	for _, size := range []int64{1000, part + 1000} {
		for _, added := range []int64{0, 500} {
			head := e.content(size)
			e.suspend(p, head, size)
			stale := e.resume(e.d, p, size)
			own := fork{head: head, tail: e.content(added).bytes()}
			if added > 0 {
				_, err := stale.Write(own.tail)
				e.ok(err, "Write")
			}
			other := fork{head: head, tail: e.content(700).bytes()}
			w := e.resume(e.d, p, size)
			_, err := w.Write(other.tail)
			e.ok(err, "Write")
			e.close(w)
			if err := stale.Commit(e.ctx); err == nil {
				if e.has(storagedriver.AbilityConditional) {
					e.Fatalf("Commit of a writer that was overtaken, where writes are conditional: want %q, got no error", storagedriver.KindConflict)
				}
				e.close(stale)
				e.wantFork(p, own)
			} else {
				e.wantKind(err, storagedriver.KindConflict, "Commit of a writer that was overtaken")
				_ = stale.Close()
				e.wantMissing(p)
				e.commit(e.resume(e.d, p, size+700))
				e.wantFork(p, other)
			}
			e.deleteUpload(p)
			e.wantNoUpload(p)
		}
	}
}

func raceStaleAfterCommit(e *env) {
	part := e.suite.PartSize
	p, other := e.path("file"), e.reopen()
	for _, size := range []int64{1000, part + 1000} {
		for _, last := range []func(w storagedriver.FileWriter) error{
			func(w storagedriver.FileWriter) error { return w.Close() },
			func(w storagedriver.FileWriter) error { return w.Cancel(e.ctx) },
			func(w storagedriver.FileWriter) error { return w.Commit(e.ctx) },
		} {
			writers, forks := e.resumeTwice(p, e.content(size), 500, e.d, other)
			e.commit(writers[1])
			e.wantFork(p, forks[1])
			err := last(writers[0])
			_ = writers[0].Close()
			if err != nil {
				e.wantKind(err, storagedriver.KindConflict, "a writer after another's Commit", storagedriver.KindNotFound)
			}
			e.wantOneFork(p, forks)
			e.ok(e.d.Delete(e.ctx, p), "Delete")
		}
	}
}

func raceCommitsAtOnce(e *env) {
	part := e.suite.PartSize
	p, other := e.path("file"), e.reopen()
	for _, size := range []int64{1000, part + 1000} {
		writers, forks := e.resumeTwice(p, e.content(size), 500, e.d, other, e.d)
		committed := make([]bool, len(writers))
		e.parallel(len(writers), func(i int) error {
			err := writers[i].Commit(e.ctx)
			committed[i] = err == nil
			switch storagedriver.KindOf(err) {
			case storagedriver.KindConflict, storagedriver.KindNotFound:
				return nil
			}
			return err
		})
		e.wantAny(committed, "Commits")
		e.wantOneFork(p, forks)
		for _, w := range writers {
			_ = w.Close()
			_ = w.Cancel(e.ctx)
		}
		e.wantOneFork(p, forks)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

// largePut is more than buffers on the way to a backend hold.
const largePut = 3 << 20

func concurrentLargePuts(e *env) {
	p := e.path("dir/file")
	contents := []content{e.content(largePut), e.content(largePut + 1), e.content(largePut/2 + 3)}
	for i, c := range contents {
		if most := e.d.Capabilities().MaxObject; most > 0 {
			contents[i].size = min(c.size, most-int64(i))
		}
	}
	e.put(p, contents[0])
	e.parallel(len(contents)+1, func(i int) error {
		for range 3 {
			if i < len(contents) {
				if err := e.d.PutContent(e.ctx, p, contents[i].bytes()); err != nil {
					return err
				}
			}
			got, err := e.d.GetContent(e.ctx, p)
			if err != nil {
				return err
			}
			if err := isOneOf(got, contents); err != nil {
				return err
			}
		}
		return nil
	})
	got, err := e.d.GetContent(e.ctx, p)
	e.ok(err, "GetContent")
	e.ok(isOneOf(got, contents), "the content after large puts to one path")
	e.wantList(e.path("dir"), "file")
}

func concurrentUploadsOnePath(e *env) {
	part := e.suite.PartSize
	p := e.path("dir/file")
	contents := []content{e.content(part * 3 / 2), e.content(part*3/2 + 1), e.content(part + 7)}
	writers := make([]storagedriver.FileWriter, len(contents))
	for i := range writers {
		writers[i] = e.writer(p, false)
	}
	committed := make([]bool, len(contents))
	e.parallel(len(contents), func(i int) error {
		err := feed(writers[i], contents[i], 0, contents[i].size, pieceSize)
		if err == nil {
			err = writers[i].Commit(e.ctx)
		}
		committed[i] = err == nil
		switch storagedriver.KindOf(err) {
		case storagedriver.KindConflict, storagedriver.KindNotFound:
			err = writers[i].Cancel(e.ctx)
		}
		return err
	})
	e.wantAny(committed, "uploads")
	for _, w := range writers {
		e.close(w)
	}
	got, err := e.d.GetContent(e.ctx, p)
	e.ok(err, "GetContent")
	e.ok(isOneOf(got, contents), "the content after uploads to one path")
	e.wantList(e.path("dir"), "file")
}
