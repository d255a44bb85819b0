package s3

import (
	"strings"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// credential is the name of what requests are signed with.
const credential = "storage"

// config is the operator's parameters.
type config struct {
	endpoint, bucket string
	redirect         int64
	checkTree        bool
}

func (c *config) fields() berth.Fields {
	return berth.Fields{
		berth.String("endpoint", &c.endpoint).Required().Describe("URL of the service, such as http://127.0.0.1:9000"),
		berth.String("bucket", &c.bucket).Required().Describe("name of the bucket, which must exist"),
		berth.Int("redirect", &c.redirect).Range(1, berth.MaxPresign).Describe("seconds for which redirects are good; 1200 by default"),
		berth.Bool("check-tree", &c.checkTree).Describe("look before each write whether a key above or below is a file's: for services that store a and a/b, and list but one of them; false by default"),
	}
}

const abilities = berth.AbilityCopy | berth.AbilityParts | berth.AbilityListTree | berth.AbilityRedirect | berth.AbilityIdempotent

// Manifest describes the driver.
func Manifest() berth.Manifest {
	return berth.Manifest{
		Name:        "s3-guest",
		Version:     "1.0.0",
		Description: "stores blobs in a bucket; its requests are signed by the host",
		Parameters:  new(config).fields(),
		Hosts:       []string{"{endpoint}"},
		Credentials: []string{credential},
		Memory:      64 << 20,
		Abilities:   abilities,
	}
}

// Open is the driver's berth.OpenFunc. It makes no request.
func Open(_ *berth.Call, parameters []byte) (berth.Driver, berth.Abilities, int64, error) {
	c := config{redirect: 1200}
	if err := c.fields().Decode(parameters); err != nil {
		return nil, 0, 0, err
	}
	origin := strings.TrimRight(c.endpoint, "/")
	scheme, host, ok := strings.Cut(origin, "://")
	if !ok || scheme != "http" && scheme != "https" || host == "" || strings.ContainsAny(host, "/@?# ") {
		return nil, 0, 0, berth.NewError(berth.KindInvalidArgument, `parameter "endpoint" must be http://HOST:PORT or https://HOST:PORT`)
	}
	if strings.Trim(c.bucket, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return nil, 0, 0, berth.NewError(berth.KindInvalidArgument, `parameter "bucket" must be lower-case letters, digits, "-" and "."`)
	}
	return &driver{config: c, bucket: origin + "/" + c.bucket}, abilities, maxPut, nil
}
