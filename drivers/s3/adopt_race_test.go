//go:build servers

package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

func TestRebuildingKeepsWhatAnotherCommitsOnVersitygw(t *testing.T) {
	rebuildsBeside(t, servers.StartS3(t, "versitygw", "BERTH_VERSITYGW"), map[string]any{"filesunderfiles": "refused"}, true)
}

// minio does not heed the condition of a DELETE, but what is looked at before it.
func TestRebuildingKeepsWhatAnotherCommitsOnMinio(t *testing.T) {
	rebuildsBeside(t, servers.StartS3(t, "minio", "BERTH_MINIO"), map[string]any{"filesunderfiles": "checked"}, false)
}

// pausing is a service whose at-th request waits, before it is passed on, until meanwhile has returned.
type pausing struct {
	servers.S3
	mu        sync.Mutex
	folder    string
	at, seen  int
	meanwhile func()
	said      string // that request
}

func pause(t *testing.T, service servers.S3) *pausing {
	t.Helper()
	target, err := url.Parse(service.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &pausing{S3: service}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.arrived(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	p.URL = front.URL
	return p
}

// next has what happens before the at-th request for something in the folder.
func (p *pausing) next(folder string, at int, meanwhile func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.folder, p.at, p.seen, p.meanwhile, p.said = folder, at, 0, meanwhile, ""
}

func (p *pausing) arrived(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock() // the others wait as well
	if !strings.Contains(r.URL.Path+"?/"+r.URL.Query().Get("prefix"), p.folder+"/") {
		return // one of before, that was given up
	}
	if p.seen++; p.seen == p.at {
		p.said = r.Method + " " + r.URL.Path
		p.meanwhile()
	}
}

// outcome ends what next began.
func (p *pausing) outcome() (requests int, said string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = 0
	return p.seen, p.said
}

// rebuildsBeside opens an upload of distribution's whose last part is short. Before each of the requests that this takes, in turn, another commits
// content there: what it was told is committed is there in the end. heeds says that the service heeds the condition of a DELETE.
func rebuildsBeside(t *testing.T, service servers.S3, more map[string]any, heeds bool) {
	direct := on(t, service, more)
	slow := pause(t, service)
	parameters := maps.Clone(direct)
	parameters["regionendpoint"] = slow.URL
	create := func(parameters map[string]any) storagedriver.StorageDriver {
		d, err := factory.FromOpen(s3.Name, s3.Open).Create(t.Context(), parameters)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	one, other, distributions := create(parameters), create(direct), theirs(t, direct, smallPart)
	for how, commits := range rivals {
		committed := 0
		for at, last := 1, false; !last; at++ {
			folder := fmt.Sprintf("/%s/%d", strings.ReplaceAll(how, " ", "-"), at)
			b := &begun{theirs: distributions, path: folder + "/data", content: someBytes(smallPart + 1000)}
			b.begin(t)
			var want []byte
			ready := commits(t, other, b)
			slow.next(folder, at, func() { want = ready() })
			w, err := one.Writer(t.Context(), b.path, true)
			requests, said := slow.outcome()
			last = requests < at
			if err == nil && last && w.Size() != int64(len(b.content)) {
				t.Errorf("%s: nobody disturbed it, and it has %d of %d bytes", how, w.Size(), len(b.content))
			}
			if err != nil && last {
				t.Errorf("%s: nobody disturbed it: %v", how, err)
			}
			if kind := storagedriver.KindOf(err); err != nil && kind != storagedriver.KindConflict && kind != storagedriver.KindUnsupported {
				t.Errorf("%s before %s: want that another has gone on, got %v", how, said, err)
			}
			if want != nil && (heeds || said != "DELETE /"+bucket+b.path) {
				committed++
				if got, err := contentOf(t, other, b.path); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s before %s: its %d bytes were committed, and there are %d other ones, %v", how, said, len(want), len(got), err)
				}
			}
			if w != nil {
				_ = w.Close()
			}
		}
		if committed == 0 {
			t.Errorf("%s: nothing was ever committed meanwhile", how)
		}
	}
}

// rivals are ways to commit something else at the path. They prepare; what they return commits, and returns the content, nil where it could not.
var rivals = map[string]func(*testing.T, storagedriver.StorageDriver, *begun) func() []byte{
	"content is put": func(t *testing.T, d storagedriver.StorageDriver, b *begun) func() []byte {
		return func() []byte {
			content := bytes.Repeat([]byte("."), len(b.content)) // as long: only the ETag tells
			if err := d.PutContent(t.Context(), b.path, content); err != nil {
				t.Errorf("PutContent: %v", err)
				return nil
			}
			return content
		}
	},
	"a writer that goes on commits": func(t *testing.T, d storagedriver.StorageDriver, b *begun) func() []byte {
		return func() []byte {
			w, err := d.Writer(t.Context(), b.path, true)
			if err != nil {
				return nil
			}
			size := w.Size()
			return ends(t, w, append(bytes.Clone(b.content[:size]), "gone on with"...), []byte("gone on with"))
		}
	},
	"a writer that begins commits": func(t *testing.T, d storagedriver.StorageDriver, b *begun) func() []byte {
		return func() []byte {
			w, err := d.Writer(t.Context(), b.path, false)
			if err != nil {
				return nil
			}
			return ends(t, w, []byte("begun anew"), []byte("begun anew"))
		}
	},
}

// ends writes the rest and commits. It returns content, or nil where another has gone on.
func ends(t *testing.T, w storagedriver.FileWriter, content, rest []byte) []byte {
	defer w.Close()
	if _, err := w.Write(rest); err != nil {
		return nil
	}
	if err := w.Commit(t.Context()); err != nil {
		if storagedriver.KindOf(err) != storagedriver.KindConflict {
			t.Errorf("Commit: %v", err)
		}
		return nil
	}
	return content
}

func contentOf(t *testing.T, d storagedriver.StorageDriver, path string) ([]byte, error) {
	t.Helper()
	r, err := d.Reader(t.Context(), path, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
