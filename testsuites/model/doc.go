// Package model holds a driver to a reference, operation by operation.
//
// A [Script] is a list of operations that [Parse] reads and String writes, one a line. [Run] performs
// it on a driver and compares every answer with a reference state: results, kinds of errors, content,
// listings, the order of walks, the Size of writers, and after a crash what is left to resume. Where the
// contract leaves something open the reference knows every outcome that is permitted, goes on from the
// one that came, and holds the driver to it from then on. docs/conformance.md lists what is open.
//
// Package modelrapid makes scripts at random and shrinks those that fail.
package model
