// Package berth is what a Berth storage driver written in Go imports.
//
// A driver implements [Driver]: Stat, List, Read, Put and Delete are enough, the rest is
// embedded with [Unimplemented]. Its main package registers it and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o driver.wasm ./guest
//
// A driver reaches the world through the [Call] that every method is given and through
// nothing else: HTTP to the origins its operator allows, the clock, randomness and the log, and what the operator
// lends it by name. The bytes of blobs stay outside the sandbox: a driver handles [Stream] values,
// names them in requests and answers with them.
//
// Requests are signed by the host, with a credential that the driver names in [Request] and never sees; [Call.Presign]
// makes URLs the same way, and [Call.HMAC] with [Keyed] does for schemes of the driver's own. Other drivers that
// it may call are [Call.Store]: it answers reads with their content, and has them do its uploads ([Delegate]).
// Digests and compression of streams are the host's work too ([Call.HashStreams], [Call.Compress]). Bytes that the driver
// itself has to change pass through [Driver]'s Stream.
//
// The same driver source compiles natively, where package native gives it a
// Call over net/http; that is how drivers are debugged and measured.
//
// The package has no dependency, uses no reflection and never recovers, so that TinyGo can compile it from 0.34 on, for two targets:
//
//	tinygo build -target=wasip1 -buildmode=c-shared -scheduler=none -o driver.wasm ./guest
//	tinygo build -target=wasm-unknown -buildmode=c-shared -gc=conservative -o driver.wasm ./guest
//
// The tests hold the source against what TinyGo documents as supported; compiling with TinyGo itself is not verified. An int has
// 32 bits there. With wasm-unknown, whose time stands still and which has no stderr, use the Call's Now, Sleep and Log.
//
// docs/abi.md of Berth is the contract it fulfils.
package berth

//go:generate go run ./internal/constants ../../abi constants.go ../rust/src/constants.rs ../c/berth.h
