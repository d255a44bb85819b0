package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/internal/kit"
	"github.com/berth-dev/storagedriver/runtime"
)

func (a *app) driverBuildCommand() *cobra.Command {
	var (
		out   string
		debug bool
	)
	c := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Compile the project of a sandboxed driver",
		Long: `Compiles the project in the folder DIR, or in this one, as its driver.yml says, into registry-storage-NAME.wasm there. The driver is then asked for
its manifest: a module that this berth would not load is an error here. What the compiler says goes to standard error. A compiler that is not there
is exit status 4, and the error names what to install.

With --debug the module has debug information, which 'berth driver trace' and 'berth driver test' need to name lines of source. It is NAME.debug.wasm then,
which is no name that drivers are found by: lines make a module some times as large. Rust is compiled with the profile trace of Cargo.toml. Go has no debug
information for WebAssembly, and TinyGo always has: their modules are the same.`,
		Example: "  berth driver build\n  berth driver build --debug\n" +
			"  berth driver build mystore --out /usr/lib/berth/registry-storage-mystore.wasm\n  berth driver build --output json",
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&out, "out", "", "the file to write (default registry-storage-NAME.wasm in the project, or NAME.debug.wasm)")
	c.Flags().BoolVar(&debug, "debug", false, "keep what names lines of source in traces and in the stacks of traps")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := kit.Read(dirArgument(args))
		if err != nil {
			return err
		}
		compile := p.Build
		if debug {
			compile = p.BuildDebug
		}
		switch {
		case out == "" && debug:
			out = p.DebugModule()
		case out == "":
			out = p.Module()
		}
		return a.build(c.Context(), compile, out, *output)
	}
	return c
}

func dirArgument(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// built is what --output json prints.
type built struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	MS      int64  `json:"ms"`
}

func (a *app) build(ctx context.Context, compile func(context.Context, string, io.Writer) error, out string, output format) (err error) {
	begin := time.Now()
	if err := compile(ctx, out, a.stderr); err != nil {
		return err
	}
	took := time.Since(begin)
	module, err := a.compose().module(ctx, out, "", runtime.Config{})
	if err != nil {
		return fmt.Errorf("%s was built, and cannot be loaded: %w", out, err)
	}
	defer func() { err = errors.Join(err, module.Close(context.WithoutCancel(ctx))) }()
	info, stat := module.Info(), int64(0)
	if s, err := os.Stat(out); err == nil {
		stat = s.Size()
	}
	b := built{out, info.Manifest.Name, info.Manifest.Version, stat, info.SHA256, took.Milliseconds()}
	if output == formatJSON {
		return printJSON(a.stdout, b)
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s %s, %d bytes, sha256 %s, in %s\n", b.File, b.Name, b.Version, b.Bytes, b.SHA256, took.Round(10*time.Millisecond))
	return err
}

// project is the driver of the project in the folder dir, as it was built last, with debug information or without, and with what its driver.yml says of
// testing it.
func project(dir string) (named, error) {
	p, err := kit.Read(dir)
	if err != nil {
		return named{}, err
	}
	module := p.Module()
	built, err := os.Stat(module)
	if debug, debugErr := os.Stat(p.DebugModule()); debugErr == nil && (err != nil || debug.ModTime().After(built.ModTime())) {
		module, err = p.DebugModule(), nil
	}
	if err != nil {
		return named{}, usageError{fmt.Errorf("%s is not there: build it first, with 'berth driver build'", module)}
	}
	section := p.Test
	if section == nil {
		section = map[string]any{}
	}
	return named{name: module, section: section, own: true}, nil
}
