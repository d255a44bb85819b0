// Package nesting tells how deep a call is among drivers that call drivers: a guest that is granted a store calls
// another driver, which may be a guest that has stores. The chain of those calls travels in the context, through whatever lies
// between them.
package nesting

import (
	"context"
	"fmt"
	"strings"
)

type key struct{}

// link is one call of a granted store. The last is in the context.
type link struct {
	driver any    // who calls
	name   string // its name
	store  string // what it calls the other
	feeds  bool
	up     *link // the call that this one is made for, or nil
	depth  int
}

func last(ctx context.Context) *link {
	l, _ := ctx.Value(key{}).(*link)
	return l
}

// With returns the context for what driver, a pointer, calls the store for. feeds says that the call serves a read from
// which a call of the same driver takes its body.
func With(ctx context.Context, driver any, name, store string, feeds bool) context.Context {
	up := last(ctx)
	return context.WithValue(ctx, key{}, &link{driver, name, store, feeds, up, depthOf(up) + 1})
}

func depthOf(l *link) int {
	if l == nil {
		return 0
	}
	return l.depth
}

// Depth returns how many calls of granted stores a call under ctx is part of.
func Depth(ctx context.Context) int { return depthOf(last(ctx)) }

// Has reports whether driver has made one of them: a call that comes to it now has come in a circle.
func Has(ctx context.Context, driver any) bool {
	for l := last(ctx); l != nil; l = l.up {
		if l.driver == driver {
			return true
		}
	}
	return false
}

// Reserve returns of which reserve a call under ctx takes what its callers may hold while they wait for it: 0 for those
// that are no store's, and of those of each depth another, twice: what feeds a call of its own driver has
// one, because that call may hold what the other has.
func Reserve(ctx context.Context) int {
	l := last(ctx)
	switch {
	case l == nil:
		return 0
	case l.feeds:
		return 2 * l.depth
	}
	return 2*l.depth - 1
}

// Chain returns the drivers of the calls that a call under ctx is part of, the outermost first, and with what each has
// called the next, for messages.
func Chain(ctx context.Context) string {
	var names []string
	for l := last(ctx); l != nil; l = l.up {
		names = append([]string{fmt.Sprintf("%s (its store %s)", l.name, l.store)}, names...)
	}
	return strings.Join(names, " > ")
}
