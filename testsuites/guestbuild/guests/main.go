// Command guests builds guests of this repository into build/guests, those whose sources are younger:
//
//	go run ./testsuites/guestbuild/guests webdav rust-memory
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var failed error
	for _, name := range os.Args[1:] {
		if _, err := guestbuild.Build(ctx, name); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1) //nolint:gocritic // the process ends, and with it the signals
	}
}
