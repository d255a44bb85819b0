// Command waiting is a driver that sleeps: as many milliseconds as the size of what is put.
package main

import (
	"strconv"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(berth.Manifest{
	Name: "waiting", Version: "1.0.0", Description: "sleeps and stores nothing",
}, func(*berth.Call, []byte) (berth.Driver, berth.Abilities, int64, error) { return driver{}, 0, 0, nil })

func main() {}

type driver struct{ berth.Unimplemented }

func (driver) Stat(*berth.Call, string) (berth.Entry, error) { return berth.Entry{Dir: true}, nil }

func (driver) List(*berth.Call, string, string, int) (berth.Page, error) { return berth.Page{}, nil }

func (driver) Read(*berth.Call, string, int64, int64) (berth.Content, error) {
	return berth.Content{}, berth.NewError(berth.KindNotFound, "nothing is stored here")
}

// Put fails if it slept for less time than it should.
func (driver) Put(c *berth.Call, _ string, body *berth.Stream) error {
	long := time.Duration(body.Size()) * time.Millisecond
	from := c.Now()
	if err := c.Sleep(long); err != nil {
		return err
	}
	if slept := c.Now().Sub(from); slept < long {
		return berth.NewError(berth.KindCorrupt, "slept for ", strconv.FormatInt(int64(slept), 10), " ns")
	}
	return nil
}

func (driver) Delete(*berth.Call, string) error { return nil }
