package native

import (
	"context"
	"net/http"
)

// do makes a request. One that outlasts its call goes on when that ends before it is answered.
func (h *Host) do(req *http.Request, outlast bool) (*http.Response, error) {
	if !outlast {
		return h.config.Client.Do(req)
	}
	type answer struct {
		resp *http.Response
		err  error
	}
	done := make(chan answer)
	go func() {
		resp, err := h.config.Client.Do(req.WithContext(context.WithoutCancel(h.ctx)))
		select {
		case done <- answer{resp, err}:
		case <-h.ctx.Done():
			if err == nil {
				_ = resp.Body.Close() // nobody is told
			}
		}
	}()
	select {
	case a := <-done:
		return a.resp, a.err
	case <-h.ctx.Done():
		return nil, h.ctx.Err()
	}
}
