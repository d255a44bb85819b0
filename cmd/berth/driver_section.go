package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/registry"
	"github.com/berth-dev/storagedriver/registry/config"
)

// driverSection is what --config says of a driver.
type driverSection struct {
	// source is where it stands, for people.
	source string
	// file is the driver's file as the section names it, which the command line overrides; "" where it names none.
	file string
	// parameters are what the driver is opened with, without file.
	parameters map[string]any
}

// fileKeys are the parameters that name a driver's file, by the driver that loads it.
func fileKeys() map[string]string { return map[string]string{wasmDriver: "module", ipcDriver: "path"} }

// sectionNames are the names under which a configuration may have the driver called name, or in the file of that name.
func sectionNames(name string) []string {
	if !isFile(name) {
		return []string{name}
	}
	own := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), filePrefix), wasmSuffix)
	loader := ipcDriver
	if isWasm(name) {
		loader = wasmDriver
	}
	if !factory.ValidName(own) || slices.Contains(config.ReservedKeys(), own) {
		return []string{loader}
	}
	return []string{loader, own}
}

// section reads what file says of the driver called name, or in the file of that name: file holds the driver's section alone, or the
// configuration of a registry, where the storage must be that driver.
func (c *composition) section(name, file string) (*driverSection, error) {
	names, k := sectionNames(name), c.known()
	for _, own := range names[1:] {
		k.addFile(own, name)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &driverSection{source: file}
	loader := names[0]
	if isRegistryConfig(text) {
		loader, s.parameters, err = storageIn(file, k)
		if err == nil && !slices.Contains(names, loader) {
			err = usageError{fmt.Errorf("%s: the storage is %s, and not %s", file, loader, strings.Join(names, " or "))}
		}
		s.source = "storage." + loader + " of " + file
	} else {
		driver, _ := k.driver(loader)
		s.parameters, err = fragment(text, file, driver)
	}
	if err != nil {
		return nil, err
	}
	if key := fileKeys()[loader]; isFile(name) && key != "" {
		s.file, _ = s.parameters[key].(string)
		delete(s.parameters, key)
	}
	return s, nil
}

// isRegistryConfig reports whether the text is the configuration of a registry, and not a driver's section.
func isRegistryConfig(text []byte) bool {
	var top map[string]any
	if yaml.Unmarshal(text, &top) != nil {
		return false // who reads it says so
	}
	_, version := top["version"]
	_, storage := top["storage"]
	return version || storage
}

// storageIn returns the driver of the registry that is configured in file, with its parameters.
func storageIn(file string, k *known) (string, map[string]any, error) {
	d, err := registry.ReadConfig(file, config.New(k.Known))
	if err != nil {
		return "", nil, err
	}
	if err := d.ErrWithin("version", "log", "storage"); err != nil {
		return "", nil, err
	}
	return registry.StorageOf(d.Config)
}

func fragment(text []byte, file string, driver config.Driver) (map[string]any, error) {
	f, err := config.ReadFragment(bytes.NewReader(text), file, driver)
	if err != nil {
		return nil, err
	}
	return f.Parameters, f.Err()
}

// sectionOf returns the section of a driver that a command line names: that of its --config, with what is on the command line added to it.
// own says whether the driver's own parameters stand below "parameters", beside what the operator says of it.
func (c *composition) sectionOf(n named, own bool) (map[string]any, error) {
	out := map[string]any{}
	maps.Copy(out, n.section)
	if n.config != "" {
		s, err := c.section(n.name, n.config)
		if err != nil {
			return nil, err
		}
		out = s.parameters
	}
	if !own {
		maps.Copy(out, n.parameters)
		return out, nil
	}
	parameters, _ := out["parameters"].(map[string]any)
	parameters = maps.Clone(parameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	maps.Copy(parameters, n.parameters)
	if layers, there := n.parameters[stack.Key]; there {
		delete(parameters, stack.Key)
		out[stack.Key] = layers
	}
	out["parameters"] = parameters
	return out, nil
}

// allowing adds what --allow says to the section of a .wasm driver.
func allowing(section map[string]any, flags []string) error {
	if len(flags) == 0 {
		return nil
	}
	var written struct {
		Allow []any `parameter:"allow"`
	}
	if err := factory.Decode(map[string]any{"allow": section["allow"]}, &written); err != nil {
		return err
	}
	for _, flag := range flags {
		entry, err := allowFlag(flag)
		if err != nil {
			return err
		}
		written.Allow = append(written.Allow, entry)
	}
	section["allow"] = written.Allow
	return nil
}

// allowFlag reads ORIGIN, or ORIGIN=CIDR[,CIDR].
func allowFlag(flag string) (map[string]any, error) {
	origin, networks, found := strings.Cut(flag, "=")
	entry := map[string]any{"origin": origin}
	if found {
		entry["cidr"] = networks
	}
	var one allowConfig
	if err := factory.Decode(entry, &one); err != nil {
		return nil, usageError{fmt.Errorf("--allow: %s", plainText(err))}
	}
	if found && len(one.CIDR) == 0 {
		return nil, usageError{fmt.Errorf("--allow %s=: there is no network behind the =", origin)}
	}
	return entry, nil
}
