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
}

// HostStream is a Stream's other side. Read answers 0 and io.EOF at the end.
type HostStream interface {
	Read(p []byte) (int, error)
	Close() error
}

// HostSink is a Sink's other side.
type HostSink interface {
	Write(p []byte) (int, error)
	// Splice moves n bytes of src, -1 for all, without their passing through the driver.
	Splice(src *Stream, n int64) (int64, error)
	// Finish ends the body and returns the response.
	Finish(max int, want []string) (*Response, error)
	// Close aborts the request unless it was finished.
	Close() error
}

// HostReceipts is a Receipts' other side.
type HostReceipts interface {
	Page(after, limit int) ([]Receipt, error)
	Set(page []Receipt) error
}
