package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/registry"
	"github.com/berth-dev/storagedriver/registry/config"
)

func (a *app) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check and show configurations",
		Long: `Checks and shows what 'berth serve' and 'berth garbage-collect' would run with. Nothing is opened,
written or reached: only files that the configuration names, such as certificates, are read.`,
		Example: "  berth config validate config.yml\n  berth config show config.yml --origin\n  berth config schema > schema.json",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.configValidateCommand(), a.configShowCommand(), a.configSchemaCommand())
	return c
}

// readConfig reads the configuration that the arguments, or a variable, name; without either, the one
// that is built in.
func (a *app) readConfig(args []string) (*config.Document, error) {
	tree := config.New(a.knownDrivers())
	path := a.configPath(args)
	if path == "" {
		return tree.Read(strings.NewReader(builtinConfig), builtinName)
	}
	return registry.ReadConfig(path, tree)
}

// builtinName is what the built-in configuration is called where a file's name would stand.
const builtinName = "built in"

func (a *app) configPath(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return a.getenv(configVariable)
}

// soundConfig is readConfig for those who run what it says: its warnings go to standard error.
func (a *app) soundConfig(args []string) (*registry.Config, error) {
	d, err := a.readConfig(args)
	if err != nil {
		return nil, err
	}
	if err := d.Err(); err != nil {
		return nil, err
	}
	for _, p := range d.Problems {
		fmt.Fprintln(a.stderr, "berth:", p)
	}
	return d.Config, nil
}

// storageConfig is soundConfig for those who need the storage alone: the certificates that the server
// has may be missing where they run.
func (a *app) storageConfig(path string) (*registry.Config, error) {
	d, err := a.readConfig([]string{path})
	if err != nil {
		return nil, err
	}
	return d.Config, d.ErrWithin("version", "log", "storage")
}

// invalidConfig ends a command that has printed the problems itself.
type invalidConfig struct {
	name string
	n    int
}

func (e invalidConfig) Error() string {
	if e.n == 1 {
		return e.name + ": there is 1 problem"
	}
	return fmt.Sprintf("%s: there are %d problems", e.name, e.n)
}

func (a *app) configValidateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "List all that is wrong with a configuration",
		Long: `Lists all that is wrong with a configuration and with the REGISTRY_* variables, one line each: file and line or
variable, key, what is wrong, what to do. Warnings are settings that have no effect. The exit status is 2 when there
is anything but warnings, 4 when there is no such file. Without FILE, REGISTRY_CONFIGURATION_PATH names it.`,
		Example: "  berth config validate config.yml\n  berth config validate config.yml --output json",
		Args:    cobra.MaximumNArgs(1),
	}
	output := formatsFlag(c, formatTable, formatJSON, formatYAML)
	c.RunE = func(_ *cobra.Command, args []string) error {
		d, err := a.readConfig(args)
		if err != nil {
			return err
		}
		if err := a.printProblems(d, output.format); err != nil {
			return err
		}
		n := 0
		for _, p := range d.Problems {
			if !p.Warning {
				n++
			}
		}
		if n > 0 {
			return usageError{invalidConfig{d.Name, n}}
		}
		return nil
	}
	return c
}

func (a *app) printProblems(d *config.Document, f format) error {
	if f != formatTable {
		problems := d.Problems
		if problems == nil {
			problems = []config.Problem{}
		}
		return printAs(a.stdout, f, map[string]any{"file": d.Name, "valid": d.Err() == nil, "problems": problems})
	}
	for _, p := range d.Problems {
		if _, err := fmt.Fprintln(a.stdout, p); err != nil {
			return err
		}
	}
	if len(d.Problems) > 0 {
		return nil
	}
	_, err := fmt.Fprintln(a.stdout, d.Name+": ok")
	return err
}

func (a *app) configShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show the configuration that counts",
		Long: `Shows the configuration that counts: the file, overridden by the REGISTRY_* variables, with the defaults of what is
on. Secrets are shown as ***. --origin says of each value whether it comes from a line of the file, a variable or is
a default. Without FILE it is the one that 'berth serve' would use.`,
		Example: "  berth config show config.yml\n  REGISTRY_HTTP_ADDR=:5001 berth config show config.yml --origin --output table",
		Args:    cobra.MaximumNArgs(1),
	}
	origin := c.Flags().Bool("origin", false, "say where each value comes from")
	output := formatsFlag(c, formatYAML, formatTable, formatJSON)
	c.RunE = func(_ *cobra.Command, args []string) error {
		d, err := a.readConfig(args)
		if err != nil {
			return err
		}
		if err := d.Err(); err != nil {
			return err
		}
		return a.printValues(d.Values(), output.format, *origin)
	}
	return c
}

func (a *app) printValues(values []config.Value, f format, origin bool) error {
	switch {
	case f == formatTable:
		rows := [][]string{{"KEY", "VALUE"}}
		if origin {
			rows[0] = append(rows[0], "ORIGIN")
		}
		for _, v := range values {
			row := []string{v.Path, fmt.Sprint(v.Value)}
			if origin {
				row = append(row, v.Origin.String())
			}
			rows = append(rows, row)
		}
		return printTable(a.stdout, rows)
	case f == formatJSON && origin:
		return printJSON(a.stdout, map[string]any{"values": values})
	case f == formatJSON:
		return printAs(a.stdout, f, config.Nested(values))
	}
	text, err := config.YAML(values, origin)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a *app) configSchemaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of configurations",
		Long: `Prints the JSON Schema (2020-12) of configurations, with the parameters of the drivers that 'berth driver ls' lists. Editors
complete and check by it: with the YAML language server, a first line "# yaml-language-server: $schema=schema.json".
It knows nothing of variables, and 'berth config validate' finds more.`,
		Example: "  berth config schema > schema.json",
		Args:    cobra.NoArgs,
	}
	output := formatsFlag(c, formatJSON, formatYAML)
	c.RunE = func(*cobra.Command, []string) error {
		return printAs(a.stdout, output.format, config.New(a.knownDrivers()).Schema())
	}
	return c
}
