// Package testsuites is the conformance suite: what every storagedriver.StorageDriver owes its
// callers, as cases with stable identifiers. One driver passes all of them or does not conform;
// a case about an ability that a driver does not declare asserts that it is refused.
//
// [Run] runs the suite under any [T]; [RegisterSuite], [RegisterInProcessSuite] and
// [RegisterWasmSuite], [RegisterIPCSuite] run it under go test; [RunAll] runs it in a program. All of them run
// the same cases. docs/conformance.md lists them.
//
// A case works in a directory of its own, with a random name, directly below the driver's root,
// and removes it. So a suite may share its storage with other content, and with another run.
// Content is unique at every offset ([Harness].Seed decides it), so that parts which
// are swapped, repeated or shifted show.
package testsuites
