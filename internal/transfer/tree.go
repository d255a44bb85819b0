package transfer

import (
	"context"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
)

// registryRepositories ends the path of the directory in a registry's layout whose files refer to blobs.
const registryRepositories = "/docker/registry/v2/repositories"

// Tree copies every file at or below from in src to the same place at or below to in dst, as File does each. Empty directories are
// not copied, nor is what is in dst alone removed. Files begin in the order of Walk; in a registry's layout all blobs are
// finished before the first file that refers to them begins.
//
// A file that fails does not keep the others from being copied: the error then says how many did and why the first, with the kind that all have,
// or KindCorrupt if one is. Progress is told of each. When ctx ends, or the walk fails, the files that have begun end, and the summary is what was done.
func Tree(ctx context.Context, src, dst storagedriver.StorageDriver, from, to string, o Options) (Summary, error) {
	if err := o.Check(); err != nil {
		return Summary{}, err
	}
	return each(ctx, src, from, o, "copied", func(info storagedriver.FileInfo) (Result, error) {
		target := to
		if info.Path() != from {
			target = joined(to, strings.TrimPrefix(info.Path(), from))
		}
		c := &copying{src: src, dst: dst, o: o, r: Result{From: info.Path(), To: target}}
		return c.whole(ctx, info)
	})
}

// joined is the path of what is at below in the directory dir.
func joined(dir, below string) string {
	return strings.TrimSuffix(dir, "/") + "/" + strings.TrimPrefix(below, "/")
}

// each calls one for every file at or below path, several at a time.
func each(ctx context.Context, d storagedriver.StorageDriver, path string, o Options, verb string, one func(storagedriver.FileInfo) (Result, error)) (Summary, error) {
	var (
		s       Summary
		failed  failures
		results sync.Mutex
		workers sync.WaitGroup
		pending sync.WaitGroup
		files   = make(chan storagedriver.FileInfo)
	)
	for range o.parallel() {
		workers.Go(func() {
			for info := range files {
				r, err := one(info)
				results.Lock()
				if err == nil || ctx.Err() == nil { // what ends with ctx has not failed
					s.add(r, err)
				}
				if err != nil && ctx.Err() == nil {
					failed.add(err)
				}
				results.Unlock()
				pending.Done()
			}
		})
	}
	err := walkFiles(ctx, d, path, func(info storagedriver.FileInfo) error {
		if info.IsDir() {
			if strings.HasSuffix(info.Path(), registryRepositories) {
				pending.Wait()
			}
			return nil
		}
		o.tell(Event{Stage: Found, Path: info.Path(), Bytes: info.Size()})
		pending.Add(1)
		select {
		case files <- info:
			return nil
		case <-ctx.Done():
			pending.Done()
			return ctx.Err()
		}
	})
	close(files)
	workers.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil {
		err = failed.err(verb)
	}
	return s, err
}

// walkFiles calls f with the file at path, or with everything below the directory there.
func walkFiles(ctx context.Context, d storagedriver.StorageDriver, path string, f storagedriver.WalkFunc) error {
	info, err := d.Stat(ctx, path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return f(info)
	}
	return d.Walk(ctx, path, f)
}
