package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// sandboxConfig is the section of a driver in a .wasm file as it is written: what the operator allows it,
// and the parameters that are its own.
type sandboxConfig struct {
	// SHA256 is what the file's digest must be, in hexadecimal; without it any file is accepted.
	SHA256 digest `parameter:"sha256"`
	// Parameters are the driver's own.
	Parameters map[string]any `parameter:"parameters"`
	// Allow are the origins that it may reach, and how; none by default.
	Allow []any `parameter:"allow"`
	// Stores are drivers that it may call, by the name that it calls them by.
	Stores map[string]any `parameter:"stores"`
	// Secrets are values that it may read, or key requests with, by their names.
	Secrets map[string]any `parameter:"secrets"`
	// Limits bound what it uses.
	Limits map[string]any `parameter:"limits"`
	// Cache is the folder for compiled code; "off" keeps none.
	Cache string `parameter:"cache"`
}

// namedSandbox is the section of the driver that is told which .wasm file to load.
type namedSandbox struct {
	// Module is the .wasm file.
	Module        string `parameter:"module"`
	sandboxConfig `parameter:",squash"`
}

// allowConfig is an entry of "allow" that is more than an origin.
type allowConfig struct {
	// Origin is scheme://host or scheme://host:port.
	Origin origin `parameter:"origin"`
	// Credential signs its requests: the scheme's name, with what that needs.
	Credential map[string]any `parameter:"credential"`
	// CIDR are the networks that its host's addresses may be in, besides those of the public.
	CIDR []network `parameter:"cidr"`
	// TLS is how it is reached by https.
	TLS map[string]any `parameter:"tls"`
	// Redirects is how many redirects are followed, each to an origin that is allowed as well; 0 follows none.
	Redirects int `parameter:"redirects"`
	// Proxy is an HTTP proxy to reach it through.
	Proxy proxy `parameter:"proxy"`
}

// tlsConfig is the section "tls" of an allowConfig.
type tlsConfig struct {
	// CA is a PEM file with the certificates that are trusted.
	CA string `parameter:"ca"`
	// Certificate is a PEM file with the client's certificate.
	Certificate string `parameter:"certificate"`
	// Key is a PEM file with the key of Certificate.
	Key string `parameter:"key"`
	// Minimum is the least version, 1.2 or 1.3.
	Minimum tlsVersion `parameter:"minimum"`
}

// limitsConfig is the section "limits". Zeros are runtime's defaults.
type limitsConfig struct {
	// Memory is the most bytes of linear memory of one instance.
	Memory int64 `parameter:"memory"`
	// Instances is how many calls run at one time; more wait.
	Instances int `parameter:"instances"`
	// IdleInstances is how many instances are kept for later calls.
	IdleInstances int `parameter:"idleinstances"`
	// Bodies is how many responses are open at one time, those that clients download included.
	Bodies int `parameter:"bodies"`
	// Requests is how many requests wait for a response at one time; more wait.
	Requests int `parameter:"requests"`
	// Response is the most bytes of one response; 0 is no limit.
	Response int64 `parameter:"response"`
	// Streams is how many streams the driver transforms at one time; more wait.
	Streams int `parameter:"streams"`
	// Connect bounds one attempt to connect.
	Connect time.Duration `parameter:"connect"`
	// FirstByte bounds the wait for a response, and for the other side to take more of a request.
	FirstByte time.Duration `parameter:"firstbyte"`
	// Idle bounds the wait for more of a response.
	Idle time.Duration `parameter:"idle"`
	// Total bounds a request from its begin to the end of its response; 0 does not.
	Total time.Duration `parameter:"total"`
}

// defaultLimits are runtime's.
func defaultLimits() limitsConfig {
	d := runtime.Defaults()
	return limitsConfig{
		Memory: d.MemoryLimit, Instances: d.MaxInstances, IdleInstances: d.MaxIdleInstances, Bodies: d.MaxOpenBodies,
		Requests: d.MaxRequests, Response: d.MaxResponse, Streams: d.MaxStreams,
		Connect: d.ConnectTimeout, FirstByte: d.FirstByteTimeout, Idle: d.IdleTimeout, Total: d.TotalTimeout,
	}
}

// The least and the most linear memory of an instance, as runtime.Config has it.
const (
	leastLinear = 64 << 10
	mostLinear  = 4<<30 - leastLinear
)

// sandbox is a section that was read: all that can be said of it before anything is opened.
type sandbox struct {
	sandboxConfig
	module  string // the file, where the section names it
	rules   []allowed
	stores  []granted
	secrets []secretConfig
	limits  limitsConfig
}

// allowed is an entry of "allow".
type allowed struct {
	egress.Rule             // without its Credential
	credential  *credential // nil: none
}

// mistakes are what is wrong with a section. Each is KindInvalidArgument.
type mistakes []error

// Error is one line.
func (m mistakes) Error() string {
	var texts []string
	for _, err := range m {
		texts = append(texts, plainText(err))
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives out each.
func (m mistakes) Unwrap() []error { return m }

// plainText is an error without its kind, which what is around it says.
func plainText(err error) string {
	if e := (*storagedriver.Error)(nil); errors.As(err, &e) && e.Err != nil && e.Op == "" && e.Driver == "" {
		return e.Err.Error()
	}
	return err.Error()
}

// err is nil where nothing is wrong.
func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return m
}

// at notes that the key at path is wrong.
func (m *mistakes) at(path, format string, args ...any) {
	*m = append(*m, &config.PlaceError{Key: path, Message: fmt.Sprintf(format, args...)})
}

// blank notes keys that are there with nothing behind them: a template that came out empty must not be taken for a wish to
// have no such thing.
func (m *mistakes) blank(section string, parameters map[string]any, keys ...string) {
	for _, key := range keys {
		if value, there := parameters[key]; there && (value == nil || value == "") {
			m.at(section+key, "is empty: give it a value, or leave the key out")
		}
	}
}

// decode reads the section at path.
func (m *mistakes) decode(path string, parameters map[string]any, into any) bool {
	err := factory.Decode(parameters, into)
	if err != nil {
		m.at(path, "has what cannot be used: %s", plainText(err))
	}
	return err == nil
}

// section returns the map at path, whose keys may have any type; nothing is an empty one.
func (m *mistakes) section(path string, value any) (map[string]any, bool) {
	var one struct {
		Section map[string]any `parameter:"section"`
	}
	if err := factory.Decode(map[string]any{"section": value}, &one); err != nil {
		m.at(path, "must be a section with keys of its own")
		return nil, false
	}
	return one.Section, true
}

// parseSandbox reads a section. It opens and reads nothing else. Its error is KindInvalidArgument, has a config.PlaceError for each
// key that is wrong by what stands beside it, and no value.
func parseSandbox(parameters map[string]any) (*sandbox, error) {
	var s sandbox
	if err := factory.Decode(parameters, &s.sandboxConfig); err != nil {
		return nil, err
	}
	return &s, s.parse(parameters)
}

// parseNamedSandbox is parseSandbox of a section that also names the file.
func parseNamedSandbox(parameters map[string]any) (*sandbox, error) {
	if _, other := parameters["path"]; other {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, `unknown parameter "path": `+moduleNotPath)
	}
	var named namedSandbox
	if err := factory.Decode(parameters, &named); err != nil {
		return nil, err
	}
	s := sandbox{sandboxConfig: named.sandboxConfig, module: named.Module}
	return &s, s.parse(parameters)
}

// moduleNotPath is said to who configures the driver "wasm" as one would the driver "ipc".
const moduleNotPath = `the .wasm file is named by "module"`

func (s *sandbox) parse(parameters map[string]any) error {
	var m mistakes
	m.blank("", parameters, "sha256")
	m.allow(s)
	m.stores(s)
	m.secrets(s)
	if m.decode("limits", s.Limits, &s.limits) {
		m.limits(s.limits)
	}
	s.Allow, s.Secrets, s.Stores, s.Limits = nil, nil, nil, nil // what was read hides its secrets
	return m.err()
}

func (m *mistakes) allow(s *sandbox) {
	seen := map[egress.Origin]int{}
	for i, entry := range s.Allow {
		path := fmt.Sprintf("allow[%d]", i)
		parameters := map[string]any{"origin": entry}
		if _, alone := entry.(string); !alone {
			var ok bool
			if parameters, ok = m.section(path, entry); !ok {
				continue
			}
		}
		var one allowConfig
		if !m.decode(path, parameters, &one) {
			continue
		}
		if one.Origin == "" {
			m.at(path+".origin", "is missing")
			continue
		}
		if _, there := parameters["credential"]; there && len(one.Credential) == 0 {
			m.at(path+".credential", "is empty: say what requests are signed with, or leave the key out for none")
			one.Credential = nil
		}
		o := one.Origin.parsed()
		if first, twice := seen[o]; twice {
			m.at(path+".origin", "is that of allow[%d] too: one entry says all of an origin", first)
		}
		seen[o] = i
		s.rules = append(s.rules, m.rule(path, one, o))
	}
}

// rule returns what an entry of "allow" says.
func (m *mistakes) rule(path string, one allowConfig, o egress.Origin) allowed {
	out := allowed{Rule: egress.Rule{
		Origin: o.String(), Networks: prefixes(one.CIDR), Redirects: one.Redirects, Proxy: string(one.Proxy),
	}}
	if one.Redirects < 0 || one.Redirects > egress.MaxRedirects {
		m.at(path+".redirects", "must be a whole number from 0 to %d", egress.MaxRedirects)
	}
	if one.Proxy != "" && len(one.CIDR) > 0 {
		m.at(path+".cidr", "has no effect with a proxy, which looks the name up itself")
	}
	m.blank(path+".tls.", one.TLS, "ca", "certificate", "key", "minimum")
	var tls tlsConfig
	if len(one.TLS) > 0 && m.decode(path+".tls", one.TLS, &tls) {
		out.TLS = egress.TLS{CAFile: tls.CA, CertFile: tls.Certificate, KeyFile: tls.Key, MinVersion: string(tls.Minimum)}
		switch {
		case o.Scheme != "https":
			m.at(path+".tls", "has no effect: the origin is of http")
		case (tls.Certificate == "") != (tls.Key == ""):
			m.at(path+".tls", "has one of certificate and key; set both or none")
		}
	}
	if one.Credential != nil {
		out.credential = m.credential(path+".credential", one.Credential)
		if one.Proxy != "" && o.Scheme == "http" {
			m.at(path+".proxy", "would see the credential: use https, or no proxy")
		}
	}
	return out
}

func (m *mistakes) limits(l limitsConfig) {
	if l.Memory != 0 && (l.Memory < leastLinear || l.Memory > mostLinear) {
		m.at("limits.memory", "must be a whole number from %d to %d, or 0 for the default", leastLinear, mostLinear)
	}
	for key, n := range map[string]int64{
		"instances": int64(l.Instances), "idleinstances": int64(l.IdleInstances), "bodies": int64(l.Bodies), "requests": int64(l.Requests),
		"response": l.Response, "streams": int64(l.Streams), "connect": int64(l.Connect), "firstbyte": int64(l.FirstByte),
		"idle": int64(l.Idle), "total": int64(l.Total),
	} {
		if n < 0 {
			m.at("limits."+key, "must not be negative; 0 is the default")
		}
	}
}

// name notes that name, below path, is none for a store, a secret or a credential.
func (m *mistakes) name(path, name string) bool {
	if abi.CheckName(name) == nil {
		return true
	}
	m.at(path, "is no name: that is 1 to %d lower-case letters, digits, '-' and '_'", abi.MaxName)
	return false
}

// config returns what the module is loaded with. What of it must be opened, stores and signers, is not in it yet.
func (s *sandbox) config() runtime.Config {
	l := s.limits
	return runtime.Config{
		SHA256: string(s.SHA256), MemoryLimit: l.Memory, MaxInstances: l.Instances, MaxIdleInstances: l.IdleInstances, MaxOpenBodies: l.Bodies,
		MaxRequests: l.Requests, MaxResponse: l.Response, MaxStreams: l.Streams,
		ConnectTimeout: l.Connect, FirstByteTimeout: l.FirstByte, IdleTimeout: l.Idle, TotalTimeout: l.Total,
	}
}

// held is what was opened for a module. It is closed after the module.
type held struct {
	stores openStores
	askers []*asker
}

func (h held) close() error {
	defer closeAskers(h.askers)
	return h.stores.close()
}

// open returns what the module is loaded with, once its secrets have been read, its signers made and its stores opened. The caller
// closes what is held, after the module.
func (c *composition) open(ctx context.Context, s *sandbox) (runtime.Config, held, error) {
	var (
		h   held
		err error
	)
	out := s.config()
	out.Metric = c.guestMetric
	if out.Secrets, err = c.readSecrets(s.secrets); err != nil {
		return out, h, err
	}
	if out.Allow, h.askers, err = signed(ctx, s); err != nil {
		return out, h, err
	}
	if h.stores, err = c.openStores(ctx, s.stores); err != nil {
		return out, held{}, closing(err, h.close())
	}
	out.Stores = map[string]storagedriver.StorageDriver{}
	for _, one := range h.stores {
		out.Stores[one.name] = one.driver
	}
	return out, h, nil
}

// sortedKeys returns the keys of a section in ascending order.
func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
