package abi

// The limits of version 1.0.
const (
	// MaxMessage is the most bytes of a message: a listing of 1,000 entries with the
	// longest names, four times.
	MaxMessage = 1 << 20
	// MaxDepth is how deep a message may nest. Messages here nest at most 5 deep; the
	// rest is room for later ones.
	MaxDepth = 16
	// MaxHandles is how many handles may be open in one call: a request body of an
	// upload's 200 segments, and room.
	MaxHandles = 256
	// MaxText is the most bytes of an error's text or a log line: one readable line.
	MaxText = 4096
	// MaxInline is the most bytes of a response answered inside the message: half a
	// message, so that headers always fit beside it.
	MaxInline = 512 << 10
	// MaxHTTPAll is how many requests a guest may make side by side: one for each directory
	// above the longest path of a registry, and room.
	MaxHTTPAll = 16
	// MaxHeaders is the most request headers: twice what S3 requests carry.
	MaxHeaders = 64
	// MaxHeaderBytes is the most bytes of request headers, names and values together:
	// half of what servers accept by default.
	MaxHeaderBytes = 16 << 10
	// MaxResponseHeaderBytes is the most bytes of a response's headers: a quarter of a
	// message, so that they fit beside the largest inline body.
	MaxResponseHeaderBytes = 256 << 10
	// MaxReceiptPage is the most receipts of a page: 256 receipts of 1 KiB are a
	// quarter of a message.
	MaxReceiptPage = 256
	// MaxReceipt is the most bytes of a receipt's data: an ETag and a checksum of each
	// kind, with room.
	MaxReceipt = 1024
	// MaxReceipts is the most receipts of one upload: twice the 50,000 blocks of an
	// Azure blob, the most of the stores known.
	MaxReceipts = 100_000
	// MaxToken is the most bytes of an upload's token: a path and an upload ID.
	MaxToken = 2048
	// MaxCursor is the most bytes of a listing's cursor: one key of an object store
	// and room for encoding it.
	MaxCursor = 4096
	// MaxList is the most entries that the host asks for in a page: what object stores
	// answer at once.
	MaxList = 1000
	// MaxState is the most bytes of a transforming driver's state: the frames of 100 GiB in
	// pieces of 4 MiB, at 20 bytes each, and half a message.
	MaxState = 512 << 10
	// MaxSkip is how far a stream may begin before the first byte that was asked for: a
	// frame of a compressed file, four times.
	MaxSkip = 16 << 20
	// MaxVersion is the most bytes of a content's version: a SHA-256 in hex.
	MaxVersion = 64
	// MaxKeyed is how many keyed values a request may have: a signature in a header, one
	// in the query, and room.
	MaxKeyed = 4
	// MaxName is the most bytes of the name of a store, a credential, a secret or a metric.
	MaxName = 64
	// MaxMetrics is how many metrics a driver may have: a dashboard's worth.
	MaxMetrics = 64
	// MaxStoreDepth is how deep granted stores may be guests that have stores: more than
	// anybody stacks on purpose, each with memory of its own for writers.
	MaxStoreDepth = 8
	// MaxPresign is the most seconds that a presigned URL is good for: seven days, the most
	// that SigV4 and its kin allow.
	MaxPresign = 7 * 24 * 60 * 60
	// MaxModule is the most bytes of a module: a Go guest is 2 to 5 MB.
	MaxModule = 64 << 20
)

// The status of a function of module "berth" that fails is -(1 + kind).

// Failure returns the result of a host function that failed with kind.
func Failure(kind Kind) int64 { return -1 - int64(kind) }
