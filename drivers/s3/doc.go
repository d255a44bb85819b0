// Package s3 stores objects in a bucket of Amazon S3 or of a service that speaks its protocol.
//
// Parameters, their defaults and limits, and the keys of objects are those of distribution's driver of the same name: either opens a registry that
// the other wrote. The key of a path is rootdirectory and the path, without the slash at the beginning.
//
// # Uploads
//
// What fits one part is one PutObject. Anything longer is a multipart upload, begun when the first part
// is stored. Beside the target K of an upload that has stored something are
//
//	K~upload          its state: the ID of the multipart upload, its writer, the parts, and the tail
//	K~tail.WRITER.N   the tail, which is what was accepted after the last part, if it is longer than 256 KiB
//
// The state is written as soon as there is a multipart upload, so that one whose process died can be found, also where a service
// does not list the multipart uploads below a prefix, as minio does not. A writer that goes on
// with an upload writes it anew before its first part, and so does one that commits: the condition on its ETag makes a
// Conflict certain where the service has conditional writes. Where it has none (conditionalwrites: false) the state is read before it is
// written, and a Conflict is best effort. Two writers are never mixed in either case: the service compares the ETags of the
// parts that a commit lists with those it has.
//
// An upload that is begun and has no state was begun by somebody else. Distribution's are gone on with: its parts are those
// that the service lists. The last may be shorter than S3 lets a part be that others follow; then the upload is completed, as distribution
// does it, and what it made is copied, by the service, into parts of a new one.
//
// When the answer to a commit is lost, the object's metadata say whether it took effect: they name
// the upload.
package s3
