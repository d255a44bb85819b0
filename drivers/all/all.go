// Package all is the list of the native drivers of this module.
package all

import (
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers"
)

// Driver is a native driver.
type Driver struct {
	// Name is what configurations call it.
	Name string
	// Open opens its backend, which whoever composes a program puts layers around and completes.
	Open storagedriver.OpenFunc
}

// Drivers returns every native driver, in ascending order of their names, one that has two under both.
func Drivers() []Driver {
	return []Driver{
		{filesystem.Name, filesystem.Open},
		{inmemory.Name, inmemory.Open},
		{s3.Name, s3.Open},
		{s3.AliasName, s3.Open},
	}
}

// Register makes every native driver known to r under its name; what r creates of them is
// completed with the options. It panics when one of the names is taken.
func Register(r *factory.Registry, options ...layers.Option) {
	for _, d := range Drivers() {
		r.Register(d.Name, factory.FromOpen(d.Name, d.Open, options...))
	}
}
