package compress

import berth "github.com/berth-dev/storagedriver/guest-sdk/go"

// store is the name under which the driver is granted where it stores.
const store = "under"

// config is the operator's parameters.
type config struct {
	level int64
}

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.Int("level", &c.level).Range(1, 3).
			Describe("how hard to compress: 1 is the fastest and the default, 3 makes the smallest files"),
	}
}

// always is what every store has, passed what some have.
const (
	always = berth.AbilityMove | berth.AbilityMoveTree | berth.AbilityDeleteTree | berth.AbilityParts
	passed = berth.AbilityFilesUnderFiles | berth.AbilityIdempotent
)

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "compress",
		Version:     "1.0.0",
		Description: "stores blobs compressed in another store",
		Parameters:  new(config).fields(),
		Stores:      []string{store},
		Memory:      96 << 20,
		Abilities:   always | passed,
	}
}

// Open is the driver's berth.OpenFunc.
func Open(c *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	cfg := config{level: 1}
	if err := cfg.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	info, err := c.Store(store).Info()
	if err != nil {
		return nil, 0, 0, err
	}
	return newDriver(cfg.level), always | info.Abilities&passed, info.MaxObject, nil
}
