package factory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
)

type region struct {
	Region string `parameter:"region"`
}

func TestSchema(t *testing.T) {
	type config struct {
		region   `parameter:",squash"`
		Key      string         `parameter:"secretkey,secret"`
		Parts    int            `parameter:"parts"`
		Ratio    float64        `parameter:"ratio"`
		Secure   *bool          `parameter:"secure"`
		Wait     time.Duration  `parameter:"wait"`
		Zones    []string       `parameter:"zones"`
		Labels   map[string]any `parameter:"labels"`
		internal int
	}
	want := `{"type":"object","additionalProperties":false,"properties":{` + strings.Join([]string{
		`"labels":{"type":["object"]}`,
		`"parts":{"type":["integer","string"]}`,
		`"ratio":{"type":["number","string"]}`,
		`"region":{"type":["string"]}`,
		`"secretkey":{"type":["string"],"writeOnly":true}`,
		`"secure":{"type":["boolean","string"]}`,
		`"wait":{"type":["string"]}`,
		`"zones":{"type":["array","string"]}`,
	}, ",") + `}}`
	for _, given := range []any{config{}, &config{internal: 1}} {
		got, err := factory.Schema(given)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v\nwant %s", got, err, want)
		}
	}
	var decoded config
	if err := factory.Decode(map[string]any{"secretkey": "s", "region": "r"}, &decoded); err != nil || decoded.Key != "s" || decoded.Region != "r" {
		t.Errorf("%+v, %v", decoded, err)
	}
	for _, bad := range []any{nil, 1, new(int)} {
		if _, err := factory.Schema(bad); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
			t.Errorf("%T: %v", bad, err)
		}
	}
}
