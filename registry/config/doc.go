// Package config knows what a configuration of the registry may say: every key of
// distribution's configuration, and the parameters of the drivers that a program has.
//
// distribution ignores a key it does not know and a setting it does not use. This package
// refuses both, on one line with file, line number and key, and so decides before anything
// is started whether a configuration means what it says.
//
// The known keys are read off distribution's own types by reflection, and off the structs
// that drivers decode their parameters into; only what distribution keeps in
// map[string]any is written down here (sections.go).
package config
