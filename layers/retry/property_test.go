package retry_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/berth-dev/storagedriver/layers/retry"
)

// TestFaultsAreHidden runs the same calls on a backend that fails for a while by random rules, before
// and after its effects, and on one that does not: through retry both answer and end the same.
func TestFaultsAreHidden(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var texts []string
		for i := range rapid.IntRange(1, 4).Draw(t, "rules") {
			moment := rapid.SampledFrom([]string{"before", "after", "source 2"}).Draw(t, "moment")
			on := "Stat,List,Read,Put,Delete,DeleteTree,Copy,Concat"
			if moment == "source 2" {
				on = "Put"
			}
			texts = append(texts, fmt.Sprintf("fail %s unavailable temporary on %s every %d", moment, on, rapid.IntRange(4, 9).Draw(t, "every")+i))
		}
		rules, err := fault.Parse(texts...)
		if err != nil {
			t.Fatal(err)
		}
		plain, below := inmemory.New(), inmemory.New()
		layer := retry.New(fault.New(below, rules), retry.Config{Attempts: 20, Budget: 1_000_000, Wait: time.Millisecond, MaxWait: time.Millisecond})
		path := rapid.SampledFrom([]string{"/a", "/b", "/c/d", "/c/e"})
		for range rapid.IntRange(1, 15).Draw(t, "calls") {
			call := drawCall(t, path)
			want, got := call(plain), call(layer)
			if want != got {
				t.Fatalf("want %q, got %q", want, got)
			}
		}
		for _, p := range []string{"/a", "/b", "/c/d", "/c/e"} {
			if want, got := content(plain, p), content(below, p); want != got {
				t.Fatalf("%s ends as %q, want %q", p, got, want)
			}
		}
	})
}

// drawCall returns a call, which says what came of it.
func drawCall(t *rapid.T, path *rapid.Generator[string]) func(storagedriver.Backend) string {
	ctx := context.Background()
	at, to := path.Draw(t, "path"), path.Draw(t, "other")
	body := rapid.StringN(0, 20, 40).Draw(t, "body")
	said := func(what any, err error) string {
		if err != nil {
			return storagedriver.KindOf(err).String()
		}
		return fmt.Sprint(what)
	}
	return rapid.SampledFrom([]func(storagedriver.Backend) string{
		func(b storagedriver.Backend) string {
			return said("put", b.Put(ctx, at, storagedriver.BytesSource(body)))
		},
		func(b storagedriver.Backend) string { return said("copied", b.Copy(ctx, at, to)) },
		func(b storagedriver.Backend) string {
			if at == to {
				return ""
			}
			return said("joined", b.Concat(ctx, at, []string{to, to}))
		},
		func(b storagedriver.Backend) string { return content(b, at) },
		func(b storagedriver.Backend) string {
			e, err := b.Stat(ctx, at)
			return said(e.Size, err)
		},
		func(b storagedriver.Backend) string {
			p, err := b.List(ctx, "/c", "", 10)
			return said(len(p.Entries), err)
		},
		func(b storagedriver.Backend) string { // nothing there is either success or not found
			if err := b.Delete(ctx, at); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				return said("deleted", err)
			}
			return "deleted"
		},
		func(b storagedriver.Backend) string {
			if err := b.DeleteTree(ctx, "/c"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				return said("deleted", err)
			}
			return "deleted"
		},
	}).Draw(t, "call")
}

func content(b storagedriver.Backend, path string) string {
	r, _, err := b.Read(context.Background(), path, 0, -1)
	if err != nil {
		return storagedriver.KindOf(err).String()
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(all)
}
