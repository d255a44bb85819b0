package native

import (
	"io"
	"net/http"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// sink is a request whose body the driver writes: a pipe into net/http.
type sink struct {
	host   *Host
	w      *io.PipeWriter
	answer chan answer
	done   bool
}

type answer struct {
	resp *http.Response
	err  error
}

// Begin implements berth.Host.
func (h *Host) Begin(r *berth.Request, size int64) (berth.HostSink, error) {
	req, err := h.request(r)
	if err != nil {
		return nil, err
	}
	pr, pw := io.Pipe()
	req.Body, req.ContentLength = pr, size
	if size == 0 {
		req.Body = http.NoBody
	}
	if err := h.sign(req, r); err != nil {
		return nil, err
	}
	s := &sink{host: h, w: pw, answer: make(chan answer, 1)}
	h.open = append(h.open, s)
	go func() {
		resp, err := h.config.Client.Do(req)
		pr.Close() // a server that answers early reads no further
		s.answer <- answer{resp, err}
	}()
	return s, nil
}

func (s *sink) Write(p []byte) (int, error) { return s.w.Write(p) }

func (s *sink) Splice(src *berth.Stream, n int64) (int64, error) { return splice(s.w, src, n) }

// splice moves n bytes of src to w, -1 for all.
func splice(w io.Writer, src *berth.Stream, n int64) (moved int64, err error) {
	if n < 0 {
		moved, err = io.Copy(w, src)
	} else {
		moved, err = io.CopyN(w, src, n)
	}
	if err == io.EOF {
		err = nil
	}
	return moved, err
}

// output is what Host.Output returns.
type output struct{ io.Writer }

func (o output) Splice(src *berth.Stream, n int64) (int64, error) { return splice(o.Writer, src, n) }

// Output returns what a driver's Stream is given to write to w.
func (h *Host) Output(w io.Writer) *berth.Output { return berth.NewOutput(output{w}) }

func (s *sink) Finish(limit int, want []string) (*berth.Response, error) {
	s.done = true
	s.w.Close()
	a := <-s.answer
	if a.err != nil {
		return nil, s.host.failure(a.err)
	}
	return s.host.response(a.resp, limit, want)
}

func (s *sink) Close() error {
	if s.done {
		return nil
	}
	s.done = true
	s.w.CloseWithError(berth.NewError(berth.KindCanceled, "the request was given up"))
	if a := <-s.answer; a.resp != nil {
		a.resp.Body.Close()
	}
	return nil
}
