// Package davfs is the WebDAV server that `berth quickstart` starts: the handler of
// golang.org/x/net/webdav over a FileSystem that never shows half of anything.
//
// The library's own Dir truncates the target of a PUT before the first byte came, keeps
// what an aborted client sent as if it were the whole, and deletes the target of a MOVE
// before it looks for the source. Here
//
//   - a PUT goes to a temporary file outside the served tree and is synced and renamed
//     into place only when the client's body has ended as it promised;
//   - a MOVE is a rename: a missing source leaves the target alone, and readers of a file
//     that is replaced see the old one or the new;
//   - a COPY of a file is written beside and renamed, so it never takes its target away first;
//     a COPY of a collection onto something is refused;
//   - a DELETE of a collection takes it out of the tree in one step and clears it away
//     after that;
//   - a status of 201 or 204 means that the change is on disk: file and directory are synced;
//   - what would be silently ignored is refused: PUT with Content-Range, conditional
//     writes, and the methods LOCK, UNLOCK, PROPPATCH and POST.
package davfs
