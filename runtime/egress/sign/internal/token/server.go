package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
)

// maxAnswer bounds a token server's answer: Keystone's with a large catalog has some 100 KiB.
const maxAnswer = 1 << 20

// Server asks a server for tokens. It is a RoundTripper whose responses are in memory.
type Server struct {
	// Name is what errors call it.
	Name string
	do   sign.Doer
}

// NewServer returns a Server that is asked through do. Redirects of an *http.Client are not followed: requests for
// tokens hold passwords.
func NewServer(name string, do sign.Doer) *Server {
	if client, ok := do.(*http.Client); ok {
		own := *client
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		do = &own
	}
	return &Server{name, do}
}

// RoundTrip implements http.RoundTripper. Its errors are classified.
func (s *Server) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.do.Do(req)
	if err != nil {
		return nil, s.failure(req.Context(), err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, s.failure(req.Context(), err)
	}
	if len(body) > maxAnswer {
		return nil, storagedriver.Errorf(storagedriver.KindUnavailable, "%s answered with more than 1 MiB", s.Name)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func (s *Server) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var classified *storagedriver.Error
	if errors.As(err, &classified) {
		return &storagedriver.Error{Kind: classified.Kind, Temporary: classified.Temporary, RetryAfter: classified.RetryAfter, Err: fmt.Errorf("%s: %w", s.Name, err)}
	}
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: fmt.Errorf("%s cannot be reached: %w", s.Name, err)}
}

// Status is the error of an answer that is not a token. Nothing of the answer is in it but the status.
func (s *Server) Status(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return storagedriver.Errorf(storagedriver.KindPermission, "%s refused the credential with status %d", s.Name, code)
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		seconds, _ := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16)
		return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, RetryAfter: time.Duration(seconds) * time.Second, Err: fmt.Errorf("%s answered with status %d", s.Name, code)}
	case code >= 300 && code < 400:
		return storagedriver.Errorf(storagedriver.KindUnavailable, "%s answered with status %d, and redirects are not followed: give the URL that it leads to", s.Name, code)
	default:
		return storagedriver.Errorf(storagedriver.KindUnavailable, "%s answered with status %d: look at its URL and at the parameters", s.Name, code)
	}
}

// Unusable is the error of an answer that is none.
func (s *Server) Unusable(what string) error {
	return storagedriver.Errorf(storagedriver.KindUnavailable, "%s answered with %s", s.Name, what)
}
