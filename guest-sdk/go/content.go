package berth

// Hash returns the raw digests of data, by algorithm. An algorithm the host does not know is KindInvalidArgument.
func (c *Call) Hash(algs []string, data []byte) (map[string][]byte, error) {
	digests, _, err := c.host.Hash(algs, data, nil)
	return digests, err
}

// HashStreams returns the digests of what the streams have, in order, and of how many bytes. It reads them as a
// request's body would be read: the body of a response is used up and closed.
func (c *Call) HashStreams(algs []string, streams ...*Stream) (digests map[string][]byte, size int64, err error) {
	return c.host.Hash(algs, nil, streams)
}

// HashBegin starts a hash of what is written. The caller closes the sink unless it finishes it.
func (c *Call) HashBegin(algs ...string) (*HashSink, error) {
	s, err := c.host.HashBegin(algs)
	if err != nil {
		return nil, err
	}
	return &HashSink{host: s}, nil
}

// HashSink hashes what is written to it.
type HashSink struct{ host HostHashSink }

// Write implements io.Writer.
func (s *HashSink) Write(p []byte) (int, error) { return s.host.Write(p) }

// Splice moves n bytes of src, -1 for all, without their passing through the driver.
func (s *HashSink) Splice(src *Stream, n int64) (int64, error) { return s.host.Splice(src, n) }

// Finish returns the digests, and of how many bytes they are.
func (s *HashSink) Finish() (digests map[string][]byte, size int64, err error) {
	return s.host.Finish()
}

// Close gives the sink up unless it was finished.
func (s *HashSink) Close() error { return s.host.Close() }

// Algorithms of Compress.
const (
	Zstd = "zstd"
	Gzip = "gzip"
)

// Compression says how content is compressed.
type Compression struct {
	// Alg is Zstd or Gzip.
	Alg string
	// Undo decompresses.
	Undo bool
	// Level is from 1, fast, to 9, small; 0 is the usual one, and what Undo has.
	Level int
	// Max is the most bytes that may come out: a read past it is KindLimit. 0 is no limit.
	Max int64
}

// Compress returns a stream of the streams' content, in order, compressed or decompressed as it is read. It
// takes the bodies of responses over, which close with it. Content that is no such compression is
// KindCorrupt where it is read; zstd that needs more than 8 MiB for its window is KindLimit.
func (c *Call) Compress(how Compression, streams ...*Stream) (*Stream, error) {
	return c.host.Compress(how, streams)
}

// Output is what Stream and Committing write to. It is the host's, which ends it.
type Output struct{ host HostWriter }

// NewOutput returns an Output on host. Drivers never need it.
func NewOutput(host HostWriter) *Output { return &Output{host: host} }

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) { return o.host.Write(p) }

// Splice moves n bytes of src, -1 for all, without their passing through the driver.
func (o *Output) Splice(src *Stream, n int64) (int64, error) { return o.host.Splice(src, n) }
