package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"
)

// StorageOf returns the one driver that the configuration's storage section names, and its parameters, for who opens
// it beside a registry.
func StorageOf(c *Config) (name string, parameters map[string]any, err error) {
	return storageSection(c)
}

// storageSection returns the one driver that the storage section names, and its parameters.
func storageSection(c *Config) (string, map[string]any, error) {
	var names []string
	for name := range c.Storage {
		if !slices.Contains(config.ReservedKeys(), name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch len(names) {
	case 1:
		return names[0], stringKeys(c.Storage[names[0]]), nil
	case 0:
		return "", nil, storagedriver.NewError(storagedriver.KindInvalidArgument,
			"storage: no driver is named; name one, e.g. filesystem")
	}
	return "", nil, storagedriver.Errorf(storagedriver.KindInvalidArgument,
		"storage: %s are named; leave one (a REGISTRY_STORAGE_* variable may have added one)", strings.Join(names, ", "))
}

// stringKeys copies parameters, turning YAML's map[any]any at any depth into map[string]any.
func stringKeys(parameters map[string]any) map[string]any {
	out := make(map[string]any, len(parameters))
	for key, value := range parameters {
		out[key] = stringKeysIn(value)
	}
	return out
}

func stringKeysIn(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return stringKeys(v)
	case map[any]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[fmt.Sprint(key)] = stringKeysIn(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, value := range v {
			out[i] = stringKeysIn(value)
		}
		return out
	}
	return value
}

// openDriver returns the driver to use, its name in the configuration, and what closes it.
func openDriver(ctx context.Context, config *Config, given storagedriver.StorageDriver, drivers Drivers) (storagedriver.StorageDriver, func() error, error) {
	if given != nil {
		return given, func() error { return nil }, nil
	}
	name, parameters, err := storageSection(config)
	if err != nil {
		return nil, nil, err
	}
	if drivers == nil {
		return nil, nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "storage.%s: this program opens no drivers", name)
	}
	d, err := drivers.Create(ctx, name, parameters)
	if err != nil {
		return nil, nil, fmt.Errorf("storage.%s: %w", name, err)
	}
	return d, d.Close, nil
}

// andClose closes the driver and returns what failed, on one line.
func andClose(err error, closeDriver func() error) error {
	closeErr := closeDriver()
	switch {
	case closeErr == nil:
		return err
	case err == nil:
		return fmt.Errorf("closing the storage: %w", closeErr)
	}
	return fmt.Errorf("%w; closing the storage: %w", err, closeErr)
}

// handoverName is what distribution's table of factories knows us as. It is nobody's
// driver, so that it cannot clash with one.
const handoverName = "berth-handover"

// registerHandover enters the handover in distribution's table, which is the process's and
// refuses to be told twice.
var registerHandover = sync.OnceFunc(func() { factory.Register(handoverName, handover{}) })

// handover is the factory through which distribution receives a driver that is already open:
// the driver is its parameter.
type handover struct{}

func (handover) Create(_ context.Context, parameters map[string]any) (driver.StorageDriver, error) {
	d, ok := parameters["driver"].(driver.StorageDriver)
	if !ok {
		return nil, errors.New("no driver was handed over")
	}
	return d, nil
}

// handoverStorage returns the storage section that makes distribution use d: the reserved
// keys of storage, with purging switched off because it is ours.
func handoverStorage(storage configuration.Storage, d driver.StorageDriver) configuration.Storage {
	out := configuration.Storage{handoverName: {"driver": d}}
	for _, key := range config.ReservedKeys() {
		if section, ok := storage[key]; ok {
			out[key] = section
		}
	}
	maintenance := configuration.Parameters{}
	for key, value := range storage["maintenance"] {
		maintenance[key] = anyKeys(value)
	}
	maintenance["uploadpurging"] = map[any]any{"enabled": false}
	out["maintenance"] = maintenance
	return out
}

// anyKeys gives a section the only shape NewApp accepts there. What variables of the
// environment add has the other.
func anyKeys(value any) any {
	section, ok := value.(map[string]any)
	if !ok {
		return value
	}
	out := make(map[any]any, len(section))
	for key, value := range section {
		out[key] = value
	}
	return out
}
