package main

import (
	"github.com/spf13/cobra"
)

// listedDriver is one line of berth driver ls.
type listedDriver struct {
	Name string `json:"name"`
	// Kind is "native", "wasm", or "loader" for the driver that is told which file to load.
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"`
}

func (a *app) driverListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the drivers that a configuration may name",
		Long: `Lists the drivers that are compiled in and those in files registry-storage-NAME.wasm in the search path: the
folders of BERTH_DRIVER_PATH, then the executable's.`,
		Example: "  berth driver ls\n  BERTH_DRIVER_PATH=/usr/lib/berth berth driver ls --output json",
		Args:    cobra.NoArgs,
	}
	output := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		drivers := a.compose()
		var list []listedDriver
		for _, name := range drivers.Names() {
			kind := "native"
			if name == wasmDriver {
				kind = "loader"
			}
			list = append(list, listedDriver{Name: name, Kind: kind})
		}
		for _, f := range drivers.Files() {
			list = append(list, listedDriver{f.Name, "wasm", f.Path})
		}
		if *output == formatJSON {
			return printJSON(a.stdout, map[string]any{"drivers": list, "searchPath": drivers.SearchPath})
		}
		rows := [][]string{{"NAME", "KIND", "PATH"}}
		for _, d := range list {
			rows = append(rows, []string{d.Name, d.Kind, d.Path})
		}
		return printTable(a.stdout, rows)
	}
	return c
}
