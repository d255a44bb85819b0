package chunked

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

func (d *derived) put(ctx context.Context, _ string, body storagedriver.Source) error {
	if _, err := d.check(ctx, nil, false); err != nil {
		return err
	}
	return d.b.Put(ctx, d.path, body)
}

func (d *derived) commit(ctx context.Context, _ string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	now, err := d.check(ctx, receipts, d.wrote())
	if err != nil {
		return err
	}
	moved, err := d.join(ctx, receipts, last)
	if err != nil {
		// A segment that another's commit removed while it was read fails the put in words of the
		// backend's own. After a move it says nothing that the segment is gone.
		if storagedriver.KindOf(err) == storagedriver.KindNotFound || moved == "" {
			if _, again := d.check(ctx, receipts, d.wrote()); storagedriver.KindOf(again) == storagedriver.KindConflict {
				return again
			}
		}
		return err
	}
	// Whatever else was there has lost, or this commit would have been refused.
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
	defer cancel()
	_ = d.remove(detached, now.names, moved) // the content is committed whatever becomes of this
	return nil
}

// join makes the segments that receipts name, and last, the content of the target. It
// returns the name of the segment that went there, if one was moved.
func (d *derived) join(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) (moved string, err error) {
	all := receipts.All()
	if len(all) == 1 && last == nil {
		name := string(all[0].Data)
		source := storagedriver.JoinPath(d.dir, name)
		switch {
		case d.capabilities.Has(storagedriver.AbilityMove) || d.capabilities.Has(storagedriver.AbilityMoveTree):
			return name, d.move(ctx, source, all[0].Size)
		case d.capabilities.Has(storagedriver.AbilityCopy):
			return "", d.b.Copy(ctx, source, d.path)
		}
	}
	if len(all) > 0 && d.capabilities.Has(storagedriver.AbilityConcat) {
		return "", d.concat(ctx, all, last)
	}
	sources := make([]storagedriver.Source, 0, len(all)+1)
	for _, r := range all {
		sources = append(sources, object{b: d.b, path: storagedriver.JoinPath(d.dir, string(r.Data)), size: r.Size})
	}
	if last != nil {
		sources = append(sources, last)
	}
	return "", PutStored(ctx, d.b, d.path, sources...)
}

// move commits the only segment. When the answer is lost it looks: nobody else moves the
// segment, so if it is gone and the target has its size, it was moved. KindNotFound is an answer: whoever
// removed the segment may have committed as many bytes.
func (d *derived) move(ctx context.Context, source string, size int64) error {
	err := d.b.Move(ctx, source, d.path)
	switch storagedriver.KindOf(err) {
	case storagedriver.KindInvalidPath, storagedriver.KindNotFound:
		return err
	}
	if err == nil {
		return nil
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
	defer cancel()
	if _, gone := d.b.Stat(detached, source); storagedriver.KindOf(gone) != storagedriver.KindNotFound {
		return err
	}
	if entry, at := d.b.Stat(detached, d.path); at != nil || entry.Dir || entry.Size != size {
		return err
	}
	return nil
}

func (d *derived) concat(ctx context.Context, all []storagedriver.Receipt, last storagedriver.Source) error {
	var paths []string
	for _, r := range all {
		paths = append(paths, storagedriver.JoinPath(d.dir, string(r.Data)))
	}
	if last != nil {
		end := all[len(all)-1]
		name, err := d.storeAgain(ctx, storagedriver.Part{Number: len(all) + 1, Offset: end.Offset + end.Size, Body: last})
		if err != nil {
			return err
		}
		paths = append(paths, storagedriver.JoinPath(d.dir, string(name)))
	}
	return d.b.Concat(ctx, d.path, paths)
}

// object is a stored file as a Source.
type object struct {
	b    storagedriver.Backend
	path string
	size int64
}

func (o object) Size() int64 { return o.size }

func (o object) Open(ctx context.Context) (io.ReadCloser, error) {
	body, promised, err := o.b.Read(ctx, o.path, 0, -1)
	if err != nil {
		return nil, err
	}
	if promised != o.size {
		_ = body.Close()
		return nil, storagedriver.Errorf(storagedriver.KindCorrupt, "a stored segment has %d bytes instead of %d", promised, o.size)
	}
	return body, nil
}

// cancel removes the upload, or only what this writer stored and nobody builds on when
// another has taken the upload over.
func (d *derived) cancel(ctx context.Context, _ string) error {
	if !d.wrote() && len(d.resumed) == 0 {
		return nil
	}
	if d.ending != nil {
		return d.remove(ctx, d.ending, "")
	}
	now, err := d.look(ctx)
	if err != nil {
		return err
	}
	if !d.stale(now, d.wrote()) {
		d.ending = now.names
		return d.remove(ctx, now.names, "")
	}
	theirs := map[string]bool{}
	for _, s := range now.chain() {
		theirs[s.name()] = true
	}
	var mine []string
	for name, s := range now.complete {
		if s.rank.writer == d.rank.writer && !theirs[name] {
			mine = append(mine, name)
		}
	}
	return removeAll(ctx, d.b, d.dir, mine)
}

// remove removes the named objects but moved, which is gone, what this writer stored
// since they were listed, and the directory.
func (d *derived) remove(ctx context.Context, names []string, moved string) error {
	d.mu.Lock()
	all := slices.Concat(names, slices.Collect(maps.Keys(d.attempted)))
	d.mu.Unlock()
	slices.Sort(all) // names begin with the offset: the first segment comes first
	all = slices.DeleteFunc(slices.Compact(all), func(name string) bool { return name == moved })
	return removeDir(ctx, d.b, d.dir, all)
}

// abortDerived removes every segment of every upload to path.
func abortDerived(ctx context.Context, b storagedriver.Backend, path string) error {
	dir := privateDir(path)
	if b.Capabilities().Has(storagedriver.AbilityDeleteTree) {
		return unlessMissing(b.DeleteTree(ctx, dir))
	}
	entries, err := list(ctx, b, dir)
	if err != nil || len(entries) == 0 {
		return err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return removeDir(ctx, b, dir, names)
}

// removeDir removes the named objects and then the directory, if that empties it.
func removeDir(ctx context.Context, b storagedriver.Backend, dir string, names []string) error {
	if err := removeAll(ctx, b, dir, names); err != nil {
		return err
	}
	_ = b.Delete(ctx, dir) // a backend may have none, or another writer's segment is in it
	return nil
}

// removeAll removes the first name before the others: without its first segment a
// chain is no upload any more, even if the rest has to stay. It removes all it can.
func removeAll(ctx context.Context, b storagedriver.Backend, dir string, names []string) error {
	if len(names) == 0 {
		return nil
	}
	first := removeOne(ctx, b, storagedriver.JoinPath(dir, names[0]))
	var group errgroup.Group
	group.SetLimit(removeParallel)
	for _, name := range names[1:] {
		group.Go(func() error { return removeOne(ctx, b, storagedriver.JoinPath(dir, name)) })
	}
	return cmp.Or(first, group.Wait())
}

// removeOne deletes a file, again if need be: what is deleted already is as good.
func removeOne(ctx context.Context, b storagedriver.Backend, path string) error {
	return repeat(ctx, func() error { return unlessMissing(b.Delete(ctx, path)) })
}

func unlessMissing(err error) error {
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}
