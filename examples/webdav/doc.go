// Package webdav is a storage driver for WebDAV servers. guest is it as a .wasm module; natively it is
// opened through the SDK's package native.
//
// WebDAV promises little, so the driver assumes little:
//
//   - A PUT is atomic on no server that can be relied upon. Content is put under a private name
//     beside the target, its length is read back, and a MOVE makes it visible.
//   - A MOVE or DELETE of a collection takes all that is below, so neither is sent before a PROPFIND
//     has said what is there. A MOVE says "Overwrite: F" first; only when the server then answers
//     that something is there, and that is a file, is it "Overwrite: T". Some servers delete
//     the target of a MOVE whose source is missing, so a MOVE follows a PROPFIND of its
//     source and is never repeated blindly: after a lost answer the driver looks at both ends.
//     If the source is still there the MOVE may still be under way, so the source is left alone.
//   - 423 means that somebody else is at work: it is tried again for about a second, and
//     is temporary after that. 403, 404, 405 and 409 mean different things on different servers, so
//     the driver asks by PROPFIND which it is: something missing, a file in the way, or a refusal.
//   - Servers that ignore Range answer 200: the bytes before the offset are read and dropped.
//   - A server that fails a PROPFIND half way, or a GET or DELETE because it met another request on its way, is asked
//     again a few times; none of these can do harm twice.
//   - PROPFIND asks for the three properties it uses, by name, with Depth 0 or 1, never infinity.
//
// Servers that replace a file in two steps when it is the target of a MOVE, such as Apache's mod_dav, are met by two parameters:
//
//   - "replace: put" says that a PUT writes beside its target and replaces it when all has come. Content is then put
//     where it belongs at once, and a Move onto a file is GET, PUT and DELETE; nothing is ever "Overwrite: T".
//   - "confirm: true" is for servers that look at a file, take its length, and then open it: somebody may have replaced
//     it in between. A GET's answer then counts only if a HEAD after it has the same ETag; otherwise it is
//     asked again. ETags that tell two files of one length and one clock tick apart make that
//     certain: "FileETag INode MTime Size" on Apache.
//
// Without them a reader on such a server meets neither the old nor the new content for a moment, or one under the length of
// the other.
//
// What it costs: a put of a new file is PUT, PROPFIND and MOVE, and over an existing file three
// requests more; with "replace: put" it is PUT alone, and with "confirm" a read is GET and HEAD. Uploads of
// several parts are segments beside the target which the last step joins by sending them all to the server again, because WebDAV cannot concatenate: 1 GiB
// then crosses the network three times. A PROPFIND of a directory answers whole, so the pages of a listing
// are cut from one answer while the same instance is asked, and from a new one otherwise.
package webdav
