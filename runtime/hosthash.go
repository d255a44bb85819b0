package runtime

import (
	"crypto/md5"  //nolint:gosec // what backends ask for; it guards against accidents only
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// newHash returns the hash of an algorithm; nil for one that there is not.
func newHash(alg string) hash.Hash {
	switch alg {
	case "sha256":
		return sha256.New()
	case "sha1":
		return sha1.New() //nolint:gosec // as above
	case "md5":
		return md5.New() //nolint:gosec // as above
	case "crc32c":
		return crc32.New(castagnoli)
	case "crc64":
		return crc64.New(ecma)
	}
	return nil
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	ecma       = crc64.MakeTable(crc64.ECMA)
)

// maxHashAlgs is the most algorithms of one request: each is work on every byte.
const maxHashAlgs = 8

// hashSink hashes what is written to it.
type hashSink struct {
	names  []string
	hashes []hash.Hash
	size   int64
}

func newHashSink(algs []string) (*hashSink, error) {
	if len(algs) == 0 || len(algs) > maxHashAlgs {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "hash: %d algorithms, not 1 to %d", len(algs), maxHashAlgs)
	}
	s := &hashSink{}
	for _, name := range algs {
		h := newHash(name)
		if h == nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "hash: the algorithm %q is not one of sha256, sha1, md5, crc32c and crc64", guest.Clip(name, 80))
		}
		if !slices.Contains(s.names, name) {
			s.names, s.hashes = append(s.names, name), append(s.hashes, h)
		}
	}
	return s, nil
}

func (s *hashSink) write(p []byte) error {
	for _, h := range s.hashes {
		h.Write(p) // never fails
	}
	s.size += int64(len(p))
	return nil
}

func (s *hashSink) abort() {}

func (s *hashSink) reply() *abi.HashReply {
	r := &abi.HashReply{Digests: make(map[string][]byte, len(s.names)), Size: s.size}
	for i, name := range s.names {
		r.Digests[name] = s.hashes[i].Sum(nil)
	}
	return r
}

// hash answers the digests of data or of what handles have.
func (in *instance) hash(request []byte) (abi.Message, error) {
	var m abi.HashRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if len(m.Data) > 0 && len(m.Body) > 0 {
		return nil, storagedriver.NewError(storagedriver.KindInvalidArgument, "hash: both data and body")
	}
	s, err := newHashSink(m.Algs)
	if err != nil {
		return nil, err
	}
	_ = s.write(m.Data) // never fails
	if len(m.Body) == 0 {
		return s.reply(), nil
	}
	parts, err := in.sequence(m.Body)
	if err != nil {
		return nil, err
	}
	defer parts.drop()
	r, err := parts.open(in.ctx)
	if err != nil {
		return nil, err
	}
	if err := in.drain(s, r); err != nil {
		_ = r.Close() // why it ended is the error to tell
		return nil, err
	}
	return s.reply(), r.Close()
}

// drain writes all that r has into s.
func (in *instance) drain(s sink, r io.Reader) error {
	buf := copyBuffers.Get().(*[128 << 10]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := r.Read(buf[:])
		if werr := s.write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = in.ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func (in *instance) hashBegin(request []byte) (abi.Message, error) {
	var m abi.HashBeginRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	s, err := newHashSink(m.Algs)
	if err != nil {
		return nil, err
	}
	h, err := in.table.add(slot{kind: kindSink, sink: s})
	if err != nil {
		return nil, err
	}
	return &abi.SinkMessage{Sink: h}, nil
}

func (in *instance) hashFinish(request []byte) (abi.Message, error) {
	var m abi.SinkMessage
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	sl, err := in.table.want(m.Sink, kindSink)
	if err != nil {
		return nil, err
	}
	s, ok := sl.sink.(*hashSink)
	if !ok {
		return nil, wrongSink(m.Sink, abi.HostHashBegin)
	}
	in.table.remove(m.Sink)
	return s.reply(), nil
}
