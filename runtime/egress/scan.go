package egress

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/internal/secretscan"
)

// guard is what a response must not show: the secrets that requests to its origin carry as they are. The zero value
// lets everything pass, and costs nothing.
type guard struct {
	set        *secretscan.Set
	origin     Origin
	credential string // whose secrets are among them; "" is none's
	keyed      bool   // keys of the request are among them
	// renewed returns the Set of the secrets as they are now, where they change while a response comes: another request may
	// have been sent with new ones meanwhile. nil is that they do not.
	renewed func() *secretscan.Set
}

// now returns g with the secrets as they are now.
func (g guard) now() guard {
	if g.renewed != nil {
		g.set = g.renewed()
	}
	return g
}

// denied says that one shows.
func (g guard) denied() error {
	what := fmt.Sprintf("the credential %q", g.credential)
	switch {
	case g.keyed && g.credential != "":
		what += ", or a key that the request was made with"
	case g.keyed:
		what = "a key that the request was made with"
	}
	return storagedriver.Errorf(storagedriver.KindDenied, "a response of %s shows %s, which no driver may see: have the server keep it to itself, or use a scheme that signs", g.origin, what)
}

// scans keeps the last Set of a credential: making one takes longer than a small response.
type scans struct {
	last atomic.Pointer[scan]
}

type scan struct {
	secrets []string
	set     *secretscan.Set
}

// of returns the Set of the secrets. A nil scans makes it anew.
func (s *scans) of(secrets []string) *secretscan.Set {
	if s == nil {
		return secretscan.New(secrets)
	}
	if l := s.last.Load(); l != nil && slices.Equal(l.secrets, secrets) {
		return l.set
	}
	l := &scan{slices.Clone(secrets), secretscan.New(secrets)}
	s.last.Store(l)
	return l.set
}

// headers is KindDenied when a response's headers show a secret.
func (g guard) headers(h http.Header) error {
	if g.set == nil {
		return nil
	}
	for name, values := range h {
		if g.set.ShowsFolded(name) || slices.ContainsFunc(values, func(v string) bool { return g.set.Shows([]byte(v)) }) {
			return g.denied()
		}
	}
	return nil
}

// failure returns err, or what to say instead when its text shows a secret: net/http quotes what it could not
// understand of a response.
func (g guard) failure(err error) error {
	if err != nil && g.set != nil && g.set.Shows([]byte(err.Error())) {
		return g.denied()
	}
	return err
}

// body returns r, or what fails with KindDenied before it gives out a byte of a secret.
func (g guard) body(r io.ReadCloser) io.ReadCloser {
	if g.set == nil && g.renewed == nil {
		return r
	}
	return &guardedBody{r: r, g: g}
}

// guardedBody is a response's body. It keeps back as many bytes at the end of what was read as the longest form of a secret
// has, less one: never fewer because they look harmless, or a driver would learn a secret byte by byte from how much it is given.
type guardedBody struct {
	r    io.ReadCloser
	g    guard
	room []byte // of rest
	rest []byte // what was read and not given out
	free int    // so many bytes of rest may be given out
	err  error  // what comes after those
}

// guardRoom is the least room beside what is kept back with which a read goes straight to the caller's memory.
const guardRoom = 512

// Read puts nothing into p, not even behind what it returns, that may be of a secret: p may be a driver's memory.
func (b *guardedBody) Read(p []byte) (int, error) {
	for {
		switch {
		case b.free > 0 || len(p) == 0:
			n := copy(p, b.rest[:b.free])
			b.rest, b.free = b.rest[n:], b.free-n
			return n, nil
		case b.err != nil:
			return 0, b.err
		case len(p) >= len(b.rest)+guardRoom:
			if n, empty := b.direct(p); n > 0 || empty {
				return n, nil
			}
		default:
			if empty := b.fill(); empty {
				return 0, nil
			}
		}
	}
}

// direct reads into p, after what was kept back. It returns how many bytes may be given out, and whether r had nothing for now.
func (b *guardedBody) direct(p []byte) (n int, empty bool) {
	kept := copy(p, b.rest)
	got, err := b.r.Read(p[kept:])
	end := kept + got
	n = b.decide(p[:end], err)
	b.rest = b.rest[:0]
	if b.err == nil {
		b.rest = append(b.store(end-n), p[n:end]...)
	}
	clear(p[n:end])
	return n, got == 0 && err == nil
}

// fill is direct for little room.
func (b *guardedBody) fill() (empty bool) {
	b.rest = append(b.store(len(b.rest)), b.rest...)
	kept := len(b.rest)
	got, err := b.r.Read(b.rest[kept:cap(b.rest)])
	b.rest = b.rest[:kept+got]
	b.free = b.decide(b.rest, err)
	if b.err != nil {
		b.rest = b.rest[:b.free]
	}
	return got == 0 && err == nil
}

// store returns room for n bytes that are kept back, and to read more behind them. It has the same memory whenever
// that is enough.
func (b *guardedBody) store(n int) []byte {
	if cap(b.room) < n+guardRoom {
		b.room = make([]byte, 0, n+b.g.set.Keep()+2*guardRoom)
	}
	return b.room[:0]
}

// decide tells how many of the bytes at the begin of data may be given out, data being all that was read and not given
// out, and err what came with it. It sets b.err when nothing comes after those.
func (b *guardedBody) decide(data []byte, err error) int {
	b.g = b.g.now()
	switch {
	case b.g.set.Shows(data): // also what is before it stays here
		b.err = b.g.denied()
		return 0
	case err == io.EOF:
		b.err = err
		return len(data)
	case err != nil:
		b.err = b.g.failure(err)
	}
	return max(len(data)-b.g.set.Keep(), 0)
}

func (b *guardedBody) Close() error { return b.r.Close() }

// shortSecret is KindInvalidArgument for a credential that sends a secret too short to be told from ordinary content.
func shortSecret(c *Credential, o Origin, sent []string) error {
	for _, s := range sent {
		if len(s) < secretscan.MinSecret {
			return storagedriver.Errorf(storagedriver.KindInvalidArgument,
				"the credential %q of %s sends a secret of fewer than %d bytes, which cannot be told from ordinary content in a response: use a longer one", c.Name, o, secretscan.MinSecret)
		}
	}
	return nil
}
