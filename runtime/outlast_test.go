package runtime_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// patient answers when it is let go, and notes whether the client was there then.
type patient struct {
	*httptest.Server
	come, let chan struct{} // a request is there; it may be answered
	ended     chan string   // "answered", or "broken off"
	early     bool          // the answer begins at once
}

func newPatient(t *testing.T, early bool) *patient {
	t.Helper()
	p := &patient{come: make(chan struct{}, 8), let: make(chan struct{}), ended: make(chan string, 8), early: early}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if p.early {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		p.come <- struct{}{}
		select {
		case <-p.let:
			_, _ = io.WriteString(w, "done")
			p.ended <- "answered"
		case <-r.Context().Done():
			p.ended <- "broken off"
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// outlasting is a request that is not to be broken off.
func outlasting(method, url string) *abi.HTTPRequest {
	return &abi.HTTPRequest{Method: method, URL: url, Data: []byte("<x/>"), Max: 100, Outlast: true}
}

// calling has the guest run an operation, and returns what ends its call and what it fails with.
func calling(t *testing.T, d storagedriver.Backend, op abi.HostOp, m abi.Message) (context.CancelFunc, <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	failed := make(chan error, 1)
	path := servicePath(t, "call", op, m)
	go func() {
		_, err := readAll(ctx, d, path, -1)
		failed <- err
	}()
	return cancel, failed
}

func wantCanceled(t *testing.T, failed <-chan error) {
	t.Helper()
	if err := <-failed; storagedriver.KindOf(err) != storagedriver.KindCanceled {
		t.Errorf("the call fails with %v, want that it was canceled", err)
	}
}

// TestRequestsThatOutlastTheirCall cancels calls in the middle of their requests.
func TestRequestsThatOutlastTheirCall(t *testing.T) {
	for name, c := range map[string]struct {
		outlast, early, all bool
		want                string
	}{
		"one that does not":            {want: "broken off"},
		"one that does not, of many":   {all: true, want: "broken off"},
		"one":                          {outlast: true, want: "answered"},
		"one whose answer has begun":   {outlast: true, early: true, want: "answered"},
		"of many":                      {outlast: true, all: true, want: "answered"},
		"of many, whose answer is due": {outlast: true, all: true, early: true, want: "answered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, c.early)
			d, _, _ := open(t, runtime.Config{Allow: egress.Origins(p.URL)}, nil)
			request := outlasting("POST", p.URL+"/a")
			request.Outlast = c.outlast
			op, m := abi.HostHTTP, abi.Message(request)
			if c.all {
				op, m = abi.HostHTTPAll, &abi.HTTPAllRequest{Requests: []abi.HTTPRequest{*request}}
			}
			cancel, failed := calling(t, d, op, m)
			<-p.come
			cancel()
			wantCanceled(t, failed)
			if c.want == "answered" {
				close(p.let)
			}
			if got := <-p.ended; got != c.want {
				t.Errorf("the request was %s, want %s", got, c.want)
			}
		})
	}
}

// TestWhatWasNotSentDoesNotOutlastItsCall has a request wait for its turn when its call ends: it is never sent.
func TestWhatWasNotSentDoesNotOutlastItsCall(t *testing.T) {
	p := newPatient(t, false)
	d, _, _ := open(t, runtime.Config{Allow: egress.Origins(p.URL), MaxRequests: 1}, nil)
	_, first := calling(t, d, abi.HostHTTP, outlasting("POST", p.URL+"/first"))
	<-p.come
	cancel, second := calling(t, d, abi.HostHTTP, outlasting("DELETE", p.URL+"/second"))
	cancel()
	wantCanceled(t, second)
	close(p.let)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if e := serve(t, d, abi.HostHTTP, outlasting("POST", p.URL+"/third"), &abi.HTTPReply{}); e != nil {
		t.Errorf("%+v", e)
	}
	<-p.come
	if len(p.come) > 0 {
		t.Error("what waited for its turn was sent after its call had ended")
	}
}

// TestFewRequestsOutlastTheirCalls: an eighth of those that may be made, and of 8 that is one.
func TestFewRequestsOutlastTheirCalls(t *testing.T) {
	p := newPatient(t, false)
	d, _, _ := open(t, runtime.Config{Allow: egress.Origins(p.URL), MaxRequests: 8}, nil)
	for _, want := range []string{"", "broken off", "broken off"} {
		cancel, failed := calling(t, d, abi.HostHTTP, outlasting("POST", p.URL+"/a"))
		<-p.come
		cancel()
		wantCanceled(t, failed)
		if want == "" {
			continue
		}
		if got := <-p.ended; got != want {
			t.Errorf("the request was %s, want %s", got, want)
		}
	}
	close(p.let)
	if got := <-p.ended; got != "answered" {
		t.Errorf("the first was %s", got)
	}
}

// TestRequestsThatOutlastHaveNoHandles, which are the call's.
func TestRequestsThatOutlastHaveNoHandles(t *testing.T) {
	d, objects, _ := open(t, runtime.Config{}, nil)
	r := outlasting("PUT", objects.URL+"/a")
	r.Data, r.Body = nil, []abi.Handle{1}
	wantRefusal(t, serve(t, d, abi.HostHTTP, r, &abi.HTTPReply{}), abi.KindInvalidArgument, "outlast with a body of handles")
}

// TestCloseWaitsForWhatGoesOn closes a driver while a request goes on without its call: it is answered, and closing has ended after that.
func TestCloseWaitsForWhatGoesOn(t *testing.T) {
	p, s := newPatient(t, false), newStore(t)
	m := load(t, runtime.Config{Allow: egress.Origins(p.URL, s.URL)})
	d, err := m.Open(t.Context(), map[string]any{"endpoint": s.URL})
	if err != nil {
		t.Fatal(err)
	}
	cancel, failed := calling(t, d, abi.HostHTTP, outlasting("POST", p.URL+"/a"))
	<-p.come
	cancel()
	wantCanceled(t, failed)
	closed := make(chan error, 1)
	go func() { closed <- d.Close() }()
	eventually(t, "the driver is being closed", func() bool {
		_, err := d.Stat(t.Context(), "/a")
		return storagedriver.KindOf(err) == storagedriver.KindClosed
	})
	select {
	case err := <-closed:
		t.Fatalf("Close has ended, with %v, before the request was answered", err)
	default:
	}
	close(p.let)
	if got := <-p.ended; got != "answered" {
		t.Errorf("the request was %s", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// TestAnswersOfWhatOutlastsAreWhole has answers, short or long, come to the guest as they were.
func TestAnswersOfWhatOutlastsAreWhole(t *testing.T) {
	for _, size := range []int{1, 511, 4 << 10, 64 << 10, 64<<10 + 1, 300 << 10} {
		for _, chunked := range []bool{false, true} {
			content := unique(size)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if chunked {
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = w.Write(content)
			}))
			t.Cleanup(server.Close)
			d, _, _ := open(t, runtime.Config{Allow: egress.Origins(server.URL)}, nil)
			ctx, cancel := context.WithCancel(t.Context())
			r := outlasting("POST", server.URL+"/a")
			r.Max = 0
			got, err := readAll(ctx, d, servicePath(t, "drained", abi.HostHTTP, r), -1)
			cancel()
			if err != nil || string(got) != string(content) {
				t.Errorf("%d bytes, chunked %t: got %d and %v", size, chunked, len(got), err)
			}
		}
	}
}
