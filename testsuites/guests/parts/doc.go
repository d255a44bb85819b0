// Package parts is a storage driver for the part store of package partstore: a guest that
// exercises the part protocol to the full. guest is it as a .wasm module; natively it is
// opened through package native.
//
// An upload is named by an ID that the driver chooses when it is opened, and begun at the
// store by the first part. Whoever suspends it writes the state object, the target's name
// and "~upload": the upload's ID, who wrote it, the receipts, the tail. It is only ever written on the
// condition that it is what its writer began with, so of several writers one goes on and all
// others are told Conflict, for certain:
//
//   - A suspend writes it.
//   - The commit of a resumed upload writes it first, naming the last part, which is already at the
//     store; then it completes the upload, which the store does in one step; then it removes it.
//     Whoever finds that state after a crash goes on with the last part's content as the tail.
//   - Parts that two writers store under one number are kept both by the store, under tags of
//     their own, and the receipts name the tag.
package parts
