package chunked

import (
	"fmt"
	"testing"

	"github.com/berth-dev/storagedriver"
)

// seg is a segment of a test: writers are single letters.
func seg(upload, writer string, generation, sequence uint32, offset, length int64, predecessor string) segment {
	id := func(letter string) string { return fmt.Sprintf("%016x", letter[0]) }
	s := segment{
		offset: offset, length: length, upload: id(upload), rank: rank{generation, id(writer)},
		sequence: sequence, predecessor: root,
	}
	if predecessor != "" {
		s.predecessor = id(predecessor[:1]) + "0000000" + predecessor[1:]
	}
	return s
}

func entry(s segment) storagedriver.Entry {
	return storagedriver.Entry{Name: s.name(), Size: s.length}
}

func TestChainOfAListing(t *testing.T) {
	a1, a2 := seg("a", "a", 1, 1, 0, 10, ""), seg("a", "a", 1, 2, 10, 10, "a1")
	b2, b3 := seg("a", "b", 2, 2, 10, 3, "a1"), seg("a", "b", 2, 3, 13, 3, "b2")
	c2 := seg("a", "c", 2, 2, 10, 50, "a1")
	truncated := entry(b3)
	truncated.Size--
	directory := entry(a1)
	directory.Dir = true
	for what, c := range map[string]struct {
		entries []storagedriver.Entry
		want    []segment
	}{
		"nothing":                          {nil, nil},
		"one segment":                      {[]storagedriver.Entry{entry(a1)}, []segment{a1}},
		"two, listed backwards":            {[]storagedriver.Entry{entry(a2), entry(a1)}, []segment{a1, a2}},
		"the first is missing":             {[]storagedriver.Entry{entry(a2)}, nil},
		"a later writer's fork is shorter": {[]storagedriver.Entry{entry(a1), entry(a2), entry(b2)}, []segment{a1, b2}},
		"two at a time: the higher nonce":  {[]storagedriver.Entry{entry(a1), entry(b2), entry(b3), entry(c2)}, []segment{a1, c2}},
		"one is not all there":             {[]storagedriver.Entry{entry(a1), entry(b2), truncated}, []segment{a1, b2}},
		"a gap in a later writer's":        {[]storagedriver.Entry{entry(a1), entry(a2), entry(b3)}, []segment{a1, a2}},
		"a directory of that name":         {[]storagedriver.Entry{directory}, nil},
		"other names":                      {[]storagedriver.Entry{{Name: "x", Size: 1}, entry(a1)}, []segment{a1}},
		"another upload's":                 {[]storagedriver.Entry{entry(a1), entry(seg("x", "b", 2, 2, 10, 3, "a1"))}, []segment{a1}},
		"an offset that does not fit":      {[]storagedriver.Entry{entry(a1), entry(seg("a", "b", 2, 2, 9, 3, "a1"))}, []segment{a1}},
		"a first that names another's":     {[]storagedriver.Entry{entry(seg("a", "b", 1, 1, 0, 3, ""))}, nil},
	} {
		got := newListing(c.entries).chain()
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

func FuzzSegmentName(f *testing.F) {
	f.Add(seg("a", "b", 2, 2, 10, 3, "a1").name())
	f.Add(seg("a", "a", 1, 1, 0, 1<<62, "").name())
	f.Add("ffffffffffffffff-0000000000000001-0000000000000061-00000001-0000000000000061-00000001-" + root)
	f.Fuzz(func(t *testing.T, name string) {
		s, ok := parseSegment(name)
		if !ok {
			return
		}
		if s.name() != name {
			t.Errorf("%q is read as %q", name, s.name())
		}
		if s.offset < 0 || s.length <= 0 || s.end() <= s.offset {
			t.Errorf("%q is of bytes %d to %d", name, s.offset, s.end())
		}
		_ = newListing([]storagedriver.Entry{{Name: name, Size: s.length}}).chain()
	})
}

func TestSegmentNameFitsAFileSystem(t *testing.T) {
	name := seg("a", "a", 1, 1, 0, 1, "").name()
	if len(name) > 255 || storagedriver.ValidatePath("/"+name) != nil {
		t.Errorf("%q has %d bytes, or is no name", name, len(name))
	}
}
