// Package compress is a driver that keeps what it is given compressed in a store of the operator's, "under". It is an example of a
// transforming driver: uploads are the store's (berth.Delegate), with each piece passing through Stream, and reads are made by Stream from
// the frames that have the range.
//
// # Format
//
// A file is a stream of S2, so that s2d reads it: frames, one for each piece of at most 4 MiB, and then the table of their sizes in a chunk
// that readers skip. Numbers are little-endian.
//
//	frame ...              streams of S2, their blocks with checksums
//	b7                     type of a skippable chunk
//	u24                    bytes that follow
//	u32 u32 ...            of each frame: bytes compressed, bytes of content
//	u32                    number of frames
//	62 72 74 68            what the file is known by
//
// S2 is not what compresses most, but what a guest does fastest: on one machine Zstandard at its fastest ran at a quarter (compressing) and an
// eighth (decompressing) of its native speed, S2 at 0.27 and 0.31 of a native speed that is higher.
//
// A file's size is the sum of the table, so Stat and List read the end of each file. Content that is put into the store by others is KindCorrupt, as is
// what a listing comes to: a file whose size nobody knows.
package compress
