// Package faultloop looks for what a single failure can break. A scenario is run with the first
// call of the backend failing, then with the second, and so on, until a run in which nothing
// failed any more passes; and all of that for each way to fail. After every run the storage is
// looked at through another driver, which meets no failures:
//
//   - What was answered with success is there, whole, byte for byte. No committed content is lost or altered.
//   - Nothing is half visible: a path has its old content or the new.
//   - After a failure the same operation succeeds when it is repeated, or says truthfully that it was done.
//   - An upload can be resumed, from the size that was reported, and what is resumed is a true prefix.
//   - The memory budget is free again, every body closed, no goroutine left, and after a Delete nothing
//     remains in the storage.
//
// Bytes that the backend alters without changing their number are beyond it: nobody above the
// backend can tell, except where a part's digest is checked (see Harness.Digests).
package faultloop
