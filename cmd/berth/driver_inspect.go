package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/runtime"
)

func (a *app) driverInspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE|NAME",
		Short: "Show what a driver in a file is and what it asks for",
		Long: `Asks a driver in a file for its manifest, and shows that with the digest of the file and the version it was built for
beside this command's. Nothing is opened: the driver is given no parameters.

A .wasm driver is asked with nothing in reach, and shown with its imports and its memory. An executable
registry-storage-NAME is started as it will be, and shown with how it is confined. That is no sandbox: it can do
what you can, also now.`,
		Example: "  berth driver inspect build/guests/webdav.wasm\n  berth driver inspect webdav --output json\n" +
			"  berth driver inspect examples/python-sqlite/registry-storage-sqlite",
		Args: cobra.ExactArgs(1),
	}
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.inspect(c.Context(), args[0], *output)
	}
	return c
}

func (a *app) inspect(ctx context.Context, name string, output format) (err error) {
	drivers := a.compose()
	path, err := drivers.fileOf(name)
	if err != nil {
		return err
	}
	if !isWasm(path) {
		return a.inspectExecutable(ctx, drivers, path, output)
	}
	module, err := drivers.module(ctx, path, sandboxConfig{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, module.Close(context.WithoutCancel(ctx))) }()
	major, minor, err := module.GuestABI(ctx)
	if err != nil {
		return err
	}
	info := inspection{Info: module.Info(), Guest: driverVersion{
		Built: abiVersion(major, minor), HostsFrom: abiVersion(major, minor), HostsBefore: abiVersion(major+1, 0),
	}}
	if output == formatJSON {
		return printJSON(a.stdout, info)
	}
	return printTable(a.stdout, inspectRows(info))
}

// inspection is what is shown of a module. The host's version is Info's.
type inspection struct {
	runtime.Info
	// Guest is what its export abi answers.
	Guest driverVersion `json:"guestABI"`
}

// driverVersion is the version that a driver was built for, and the versions of hosts that run such drivers: from one on and before
// another.
type driverVersion struct {
	Built       string `json:"built"`
	HostsFrom   string `json:"hostsFrom"`
	HostsBefore string `json:"hostsBefore"`
}

// String is for people.
func (v driverVersion) String() string {
	return fmt.Sprintf("%s: runs on hosts of %s and later, before %s", v.Built, v.HostsFrom, v.HostsBefore)
}

func abiVersion(major, minor uint32) string { return fmt.Sprintf("%d.%d", major, minor) }

func inspectRows(info inspection) [][]string {
	m := info.Manifest
	rows := [][]string{
		{"file", info.File},
		{"sha256", info.SHA256},
		{"name", m.Name},
		{"version", m.Version},
		{"description", m.Description},
		{"guest ABI", info.Guest.String()},
		{"host ABI", info.ABI},
		{"memory", fmt.Sprintf("%s at the start, at most %s", mebibytes(info.MemoryMin), mebibytes(info.MemoryMax))},
		{"abilities", strings.Join(m.Abilities, ", ")},
	}
	list := func(heading string, items []string) {
		if len(items) == 0 {
			items = []string{"none"}
		}
		for i, item := range items {
			if i > 0 {
				heading = ""
			}
			rows = append(rows, []string{heading, item})
		}
	}
	list("asks to reach", m.Hosts)
	list("imports", info.Imports)
	list("exports", info.Exports)
	return append(rows, []string{"parameters", string(m.Schema)})
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
