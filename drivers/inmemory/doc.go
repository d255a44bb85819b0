// Package inmemory keeps objects in the memory of the process. It is for tests and for
// trying things out, and it is the reference model of a [storagedriver.Backend]: where
// two drivers differ, this one is right.
//
// Its directories are implicit: one exists as long as something, private names included,
// lies below it. A path below a file, and a file where a directory is, are KindInvalidPath.
// Content is immutable: an open reader goes on seeing what it opened, whatever is
// stored, moved or deleted meanwhile.
//
// The driver has no parameters, and nothing survives the process.
package inmemory
