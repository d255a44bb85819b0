// Package worm is a driver that lets nobody change or remove, for a time, what was written to a store of the operator's, "under": write once, read
// many. It is an example of a driver that decides and touches no content. Uploads are the store's (berth.Delegate), reads answer with
// the store's bodies, and two files are compared by digests that the host makes. guest is it as a .wasm module.
//
// A file is retained if its path is among the parameter "paths", and until its time of change in the store and the parameter "retention" have passed by the
// host's clock. While it is:
//
//   - It is not overwritten: not by Put, not by an upload, which is refused when it would become visible, and not by a Move onto it.
//   - It is not removed or moved away, and neither is a directory above it: DeleteTree and Move look at all that is below
//     first, and then refuse with nothing removed or moved.
//   - To store the same content there again changes nothing, and is no error: Put, and Move of another file, compare sizes and SHA-256. That is
//     what becomes of a Put that is repeated after its answer was lost, and of two clients that push one blob at the same time. A Move
//     then removes its source. The time of change stays the first one. An upload is refused whatever it has, because its content is not
//     the driver's to see.
//   - Addresses for anything but reading are not given out.
//
// A refusal is KindPermission and says which file it is for, and until when. A file whose time of change the store does not know is
// retained for ever, as far as this driver goes.
//
// Private names of the host, with "~", are unfinished uploads and never retained.
//
// # What it is not
//
// It looks, and then acts: what becomes visible at a path, or below it, between the two is not protected from that action. A file that was retained when an
// operation began is never changed by that operation; but of two writers that commit one new path at the same
// time the second may win, because stores have no commit on condition that a path is free.
//
// The time of change is the store's. Where a store keeps a file's time in a Move, the time of a file that is moved among the retained
// paths counts from when it was written.
//
// Whoever has the store without this driver is not held back by it, nor is who writes the configuration: a shorter "retention" counts at
// once, for what is stored already too. A retention that even the operator cannot end is the store's own to give, such
// as the object lock of a bucket.
//
// DeleteTree and Move of a directory with retained paths list all that is below, in one call, under its deadline: a tree of
// millions of files is removed piece by piece, or not at all.
package worm
