package registry

import (
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/registry/config"
	"github.com/distribution/distribution/v3/registry/storage/cache/memory"
)

// TestDefaultsThatAreShownAreThoseThatCount compares what 'berth config show' says with the code.
func TestDefaultsThatAreShownAreThoseThatCount(t *testing.T) {
	purge, err := parsePurge(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"http.addr": DefaultAddr, "http.draintimeout": DefaultDrainTimeout.String(),
		"storage.maintenance.uploadpurging.enabled":  purge.enabled,
		"storage.maintenance.uploadpurging.age":      purge.age.String(),
		"storage.maintenance.uploadpurging.interval": purge.interval.String(),
		"storage.maintenance.uploadpurging.dryrun":   purge.dryRun,
		"storage.cache.blobdescriptorsize":           memory.DefaultSize,
		"health.storagedriver.interval":              defaultCheckInterval.String(),
		"catalog.maxentries":                         DefaultConfig("", "").Catalog.MaxEntries,
		"tags.maxtags":                               DefaultConfig("", "").Tags.MaxTags,
	}
	d, err := config.New(config.Known{}).Read(strings.NewReader("version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: inmemory}}\nhealth: {storagedriver: {enabled: true}}\n"), "c.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range d.Values() {
		if value, compared := want[v.Path]; compared {
			if v.Value != value || v.Origin != (config.Origin{}) {
				t.Errorf("%s: shown is %v (%s), what counts is %v", v.Path, v.Value, v.Origin, value)
			}
			delete(want, v.Path)
		}
	}
	if len(want) > 0 {
		t.Errorf("not shown: %v", want)
	}
}
