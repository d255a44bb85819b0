package main

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// sandboxSection returns what a driver in a .wasm file is configured by; own is sandboxConfig, or a struct that has it. stores is what
// an entry of "stores" may be.
func sandboxSection(own any, stores *config.Node) *config.Node {
	n := config.OfParameters(own)
	rule := unlessSet(config.OfParameters(allowConfig{}))
	rule.Alone, rule.Required, rule.Def = "origin", []string{"origin"}, "allow"
	replace(rule, "credential", credentialSection())
	replace(rule, "tls", unlessSet(config.OfParameters(tlsConfig{})))
	n.Keys["allow"] = &config.Node{Kind: config.List, Elem: rule, Lenient: true, Description: "the origins that it may reach, and how; none by default"}
	n.Keys["stores"] = &config.Node{Kind: config.Map, Elem: stores, Description: "drivers that it may call, by the name that it calls them by"}
	secret := unlessSet(config.OfParameters(secretConfig{}))
	for key, n := range secret.Keys {
		n.Secret = key == "value"
	}
	n.Keys["secrets"] = &config.Node{Kind: config.Map, Elem: secret, Description: "values that it may read, or key requests with"}
	replace(n, "limits", config.OfParameters(defaultLimits()))
	if _, named := n.Keys["module"]; named {
		n.Gone = map[string]string{"path": "is unknown: " + moduleNotPath}
	}
	return n
}

// replace has child in place of a key of n that is the same field. A child with a Def stands in several places, and is no one field.
func replace(n *config.Node, key string, child *config.Node) {
	if child.Def == "" {
		child.Field = n.Keys[key].Field
	}
	n.Keys[key] = child
}

// unlessSet has the defaults of a section count only where something of it is set.
func unlessSet(n *config.Node) *config.Node {
	n.Always = false
	return n
}

// judgeSandbox returns what says what is wrong with the section of a .wasm driver, but for what is the driver's own: that is known when
// it is opened. judges are those of all drivers that may be a store, by name; they are looked at when it is called.
func judgeSandbox(parse func(map[string]any) (*sandbox, error), judges map[string]func(map[string]any) error) func(map[string]any) error {
	return func(parameters map[string]any) error {
		if err := judgeLayers(parameters); err != nil {
			return err
		}
		own := maps.Clone(parameters)
		delete(own, stack.Key)
		s, err := parse(own)
		if err != nil {
			return err
		}
		var m mistakes
		m.rules(s)
		for _, store := range s.stores {
			if judge := judges[store.driver]; judge != nil {
				m.below(fmt.Sprintf("%s.%s.%s", storesKey, store.name, store.driver), judge(store.parameters))
			}
		}
		return m.err()
	}
}

// rules notes what is wrong with what the entries of "allow" say of files and credentials.
func (m *mistakes) rules(s *sandbox) {
	for i, one := range s.rules {
		path := fmt.Sprintf("allow[%d]", i)
		if one.credential != nil {
			m.check(context.Background(), path+".credential", one.credential)
		}
		if _, err := egress.NewPolicy([]egress.Rule{one.Rule}); err != nil {
			m.at(path, "has what cannot be used: %s", plainText(err))
		}
	}
}

// below notes what a driver said of its section at path.
func (m *mistakes) below(path string, err error) {
	var (
		place *config.PlaceError
		all   mistakes
	)
	switch {
	case err == nil:
	case errors.As(err, &all):
		for _, err := range all {
			m.below(path, err)
		}
	case errors.As(err, &place):
		m.at(path+"."+place.Key, "%s", place.Message)
	default:
		m.at(path, "has what cannot be used: %s", plainText(err))
	}
}
