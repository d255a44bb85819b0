package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

func (a *app) driverReplayCommand() *cobra.Command {
	var o runtime.ReplayOptions
	c := &cobra.Command{
		Use:   "replay FILE|NAME TRACE",
		Short: "Run what was recorded of a sandboxed driver again",
		Long: `Runs the calls of a trace again on the .wasm file that it was recorded with ('berth driver test --record', 'berth serve
--record'). Every host call is answered from the trace: nothing is reached, and no clock but the recorded one is read. Recorded
failures are shown as they happen again.

Where the driver asks for something else than was recorded, or answers otherwise, the first difference is shown with both
sides, and the exit status is 8. A trace that is none, or of another file, is status 2.`,
		Example: "  berth driver replay webdav.wasm webdav.trace\n  berth driver replay webdav.wasm webdav.trace --instance 7 --output json",
		Args:    cobra.ExactArgs(2),
	}
	c.Flags().Uint64Var(&o.Instance, "instance", 0, "the only instance to replay, by its number in the trace")
	c.Flags().BoolVar(&o.Force, "force", false, "replay a trace of another file, such as a driver that was built anew")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.replay(c.Context(), args[0], args[1], o, *output)
	}
	return c
}

func (a *app) replay(ctx context.Context, name, tracePath string, o runtime.ReplayOptions, output format) error {
	drivers := a.compose()
	path, err := drivers.fileOf(name)
	if err != nil {
		return err
	}
	if !isWasm(path) {
		return usageError{fmt.Errorf("%s is an executable: only drivers in .wasm files are recorded and replayed", path)}
	}
	wasm, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return storagedriver.Errorf(storagedriver.KindNotFound, "%s: there is no such file: build the driver or name the right path", path)
	}
	if err != nil {
		return err
	}
	if len(wasm) > abi.MaxModule {
		return usageError{fmt.Errorf("%s has more than %d bytes: it is no driver", path, abi.MaxModule)}
	}
	f, err := os.Open(tracePath)
	if err != nil {
		return fmt.Errorf("the trace: %w", err)
	}
	defer f.Close()
	reader, err := trace.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", tracePath, err)
	}
	o.CacheDir = drivers.cacheDir
	result, err := runtime.Replay(ctx, path, wasm, reader, o)
	if err != nil {
		return fmt.Errorf("%s: %w", tracePath, err)
	}
	if output == formatJSON {
		err = printJSON(a.stdout, result)
	} else {
		err = a.printReplay(result)
	}
	if d := result.Difference; err == nil && d != nil {
		return differenceError{fmt.Errorf("%s: the replay differs from the trace: line %d, instance %d: %s", tracePath, d.Line, d.Instance, d.What)}
	}
	return err
}

// differenceError is a replay that parted from its trace.
type differenceError struct{ error }

func (e differenceError) Unwrap() error {
	return storagedriver.NewError(storagedriver.KindCorrupt, "a difference")
}

func (a *app) printReplay(r *runtime.ReplayResult) error {
	var b strings.Builder
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "instance %d, call %d: the recorded failure in %s happened again: %s\n", f.Instance, f.Call, f.Op, f.Text)
		indented(&b, "stderr", f.Stderr)
		indented(&b, "stack", f.Stack)
	}
	for _, u := range r.Unfinished {
		fmt.Fprintf(&b, "without an end in the trace: %s\n", u)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(&b, note)
	}
	if d := r.Difference; d != nil {
		fmt.Fprintf(&b, "line %d, instance %d, call %d, %s", d.Line, d.Instance, d.Call, d.Operation)
		if d.HostCall > 0 {
			fmt.Fprintf(&b, ", host call %d", d.HostCall)
		}
		fmt.Fprintf(&b, ": %s\n  recorded: %s\n  replayed: %s\n", d.What, d.Recorded, d.Replayed)
	}
	fmt.Fprintf(&b, "replayed %d calls with %d host calls on %d instances; recorded failures that happened again: %d, error replies: %d\n",
		r.Calls, r.HostCalls, r.Instances, r.FailureCount, r.ErrorReplies)
	if r.Others > 0 {
		fmt.Fprintf(&b, "%d instances are of other modules\n", r.Others)
	}
	_, err := a.stdout.Write([]byte(b.String()))
	return err
}

// indented adds lines below a heading, if there are any.
func indented(b *strings.Builder, heading, lines string) {
	if lines == "" {
		return
	}
	fmt.Fprintf(b, "  %s:\n    %s\n", heading, strings.ReplaceAll(strings.TrimRight(lines, "\n"), "\n", "\n    "))
}
