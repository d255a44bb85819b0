package storagedriver_test

import (
	"testing"

	"github.com/berth-dev/storagedriver"
)

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		version      storagedriver.Version
		major, minor uint
	}{
		{storagedriver.CurrentVersion, 1, 0}, {"2.17", 2, 17}, {"3", 3, 0}, {"", 0, 0}, {"x.y", 0, 0}, {".5", 0, 5},
		{"-1.2", 0, 2}, {"+1.2", 0, 2}, {"1.2.3", 1, 0}, {"99999999999999999999.1", 0, 1}, {" 1.1", 0, 1},
	} {
		if c.version.Major() != c.major || c.version.Minor() != c.minor {
			t.Errorf("%q: %d and %d, want %d and %d", c.version, c.version.Major(), c.version.Minor(), c.major, c.minor)
		}
	}
}
