package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/runtime"
)

func (a *app) driverInspectCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE|NAME",
		Short: "Show what a driver in a file is and what it asks for",
		Long: `Asks a driver in a file for its manifest, and shows that with the digest of the file and the version it was built for
beside this command's. Nothing is opened: the driver is given no parameters.

A .wasm driver is asked with nothing in reach, and shown with its imports and its memory. Without a policy it can do
nothing but describe itself. With --config, which is a file with the driver's section or the configuration of a registry, inspect says
what that lets it do, what it asks for and does not get, and what it gets without asking; credentials and secrets are neither
read nor shown. --strict makes it exit status 6 when it asks for something that it does not get. An executable
registry-storage-NAME is started as it will be, and shown with how it is confined. That is no sandbox: it can do
what you can, also now.`,
		Example: "  berth driver inspect build/guests/webdav.wasm\n  berth driver inspect webdav.wasm --config config.yml --strict\n  berth driver inspect webdav --output json\n" +
			"  berth driver inspect examples/python-sqlite/registry-storage-sqlite",
		Args: cobra.ExactArgs(1),
	}
	var o inspectOptions
	c.Flags().StringVar(&o.config, "config", "", "say what this file lets a .wasm driver do: its section, or a registry's configuration")
	c.Flags().BoolVar(&o.strict, "strict", false, "fail when the driver asks for what --config does not grant")
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.output = *output
		if o.strict && o.config == "" {
			return usageError{errors.New("--strict compares what the driver asks for with --config: name a file there")}
		}
		return a.inspect(c.Context(), args[0], o)
	}
	return c
}

// inspectOptions are the command's flags.
type inspectOptions struct {
	config string
	strict bool
	output format
}

func (a *app) inspect(ctx context.Context, name string, o inspectOptions) (err error) {
	drivers := a.compose()
	path, err := drivers.fileOf(name)
	if err != nil {
		return err
	}
	if !isWasm(path) {
		if o.config != "" {
			return usageError{fmt.Errorf("--config says what a .wasm driver may do, and %s is an executable, which can do what its user can", path)}
		}
		return a.inspectExecutable(ctx, drivers, path, o.output)
	}
	s, from, err := drivers.sandboxFrom(name, o.config)
	if err != nil {
		return err
	}
	module, err := drivers.module(ctx, path, s.Cache, s.config())
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
	if from != nil {
		if info.Policy, err = drivers.policyOf(s, from, info.Manifest); err != nil {
			return err
		}
		if err := module.CheckParameters(s.Parameters); err != nil {
			info.Policy.Missing = append(info.Policy.Missing, missing{Kind: "parameters", Why: plainText(err)})
		}
	}
	if o.output == formatJSON {
		err = printJSON(a.stdout, info)
	} else {
		err = printTable(a.stdout, inspectRows(info))
	}
	if err == nil && o.strict && len(info.Policy.Missing) > 0 {
		err = storagedriver.Errorf(storagedriver.KindDenied, "%s asks for what it does not get: %s", path, strings.Join(words(info.Policy.Missing), "; "))
	}
	return err
}

// sandboxFrom returns what the file config lets the driver called name do, and where that stands; from is nil without a file.
func (c *composition) sandboxFrom(name, config string) (s *sandbox, from *driverSection, err error) {
	if config == "" {
		return &sandbox{}, nil, nil
	}
	if from, err = c.section(name, config); err != nil {
		return nil, nil, err
	}
	own := maps.Clone(from.parameters)
	delete(own, stack.Key)
	s, err = parseSandbox(own)
	return s, from, err
}

// inspection is what is shown of a module. The host's version is Info's.
type inspection struct {
	runtime.Info
	// Guest is what its export abi answers.
	Guest driverVersion `json:"guestABI"`
	// Policy is what --config grants; nil without.
	Policy *policy `json:"policy,omitempty"`
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
	list("asks for stores", m.Stores)
	list("asks for credentials", m.Credentials)
	list("asks for secrets", m.Secrets)
	if m.Memory > 0 {
		list("asks for memory", []string{mebibytes(m.Memory)})
	}
	list("imports", info.Imports)
	list("exports", info.Exports)
	rows = append(rows, []string{"parameters", string(m.Schema)})
	if info.Policy != nil {
		return append(rows, info.Policy.rows()...)
	}
	return append(rows, []string{"policy", "none: without one it does nothing but describe itself; --config FILE says what one lets it do"})
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
