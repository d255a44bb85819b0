package faultloop

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/berth-dev/storagedriver"
)

// content returns size bytes that belong to name.
func (r *run) content(name string, size int) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	random := rand.New(rand.NewPCG(h.Sum64(), uint64(size)))
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

// put stores content without failures.
func (r *run) put(name string, content []byte) {
	r.must(r.clean.PutContent(r.base, r.path(name), content), "preparing %s", name)
}

// get returns what is at a name, or false when nothing is.
func (r *run) get(name string) ([]byte, bool) {
	body, err := r.clean.Reader(r.base, r.path(name), 0)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil, false
	}
	r.must(err, "reading %s afterwards", name)
	content, err := io.ReadAll(body)
	r.must(errors.Join(err, body.Close()), "reading %s afterwards", name)
	return content, true
}

// is reports whether name holds just this; nil means nothing.
func (r *run) is(name string, want []byte) bool {
	got, there := r.get(name)
	return there == (want != nil) && bytes.Equal(got, want)
}

func (r *run) wantContent(name string, want []byte) {
	got, there := r.get(name)
	r.check(there == (want != nil) && bytes.Equal(got, want), "%s is %s, want %s", name, describe(got, there), describe(want, want != nil))
}

// wantEither wants one of two contents, of which nil means nothing.
func (r *run) wantEither(name string, one, other []byte) {
	got, there := r.get(name)
	ok := there == (one != nil) && bytes.Equal(got, one) || there == (other != nil) && bytes.Equal(got, other)
	r.check(ok, "%s is %s, want %s or %s", name, describe(got, there), describe(one, one != nil), describe(other, other != nil))
}

func describe(content []byte, there bool) string {
	if !there {
		return "missing"
	}
	return fmt.Sprintf("%d bytes %.8x", len(content), content)
}

// below returns all that a Backend shows below path, at any depth, private names as well.
func (r *run) below(path string) []string {
	var names []string
	cursor := ""
	for {
		page, err := r.loop.second.List(r.base, path, cursor, 1000)
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			return names
		}
		r.must(err, "listing %s afterwards", path)
		for _, e := range page.Entries {
			child := storagedriver.JoinPath(path, e.Name)
			if e.Dir {
				names = append(names, r.below(child)...)
			} else {
				names = append(names, child)
			}
		}
		if cursor = page.Cursor; cursor == "" {
			return names
		}
	}
}

// wantNothing wants nothing at and below a directory, whoever looks.
func (r *run) wantNothing(path string) {
	left := r.below(path)
	r.check(len(left) == 0, "there are still %q", left)
	_, err := r.clean.Stat(r.base, path)
	r.check(storagedriver.KindOf(err) == storagedriver.KindNotFound && err != nil, "Stat of %s, of which nothing should be left: %v", path, err)
	if r.loop.storage.Left != nil {
		left := r.loop.storage.Left(path)
		r.check(len(left) == 0, "the storage still has %q", left)
	}
}

// wantOnly wants nothing but these names below the directory of a run that met no failure.
func (r *run) wantOnly(names ...string) {
	if r.failing() > 0 || r.loop.way.inject != nil || r.loop.way.hangs || r.loop.way.outage {
		return // what could not be removed may be there until its directory is
	}
	want := []string{r.path("keep")}
	for _, name := range names {
		want = append(want, r.path(name))
	}
	slices.Sort(want)
	got := r.below(r.dir)
	slices.Sort(got)
	r.check(slices.Equal(got, want), "without a failure there is %q, want %q", got, want)
}

// truthful ends the run if an operation on something that is there said that nothing is.
func (r *run) truthful(op string, err error) {
	r.check(storagedriver.KindOf(err) != storagedriver.KindNotFound, "%s of what is there: %v", op, err)
}
