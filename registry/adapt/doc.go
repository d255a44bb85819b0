// Package adapt turns a storagedriver.StorageDriver into the storage driver of
// distribution v3, and the other way round.
//
// distribution's callers compare and type-switch on bare values: its error types,
// ErrSkipDir, ErrFilledBuffer. The adapters therefore rebuild those values exactly, and
// hand back what a walk function returned as it is.
package adapt
