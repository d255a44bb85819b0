package main

import (
	"fmt"
	"strings"
)

// rows says in words what a driver may do, and what of that it asks for. name is the driver's.
func (p *policy) rows() [][]string {
	source := p.Source
	if p.Module != "" {
		source += ", where the file is " + p.Module
	}
	rows := [][]string{{"policy", source}}
	list := func(heading string, items []string, none string) {
		if len(items) == 0 && none != "" {
			items = []string{none}
		}
		for i, item := range items {
			if i > 0 {
				heading = ""
			}
			rows = append(rows, []string{heading, item})
		}
	}
	if p.SHA256 != "" {
		list("must be", []string{"sha256 " + p.SHA256}, "")
	}
	list("layers", p.Layers, "none")
	list("may reach", words(p.Origins), "nothing: no origin is allowed")
	list("may call", storeLines(p.Stores), "no store")
	list("may use", words(p.Secrets), "no secret")
	list("limits", words(p.Limits), "")
	list("is given", words(p.Given), "no parameter")
	list("asks for and does not get", words(p.Missing), "nothing: it has all that it asks for")
	list("gets without asking", p.unasked(), "nothing")
	return rows
}

func words[T fmt.Stringer](all []T) []string {
	var out []string
	for _, one := range all {
		out = append(out, one.String())
	}
	return out
}

// String is for people.
func (g originGrant) String() string {
	var parts []string
	switch {
	case g.Proxy != "":
		parts = append(parts, "through the proxy "+g.Proxy+", which looks its name up")
	case isAddress(g.Origin):
		parts = append(parts, "at that address")
	case len(g.Networks) > 0:
		parts = append(parts, "at public addresses and those in "+strings.Join(g.Networks, ", "))
	default:
		parts = append(parts, "at public addresses alone")
	}
	if g.TLS == nil {
		parts = append(parts, "without TLS")
	} else {
		parts = append(parts, g.TLS.String())
	}
	switch g.Redirects {
	case 0:
		parts = append(parts, "redirects are not followed")
	case 1:
		parts = append(parts, "one redirect is followed, to what is allowed here")
	default:
		parts = append(parts, fmt.Sprintf("up to %d redirects are followed, to what is allowed here", g.Redirects))
	}
	if g.Credential != nil {
		parts = append(parts, fmt.Sprintf("requests that name the credential %s are signed with it (%s)", g.Credential.Name, g.Credential.Scheme))
	}
	if len(g.Keyed) > 0 {
		parts = append(parts, "requests may be keyed with the "+plural("secret", g.Keyed))
	}
	if g.Credential == nil && len(g.Keyed) == 0 {
		parts = append(parts, "nothing is signed")
	}
	return g.Origin + ": " + strings.Join(parts, "; ")
}

// String is for people.
func (t *tlsGrant) String() string {
	text := "TLS " + t.Minimum + " or later, vouched for by the system's authorities"
	if t.CA != "" {
		text = "TLS " + t.Minimum + " or later, vouched for by " + t.CA + " alone"
	}
	if t.Certificate != "" {
		text += ", as the client of " + t.Certificate
	}
	return text
}

// plural is a noun for one or more, with their names.
func plural(noun string, names []string) string {
	if len(names) > 1 {
		noun += "s"
	}
	return noun + " " + strings.Join(names, ", ")
}

// storeLines says what stores are. What one in a .wasm file may do itself is in lines of its own below it, indented.
func storeLines(stores []storeGrant) []string {
	var out []string
	for _, g := range stores {
		out = append(out, g.String())
		if g.Grants != nil {
			for _, line := range g.Grants.lines() {
				out = append(out, "  "+line)
			}
		}
	}
	return out
}

// lines says in words what a store in a .wasm file may do, without the limits that are the default.
func (g *grants) lines() []string {
	var out []string
	list := func(heading string, items []string, none string) {
		if len(items) == 0 {
			items = []string{none}
		}
		for _, item := range items {
			if !strings.HasPrefix(item, " ") {
				item = heading + " " + item
			}
			out = append(out, item)
		}
	}
	if g.SHA256 != "" {
		list("must be", []string{"sha256 " + g.SHA256}, "")
	}
	list("may reach", words(g.Origins), "nothing: no origin is allowed")
	list("may call", storeLines(g.Stores), "no store")
	list("may use", words(g.Secrets), "no secret")
	for _, l := range g.Limits {
		if !l.Default {
			list("limit", []string{l.String()}, "")
		}
	}
	return out
}

// String is for people.
func (g storeGrant) String() string {
	text := "the store " + g.Name + ", a driver " + g.Driver
	switch {
	case g.Directory != "":
		text += " in " + g.Directory
	case g.File != "":
		text += ", the file " + g.File
	}
	if g.File != "" && !isWasm(g.File) && g.Grants == nil {
		text += ", an executable, which can do what its user can"
	}
	if len(g.Layers) > 0 {
		text += ", with the " + plural("layer", g.Layers)
	}
	return oneLine(text)
}

// String is for people.
func (g secretGrant) String() string {
	var uses []string
	if g.Readable {
		uses = append(uses, "which it may read")
	}
	if len(g.Origins) > 0 {
		uses = append(uses, "with which requests to "+strings.Join(g.Origins, ", ")+" may be keyed")
	}
	return "the secret " + g.Name + " from " + g.From + ", " + strings.Join(uses, ", and ")
}

// String is for people.
func (l limitGrant) String() string {
	var text string
	switch value := l.Value.(type) {
	case int64:
		text = mebibytes(value)
		if value < 1<<20 {
			text = fmt.Sprintf("%d bytes", value)
		}
	default:
		text = fmt.Sprint(value)
	}
	if l.Value == int64(0) || l.Value == "0s" {
		text = "none"
	}
	if l.Default {
		text += ", the default"
	}
	if l.Why != "" {
		text += ", " + l.Why
	}
	return l.Name + ": " + text
}

// String is for people.
func (g parameterGiven) String() string { return oneLine(fmt.Sprintf("%s: %v", g.Name, g.Value)) }

// String is for people.
func (m missing) String() string {
	if m.Name == "" {
		return m.Kind + ": " + m.Why
	}
	return "the " + m.Kind + " " + m.Name + ": " + m.Why
}

// unasked lists what is granted and not asked for. A policy's own grants say whether they are.
func (p *policy) unasked() []string {
	var out []string
	for _, g := range p.Origins {
		if !*g.Asked {
			out = append(out, "the origin "+g.Origin)
		}
	}
	for _, g := range p.Origins {
		if g.Credential != nil && !*g.Credential.Asked {
			out = append(out, "the credential "+g.Credential.Name+" for "+g.Origin)
		}
	}
	for _, g := range p.Stores {
		if !*g.Asked {
			out = append(out, "the store "+g.Name)
		}
	}
	for _, g := range p.Secrets {
		if !*g.Asked {
			out = append(out, "the secret "+g.Name)
		}
	}
	return out
}
