// Package s3 is a driver for object stores that speak S3, as a sandboxed one can be: it names the
// credential "storage" and has no key. It serves the tests of signing, multipart uploads
// and presigned URLs; it is written to be read, not to be fast, and package drivers/s3 is what
// registries use.
//
// A key is the path without its first slash. An upload is a multipart upload, begun when it is opened.
// What is known of a suspended one is in an object beside its target:
//
//	data~upload     the upload's ID, its writer, the parts, and the name and length of the tail
//	data~tail.ID.N  what was accepted after the last part
//
// Suspends and commits look whether another writer has moved on, which S3 cannot do in one step with what
// follows: such a conflict is best effort, as the driver's abilities say.
package s3
