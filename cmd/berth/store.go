package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry"
)

func (a *app) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "store",
		Short:   "Look after a storage",
		Example: "  berth store orphans ls --config config.yml\n  berth store orphans abort filesystem --param rootdirectory=/var/lib/registry --dry-run",
		RunE:    helpOnly,
	}
	c.AddCommand(a.orphansCommand())
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
	params, allow []string
	config        string
}

func (f *storeFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "take the driver and its parameters from this registry's configuration")
	c.Flags().StringArrayVar(&f.params, "param", nil, "a parameter of the driver, key=value; a.b=value is b in the map a (repeatable)")
	c.Flags().StringArrayVar(&f.allow, "allow", nil, "an origin that a sandboxed driver may reach, scheme://host:port (repeatable)")
}

// open opens what is below the driver's gate. The caller closes it.
func (f *storeFlags) open(ctx context.Context, a *app, args []string) (storagedriver.Backend, error) {
	if f.config != "" {
		if len(args) > 0 || len(f.params) > 0 || len(f.allow) > 0 {
			return nil, usageError{errors.New("--config names the driver and its parameters: leave out the name, --param and --allow")}
		}
		config, err := a.storageConfig(f.config)
		if err != nil {
			return nil, err
		}
		name, parameters, err := registry.StorageOf(config)
		if err != nil {
			return nil, err
		}
		return a.compose().backend(ctx, name, parameters)
	}
	if len(args) == 0 {
		return nil, usageError{errors.New("name a driver, the file of one, or a configuration with --config")}
	}
	parameters, err := parseParams(f.params)
	if err != nil {
		return nil, err
	}
	return a.compose().namedBackend(ctx, named{name: args[0], allow: f.allow, parameters: parameters})
}

// namedBackend opens what is below the gate of a driver. The caller closes it.
func (c *composition) namedBackend(ctx context.Context, n named) (storagedriver.Backend, error) {
	s, err := c.storage(n)
	if err != nil {
		return nil, err
	}
	return s.backend(ctx)
}
