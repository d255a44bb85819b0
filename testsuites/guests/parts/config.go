package parts

import (
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// config is the operator's parameters.
type config struct {
	endpoint         string
	minPart, maxPart int64
	maxParts         int64
	digest           string
	trapOnPart       int64
}

// Defaults: small parts make small tests.
const (
	defaultMinPart  = 64 << 10
	defaultMaxParts = 10_000
)

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("endpoint", &c.endpoint).Required().Describe("URL of the part store, such as http://127.0.0.1:8080"),
		berth.Int("min-part", &c.minPart).Range(1, 5<<30).Describe("fewest bytes of a part but the last, as the store demands; 65536 by default"),
		berth.Int("max-part", &c.maxPart).Range(0, 5<<30).Describe("most bytes of a part; 0, the default, is no limit"),
		berth.Int("max-parts", &c.maxParts).Range(1, 10_000).Describe("most parts of an upload; 10000 by default"),
		berth.String("digest", &c.digest).OneOf("none", "sha256").Describe("digest sent with each part; none by default"),
		berth.Int("trap-on-part", &c.trapOnPart).Range(0, 10_000).Describe("for tests: panic once in each upload, when the part with this number has been stored and its receipt not yet returned; 0, the default, is never"),
	}
}

const abilities = berth.AbilityCopy | berth.AbilityParts | berth.AbilityListTree | berth.AbilityRedirect |
	berth.AbilityDeleteTree | berth.AbilityFilesUnderFiles | berth.AbilityConditional | berth.AbilityIdempotent |
	berth.AbilityListUploads

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "parts",
		Version:     "1.0.0",
		Description: "stores blobs on the part store that the tests of Berth bring along",
		Parameters:  new(config).fields(),
		Hosts:       []string{"{endpoint}"},
		Memory:      64 << 20,
		Abilities:   abilities,
	}
}

// Open is the driver's berth.OpenFunc. It makes no request.
func Open(_ *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	c := config{minPart: defaultMinPart, maxParts: defaultMaxParts, digest: "none"}
	if err := c.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	scheme, host, ok := strings.Cut(strings.TrimRight(c.endpoint, "/"), "://")
	if !ok || scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/@?# ") {
		return nil, 0, 0, berth.NewError(berth.KindInvalidArgument, `parameter "endpoint" must be http://HOST:PORT or https://HOST:PORT`)
	}
	if c.maxPart != 0 && c.maxPart < c.minPart {
		return nil, 0, 0, berth.NewError(berth.KindInvalidArgument, `parameter "max-part" must be 0 or at least "min-part"`)
	}
	d := &driver{config: c, origin: scheme + "://" + host}
	return d, abilities, 0, nil
}
