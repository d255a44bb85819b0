// Package layers turns a Backend into a StorageDriver.
//
// [Complete] is the one gate between what authors write and what everyone calls. It
// validates paths, hides private names, refuses what the backend's Capabilities
// exclude, derives what is missing, checks what the backend claims, wraps errors once, and
// tells a [Trace], if it was given one, of every operation.
//
// # What the gate decides where the interface leaves a choice
//
//   - A directory that holds nothing but private names is reported as an empty
//     directory where the backend knows directories, and not at all where it lists trees.
//   - Names that no public path can have are not shown; they are moved and deleted
//     with the directory they are in.
//   - Move of a path onto itself is nil if the path exists; Move below itself and Move
//     onto a directory are KindInvalidPath, and so is Move of a directory onto a file.
//     A file may take the path of a directory where AbilityFilesUnderFiles is declared.
//   - A backend without AbilityFilesUnderFiles refuses a file below a file itself. The gate
//     finds the reason after such a write has failed, and makes it KindInvalidPath. It does
//     not look before: a Stat of every directory above the path, for each write.
//   - A derived Move is a copy and a delete: when the delete fails both paths have the
//     content. A derived Move of a directory moves its files one by one, in no order; after
//     an error some have moved. Repeating it moves the rest once the destination's
//     directory does not stand in the way.
//   - A StartAfterHint that names nothing is compared as a file's path would be.
package layers
