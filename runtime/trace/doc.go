// Package trace is the file that holds what guests were told and what they said, so that their calls
// can be run again without anything else: its records, how it is written, how it is read, and how
// secrets are kept out of it.
//
// A trace is gzip of lines, each a [Record] in JSON; docs/replay.md describes it. Package runtime
// fills it in and replays it.
package trace
