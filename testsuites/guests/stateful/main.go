// Command stateful is the five functions of the driver of package parts, and nothing that is optional, on one
// instance: what a guest is like that keeps state in memory and takes no parts.
package main

import (
	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
	"github.com/berth-dev/storagedriver/testsuites/guests/parts"
)

const abilities = berth.AbilityFilesUnderFiles // a fact about the store

func manifest() berth.Manifest {
	m := parts.Manifest()
	m.Name, m.Description = "stateful", "stores blobs on the part store that the tests of Berth bring along, on one instance"
	m.Instances, m.Abilities = 1, abilities
	return m
}

var _ = berth.Register(manifest(), func(c *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	d, _, most, err := parts.Open(c, parameters)
	return d, abilities, most, err
})

func main() {}
