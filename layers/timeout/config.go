package timeout

import (
	"time"

	"github.com/berth-dev/storagedriver"
)

// Config are the deadlines. Zero is none.
type Config struct {
	// Operation is for each call that moves no content: Stat, List, ListTree, Delete, Redirect,
	// OpenUpload, CancelUpload, ListUploads, and for the first answer to a Read.
	Operation time.Duration `parameter:"operation"`
	// Bulk is for each call in which the backend works by itself, for as long as there is content: Copy,
	// Move, Concat, DeleteTree, AbortUploads, and CommitUpload once it has been sent its body.
	Bulk time.Duration `parameter:"bulk"`
	// Progress is how long no byte of a body may move: of a Read while it is waited for; of a Put, a part,
	// a suspend or a commit between the bytes it is sent, and until it is answered.
	Progress time.Duration `parameter:"progress"`
}

// The bounds of each. What is shorter than a millisecond was meant to have another unit.
const (
	least = time.Millisecond
	most  = 24 * time.Hour
)

// Check returns KindInvalidArgument for a field out of its range, and names its parameter.
func (c Config) Check() error {
	for _, p := range []struct {
		name string
		d    time.Duration
	}{{"operation", c.Operation}, {"bulk", c.Bulk}, {"progress", c.Progress}} {
		if p.d != 0 && (p.d < least || p.d > most) {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument, `parameter "%s" must be 0, or a duration from %v to %v`, p.name, least, most)
		}
	}
	return nil
}
