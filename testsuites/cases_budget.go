package testsuites

import (
	"context"
	"fmt"

	"github.com/berth-dev/storagedriver"
)

// budgetCases run on a driver that Harness.NewWithBudget opens.
func budgetCases() []scenario {
	return []scenario{
		{"budget/many-writers", "many more writers than the memory budget has room for finish, whole", budgetMany},
		{"budget/one-part", "uploads of many parts finish when the budget has room for one part, one after another and at once", budgetOne},
		{"budget/resumed", "uploads are suspended and resumed by many within a small budget", budgetResumed},
		{"budget/idle-hold-nothing", "writers that are opened, suspended or over hold nothing that others need", budgetIdle},
		{"budget/waiting", "a writer that waits for memory honours its context, and loses nothing", budgetWaiting},
	}
}

// withBudget returns a driver on the same storage whose writers share so many bytes of memory.
func (e *env) withBudget(bytes int64) storagedriver.StorageDriver {
	e.Helper()
	if e.suite.NewWithBudget == nil {
		e.Fatalf("Harness.NewWithBudget is nil: it opens the driver with a memory budget for its writers. " +
			"Give the Harness one (New itself where writers hold no memory), or a reason in Skip")
	}
	d := e.suite.NewWithBudget(e.T, bytes)
	if d == nil {
		e.Fatalf("Harness.NewWithBudget returned no driver")
	}
	e.Cleanup(func() {
		if err := d.Close(); err != nil {
			e.Errorf("Close of the driver with a small budget: %v", err)
		}
	})
	return d
}

// uploadOn uploads c to path on d.
func (e *env) uploadOn(d storagedriver.StorageDriver, path string, c content) error {
	w, err := d.Writer(e.ctx, path, false)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := feed(w, c, 0, c.size, pieceSize); err != nil {
		return err
	}
	return w.Commit(e.ctx)
}

func budgetMany(e *env) {
	const writers = 12
	part := e.suite.PartSize
	d := e.withBudget(2 * part)
	contents := make([]content, writers)
	for i := range contents {
		contents[i] = e.content([]int64{part + part/4, 1000, part / 2}[i%3] + int64(i))
	}
	e.parallel(writers, func(i int) error { return e.uploadOn(d, e.path(fmt.Sprintf("file-%d", i)), contents[i]) })
	for i, c := range contents {
		e.wantContent(e.path(fmt.Sprintf("file-%d", i)), c)
	}
}

func budgetOne(e *env) {
	part := e.suite.PartSize
	d := e.withBudget(part)
	contents := []content{e.content(2*part + 1000), e.content(part + 1), e.content(part)}
	p := e.path("first")
	e.ok(e.uploadOn(d, p, contents[0]), "an upload of several parts")
	e.wantContent(p, contents[0])
	e.parallel(len(contents), func(i int) error { return e.uploadOn(d, e.path(fmt.Sprintf("file-%d", i)), contents[i]) })
	for i, c := range contents {
		e.wantContent(e.path(fmt.Sprintf("file-%d", i)), c)
	}
}

func budgetResumed(e *env) {
	const writers = 4
	part := e.suite.PartSize
	d := e.withBudget(part)
	contents := make([]content, writers)
	for i := range contents {
		contents[i] = e.content(part*3/2 + int64(i))
	}
	e.parallel(writers, func(i int) error {
		p, c := e.path(fmt.Sprintf("file-%d", i)), contents[i]
		at := int64(0)
		for _, end := range []int64{700, part + 100, c.size} {
			w, err := d.Writer(e.ctx, p, at > 0)
			if err != nil {
				return err
			}
			defer w.Close()
			if w.Size() != at {
				return fmt.Errorf("size of the resumed upload to %s: want %d, got %d", p, at, w.Size())
			}
			if err := feed(w, c, at, end, pieceSize); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			at = end
		}
		w, err := d.Writer(e.ctx, p, true)
		if err != nil {
			return err
		}
		defer w.Close()
		return w.Commit(e.ctx)
	})
	for i, c := range contents {
		e.wantContent(e.path(fmt.Sprintf("file-%d", i)), c)
	}
}

// budgetIdle has one writer at a time accept bytes, so that nothing need ever wait.
func budgetIdle(e *env) {
	const uploads = 6
	part := e.suite.PartSize
	d := e.withBudget(part)
	c := e.content(1500)
	path := func(i int) string { return e.path(fmt.Sprintf("file-%d", i)) }
	var opened []storagedriver.FileWriter
	for i := range uploads {
		opened = append(opened, e.writerOf(d, path(i), false))
	}
	for _, w := range opened {
		e.write(w, c, 0, 1000)
		e.close(w)
	}
	for i := range uploads {
		w := e.resume(d, path(i), 1000)
		e.write(w, c, 1000, c.size)
		status := e.resume(d, path(i), 1000)
		e.close(status)
		switch i % 3 {
		case 0:
			e.commit(w)
			e.wantContent(path(i), c)
		case 1:
			e.cancel(w)
			e.wantMissing(path(i))
		case 2:
			e.close(w)
			e.commit(e.resume(d, path(i), c.size))
			e.wantContent(path(i), c)
		}
	}
	e.ok(d.PutContent(e.ctx, path(0), c.bytes()), "PutContent")
	e.wantContentOf(d, path(0), c)
}

// budgetWaiting accepts that nobody has to wait: a driver may hold no memory at all.
func budgetWaiting(e *env) {
	part := e.suite.PartSize
	d := e.withBudget(part)
	c := e.content(part)
	first := e.writerOf(d, e.path("first"), false)
	e.write(first, c, 0, 1000)
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	second, err := d.Writer(ctx, e.path("second"), false)
	e.ok(err, "Writer")
	e.Cleanup(func() { _ = second.Close() })
	accepted, err := 0, error(nil)
	e.parallel(2, func(i int) error {
		if i == 1 {
			cancel()
			return nil
		}
		accepted, err = second.Write(c.slice(0, 1000))
		return nil
	})
	if err != nil {
		e.wantKind(err, storagedriver.KindCanceled, "Write that waits for memory when its context ends", storagedriver.KindClosed)
	}
	e.close(second)
	e.wantSize(second, int64(accepted), "of a writer that waited for memory")
	e.write(first, c, 1000, c.size)
	e.commit(first)
	e.wantContent(e.path("first"), c)
	w := e.resume(d, e.path("second"), int64(accepted))
	e.write(w, c, int64(accepted), c.size)
	e.commit(w)
	e.wantContent(e.path("second"), c)
}
