//go:build servers

package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// TestAReplicaIsKilledAtEachRequest kills one of two replicas while it waits for the service, at each request of an upload in turn until the
// upload meets none any more. The request was carried out, or is when the other has gone on already. What was
// committed stays, and the client commits its content through the other.
func TestAReplicaIsKilledAtEachRequest(t *testing.T) {
	behind := versitygw.start(t)
	survivor := versitygw.storage(behind, true).start(t, t.TempDir())
	k := &killedAt{gate: newGate(t, behind.S3.URL), survivor: survivor, committed: begin(t, survivor, 80, 100_000)}
	k.committed.finish(survivor)
	through := &servers.Watched{S3: behind.S3}
	through.URL = k.gate.URL
	k.storage, k.dir = versitygw.storage(through, true), t.TempDir()
	for _, c := range []struct {
		method string
		effect when
	}{
		// What a request that is not carried out leaves is what the one before it leaves.
		{"PUT", before}, {"PUT", late}, {"POST", before}, {"POST", late}, {"DELETE", late},
	} {
		t.Run(c.method+" "+string(c.effect), func(t *testing.T) {
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
	survivor.stop()
}

type killedAt struct {
	gate      *gate
	storage   storage // through the gate
	dir       string
	survivor  *server
	committed *upload
	round     int
}

// at kills the replica behind the gate at its n-th request of a method while an upload is made, and has the client go on with the other. It
// reports whether there was an n-th.
func (k *killedAt) at(t *testing.T, method string, n int, effect when) bool {
	t.Helper()
	k.round++
	s := k.storage.start(t, k.dir)
	p := &pusher{base: "http://" + s.addr, client: &http.Client{Timeout: patience}, content: content(t, byte(k.round), 11*mib+int64(k.round)), sizes: []int{6*mib + 1, 20 * mib}}
	held, open := k.gate.hold(method, n, effect)
	defer open()
	done := make(chan error, 1)
	go func() { done <- p.try(t.Context()) }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("an upload that nobody disturbed: %v", err)
		}
		wantBlobs(t, k.survivor, p.content)
		s.stop()
		return false
	case <-held:
	case <-time.After(patience):
		t.Fatalf("%s %d: neither held nor done", method, n)
	}
	s.kill()
	<-done // with an error, or with the answer that came before
	p.base = "http://" + k.survivor.addr
	if err := p.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantBlobs(t, k.survivor, p.content, k.committed.content)
	open()
	wantBlobs(t, k.survivor, p.content, k.committed.content)
	return true
}
