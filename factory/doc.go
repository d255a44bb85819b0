// Package factory makes storage drivers from a name and parameters.
//
// A [Registry] is a value: whoever composes a program makes one, registers the drivers
// it wants (drivers/all lists ours), adds the loaders of what is found in files, and
// hands it on. The package-level functions work on a default registry, for third parties
// who register their driver in an init function and are reached by blank import.
//
// Package factory imports no driver and no runtime.
package factory
