package testsuites

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berth-dev/storagedriver"
)

// cleanTimeout bounds what removes a case's directory, which must work after the case's own time is
// over: a directory of a thousand files on a slow backend.
const cleanTimeout = 5 * time.Minute

// lateTimeout is how long what a call has asked for may still appear after its context has ended.
const lateTimeout = 20 * time.Second

// env is what a case works with. Its methods that begin with "want" fail the case when what
// they name does not hold. Those that end the case (all that call Fatalf) are called on the case's
// goroutine only.
type env struct {
	T
	ctx   context.Context
	suite *suite
	d     storagedriver.StorageDriver
	dir   string // the case's directory, which the case creates by putting something into it

	seed  uint64
	count atomic.Uint64 // contents made
	cut   atomic.Bool   // a call's context has ended before the call: what it asked a service for may come late
}

func newEnv(t T, ctx context.Context, s *suite, id string) *env {
	h := fnv.New64a()
	_, _ = io.WriteString(h, id)
	return &env{
		T: t, ctx: ctx, suite: s, d: s.driver,
		dir:  "/conformance-" + strconv.FormatUint(randomNumber(), 36),
		seed: s.Seed ^ h.Sum64(),
	}
}

// clean removes the case's directory.
func (e *env) clean() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), cleanTimeout)
	defer cancel()
	for deadline := time.Now().Add(lateTimeout); ; {
		if err := e.d.Delete(ctx, e.dir); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			e.Errorf("cleaning up: Delete %s: %v", e.dir, err)
		}
		left, err := e.d.List(ctx, e.dir)
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			e.Errorf("cleaning up: List %s: %v", e.dir, err)
		}
		if len(left) == 0 {
			return
		}
		if !e.cut.Load() || time.Now().After(deadline) {
			if e.cut.Load() && e.shells(ctx, left) {
				return
			}
			e.Errorf("cleaning up: Delete %s left %q behind", e.dir, left)
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// shells reports whether all that is left of the case are directories with no file anywhere below. minio keeps one for ever, of an object whose
// PUT was given up while it was put in place and which was then deleted: its listings by "/" show it, those without do not, and no request removes it.
func (e *env) shells(ctx context.Context, left []string) bool {
	for _, path := range left {
		if _, err := e.d.Stat(ctx, path); storagedriver.KindOf(err) != storagedriver.KindNotFound {
			return false
		}
		below, err := e.d.List(ctx, path)
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound || !e.shells(ctx, below) {
			return false
		}
	}
	return true
}

// path returns the full path of name in the case's directory.
func (e *env) path(name string) string { return e.dir + "/" + name }

// has reports whether the driver declares a.
func (e *env) has(a storagedriver.Ability) bool { return e.d.Capabilities().Has(a) }

// content returns a content that no other of the run equals.
func (e *env) content(size int64) content {
	return content{seed: mix(e.seed + e.count.Add(1)), size: size}
}

// reopen returns another driver on the same storage.
func (e *env) reopen() storagedriver.StorageDriver {
	e.Helper()
	d := e.reopenUnclosed()
	e.Cleanup(func() {
		if err := d.Close(); err != nil {
			e.Errorf("Close of the second driver: %v", err)
		}
	})
	return d
}

// reopenUnclosed is reopen for a case that closes the driver.
func (e *env) reopenUnclosed() storagedriver.StorageDriver {
	e.Helper()
	probe, c := e.path("reopen-probe"), e.content(8)
	e.put(probe, c)
	var d storagedriver.StorageDriver
	if e.suite.Reopen != nil {
		d = e.suite.Reopen(e.T, e.d)
	} else {
		d = e.suite.New(e.T)
	}
	if d == nil {
		e.Fatalf("Harness.Reopen returned no driver")
	}
	got, err := d.GetContent(e.ctx, probe)
	if err == nil {
		err = c.verifyBytes(got)
	}
	if err != nil {
		e.Fatalf("a driver opened on the same storage must see %s (otherwise give the Harness a Reopen): %v", probe, err)
	}
	e.ok(e.d.Delete(e.ctx, probe), "Delete %s", probe)
	return d
}

// ok ends the case unless err is nil.
func (e *env) ok(err error, format string, args ...any) {
	e.Helper()
	if err != nil {
		e.Fatalf("%s: want no error, got %v", fmt.Sprintf(format, args...), err)
	}
}

// put stores c at path.
func (e *env) put(path string, c content) {
	e.Helper()
	e.ok(e.d.PutContent(e.ctx, path, c.bytes()), "PutContent %s", path)
}

// putAll stores a content of its own at each path, several at a time, and returns them.
func (e *env) putAll(size int64, paths ...string) map[string]content {
	e.Helper()
	contents := map[string]content{}
	for _, p := range paths {
		contents[p] = e.content(size)
	}
	e.parallel(min(len(paths), 8), func(worker int) error {
		for i := worker; i < len(paths); i += 8 {
			if err := e.d.PutContent(e.ctx, paths[i], contents[paths[i]].bytes()); err != nil {
				return err
			}
		}
		return nil
	})
	return contents
}

// parallel calls f with 0 to n-1 at the same time and ends the case when one fails. f
// must not end the case itself.
func (e *env) parallel(n int, f func(i int) error) {
	e.Helper()
	failures := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					failures[i] = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
				}
			}()
			failures[i] = f(i)
		})
	}
	group.Wait()
	if err := errors.Join(failures...); err != nil {
		e.Fatalf("%v", err)
	}
}

// eventually polls until cond holds, or ends the case after a minute.
func (e *env) eventually(what string, cond func() bool) {
	e.Helper()
	ctx, cancel := context.WithTimeout(e.ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			e.Fatalf("want %s, waited in vain", what)
		}
	}
}

// check returns an error unless exactly c can be read at path from d.
func (e *env) check(d storagedriver.StorageDriver, path string, c content) error {
	r, err := d.Reader(e.ctx, path, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := c.verify(r, 0); err != nil {
		return fmt.Errorf("the content of %s: %w", path, err)
	}
	return nil
}

// wantContent wants exactly c at path: what is read, and what Stat says.
func (e *env) wantContent(path string, c content) {
	e.Helper()
	e.wantContentOf(e.d, path, c)
}

func (e *env) wantContentOf(d storagedriver.StorageDriver, path string, c content) {
	e.Helper()
	if err := e.check(d, path, c); err != nil {
		e.Fatalf("%v", err)
	}
	info, err := d.Stat(e.ctx, path)
	e.ok(err, "Stat %s", path)
	if info.IsDir() || info.Size() != c.size || info.Path() != path {
		e.Fatalf("Stat %s: want a file of %d bytes, got %s, directory: %v, %d bytes", path, c.size, info.Path(), info.IsDir(), info.Size())
	}
}

// wantMissing wants nothing at path.
func (e *env) wantMissing(path string) {
	e.Helper()
	_, err := e.d.GetContent(e.ctx, path)
	e.wantKind(err, storagedriver.KindNotFound, "GetContent "+path)
	r, err := e.d.Reader(e.ctx, path, 0)
	if err == nil {
		r.Close()
	}
	e.wantKind(err, storagedriver.KindNotFound, "Reader "+path)
	_, err = e.d.Stat(e.ctx, path)
	e.wantKind(err, storagedriver.KindNotFound, "Stat "+path)
	names, err := e.d.List(e.ctx, e.dir)
	if err == nil && slices.Contains(names, path) {
		e.Fatalf("List %s: want nothing at %s, got it listed", e.dir, path)
	}
}
