package native

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// hashSink is a berth.HostHashSink.
type hashSink struct {
	hashes map[string]hash.Hash
	all    io.Writer
	size   int64
}

func newHashSink(algs []string) (*hashSink, error) {
	s := &hashSink{hashes: map[string]hash.Hash{}}
	var all []io.Writer
	for _, alg := range algs {
		var h hash.Hash
		switch alg {
		case berth.SHA256:
			h = sha256.New()
		case berth.SHA1:
			h = sha1.New()
		case berth.MD5:
			h = md5.New()
		case berth.CRC32C:
			h = crc32.New(crc32.MakeTable(crc32.Castagnoli))
		case berth.CRC64:
			h = crc64.New(crc64.MakeTable(crc64.ECMA))
		default:
			return nil, berth.NewError(berth.KindInvalidArgument, "hash knows sha256, sha1, md5, crc32c and crc64, not ", strconv.Quote(alg))
		}
		s.hashes[alg] = h
		all = append(all, h)
	}
	if len(all) == 0 {
		return nil, berth.NewError(berth.KindInvalidArgument, "hash needs an algorithm: sha256, sha1, md5, crc32c or crc64")
	}
	s.all = io.MultiWriter(all...)
	return s, nil
}

func (s *hashSink) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.all.Write(p)
}

func (s *hashSink) Splice(src *berth.Stream, n int64) (int64, error) { return splice(s, src, n) }

func (s *hashSink) Finish() (map[string][]byte, int64, error) {
	digests := map[string][]byte{}
	for alg, h := range s.hashes {
		digests[alg] = h.Sum(nil)
	}
	return digests, s.size, nil
}

func (s *hashSink) Close() error { return nil }

// Hash implements berth.Host.
func (h *Host) Hash(algs []string, data []byte, streams []*berth.Stream) (map[string][]byte, int64, error) {
	s, err := newHashSink(algs)
	if err != nil {
		return nil, 0, err
	}
	_, _ = s.Write(data) // never fails
	all := &joinedBody{host: h, rest: streams}
	defer all.Close()
	if _, err := io.Copy(s, all); err != nil {
		return nil, 0, err
	}
	return s.Finish()
}

// HashBegin implements berth.Host.
func (h *Host) HashBegin(algs []string) (berth.HostHashSink, error) { return newHashSink(algs) }

// Compress implements berth.Host.
func (h *Host) Compress(how berth.Compression, streams []*berth.Stream) (*berth.Stream, error) {
	in := &input{r: &joinedBody{host: h, rest: streams}}
	var out io.ReadCloser
	switch {
	case how.Alg == berth.Zstd && h.config.Zstd == nil:
		return nil, berth.NewError(berth.KindUnsupported, "this host was given no zstd")
	case how.Alg == berth.Zstd:
		r, err := h.config.Zstd(how, in)
		if err != nil {
			return nil, err
		}
		out = r
	case how.Alg == berth.Gzip && how.Undo && how.Level != 0:
		return nil, berth.NewError(berth.KindInvalidArgument, "decompressing has no level, and was given ", strconv.Itoa(how.Level))
	case how.Alg == berth.Gzip && how.Undo:
		out = &inflating{in: in}
	case how.Alg == berth.Gzip:
		level := how.Level
		if level == 0 {
			level = gzip.DefaultCompression
		}
		d := &deflating{in: in}
		w, err := gzip.NewWriterLevel(&d.out, level)
		if err != nil || how.Level < 0 {
			return nil, berth.NewError(berth.KindInvalidArgument, "gzip has the levels 1 to 9, and 0 for the usual one, not ", strconv.Itoa(how.Level))
		}
		d.w = w
		out = d
	default:
		return nil, berth.NewError(berth.KindInvalidArgument, "compress knows zstd and gzip, not ", strconv.Quote(how.Alg))
	}
	return h.stream(&compressed{r: out, in: in, undo: how.Undo, max: how.Max, left: how.Max}, -1, false), nil
}

// input keeps the error that is its own, to tell it from what it made of the content.
type input struct {
	r   *joinedBody
	err error
}

func (i *input) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	if err != nil && err != io.EOF {
		i.err = err
	}
	return n, err
}

// compressed is what comes out: at most max bytes, if that is not 0, and errors with a kind.
type compressed struct {
	r         io.ReadCloser
	in        *input
	undo      bool
	max, left int64
}

func (c *compressed) Read(p []byte) (int, error) {
	if c.max > 0 && int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	switch {
	case c.max > 0 && c.left < 0:
		return n - 1, berth.NewError(berth.KindLimit, "more than ", strconv.FormatInt(c.max, 10), " bytes come out")
	case c.in.err != nil && err != nil:
		err = c.in.err
	case err != nil && err != io.EOF && c.undo:
		err = berth.NewError(berth.KindCorrupt, "the content is not what was compressed: ", err.Error())
	}
	return n, err
}

func (c *compressed) Close() error {
	err := c.r.Close()
	if in := c.in.r.Close(); err == nil {
		err = in
	}
	return err
}

// deflating compresses as it is read.
type deflating struct {
	in   io.Reader
	w    io.WriteCloser // into out
	out  bytes.Buffer
	buf  [32 << 10]byte
	done bool
}

func (d *deflating) Read(p []byte) (int, error) {
	for d.out.Len() == 0 && !d.done {
		n, err := d.in.Read(d.buf[:])
		if _, werr := d.w.Write(d.buf[:n]); werr != nil {
			return 0, werr
		}
		if err == io.EOF {
			d.done, err = true, d.w.Close()
		}
		if err != nil {
			return 0, err
		}
	}
	return d.out.Read(p)
}

func (d *deflating) Close() error { return nil }

// inflating decompresses as it is read.
type inflating struct {
	in io.Reader
	z  *gzip.Reader
}

func (i *inflating) Read(p []byte) (int, error) {
	if i.z == nil {
		z, err := gzip.NewReader(i.in)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // nothing at all is no gzip
		}
		if err != nil {
			return 0, err
		}
		i.z = z
	}
	return i.z.Read(p)
}

func (i *inflating) Close() error { return nil }
