// Command bench compares a driver in the sandbox with the same source compiled natively.
//
//	go run ./cmd/bench [-quick] [-run REGEXP]
//
// Both sides stand behind layers.Complete and talk to one WebDAV server, another process: one as users have, or with
// -server lean one that answers as cheaply as it can, which is a bound for any. Every round measures native, wasm and native again, in an order that turns; a
// ratio is the median, over the rounds, of wasm by the mean of its two neighbours, and the control that
// of the second native by the first: what differs between equals is noise. It prints Markdown tables.
//
// It also compares a driver that compresses over a store with the same code natively (without the assembly that its library has for
// some processors: -tags noasm), a driver in Rust that changes each byte with a native program in Rust (its
// compiler is the first cargo in PATH), requests that are signed with requests that are not, and the ways to call a driver that asks nobody: natively, in the sandbox, in a process of its own, and as a plugin of
// hashicorp/go-plugin. A floor of these that does not hold is an error at the end, unless -quick is given.
//
// With -profile FILE it runs what -run selects on one side only (-side) under the CPU profiler.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

type options struct {
	quick   bool
	run     *regexp.Regexp
	profile string
	side    string
	module  string
	server  string
}

func main() {
	if os.Getenv(serverVariable) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, "bench server:", err)
			os.Exit(1)
		}
		return
	}
	if text := os.Getenv(uploadsVariable); text != "" {
		if err := uploads(context.Background(), text); err != nil {
			fmt.Fprintln(os.Stderr, "bench uploads:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	var pattern string
	flag.BoolVar(&o.quick, "quick", false, "few rounds, short ones: to see that it works")
	flag.StringVar(&pattern, "run", "", "regular expression of the measurements to make; all by default")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of one side to this file")
	flag.StringVar(&o.side, "side", "wasm", "the side to profile: wasm or native")
	flag.StringVar(&o.module, "module", "", "the WebDAV driver's .wasm file; compiled from examples/webdav by default")
	flag.StringVar(&o.server, "server", library, "the WebDAV server: "+library+", golang.org/x/net/webdav over a directory, or "+lean+", which answers as cheaply as it can")
	flag.Parse()
	if o.server != lean && o.server != library {
		fmt.Fprintln(os.Stderr, "bench: -server is", lean, "or", library)
		os.Exit(2)
	}
	var err error
	if o.run, err = regexp.Compile(pattern); err != nil {
		fmt.Fprintln(os.Stderr, "bench: -run:", err)
		os.Exit(2)
	}
	if o.side != "wasm" && o.side != "native" {
		fmt.Fprintln(os.Stderr, "bench: -side is wasm or native")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) error {
	cache, err := os.MkdirTemp("", "berth-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	s, err := startServer(ctx, o.server)
	if err != nil {
		return err
	}
	defer s.stop()
	e, err := newEnvironment(ctx, s, cache, o.module)
	if err != nil {
		return err
	}
	defer e.close()
	if o.profile != "" {
		return profile(ctx, e, o)
	}
	begin := time.Now()
	if err := comparisons(ctx, e, o); err != nil {
		return err
	}
	if err := singles(ctx, e, o); err != nil {
		return err
	}
	if err := transforms(ctx, e, cache, o); err != nil {
		return err
	}
	if err := rustTransform(ctx, cache, o); err != nil {
		return err
	}
	if err := signings(ctx, cache, o); err != nil {
		return err
	}
	if err := memory(ctx, cache, o); err != nil {
		return err
	}
	if err := calls(ctx, e.content, cache, o); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "took %v\n", time.Since(begin).Round(time.Second))
	return nil
}
