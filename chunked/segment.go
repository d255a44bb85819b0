package chunked

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/berth-dev/storagedriver"
)

// segment is one object of the derived writer, as its name describes it.
type segment struct {
	offset, length int64
	upload         string // which upload it belongs to: the writer of the first segment
	rank           rank
	sequence       uint32
	predecessor    string // id of the segment before, or root
}

// rank orders writers by who took the upload over last.
type rank struct {
	generation uint32
	writer     string
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.generation, o.generation), cmp.Compare(r.writer, o.writer))
}

// root is the predecessor of a first segment.
const root = "000000000000000000000000"

func (s segment) id() string { return fmt.Sprintf("%s%08x", s.rank.writer, s.sequence) }

func (s segment) end() int64 { return s.offset + s.length }

func (s segment) name() string {
	return fmt.Sprintf("%016x-%016x-%s-%08x-%s-%08x-%s",
		s.offset, s.length, s.upload, s.rank.generation, s.rank.writer, s.sequence, s.predecessor)
}

var segmentName = regexp.MustCompile(`^([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{16})-([0-9a-f]{8})-([0-9a-f]{24})$`)

func parseSegment(name string) (segment, bool) {
	m := segmentName.FindStringSubmatch(name)
	if m == nil {
		return segment{}, false
	}
	offset, err1 := strconv.ParseInt(m[1], 16, 64)
	length, err2 := strconv.ParseInt(m[2], 16, 64)
	generation, err3 := strconv.ParseUint(m[4], 16, 32)
	sequence, err4 := strconv.ParseUint(m[6], 16, 32)
	if cmp.Or(err1, err2, err3, err4) != nil || length <= 0 || offset+length < offset {
		return segment{}, false
	}
	return segment{
		offset: offset, length: length, upload: m[3], rank: rank{uint32(generation), m[5]},
		sequence: uint32(sequence), predecessor: m[7],
	}, true
}

// listing is what the private directory of a target held at one time.
type listing struct {
	names    []string           // all of them, also what is no segment
	complete map[string]segment // by name: those whose length is what their name says
	valid    map[string]segment // by id: those of complete that lead back to offset 0
	gone     bool               // something that the writer who looks has stored is not there
}

func newListing(entries []storagedriver.Entry) listing {
	l := listing{complete: map[string]segment{}, valid: map[string]segment{}}
	var ordered []segment
	for _, e := range entries {
		l.names = append(l.names, e.Name)
		if s, ok := parseSegment(e.Name); ok && !e.Dir && e.Size == s.length {
			l.complete[e.Name] = s
			ordered = append(ordered, s)
		}
	}
	slices.SortFunc(ordered, func(a, b segment) int {
		return cmp.Or(cmp.Compare(a.offset, b.offset), cmp.Compare(a.name(), b.name()))
	})
	for _, s := range ordered {
		before, ok := l.valid[s.predecessor]
		first := s.predecessor == root && s.offset == 0 && s.upload == s.rank.writer
		if first || ok && before.end() == s.offset && before.upload == s.upload {
			l.valid[s.id()] = s
		}
	}
	return l
}

// chain returns the segments of the upload that a resume continues, in order.
func (l listing) chain() []segment {
	var tip segment
	found := false
	for _, s := range l.valid {
		if !found || cmp.Or(s.rank.compare(tip.rank), cmp.Compare(s.end(), tip.end())) > 0 {
			tip, found = s, true
		}
	}
	if !found {
		return nil
	}
	chain := []segment{tip}
	for chain[len(chain)-1].predecessor != root {
		chain = append(chain, l.valid[chain[len(chain)-1].predecessor])
	}
	slices.Reverse(chain)
	return chain
}

// list returns everything in the private directory; a missing one is empty.
func list(ctx context.Context, b storagedriver.Backend, dir string) ([]storagedriver.Entry, error) {
	var entries []storagedriver.Entry
	cursors := map[string]bool{"": true}
	cursor := ""
	for {
		page, err := b.List(ctx, dir, cursor, listPage)
		if storagedriver.KindOf(err) == storagedriver.KindNotFound && cursor == "" {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if cursor = page.Cursor; cursor == "" {
			return entries, nil
		}
		if cursors[cursor] || len(cursor) > storagedriver.MaxCursor {
			return nil, storagedriver.Errorf(storagedriver.KindCorrupt, "the listing of %s goes in circles, or its cursor has more than %d bytes", dir, storagedriver.MaxCursor)
		}
		cursors[cursor] = true
	}
}
