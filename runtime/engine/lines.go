package engine

import (
	"cmp"
	"debug/dwarf"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Lines tells which lines of source the code of a module was compiled from. It may be used concurrently.
type Lines struct{ units []*unit }

// unit is a compilation unit: what the linker has left of a source file, or of all of them.
type unit struct {
	dir     string // that it was compiled in
	ranges  [][2]uint64
	files   []*dwarf.LineFile
	table   []row
	inlined []inlined // callers before what was inlined into them
}

// row says what the code from its address to that of the next is of. at.file is "" where that is nothing.
type row struct {
	address uint64
	at      line
}

// inlined is a call that is none any more: the code between two addresses was compiled for a call in the line at.
type inlined struct {
	low, high uint64
	at        line
}

// line is one of source. number is 0 where the compiler has made one piece of code of several lines.
type line struct {
	file   string
	number int
}

// place is what one instruction was compiled from: the line, and those of the calls that it was inlined by, innermost first.
type place struct {
	dir   string
	lines []line
}

// NewLines reads the DWARF in the custom sections of a module that Inspect has accepted. It returns nil where there is none. What reads it is not made for
// a file that somebody has written to do harm, which can make it take any time and memory: it is for the tools of who has compiled the module.
func NewLines(wasm []byte) *Lines {
	const custom = 0
	sections := map[string][]byte{}
	for in := (&cursor{b: wasm, pos: 8}); in.pos < len(in.b); {
		id, size := in.byte(), in.count()
		if in.err != nil {
			return nil
		}
		section := &cursor{b: in.b[:in.pos+size], pos: in.pos}
		in.pos += size
		if id != custom {
			continue
		}
		if name := section.name(); strings.HasPrefix(name, ".debug_") {
			sections[name] = section.b[section.pos:]
		}
	}
	take := func(name string) []byte {
		b := sections[name]
		delete(sections, name)
		return b
	}
	info := take(".debug_info")
	data, err := dwarf.New(take(".debug_abbrev"), nil, nil, info, take(".debug_line"), nil, take(".debug_ranges"), take(".debug_str"))
	if err != nil {
		return nil
	}
	for name, b := range sections {
		if data.AddSection(name, b) != nil { // those of DWARF 5
			return nil
		}
	}
	return linesOf(data, len(info))
}

// linesOf reads all there is. What makes no sense is left out. Each entry is a byte at least, but there is no end to some that are malformed.
func linesOf(data *dwarf.Data, most int) *Lines {
	l, u := &Lines{}, &unit{}
	r := data.Reader()
	for range most {
		e, err := r.Next()
		if e == nil || err != nil {
			break
		}
		if e.Tag != dwarf.TagCompileUnit && e.Tag != dwarf.TagInlinedSubroutine {
			continue
		}
		ranges, _ := data.Ranges(e)
		ranges = slices.DeleteFunc(ranges, func(r [2]uint64) bool { return gone(r[0]) })
		if e.Tag == dwarf.TagCompileUnit {
			dir, _ := e.Val(dwarf.AttrCompDir).(string)
			u = &unit{dir: dir, ranges: ranges}
			u.readTable(data, e)
			l.units = append(l.units, u)
			continue
		}
		file, _ := e.Val(dwarf.AttrCallFile).(int64)
		number, _ := e.Val(dwarf.AttrCallLine).(int64)
		if file >= 0 && file < int64(len(u.files)) && u.files[file] != nil {
			for _, r := range ranges {
				u.inlined = append(u.inlined, inlined{r[0], r[1], line{path.Clean(u.files[file].Name), int(number)}})
			}
		}
	}
	return l
}

// gone reports whether the linker has left out what is at an address: it has that be 0, -1 or -2.
func gone(address uint64) bool { return address == 0 || address >= 0xffff_fffe }

func (u *unit) readTable(data *dwarf.Data, e *dwarf.Entry) {
	rows, err := data.LineReader(e)
	if err != nil || rows == nil {
		return
	}
	var sequence []row
	var entry dwarf.LineEntry
	for rows.Next(&entry) == nil {
		at := line{}
		if entry.File != nil && !entry.EndSequence {
			at = line{path.Clean(entry.File.Name), entry.Line}
		}
		sequence = append(sequence, row{entry.Address, at})
		if entry.EndSequence {
			if !gone(sequence[0].address) {
				u.table = append(u.table, sequence...)
			}
			sequence = sequence[:0]
		}
	}
	u.files = rows.Files()
	// Where one sequence ends the next may begin: its rows are behind the end.
	slices.SortStableFunc(u.table, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(min(len(a.at.file), 1), min(len(b.at.file), 1)))
	})
}

// at returns the place of the instruction at an offset in the code section.
func (l *Lines) at(offset uint64) (p place) {
	for _, u := range l.units {
		if !slices.ContainsFunc(u.ranges, func(r [2]uint64) bool { return r[0] <= offset && offset < r[1] }) {
			continue
		}
		p.dir = u.dir
		if i, _ := slices.BinarySearchFunc(u.table, offset+1, func(r row, a uint64) int { return cmp.Compare(r.address, a) }); i > 0 && u.table[i-1].at.file != "" {
			p.lines = append(p.lines, u.table[i-1].at)
		}
		for _, in := range slices.Backward(u.inlined) {
			if in.low <= offset && offset < in.high {
				p.lines = append(p.lines, in.at)
			}
		}
		break
	}
	return p
}

// Stack is a guest's: where it is in the source, innermost function first.
type Stack struct{ places []place }

// Stack makes one of offsets in the code section, innermost first.
func (l *Lines) Stack(offsets []uint64) Stack {
	s := Stack{make([]place, len(offsets))}
	for i, offset := range offsets {
		s.places[i] = l.at(offset)
	}
	return s
}

// Function returns the lines of the i-th function: of what it runs, and of the calls that this was inlined by, innermost first.
func (s Stack) Function(i int) []string {
	out := make([]string, len(s.places[i].lines))
	for j, at := range s.places[i].lines {
		out[j], _ = s.name(at)
	}
	return out
}

// Source returns the innermost line of the author's, or of anybody's where there is none of the author's. It is "" where no line is known.
func (s Stack) Source() string {
	first := ""
	for _, p := range s.places {
		for _, at := range p.lines {
			text, own := s.name(at)
			if own && at.number > 0 {
				return text
			}
			if first == "" && at.number > 0 {
				first = text
			}
		}
	}
	return first
}

// name writes a line as FILE:LINE, or FILE where the number is not known. It is the author's when the file is below the folder that the outermost function,
// an export, was compiled in, and neither in an SDK nor among dependencies there; FILE is then relative to that folder.
func (s Stack) name(at line) (text string, own bool) {
	root := ""
	for _, p := range slices.Backward(s.places) {
		if root = p.dir; root != "" {
			break
		}
	}
	file := at.file
	separator := func(r rune) bool { return r == '/' || r == '\\' } // of either system that compilers run on
	if rest, below := strings.CutPrefix(file, strings.TrimRightFunc(root, separator)); below && root != "" && strings.IndexFunc(rest, separator) == 0 {
		file = rest[1:]
		folders := strings.FieldsFunc(file, separator)
		own = !slices.Contains(folders, "sdk") && !slices.Contains(folders, "vendor")
	}
	if at.number == 0 {
		return file, own
	}
	return fmt.Sprintf("%s:%d", file, at.number), own
}
