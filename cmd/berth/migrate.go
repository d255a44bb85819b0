package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/layers/migrate"
	"github.com/berth-dev/storagedriver/registry"
)

func (a *app) migrateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move a running registry to another storage",
		Long: `Looks after the migration of a registry whose configuration names the driver migrate: it stores on the new storage, finds what is
on either, and what is on the old one alone is copied behind. docs/migrate.md has the steps.`,
		Example: "  berth migrate status --config config.yml\n  berth migrate run --config config.yml --rate 50000000\n  berth migrate finish --config config.yml",
		RunE:    helpOnly,
	}
	c.AddCommand(a.migrateStatusCommand(), a.migrateRunCommand(), a.migrateFinishCommand())
	return c
}

// migrationFlag adds --config, which is needed.
func migrationFlag(c *cobra.Command) *string {
	return c.Flags().String("config", "", "the registry's configuration, which names the driver migrate")
}

// migration returns what the configuration says of one.
func (a *app) migration(path string) (*migration, error) {
	if path == "" {
		return nil, usageError{errors.New("name the registry's configuration with --config")}
	}
	config, err := a.storageConfig(path)
	if err != nil {
		return nil, err
	}
	driver, parameters, err := registry.StorageOf(config)
	if err != nil {
		return nil, err
	}
	if driver != migrateDriver {
		return nil, usageError{fmt.Errorf("%s: its storage is %s: a migration is the driver %s, with the sections old and new", path, driver, migrateDriver)}
	}
	return parseMigration(parameters)
}

func (a *app) migrateStatusCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show how far a migration is",
		Long: `Shows how far a migration is, from what is stored on the new storage: while registries run, and after they ended. The old
storage is not asked.`,
		Example: "  berth migrate status --config config.yml\n  berth migrate status --config config.yml --output json",
		Args:    cobra.NoArgs,
	}
	config, output := migrationFlag(c), outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := a.migration(*config)
		if err != nil {
			return err
		}
		return a.migrateStatus(c.Context(), m, *output)
	}
	return c
}

// migrationReport is a State as it is printed.
type migrationReport struct {
	migrate.State
	// LeftSeconds is null where nothing tells.
	LeftSeconds *int64 `json:"leftSeconds"`
}

func (a *app) migrateStatus(ctx context.Context, m *migration, output format) (err error) {
	stores, err := a.compose().openSides(ctx, m.new)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores[0].Close()) }()
	s, err := migrate.Status(ctx, stores[0])
	if err != nil {
		return err
	}
	r := migrationReport{State: s}
	if left, ok := s.Left(); ok {
		seconds := int64(left / time.Second)
		r.LeftSeconds = &seconds
	}
	if output == formatJSON {
		return printJSON(a.stdout, r)
	}
	return printTable(a.stdout, r.rows())
}

func (r migrationReport) rows() [][]string {
	of := func(done, total migrate.Count) string {
		return fmt.Sprintf("%d of %d files, %d of %d bytes", done.Files, total.Files, done.Bytes, total.Bytes)
	}
	rows := [][]string{
		{"PHASE", string(r.Phase)},
		{"PASS", fmt.Sprint(r.Pass)},
		{"DONE", of(r.Done, r.Total)},
		{"COPIED", fmt.Sprintf("%d files, %d bytes", r.Copied.Files, r.Copied.Bytes)},
		{"FAILED", fmt.Sprint(r.Failed)},
		{"BEGUN", r.Begun.Format(time.RFC3339)},
		{"UPDATED", r.Updated.Format(time.RFC3339)},
	}
	if r.LeftSeconds != nil {
		rows = append(rows, []string{"LEFT", (time.Duration(*r.LeftSeconds) * time.Second).String()})
	}
	for _, f := range r.Failures {
		rows = append(rows, []string{"FAILURE", f.Path + ": " + oneLine(f.Error)})
	}
	return rows
}

func (a *app) migrateRunCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run",
		Short: "Copy what is on the old storage alone, and verify",
		Long: `Copies what is on the old storage alone to the new one, and compares all that the old one has, until everything is found
to be equal. Registries may run meanwhile, with copy: false: one copier works at a time. Interrupted or killed, it goes on
when it is run again; after a kill it waits first, ` + migrate.Stale.String() + ` at most. What was verified already is verified once more.`,
		Example: "  berth migrate run --config config.yml\n  berth migrate run --config config.yml --parallel 16 --rate 50000000",
		Args:    cobra.NoArgs,
	}
	config := migrationFlag(c)
	parallel := c.Flags().Int("parallel", 0, "how many files are copied at one time; 0 is what the configuration says")
	rate := c.Flags().Int64("rate", -1, "the most bytes per second that are copied, 0 for no limit; -1 is what the configuration says")
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := a.migration(*config)
		if err != nil {
			return err
		}
		if *parallel != 0 {
			m.options.Parallel = *parallel
		}
		if *rate != -1 {
			m.options.Rate = *rate
		}
		if err := m.options.Check(); err != nil {
			return usageError{errors.New("--" + plainFlag(err))}
		}
		return a.withMigration(c.Context(), m, func(d *migrate.Driver) error {
			if err := d.Copy(c.Context(), m.options); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "everything on the old storage is on the new one: 'berth migrate finish' may end the migration")
			return err
		})
	}
	return c
}

// plainFlag names a flag as its parameter is named in err.
func plainFlag(err error) string {
	var name, rest string
	if n, _ := fmt.Sscanf(plainText(err), "parameter %q", &name); n == 1 {
		rest = plainText(err)[len(fmt.Sprintf("parameter %q", name)):]
	}
	return name + rest
}

func (a *app) migrateFinishCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "finish",
		Short: "Use the new storage alone from now on",
		Long: `Ends a migration whose state is verified: looks once more whether all that the old storage has is on the new one, and whether
uploads are under way there, then has every registry use the new storage alone, which takes ` + (2 * migrate.Confirm).String() + `. Afterwards the
driver migrate can be replaced by the new one in the configuration. Interrupted, it is repeated.`,
		Example: "  berth migrate finish --config config.yml",
		Args:    cobra.NoArgs,
	}
	config := migrationFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		m, err := a.migration(*config)
		if err != nil {
			return err
		}
		return a.withMigration(c.Context(), m, func(d *migrate.Driver) error {
			if err := d.Finish(c.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "finished: the old storage is not used any more; replace the driver migrate by the new one in the configuration")
			return err
		})
	}
	return c
}

// withMigration calls f with the driver, which does not copy by itself.
func (a *app) withMigration(ctx context.Context, m *migration, f func(*migrate.Driver) error) error {
	m.copy = false
	d, err := a.composeLogging(slog.New(slog.NewTextHandler(a.stderr, nil))).openMigration(ctx, m)
	if err != nil {
		return err
	}
	return errors.Join(f(d), d.Close())
}
