package stack

import (
	"errors"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/layers/fault"
	"github.com/berth-dev/storagedriver/layers/limit"
	"github.com/berth-dev/storagedriver/layers/readonly"
	"github.com/berth-dev/storagedriver/layers/retry"
	"github.com/berth-dev/storagedriver/layers/timeout"
)

// Key is the parameter of every driver that holds its layers.
const Key = "layers"

// Config is the section "layers". The zero value has none.
type Config struct {
	ReadOnly bool
	// Tracing and Metrics: nil is whatever the program has.
	Tracing, Metrics *bool
	Retry            *retry.Config
	Limit            *limit.Config
	Timeout          *timeout.Config
	Fault            fault.Rules
}

// section is Config as it is written.
type section struct {
	ReadOnly bool           `parameter:"readonly"`
	Tracing  *bool          `parameter:"tracing"`
	Metrics  *bool          `parameter:"metrics"`
	Retry    map[string]any `parameter:"retry"`
	Limit    map[string]any `parameter:"limit"`
	Timeout  map[string]any `parameter:"timeout"`
	Fault    any            `parameter:"fault"`
}

// Parse reads the value of the parameter "layers", as YAML, flags or the environment give it. A layer is there when its key
// is: an empty "retry" has the defaults. Errors are KindInvalidArgument and name the parameter with
// its section, as in "layers.retry".
func Parse(value any) (Config, error) {
	var outer struct {
		Layers map[string]any `parameter:"layers"`
	}
	if err := factory.Decode(map[string]any{Key: value}, &outer); err != nil {
		return Config{}, err
	}
	var s section
	if err := decode("layers", outer.Layers, &s); err != nil {
		return Config{}, err
	}
	c := Config{ReadOnly: s.ReadOnly, Tracing: s.Tracing, Metrics: s.Metrics}
	if _, there := outer.Layers["retry"]; there {
		r := retry.Default()
		c.Retry = &r
		if err := decode("layers.retry", s.Retry, c.Retry); err != nil {
			return Config{}, err
		}
	}
	if _, there := outer.Layers["limit"]; there {
		c.Limit = new(limit.Config)
		if err := decode("layers.limit", s.Limit, c.Limit); err != nil {
			return Config{}, err
		}
	}
	if _, there := outer.Layers["timeout"]; there {
		c.Timeout = new(timeout.Config)
		if err := decode("layers.timeout", s.Timeout, c.Timeout); err != nil {
			return Config{}, err
		}
	}
	var err error
	if c.Fault, err = rules(s.Fault); err != nil {
		return Config{}, in("layers.fault", err)
	}
	return c, c.check()
}

func decode(section string, parameters map[string]any, into any) error {
	if err := factory.Decode(parameters, into); err != nil {
		return in(section, err)
	}
	return nil
}

// in returns err with the section that it is in. Its kind is said once.
func in(section string, err error) error {
	text := err.Error()
	if e := (*storagedriver.Error)(nil); errors.As(err, &e) && e.Err != nil {
		text = e.Err.Error()
	}
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: %s", section, text)
}

// rules reads the fault rules: a list, or one string with semicolons, since rules have commas.
func rules(value any) (fault.Rules, error) {
	var texts []string
	if text, ok := value.(string); ok {
		for one := range strings.SplitSeq(text, ";") {
			if strings.TrimSpace(one) != "" {
				texts = append(texts, one)
			}
		}
	} else {
		var list struct {
			Fault []string `parameter:"fault"`
		}
		if err := factory.Decode(map[string]any{"fault": value}, &list); err != nil {
			return nil, err
		}
		texts = list.Fault
	}
	return fault.Parse(texts...)
}

// check returns the error of values out of their range.
func (c Config) check() error {
	if c.Retry != nil {
		if err := c.Retry.Check(); err != nil {
			return in("layers.retry", err)
		}
	}
	if c.Limit != nil {
		if err := c.Limit.Check(); err != nil {
			return in("layers.limit", err)
		}
	}
	if c.Timeout != nil {
		if err := c.Timeout.Check(); err != nil {
			return in("layers.timeout", err)
		}
		if *c.Timeout == (timeout.Config{}) {
			return in("layers.timeout", errors.New("there is no deadline: set operation, bulk or progress"))
		}
	}
	return nil
}

// Observers are the layers that watch, which the program that composes drivers has. Each is there unless a
// driver's section switches it off; a nil one is what the program does not have, and cannot be switched on.
type Observers struct {
	Tracing, Metrics func(storagedriver.Backend) storagedriver.Backend
}

type wrapper = func(storagedriver.Backend) storagedriver.Backend

func wanted(asked *bool, w wrapper) bool {
	if asked == nil {
		return w != nil
	}
	return *asked
}

// Layers returns the layers of c, for Build. What c asks for and o lacks is KindInvalidArgument.
func (c Config) Layers(o Observers) ([]Layer, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var out []Layer
	add := func(p Position, there bool, w wrapper) {
		if there {
			out = append(out, Layer{p, w})
		}
	}
	add(ReadOnly, c.ReadOnly, readonly.New)
	add(Tracing, wanted(c.Tracing, o.Tracing), o.Tracing)
	add(Metrics, wanted(c.Metrics, o.Metrics), o.Metrics)
	add(Retry, c.Retry != nil, func(b storagedriver.Backend) storagedriver.Backend { return retry.New(b, *c.Retry) })
	add(Limit, c.Limit != nil, func(b storagedriver.Backend) storagedriver.Backend { return limit.New(b, *c.Limit) })
	add(Timeout, c.Timeout != nil, func(b storagedriver.Backend) storagedriver.Backend { return timeout.New(b, *c.Timeout) })
	add(Fault, len(c.Fault) > 0, func(b storagedriver.Backend) storagedriver.Backend { return fault.New(b, c.Fault) })
	for _, l := range out {
		if l.Wrap == nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument,
				"layers.%v: nothing is to be observed: this program was not told to export it", l.Position)
		}
	}
	return out, nil
}
