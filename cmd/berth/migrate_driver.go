package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers/migrate"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/registry/config"
)

// migrateDriver is the driver over the two stores of a migration.
const migrateDriver = migrate.Name

// migrateConfig is the section of the driver migrate as it is written.
type migrateConfig struct {
	// Old is the storage that is left: a driver's name and its section, as under "storage".
	Old any `parameter:"old"`
	// New is the storage that is moved to, likewise.
	New any `parameter:"new"`
	// Copy says whether a registry copies by itself; otherwise 'berth migrate run' does.
	Copy bool `parameter:"copy"`
	// Parallel is how many files are copied at one time.
	Parallel int `parameter:"parallel"`
	// Rate is the most bytes per second that are copied; 0 is no limit.
	Rate int64 `parameter:"rate"`
	// Verify says how what was copied is compared in the end: digest reads both sides, size does not.
	Verify migrateVerify `parameter:"verify"`
}

func defaultMigration() migrateConfig {
	return migrateConfig{Copy: true, Parallel: migrate.DefaultParallel, Verify: migrateVerify(migrate.VerifyDigest)}
}

// migrateVerify is a value of "verify".
type migrateVerify migrate.Verify

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *migrateVerify) UnmarshalText(text []byte) error {
	switch migrate.Verify(text) {
	case migrate.VerifyDigest, migrate.VerifySize:
		*v = migrateVerify(text)
		return nil
	}
	return errors.New("must be digest or size")
}

// Values returns all of them.
func (migrateVerify) Values() []string {
	return []string{string(migrate.VerifyDigest), string(migrate.VerifySize)}
}

// migration is a section that was read.
type migration struct {
	old, new granted
	copy     bool
	options  migrate.CopyOptions
}

// sides are the keys of a migration's stores.
var sides = [2]string{"old", "new"}

// parseMigration reads a section. It opens nothing. Its error is as that of parseSandbox.
func parseMigration(parameters map[string]any) (*migration, error) {
	read := defaultMigration()
	if err := factory.Decode(parameters, &read); err != nil {
		return nil, err
	}
	out := &migration{copy: read.Copy, options: migrate.CopyOptions{Parallel: read.Parallel, Rate: read.Rate, Verify: migrate.Verify(read.Verify)}}
	var m mistakes
	for i, value := range []any{read.Old, read.New} {
		if value == nil {
			m.at(sides[i], "is missing: name a driver there, as the section storage does")
			continue
		}
		driver, parameters, ok := m.store(sides[i], value)
		switch {
		case !ok:
			continue
		case driver == migrateDriver:
			m.at(sides[i]+"."+driver, "is a migration itself: finish one before the next")
			continue
		}
		if i == 0 {
			out.old = granted{sides[i], driver, parameters}
		} else {
			out.new = granted{sides[i], driver, parameters}
		}
		m.depth(sides[i]+"."+driver, parameters, 1)
	}
	if read.Parallel == 0 {
		m.at("parallel", "must be a whole number from 1 to 256")
	} else if err := out.options.Check(); err != nil {
		m = append(m, err)
	}
	return out, m.err()
}

// migrationSection returns what the driver is configured by.
func migrationSection(stores *config.Node) *config.Node {
	n := config.OfParameters(defaultMigration())
	for _, side := range sides {
		replace(n, side, stores)
	}
	return n
}

// judgeMigration returns what says what is wrong with the section. judges are as in judgeSandbox.
func judgeMigration(judges map[string]func(map[string]any) error) func(map[string]any) error {
	return func(parameters map[string]any) error {
		if _, layered := parameters[stack.Key]; layered {
			return noLayers()
		}
		read, err := parseMigration(parameters)
		if err != nil {
			return err
		}
		var m mistakes
		for _, side := range []granted{read.old, read.new} {
			if judge := judges[side.driver]; judge != nil {
				m.below(side.name+"."+side.driver, judge(side.parameters))
			}
		}
		return m.err()
	}
}

func noLayers() error {
	return &config.PlaceError{Key: stack.Key, Message: "is of a single store: put it into the sections of the drivers under old and new"}
}

// migrateFactory makes drivers of a section.
type migrateFactory struct{ c *composition }

// Create implements factory.StorageDriverFactory.
func (f migrateFactory) Create(ctx context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	if _, layered := parameters[stack.Key]; layered {
		return nil, noLayers()
	}
	m, err := parseMigration(maps.Clone(parameters))
	if err != nil {
		return nil, err
	}
	return f.c.openMigration(ctx, m)
}

// openMigration opens both stores, asks each once, and goes on with the migration between them. The caller closes it.
func (c *composition) openMigration(ctx context.Context, m *migration) (_ *migrate.Driver, err error) {
	stores, err := c.openSides(ctx, m.old, m.new)
	if err != nil {
		return nil, err
	}
	d, err := migrate.Open(ctx, migrate.Config{
		Old: stores[0], New: stores[1], Copy: m.copy, Copying: m.options, Logger: c.logger, Gate: c.options(),
	})
	if err != nil {
		return nil, closing(err, errors.Join(stores[1].Close(), stores[0].Close()))
	}
	return d, nil
}

// openSides opens the backends of stores, with their layers, and asks each once. The caller closes them.
func (c *composition) openSides(ctx context.Context, stores ...granted) (out []storagedriver.Backend, err error) {
	inner := *c
	inner.record = nil // a trace is of one driver
	defer func() {
		for _, b := range out {
			if err != nil {
				err = closing(err, b.Close())
			}
		}
	}()
	for _, s := range stores {
		b, err := inner.backend(ctx, s.driver, s.parameters)
		if err != nil {
			return out, fmt.Errorf("%s: %w", s.name, err)
		}
		out = append(out, b)
		if err := statBackend(ctx, b); err != nil {
			return out, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return out, nil
}

// statBackend is statRoot of what is below a gate.
func statBackend(ctx context.Context, b storagedriver.Backend) error {
	return statRoot(ctx, rootOf{b: b})
}

// rootOf is a backend of which statRoot asks for the root alone.
type rootOf struct {
	storagedriver.StorageDriver
	b storagedriver.Backend
}

func (r rootOf) Name() string { return r.b.Name() }

func (r rootOf) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	entry, err := r.b.Stat(ctx, path)
	if err != nil {
		return nil, storagedriver.WrapError("Stat", r.b.Name(), path, err)
	}
	return storagedriver.NewFileInfo(path, entry), nil
}

// sideOf returns the driver and the parameters of one store of a migration's section.
func sideOf(parameters map[string]any, name string) (driver string, _ map[string]any, err error) {
	m, err := parseMigration(parameters)
	switch {
	case err != nil:
		return "", nil, err
	case name == m.old.name:
		return m.old.driver, m.old.parameters, nil
	case name == m.new.name:
		return m.new.driver, m.new.parameters, nil
	}
	return "", nil, usageError{errors.New("the configuration is of a migration, which has two stores: name one with --store old or --store new")}
}
