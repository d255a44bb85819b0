// Package tracing makes OpenTelemetry spans of what a storage driver does, with the API alone:
// the program gives the provider, and without an SDK behind it nothing is recorded.
//
// [Trace] makes a span of every operation at the gate, [New] one of every call of the backend.
// Under one provider the second are children of the first, and those children of whatever span
// is in the caller's context, an HTTP request's for example. Of an upload, the calls that
// Write and Close cause are children of the span of its opening.
//
// # Spans
//
// A gate's span is called as the operation ("Stat", "Commit"), a backend's "backend." and the
// method ("backend.PutPart"). Keys are distribution's where it has one:
//
//	io.cncf.distribution.storage.driver.name   the driver
//	io.cncf.distribution.storage.path          what the call is about; absent where an upload is named by its token
//	io.cncf.distribution.storage.source.path   in its place, the source of a Move or Copy
//	io.cncf.distribution.storage.dest.path     where it leads
//	io.cncf.distribution.storage.offset        where a Read, that is not from the start, or a part begins, in bytes
//	io.cncf.distribution.storage.append        that an upload is to be continued
//	berth.storage.part                         a part's number
//	berth.storage.read, berth.storage.written  bytes of content, if there are any
//	berth.storage.bytes                        the gate's count, see layers.Outcome
//	error.type                                 the Kind of an error, as it prints
//	berth.storage.temporary                    that the same call may succeed later
//
// An error's text is an event ("exception") and the status is Error, except for a thing that
// is not there: of a Stat or Read of nothing, which a registry asks for all day, error.type alone
// tells. A span of a body ends when the body is closed, and its event "answered" says when the
// first byte could be read. Contents, tokens and URLs that may be signed are never recorded.
package tracing
