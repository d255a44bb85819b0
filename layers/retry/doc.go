// Package retry is the layer that repeats what failed for a while.
//
// Repeated are errors that are marked Temporary, and no others, of
//
//   - Stat, List, ListTree, Redirect, OpenUpload and the opening of a Read or of an upload's tail;
//   - CancelUpload, AbortUploads and ListUploads;
//   - Put, Delete, DeleteTree, Copy, Concat and SuspendUpload where the backend declares
//     AbilityIdempotent, a Concat if its dest is none of its sources.
//
// Never repeated are Move and CommitUpload, which must be looked after when their answer is lost, and
// PutPart, which package chunked repeats. A body that breaks while it is read is not resumed: nothing
// proves that what follows would be of the same content.
//
// Pauses grow exponentially, are random, honour Error.RetryAfter, and end with the caller's
// context. All calls of a driver share a budget of repeats.
package retry
