package main

import (
	"maps"

	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/registry"
)

// followReadOnly makes a registry read-only whose driver is: changes are refused as they come in, with
// distribution's 405, where the driver's refusal would be a 500 that clients repeat; and uploads are not purged.
// What is wrong with the section is said when the driver is opened.
func followReadOnly(config *registry.Config) {
	layers, err := stack.Parse(config.Storage.Parameters()[stack.Key])
	if err != nil || !layers.ReadOnly {
		return
	}
	const section = "maintenance"
	maintenance := maps.Clone(config.Storage[section])
	if maintenance == nil {
		maintenance = map[string]any{}
	}
	maintenance["readonly"] = map[any]any{"enabled": true}
	maintenance["uploadpurging"] = map[any]any{"enabled": false}
	config.Storage[section] = maintenance
}
