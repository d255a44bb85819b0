package testsuites

import (
	"context"
	"errors"

	"github.com/berth-dev/storagedriver"
)

func raceCases() []scenario {
	return []scenario{
		{"race/two-fresh-uploads", "of two uploads to one path each commits whole or fails, and nothing mixes", raceFresh},
		{"race/two-resumed", "of two writers that resumed one upload each commits whole or fails, and nothing mixes", raceResumed},
		{"race/two-drivers", "the same of writers on two drivers", raceDrivers},
		{"race/stale-suspend", "a stale suspend leaves an upload that is one writer's, whole", raceStaleSuspend},
		{"race/stale-cancel", "Cancel by a writer that was overtaken leaves the other's upload whole, or ended", raceStaleCancel},
	}
}

// settle commits the writers in order and wants what is at path afterwards to be the whole content
// of the last that said it had committed. One must have; the others may be told Conflict.
func (e *env) settle(path string, writers []storagedriver.FileWriter, contents []content) {
	e.Helper()
	last := -1
	for i, w := range writers {
		err := w.Commit(e.ctx)
		if err == nil {
			last = i
		} else {
			e.wantKind(err, storagedriver.KindConflict, "Commit of a writer that was overtaken", storagedriver.KindNotFound)
			_ = w.Cancel(context.WithoutCancel(e.ctx))
		}
		_ = w.Close()
		if last >= 0 {
			e.wantContent(path, contents[last])
		}
	}
	if last < 0 {
		e.Fatalf("want one of %d writers to commit, got none", len(writers))
	}
}

func raceFresh(e *env) {
	part := e.suite.PartSize
	p := e.path("file")
	for _, size := range []int64{1000, part + part/2} {
		contents := []content{e.content(size), e.content(size)}
		writers := []storagedriver.FileWriter{e.writer(p, false), e.writer(p, false)}
		for at := int64(0); at < size; at += size / 4 {
			for i, w := range writers {
				e.tryWrite(w, contents[i], at, min(size, at+size/4))
			}
		}
		e.settle(p, writers, contents)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

// tryWrite writes as write does; a writer that was overtaken may be told so.
func (e *env) tryWrite(w storagedriver.FileWriter, c content, from, to int64) {
	e.Helper()
	if err := feed(w, c, from, to, pieceSize); err != nil {
		e.wantKind(err, storagedriver.KindConflict, "Write of a writer that was overtaken")
	}
}

// fork is the content of one of several writers that went on from the same head.
type fork struct {
	head content
	tail []byte
}

// resumeTwice opens the suspended upload on both drivers and writes a different tail to each.
func (e *env) resumeTwice(path string, head content, tailSize int64, drivers ...storagedriver.StorageDriver) ([]storagedriver.FileWriter, []fork) {
	e.Helper()
	e.suspend(path, head, head.size)
	var (
		writers []storagedriver.FileWriter
		forks   []fork
	)
	for _, d := range drivers {
		writers = append(writers, e.resume(d, path, head.size))
	}
	for _, w := range writers {
		tail := e.content(tailSize)
		if err := feed(w, tail, 0, tail.size, pieceSize); err != nil {
			e.wantKind(err, storagedriver.KindConflict, "Write of a writer that was overtaken")
		}
		forks = append(forks, fork{head: head, tail: tail.bytes()})
	}
	return writers, forks
}

// is returns an error unless got is the fork.
func (f fork) is(got []byte) error {
	if int64(len(got)) != f.head.size+int64(len(f.tail)) {
		return errors.New("another length")
	}
	if err := f.head.verifyBytes(got[:f.head.size]); err != nil {
		return err
	}
	if firstDifference(got[f.head.size:], f.tail) >= 0 {
		return errors.New("another tail")
	}
	return nil
}

func (e *env) settleForks(path string, writers []storagedriver.FileWriter, forks []fork) {
	e.Helper()
	committed := false
	for i, w := range writers {
		err := w.Commit(e.ctx)
		if err != nil {
			e.wantKind(err, storagedriver.KindConflict, "Commit of a writer that was overtaken", storagedriver.KindNotFound)
			_ = w.Cancel(context.WithoutCancel(e.ctx))
			_ = w.Close()
			continue
		}
		committed = true
		e.close(w)
		e.wantFork(path, forks[i])
	}
	if !committed {
		e.Fatalf("want one of %d writers to commit, got none", len(writers))
	}
	e.wantOneFork(path, forks)
}

func (e *env) wantFork(path string, f fork) {
	e.Helper()
	got, err := e.d.GetContent(e.ctx, path)
	e.ok(err, "GetContent after a Commit")
	e.ok(f.is(got), "the content after a Commit: that of its writer, whole")
}

func (e *env) wantOneFork(path string, forks []fork) {
	e.Helper()
	got, err := e.d.GetContent(e.ctx, path)
	e.ok(err, "GetContent")
	for _, f := range forks {
		if f.is(got) == nil {
			return
		}
	}
	e.Fatalf("the content at %s: want that of one writer, whole, got %d bytes that are a mixture", path, len(got))
}

func raceResumed(e *env) {
	part := e.suite.PartSize
	p := e.path("file")
	for _, size := range []int64{1000, part + part/2} {
		writers, forks := e.resumeTwice(p, e.content(size), size, e.d, e.d)
		e.settleForks(p, writers, forks)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func raceDrivers(e *env) {
	p, other := e.path("file"), e.reopen()
	for _, drivers := range [][]storagedriver.StorageDriver{{e.d, other}, {other, e.d}} {
		writers, forks := e.resumeTwice(p, e.content(1000), 500, drivers...)
		e.settleForks(p, writers, forks)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

// raceStaleSuspend closes two writers that resumed the same upload: one of them is told Conflict or
// is forgotten, and who resumes has one of them whole, or what both began with.
func raceStaleSuspend(e *env) {
	part := e.suite.PartSize
	p := e.path("file")
	for _, size := range []int64{1000, part + part/2} {
		head := e.content(size)
		writers, forks := e.resumeTwice(p, head, 500, e.d, e.d)
		closed := 0
		for _, w := range writers {
			if err := w.Close(); err == nil {
				closed++
			} else {
				e.wantKind(err, storagedriver.KindConflict, "Close of a writer that was overtaken")
			}
		}
		if closed == 0 {
			e.Fatalf("want one of two writers to suspend, got none")
		}
		w := e.resume(e.d, p, size+500)
		e.commit(w)
		e.wantOneFork(p, forks)
		e.ok(e.d.Delete(e.ctx, p), "Delete")
	}
}

func raceStaleCancel(e *env) {
	p := e.path("file")
	head := e.content(1000)
	writers, forks := e.resumeTwice(p, head, 500, e.d, e.d)
	e.cancel(writers[0])
	e.close(writers[0])
	if err := writers[1].Commit(e.ctx); err != nil {
		// What it built on was the cancelled writer's to remove; then nothing is there.
		e.wantKind(err, storagedriver.KindConflict, "Commit after another writer's Cancel", storagedriver.KindNotFound)
		e.wantMissing(p)
		return
	}
	e.close(writers[1])
	e.wantFork(p, forks[1])
}
