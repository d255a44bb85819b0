package fault

import (
	"context"
	"io"

	"github.com/berth-dev/storagedriver"
)

// New returns b with failures injected by rules; without rules it is b. It hands on b's
// capabilities, and closing it closes b, unless a rule fails Close before its effect.
func New(b storagedriver.Backend, rules Rules) storagedriver.Backend {
	if len(rules) == 0 {
		return b
	}
	f := &backend{next: b, rules: rules}
	for _, r := range rules {
		if r.effect == stale {
			f.answers = newAnswers()
		}
		if r.pattern != "" {
			f.targets = newTargets()
		}
	}
	return f
}

var _ storagedriver.Backend = (*backend)(nil)

type backend struct {
	next    storagedriver.Backend
	rules   Rules
	answers *answers // nil when no rule is stale
	targets *targets // nil when no rule has a pattern
}

// Name implements storagedriver.Backend.
func (b *backend) Name() string { return b.next.Name() }

// Capabilities implements storagedriver.Backend.
func (b *backend) Capabilities() storagedriver.Capabilities { return b.next.Capabilities() }

// Stat implements storagedriver.Backend.
func (b *backend) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	return answered(ctx, b, opStat, question{op: opStat, path: path}, func() (storagedriver.Entry, error) {
		return b.next.Stat(ctx, path)
	})
}

// List implements storagedriver.Backend.
func (b *backend) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	q := question{op: opList, path: path, cursor: cursor, limit: limit}
	return answered(ctx, b, opList, q, func() (storagedriver.Page, error) {
		return b.next.List(ctx, path, cursor, limit)
	})
}

// ListTree implements storagedriver.Backend.
func (b *backend) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	q := question{op: opListTree, path: path, startAfter: startAfter, cursor: cursor, limit: limit}
	return answered(ctx, b, opListTree, q, func() (storagedriver.Page, error) {
		return b.next.ListTree(ctx, path, startAfter, cursor, limit)
	})
}

// answered runs an operation that may be answered as it was before.
func answered[T any](ctx context.Context, b *backend, op operation, q question, ask func() (T, error)) (T, error) {
	c := b.begin(op, q.path)
	return result(ctx, c, func() (T, error) {
		answer, err := ask()
		if b.answers == nil {
			return answer, err
		}
		past, there := b.answers.exchange(q, reply{answer, err})
		for _, r := range c.acting {
			if r.effect != stale || !there {
				continue
			}
			if v, ok := past.answer.(T); ok {
				r.fired.Add(1)
				return v, past.err
			}
		}
		return answer, err
	})
}

// Read implements storagedriver.Backend.
func (b *backend) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	c := b.begin(opRead, path)
	if err := c.before(ctx); err != nil {
		return nil, 0, err
	}
	r, promise, err := b.next.Read(ctx, path, offset, length)
	if err != nil {
		return nil, 0, err
	}
	if err := c.after(ctx); err != nil {
		_ = r.Close() // nobody gets it
		return nil, 0, err
	}
	return wrapBody(ctx, r, c.at(body)), promise, nil
}

// Put implements storagedriver.Backend.
func (b *backend) Put(ctx context.Context, path string, given storagedriver.Source) error {
	c := b.begin(opPut, path)
	return c.run(ctx, func() error { return b.next.Put(ctx, path, c.source(given)) })
}

// Delete implements storagedriver.Backend.
func (b *backend) Delete(ctx context.Context, path string) error {
	return b.begin(opDelete, path).run(ctx, func() error { return b.next.Delete(ctx, path) })
}

// DeleteTree implements storagedriver.Backend.
func (b *backend) DeleteTree(ctx context.Context, path string) error {
	return b.begin(opDeleteTree, path).run(ctx, func() error { return b.next.DeleteTree(ctx, path) })
}

// Copy implements storagedriver.Backend.
func (b *backend) Copy(ctx context.Context, from, to string) error {
	return b.begin(opCopy, from, to).run(ctx, func() error { return b.next.Copy(ctx, from, to) })
}

// Move implements storagedriver.Backend.
func (b *backend) Move(ctx context.Context, from, to string) error {
	return b.begin(opMove, from, to).run(ctx, func() error { return b.next.Move(ctx, from, to) })
}

// Concat implements storagedriver.Backend.
func (b *backend) Concat(ctx context.Context, dest string, from []string) error {
	paths := append([]string{dest}, from...)
	return b.begin(opConcat, paths...).run(ctx, func() error { return b.next.Concat(ctx, dest, from) })
}

// Redirect implements storagedriver.Backend.
func (b *backend) Redirect(ctx context.Context, path string, o storagedriver.RedirectOptions) (string, error) {
	return result(ctx, b.begin(opRedirect, path), func() (string, error) { return b.next.Redirect(ctx, path, o) })
}

// Close implements storagedriver.Backend.
func (b *backend) Close() error {
	return b.begin(opClose).run(context.Background(), b.next.Close)
}
