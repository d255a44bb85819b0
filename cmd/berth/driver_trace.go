package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

func (a *app) driverTraceCommand() *cobra.Command {
	var (
		n      named
		params []string
	)
	c := &cobra.Command{
		Use:   "trace FILE|NAME|DIR -- OP ARGS [, OP ARGS]...",
		Short: "Show what a sandboxed driver asks of its host",
		Long: `Performs operations on a sandboxed driver and shows, as they come, each call of the host's into the guest, each that the guest makes of its host
meanwhile, with what it asks and is answered, and how long that took. Secrets are not shown. DIR is a project that was built.

Of a project's module with debug information, which 'berth driver build --debug' makes, each call of the host also shows the line of the author's source that
made it, and a trap its stack with lines.

The operations, one after the other, with a comma between them:
  stat PATH, list PATH, walk PATH, get PATH, delete PATH, move PATH TO
  put PATH BYTES      PutContent of so many bytes
  upload PATH BYTES   a Writer, and its Commit

One that fails is shown with its error, the ones behind it are performed all the same, and the exit status is the first error's.`,
		Example: "  berth driver trace . -- put /a 1000 , get /a\n  berth driver trace webdav.wasm --config section.yml -- list /\n" +
			"  berth driver build --debug && berth driver trace . -- put /a 1000",
		Args: func(c *cobra.Command, args []string) error {
			if at := c.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usageError{errors.New("name a driver, and behind -- the operations: berth driver trace FILE -- stat /")}
			}
			return nil
		},
	}
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter of the driver, key=value; a.b=value is b in the map a (repeatable)")
	c.Flags().StringArrayVar(&n.allow, "allow", nil, allowUsage)
	c.Flags().StringVar(&n.config, "config", "", configUsage)
	c.RunE = func(c *cobra.Command, args []string) error {
		subject, err := a.subjectOf(args[:1])
		if err != nil {
			return err
		}
		n.name, n.section, n.own = subject.name, subject.section, subject.own
		if n.parameters, err = parseParams(params); err != nil {
			return err
		}
		operations, err := parseOperations(args[1:])
		if err != nil {
			return err
		}
		return a.trace(c.Context(), n, operations)
	}
	return c
}

// operation is one of a command line.
type operation struct {
	name string
	args []string
	run  func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error)
}

// operations are those that may be traced, with the names of their arguments.
var operations = map[string]struct {
	args []string
	run  func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error)
}{
	"stat": {[]string{"PATH"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		info, err := d.Stat(ctx, args[0])
		if err != nil {
			return "", err
		}
		if info.IsDir() {
			return "a directory", nil
		}
		return fmt.Sprintf("a file of %d bytes, written %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339)), nil
	}},
	"list": {[]string{"PATH"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		names, err := d.List(ctx, args[0])
		return fmt.Sprintf("%d entries: %s", len(names), oneLine(strings.Join(names, " "))), err
	}},
	"walk": {[]string{"PATH"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		files, dirs := 0, 0
		err := d.Walk(ctx, args[0], func(info storagedriver.FileInfo) error {
			if info.IsDir() {
				dirs++
			} else {
				files++
			}
			return nil
		})
		return fmt.Sprintf("%d files, %d directories", files, dirs), err
	}},
	"get": {[]string{"PATH"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		r, err := d.Reader(ctx, args[0], 0)
		if err != nil {
			return "", err
		}
		size, err := io.Copy(io.Discard, r)
		return fmt.Sprintf("%d bytes", size), errors.Join(err, r.Close())
	}},
	"delete": {[]string{"PATH"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		return "deleted", d.Delete(ctx, args[0])
	}},
	"move": {[]string{"PATH", "TO"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		return "moved", d.Move(ctx, args[0], args[1])
	}},
	"put": {[]string{"PATH", "BYTES"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		size, err := sizeArgument(args[1], most["put"])
		if err != nil {
			return "", err
		}
		return "put", d.PutContent(ctx, args[0], make([]byte, size))
	}},
	"upload": {[]string{"PATH", "BYTES"}, func(ctx context.Context, d storagedriver.StorageDriver, args []string) (string, error) {
		size, err := sizeArgument(args[1], most["upload"])
		if err != nil {
			return "", err
		}
		return "committed", upload(ctx, d, args[0], size)
	}},
}

// most are the bytes that an operation may be asked for: PutContent has them all in memory.
var most = map[string]int64{"put": 64 << 20, "upload": 1 << 50}

func sizeArgument(text string, most int64) (int64, error) {
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 || size > most {
		return 0, usageError{fmt.Errorf("%q: want a number of bytes, at most %d", text, most)}
	}
	return size, nil
}

// zeros reads as nothing but them.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// parseOperations reads operations with a comma between them, which may stand behind a word as well.
func parseOperations(words []string) ([]operation, error) {
	var out []operation
	text := strings.ReplaceAll(strings.Join(words, " ")+" ", ", ", " , ")
	for part := range strings.SplitSeq(text, " , ") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			return nil, usageError{errors.New("an operation is missing before or behind a comma")}
		}
		o, ok := operations[fields[0]]
		if !ok {
			return nil, usageError{fmt.Errorf("there is no operation %q: stat, list, walk, get, delete, move, put, upload", fields[0])}
		}
		if len(fields)-1 != len(o.args) {
			return nil, usageError{fmt.Errorf("%s: want %s %s", strings.Join(fields, " "), fields[0], strings.Join(o.args, " "))}
		}
		if strings.HasSuffix(o.args[len(o.args)-1], "BYTES") {
			if _, err := sizeArgument(fields[len(fields)-1], most[fields[0]]); err != nil {
				return nil, err
			}
		}
		out = append(out, operation{fields[0], fields[1:], o.run})
	}
	return out, nil
}

func (a *app) trace(ctx context.Context, n named, operations []operation) error {
	drivers := a.compose()
	s, err := drivers.storage(n)
	if err != nil {
		return err
	}
	if !drivers.sandboxed(n.name) {
		return usageError{fmt.Errorf("%s is no .wasm file: what other drivers ask for does not pass through berth", n.name)}
	}
	drivers.record = trace.New(nil, trace.Options{Lines: 1, Sources: n.own, Logger: drivers.logger, Line: func(line string, took time.Duration) {
		line, stack, trapped := strings.Cut(line, "\n")
		if took > 0 {
			line += "  (" + took.Round(time.Microsecond).String() + ")"
		}
		fmt.Fprintln(a.stdout, line)
		if trapped {
			fmt.Fprintln(a.stdout, stack)
		}
	}})
	defer drivers.record.Close()
	d, err := s.open(ctx)
	if err != nil {
		return err
	}
	var first error
	for _, o := range operations {
		fmt.Fprintf(a.stdout, "%s %s\n", o.name, strings.Join(o.args, " "))
		begin := time.Now()
		said, err := o.run(ctx, d, o.args)
		took := time.Since(begin).Round(time.Microsecond)
		if err != nil {
			said = "failed: " + oneLine(err.Error())
			if first == nil {
				first = err
			}
		}
		fmt.Fprintf(a.stdout, "%s: %s  (%v)\n", o.name, said, took)
		if ctx.Err() != nil {
			break
		}
	}
	return closing(first, d.Close())
}
