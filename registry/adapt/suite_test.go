package adapt_test

import (
	"flag"
	"testing"

	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/registry/adapt"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	theirs "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/distribution/v3/registry/storage/driver/testsuites"
	"go.uber.org/goleak"
)

// TestMain leaves out the suite's case of 5 GB.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.short", "true"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// runLineageSuite runs distribution's own suite, which sleeps for 15 s and shares state with itself, so
// that one runs at a time.
func runLineageSuite(t *testing.T, open func() driver.StorageDriver) {
	testsuites.Driver(t, func() (driver.StorageDriver, error) { return open(), nil }, false)
}

// Distribution's inmemory driver fails its own suite once in 31 runs: below a directory x it takes x/x for x.
func TestDistributionsSuiteOnItsOwnDriverThereAndBack(t *testing.T) {
	d := theirs.New(theirs.DriverParameters{RootDirectory: t.TempDir(), MaxThreads: 100})
	runLineageSuite(t, func() driver.StorageDriver { return adapt.ToDistribution(adapt.FromDistribution(d)) })
}

func TestDistributionsSuiteOnInmemory(t *testing.T) {
	runLineageSuite(t, func() driver.StorageDriver { return adapt.ToDistribution(layers.Complete(inmemory.New())) })
}

func TestDistributionsSuiteOnFilesystem(t *testing.T) {
	b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	d := layers.Complete(b)
	defer d.Close()
	runLineageSuite(t, func() driver.StorageDriver { return adapt.ToDistribution(d) })
}
