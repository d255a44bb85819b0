package testsuites_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites"
)

// TestModelPasses runs the suite on a driver without abilities and on one with those that
// change what the cases want.
func TestModelPasses(t *testing.T) {
	for _, abilities := range []storagedriver.Ability{
		0,
		storagedriver.AbilityFilesUnderFiles | storagedriver.AbilityAppendCommitted | storagedriver.AbilityRedirect,
	} {
		t.Run(abilities.String(), func(t *testing.T) {
			open, stop := newModel(abilities)
			defer stop()
			testsuites.RegisterSuite(t, testsuites.Harness{
				New:           func(testsuites.T) storagedriver.StorageDriver { return open() },
				Reopen:        func(_ testsuites.T, _ storagedriver.StorageDriver) storagedriver.StorageDriver { return open() },
				NewWithBudget: func(testsuites.T, int64) storagedriver.StorageDriver { return open() }, // it keeps all there is
				PartSize:      64 << 10,
			})
		})
	}
}
