// Package timeout is the layer that gives up on a backend which does not answer.
//
// It is about silence, never about how long a transfer takes: while bytes move, a body may last as long
// as it likes. What passes its deadline is KindDeadline and Temporary, and the text names the parameter that
// set it. The end of the caller's own context is what it was without the layer.
//
// A call ends when its deadline has passed and b has returned, which b owes promptly when its context ends:
// nothing of it goes on behind the caller's back, so that what is repeated does not meet its own past. Drivers for S3 except the completion of an
// upload, which minio takes for its loss when it is broken off.
// Only the body of a Read is left behind at once by who reads it, whatever it hangs in.
package timeout
