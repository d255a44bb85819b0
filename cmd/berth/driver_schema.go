package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/abi"
)

func (a *app) driverSchemaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema FILE|NAME",
		Short: "Print the JSON Schema of a driver's parameters",
		Long: `Prints the JSON Schema (2020-12) of a driver's parameters, with types, defaults, what they are for, and secrets as writeOnly. Of a driver that is compiled in, and of wasm
and ipc, that is what stands below its name in the section storage, the section layers included. Of a driver in a file it is what its manifest declares: what stands below
"parameters" in its section. It is laxer than the driver where a rule joins several parameters.`,
		Example: "  berth driver schema filesystem\n  berth driver schema ./registry-storage-webdav.wasm --output yaml",
		Args:    cobra.ExactArgs(1),
	}
	output := formatsFlag(c, formatJSON, formatYAML)
	c.RunE = func(c *cobra.Command, args []string) error {
		schema, err := a.compose().schemaOf(c.Context(), args[0])
		if err != nil {
			return err
		}
		return printAs(a.stdout, output.format, schema)
	}
	return c
}

// schemaOf returns the schema of the driver called name, or in the file of that name.
func (c *composition) schemaOf(ctx context.Context, name string) (map[string]any, error) {
	if !isFile(name) && c.foundFile(name) == "" {
		if d, ok := c.known().driver(name); ok {
			return d.Schema(), nil
		}
	}
	path, err := c.fileOf(name)
	if err != nil {
		return nil, err
	}
	m, err := c.manifest(ctx, path)
	if err != nil {
		return nil, err
	}
	schema := map[string]any{"type": "object"}
	if len(m.Schema) > 0 {
		if err := json.Unmarshal(m.Schema, &schema); err != nil {
			return nil, fmt.Errorf("%s: the schema in its manifest: %w", path, err)
		}
	} else if isWasm(path) {
		schema["additionalProperties"] = false // one without has no parameters
	}
	if schema["$schema"] == nil {
		schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	}
	if schema["title"] == nil {
		schema["title"] = "Parameters of the storage driver " + m.Name
	}
	return schema, nil
}

// manifest asks the driver in the file at path for its manifest, with nothing in reach.
func (c *composition) manifest(ctx context.Context, path string) (_ *abi.Manifest, err error) {
	if !isWasm(path) {
		d, err := c.executable(ctx, path, defaultProcess())
		if err != nil {
			return nil, err
		}
		return d.Manifest(), nil
	}
	s := &sandbox{}
	module, err := c.module(ctx, path, s.Cache, s.config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, module.Close(context.WithoutCancel(ctx))) }()
	return module.Info().Manifest, nil
}
