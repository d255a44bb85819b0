package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) driverCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "driver",
		Short:   "List, inspect and test storage drivers",
		Example: "  berth driver ls\n  berth driver inspect registry-storage-webdav.wasm\n  berth driver test filesystem --param rootdirectory=/tmp/empty",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q; see '%s --help'", args[0], c.CommandPath(), c.CommandPath())}
			}
			return c.Help()
		},
	}
	c.AddCommand(a.driverListCommand(), a.driverInspectCommand(), a.driverTestCommand())
	return c
}
