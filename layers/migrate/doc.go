// Package migrate moves a registry from one backend to another while it is pushed to and pulled from.
//
// [Open] returns a StorageDriver over two backends, old and new. What is stored goes to new; what is looked for is looked
// for on new, then on old. A copier ([Driver.Copy]) carries what is on old alone to new, [Driver.Finish] ends the migration, and
// then new alone is used. Several processes may have the same pair open, one of them or another may copy, and any
// of them may be killed at any time.
//
// # What holds
//
// Let O and N be the files at one path on old and on new.
//
//  1. N wins. Where there is N, it is the content; where there is none, O is; where there is neither, nothing is. A failure
//     of new is an error, never a look at old.
//  2. Where both are and no change of the path is under way, they are equal. Whatever changes a path leaves no O that differs: it
//     stores N and then removes O, and reports success only when both are done.
//  3. O goes first where the path is to go: Delete removes O, then N; Move of what is on new removes O of the source, moves N, removes O
//     of the destination. So at no moment, and after no crash, does an old content come back.
//  4. The copier makes N out of O only where there is no N, and never while anybody changes the path. A content of the
//     copier's appears whole, after its digest was compared with that of what was read.
//  5. What a change has reported as done is not undone by the copier. A change that was killed has no answer: it
//     is done, or not done, or (a Move) the path is at both places.
//  6. Nothing is written to old but an id, and by uploads that had begun there. After Finish old is not touched at all.
//
// # How the copier and changes keep apart
//
// A change of a path that has an O puts a mark on new, under /~migrate/changing, before anything else, and removes it at its end. The
// copier puts its intent, the paths that it is about to make N of, on new, under /~migrate/copying. Each
// writes its own first and then reads the other's, so of two that meet one sees the other: the copier leaves a path that is
// marked, and a change waits until no intent names the path. An intent is held for the Move of a copy, which was made in
// /~migrate/copies, to its place: not while bytes are copied from old. A change of a path without O needs neither: O
// appears only by the commit of an upload that was begun on old, which is a change itself, and O does not go while
// an intent names it.
//
// Marks and intents are written again every [Heartbeat]. One that has not changed for [Stale], as the clock of the one who waits
// measures it, belongs to a process that ended: it is ignored, and removed by the copier, which then completes (2) for the path. Whoever
// cannot write its own again for [Lease] gives up: a change is an error that may be repeated, and the copier stops. Clocks of
// different machines are never compared.
//
// # What is assumed
//
// Old and new have no other writers: nobody changes either without this layer, from the moment at which the first process has it on. Both answer Stat,
// Read and List with what was stored before (all object stores that are still sold do; a Swift with eventual listings does
// not). And no request takes effect on new more than Stale - Lease after its sender died or gave it up, and no process stands still between
// its last look at its lease and the request for longer than that. No protocol over a store without conditional writes can do without the last: a put
// that arrives later than anyone waits for overwrites what is there.
//
// # Uploads
//
// A new upload begins on new. One that was suspended on old goes on there, and its commit makes O, which is copied or moved like
// any other; if there is an N, what was committed is put in its place before Commit returns. So a push that was under way when
// the migration began goes on. Where old continues committed content (AbilityAppendCommitted) and new does not, what
// distribution's filesystem driver has begun goes on as well, although the ability is not declared. Nobody sees an upload on both sides:
// opening without append discards both.
//
// Finish refuses while old has unfinished uploads.
//
// # Reading
//
// A path that is on neither side costs three looks: new, old, new. The last is for a change that stored N after the first and
// removed O before the second. Listings look at old first, for the same reason, and merge two pages at a time. Directories of
// old that hold nothing stay there.
//
// # Phases
//
// The state is on new, under /~migrate, as JSON with a version: [State]. Counting finds what old has, copying makes N of every O, verifying
// compares every O with its N, by digest or size, and copies what is missing after all; a pass with a failure is begun again. When a
// verification has met neither, the state is verified, and Finish may end it. It compares names and sizes once more, then writes
// "finishing": from then on nobody reads old, but deletes still reach it. Whoever reads old has made sure within [Confirm] that this
// was not written, so after 2*Confirm nobody does, and Finish writes "finished".
//
// A state belongs to the store that old was, which has its id: a name in /~migrate/ids there. With another old store Open refuses, and with a new one that has content when the migration
// begins: it would be taken for what replaced old's. The way back, with the two exchanged, is a migration like any other, and may begin until Finish
// has: by (2) and (3) each side has nothing but what counts.
package migrate
