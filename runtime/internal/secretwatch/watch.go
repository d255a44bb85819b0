// Package secretwatch is for tests that look for secrets in all that drivers have and say.
package secretwatch

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/berth-dev/storagedriver/runtime/internal/secretscan"
)

// Watch notes where it finds a secret, in any form of package secretscan. It may be used concurrently.
type Watch struct {
	mu      sync.Mutex
	secrets map[string]string // by what they are
	names   []string          // of set's secrets
	set     *secretscan.Set   // nil until it is needed
	looks   int
	found   []string
}

// New returns a Watch for secrets, by what they are called in findings. Those shorter than secretscan.MinSecret are not looked for.
func New(secrets map[string]string) *Watch { return &Watch{secrets: maps.Clone(secrets)} }

// Add has another secret looked for.
func (w *Watch) Add(name, secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets[name], w.set = secret, nil
}

// Look looks at b, which is called what in findings. It neither changes nor keeps b.
func (w *Watch) Look(what string, b []byte) {
	w.mu.Lock()
	if w.set == nil {
		w.names = slices.Sorted(maps.Keys(w.secrets))
		values := make([]string, len(w.names))
		for i, name := range w.names {
			values[i] = w.secrets[name]
		}
		w.set = secretscan.New(values)
	}
	set, names := w.set, w.names
	w.looks++
	w.mu.Unlock()
	if i, at, form := set.Find(b); i >= 0 {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.found = append(w.found, fmt.Sprintf("%s holds %s as %s at %d", what, names[i], form, at))
	}
}

// Memory looks at linear memory, as a hook wants it.
func (w *Watch) Memory(b []byte) { w.Look("linear memory", b) }

// Error looks at everything that an error says; nil says nothing.
func (w *Watch) Error(err error) {
	if err != nil {
		w.Look("an error", fmt.Appendf(nil, "%v %+v %#v", err, err, err))
	}
}

// Write looks at lines of a log.
func (w *Watch) Write(p []byte) (int, error) {
	w.Look("the log", p)
	return len(p), nil
}

// Found returns what was found, and how often something was looked at.
func (w *Watch) Found() (found []string, looks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.found), w.looks
}
