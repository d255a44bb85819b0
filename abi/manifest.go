package abi

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
)

// Manifest is what a guest says of itself: the JSON object of DescribeReply.
type Manifest struct {
	// Name is the driver's name: lower-case letters, digits, '-' and '_', at most 64 bytes.
	Name string `json:"name"`
	// Version is the driver's own.
	Version string `json:"version,omitempty"`
	// Description is one line.
	Description string `json:"description,omitempty"`
	// Schema is the JSON Schema of the parameters.
	Schema json.RawMessage `json:"schema,omitempty"`
	// Hosts are the origins it wants to reach, as templates over its parameters. They
	// grant nothing.
	Hosts []string `json:"hosts,omitempty"`
	// Stores, Credentials and Secrets are the names it uses of what an operator may grant. They grant nothing.
	Stores      []string `json:"stores,omitempty"`
	Credentials []string `json:"credentials,omitempty"`
	Secrets     []string `json:"secrets,omitempty"`
	// Memory is the most bytes of linear memory it expects to need.
	Memory int64 `json:"memory,omitempty"`
	// Instances is 1 when it keeps state in memory, and otherwise 0.
	Instances int `json:"instances,omitempty"`
	// Abilities are names of abilities. Unknown ones are left out of Caps.
	Abilities []string `json:"abilities,omitempty"`
}

// Caps returns the abilities as bits.
func (m *Manifest) Caps() uint64 {
	var caps uint64
	for _, name := range m.Abilities {
		bit, _ := AbilityBit(name)
		caps |= bit
	}
	return caps
}

// ParseManifest decodes a manifest and checks all of it but the schema.
func ParseManifest(b []byte) (*Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("%w: the manifest: %w", ErrMalformed, err)
	}
	if err := CheckName(m.Name); err != nil {
		return nil, fmt.Errorf("%w: the manifest: %w", ErrMalformed, err)
	}
	if err := m.checkTexts(); err != nil {
		return nil, fmt.Errorf("%w: the manifest: %w", ErrMalformed, err)
	}
	if m.Memory < 0 {
		return nil, fmt.Errorf("%w: the manifest's memory is %d", ErrMalformed, m.Memory)
	}
	if m.Instances != 0 && m.Instances != 1 {
		return nil, fmt.Errorf("%w: the manifest's instances is %d, neither 1 nor absent", ErrMalformed, m.Instances)
	}
	return &m, nil
}

// maxHosts is the most origins that a manifest names: services of one operator are a few.
const maxHosts = 64

// maxNames is the most stores, credentials or secrets that a manifest names.
const maxNames = 16

// CheckName tells whether s can name a store, a credential, a secret or a metric: lower-case letters, digits,
// '-' and '_', at most MaxName bytes.
func CheckName(s string) error {
	if s == "" || len(s) > MaxName || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return fmt.Errorf("the name %.80q is not 1 to %d lower-case letters, digits, '-' or '_'", s, MaxName)
	}
	return nil
}

// checkTexts holds what is shown to people to one printable line each.
func (m *Manifest) checkTexts() error {
	if len(m.Hosts) > maxHosts {
		return fmt.Errorf("%d hosts, more than %d", len(m.Hosts), maxHosts)
	}
	for kind, names := range map[string][]string{"stores": m.Stores, "credentials": m.Credentials, "secrets": m.Secrets} {
		if len(names) > maxNames {
			return fmt.Errorf("%d %s, more than %d", len(names), kind, maxNames)
		}
		for _, s := range names {
			if err := CheckName(s); err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
		}
	}
	for _, s := range append([]string{m.Version, m.Description}, m.Hosts...) {
		if len(s) > MaxText || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("%.80q is not one printable line of at most %d bytes", s, MaxText)
		}
	}
	return nil
}
