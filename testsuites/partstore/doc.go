// Package partstore is a small object store over HTTP with uploads in parts, for tests. It is
// a fake that is stricter than the servers to be had: a body that is not as long as its
// Content-Length, a part too small, an ETag that does not fit, a condition that does not
// hold are refused, every refusal has no effect, and an upload that has ended never
// comes back to life. Nothing is signed and nothing outlives the process.
//
// # Protocol
//
// A KEY is a path without its first slash: components of letters, digits, ".", "_", "-", "~".
// An ID names an upload and is the client's choice: 1 to 64 letters and digits. Entity tags are
// opaque, unique for each content stored, and quoted in headers.
//
//	PUT    /objects/KEY                        store content: 200 replaced, 201 new; ETag
//	       If-Match: "E" | If-None-Match: *    only if that is what is there: else 412
//	       Copy-From: /objects/KEY             store a copy instead of a body: 404 without the source
//	GET    /objects/KEY                        content: 200, or 206 and 416 with Range: bytes=A-[B];
//	HEAD                                       ETag, Modified (nanoseconds since 1970 UTC)
//	DELETE /objects/KEY                        204, 404; If-Match as above
//	DELETE /objects/KEY?tree                   KEY and all that begins with KEY/: 204, 404 if there is nothing
//	GET    /list?prefix=P                      lines "file SIZE MODIFIED ETAG NAME" in ascending bytes
//	       &delimiter=/                        what is below a directory becomes one line "dir NAME/"
//	       &suffix=S                           only keys that end with S
//	       &after=NAME&limit=N                 a page; NAMEs are what follows the prefix. Next: is given
//	                                           as after for the next page, and absent at the end
//
//	POST   /objects/KEY?upload=ID              begin an upload: 201 new, 200 it exists, 410 it has ended
//	HEAD   /objects/KEY?upload=ID              200, 404, 410
//	PUT    /objects/KEY?upload=ID&part=N       store a part, N from 1: 200, ETag. Storing a number again keeps
//	       Content-Digest: sha256=HEX          the old under its ETag. 404 unknown upload, 410 ended
//	GET    /objects/KEY?upload=ID&part=N&etag=E  a stored part's content
//	POST   /objects/KEY?upload=ID&complete     body: lines "N ETAG", ascending by N: the parts become the
//	                                           content and the upload ends, in one step: 200, ETag.
//	                                           409 no such part, 400 wrong order or a part but the last too small
//	DELETE /objects/KEY?upload=ID              end the upload: 204, 404, 410
//	GET    /uploads?prefix=P&after=A&limit=N   lines "KEY ID BEGUN" (nanoseconds since 1970 UTC); paged like /list by "KEY ID"
//
// Every request with a body needs a Content-Length: 411 without one, 400 when the body is
// shorter. Anything else is 400 and says what is wrong.
package partstore
