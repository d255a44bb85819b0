// Package memory is a storage driver whose objects are in its own memory and which asks nobody: what a call of it costs is
// what the call costs. The benchmark compares with it the ways to call a driver. guest is it as a .wasm module, process
// as an executable of package ipc, goplugin as a plugin of hashicorp/go-plugin; natively it is opened through package native.
//
// It is for measuring and stores for nobody else: an object of 16 MiB or more that replaces one of its size takes the memory of the one before that,
// which a reader may still be at when two puts overtake it.
package memory
