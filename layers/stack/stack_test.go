package stack_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/stack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noted is a layer that says when a Stat passes it.
type noted struct {
	storagedriver.Backend
	name string
	to   *[]string
}

func (n noted) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	*n.to = append(*n.to, n.name)
	return n.Backend.Stat(ctx, path)
}

func (n noted) Close() error {
	*n.to = append(*n.to, "close "+n.name)
	return n.Backend.Close()
}

func note(p stack.Position, to *[]string) stack.Layer {
	return stack.Layer{Position: p, Wrap: func(b storagedriver.Backend) storagedriver.Backend { return noted{b, p.String(), to} }}
}

func wantInvalid(t *testing.T, err error, texts ...string) {
	t.Helper()
	if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
		t.Fatalf("want an invalid argument, got %v", err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("want %q in %q", text, err)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Count(err.Error(), storagedriver.KindInvalidArgument.String()) != 1 {
		t.Errorf("want one line that says the kind once, got %q", err)
	}
}

var all = []stack.Position{stack.ReadOnly, stack.Tracing, stack.Metrics, stack.Retry, stack.Limit, stack.Timeout, stack.Fault}

func TestACallPassesTheLayersInOrder(t *testing.T) {
	var got, want []string
	var layers []stack.Layer
	for _, p := range all {
		layers = append(layers, note(p, &got))
		want = append(want, p.String())
	}
	b, err := stack.Build(inmemory.New(), layers...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stat(t.Context(), "/"); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("want a call to pass %v, it passed %v", want, got)
	}
	got = nil
	if err := b.Close(); err != nil || len(got) != len(all) {
		t.Errorf("want every layer closed without an error, got %v, %v", got, err)
	}
}

// TestEveryOrderButTheRightOneIsRefused has all pairs.
func TestEveryOrderButTheRightOneIsRefused(t *testing.T) {
	const order = "readonly, tracing, metrics, retry, limit, timeout, fault"
	for i, outside := range all {
		for j, inside := range all {
			b, err := stack.Build(inmemory.New(), note(outside, new([]string)), note(inside, new([]string)))
			if i < j {
				if err != nil || b == nil {
					t.Errorf("%v outside %v: want it allowed, got %v", outside, inside, err)
				}
				continue
			}
			if b != nil {
				t.Errorf("%v outside %v: want no backend", outside, inside)
			}
			wantInvalid(t, err, outside.String(), inside.String(), order)
		}
	}
}

func TestLayersThatAreNoneAreRefused(t *testing.T) {
	for name, l := range map[string]stack.Layer{
		"zero":           {},
		"beyond the end": {Position: stack.Fault + 1, Wrap: func(b storagedriver.Backend) storagedriver.Backend { return b }},
		"no function":    {Position: stack.Retry},
		"makes nothing":  {Position: stack.Retry, Wrap: func(storagedriver.Backend) storagedriver.Backend { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := stack.Build(inmemory.New(), l)
			if b != nil {
				t.Error("want no backend")
			}
			wantInvalid(t, err, "layer")
		})
	}
}
