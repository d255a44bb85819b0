// Package abi is the wire contract between Berth and the drivers it runs in a sandbox:
// names, numbers, limits and messages. Its normative text is docs/abi.md, and a test
// holds the two together. It knows neither engine nor network.
package abi

// Module is the name under which the host's functions are imported.
const Module = "berth"

// The version of the ABI. A guest is accepted when its major equals Major and its minor
// is at most Minor.
const (
	Major = 1
	Minor = 0
	// Version is what a guest's export "abi" returns: major<<16 | minor.
	Version = Major<<16 | Minor
)

// The exports of a guest.
const (
	ExportMemory     = "memory"
	ExportInitialize = "_initialize"
	ExportABI        = "abi"
	ExportAlloc      = "alloc"
	ExportFree       = "free"
	ExportDispatch   = "dispatch"
)

// The functions of module "berth".
const (
	ImportCall   = "call"
	ImportTake   = "take"
	ImportRead   = "read"
	ImportWrite  = "write"
	ImportSplice = "splice"
	ImportClose  = "close"
	ImportNow    = "now"
	ImportRandom = "random"
	ImportLog    = "log"
)
