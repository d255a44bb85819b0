// Package guestbuild compiles the guests of this repository for tests and benchmarks, so that
// `go test ./...` needs Go and nothing else. What it builds lies in build/guests, where the
// Makefile puts it as well, and is built again only when a source is younger.
package guestbuild
