// Package ipc runs storage drivers in processes of their own: executables named
// registry-storage-NAME, in any language, spoken to over a socket they inherit. What both sides owe is in
// docs/ipc.md, the messages are those of package abi.
//
// # The host
//
// [Load] starts an executable once, to ask what it is. [Driver.Open] starts it with the operator's parameters and returns a
// Backend; [New] completes one as a StorageDriver that also tells its version, an [IPCStorageDriver]. A process that dies, breaks
// the protocol or does not answer is killed with its group and, when the next call comes, started again: at once
// the first time, then no sooner than after a pause that doubles from [Config.MinRestart] to [Config.MaxRestart]. Until then calls
// are answered with KindUnavailable, which is temporary and says how long. A call under way when the process dies gets the same, or KindGuest when it
// was killed because it broke a rule: what the call was to do may have been done or not.
//
// A call returns when the driver has answered. When its context ends the driver is told, and has [Config.Settle] to end what it
// does before the call returns without it, and [Config.CancelTimeout] before it is killed.
//
// # The driver
//
// [Main] is the whole main function of an executable: it answers what the driver is, and serves the Backend that its OpenFunc
// returns. [StorageDriverServer] serves a driver that is open already: a Backend, or a StorageDriver, whose
// Writer then takes the parts of an upload in their order. A StorageDriver hides private names, those with "~", so those that come from
// the host's gate get names in the public namespace: a component with "~", or one that would be taken for such a name, is
// "-.-" followed by the component with "~" as "-t" and "-" as "--".
package ipc
