// Package storagedriver defines what Berth stores its blobs through.
//
// [StorageDriver] is what everyone calls: a filesystem-like key/value store with
// streaming writers. [Backend] is what a driver's author writes: five functions
// (Stat, List, Read, Put, Delete) and, declared in [Capabilities], whatever else the
// backend does well. Package layers turns a Backend into a StorageDriver; it is the
// only way from one to the other, so behaviour that all drivers share lives there
// once: path rules, derived operations, the FileWriter contract, error wrapping.
//
// This package imports the standard library only, and never net/http: it is linked
// into sandboxed guests, where net/http would more than double their size.
package storagedriver
