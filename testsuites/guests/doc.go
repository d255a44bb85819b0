// Package guests tests the guests of this repository on the runtime: the conformance suite over each, and
// what only a real guest shows.
package guests
