package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

// changedFloor is what of the native speed a driver in Rust must have that computes for each byte.
const changedFloor = 0.6

// rustTransform prints how a driver in Rust that changes each byte of what is read does against a native program of the same code, by the same compiler.
// That has content in memory and reads and writes it in pieces, as the driver does; it has no reader, no store and no host between them.
func rustTransform(ctx context.Context, cache string, o options) (err error) {
	const name = "changed read, 64 MiB"
	if !o.run.MatchString(name) {
		return nil
	}
	program, err := nativeTransform(ctx)
	if err != nil {
		return err
	}
	module, err := guestbuild.Build(ctx, "rust-transform")
	if err != nil {
		return err
	}
	under := layers.Complete(inmemory.New())
	b, err := runtime.Open(ctx, module, runtime.Config{
		Stores: map[string]storagedriver.StorageDriver{"under": under}, CacheDir: cache, Logger: slog.New(slog.DiscardHandler),
	}, nil)
	if err != nil {
		return errors.Join(err, under.Close())
	}
	d := layers.Complete(b)
	defer func() { err = errors.Join(err, d.Close(), under.Close()) }()
	content := make([]byte, transformed)
	for i := range content {
		content[i] = byte(i>>8) ^ byte(i)
	}
	if err := upload(ctx, under, content); err != nil { // not through the driver, whose uploads are put together of what it reads
		return err
	}
	rounds := 21
	if o.quick {
		rounds = 3
	}
	var r result
	buf := make([]byte, 256<<10)
	for round := range rounds + 1 { // the first warms up
		fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", name, round, rounds)
		first, sum, err := runNative(ctx, program)
		if err != nil {
			return err
		}
		begin := time.Now()
		if err := read(ctx, d, "/bench/upload", buf, transformed); err != nil {
			return err
		}
		wasm := rate(time.Since(begin).Seconds())
		second, _, err := runNative(ctx, program)
		if err != nil {
			return err
		}
		if round == 0 {
			if err := sameChange(ctx, d, sum); err != nil {
				return err
			}
			continue
		}
		r.native, r.wasm = append(r.native, first, second), append(r.wasm, wasm)
		r.ratio, r.control = append(r.ratio, 2*wasm/(first+second)), append(r.control, second/first)
	}
	fmt.Printf("\n| Work | Native Rust | Rust in the sandbox | Sandbox / native | Control (native / native) | Floor |\n|---|---|---|---|---|---|\n")
	fmt.Printf("| %s | %.0f MiB/s | %.0f MiB/s | **%.2f** (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.2f |\n", name, median(r.native), median(r.wasm),
		median(r.ratio), quartile(r.ratio, 1), quartile(r.ratio, 3), median(r.control), quartile(r.control, 1), quartile(r.control, 3), changedFloor)
	if !o.quick && median(r.ratio) < changedFloor {
		return fmt.Errorf("%s: %.2f of the native speed, wanted %.2f", name, median(r.ratio), changedFloor)
	}
	return nil
}

func rate(seconds float64) float64 { return float64(transformed>>20) / seconds }

// nativeTransform has cargo build the program.
func nativeTransform(ctx context.Context) (string, error) {
	target, err := filepath.Abs("../../build/cargo")
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "cargo", "build", "--offline", "--release", "--features", "native", "--bin", "native", "--target-dir", target)
	cmd.Dir, cmd.Stderr = "rust-transform", os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cargo build of rust-transform's native program: %w", err)
	}
	return filepath.Join(target, "release", "native"), nil
}

// runNative returns the MiB/s of one round and the sum of what came out.
func runNative(ctx context.Context, program string) (speed float64, sum uint32, err error) {
	said, err := exec.CommandContext(ctx, program, fmt.Sprint(transformed), "1").Output()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", program, err)
	}
	var seconds float64
	if _, err := fmt.Sscan(strings.TrimSpace(string(said)), &seconds, &sum); err != nil {
		return 0, 0, fmt.Errorf("%s says %q: %w", program, said, err)
	}
	return rate(seconds), sum, nil
}

// sameChange returns an error unless what the driver makes has the sum of what the program makes.
func sameChange(ctx context.Context, d storagedriver.StorageDriver, want uint32) error {
	got, err := d.GetContent(ctx, "/bench/upload")
	if err != nil {
		return err
	}
	sum := uint32(0)
	for _, b := range got {
		sum = bits.RotateLeft32(sum, 5) ^ uint32(b)
	}
	if sum != want || len(got) != transformed {
		return fmt.Errorf("the driver makes %d bytes with the sum %d, the program %d with %d", len(got), sum, transformed, want)
	}
	return nil
}
