package abi

// Kind classifies an error on the wire. The numbers equal those of package
// storagedriver, which this package does not import so that guests need not.
type Kind uint8

// The kinds.
const (
	KindUnknown         Kind = 0
	KindNotFound        Kind = 1
	KindInvalidPath     Kind = 2
	KindInvalidOffset   Kind = 3
	KindUnsupported     Kind = 4
	KindConflict        Kind = 5
	KindPermission      Kind = 6
	KindCanceled        Kind = 7
	KindDeadline        Kind = 8
	KindInvalidArgument Kind = 9
	KindCorrupt         Kind = 10
	KindLimit           Kind = 11
	KindUnavailable     Kind = 12
	KindDenied          Kind = 13
	KindNoSpace         Kind = 14
	KindGuest           Kind = 15
	KindClosed          Kind = 16
)

// NumKinds is one more than the highest Kind.
const NumKinds = 17

// The abilities of OpenReply.Caps and of the manifest.
const (
	AbilityCopy            uint64 = 1 << 0
	AbilityMove            uint64 = 1 << 1
	AbilityMoveTree        uint64 = 1 << 2
	AbilityConcat          uint64 = 1 << 3
	AbilityParts           uint64 = 1 << 4
	AbilityListTree        uint64 = 1 << 5
	AbilityRedirect        uint64 = 1 << 6
	AbilityDeleteTree      uint64 = 1 << 7
	AbilityUnsorted        uint64 = 1 << 8
	AbilityAppendCommitted uint64 = 1 << 9
	AbilityFilesUnderFiles uint64 = 1 << 10
	AbilityConditional     uint64 = 1 << 11
	AbilityIdempotent      uint64 = 1 << 12
	AbilityListUploads     uint64 = 1 << 13
)

// AllAbilities are the abilities of this version.
const AllAbilities uint64 = 1<<14 - 1

var abilityNames = [...]string{
	"copy", "move", "move-tree", "concat", "parts", "list-tree", "redirect", "delete-tree",
	"unsorted", "append-committed", "files-under-files", "conditional", "idempotent",
	"list-uploads",
}

// AbilityBit returns the bit of the ability with the name, as the manifest has it.
func AbilityBit(name string) (uint64, bool) {
	for i, n := range abilityNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// AbilityNames lists the names of the abilities set, in the order of their bits.
func AbilityNames(set uint64) []string {
	var names []string
	for i, n := range abilityNames {
		if set&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}
