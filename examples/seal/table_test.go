package seal

import (
	"bytes"
	"encoding/binary"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func TestRangesAreOfTheSegmentsThatHaveThem(t *testing.T) {
	var segments table
	for _, s := range [][2]int64{{110, 100}, {220, 200}, {330, 300}} {
		segments, _ = segments.with(s[0], s[1], digest{})
	}
	for _, c := range []struct {
		offset, n, begin int64
		first, count     int
		skip             int64
	}{
		{0, 600, 0, 0, 3, 0}, {0, 1, 0, 0, 1, 0}, {99, 1, 0, 0, 1, 99}, {99, 2, 0, 0, 2, 99}, {100, 200, 110, 1, 1, 0}, {299, 2, 110, 1, 2, 199}, {599, 1, 330, 2, 1, 299},
	} {
		begin, first, count, skip := segments.span(c.offset, c.n)
		if begin != c.begin || first != c.first || count != c.count || skip != c.skip {
			t.Errorf("%d from %d: %d segments from %d, at %d, %d of them skipped; want %d from %d, at %d, %d", c.n, c.offset, count, first, begin, skip, c.count, c.first, c.begin, c.skip)
		}
	}
}

func TestTheEndingIsReadAsItWasWritten(t *testing.T) {
	d := with(newKey(t))
	p := sealed(t, d, threePieces...)
	file := p.file()
	e := endingOf(file)
	if e == nil || !bytes.Equal(e.table, p.end.table) || !bytes.Equal(e.seal, p.end.seal) || e.whole() {
		t.Fatalf("got %+v, want %+v", e, p.end)
	}
	stored, content := e.table.size()
	if int(content) != len(bytes.Join(threePieces, nil)) || int(stored) != len(bytes.Join(p.segments, nil)) {
		t.Errorf("%d bytes of %d", stored, content)
	}
	for i, s := range p.segments {
		if stored, content := e.table.segment(i); int(stored) != len(s) || int(content) != len(threePieces[i]) {
			t.Errorf("segment %d: %d bytes of %d, want %d of %d", i, stored, content, len(s), len(threePieces[i]))
		}
	}
}

func TestWhatIsNoFileOfTheFormat(t *testing.T) {
	d := with(newKey(t))
	p := sealed(t, d, threePieces...)
	file := p.file()
	// change has a number of the ending be another, with a checksum that fits.
	change := func(f func(e *ending)) []byte {
		c := p.clone()
		f(c.end)
		return c.file()
	}
	number := func(back int, n uint32) []byte {
		b := bytes.Clone(file)
		binary.LittleEndian.PutUint32(b[len(b)-back:], n)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"text":                       []byte("a blob that was there before"),
		"zeros":                      make([]byte, 10_000),
		"cut":                        file[:len(file)-1],
		"more before":                append([]byte("x"), file...),
		"more after":                 append(bytes.Clone(file), 0),
		"another mark":               number(4, 0),
		"too many segments":          number(footBytes, 1<<31),
		"one segment more":           number(footBytes, 4),
		"a huge seal":                number(footBytes-4, 1<<31),
		"no seal":                    change(func(e *ending) { e.seal = nil }),
		"an empty segment":           change(func(e *ending) { clear(e.table[4:8]) }),
		"a segment of more":          change(func(e *ending) { binary.LittleEndian.PutUint32(e.table[4:], maxContent+1) }),
		"a segment too long":         change(func(e *ending) { binary.LittleEndian.PutUint32(e.table, uint32(maxStored+1)) }),
		"a segment without overhead": change(func(e *ending) { copy(e.table, e.table[4:8]) }),
	} {
		if e := endingOf(b); e != nil {
			t.Errorf("%s: a table of %d segments", name, e.table.segments())
		}
	}
}

func TestAFileHasNoMoreSegmentsThanAState(t *testing.T) {
	full := make(table, maxSegments*entryBytes)
	if _, err := full.with(1, 1, digest{}); berth.KindOf(err) != berth.KindLimit {
		t.Errorf("one segment too many: %v", err)
	}
	if n := len((&writing{table: full}).state()); n > berth.MaxState {
		t.Errorf("the state of a full upload has %d bytes", n)
	}
	if n := len((&reading{table: full}).state()); n > berth.MaxState {
		t.Errorf("the state of a read of a full file has %d bytes", n)
	}
	var nothing bytes.Buffer
	if _, err := with(newKey(t)).pack(&nothing, &writing{table: full}, bytes.NewReader([]byte("x"))); berth.KindOf(err) != berth.KindLimit || nothing.Len() > 0 {
		t.Errorf("one segment too many: %v, with %d bytes written", err, nothing.Len())
	}
}

func TestStates(t *testing.T) {
	d := with(newKey(t))
	p := sealed(t, d, threePieces...)
	for i, state := range p.states[1:] {
		w, err := parseWriting(state)
		if err != nil || !bytes.Equal(w.state(), state) || w.table.segments() != i+1 {
			t.Errorf("the state after %d segments: %+v, %v", i+1, w, err)
		}
		_, err = parseReading(state)
		wantKind(t, "an upload's state for a read", err, berth.KindInvalidArgument)
	}
	first, _ := parseWriting(nil)
	if again, _ := parseWriting(nil); first.link == again.link || first.table.segments() != 0 {
		t.Errorf("two uploads begin with the link %x", first.link)
	}
	r := &reading{first: 1, count: 2, last: newLink(), table: p.end.table[entryBytes:]}
	got, err := parseReading(r.state())
	if err != nil || got.first != 1 || got.count != 2 || got.last != r.last || !bytes.Equal(got.table, r.table) {
		t.Errorf("%+v, %v, want %+v", got, err, r)
	}
	state := p.states[2]
	for name, bad := range map[string][]byte{"one byte": {writingMark}, "cut": state[:len(state)-1], "of a read": r.state(), "of nobody": append([]byte{9}, state[1:]...)} {
		_, err := parseWriting(bad)
		wantKind(t, name, err, berth.KindInvalidArgument)
	}
	r.count = 3
	_, err = parseReading(r.state())
	wantKind(t, "more segments than in its table", err, berth.KindInvalidArgument)
}

func FuzzEnding(f *testing.F) {
	d := with(newKey(f))
	file := sealed(f, d, threePieces...).file()
	f.Add(file)
	f.Add(file[1:])
	f.Add(sealed(f, d).file())
	f.Add(whole(f, d, []byte("content")))
	f.Fuzz(func(t *testing.T, file []byte) {
		e := endingOf(file)
		if e == nil {
			return
		}
		stored, content := e.table.size()
		if end := e.bytes(); stored+int64(len(end)) != int64(len(file)) || !bytes.HasSuffix(file, end) || content > stored {
			t.Errorf("the ending %x is not that of %x", end, file)
		}
		if _, first, count, skip := e.table.span(content/2, content-content/2); content > 0 && (first+count != e.table.segments() || skip >= maxContent) {
			t.Errorf("the second half of %d bytes is %d segments from %d, without %d bytes", content, count, first, skip)
		}
	})
}

func FuzzState(f *testing.F) {
	d := with(newKey(f))
	p := sealed(f, d, threePieces...)
	f.Add(p.states[1])
	f.Add(p.states[3])
	f.Add((&reading{first: 1, count: 2, table: p.end.table[entryBytes:]}).state())
	f.Fuzz(func(t *testing.T, state []byte) {
		if w, err := parseWriting(state); err == nil && len(state) > 0 && !bytes.Equal(w.state(), state) {
			t.Errorf("%x became %x", state, w.state())
		}
		if r, err := parseReading(state); err == nil && !bytes.Equal(r.state(), state) {
			t.Errorf("%x became %x", state, r.state())
		}
	})
}
