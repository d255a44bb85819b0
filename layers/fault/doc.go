// Package fault makes a Backend fail by rules, for tests and for rehearsing an outage on a
// registry that runs. A rule is one line:
//
//	EFFECT on OPERATIONS [at PATTERN] [CALLS]
//
// EFFECT is one of
//
//	fail MOMENT [KIND] [temporary] [retry-after PAUSE]   an error, "unavailable" unless a KIND is named
//	hang MOMENT                                          nothing goes on until the call's context ends
//	truncate body|source BYTES [eof|unexpected-eof]      a body ends after so many bytes, with io.EOF or io.ErrUnexpectedEOF
//	corrupt body|source OFFSET                           the lowest bit of one byte is turned over
//	slow PAUSE                                           the call begins so much later
//	slow body|source RATE                                a body gives so many bytes a second, as in 4096/s
//	stale                                                the answer (of Stat, List, ListTree, ListUploads) is the one to the same question before
//
// and MOMENT one of
//
//	before         the backend is not called
//	after          the backend is called and does it, but the answer is lost
//	body BYTES     what the backend gives (Read, the tail of OpenUpload) breaks after so many bytes
//	source BYTES   what the backend is given (Put, PutPart, SuspendUpload, CommitUpload) breaks after so many bytes
//
// KIND is a kind of error with dashes: not-found, conflict, no-space. PAUSE is a duration as in
// 50ms. OPERATIONS are methods of Backend separated by commas, or * for all to which the
// effect can apply, except Close, which has to be named. PATTERN selects the calls about a
// path; each component is matched as path.Match does, and ** stands for any number of
// components. Of Copy, Move and Concat either side may match, of the calls of an upload its
// target. CALLS counts those that match, from 1:
//
//	call 3       the third
//	calls 3-5    the third to the fifth
//	calls 3-     all from the third on
//	every 4      the fourth, the eighth and so on
//
// and without CALLS it is every one. Examples:
//
//	fail before unavailable temporary on Put,PutPart call 3
//	fail after on Move at /docker/registry/v2/blobs/**
//	truncate body 1000 on Read at /**/data every 10
//
// Rules are independent: each counts for itself, whatever the others did. Of those that act on
// one call, slow ones come first and then the others in their order, until one ends the call.
package fault
