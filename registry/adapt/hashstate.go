package adapt

import (
	"context"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// hashStateTimeout bounds writing one hash state: a few hundred bytes, after a Stat. It is
// as long as a backend's slowest answer that is still worth waiting for.
const hashStateTimeout = 30 * time.Second

// WithRequest returns a context for one HTTP request to distribution's handlers. Under it
// the adapter relates an upload's hash state to the writer that the same request
// opened, and stores it only when it can be of use and cannot be wrong:
//
//   - after the upload has been suspended, and only if the hash covers exactly the bytes
//     that are now durable; a hash state that ran ahead of them could one day vouch for
//     bytes that were lost and replaced;
//   - by a writer that accepted bytes and had no rivals in this process meanwhile, which
//     might have replaced what it hashed;
//   - not at offset 0, and not once the upload is committed or cancelled.
//
// [EndRequest] ends the request.
//
// With or without it, a hash state is written detached from the cancellation of its context
// under a deadline of its own, and not when the upload's startedat file is gone: what is
// left out costs the client nothing, distribution then hashes the content anew.
func WithRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestKey{}, &request{writers: map[string]*writer{}})
}

type requestKey struct{}

// request holds the writers one HTTP request opened, by path, and what failed of it. A nil request holds none.
type request struct {
	mu      sync.Mutex
	writers map[string]*writer
	failure *storagedriver.Error
	lost    error // why a writer could not be suspended
}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

// opened reports whether there is a request that knows w from now on.
func (r *request) opened(path string, w *writer) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if former := r.writers[path]; former != nil && former.ended {
		former.release()
	}
	r.writers[path] = w
	return true
}

// EndRequest is called when the handler of a request, whose context comes from [WithRequest], has returned or panicked. It
// forgets writers that committed and whose content became no blob.
func EndRequest(ctx context.Context) {
	r := requestOf(ctx)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.writers {
		if w.ended {
			w.release()
		}
	}
}

func (r *request) writer(path string) *writer {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writers[path]
}

// ownStates is the directory of an upload that has its hash states. They are kept apart from
// distribution's: on a store that both use, an upload may have other bytes for distribution than
// for us, and a hash state says nothing about the bytes it was made from. Where only the
// other's is there, the content is hashed anew.
const ownStates = "/berth"

// release releases the writers of what is at path and below it, which is deleted: those that have committed are
// open to their rivals until then.
func (r *request) release(path string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, w := range r.writers {
		if p == path || strings.HasPrefix(p, path+"/") {
			w.release()
		}
	}
}

// hashState names one stored hash state.
type hashState struct {
	path   string // where it is stored
	upload string // the upload's directory
	offset int64
}

// parseHashState recognizes .../_uploads/ID/hashstates/ALGORITHM/OFFSET. No repository's
// name can contain a component that begins with "_".
func parseHashState(p string) (hashState, bool) {
	dir, base := path.Split(p)
	upload, stored, ok := parseHashStates(strings.TrimSuffix(dir, "/"))
	if !ok {
		return hashState{}, false
	}
	offset, err := strconv.ParseInt(base, 10, 64)
	if err != nil || offset < 0 {
		return hashState{}, false
	}
	return hashState{path: stored + "/" + base, upload: upload, offset: offset}, true
}

// parseHashStates recognizes the directory .../_uploads/ID/hashstates/ALGORITHM, and returns the upload's directory
// and where what distribution keeps there is stored.
func parseHashStates(dir string) (upload, stored string, ok bool) {
	states := path.Dir(dir)
	upload = path.Dir(states)
	if path.Base(states) != "hashstates" || path.Base(path.Dir(upload)) != "_uploads" {
		return "", "", false
	}
	return upload, upload + ownStates + dir[len(upload):], true
}

// listHashStates lists dir, whose content is in stored.
func (t *toDistribution) listHashStates(ctx context.Context, dir, stored string) ([]string, error) {
	paths, err := t.d.List(ctx, stored)
	for i := range paths {
		paths[i] = dir + strings.TrimPrefix(paths[i], stored)
	}
	return paths, t.fail(ctx, dir, err)
}

func (t *toDistribution) putHashState(ctx context.Context, state hashState, content []byte) error {
	if state.offset == 0 {
		return nil
	}
	store := func() error { return t.storeHashState(ctx, state, content) }
	r := requestOf(ctx)
	if r == nil {
		return store()
	}
	w := r.writer(state.upload + "/data")
	if w == nil || w.ended {
		return nil
	}
	// distribution closes the writer after this anyway.
	if err := w.suspend(); err != nil || w.Size() != state.offset {
		return nil
	}
	return w.contender.vouch(store)
}

func (t *toDistribution) storeHashState(ctx context.Context, state hashState, content []byte) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hashStateTimeout)
	defer cancel()
	_, err := t.d.Stat(ctx, state.upload+"/startedat")
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return t.d.PutContent(ctx, state.path, content)
}

// removeHashStates removes those of the upload whose content is at p.
func (t *toDistribution) removeHashStates(ctx context.Context, p string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hashStateTimeout)
	defer cancel()
	err := t.d.Delete(ctx, path.Dir(p)+ownStates)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}
