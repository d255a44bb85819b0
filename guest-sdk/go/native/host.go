package native

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// NewClient returns an HTTP client that behaves like the sandbox's: no redirects, no proxy from the
// environment, no decompression, and enough idle connections for many callers.
func NewClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			MaxIdleConns:        512,
			MaxIdleConnsPerHost: 512,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
			WriteBufferSize:     64 << 10,
			ReadBufferSize:      64 << 10,
		},
	}
}

// Host is a berth.Host over net/http for one call. It is used by one goroutine. Close it
// when the method has returned and what it answered with was detached.
type Host struct {
	ctx    context.Context
	config Config
	open   []io.Closer
}

// NewHost is Config.NewHost for drivers that need no more than these. A nil logger discards.
func NewHost(ctx context.Context, client *http.Client, logger *slog.Logger) *Host {
	c := Config{Client: client, Logger: logger}
	return c.NewHost(ctx)
}

// Close closes every stream of the call that is still open.
func (h *Host) Close() {
	for _, c := range h.open {
		c.Close()
	}
	h.open = nil
}

// Opener is a body of known length that can be opened again and again.
type Opener interface {
	Size() int64
	Open(ctx context.Context) (io.ReadCloser, error)
}

// Source returns the stream that a driver is given for src.
func (h *Host) Source(src Opener) *berth.Stream {
	s := &source{host: h, opener: src}
	h.open = append(h.open, s)
	return berth.NewStream(s, src.Size())
}

// Detach takes the body of an answer out of the call: the caller closes it.
func (h *Host) Detach(s *berth.Stream) (io.ReadCloser, error) {
	b, ok := s.Host().(*body)
	if !ok {
		return nil, errors.New("only the body of a response can be an answer")
	}
	b.detached = true
	return b.r, nil
}

// HTTP implements berth.Host.
func (h *Host) HTTP(r *berth.Request) (*berth.Response, error) {
	req, err := h.requestWithBody(r)
	if err != nil {
		return nil, err
	}
	if err := h.sign(req, r); err != nil {
		return nil, err
	}
	resp, err := h.do(req, r.Outlast)
	if err != nil {
		return nil, h.failure(err)
	}
	return h.response(resp, r.Max, r.Want)
}

// Ask implements berth.Host.
func (h *Host) Ask(t *berth.Template, path string) (*berth.Response, error) {
	return h.HTTP(t.To(berth.Varying{Path: path}))
}

// Send implements berth.Host.
func (h *Host) Send(t *berth.Template, v berth.Varying) (*berth.Response, error) {
	return h.HTTP(t.To(v))
}

func (h *Host) request(r *berth.Request) (*http.Request, error) {
	req, err := http.NewRequestWithContext(h.ctx, r.Method, r.URL, nil)
	if err != nil {
		return nil, berth.NewError(berth.KindInvalidArgument, "a request cannot be made: ", err.Error())
	}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		req.Header.Add(r.Headers[i], r.Headers[i+1])
	}
	return req, nil
}

func (h *Host) requestWithBody(r *berth.Request) (*http.Request, error) {
	req, err := h.request(r)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Outlast && r.Body != nil:
		return nil, berth.NewError(berth.KindInvalidArgument, "a request with a Body of streams, which end with the call, cannot outlast it")
	case r.Data != nil:
		req.ContentLength = int64(len(r.Data))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Data)), nil }
	case r.Body != nil:
		req.ContentLength = sizeOf(r.Body)
		req.GetBody = func() (io.ReadCloser, error) { return &joinedBody{host: h, rest: r.Body}, nil }
	}
	if req.GetBody != nil && req.ContentLength != 0 {
		req.Body, _ = req.GetBody()
	}
	return req, nil
}

// response turns a net/http response into the driver's.
func (h *Host) response(resp *http.Response, limit int, want []string) (*berth.Response, error) {
	out := &berth.Response{Status: resp.StatusCode, Length: resp.ContentLength, Headers: headers(resp.Header, want)}
	switch {
	case resp.Body == http.NoBody || resp.ContentLength == 0:
		resp.Body.Close()
		out.Length = max(out.Length, 0)
		return out, nil
	case resp.ContentLength > 0 && resp.ContentLength <= int64(limit):
		defer resp.Body.Close()
		out.Data = make([]byte, resp.ContentLength)
		if _, err := io.ReadFull(resp.Body, out.Data); err != nil {
			return nil, h.failure(err)
		}
		return out, nil
	}
	out.Body = h.stream(resp.Body, resp.ContentLength, true)
	return out, nil
}

func headers(from http.Header, want []string) []string {
	var out []string
	if want == nil {
		for name, values := range from {
			for _, v := range values {
				out = append(out, strings.ToLower(name), v)
			}
		}
		return out
	}
	for _, name := range want {
		for _, v := range from.Values(name) {
			out = append(out, name, v)
		}
	}
	return out
}

// failure classifies an exchange that failed as the sandbox's host does.
func (h *Host) failure(err error) error {
	if e := contextError(err); e != nil {
		return e
	}
	var own *berth.Error
	if errors.As(err, &own) {
		return own
	}
	return &berth.Error{Kind: berth.KindUnavailable, Temporary: true, Msg: err.Error()}
}

// contextError is err as the end of a context; nil when it is none.
func contextError(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return berth.NewError(berth.KindCanceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return berth.NewError(berth.KindDeadline, err.Error())
	}
	return nil
}

// Now implements berth.Host.
func (h *Host) Now() int64 { return time.Now().UnixNano() }

// Random implements berth.Host.
func (h *Host) Random(p []byte) { rand.Read(p) }

// Log implements berth.Host.
func (h *Host) Log(level berth.Level, line string) {
	levels := [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	h.config.Logger.Log(h.ctx, levels[min(max(level, 0), 3)], line)
}

// Sleep implements berth.Host.
func (h *Host) Sleep(nanoseconds int64) error {
	timer := time.NewTimer(time.Duration(nanoseconds))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-h.ctx.Done():
		return h.failure(fmt.Errorf("waiting: %w", h.ctx.Err()))
	}
}
