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
//   - not at offset 0, and not once the upload is committed or cancelled.
//
// With or without it, a hash state is written detached from the cancellation of its context
// under a deadline of its own, and not when the upload's startedat file is gone: what is
// left out costs the client nothing, distribution then hashes the content anew.
func WithRequest(ctx context.Context) context.Context {
	return context.WithValue(ctx, requestKey{}, &request{writers: map[string]*writer{}})
}

type requestKey struct{}

// request holds the writers one HTTP request opened, by path. A nil request holds none.
type request struct {
	mu      sync.Mutex
	writers map[string]*writer
}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r
}

func (r *request) opened(path string, w *writer) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writers[path] = w
}

func (r *request) writer(path string) *writer {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writers[path]
}

// hashState names one stored hash state.
type hashState struct {
	path   string
	upload string // the upload's directory
	offset int64
}

// parseHashState recognizes .../_uploads/ID/hashstates/ALGORITHM/OFFSET. No repository's
// name can contain a component that begins with "_".
func parseHashState(p string) (hashState, bool) {
	dir, base := path.Split(p)
	algorithm := strings.TrimSuffix(dir, "/")
	states := path.Dir(algorithm)
	upload := path.Dir(states)
	if path.Base(states) != "hashstates" || path.Base(path.Dir(upload)) != "_uploads" {
		return hashState{}, false
	}
	offset, err := strconv.ParseInt(base, 10, 64)
	if err != nil || offset < 0 {
		return hashState{}, false
	}
	return hashState{path: p, upload: upload, offset: offset}, true
}

func (t *toDistribution) putHashState(ctx context.Context, state hashState, content []byte) error {
	if state.offset == 0 {
		return nil
	}
	if w := requestOf(ctx).writer(state.upload + "/data"); w != nil {
		if w.ended {
			return nil
		}
		// distribution closes the writer after this anyway.
		if err := w.Close(); err != nil || w.Size() != state.offset {
			return nil
		}
	}
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
