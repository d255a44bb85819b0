package berth

// Manifest says what a driver is and what it asks for, before it is opened.
type Manifest struct {
	// Name is the driver's name: lower-case letters, digits, "-", "_", at most 64 bytes.
	Name string
	// Version is the driver's own version.
	Version string
	// Description is one line.
	Description string
	// Parameters are the parameters Open takes; the JSON Schema is made of them.
	Parameters Fields
	// Hosts are the origins it wants to reach, templates over its parameters: "{endpoint}".
	Hosts []string
	// Stores, Credentials and Secrets are the names it uses of what the operator may lend it: names of lower-case
	// letters, digits, "-", "_", at most MaxName bytes, at most 16 of each.
	Stores, Credentials, Secrets []string
	// Memory is the most bytes of linear memory it expects to need; 0 when it cannot say.
	Memory int64
	// Instances is 1 for a driver that keeps state in memory, else 0.
	Instances int
	// Abilities are the most that Open may answer with.
	Abilities Abilities
}

// OpenFunc opens a driver with parameters, a JSON object that satisfies the manifest's schema.
// It runs once on each instance and must not depend on being run once. The abilities
// are at most the manifest's; maxObject is the most bytes one Put may have, 0 for no limit.
type OpenFunc func(c *Call, parameters []byte) (driver Driver, abilities Abilities, maxObject int64, err error)

// Abilities is a set of what a driver does beyond the five functions.
type Abilities uint64

// Has reports whether all of b are in a.
func (a Abilities) Has(b Abilities) bool { return a&b == b }

// Names lists the abilities by name.
func (a Abilities) Names() []string {
	var names []string
	for i, n := range abilityNames {
		if a.Has(1 << uint(i)) {
			names = append(names, n)
		}
	}
	return names
}

// JSON returns the manifest as docs/abi.md wants it.
func (m *Manifest) JSON() []byte {
	var w jsonWriter
	w.begin('{')
	w.member("name").str(m.Name)
	w.member("version").str(m.Version)
	w.member("description").str(m.Description)
	w.member("schema").raw(m.Parameters.Schema())
	w.member("hosts").strs(m.Hosts)
	names := func(member string, list []string) {
		if len(list) > 0 {
			w.member(member).strs(list)
		}
	}
	names("stores", m.Stores)
	names("credentials", m.Credentials)
	names("secrets", m.Secrets)
	if m.Memory > 0 {
		w.member("memory").int(m.Memory)
	}
	if m.Instances > 0 {
		w.member("instances").int(int64(m.Instances))
	}
	w.member("abilities").strs(m.Abilities.Names())
	w.end('}')
	return w.b
}
