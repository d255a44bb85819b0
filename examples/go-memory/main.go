// Command go-memory is a storage driver that keeps objects in its own memory.
package main

import berth "github.com/berth-dev/storagedriver/guest-sdk/go"

var _ = berth.Register(berth.Manifest{
	Name: "go-memory", Version: "0.1.0", Description: "keeps objects in memory",
	Instances: 1, // what it has is in one instance's memory, and nowhere else
	Abilities: abilities,
}, open)

const abilities = berth.AbilityMove | berth.AbilityConcat

func main() {}

func open(c *berth.Call, _ []byte) (berth.Driver, berth.Abilities, int64, error) {
	return &driver{objects: map[string]object{}, last: c.Now().UnixNano()}, abilities, 0, nil
}
