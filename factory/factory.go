package factory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
)

// StorageDriverFactory makes drivers of one name.
type StorageDriverFactory interface {
	// Create returns a new driver with the given parameters, which the operator gives as
	// YAML, environment variables or flags: see Decode. An unknown parameter is
	// KindInvalidArgument. The context governs the creation only. The caller closes
	// the driver. Create may be called concurrently.
	Create(ctx context.Context, parameters map[string]any) (storagedriver.StorageDriver, error)
}

// FromOpen returns the factory of a Backend: what it creates is opened with open and
// completed by package layers with the options. name is the name it will be registered
// under, for errors.
func FromOpen(name string, open storagedriver.OpenFunc, options ...layers.Option) StorageDriverFactory {
	return opener{name, open, options}
}

type opener struct {
	name    string
	open    storagedriver.OpenFunc
	options []layers.Option
}

func (o opener) Create(ctx context.Context, parameters map[string]any) (storagedriver.StorageDriver, error) {
	b, err := o.open(ctx, parameters)
	if err != nil {
		return nil, storagedriver.WrapError("Open", o.name, "", err)
	}
	if b == nil {
		return nil, nothing(o.name)
	}
	return layers.Complete(b, o.options...), nil
}

// Loader makes drivers from files found in a Registry's search path.
type Loader struct {
	// Prefix and Suffix enclose a driver's name in its file's name:
	// "registry-storage-" and ".wasm".
	Prefix, Suffix string
	// Load opens the driver in the file at path. The caller closes the driver.
	Load func(ctx context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error)
}

// Registry finds drivers by name. The zero value is empty and ready. Its methods may be
// called concurrently; it must not be copied after the first.
type Registry struct {
	// SearchPath is the folders in which files of drivers are looked for, in order;
	// empty ones are left out. It is set before the registry is used. See
	// DefaultSearchPath.
	SearchPath []string

	mu        sync.RWMutex
	factories map[string]StorageDriverFactory
	loaders   []Loader
}

// Register makes f known under name. Like the lineage's Register it panics when the name
// is not ValidName, f is nil, or the name is taken: each is a mistake in a program,
// not in its configuration.
func (r *Registry) Register(name string, f StorageDriverFactory) {
	if !ValidName(name) {
		panic("factory: Register: invalid driver name " + quote(name) + ": " + nameRule)
	}
	if f == nil {
		panic("factory: Register: the StorageDriverFactory of " + quote(name) + " is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, taken := r.factories[name]; taken {
		panic("factory: Register: a driver named " + quote(name) + " is already registered")
	}
	if r.factories == nil {
		r.factories = make(map[string]StorageDriverFactory)
	}
	r.factories[name] = f
}

// AddLoader makes Create look for files that l loads. In each folder of the search path the
// loaders are asked in the order in which they were added. It panics when l.Load is nil.
func (r *Registry) AddLoader(l Loader) {
	if l.Load == nil {
		panic("factory: AddLoader: Load is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaders = append(r.loaders, l)
}

// Names returns the names registered, in ascending order. Those of files are not among
// them: see Files.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.factories))
}

// Create returns a new driver: of the factory registered under name, or else of the first
// file found for it in the search path. When there is neither, the error is an
// InvalidStorageDriverError. The caller closes the driver.
func (r *Registry) Create(ctx context.Context, name string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	if err := ctx.Err(); err != nil {
		return nil, storagedriver.WrapError("Open", name, "", err)
	}
	r.mu.RLock()
	f, loaders := r.factories[name], slices.Clone(r.loaders)
	r.mu.RUnlock()
	if f == nil {
		return r.load(ctx, name, loaders, parameters)
	}
	d, err := f.Create(ctx, parameters)
	if err == nil && d == nil {
		err = nothing(name)
	}
	return d, err
}

// nothing is the error of a driver that is nil, which its callers must not meet.
func nothing(name string) error {
	return storagedriver.WrapError("Open", name, "", storagedriver.NewError(storagedriver.KindUnknown,
		"what should open it returned neither a driver nor an error"))
}

var defaultRegistry Registry

// Register is Registry.Register on the default registry.
func Register(name string, f StorageDriverFactory) { defaultRegistry.Register(name, f) }

// Create is Registry.Create on the default registry, which has no search path.
func Create(ctx context.Context, name string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	return defaultRegistry.Create(ctx, name, parameters)
}

// New is Create.
func New(ctx context.Context, name string, parameters map[string]any) (storagedriver.StorageDriver, error) {
	return Create(ctx, name, parameters)
}
