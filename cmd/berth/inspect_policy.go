package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// policy is what a section grants a driver, beside what the driver asks for. It holds no secret.
type policy struct {
	// Source is where the section stands, and Module the file that it names, if it names one.
	Source string `json:"source"`
	Module string `json:"module,omitempty"`
	// Layers are those around the driver, by name.
	Layers []string `json:"layers"`
	grants
	Given []parameterGiven `json:"parameters"`
	// Missing is what the driver asks for and does not get.
	Missing []missing `json:"missing"`
}

type limitGrant struct {
	Name string `json:"name"`
	// Value is bytes, a number or a duration; 0 is no limit.
	Value   any  `json:"value"`
	Default bool `json:"default"`
	// Why says whose word it is where it is not the operator's.
	Why string `json:"why,omitempty"`
}

type parameterGiven struct {
	Name string `json:"name"`
	// Value is config.Masked where it is secret.
	Value any `json:"value"`
}

// missing is something that a driver asks for and does not get.
type missing struct {
	// Kind is "origin", "store", "credential", "secret", "memory" or "parameters".
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	Why  string `json:"why"`
}

// policyOf compares what a section grants with what the manifest asks for.
func (c *composition) policyOf(s *sandbox, from *driverSection, m *abi.Manifest) (*policy, error) {
	layers, err := layerNames(from.parameters)
	if err != nil {
		return nil, err
	}
	all, err := c.grantsOf(s)
	if err != nil {
		return nil, err
	}
	p := &policy{Source: from.source, Module: from.file, Layers: layers, grants: all, Missing: []missing{}}
	if i := slices.IndexFunc(p.Limits, func(l limitGrant) bool { return l.Name == "instances" }); m.Instances == 1 {
		p.Limits[i] = limitGrant{"instances", 1, false, "as it keeps state in memory"}
	}
	schema := schemaOf(m)
	p.Given = schema.given(s.Parameters)
	asked := p.askedOrigins(m, schema.values(s.Parameters))
	var origins, credentials, stores, secrets []string
	for i := range p.Origins {
		g := &p.Origins[i]
		origins, g.Asked = append(origins, g.Origin), isIn(asked, g.Origin)
		if c := g.Credential; c != nil {
			credentials, c.Asked = append(credentials, c.Name), isIn(m.Credentials, c.Name)
		}
	}
	for i := range p.Stores {
		g := &p.Stores[i]
		stores, g.Asked = append(stores, g.Name), isIn(m.Stores, g.Name)
	}
	for i := range p.Secrets {
		g := &p.Secrets[i]
		secrets, g.Asked = append(secrets, g.Name), isIn(m.Secrets, g.Name)
	}
	p.lacks("origin", asked, origins, `it is not under "allow"`)
	p.lacks("credential", m.Credentials, credentials, `no entry of "allow" has it`)
	p.lacks("store", m.Stores, stores, `it is not under "stores"`)
	p.lacks("secret", m.Secrets, secrets, `it is not under "secrets"`)
	if most := s.limits.orDefaults().Memory; m.Memory > most {
		p.Missing = append(p.Missing, missing{Kind: "memory", Why: fmt.Sprintf("it expects to need %s, and limits.memory is %s", mebibytes(m.Memory), mebibytes(most))})
	}
	return p, nil
}

func isIn(all []string, one string) *bool {
	in := slices.Contains(all, one)
	return &in
}

// lacks notes the names that are asked for and not granted.
func (p *policy) lacks(kind string, asked, granted []string, why string) {
	for _, name := range asked {
		if !slices.Contains(granted, name) {
			p.Missing = append(p.Missing, missing{kind, name, why})
		}
	}
}

// placeholder is a parameter in a template of the manifest's hosts.
var placeholder = regexp.MustCompile(`\{([^{}]*)\}`)

// askedOrigins returns the origins that the manifest asks for with the values of parameters, each once, and notes those that
// cannot be told.
func (p *policy) askedOrigins(m *abi.Manifest, values map[string]string) []string {
	var out []string
	for _, template := range m.Hosts {
		why := ""
		text := placeholder.ReplaceAllStringFunc(template, func(name string) string {
			name = strings.Trim(name, "{}")
			value, known := values[name]
			if !known && why == "" {
				why = fmt.Sprintf("the parameter %q is not given, or secret", name)
			}
			return value
		})
		o := originOf(text)
		if why == "" && o == "" {
			why = "with the parameters given it is no URL of an origin"
		}
		switch {
		case why != "":
			p.Missing = append(p.Missing, missing{"origin", template, why})
		case !slices.Contains(out, o):
			out = append(out, o)
		}
	}
	return out
}

// orDefaults returns l with runtime's defaults in place of zeros.
func (l limitsConfig) orDefaults() limitsConfig {
	d := defaultLimits()
	for _, one := range []struct{ value, otherwise *int }{
		{&l.Instances, &d.Instances}, {&l.IdleInstances, &d.IdleInstances}, {&l.Bodies, &d.Bodies}, {&l.Requests, &d.Requests}, {&l.Streams, &d.Streams},
	} {
		if *one.value == 0 {
			*one.value = *one.otherwise
		}
	}
	for _, one := range []struct{ value, otherwise *time.Duration }{
		{&l.Connect, &d.Connect}, {&l.FirstByte, &d.FirstByte}, {&l.Idle, &d.Idle}, {&l.Total, &d.Total},
	} {
		if *one.value == 0 {
			*one.value = *one.otherwise
		}
	}
	if l.Memory == 0 {
		l.Memory = d.Memory
	}
	if l.Response == 0 {
		l.Response = d.Response
	}
	return l
}

// limitGrants lists the limits that count.
func limitGrants(l limitsConfig) []limitGrant {
	all := l.orDefaults()
	return []limitGrant{
		{"memory", all.Memory, l.Memory == 0, ""},
		{"instances", all.Instances, l.Instances == 0, ""},
		{"idleinstances", all.IdleInstances, l.IdleInstances == 0, ""},
		{"bodies", all.Bodies, l.Bodies == 0, ""},
		{"requests", all.Requests, l.Requests == 0, ""},
		{"response", all.Response, l.Response == 0, ""},
		{"streams", all.Streams, l.Streams == 0, ""},
		{"connect", all.Connect.String(), l.Connect == 0, ""},
		{"firstbyte", all.FirstByte.String(), l.FirstByte == 0, ""},
		{"idle", all.Idle.String(), l.Idle == 0, ""},
		{"total", all.Total.String(), l.Total == 0, ""},
	}
}

// parameterSchema is what is looked at of the manifest's schema of parameters.
type parameterSchema struct {
	Properties map[string]struct {
		Default   any  `json:"default"`
		WriteOnly bool `json:"writeOnly"`
	} `json:"properties"`
}

func schemaOf(m *abi.Manifest) parameterSchema {
	var s parameterSchema
	_ = json.Unmarshal(m.Schema, &s) // the runtime has taken it
	return s
}

// values returns the parameters that are not secret, as text, with the defaults.
func (s parameterSchema) values(given map[string]any) map[string]string {
	out := map[string]string{}
	for name, property := range s.Properties {
		value := given[name]
		if value == nil {
			value = property.Default
		}
		if value != nil && !property.WriteOnly {
			out[name] = fmt.Sprint(value)
		}
	}
	return out
}

// given lists the parameters by name, without the values of those that are secret or that the driver does not have.
func (s parameterSchema) given(parameters map[string]any) []parameterGiven {
	out := []parameterGiven{}
	for _, name := range sortedKeys(parameters) {
		value := parameters[name]
		if property, known := s.Properties[name]; !known || property.WriteOnly {
			value = config.Masked
		} else if text, ok := value.(string); ok {
			value = withoutUser(text)
		}
		out = append(out, parameterGiven{name, value})
	}
	return out
}

// withoutUser hides who is named in a URL, which may be with a password.
func withoutUser(text string) string {
	if u, err := url.Parse(text); strings.Contains(text, "://") && (err != nil || u.User != nil) {
		return config.Masked
	}
	return text
}

// isAddress reports whether the host of an origin is an address.
func isAddress(origin string) bool {
	o, err := egress.ParseOrigin(origin)
	if err != nil {
		return false
	}
	_, err = netip.ParseAddr(o.Host)
	return err == nil
}
