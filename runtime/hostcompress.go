package runtime

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// compress answers a body that is made of what handles have, as it is read. What it was asked is checked now, what the
// handles have then.
func (in *instance) compress(request []byte) (abi.Message, error) {
	var m abi.CompressRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if err := checkCodec(&m); err != nil {
		return nil, err
	}
	parts, err := in.sequence(m.Body)
	if err != nil {
		return nil, err
	}
	b, err := in.newCompressed(&m, parts)
	if err != nil {
		return nil, err
	}
	h, err := in.table.add(slot{kind: kindBody, body: b})
	if err != nil {
		_ = b.Close() // the limit is the error to tell
		return nil, err
	}
	return &abi.CompressReply{Body: h}, nil
}

// compressed is the content of handles, compressed or decompressed. It counts against Config.MaxOpenBodies until it is
// closed, and holds memory from its first Read to its last. It is used by one goroutine at a time.
type compressed struct {
	d       *driver
	how     abi.CompressRequest
	parts   *sequence
	in      codecInput
	codec   codec // nil before the first Read, and when there is nothing more to read
	given   int64 // how many bytes it has made
	ahead   [1]byte
	waiting int   // how many of ahead are to be given before err is
	err     error // what ended the codec
	closed  atomic.Bool
}

// newCompressed takes over parts, whatever comes of it.
func (in *instance) newCompressed(how *abi.CompressRequest, parts *sequence) (*compressed, error) {
	d := in.d
	b := &compressed{d: d, how: *how, parts: parts, in: codecInput{ctx: in.ctx, parts: parts}}
	d.m.bodies.Add(1)
	bodies, codecs := d.bodies.Add(1), d.codecs.Add(1)
	switch cfg := &d.m.cfg; {
	case bodies > int64(cfg.MaxOpenBodies):
		_ = b.Close() // the limit is the error to tell
		return nil, tooMany("response bodies", cfg.MaxOpenBodies, d)
	case codecs > int64(cfg.MaxInstances):
		_ = b.Close() // as above
		return nil, tooMany("compressed bodies", cfg.MaxInstances, d)
	}
	return b, nil
}

func tooMany(what string, limit int, d *driver) error {
	return &storagedriver.Error{Kind: storagedriver.KindLimit, Temporary: true,
		Err: storagedriver.Errorf(storagedriver.KindLimit, "more than %d %s open in driver %s", limit, what, d.Name()).Err}
}

// Left implements body.
func (b *compressed) Left() int64 { return -1 }

// Hold implements body. Sources are of the call, and so is what is made of them.
func (b *compressed) Hold() error {
	for _, p := range b.parts.parts {
		if p.body == nil {
			return storagedriver.NewError(storagedriver.KindInvalidArgument, "the answer is made of a source, which ends with the call")
		}
		if err := p.body.Hold(); err != nil {
			return err
		}
	}
	return nil
}

// checkRead has nothing to hold against the position: only the guest knows what of the object its handles have.
func (b *compressed) checkRead(_, length int64) error { return b.checkTail(length) }

// checkTail refuses what is made of an answer that is no success, such as a page that says why.
func (b *compressed) checkTail(int64) error {
	for _, p := range b.parts.parts {
		if p.body == nil {
			continue
		}
		if err := p.body.checkTail(0); err != nil {
			return err
		}
	}
	return nil
}

// Read implements body. What is decompressed ends with a checksum, whose verdict comes with the last bytes: whoever stops at a
// length that was promised has been told.
func (b *compressed) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, errBodyClosed
	}
	n := copy(p, b.ahead[:b.waiting])
	b.waiting -= n
	if n < len(p) {
		n += b.make(p[n:])
	}
	if b.how.Undo && b.waiting == 0 && n > 0 && n == len(p) {
		b.waiting = b.make(b.ahead[:])
	}
	if b.waiting > 0 {
		return n, nil
	}
	return n, b.err
}

var errBodyClosed error = storagedriver.NewError(storagedriver.KindClosed, "the body is closed")

// make has the codec fill p, as far as it does, and keeps how it ended.
func (b *compressed) make(p []byte) int {
	if b.err != nil {
		return 0
	}
	if b.codec == nil {
		b.codec = newCodec(&b.how, &b.in)
	}
	limit := b.how.Max
	if limit > 0 && int64(len(p)) > limit-b.given {
		p = p[:limit-b.given+1] // the one byte more tells
	}
	n, err := b.codec.Read(p)
	if b.given += int64(n); limit > 0 && b.given > limit {
		n--
		err = storagedriver.Errorf(storagedriver.KindLimit, "more than the %d bytes of max come out of %s", limit, b.how.Alg)
	} else if err != nil {
		err = b.failure(err)
	}
	if b.err = err; err != nil {
		b.release()
	}
	return n
}

// failure tells errors of the handles, which stay as they are, from what is wrong with what they have.
func (b *compressed) failure(err error) error {
	switch {
	case b.in.err != nil:
		return b.in.err
	case err == io.EOF && (b.in.some || !b.how.Undo):
		return io.EOF
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return storagedriver.Errorf(storagedriver.KindLimit, "the content needs a window of more than %d bytes to be decompressed: compress it with a smaller one", zstdWindow)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF // nothing at all is no compression of anything
	}
	return storagedriver.Errorf(storagedriver.KindCorrupt, "the content is not %s, or damaged: %w", b.how.Alg, err)
}

func (b *compressed) release() {
	if b.codec != nil {
		b.codec.release()
		b.codec = nil
	}
}

// Close may be called more than once.
func (b *compressed) Close() error {
	if b.closed.Swap(true) {
		return nil
	}
	b.release()
	err := b.in.close()
	b.parts.drop()
	b.d.codecs.Add(-1)
	b.d.bodies.Add(-1)
	b.d.m.bodies.Add(-1)
	return err
}

// codecInput is what the handles have, opened at the first Read.
type codecInput struct {
	ctx   context.Context // of the operation, which governs its answer as well
	parts *sequence
	r     io.ReadCloser
	some  bool  // anything has been read
	err   error // what ended it, unless that was its end
}

// Read implements io.Reader.
func (i *codecInput) Read(p []byte) (int, error) {
	if i.err != nil {
		return 0, i.err
	}
	n, err := i.read(p)
	i.some = i.some || n > 0
	if err != nil && err != io.EOF {
		i.err = err
	}
	return n, err
}

func (i *codecInput) read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	if i.r == nil {
		r, err := i.parts.open(i.ctx)
		if err != nil {
			return 0, err
		}
		i.r = r
	}
	return i.r.Read(p)
}

func (i *codecInput) close() error {
	if i.r == nil {
		return nil
	}
	return i.r.Close()
}
