package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers/stack"
)

// grants is what a section lets a driver in a .wasm file do. It holds no secret.
type grants struct {
	// SHA256 is what the file's digest must be.
	SHA256  string        `json:"sha256,omitempty"`
	Origins []originGrant `json:"origins"`
	Stores  []storeGrant  `json:"stores"`
	Secrets []secretGrant `json:"secrets"`
	Limits  []limitGrant  `json:"limits"`
}

// originGrant is an origin that may be reached, and how.
type originGrant struct {
	Origin string `json:"origin"`
	// Networks are those beside the public addresses.
	Networks   []string         `json:"networks"`
	TLS        *tlsGrant        `json:"tls,omitempty"`
	Redirects  int              `json:"redirects"`
	Proxy      string           `json:"proxy,omitempty"`
	Credential *credentialGrant `json:"credential,omitempty"`
	// Keyed are the secrets with which requests to it may be keyed.
	Keyed []string `json:"keyed"`
	// Asked says whether the manifest asks for the origin; nil where no manifest was read.
	Asked *bool `json:"asked,omitempty"`
}

type tlsGrant struct {
	Minimum     string `json:"minimum"`
	CA          string `json:"ca,omitempty"`
	Certificate string `json:"certificate,omitempty"`
}

type credentialGrant struct {
	Name   string `json:"name"`
	Scheme string `json:"scheme"`
	Asked  *bool  `json:"asked,omitempty"`
}

type storeGrant struct {
	Name   string `json:"name"`
	Driver string `json:"driver"`
	// File is the driver's, where it is in one.
	File string `json:"file,omitempty"`
	// Directory is where a filesystem store is.
	Directory string `json:"directory,omitempty"`
	// Layers are those around the store, by name.
	Layers []string `json:"layers"`
	// Grants are what a store in a .wasm file may do itself.
	Grants *grants `json:"grants,omitempty"`
	Asked  *bool   `json:"asked,omitempty"`
}

type secretGrant struct {
	Name     string   `json:"name"`
	From     string   `json:"from"`
	Readable bool     `json:"readable"`
	Origins  []string `json:"origins"`
	Asked    *bool    `json:"asked,omitempty"`
}

// grantsOf returns what a section lets a driver do, and what those let its stores do. No file but that of the section is read.
func (c *composition) grantsOf(s *sandbox) (grants, error) {
	out := grants{SHA256: string(s.SHA256), Limits: limitGrants(s.limits), Origins: []originGrant{}, Stores: []storeGrant{}, Secrets: []secretGrant{}}
	for _, r := range s.rules {
		out.Origins = append(out.Origins, grantOf(r))
	}
	for _, one := range s.secrets {
		g := secretGrant{Name: one.name, From: one.from(), Readable: one.Readable, Origins: []string{}}
		for _, o := range one.Origins {
			g.Origins = append(g.Origins, o.parsed().String())
		}
		for i := range out.Origins {
			if to := &out.Origins[i]; slices.Contains(g.Origins, to.Origin) {
				to.Keyed = append(to.Keyed, g.Name)
			}
		}
		out.Secrets = append(out.Secrets, g)
	}
	for _, one := range s.stores {
		g, err := c.storeOf(one)
		if err != nil {
			return out, fmt.Errorf("%s.%s: %w", storesKey, one.name, err)
		}
		out.Stores = append(out.Stores, g)
	}
	return out, nil
}

// storeOf returns what a store is.
func (c *composition) storeOf(one granted) (storeGrant, error) {
	out := storeGrant{Name: one.name, Driver: one.driver}
	var err error
	if out.Layers, err = layerNames(one.parameters); err != nil {
		return out, err
	}
	own := maps.Clone(one.parameters)
	delete(own, stack.Key)
	var s *sandbox
	switch {
	case one.driver == filesystem.Name:
		if out.Directory = filesystem.DefaultRootDirectory; own["rootdirectory"] != nil {
			out.Directory = fmt.Sprint(own["rootdirectory"])
		}
	case c.native[one.driver] != nil:
	case one.driver == ipcDriver:
		out.File, _ = own[fileKeys()[ipcDriver]].(string)
	case one.driver == wasmDriver:
		if s, err = parseNamedSandbox(own); err == nil {
			out.File = s.module
		}
	default:
		if out.File = c.foundFile(one.driver); isWasm(out.File) {
			s, err = parseSandbox(own)
		}
	}
	if err != nil || s == nil {
		return out, err
	}
	all, err := c.grantsOf(s)
	out.Grants = &all
	return out, err
}

// foundFile returns the file in the search path of the driver called name, or "".
func (c *composition) foundFile(name string) string {
	for _, f := range c.Files() {
		if f.Name == name {
			return f.Path
		}
	}
	return ""
}

// layerNames returns the layers that a driver's parameters put around it, in ascending order.
func layerNames(parameters map[string]any) ([]string, error) {
	l, err := stack.Parse(parameters[stack.Key])
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, one := range []struct {
		name  string
		there bool
	}{{"fault", len(l.Fault) > 0}, {"limit", l.Limit != nil}, {"readonly", l.ReadOnly}, {"retry", l.Retry != nil}, {"timeout", l.Timeout != nil}} {
		if one.there {
			out = append(out, one.name)
		}
	}
	return out, nil
}

func grantOf(r allowed) originGrant {
	out := originGrant{Origin: r.Origin, Redirects: r.Redirects, Proxy: r.Proxy, Networks: []string{}, Keyed: []string{}}
	for _, n := range r.Networks {
		out.Networks = append(out.Networks, n.String())
	}
	if strings.HasPrefix(r.Origin, "https:") {
		out.TLS = &tlsGrant{"1.2", r.TLS.CAFile, r.TLS.CertFile}
		if r.TLS.MinVersion != "" {
			out.TLS.Minimum = r.TLS.MinVersion
		}
	}
	if r.credential != nil {
		out.Credential = &credentialGrant{Name: r.credential.name, Scheme: r.credential.scheme}
	}
	return out
}
