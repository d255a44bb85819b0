// Package suite is the conformance test of signers.
package suite
