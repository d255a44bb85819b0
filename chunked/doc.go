// Package chunked is the one FileWriter of every driver.
//
// [Open] gives a writer for a Backend. A Backend with AbilityParts is written through
// its part protocol ([storagedriver.Uploads]). For all others the writer is derived
// from the five functions: it stores segments as objects in the private directory
// beside the target, and commit joins them.
//
// # What both have in common
//
// Accepted bytes are collected in buffers drawn from a [Budget], one part each. Full
// parts are stored in parallel, under a context detached from the caller's, so that a
// client that goes away loses nothing it has sent. A part that fails is repeated a few times; if it
// keeps failing, every later Write and the Commit fail. It is never skipped.
// What fits one part, with nothing suspended, is one Put.
//
// # Segments of the derived writer
//
// The upload to /a/b/data keeps everything in /a/b/data~/. A segment's name is
//
//	offset-length-upload-generation-writer-sequence-predecessor
//
// in lower-case hexadecimal of 16, 16, 16, 8, 16, 8 and 24 digits; the predecessor is
// writer and sequence of the segment before, all zeros for the first. A segment counts
// if the backend lists it with the length in its name, and its predecessors, which
// must count as well, lead without a gap to offset 0. A writer's generation is one
// more than the highest it finds when it opens.
//
// Of several chains, resume takes the one whose last segment has the highest
// generation, then the highest writer, then the greatest end: the chain of the
// writer that took the upload over last, and the same one for everyone who asks.
//
// A writer is stale when a chain that was not there when it opened ends in a segment
// ranking above its own, or when a segment of its own chain is gone. It looks before its
// first segment and before every suspend and commit. Between the look and the effect another writer may
// move, so a Conflict is best effort; but commit joins exactly the chain that this
// writer knows, so what it commits is never a mixture.
//
// Its cost: a suspended upload of one segment commits with a move or a copy where the
// backend has them; several are joined by Concat where the backend has it, and
// otherwise read back and put once more, which triples the traffic of the upload.
// A backend that cannot read while it puts has the segments opened first: see [PutStored].
package chunked
