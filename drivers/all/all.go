// Package all is the list of the native drivers of this module.
package all

import (
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
)

// Register makes every native driver known to r under its name; what r creates of them is
// completed with the options. It panics when one of the names is taken.
func Register(r *factory.Registry, options ...layers.Option) {
	r.Register(filesystem.Name, factory.FromOpen(filesystem.Name, filesystem.Open, options...))
	r.Register(inmemory.Name, factory.FromOpen(inmemory.Name, inmemory.Open, options...))
}
