package runtime

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

const (
	// zstdWindow is the largest window of what is decompressed, which is how much memory that takes: what RFC 8878
	// recommends to support at least, and what zstd uses at most unless it is told otherwise.
	zstdWindow = 8 << 20
	// zstdEncoderWindow is the window of what is compressed.
	zstdEncoderWindow = 4 << 20
	// maxLevel is the highest level, of either algorithm. zstd's higher ones take tens of megabytes each.
	maxLevel = 9
)

// checkCodec says what is wrong with what a guest asks for.
func checkCodec(m *abi.CompressRequest) error {
	switch {
	case m.Alg != "zstd" && m.Alg != "gzip":
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "compress: the algorithm is zstd or gzip, not %q", guest.Clip(m.Alg, 80))
	case m.Level < 0 || m.Level > maxLevel:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "compress: the level %d is not 1 to %d, or 0 for the usual one", m.Level, maxLevel)
	case m.Undo && m.Level != 0:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "compress: decompressing has no level, and was given %d", m.Level)
	}
	return nil
}

// codec gives what it makes of its input. It runs in Read alone and has no goroutines.
type codec interface {
	io.Reader
	// release gives its memory to the next one. It is not used afterwards.
	release()
}

// newCodec returns the codec of a request that checkCodec let pass.
func newCodec(m *abi.CompressRequest, in io.Reader) codec {
	switch {
	case m.Undo && m.Alg == "zstd":
		return &unzstd{in: in}
	case m.Undo:
		return &gunzip{in: in}
	case m.Alg == "zstd":
		return newEncoding(in, &zstdEncoders[zstdLevel(m.Level)], func() encoder {
			return must(zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true),
				zstd.WithEncoderLevel(zstdLevel(m.Level)), zstd.WithWindowSize(zstdEncoderWindow)))
		})
	}
	level := int(m.Level)
	if level == 0 {
		level = gzip.DefaultCompression
	}
	return newEncoding(in, &gzipEncoders[m.Level], func() encoder { return must(gzip.NewWriterLevel(io.Discard, level)) })
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // of options that are constant
	}
	return v
}

func zstdLevel(level int64) zstd.EncoderLevel {
	if level == 0 {
		return zstd.SpeedDefault
	}
	return zstd.EncoderLevelFromZstd(int(level))
}

var (
	zstdEncoders [zstd.SpeedBestCompression + 1]sync.Pool
	gzipEncoders [maxLevel + 1]sync.Pool
	zstdDecoders = sync.Pool{New: func() any {
		return must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow)))
	}}
	gzipDecoders = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// encoder is a gzip.Writer or a zstd.Encoder.
type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// encoding compresses.
type encoding struct {
	in   io.Reader
	pool *sync.Pool
	w    encoder // into out
	out  bytes.Buffer
	done bool
}

func newEncoding(in io.Reader, pool *sync.Pool, make func() encoder) *encoding {
	e := &encoding{in: in, pool: pool}
	if w, ok := pool.Get().(encoder); ok {
		e.w = w
	} else {
		e.w = make()
	}
	e.w.Reset(&e.out)
	return e
}

func (e *encoding) Read(p []byte) (int, error) {
	if e.out.Len() == 0 && !e.done {
		if err := e.fill(); err != nil {
			return 0, err
		}
	}
	return e.out.Read(p)
}

// fill has the encoder write something.
func (e *encoding) fill() error {
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	for e.out.Len() == 0 && !e.done {
		n, err := e.in.Read(buf[:])
		if _, werr := e.w.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			e.done, err = true, e.w.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *encoding) release() {
	e.w.Reset(io.Discard) // what it wrote to goes
	e.pool.Put(e.w)
}

// unzstd decompresses zstd, of several frames as well.
type unzstd struct {
	in io.Reader
	z  *zstd.Decoder
}

func (u *unzstd) Read(p []byte) (int, error) {
	if u.z == nil {
		u.z = zstdDecoders.Get().(*zstd.Decoder)
		if err := u.z.Reset(u.in); err != nil {
			return 0, err
		}
	}
	return u.z.Read(p)
}

func (u *unzstd) release() {
	if u.z != nil {
		_ = u.z.Reset(nil) // its input goes
		zstdDecoders.Put(u.z)
	}
}

// gunzip decompresses gzip, of several members as well.
type gunzip struct {
	in io.Reader
	z  *gzip.Reader
}

func (u *gunzip) Read(p []byte) (int, error) {
	if u.z == nil {
		u.z = gzipDecoders.Get().(*gzip.Reader)
		if err := u.z.Reset(u.in); err != nil { // reads the header
			return 0, err
		}
	}
	return u.z.Read(p)
}

func (u *gunzip) release() {
	if u.z != nil {
		_ = u.z.Reset(nothing{}) // its input goes
		gzipDecoders.Put(u.z)
	}
}

// nothing is an empty input.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }
