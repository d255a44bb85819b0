package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) driverCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "driver",
		Short:   "Write, build, list, inspect, test and replay storage drivers",
		Example: "  berth driver new mystore --lang rust\n  berth driver ls\n  berth driver inspect registry-storage-webdav.wasm\n  berth driver test filesystem --param rootdirectory=/tmp/empty",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q; see '%s --help'", args[0], c.CommandPath(), c.CommandPath())}
			}
			return c.Help()
		},
	}
	c.AddCommand(a.driverNewCommand(), a.driverBuildCommand(), a.driverListCommand(), a.driverInspectCommand(), a.driverSchemaCommand(), a.driverTestCommand(), a.driverBenchCommand(), a.driverTraceCommand(), a.driverReplayCommand())
	return c
}
