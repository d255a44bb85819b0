package registry

import (
	"context"
	"net/http"
	"sync"
)

// inflight counts the requests whose handlers have not returned. http.Server.Close does not
// wait for them, and the driver must not be closed under them.
type inflight struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed and replaced each time n becomes 0
}

func (f *inflight) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.add(1)
		defer f.add(-1)
		next.ServeHTTP(w, r)
	})
}

func (f *inflight) add(delta int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n += delta
	if f.n == 0 && f.idle != nil {
		close(f.idle)
		f.idle = nil
	}
}

// wait returns how many requests are left when there are none or ctx ends.
func (f *inflight) wait(ctx context.Context) int {
	for {
		f.mu.Lock()
		n := f.n
		if n > 0 && f.idle == nil {
			f.idle = make(chan struct{})
		}
		idle := f.idle
		f.mu.Unlock()
		if n == 0 {
			return 0
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return n
		}
	}
}
