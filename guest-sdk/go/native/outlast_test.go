package native_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// TestARequestMayOutlastItsCall ends a call in the middle of a request: one that outlasts it is answered, another is broken off.
func TestARequestMayOutlastItsCall(t *testing.T) {
	for _, outlast := range []bool{false, true} {
		come, let, ended := make(chan struct{}), make(chan struct{}), make(chan bool, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(come)
			select {
			case <-let:
				ended <- true
			case <-r.Context().Done():
				ended <- false
			}
		}))
		ctx, cancel := context.WithCancel(context.Background())
		_, c := host(t, ctx)
		failed := make(chan error, 1)
		go func() {
			_, err := c.HTTP(&berth.Request{Method: "POST", URL: server.URL, Outlast: outlast})
			failed <- err
		}()
		<-come
		cancel()
		var failure *berth.Error
		if err := <-failed; !errors.As(err, &failure) || failure.Kind != berth.KindCanceled {
			t.Errorf("outlast %t: the call fails with %v, want that it was canceled", outlast, err)
		}
		if outlast {
			close(let)
		}
		if answered := <-ended; answered != outlast {
			t.Errorf("outlast %t: answered %t", outlast, answered)
		}
		server.Close()
	}
}

func TestARequestWithStreamsDoesNotOutlastItsCall(t *testing.T) {
	h, c := host(t, context.Background())
	var open, most int
	_, err := c.HTTP(&berth.Request{Method: "PUT", URL: "http://127.0.0.1:1/", Body: []*berth.Stream{h.Source(pieces{"content", &open, &most})}, Outlast: true})
	var failure *berth.Error
	if !errors.As(err, &failure) || failure.Kind != berth.KindInvalidArgument || !strings.Contains(failure.Error(), "outlast") {
		t.Errorf("got %v, want that it cannot", err)
	}
}
