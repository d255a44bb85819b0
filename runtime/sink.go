package runtime

import (
	"context"
	"io"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// httpSink is a request whose body the guest writes. The last byte of a body of known length is
// held back until the guest finishes it: a request dropped before must not be complete.
type httpSink struct {
	request  egress.Request
	client   *egress.Client
	ctx      context.Context
	cancel   context.CancelFunc
	r        *io.PipeReader
	w        *io.PipeWriter // nil when the body is empty
	patience time.Duration  // how long the guest may go on sending after the answer
	late     *time.Timer    // ends that
	written  int64          // the byte held back included
	held     []byte         // at most one byte
	done     chan struct{}  // closed when resp and err are there
	resp     *egress.Response
	err      error
}

var errAborted error = storagedriver.NewError(storagedriver.KindCanceled, "the request was not finished")

// httpBegin starts a request.
func (in *instance) httpBegin(request []byte) (abi.Message, error) {
	var m abi.HTTPBeginRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if m.Size < -1 {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "http_begin: a size of %d", m.Size)
	}
	s := &httpSink{client: in.d.client, done: make(chan struct{}), patience: in.d.m.cfg.FirstByteTimeout,
		request: egress.Request{Method: m.Method, URL: m.URL, Headers: m.Headers, Size: m.Size, Once: true}}
	s.request.Credential, s.request.SHA256 = m.Credential, m.SHA256
	var err error
	if s.request.Keyed, err = in.keyed(m.URL, m.Keyed); err != nil {
		return nil, err
	}
	if err := in.soleSink(abi.HostHTTPBegin); err != nil {
		return nil, err
	}
	if err := in.d.client.Check(&s.request); err != nil {
		return nil, err
	}
	h, err := in.table.add(slot{kind: kindSink, sink: s})
	if err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(in.ctx)
	s.request.Ended = s.cancel
	if m.Size != 0 { // an empty body is complete from the start: that request begins when it is finished
		s.r, s.w = io.Pipe()
		s.request.Open = func(ctx context.Context) (io.ReadCloser, error) {
			// Reading a pipe honours no context by itself; the exchange's always ends.
			context.AfterFunc(ctx, func() { _ = s.r.CloseWithError(errAborted) })
			return s.r, nil
		}
		go s.run()
	}
	return &abi.HTTPBeginReply{Sink: h}, nil
}

func (s *httpSink) run() {
	s.resp, s.err = s.client.Do(s.ctx, &s.request)
	switch {
	case s.r == nil:
	case s.err != nil:
		_ = s.r.CloseWithError(errAborted) // it may not have come to opening the body
	default:
		s.late = time.AfterFunc(s.patience, func() { _ = s.r.CloseWithError(errAborted) })
	}
	close(s.done)
}

// write sends all of p, which is not kept.
func (s *httpSink) write(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	size := s.request.Size
	if size >= 0 && s.written+int64(len(p)) > size {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "more than the %d bytes that http_begin announced", size)
	}
	s.written += int64(len(p))
	if s.written == size {
		s.held = append(s.held, p[len(p)-1])
		p = p[:len(p)-1]
	}
	return s.send(p)
}

func (s *httpSink) send(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := s.w.Write(p)
	if err == nil {
		return nil
	}
	// The request has ended; why is known in a moment.
	<-s.done
	if s.err != nil {
		return s.err
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true,
		Err: storagedriver.NewError(storagedriver.KindUnavailable, "the other side answered before it had the whole body").Err}
}

// finish completes the body and waits for the response. The sink is done whatever comes.
func (s *httpSink) finish() (*egress.Response, error) {
	size := s.request.Size
	if size >= 0 && s.written < size {
		s.abort()
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%d of the %d bytes that http_begin announced", s.written, size)
	}
	if s.w == nil {
		s.run()
	} else {
		_ = s.send(s.held) // the response says more than this failure
		_ = s.w.Close()    // never fails
	}
	<-s.done
	if s.late != nil {
		s.late.Stop()
	}
	if s.err != nil {
		s.cancel()
		return nil, s.err
	}
	return s.resp, nil
}

// abort ends the request so that the other side sees it as incomplete, and waits until
// nothing of it runs.
func (s *httpSink) abort() {
	s.cancel()
	if s.w == nil {
		return
	}
	_ = s.w.CloseWithError(errAborted) // never fails
	<-s.done
	if s.late != nil {
		s.late.Stop()
	}
	if s.resp != nil {
		_ = s.resp.Body.Close() // nobody wants the response
	}
}

// httpFinish completes a request.
func (in *instance) httpFinish(request []byte) (abi.Message, error) {
	var m abi.HTTPFinishRequest
	if err := decode(request, &m); err != nil {
		return nil, err
	}
	if err := checkAnswer(m.Max, m.Want); err != nil {
		return nil, err
	}
	sl, err := in.table.want(m.Sink, kindSink)
	if err != nil {
		return nil, err
	}
	s, ok := sl.sink.(*httpSink)
	if !ok {
		return nil, wrongSink(m.Sink, abi.HostHTTPBegin)
	}
	in.table.remove(m.Sink)
	resp, err := s.finish()
	if err != nil {
		return nil, err
	}
	return in.answerHTTP(resp, m.Max, wantedHeaders(m.Want), m.All)
}

func wrongSink(handle abi.Handle, want abi.HostOp) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the handle %#x is not a sink of %v", int64(handle), want)
}
