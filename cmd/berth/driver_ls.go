package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/factory"
)

// listedDriver is one line of berth driver ls.
type listedDriver struct {
	Name string `json:"name"`
	// Kind is "native", "wasm", "executable", or "loader" for a driver that is told which file to load.
	Kind string `json:"kind"`
	Path string `json:"path,omitempty"`
	// Problem is why it cannot be opened, and what to do. It hides other files of its name all the same.
	Problem string `json:"problem,omitempty"`
}

// listedFile returns the line of a driver in a file.
func listedFile(f factory.File) listedDriver {
	d := listedDriver{Name: f.Name, Kind: "wasm", Path: f.Path}
	if isWasm(f.Path) {
		return d
	}
	d.Kind = "executable"
	if info, err := os.Stat(f.Path); err == nil && info.Mode()&0o111 == 0 {
		d.Problem = "it is not executable: chmod +x " + f.Path
	}
	return d
}

func (a *app) driverListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the drivers that a configuration may name",
		Long: `Lists the drivers that are compiled in and those in the search path, files registry-storage-NAME.wasm and
executables registry-storage-NAME: the folders of BERTH_DRIVER_PATH, then that of berth itself. Of two of one name the
one that is compiled in counts, then the one in the first folder, and in one folder the .wasm file.`,
		Example: "  berth driver ls\n  BERTH_DRIVER_PATH=/usr/lib/berth berth driver ls --output json",
		Args:    cobra.NoArgs,
	}
	output := outputFlag(c)
	c.RunE = func(*cobra.Command, []string) error {
		drivers := a.compose()
		var list []listedDriver
		for _, name := range drivers.Names() {
			kind := "native"
			if name == wasmDriver || name == ipcDriver {
				kind = "loader"
			}
			list = append(list, listedDriver{Name: name, Kind: kind})
		}
		for _, f := range drivers.Files() {
			list = append(list, listedFile(f))
		}
		if *output == formatJSON {
			return printJSON(a.stdout, map[string]any{"drivers": list, "searchPath": drivers.SearchPath})
		}
		rows := [][]string{{"NAME", "KIND", "PATH"}}
		for _, d := range list {
			row := []string{d.Name, d.Kind, d.Path}
			if d.Problem != "" {
				row = append(row, d.Problem)
			}
			rows = append(rows, row)
		}
		return printTable(a.stdout, rows)
	}
	return c
}
