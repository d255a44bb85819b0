package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/examples/compress"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/guests/native"
)

// transformed is how much content a driver that transforms it is given at a time.
const transformed = 64 << 20

// transforms prints how a driver that compresses over a store in memory does against the same code natively.
func transforms(ctx context.Context, e *environment, cache string, o options) (err error) {
	content := e.content[:transformed]
	words(content) // what is compared before this has been
	works := []work{
		{name: "compressed read, 64 MiB", unit: "MiB/s", per: transformed >> 20, callers: 1, bulk: true, floor: 0.2,
			op: func(ctx context.Context, d storagedriver.StorageDriver, _ int) error {
				return read(ctx, d, "/bench/compressed", make([]byte, 256<<10), transformed)
			}},
		{name: "compressed upload, 64 MiB", unit: "MiB/s", per: transformed >> 20, callers: 1, bulk: true, floor: 0.2,
			op: func(ctx context.Context, d storagedriver.StorageDriver, _ int) error { return upload(ctx, d, content) }},
	}
	wanted := works[:0]
	for _, w := range works {
		if o.run.MatchString(w.name) {
			wanted = append(wanted, w)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	module, err := guestbuild.Build(ctx, "compress")
	if err != nil {
		return err
	}
	var s sides
	for i, name := range []string{"native", "wasm", "control"} {
		under := layers.Complete(inmemory.New())
		granted := map[string]storagedriver.StorageDriver{"under": under}
		var b storagedriver.Backend
		if name == "wasm" {
			b, err = runtime.Open(ctx, module, runtime.Config{Stores: granted, CacheDir: cache, Logger: slog.New(slog.DiscardHandler)}, nil)
		} else {
			b, err = native.Config{Granted: granted}.Open(compress.Manifest(), compress.Open)(ctx, nil)
		}
		if err != nil {
			return errors.Join(err, under.Close())
		}
		d := layers.Complete(b)
		defer func() { err = errors.Join(err, d.Close(), under.Close()) }()
		s[i] = side{name, d}
		w, werr := d.Writer(ctx, "/bench/compressed", false)
		if werr != nil {
			return werr
		}
		_, werr = w.Write(content)
		if werr = errors.Join(werr, w.Commit(ctx), w.Close()); werr != nil {
			return werr
		}
	}
	rounds := 21
	if o.quick {
		rounds = 3
	}
	fmt.Printf("\n| Work | Native | Wasm | Wasm / native | Control (native / native) | Floor |\n|---|---|---|---|---|---|\n")
	for _, w := range wanted {
		fmt.Fprintf(os.Stderr, "%s: %d rounds\n", w.name, rounds)
		r, err := compare(ctx, s, &w, rounds, 0)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.0f %s | %.0f %s | **%.2f** (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.2f |\n", w.name,
			median(r.native), w.unit, median(r.wasm), w.unit, median(r.ratio), quartile(r.ratio, 1), quartile(r.ratio, 3),
			median(r.control), quartile(r.control, 1), quartile(r.control, 3), w.floor)
		if !o.quick && median(r.ratio) < w.floor {
			return fmt.Errorf("%s: %.2f of the native speed, wanted %.2f", w.name, median(r.ratio), w.floor)
		}
	}
	return nil
}

// words fills b with words of a small vocabulary, which compress to some two fifths.
func words(b []byte) {
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := make([][]byte, 2000)
	for i := range vocabulary {
		vocabulary[i] = make([]byte, 3+r.IntN(9))
		for j := range vocabulary[i] {
			vocabulary[i][j] = byte('a' + r.IntN(26))
		}
	}
	for len(b) > 0 {
		n := copy(b, vocabulary[int(r.ExpFloat64()*200)%len(vocabulary)])
		if b = b[n:]; len(b) > 0 {
			b[0] = ' '
			b = b[1:]
		}
	}
}
