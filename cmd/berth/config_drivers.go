package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/layers/limit"
	"github.com/berth-dev/storagedriver/layers/retry"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/layers/timeout"
	"github.com/berth-dev/storagedriver/registry/config"
)

//go:generate go run ../../internal/paramdocs config_descriptions.go . ../../drivers/filesystem ../../drivers/s3 ../../layers/retry ../../layers/limit ../../layers/timeout ../../runtime/egress/sign ../../runtime/egress/sign/awschain ../../runtime/egress/sign/azure ../../runtime/egress/sign/oauth2 ../../runtime/egress/sign/oss ../../runtime/egress/sign/sigv4 ../../runtime/egress/sign/swift

// knownDrivers lists the drivers that a configuration may name, with their parameters.
func (a *app) knownDrivers() config.Known { return a.compose().known().Known }

// known is what a composition has for configurations to name: drivers, each of which may also be a store of a .wasm driver.
type known struct {
	config.Known
	stores *config.Node // an entry of "stores"
	judges map[string]func(map[string]any) error
}

func (c *composition) known() *known {
	k := &known{
		stores: &config.Node{Kind: config.Section, Keys: map[string]*config.Node{}, Short: true, Def: "store"},
		judges: map[string]func(map[string]any) error{},
	}
	k.Drivers = []config.Driver{}
	for _, name := range c.Names() {
		switch name {
		case ipcDriver:
			k.add(name, k.parameters(name), judgeProcess)
		case wasmDriver:
			k.add(name, k.parameters(name), judgeSandbox(parseNamedSandbox, k.judges))
		case migrateDriver:
			k.Drivers = append(k.Drivers, config.Driver{Name: name, Parameters: k.parameters(name), Judge: judgeMigration(k.judges)})
		default:
			k.add(name, k.parameters(name), judgeLayers)
		}
	}
	for _, f := range c.Files() {
		k.addFile(f.Name, f.Path)
	}
	texts := descriptions()
	for _, d := range k.Drivers {
		d.Parameters.Describe(texts)
	}
	k.stores.Other = "is no driver here; there are " + strings.Join(slices.Sorted(maps.Keys(k.judges)), ", ")
	return k
}

// addFile adds the driver called name in the file at path, unless there is one.
func (k *known) addFile(name, path string) {
	switch {
	case k.judges[name] != nil || name == migrateDriver:
	case isWasm(path):
		k.add(name, sandboxSection(sandboxConfig{}, k.stores), judgeSandbox(parseSandbox, k.judges))
	default:
		k.add(name, processSection(defaultProcess()), judgeProcess)
	}
}

func (k *known) add(name string, parameters *config.Node, judge func(map[string]any) error) {
	parameters = withLayers(parameters)
	k.Drivers = append(k.Drivers, config.Driver{Name: name, Parameters: parameters, Judge: judge})
	k.judges[name] = judge
	store := &config.Node{Kind: config.Map} // of a driver whose parameters are not known
	if parameters != nil {
		copied := *parameters
		store = unlessSet(&copied)
		store.Def = "driver." + name
	}
	k.stores.Add(name, store)
}

// driver returns the driver called name.
func (k *known) driver(name string) (config.Driver, bool) {
	i := slices.IndexFunc(k.Drivers, func(d config.Driver) bool { return d.Name == name })
	if i < 0 {
		return config.Driver{}, false
	}
	return k.Drivers[i], true
}

// parameters returns what a compiled-in driver is configured by, with its defaults; or nil for one
// that is missing here: anything is accepted then, and its Open judges it.
func (k *known) parameters(name string) *config.Node {
	switch name {
	case filesystem.Name:
		return config.OfParameters(filesystem.Config{
			RootDirectory: filesystem.DefaultRootDirectory, MaxThreads: filesystem.DefaultMaxThreads, Fsync: filesystem.FsyncFull,
		})
	case s3.Name, s3.AliasName:
		n := config.OfParameters(s3.Default())
		secretByTag(n, reflect.TypeFor[s3.Config]())
		return n
	case inmemory.Name:
		return config.OfParameters(struct{}{})
	case ipcDriver:
		return processSection(namedProcess{processConfig: defaultProcess()})
	case wasmDriver:
		return sandboxSection(namedSandbox{}, k.stores)
	case migrateDriver:
		return migrationSection(k.stores)
	}
	return nil
}

// processSection returns what an executable is configured by. Its environment is never shown.
func processSection(defaults any) *config.Node {
	n := config.OfParameters(defaults)
	n.Keys["env"].Secret = true
	return n
}

// layersSection is the section "layers" of every driver. Its keys are those of stack.Parse, which decodes them one section after the
// other.
type layersSection struct {
	// ReadOnly refuses whatever changes the storage.
	ReadOnly bool `parameter:"readonly"`
	// Tracing says whether each call is a span, where the program exports them.
	Tracing bool `parameter:"tracing"`
	// Metrics says whether calls are counted and timed, where the program exports that.
	Metrics bool `parameter:"metrics"`
	// Retry repeats calls that failed for the moment.
	Retry retry.Config `parameter:"retry"`
	// Limit bounds how many calls run at one time.
	Limit limit.Config `parameter:"limit"`
	// Timeout ends calls that take too long.
	Timeout timeout.Config `parameter:"timeout"`
	// Fault makes calls fail by rules, for rehearsals: a list of rules, or one string with semicolons between them.
	Fault any `parameter:"fault"`
}

// withLayers adds the section that every driver's parameters may hold.
func withLayers(n *config.Node) *config.Node {
	if n == nil {
		return nil
	}
	layers := config.OfParameters(layersSection{Retry: retry.Default()})
	layers.Description = "what is around the driver; none by default"
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
