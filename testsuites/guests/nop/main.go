// Command nop is the smallest driver there can be: it answers without asking anybody. The benchmark
// measures with it what a message through dispatch costs.
package main

import (
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

var _ = berth.Register(berth.Manifest{
	Name: "nop", Version: "1.0.0", Description: "answers everything and stores nothing",
}, func(*berth.Call, []byte) (berth.Driver, berth.Abilities, int64, error) { return driver{}, 0, 0, nil })

func main() {}

type driver struct{ berth.Unimplemented }

func (driver) Stat(_ *berth.Call, path string) (berth.Entry, error) {
	if path == "/" {
		return berth.Entry{Dir: true}, nil
	}
	return berth.Entry{Size: int64(len(path))}, nil
}

// List answers with a cursor as long as the path: a reply as long as the request.
func (driver) List(_ *berth.Call, path, cursor string, _ int) (berth.Page, error) {
	if cursor != "" {
		return berth.Page{}, nil
	}
	return berth.Page{Cursor: strings.Clone(path)}, nil
}

func (driver) Read(*berth.Call, string, int64, int64) (berth.Content, error) {
	return berth.Content{}, berth.NewError(berth.KindNotFound, "nothing is stored here")
}

func (driver) Put(_ *berth.Call, _ string, body *berth.Stream) error { return nil }

func (driver) Delete(*berth.Call, string) error { return nil }
