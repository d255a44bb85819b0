package egress

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestCallersMayLeaveAtAnyMoment has callers of requests that outlast them go at moments from before the request to after its answer. Each is told that its
// context has ended, or given an answer that is whole, and of those that go on none is left in the end.
func TestCallersMayLeaveAtAnyMoment(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(s.Close)
	c := clientOf(t, Origins(s.URL)...)
	var given, left atomic.Int64
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(3000))*time.Microsecond)
				resp, err := c.Do(ctx, &Request{Method: "POST", URL: s.URL + "/", Data: []byte("x"), Outlasts: true})
				switch {
				case err == nil:
					given.Add(1)
					text, err := io.ReadAll(resp.Body)
					if string(text) != "done" && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("the answer is %q, %v", text, err)
					}
					_ = resp.Body.Close()
				case errors.Is(err, context.DeadlineExceeded):
					left.Add(1)
				default:
					t.Errorf("want an answer, or that the context has ended, got %v", err)
				}
				cancel()
			}
		})
	}
	callers.Wait()
	c.Close()
	c.outlasting.mu.Lock()
	defer c.outlasting.mu.Unlock()
	if n := len(c.outlasting.list); n > 0 {
		t.Errorf("%d requests go on after Close", n)
	}
	if given.Load() == 0 || left.Load() == 0 {
		t.Errorf("%d answers were given, and %d callers left: want some of each", given.Load(), left.Load())
	}
}
