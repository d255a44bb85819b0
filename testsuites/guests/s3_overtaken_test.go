//go:build servers

package guests

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

func TestS3UploadsAreTakenOverByOneOnVersitygw(t *testing.T) {
	takenOverByOne(t, "versitygw", "BERTH_VERSITYGW")
}

func TestS3UploadsAreTakenOverByOneOnMinio(t *testing.T) {
	takenOverByOne(t, "minio", "BERTH_MINIO")
}

// takenOverByOne has two writers find the same upload and take it over one after the other, the first with the part that comes last: were both let,
// the first would be told that it is overtaken, and the second that its part has been replaced.
func takenOverByOne(t *testing.T, service, program string) {
	for _, guest := range []string{"s3", "rust-s3"} {
		t.Run(guest, func(t *testing.T) {
			s := servers.StartS3(t, service, program)
			order := startOrder(t, s.URL)
			s.URL = order.url
			m, parameters := loadForS3(t, guest, s, nil)
			b := openBackend(t, m, parameters)
			const path = "/overtaken/a"
			part, tail := bytes.Repeat([]byte("part"), s3Part/4), []byte("tail")
			suspended(t, b, path, part, nil)

			type result struct {
				upload storagedriver.Upload
				data   []byte
				err    error
			}
			writer := func() storagedriver.Upload {
				u, err := b.OpenUpload(t.Context(), path, true)
				ok(t, err, "OpenUpload")
				return u
			}
			stores := func(u storagedriver.Upload, fill byte) chan result {
				done := make(chan result, 1)
				go func() {
					content := bytes.Repeat([]byte{fill}, s3Part)
					data, err := b.PutPart(t.Context(), u.Token, storagedriver.Part{Number: 2, Offset: s3Part, Body: storagedriver.BytesSource(content)})
					done <- result{u, data, err}
				}()
				return done
			}
			uploads := []storagedriver.Upload{writer(), writer()}
			order.hold()
			first := stores(uploads[0], '1')
			firstClaim := order.next(t, "the first writer's state")
			second := stores(uploads[1], '2')
			secondClaim := order.next(t, "the second writer's state")
			close(firstClaim)
			firstPart := order.next(t, "the first writer's part")
			close(secondClaim)
			var loser result
			select {
			case loser = <-second:
			case secondPart := <-order.held:
				close(secondPart)
				loser = <-second
			case <-time.After(time.Minute):
				t.Fatal("the second writer has no answer within a minute")
			}
			close(firstPart)
			winner := <-first
			ok(t, winner.err, "PutPart of the writer that took the upload over")
			wantKind(t, loser.err, storagedriver.KindConflict, "PutPart of the one that came later")
			suspendedByOne(t, b, order)
			order.release()

			ok(t, b.CancelUpload(t.Context(), loser.upload.Token), "CancelUpload of the one that came later")
			winner.upload.Receipts.Set(storagedriver.Receipt{Number: 2, Offset: s3Part, Size: s3Part, Data: winner.data})
			ok(t, b.CommitUpload(t.Context(), winner.upload.Token, winner.upload.Receipts, storagedriver.BytesSource(tail)), "CommitUpload")
			want := bytes.Join([][]byte{part, bytes.Repeat([]byte{'1'}, s3Part), tail}, nil)
			if resp, got := fetch(t, b, http.MethodGet, path); !bytes.Equal(got, want) {
				t.Errorf("want the %d bytes of the first writer, got %s with %d", len(want), resp.Status, len(got))
			}
			wantNames(t, b, "/overtaken", "a")
		})
	}
}

// suspendedByOne has two writers suspend the same upload while writes are held back: nothing is left of the tail of the one that came later.
func suspendedByOne(t *testing.T, b storagedriver.Backend, order *order) {
	t.Helper()
	const path = "/tails/a"
	begun, err := b.OpenUpload(t.Context(), path, false)
	ok(t, err, "OpenUpload")
	suspends := func(u storagedriver.Upload) chan error {
		done := make(chan error, 1)
		go func() {
			done <- b.SuspendUpload(t.Context(), u.Token, u.Receipts, storagedriver.BytesSource("tail"))
		}()
		return done
	}
	alone := suspends(begun)
	close(order.next(t, "the state"))
	ok(t, <-alone, "SuspendUpload")
	var done []chan error
	var states []chan struct{}
	var uploads []storagedriver.Upload
	for range 2 {
		u, err := b.OpenUpload(t.Context(), path, true)
		ok(t, err, "OpenUpload")
		uploads = append(uploads, u)
	}
	for _, u := range uploads {
		done = append(done, suspends(u))
		states = append(states, order.next(t, "a writer's state"))
	}
	close(states[0])
	ok(t, <-done[0], "SuspendUpload of the first writer")
	close(states[1])
	wantKind(t, <-done[1], storagedriver.KindConflict, "SuspendUpload of the one that came later")
	ok(t, b.CancelUpload(t.Context(), uploads[0].Token), "CancelUpload of the first writer")
	wantNames(t, b, "/tails")
}

// order is a proxy that holds back what writes.
type order struct {
	url     string
	held    chan chan struct{} // of each write, in the order in which they come; it is closed to let it go on
	holding chan struct{}      // closed while writes are held back
	free    chan struct{}      // closed when none are any more
}

func startOrder(t *testing.T, service string) *order {
	t.Helper()
	target, err := url.Parse(service)
	ok(t, err, "Parse")
	o := &order{held: make(chan chan struct{}), holding: make(chan struct{}), free: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && (strings.HasSuffix(r.URL.Path, "~upload") || r.URL.Query().Has("partNumber")) {
			o.wait(r)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	o.url = s.URL
	return o
}

func (o *order) wait(r *http.Request) {
	select {
	case <-o.holding:
	default:
		return
	}
	going := make(chan struct{})
	select {
	case o.held <- going:
	case <-o.free:
		return
	case <-r.Context().Done():
		return
	}
	select {
	case <-going:
	case <-r.Context().Done():
	}
}

func (o *order) hold()    { close(o.holding) }
func (o *order) release() { close(o.free) }

// next waits until a write is held back, and returns what lets it go on.
func (o *order) next(t *testing.T, what string) chan struct{} {
	t.Helper()
	select {
	case going := <-o.held:
		return going
	case <-time.After(time.Minute):
		t.Fatalf("%s was not written within a minute", what)
		return nil
	}
}
