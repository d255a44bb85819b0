package layers

import (
	"slices"
	"sort"
	"strings"

	"github.com/berth-dev/storagedriver"
)

// split says where further pages of a tree listing may begin, so that several are read at a time. It goes by the names of
// one page, read as numbers: those that follow are taken to be as dense as they were, up to the end of their directory. A wrong
// guess costs requests, never an entry. The zero value knows nothing.
type split struct {
	dir    string // "", or the directory that is divided, with "/"
	fixed  string // what the words begin with
	digits string // of the words, ascending
	width  int    // how many digits are counted; 0: only the directory's end is known
	nested int    // so many bytes are the directory's children, which their own children's names repeat; 0: they do not
	limit  uint64 // what no number reaches
	at     uint64 // the number of the last beginning
	stride uint64 // how far the next is
}

// The digits of numbers and of digests. Other words have the digits that are seen in them.
var digitSets = []string{"0123456789", "0123456789abcdef"}

const (
	// pageShare is how much of a page is expected between two beginnings. What is left of it is three times by how much 1,000
	// evenly drawn names stray: a page that does not reach the next beginning costs a request.
	pageShare = 0.9
	// splitCarry is how many digits that were the same all over the page may change behind it.
	splitCarry = 4
	// splitDigits is how many digits are looked at.
	splitDigits = 16
	// maxNumber leaves room for the sum of two.
	maxNumber = 1 << 62
)

// splitAfter returns the split of what follows a page. The directory that is divided is the deepest one that has a quarter of the
// page and goes on for another one.
func splitAfter(page []storagedriver.Entry) split {
	if len(page) < 2 {
		return split{}
	}
	var end, found split
	dir := page[len(page)-1].Name
	for dir != "" {
		dir = dir[:strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1]
		first, _ := slices.BinarySearchFunc(page, dir, func(e storagedriver.Entry, dir string) int { return strings.Compare(e.Name, dir) })
		in := page[first:]
		if len(in) < 2 || len(in) < len(page)/4 {
			continue
		}
		s := divide(dir, in, len(page))
		switch {
		case found.within():
			if s.within() && s.nested > 0 {
				return s // it says as much, and more directories are in it
			}
			return found
		case s.within():
			found = s
		case end.dir == "":
			end.dir = dir
		}
	}
	if found.within() {
		return found
	}
	return end
}

// within reports whether the next beginning is one in the directory.
func (s split) within() bool { return s.width > 0 && s.at+s.stride < s.limit }

// next returns where the next listing may begin, as a startAfter, and the split of what follows.
func (s split) next() (after string, rest split, ok bool) {
	switch {
	case s.within():
		s.at += s.stride
		after, rest = s.name(), s
	case s.dir != "":
		after = s.dir + storagedriver.PrivateMark // no public name below s.dir sorts after it
	}
	return after, rest, after != "" && storagedriver.ValidatePrivatePath("/"+after) == nil
}

// divide returns the split of the directory at dir by its names on a page of so many.
func divide(dir string, in []storagedriver.Entry, page int) split {
	s := split{dir: dir, nested: nestedIn(dir, in)}
	words := make([]string, len(in))
	for i, e := range in {
		words[i] = s.word(e.Name)
	}
	s.measure(words)
	if s.width == 0 {
		return s
	}
	from, to := s.number(words[0]), s.number(words[len(words)-1])
	if to <= from {
		return split{dir: dir}
	}
	s.at = to
	s.stride = uint64(min(max(1, pageShare*float64(to-from)/float64(len(in)-1)*float64(page)), maxNumber))
	return s
}

// nestedIn returns how long the names of dir's children are if each is repeated by the names of its own, as the first
// digits of digests are in a registry's blobs; otherwise 0.
func nestedIn(dir string, in []storagedriver.Entry) int {
	child, _, _ := strings.Cut(in[0].Name[len(dir):], "/")
	for _, e := range in {
		name, below, _ := strings.Cut(e.Name[len(dir):], "/")
		if len(name) != len(child) || !strings.HasPrefix(below, name) {
			return 0
		}
	}
	return len(child)
}

// word returns what is counted of a name.
func (s split) word(name string) string {
	word, below, _ := strings.Cut(name[len(s.dir):], "/")
	if s.nested > 0 {
		below, _, _ = strings.Cut(below, "/")
		word = below
	}
	return word
}

// measure finds the digits by which ascending words differ.
func (s *split) measure(words []string) {
	first, last := words[0], words[len(words)-1]
	start := 0
	for start < min(len(first), len(last)) && first[start] == last[start] {
		start++
	}
	var seen [256]bool
	end := start
	for end < start+splitDigits && vary(words, end, &seen) {
		end++
	}
	if end == start {
		return
	}
	s.digits = digitsOf(&seen)
	for back := 0; back < splitCarry && start > 0 && strings.IndexByte(s.digits, first[start-1]) >= 0; back++ {
		start--
	}
	s.fixed, s.limit = first[:start], 1
	for base := uint64(len(s.digits)); s.width < end-start && s.limit <= maxNumber/base; s.width++ {
		s.limit *= base
	}
}

// vary reports whether not all words have the same byte at i, and adds those they have to seen.
func vary(words []string, i int, seen *[256]bool) bool {
	differ, any := false, false
	for _, w := range words {
		if i < len(w) {
			any = true
			seen[w[i]] = true
		}
		differ = differ || i < len(w) != (i < len(words[0])) || i < len(w) && w[i] != words[0][i]
	}
	return any && differ
}

func digitsOf(seen *[256]bool) string {
	var set []byte
	for c, is := range seen {
		if is {
			set = append(set, byte(c))
		}
	}
	for _, known := range digitSets {
		if strings.Trim(string(set), known) == "" {
			return known
		}
	}
	return string(set)
}

// number reads a word. What is no digit counts as the one below it.
func (s split) number(word string) uint64 {
	var n uint64
	for i := len(s.fixed); i < len(s.fixed)+s.width; i++ {
		digit := 0
		if i < len(word) {
			above := sort.Search(len(s.digits), func(d int) bool { return s.digits[d] > word[i] })
			digit = max(0, above-1)
		}
		n = n*uint64(len(s.digits)) + uint64(digit)
	}
	return n
}

// name is the name that number would read as s.at, or the shortest before it.
func (s split) name() string {
	word := make([]byte, s.width)
	n := s.at
	for i := range slices.Backward(word) {
		word[i] = s.digits[n%uint64(len(s.digits))]
		n /= uint64(len(s.digits))
	}
	whole := s.fixed + string(word)
	short := strings.TrimRight(whole, s.digits[:1])
	if len(whole) < s.nested || s.nested == 0 {
		return s.dir + short
	}
	return s.dir + whole[:s.nested] + "/" + whole[:max(s.nested, len(short))]
}
