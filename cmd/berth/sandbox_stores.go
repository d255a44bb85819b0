package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
)

// maxStoreDepth is how deep stores may have stores, as docs/abi.md says.
const maxStoreDepth = 8

// storesKey is the section of a .wasm driver that holds its stores.
const storesKey = "stores"

// granted is an entry of "stores": a driver, named and configured as under "storage".
type granted struct {
	name, driver string
	parameters   map[string]any
}

func (m *mistakes) stores(s *sandbox) {
	for _, name := range sortedKeys(s.Stores) {
		path := storesKey + "." + name
		if !m.name(path, name) {
			continue
		}
		driver, parameters, ok := m.store(path, s.Stores[name])
		if !ok {
			continue
		}
		s.stores = append(s.stores, granted{name, driver, parameters})
		m.depth(path+"."+driver, parameters, 1)
	}
}

// store returns the one driver of an entry.
func (m *mistakes) store(path string, value any) (driver string, parameters map[string]any, ok bool) {
	if name, alone := value.(string); alone {
		return name, map[string]any{}, true
	}
	section, ok := m.section(path, value)
	if !ok {
		return "", nil, false
	}
	if len(section) != 1 {
		m.at(path, "must name exactly one driver, as the section storage does")
		return "", nil, false
	}
	driver = sortedKeys(section)[0]
	parameters, ok = m.section(path+"."+driver, section[driver])
	return driver, parameters, ok
}

// depth notes stores that are too deep below the driver whose section is at path. What else is wrong with them is said when
// they are read themselves.
func (m *mistakes) depth(path string, parameters map[string]any, depth int) {
	if parameters[storesKey] == nil {
		return
	}
	if depth == maxStoreDepth {
		m.at(path+"."+storesKey, "is too deep: stores may have stores at most %d deep", maxStoreDepth)
		return
	}
	var elsewhere mistakes
	section, _ := elsewhere.section("", parameters[storesKey])
	for _, name := range sortedKeys(section) {
		below := path + "." + storesKey + "." + name
		if driver, parameters, ok := elsewhere.store(below, section[name]); ok {
			m.depth(below+"."+driver, parameters, depth+1)
		}
	}
}

// openStore is a granted store that is open.
type openStore struct {
	name   string
	driver storagedriver.StorageDriver
}

// openStores are in the order in which they were opened.
type openStores []openStore

// openStores opens each store, with its layers, and asks it once. The caller closes them, once nothing calls them any more.
func (c *composition) openStores(ctx context.Context, stores []granted) (_ openStores, err error) {
	inner := *c
	inner.record = nil // a trace is of one driver, which is told what its stores answer
	var out openStores
	defer func() {
		if err != nil {
			err = closing(err, out.close())
		}
	}()
	for _, s := range stores {
		b, err := inner.backend(ctx, s.driver, s.parameters)
		if err != nil {
			return nil, fmt.Errorf("stores.%s: %w", s.name, err)
		}
		d := layers.Complete(b, c.options()...)
		out = append(out, openStore{s.name, d})
		if err := statRoot(ctx, d); err != nil {
			return nil, fmt.Errorf("stores.%s: %w", s.name, err)
		}
	}
	return out, nil
}

// close closes the stores, the last one first.
func (s openStores) close() error {
	var all []error
	for _, one := range slices.Backward(s) {
		if err := one.driver.Close(); err != nil {
			all = append(all, fmt.Errorf("stores.%s: %w", one.name, err))
		}
	}
	return errors.Join(all...)
}
