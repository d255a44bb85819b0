//go:build servers

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestKilledDuringWebDAVRequests kills the registry while a PUT, a MOVE or a DELETE of its WebDAV driver is under way, at each one of
// an upload in turn until an upload meets none any more. The request was not carried out, or was, or is when another
// process has gone on already. What was committed stays, what was not is continued or sent again, and
// every digest is right.
func TestKilledDuringWebDAVRequests(t *testing.T) {
	dav := storages[0].start(t, t.TempDir()) // quickstart: its WebDAV server outlives the registry under test
	gate := newGate(t, dav.origin)
	for _, c := range []struct {
		method string
		effect when
	}{
		// A PUT whose client was killed has no body that could come late.
		{"PUT", never}, {"PUT", before}, {"MOVE", never}, {"MOVE", before}, {"MOVE", late}, {"DELETE", never}, {"DELETE", late},
	} {
		t.Run(c.method+" "+string(c.effect), func(t *testing.T) {
			k := &killing{gate: gate, storage: davThrough(gate), dir: t.TempDir()}
			kills := 0
			for k.at(t, c.method, kills+1, c.effect) {
				kills++
			}
			if kills == 0 {
				t.Fatalf("want an upload to send a %s, it sent none", c.method)
			}
			t.Logf("killed at each of %d", kills)
		})
	}
	dav.stop()
}

// davThrough is webdav.wasm on what is behind the gate.
func davThrough(g *gate) storage {
	return storage{name: "webdav.wasm", args: func(t *testing.T, dir string) []string {
		return []string{"serve", writeConfig(t, dir, "config.yml", fmt.Sprintf(
			"  webdav:\n    allow: [%q]\n    parameters:\n      endpoint: %q\n", g.URL, g.URL+"/"+filepath.Base(dir)))}
	}}
}

type killing struct {
	gate    *gate
	storage storage
	dir     string
}

// at kills the registry at the n-th request of a method while an upload is made, and has another go on. It reports whether there
// was an n-th.
func (k *killing) at(t *testing.T, method string, n int, effect when) bool {
	t.Helper()
	s := k.storage.start(t, k.dir)
	committed := begin(t, s, 80, 100_000)
	committed.finish(s)
	u := &upload{t: t, content: content(t, 90+byte(n), 3*mib+int64(n))}
	held, open := k.gate.hold(method, n, effect)
	defer open()
	done := make(chan error, 1)
	go func() { done <- u.push(s) }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("an upload that nobody disturbed: %v", err)
		}
		u.wantBlob(s)
		s.stop()
		return false
	case <-held:
	case <-time.After(patience):
		t.Fatalf("%s %d: neither held nor done", method, n)
	}
	s.kill()
	<-done // with an error, or with the answer that came before

	s = k.storage.start(t, k.dir)
	committed.wantBlob(s)
	u.recover(s)
	open()
	committed.wantBlob(s)
	u.wantBlob(s)
	next := begin(t, s, 81, 1000)
	next.finish(s)
	s.stop()
	return true
}

// push uploads the content to a server that may be killed meanwhile.
func (u *upload) push(s *server) error {
	if _, err := u.try(s, "POST", "/v2/resume/app/blobs/uploads/", nil); err != nil {
		return err
	}
	if _, err := u.try(s, "PATCH", u.location.String(), u.content, "Content-Type", "application/octet-stream"); err != nil {
		return err
	}
	_, err := u.try(s, "PUT", u.completion(), nil)
	return err
}

// recover does what a client does whose registry went away: it goes on with the upload that it knows of. If there is none any more,
// it was completed.
func (u *upload) recover(s *server) {
	u.t.Helper()
	if u.location == nil { // the POST was not answered
		*u = *begin(u.t, s, 0, 0).with(u.content)
		u.finish(s)
		return
	}
	res, err := u.try(s, "GET", u.location.String(), nil)
	switch {
	case err == nil:
		u.finish(s)
	case res != nil && res.StatusCode == http.StatusNotFound:
		u.wantBlob(s)
	default:
		u.t.Fatal(err)
	}
}

func (u *upload) with(content []byte) *upload { u.content = content; return u }
