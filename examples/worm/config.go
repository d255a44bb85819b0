package worm

import (
	"strconv"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// store is the name under which the driver is granted where it stores.
const store = "under"

// config is the operator's parameters.
type config struct {
	retention string
	paths     string
}

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("retention", &c.retention).Required().
			Describe(`how long a file may not be changed or removed after it was written: a duration such as "720h", or days such as "30d"`),
		berth.String("paths", &c.paths).
			Describe(`what is retained: paths of files or of directories above them, separated by commas, in which * stands for one name and ** for any number; "/", everything, by default. Registries need "/docker/registry/v2/blobs"`),
	}
}

// always is what every store has, passed what some have.
const (
	always = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityDeleteTree | berth.AbilityParts
	passed = berth.AbilityRedirect | berth.AbilityAppendCommitted | berth.AbilityFilesUnderFiles | berth.AbilityIdempotent
)

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "worm",
		Version:     "1.0.0",
		Description: "keeps what is written to another store from being changed or removed for a time",
		Parameters:  new(config).fields(),
		Stores:      []string{store},
		Memory:      32 << 20,
		Abilities:   always | passed,
	}
}

// Open is the driver's berth.OpenFunc.
func Open(c *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	cfg := config{paths: "/"}
	if err := cfg.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	r, err := newRetention(&cfg)
	if err != nil {
		return nil, 0, 0, err
	}
	info, err := c.Store(store).Info()
	if err != nil {
		return nil, 0, 0, err
	}
	return &driver{retention: r}, always | info.Abilities&passed, info.MaxObject, nil
}

// maxDays is as many as a time.Duration holds.
const maxDays = int64(1<<63-1) / int64(24*time.Hour)

func newRetention(c *config) (*retention, error) {
	r := &retention{}
	if days, ok := strings.CutSuffix(c.retention, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 1 || n > maxDays {
			return nil, badParameter("retention", "must be days such as \"30d\", 1 to ", strconv.FormatInt(maxDays, 10), ", or a duration such as \"720h\"")
		}
		r.period = time.Duration(n) * 24 * time.Hour
	} else {
		var err error
		if r.period, err = time.ParseDuration(c.retention); err != nil {
			return nil, badParameter("retention", "must be a duration such as \"720h\", or days such as \"30d\"")
		}
	}
	if r.period <= 0 {
		return nil, badParameter("retention", "must be more than nothing: without a retention this driver has no use")
	}
	for _, text := range strings.Split(c.paths, ",") {
		p, ok := parsePattern(strings.TrimSpace(text))
		if !ok {
			return nil, badParameter("paths", "must be absolute paths, separated by commas, without empty names, \".\", \"..\" or \"~\", in which * and ** stand alone between slashes; ",
				strconv.Quote(text), " is none")
		}
		r.patterns = append(r.patterns, p)
	}
	return r, nil
}

func badParameter(name string, text ...string) error {
	return berth.NewError(berth.KindInvalidArgument, append([]string{"parameter ", strconv.Quote(name), " "}, text...)...)
}
