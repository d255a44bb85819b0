package trace

import (
	"encoding/json"
	"time"
)

// Format is the version of the format. A reader refuses traces of another.
const Format = 1

// The kinds of records.
const (
	// KindTrace begins a trace: Format, Berth.
	KindTrace = "trace"
	// KindDriver tells of an opened driver, or of a module that describes itself, before its first
	// instance: Driver, Name, SHA256, ABI, Engine, MemoryPages, Parameters, Placeholders.
	KindDriver = "driver"
	// KindInstance begins an instance: Instance, Driver, Describing.
	KindInstance = "instance"
	// KindCall begins a call into the guest: Instance, Func, Args, Begin, Said (the request of dispatch).
	KindCall = "call"
	// KindHost is a call that the guest made of the host, which ended: Instance, Func, Args, Said, Results,
	// Writes, Trap.
	KindHost = "host"
	// KindReturn ends the last call into the guest: Instance, Results, Reply, Denied, Trap.
	KindReturn = "return"
	// KindError is the error that the host made of the last call: Instance, Op, Error.
	KindError = "error"
	// KindEnd ends an instance: Instance.
	KindEnd = "end"
	// KindStop ends the recording, of one instance when Instance is not 0: Reason.
	KindStop = "stop"
)

// The name of the call that makes an instance. All others are those of exports.
const Instantiate = "instantiate"

// Record is one line of a trace. Which fields count is said at the kinds; the others are left out.
// Nothing in it holds a secret: where there was one there is its placeholder.
type Record struct {
	Kind     string `json:"kind"`
	Instance uint64 `json:"instance,omitempty"`

	Format int    `json:"format,omitempty"`
	Berth  string `json:"berth,omitempty"`

	Driver       uint64          `json:"driver,omitempty"`
	Name         string          `json:"name,omitempty"`
	SHA256       string          `json:"sha256,omitempty"`
	ABI          string          `json:"abi,omitempty"`
	Engine       string          `json:"engine,omitempty"`
	MemoryPages  uint32          `json:"memoryPages,omitempty"`
	Parameters   json.RawMessage `json:"parameters,omitempty"`
	Placeholders []Placeholder   `json:"placeholders,omitempty"`

	Describing bool `json:"describing,omitempty"`

	// Func is an export, Instantiate, or an import as module.name.
	Func string `json:"func,omitempty"`
	// Begin says that an operation begins with this call.
	Begin   bool     `json:"begin,omitempty"`
	Args    []uint64 `json:"args,omitempty"`
	Said    *Said    `json:"said,omitempty"`
	Results []uint64 `json:"results,omitempty"`
	// Writes are what the host changed in the guest's memory.
	Writes []Write `json:"writes,omitempty"`
	Trap   *Trap   `json:"trap,omitempty"`
	// Reply is what dispatch answered, where that is a message in memory.
	Reply []byte `json:"reply,omitempty"`
	// Denied is what policy last refused in the operation.
	Denied string `json:"denied,omitempty"`

	Op    string `json:"op,omitempty"`
	Error *Error `json:"error,omitempty"`

	Reason string `json:"reason,omitempty"`

	// Source is the line of source that a host call is made in, or the stack of a trap with lines of source; "" where the module does not say. It is in no file.
	Source string `json:"-"`
	// Took is how long a host call took, or the call that a return ends; it is in no file.
	Took time.Duration `json:"-"`
}

// Placeholder stands for a secret.
type Placeholder struct {
	Text string `json:"text"`
	// Hidden says that the runtime hides the secret in texts of the guest's.
	Hidden bool `json:"hidden,omitempty"`
}

// Said is bytes that one side gave the other: whole, or their beginning and their digest.
type Said struct {
	Len int64 `json:"len"`
	// SHA256 is of all of it, where Data is not.
	SHA256 string `json:"sha256,omitempty"`
	Data   []byte `json:"data,omitempty"`
}

// Write is bytes that the host put into the guest's memory.
type Write struct {
	At   uint32 `json:"at"`
	Data []byte `json:"data"`
}

// Trap is how a call ended that did not return: of the host's, with the text and the kind of the error; of
// the guest's, with the reason and the stack.
type Trap struct {
	Text  string `json:"text"`
	Kind  uint8  `json:"kind,omitempty"`
	Stack string `json:"stack,omitempty"`
}

// Error is an error as its caller got it.
type Error struct {
	Text string `json:"text"`
	// Guest says that the guest is broken, for Reason; the rest is of such errors.
	Guest  bool   `json:"guest,omitempty"`
	Reason string `json:"reason,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Stack  string `json:"stack,omitempty"`
}
