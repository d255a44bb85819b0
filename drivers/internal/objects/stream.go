package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"

	"github.com/berth-dev/storagedriver"
)

// stream reads one range of a version and goes on where its connection breaks. It is used by one goroutine at a time.
type stream struct {
	ctx     context.Context
	version *version
	at, end int64
	c       *connection // nil when there is none
	repeats int         // since progress
	bytes   int64       // since then
	last    error       // why there is no connection; nil when there has been none
	err     error       // what every further Read answers
}

// Read implements io.Reader. The end is looked at together with the last bytes.
func (s *stream) Read(p []byte) (int, error) {
	for s.err == nil {
		if s.c == nil {
			s.err = s.connect()
			continue
		}
		if s.at == s.end {
			s.err = s.verdict(nil)
			break
		}
		n, err := s.c.Read(p[:min(int64(len(p)), s.end-s.at)])
		s.advance(n)
		switch {
		case s.at == s.end:
			s.err = s.verdict(err)
		case err != nil:
			s.err = s.broken(err)
		}
		if n > 0 || err == nil {
			return n, s.err
		}
	}
	return 0, s.err
}

func (s *stream) advance(n int) {
	s.at += int64(n)
	if s.bytes += int64(n); s.bytes >= progress {
		s.repeats, s.bytes = 0, 0
	}
}

// verdict tells a body that ends where it should from one that runs on; err came with the last bytes. All the bytes are there, so
// that a connection that breaks now does not matter, but what the body says of them does: it may have counted them.
func (s *stream) verdict(err error) error {
	var one [1]byte
	for err == nil {
		var n int
		if n, err = s.c.Read(one[:]); n > 0 {
			err = storagedriver.Errorf(storagedriver.KindCorrupt, "the body goes on after byte %d, where it was promised to end", s.end)
		}
	}
	switch {
	case err == io.EOF:
		return err
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case isBroken(err):
		return io.EOF
	}
	return err
}

// isBroken reports whether err is of a connection, not of what came through it.
func isBroken(err error) bool {
	var network net.Error
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errStalled) || errors.As(err, &network)
}

// broken takes leave of a connection that ended with err before the range did, and returns an error unless it can be gone on.
func (s *stream) broken(err error) error {
	s.close()
	var e *storagedriver.Error
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case errors.As(err, &e) && e.Kind != storagedriver.KindUnknown && !e.Temporary:
		return err
	case err == io.EOF:
		err = fmt.Errorf("the body ended at byte %d, %d bytes early", s.at, s.end-s.at)
	}
	s.last = err
	if s.version.tag == "" {
		return s.gaveUp("the object has no tag to go on with")
	}
	return nil
}

// connect requests what is left, again while the answer is Temporary.
func (s *stream) connect() error {
	for {
		if s.last != nil {
			if s.repeats >= s.version.o.Attempts {
				return s.gaveUp(fmt.Sprintf("no attempt in %d got further", s.repeats))
			}
			s.repeats++
			if err := s.pause(); err != nil {
				return err
			}
		}
		err := s.request()
		switch {
		case err == nil:
			return nil
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case !storagedriver.IsTemporary(err):
			return err
		}
		s.last = err
	}
}

// pause waits before another attempt, at least for as long as the service asked for.
func (s *stream) pause() error {
	most := maxPause
	if shift := s.repeats - 1; shift < 16 {
		most = min(most, s.version.o.Pause<<shift)
	}
	asked := retryAfter(s.last)
	if asked > maxPause {
		return s.gaveUp(fmt.Sprintf("the service asks to be left alone for %v", asked))
	}
	return pause(s.ctx, max(most/2+rand.N(most/2+1), asked))
}

// request opens a connection for what is left of the range, and checks that it is of the version.
func (s *stream) request() error {
	v, left := s.version, s.end-s.at
	ctx, cancel := context.WithCancel(s.ctx)
	opened, err := v.open(ctx, s.at, left, v.tag)
	if err != nil {
		cancel()
		switch storagedriver.KindOf(err) {
		case storagedriver.KindConflict, storagedriver.KindNotFound, storagedriver.KindInvalidOffset:
			return s.replaced(err.Error())
		}
		return err
	}
	c := newConnection(opened.Body, cancel, v.o.Stall)
	switch {
	case opened.Tag != v.tag:
		err = s.replaced(fmt.Sprintf("its tag was %s and is %s", v.tag, opened.Tag))
	case opened.Size != v.size:
		err = s.replaced(fmt.Sprintf("it had %d bytes and has %d", v.size, opened.Size))
	case opened.Length != left:
		err = storagedriver.Errorf(storagedriver.KindCorrupt, "%d bytes from byte %d on were requested, and %d were promised", left, s.at, opened.Length)
	}
	if err != nil {
		c.close()
		return err
	}
	s.c = c
	return nil
}

// replaced does not wrap why: it would be KindNotFound to errors.Is.
func (s *stream) replaced(why string) error {
	return storagedriver.Errorf(storagedriver.KindConflict, "the object was replaced or deleted while it was read, after byte %d of %d: %s", s.at, s.version.size, why)
}

func (s *stream) gaveUp(why string) error {
	e := &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, RetryAfter: retryAfter(s.last)}
	if last := (*storagedriver.Error)(nil); errors.As(s.last, &last) && last.Kind != storagedriver.KindUnknown {
		e.Kind = last.Kind
	}
	e.Err = fmt.Errorf("the object could not be read on from byte %d of %d: %s, and the last error is: %w", s.at, s.version.size, why, s.last)
	return e
}

func (s *stream) close() {
	if s.c != nil {
		s.c.close()
		s.c = nil
	}
}
