package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
)

// event is what a listener is told.
type event struct {
	Action string
	Target struct {
		MediaType, Repository, Tag, FromRepository, URL string
		Digest                                          digest.Digest
		References                                      []descriptor
	}
	Request struct{ Method, UserAgent string }
	Actor   struct{ Name string }
}

// String is the action and what it was done to.
func (e event) String() string {
	kind := e.Target.MediaType
	if kind == "" {
		kind = "-"
	}
	return e.Action + " " + e.Target.Repository + " " + kind
}

// eventListener receives notifications. The first failures of them are answered with 500.
type eventListener struct {
	*httptest.Server
	mu       sync.Mutex
	failures int
	refused  int
	events   []event
	header   http.Header
	kind     string
}

func newListener(t *testing.T, failures int) *eventListener {
	t.Helper()
	l := &eventListener{failures: failures}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.refused < l.failures {
			l.refused++
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		var envelope struct{ Events []event }
		if err := json.NewDecoder(r.Body).Decode(&envelope); err != nil {
			t.Error(err)
		}
		l.events = append(l.events, envelope.Events...)
		l.header, l.kind = r.Header, r.Header.Get("Content-Type")
	}))
	t.Cleanup(func() {
		closeDefaultTransport(t)
		l.Server.Close()
	})
	return l
}

// texts are the events so far.
func (l *eventListener) texts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, e := range l.events {
		out = append(out, e.String())
	}
	return out
}

func (l *eventListener) expect(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events come, there are %q", len(want), l.texts()), func() bool { return len(l.texts()) >= len(want) })
	if got := l.texts(); !slices.Equal(got, want) {
		t.Errorf("events:\ngot  %q\nwant %q", got, want)
	}
}

// notifying is a client of a registry that tells the listeners of sections.
func notifying(t *testing.T, sections string) *client {
	t.Helper()
	return newClient(t, newStore(t), parse(t, start+"storage: {inmemory: {}, delete: {enabled: true}}\n"+sections))
}

const octets = "application/octet-stream"

// doEverything pushes an image, pulls it, mounts its layer and deletes it, and returns the events of that.
func doEverything(c *client) []string {
	content := pattern(100)
	manifest, layer := c.pushImage("a/b", "v1", content)
	c.getManifest("a/b", "v1", http.StatusOK)
	c.pull("a/b", layer)
	c.do(http.MethodPost, "/v2/to/blobs/uploads/?from=a/b&mount="+layer.String(), nil, nil, http.StatusCreated)
	c.do(http.MethodDelete, "/v2/a/b/manifests/"+manifest.String(), nil, nil, http.StatusAccepted)
	return []string{
		"push a/b " + octets, "push a/b " + octets, "push a/b " + manifestType,
		"pull a/b " + manifestType, "pull a/b " + octets, "mount to " + octets,
		"delete a/b -", "delete a/b -", // the manifest and its tag
	}
}

func TestListenersAreToldWhatHappens(t *testing.T) {
	l := newListener(t, 0)
	c := notifying(t, "notifications: {events: {includereferences: true}, endpoints: [{name: l, url: '"+l.URL+"/events', timeout: 5s, threshold: 3, backoff: 10ms, headers: {X-Secret: [sesame]}}]}\n")
	l.expect(t, doEverything(c)...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.header.Get("X-Secret") != "sesame" || l.kind != "application/vnd.docker.distribution.events.v2+json" {
		t.Errorf("got X-Secret %q and Content-Type %q", l.header.Get("X-Secret"), l.kind)
	}
	pushed, mounted := l.events[2], l.events[5]
	if pushed.Target.Tag != "v1" || len(pushed.Target.References) != 2 || !strings.Contains(pushed.Target.URL, "/v2/a/b/manifests/sha256:") || pushed.Request.Method != http.MethodPut {
		t.Errorf("the push of the manifest: got %+v", pushed)
	}
	if manifest, tag := l.events[6].Target, l.events[7].Target; manifest.Digest == "" || tag.Tag != "v1" {
		t.Errorf("the deletions: got %+v and %+v", manifest, tag)
	}
	if mounted.Target.FromRepository != "a/b" {
		t.Errorf("the mount: got %+v", mounted)
	}
}

func TestListenersAreToldAgainAfterAFailure(t *testing.T) {
	l := newListener(t, 2)
	c := notifying(t, "notifications: {endpoints: [{name: l, url: '"+l.URL+"', timeout: 5s, threshold: 1, backoff: 20ms}]}\n")
	begun := time.Now()
	c.push("a", pattern(10))
	l.expect(t, "push a "+octets)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused != 2 {
		t.Errorf("got %d failures, want 2", l.refused)
	}
	if waited := time.Since(begun); waited < 20*time.Millisecond {
		t.Errorf("told again after %s, want the backoff of 20ms at least", waited)
	}
}

func TestListenersAreNotToldWhatTheyIgnore(t *testing.T) {
	all := newListener(t, 0)
	endpoint := "{name: all, url: '" + all.URL + "', threshold: 3, backoff: 10ms, timeout: 5s}"
	for section, ignored := range map[string]func(string) bool{
		"ignore: {actions: [pull, mount, delete]}": func(e string) bool { return !strings.HasPrefix(e, "push") },
		"ignore: {mediatypes: [" + octets + "]}":   func(e string) bool { return strings.HasSuffix(e, octets) },
		"ignoredmediatypes: [" + octets + "]":      func(e string) bool { return strings.HasSuffix(e, octets) },
		"ignore: {mediatypes: [" + manifestType + "], actions: [mount]}": func(e string) bool {
			return strings.HasSuffix(e, manifestType) || strings.HasPrefix(e, "mount")
		},
		"ignore: {mediatypes: [], actions: []}": func(string) bool { return false },
	} {
		l, off := newListener(t, 0), newListener(t, 0)
		c := notifying(t, "notifications: {endpoints: [{name: l, url: '"+l.URL+"', "+section+"}, {name: off, disabled: true, url: '"+off.URL+"'}, "+endpoint+"]}\n")
		before := len(all.texts())
		want := doEverything(c)
		eventually(t, "the listener to all is told", func() bool { return len(all.texts()) == before+len(want) })
		l.expect(t, slices.DeleteFunc(slices.Clone(want), ignored)...)
		if got := off.texts(); len(got) != 0 {
			t.Errorf("the disabled listener was told %q", got)
		}
	}
}
