// Package killloop kills processes in the middle of their uploads, again and again, and looks at what they
// leave.
//
// [Child] runs in a process of its own: goroutines that put, upload, suspend, resume, commit, cancel, move and delete
// at random, each at paths of its own, and some together at paths they share. It writes a journal: a line before
// each effect and one after it was acknowledged. [Run] starts such processes, kills each with SIGKILL at a random
// moment, and holds what is left against the journal:
//
//   - what was acknowledged is there, whole; of what was under way, the old or the new is;
//   - nothing else is visible;
//   - a suspended upload has the size that was acknowledged, and one that was being written at least that; going on
//     with it and committing gives the content whose beginning was sent;
//   - the next process goes on with the uploads that are left;
//   - private files do not pile up.
//
// Content is a function of an identifier and the offset. Sizes tell what is what: contents have an odd number of
// bytes, and unfinished uploads an even one.
package killloop
