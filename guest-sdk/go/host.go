package berth

// Host is what a Call stands on: the imports in a sandbox, package native outside one.
// Driver authors meet it only through Call.
type Host interface {
	// HTTP runs a request; the status may be any. The error is about the exchange.
	HTTP(r *Request) (*Response, error)
	// Ask is Send of a path alone.
	Ask(t *Template, path string) (*Response, error)
	// Send is HTTP of t.To(v).
	Send(t *Template, v Varying) (*Response, error)
	// HTTPAll runs requests without a Body side by side and answers one Exchange for each. The error is about all of them.
	HTTPAll(requests []*Request) ([]Exchange, error)
	// Begin starts a request whose body the driver writes; size -1 means unknown.
	Begin(r *Request, size int64) (HostSink, error)
	// Now returns nanoseconds since 1970 UTC.
	Now() int64
	// Random fills p.
	Random(p []byte)
	// Log writes one line.
	Log(level Level, line string)
	// Sleep waits, or returns early with an error when the call has ended.
	Sleep(nanoseconds int64) error
	// Store is the other side of the store of that name. It asks nothing.
	Store(name string) HostStore
	HostCredentials
	HostContent
	HostValues
}

// HostCredentials is what a Host does with what the operator lends to the driver.
type HostCredentials interface {
	// Presign returns a URL for the request of r's method, URL, headers and credential.
	Presign(r *Request, seconds int64) (string, error)
	// HMAC keys data with key, or with the secret of that name when key is nil.
	HMAC(secret string, key *Key, alg string, data []byte) (*Key, error)
	// Secret returns a secret's value.
	Secret(name string) ([]byte, error)
}

// HostContent is what a Host does with content.
type HostContent interface {
	// Hash returns the digests of data, or of the streams in order, and of how many bytes.
	Hash(algs []string, data []byte, streams []*Stream) (map[string][]byte, int64, error)
	// HashBegin starts a hash of what the driver writes.
	HashBegin(algs []string) (HostHashSink, error)
	// Compress returns the streams' content compressed, or decompressed.
	Compress(how Compression, streams []*Stream) (*Stream, error)
}

// HostValues is what a Host does with times and metrics.
type HostValues interface {
	// FormatTime writes a time, in nanoseconds since 1970 UTC.
	FormatTime(nanoseconds int64, format string) (string, error)
	// ParseTime reads one.
	ParseTime(text, format string) (int64, error)
	// Metric adds value to a counter, or sets a gauge.
	Metric(name string, counter bool, value int64) error
}

// HostStore is a Store's other side. Its methods are those of Store.
type HostStore interface {
	Info() (StoreInfo, error)
	Stat(path string) (Entry, error)
	List(path, cursor string, limit int) (Page, error)
	Read(path string, offset, length int64) (Content, error)
	// Put stores data, or the streams in order.
	Put(path string, data []byte, streams []*Stream) error
	Begin(path string) (HostStoreSink, error)
	Delete(path string) error
	DeleteTree(path string) error
	Move(source, dest string) error
	Redirect(path string, options RedirectOptions) (string, error)
	AbortUploads(path string) error
}

// HostStream is a Stream's other side. Read answers 0 and io.EOF at the end.
type HostStream interface {
	Read(p []byte) (int, error)
	Close() error
}

// HostWriter is an Output's other side, and what all sinks have.
type HostWriter interface {
	Write(p []byte) (int, error)
	// Splice moves n bytes of src, -1 for all, without their passing through the driver.
	Splice(src *Stream, n int64) (int64, error)
}

// HostSink is a Sink's other side.
type HostSink interface {
	HostWriter
	// Finish ends the body and returns the response.
	Finish(max int, want []string) (*Response, error)
	// Close aborts the request unless it was finished.
	Close() error
}

// HostHashSink is a HashSink's other side.
type HostHashSink interface {
	HostWriter
	// Finish returns the digests of what was written, and of how many bytes.
	Finish() (map[string][]byte, int64, error)
	// Close gives the sink up unless it was finished.
	Close() error
}

// HostStoreSink is a StoreSink's other side.
type HostStoreSink interface {
	HostWriter
	// Finish makes the content visible.
	Finish() error
	// Close drops what was written unless it was finished.
	Close() error
}

// HostKey is a Key's other side.
type HostKey interface{ Close() error }

// HostReceipts is a Receipts' other side.
type HostReceipts interface {
	Page(after, limit int) ([]Receipt, error)
	Set(page []Receipt) error
}
