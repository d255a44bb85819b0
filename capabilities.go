package storagedriver

import "strings"

// Ability is a set of things a driver does beyond the five functions. The bits are
// frozen and equal those of the guest ABI.
type Ability uint64

// The abilities.
const (
	// AbilityCopy: Backend.Copy.
	AbilityCopy Ability = 1 << 0
	// AbilityMove: Backend.Move of files.
	AbilityMove Ability = 1 << 1
	// AbilityMoveTree: Backend.Move of directories as well.
	AbilityMoveTree Ability = 1 << 2
	// AbilityConcat: Backend.Concat.
	AbilityConcat Ability = 1 << 3
	// AbilityParts: Uploads.
	AbilityParts Ability = 1 << 4
	// AbilityListTree: Backend.ListTree.
	AbilityListTree Ability = 1 << 5
	// AbilityRedirect: Backend.Redirect.
	AbilityRedirect Ability = 1 << 6
	// AbilityDeleteTree: Backend.DeleteTree.
	AbilityDeleteTree Ability = 1 << 7
	// AbilityUnsorted: Backend.List gives its names in no order.
	AbilityUnsorted Ability = 1 << 8
	// AbilityAppendCommitted: a Writer with append continues committed content that is
	// not empty.
	AbilityAppendCommitted Ability = 1 << 9
	// AbilityFilesUnderFiles: /a and /a/b may both be files. Without it the second is
	// KindInvalidPath.
	AbilityFilesUnderFiles Ability = 1 << 10
	// AbilityConditional: writes to an upload's state are conditional, so that
	// KindConflict for a stale suspend or commit is certain, not best effort.
	AbilityConditional Ability = 1 << 11
	// AbilityIdempotent: Put, Delete, DeleteTree, Copy, Concat and SuspendUpload that failed
	// with a Temporary error may be repeated, also when they took effect and only the
	// answer was lost: the backend is then as after one call. Between writers the last
	// wins, as ever: a repeat takes effect over what another wrote to the path since the
	// first attempt, for the call it belongs to has not returned. Without it they are
	// not repeated. Move and CommitUpload never are, nor a Concat onto one of its sources.
	AbilityIdempotent Ability = 1 << 12
	// AbilityListUploads: Backend.ListUploads. It is declared beside AbilityParts only.
	AbilityListUploads Ability = 1 << 13
)

var abilityNames = []string{
	"copy", "move", "move-tree", "concat", "parts", "list-tree", "redirect", "delete-tree",
	"unsorted", "append-committed", "files-under-files", "conditional", "idempotent",
	"list-uploads",
}

// Has reports whether all of b are in a.
func (a Ability) Has(b Ability) bool { return a&b == b }

// String lists the abilities by name, separated by commas.
func (a Ability) String() string {
	var names []string
	for i, n := range abilityNames {
		if a.Has(1 << i) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ",")
}

// Capabilities is what a driver does, as data.
type Capabilities struct {
	// Abilities is the set of optional abilities.
	Abilities Ability
	// MaxObject is the most bytes one Put may have; 0 means no limit.
	MaxObject int64
	// Keys says under which keys of a bucket the files are, for what reads the bucket by itself, as a content delivery network does;
	// the zero value is a backend that has none. It stays in the process: neither the guest ABI nor a driver's socket carries it.
	Keys Keys
}

// Keys is how a backend of a bucket names its objects: the key of a path is Prefix followed by
// the path without its first slash.
type Keys struct {
	// Bucket is the bucket's name; "" is a backend without.
	Bucket string
	// Prefix is "" or ends with "/".
	Prefix string
}

// Has reports whether all of a are among the abilities.
func (c Capabilities) Has(a Ability) bool { return c.Abilities.Has(a) }
