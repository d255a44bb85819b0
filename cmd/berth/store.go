package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/registry"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "List, read, copy, check and clean up what is in a storage",
		Long: `Works on what is in a storage through its driver, with no registry in between: --driver names a driver, or the file of one, with --param
for its parameters; --config takes the storage of a registry's configuration, or of its stores the one that --store names. Paths
begin with /, below the driver's root.`,
		Example: "  berth store ls / --config config.yml\n" +
			"  berth store cp -r / / --config old.yml --to-config new.yml\n" +
			"  berth store check /docker/registry/v2/blobs --driver filesystem --param rootdirectory=/var/lib/registry",
		RunE: helpOnly,
	}
	c.AddCommand(a.storeListCommand(), a.storeStatCommand(), a.storeCatCommand(), a.storePutCommand(), a.storeCopyCommand(), a.storeMoveCommand(),
		a.storeRemoveCommand(), a.storeUsageCommand(), a.storeCheckCommand(), a.orphansCommand())
	return c
}

// helpOnly runs a command that only has others below it.
func helpOnly(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command %q for %q; see '%s --help'", args[0], c.CommandPath(), c.CommandPath())}
	}
	return c.Help()
}

// storeFlags choose a storage: a driver by name or file, or that of a registry's configuration.
type storeFlags struct {
	prefix        string // of the flags' names: "" or "to-"
	params, allow []string
	driver        string
	config, store string
}

func (f *storeFlags) add(c *cobra.Command) {
	of := ""
	if f.prefix != "" {
		of = "of the destination: "
	}
	c.Flags().StringVar(&f.driver, f.prefix+"driver", "", of+"the name of a driver, or its file")
	c.Flags().StringVar(&f.config, f.prefix+"config", "", of+"take the driver and its parameters from this registry's configuration")
	c.Flags().StringVar(&f.store, f.prefix+"store", "", of+"of that configuration take the store of this name, which its .wasm driver is granted; a.b is the store b of the store a")
	c.Flags().StringArrayVar(&f.params, f.prefix+"param", nil, of+"a parameter of the driver, key=value; a.b=value is b in the map a (repeatable)")
	c.Flags().StringArrayVar(&f.allow, f.prefix+"allow", nil, of+allowUsage)
}

// given reports whether one of the flags was.
func (f *storeFlags) given() bool {
	return f.driver != "" || f.config != "" || f.store != "" || len(f.params) > 0 || len(f.allow) > 0
}

// open opens what is below the driver's gate; name is an argument that may stand for --driver. The caller closes it.
func (f *storeFlags) open(ctx context.Context, a *app, name string) (storagedriver.Backend, error) {
	p := f.prefix
	switch {
	case f.driver != "" && name != "":
		return nil, usageError{fmt.Errorf("%s and --driver %s name two drivers: leave out one", name, f.driver)}
	case f.driver != "":
		name = f.driver
	}
	if f.config != "" {
		if name != "" || len(f.params) > 0 || len(f.allow) > 0 {
			return nil, usageError{fmt.Errorf("--%sconfig names the driver and its parameters: leave out the name, --%sdriver, --%sparam and --%sallow", p, p, p, p)}
		}
		return f.configured(ctx, a)
	}
	if f.store != "" {
		return nil, usageError{fmt.Errorf("--%sstore %s is of a configuration: name that with --%sconfig", p, f.store, p)}
	}
	if name == "" {
		return nil, usageError{fmt.Errorf("name a driver, or the file of one, with --%sdriver, or a configuration with --%sconfig", p, p)}
	}
	parameters, err := parseParams(f.params)
	if err != nil {
		return nil, err
	}
	return a.compose().namedBackend(ctx, named{name: name, allow: f.allow, parameters: parameters})
}

// configured opens the storage of the configuration, or the store of it that is named.
func (f *storeFlags) configured(ctx context.Context, a *app) (storagedriver.Backend, error) {
	config, err := a.storageConfig(f.config)
	if err != nil {
		return nil, err
	}
	driver, parameters, err := registry.StorageOf(config)
	if err != nil {
		return nil, err
	}
	switch {
	case driver == migrateDriver:
		if driver, parameters, err = sideOf(parameters, f.store); err != nil {
			return nil, fmt.Errorf("%s: %w", f.config, err)
		}
	case f.store != "":
		if driver, parameters, err = storeIn(parameters, f.store); err != nil {
			return nil, fmt.Errorf("%s: %w", f.config, err)
		}
	}
	return a.compose().backend(ctx, driver, parameters)
}

// storeIn returns the driver and the parameters of the store of a driver's section that name names: a, or a.b for one of a's own.
func storeIn(parameters map[string]any, name string) (driver string, _ map[string]any, err error) {
	for part := range strings.SplitSeq(name, ".") {
		var wrong mistakes
		stores, _ := wrong.section(storesKey, parameters[storesKey])
		value, there := stores[part]
		if !there {
			return "", nil, usageError{fmt.Errorf("there is no store %q: there %s", name, listed(sortedKeys(stores)))}
		}
		var ok bool
		if driver, parameters, ok = wrong.store(storesKey+"."+part, value); !ok {
			return "", nil, usageError{wrong}
		}
	}
	return driver, parameters, nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "are none"
	}
	return "are " + strings.Join(names, ", ")
}

// opened opens the driver. The caller closes it.
func (f *storeFlags) opened(ctx context.Context, a *app) (storagedriver.StorageDriver, error) {
	b, err := f.open(ctx, a, "")
	if err != nil {
		return nil, err
	}
	return layers.Complete(b, a.compose().options()...), nil
}

// on calls do with the driver, which it opens and closes.
func (f *storeFlags) on(ctx context.Context, a *app, do func(d storagedriver.StorageDriver) error) error {
	d, err := f.opened(ctx, a)
	if err != nil {
		return err
	}
	return closing(do(d), d.Close())
}

// namedBackend opens what is below the gate of a driver. The caller closes it.
func (c *composition) namedBackend(ctx context.Context, n named) (storagedriver.Backend, error) {
	s, err := c.storage(n)
	if err != nil {
		return nil, err
	}
	return s.backend(ctx)
}
