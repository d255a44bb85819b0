package layers_test

import (
	"context"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver/layers"
)

func TestTracesAreToldInOrder(t *testing.T) {
	type key struct{}
	var told []string
	tell := func(name string, ends bool) layers.Trace {
		return func(ctx context.Context, o layers.Operation) (context.Context, func(layers.Outcome)) {
			outer, _ := ctx.Value(key{}).(string)
			told = append(told, name+" in "+outer)
			ctx = context.WithValue(ctx, key{}, outer+"/"+name)
			if !ends {
				return ctx, nil
			}
			return ctx, func(layers.Outcome) { told = append(told, "end of "+name) }
		}
	}
	ctx, end := layers.Traces(tell("a", true), nil, tell("b", false), tell("c", true))(t.Context(), layers.Operation{})
	if got := ctx.Value(key{}); got != "/a/b/c" {
		t.Errorf("the context is of %v, want all", got)
	}
	end(layers.Outcome{})
	if want := []string{"a in ", "b in /a", "c in /a/b", "end of c", "end of a"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if layers.Traces() != nil || layers.Traces(nil, nil) != nil {
		t.Error("no traces are not nil")
	}
	if _, end := layers.Traces(tell("x", false), tell("y", false))(t.Context(), layers.Operation{}); end != nil {
		t.Error("traces without ends have one")
	}
}
