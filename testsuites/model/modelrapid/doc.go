// Package modelrapid makes scripts at random and performs them on a driver (package model), with rapid.
// A script that fails is shrunk, written to a file, and printed with the command that performs it again.
package modelrapid
