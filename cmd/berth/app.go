package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// app is one run of the command: what it reads from and writes to.
type app struct {
	stdin          io.Reader // nil is an empty one
	stdout, stderr io.Writer
	getenv         func(string) string
	executable     func() (string, error)

	// begun is set once the command line was understood: failures before that are usage.
	begun bool
}

// main runs the command line and returns the exit status.
func (a *app) main(ctx context.Context, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// After the first signal the default is back: a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	return a.execute(ctx, args)
}

func (a *app) execute(ctx context.Context, args []string) int {
	root := a.command()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return statusOK
	}
	var usage usageError
	if !a.begun && !errors.As(err, &usage) {
		err = usageError{err}
	}
	status := statusOf(ctx, err)
	text := oneLine(err.Error())
	if status == statusUsage && !a.begun {
		text += fmt.Sprintf("; see '%s --help'", command.CommandPath())
	}
	fmt.Fprintln(a.stderr, "berth:", text)
	return status
}

// command returns the whole tree of commands.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "berth",
		Short: "OCI registries on storage drivers: native, sandboxed, or processes of their own",
		Long: `Berth runs OCI registries on storage drivers. A driver is compiled in, or a .wasm file that is
loaded at run time into a sandbox: it reaches the origins it was allowed, and nothing else. Or it is an
executable in any language, which runs as a process of its own and can do what its user can.

` + statusHelp,
		Example:       "  berth quickstart\n  berth serve config.yml\n  berth driver inspect registry-storage-webdav.wasm",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.begun = true
		},
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		a.quickstartCommand(), a.serveCommand(), a.garbageCollectCommand(), a.configCommand(), a.driverCommand(), a.storeCommand(), a.migrateCommand(), a.versionCommand(),
	)
	return root
}

// oneLine joins the lines of text.
func oneLine(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
