// Package thirdparty stands for a driver that somebody else wrote: it registers itself, and a
// program gets it with a blank import. Drivers of this module do not do so.
package thirdparty

import (
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/factory"
)

func init() {
	factory.Register("thirdparty", factory.FromOpen("thirdparty", inmemory.Open))
}
