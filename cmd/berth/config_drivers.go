package main

import (
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/limit"
	"github.com/berth-dev/storagedriver/layers/retry"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/layers/timeout"
	"github.com/berth-dev/storagedriver/registry/config"
)

// knownDrivers lists the drivers that a configuration may name, with their parameters.
func (a *app) knownDrivers() config.Known {
	drivers := a.compose()
	known := config.Known{Drivers: []config.Driver{}}
	for _, name := range drivers.Names() {
		judge := judgeLayers
		if name == ipcDriver {
			judge = judgeProcess
		}
		known.Drivers = append(known.Drivers, config.Driver{Name: name, Parameters: withLayers(driverParameters(name)), Judge: judge})
	}
	for _, f := range drivers.Files() {
		section, judge := processSection(defaultProcess()), judgeProcess
		if isWasm(f.Path) {
			section, judge = config.OfParameters(sandboxConfig{}), judgeLayers
		}
		known.Drivers = append(known.Drivers, config.Driver{Name: f.Name, Parameters: withLayers(section), Judge: judge})
	}
	return known
}

// driverParameters returns what a compiled-in driver is configured by, with its defaults; or nil for one
// that is missing here: anything is accepted then, and its Open judges it.
func driverParameters(name string) *config.Node {
	switch name {
	case filesystem.Name:
		return config.OfParameters(filesystem.Config{
			RootDirectory: filesystem.DefaultRootDirectory, MaxThreads: filesystem.DefaultMaxThreads, Fsync: filesystem.FsyncFull,
		})
	case inmemory.Name:
		return config.OfParameters(struct{}{})
	case ipcDriver:
		return processSection(namedProcess{processConfig: defaultProcess()})
	case wasmDriver:
		return config.OfParameters(struct {
			Path          string `parameter:"path"`
			sandboxConfig `parameter:",squash"`
		}{})
	}
	return nil
}

// processSection returns what an executable is configured by. Its environment is never shown.
func processSection(defaults any) *config.Node {
	n := config.OfParameters(defaults)
	n.Keys["env"].Secret = true
	return n
}

// withLayers adds the section that every driver's parameters may hold. Its keys are those of
// stack.Parse, which decodes them one section after the other.
func withLayers(n *config.Node) *config.Node {
	if n == nil {
		return nil
	}
	layers := config.OfParameters(struct {
		ReadOnly bool           `parameter:"readonly"`
		Tracing  bool           `parameter:"tracing"`
		Metrics  bool           `parameter:"metrics"`
		Retry    retry.Config   `parameter:"retry"`
		Limit    limit.Config   `parameter:"limit"`
		Timeout  timeout.Config `parameter:"timeout"`
		Fault    any            `parameter:"fault"` // a list, or one string
	}{Retry: retry.Default()})
	// Nothing of them counts until it is written.
	layers.Always = false
	for _, section := range layers.Keys {
		section.Always = false
	}
	n.Add(stack.Key, layers)
	return n
}

// judgeLayers returns what is wrong with the section layers of a driver's parameters.
func judgeLayers(parameters map[string]any) error {
	_, err := stack.Parse(parameters[stack.Key])
	return err
}
