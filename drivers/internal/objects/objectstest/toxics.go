package objectstest

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// patience is for one operation, whatever becomes of its connections: a client's.
const patience = 2 * time.Minute

// Harness is the driver under test.
type Harness struct {
	// Upstream is the URL of the service. It must be an address of loopback, and store what two drivers share.
	Upstream string
	// Open opens a driver for the service at url, which is Upstream or a proxy's. UnderToxics closes it.
	Open func(t testing.TB, url string) storagedriver.StorageDriver
	// PartSize is that of the driver's uploads, in bytes: some have three parts.
	PartSize int
}

// UnderToxics has a driver push, suspend and resume, read, move and put while each of the toxics comes and goes at drawn moments, and looks
// at what it stored by a driver without a proxy. An operation either does what it should, or returns an error that clients repeat:
// a Temporary one, or KindUnavailable, KindDeadline or KindConflict. Nothing else than the whole content is ever seen, nor lost. Once the toxic is gone
// what failed succeeds, uploads from where they were.
func UnderToxics(t *testing.T, h Harness) {
	for _, toxic := range Toxics(h.PartSize) {
		t.Run(toxic.Name, func(t *testing.T) {
			p := NewProxy(t, h.Upstream)
			direct := mustOpen(t, h, h.Upstream)
			underToxic(t, toxic, p, mustOpen(t, h, p.URL), direct, h.PartSize)
		})
	}
}

func mustOpen(t *testing.T, h Harness, url string) storagedriver.StorageDriver {
	t.Helper()
	d := h.Open(t, url)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// reporter is the part of testing.TB that is needed.
type reporter interface {
	Helper()
	Context() context.Context
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// repeats is how often a client tries what failed once the toxic is gone: connections that it broke may be met then, and an answer be lost.
const repeats = 3

// run is one toxic's.
type run struct {
	t       reporter
	rand    *rand.Rand
	driver  storagedriver.StorageDriver // through the proxy
	direct  storagedriver.StorageDriver
	folder  string
	spoiled bool // the toxic may be there
	left    int  // how often an operation may be tried once it is gone
	done    int  // operations
	failed  int
}

func underToxic(t reporter, toxic Toxic, p *Proxy, driver, direct storagedriver.StorageDriver, partSize int) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(toxic.Name))
	r := &run{t: t, rand: rand.New(rand.NewPCG(hash.Sum64(), 0)), driver: driver, direct: direct, folder: "/toxics/" + toxic.Name, spoiled: true}
	var files []*file
	for i, size := range []int{1, 100_000, partSize + 1, 2*partSize + 12_345} {
		files = append(files, r.newFile(fmt.Sprintf("%d", i), size))
	}
	// The first two are small and cheap: once more each, at other moments.
	files = append(files, r.newFile("again-0", 2000), r.newFile("again-1", 70_000))

	stop := r.toggle(toxic, p)
	for _, f := range files {
		r.push(f)
		r.read(f)
		r.move(f)
		r.put(f)
	}
	stop()
	r.t.Logf("%d of %d operations failed", r.failed, r.done)
	r.spoiled = false
	for _, f := range files {
		for r.left = repeats; r.left > 0 && !f.pushed; r.left-- {
			r.push(f)
		}
		for r.left = repeats; r.left > 0 && f.pushed && !f.wasMoved; r.left-- {
			r.move(f)
		}
		for r.left = repeats; r.left > 0 && !f.wasPut; r.left-- {
			r.put(f)
		}
		r.left = 1
		r.read(f)
	}
}

// toggle adds and removes the toxic at drawn moments, until it is stopped.
func (r *run) toggle(toxic Toxic, p *Proxy) (stop func()) {
	if err := p.Add(toxic); err != nil {
		r.t.Errorf("Add: %v", err)
		return func() {}
	}
	draw := rand.New(rand.NewPCG(r.rand.Uint64(), 0))
	stopped := make(chan struct{})
	var toggling sync.WaitGroup
	toggling.Go(func() {
		for there := true; ; there = !there {
			most := 150
			if there {
				most = 300
			}
			select {
			case <-time.After(time.Duration(10+draw.IntN(most)) * time.Millisecond):
			case <-stopped:
				if there {
					if err := p.Remove(toxic); err != nil {
						r.t.Errorf("Remove: %v", err)
					}
				}
				return
			}
			change, name := p.Add, "Add"
			if there {
				change, name = p.Remove, "Remove"
			}
			if err := change(toxic); err != nil {
				r.t.Errorf("%s: %v", name, err)
				return
			}
		}
	})
	return func() { close(stopped); toggling.Wait() }
}

// file is pushed to path, moved to moved, and put to small, each until that was done.
type file struct {
	path, moved, small       string
	content                  []byte
	pushed, wasMoved, wasPut bool
}

func (r *run) newFile(name string, size int) *file {
	content := make([]byte, size)
	var seed [32]byte
	seed[0], seed[1] = byte(size), byte(r.rand.Uint32())
	_, _ = rand.NewChaCha8(seed).Read(content)
	path := r.folder + "/" + name
	return &file{path: path + "/pushed", moved: path + "/moved", small: path + "/small", content: content}
}

// ok counts an operation and reports whether it succeeded. What it may not fail with is reported.
func (r *run) ok(what string, err error) bool {
	r.t.Helper()
	r.done++
	if err == nil {
		return true
	}
	r.failed++
	if !r.spoiled && r.left <= 1 {
		r.t.Errorf("%s, after the toxic was gone: %v", what, err)
	} else if !repeatable(err) {
		r.t.Errorf("%s: no client would repeat what failed with kind %q: %v", what, storagedriver.KindOf(err), err)
	} else if !r.spoiled {
		r.t.Logf("%s, after the toxic was gone: %v", what, err)
	}
	return false
}

// repeatable reports whether clients repeat what failed with err.
func repeatable(err error) bool {
	switch storagedriver.KindOf(err) {
	case storagedriver.KindUnavailable, storagedriver.KindDeadline, storagedriver.KindConflict:
		return true
	}
	return storagedriver.IsTemporary(err)
}

// has reports whether content is at path, whole. Anything else there is reported.
func (r *run) has(path string, content []byte) bool {
	r.t.Helper()
	body, err := r.direct.Reader(r.t.Context(), path, 0)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return false
	}
	if err != nil {
		r.t.Errorf("%s, without the proxy: %v", path, err)
		return false
	}
	defer func() { _ = body.Close() }() // its bytes are what counts
	n, err := sameBytes(body, content)
	if err != nil || n != len(content) {
		r.t.Errorf("%s, without the proxy: want its %d bytes or nothing, got %d and error %v", path, len(content), n, err)
		return false
	}
	return true
}

// sameBytes reads r to its end and returns how many bytes were those of content, and an error if another came.
func sameBytes(r io.Reader, content []byte) (int, error) {
	p := make([]byte, 64<<10)
	for at := 0; ; {
		n, err := r.Read(p)
		if n > len(content)-at || !bytes.Equal(p[:n], content[at:at+n]) {
			return at, fmt.Errorf("wrong bytes in the %d after byte %d", n, at)
		}
		at += n
		if err == io.EOF {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
}
