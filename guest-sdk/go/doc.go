// Package berth is what a Berth storage driver written in Go imports.
//
// A driver implements [Driver]: Stat, List, Read, Put and Delete are enough, the rest is
// embedded with [Unimplemented]. Its main package registers it and is built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o driver.wasm ./guest
//
// A driver reaches the world through the [Call] that every method is given and through
// nothing else: HTTP to the origins its operator allows, the clock, randomness and the log.
// The bytes of blobs stay outside the sandbox: a driver handles [Stream] values,
// names them in requests and answers with them.
//
// The same driver source compiles natively, where package native gives it a
// Call over net/http; that is how drivers are debugged and measured.
//
// The package has no dependency, uses no reflection and never recovers, so that TinyGo
// compiles it as well as standard Go. docs/abi.md of Berth is the contract it fulfils.
package berth

//go:generate go run ./internal/constants ../../abi constants.go
