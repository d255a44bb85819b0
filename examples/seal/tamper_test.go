package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// wantFound reads a file that was tampered with: what comes before the error is what was written.
func wantFound(t *testing.T, what string, d *driver, file, content []byte) {
	t.Helper()
	got, err := contentOf(d, file)
	if err == nil || berth.KindOf(err) != berth.KindCorrupt {
		t.Errorf("%s: want it corrupt, got %q, %v", what, got, err)
	}
	if !bytes.HasPrefix(content, got) {
		t.Errorf("%s: read %q, of what was written %q", what, got, content)
	}
}

func TestEachByteCounts(t *testing.T) {
	d := with(newKey(t))
	pieces := [][]byte{[]byte("first.."), []byte("second."), []byte("third..")}
	content := bytes.Join(pieces, nil)
	for name, file := range map[string][]byte{"segments": sealed(t, d, pieces...).file(), "by itself": whole(t, d, content)} {
		for i := range file {
			changed := bytes.Clone(file)
			changed[i] ^= 0x20
			wantFound(t, fmt.Sprintf("%s: byte %d of %d", name, i, len(file)), d, changed, content)
		}
		for _, n := range []int{1, footBytes, entryBytes, len(file) / 2, len(file)} {
			wantFound(t, fmt.Sprintf("%s: without its last %d bytes", name, n), d, file[:len(file)-n], content)
			wantFound(t, fmt.Sprintf("%s: without its first %d bytes", name, n), d, file[n:], content)
		}
	}
}

// TestEachByteOfTheEndingCounts changes it as somebody does who makes the checksum fit.
func TestEachByteOfTheEndingCounts(t *testing.T) {
	d := with(newKey(t))
	content := bytes.Join(threePieces, nil)
	p := sealed(t, d, threePieces...)
	for i := range p.end.table {
		c := p.clone()
		c.end.table[i] ^= 1
		wantFound(t, fmt.Sprintf("byte %d of the table", i), d, c.file(), content)
		_, err := d.link(c.end) // also if nothing is read of the segment
		wantKind(t, fmt.Sprintf("byte %d of the table, before segments are read", i), err, berth.KindCorrupt)
	}
	for i := range p.end.seal {
		c := p.clone()
		c.end.seal[i] ^= 1
		got, err := contentOf(d, c.file())
		// A recipient's stanza that is changed cannot be told from that of another.
		if kind := berth.KindOf(err); err == nil || kind != berth.KindCorrupt && kind != berth.KindPermission || len(got) > 0 {
			t.Errorf("byte %d of the seal: %q, %v", i, got, err)
		}
	}
	file := whole(t, d, content)
	e := endingOf(file)
	for i := range e.table {
		changed := &ending{table: bytes.Clone(e.table)}
		changed.table[i] ^= 1
		wantFound(t, fmt.Sprintf("byte %d of the entry of a file by itself", i), d, append(file[:len(file)-len(e.bytes()):len(file)-len(e.bytes())], changed.bytes()...), content)
	}
}

// move has the segments be those of another order, with their entries where entries says so.
func (p *parts) move(order []int, entries bool) *parts {
	c := p.clone()
	c.segments = nil
	if entries {
		c.end.table = nil
	}
	for _, i := range order {
		c.segments = append(c.segments, p.segments[i])
		if entries {
			c.end.table = append(c.end.table, p.end.table.entry(i)...)
		}
	}
	return c
}

func TestSegmentsStayInTheirPlaces(t *testing.T) {
	d := with(newKey(t))
	pieces := [][]byte{[]byte("first.."), []byte("second."), []byte("third..")}
	content := bytes.Join(pieces, nil)
	p, other, old := sealed(t, d, pieces...), sealed(t, d, []byte("another"), []byte("file of"), []byte("theirs.")), sealed(t, d, []byte("earlier"), []byte("version"), []byte("of this"))
	for name, order := range map[string][]int{"swapped": {1, 0, 2}, "repeated": {0, 0, 2}, "left out": {0, 2}, "cut": {0, 1}, "none": {}, "one more": {0, 1, 2, 2}} {
		wantFound(t, name, d, p.move(order, false).file(), content)
		wantFound(t, name+", the table too", d, p.move(order, true).file(), content)
	}
	mixed := p.clone()
	mixed.segments[1] = other.segments[1]
	wantFound(t, "another file's segment", d, mixed.file(), content)
	copy(mixed.end.table.entry(1), other.end.table.entry(1))
	wantFound(t, "another file's segment and entry", d, mixed.file(), content)
	mixed.end = other.end
	wantFound(t, "another file's table and seal, and a segment", d, mixed.file(), content)
	for what, from := range map[string]*parts{"another file's": other, "an earlier version's": old} {
		c := p.clone()
		c.end = from.end
		wantFound(t, what+" table and seal", d, c.file(), content)
		c.end = &ending{seal: p.end.seal, table: from.end.table}
		wantFound(t, what+" table", d, c.file(), content)
		c.end = &ending{seal: from.end.seal, table: p.end.table}
		wantFound(t, what+" seal", d, c.file(), content)
	}
	alone := whole(t, d, pieces[0])
	c := p.move([]int{0}, true)
	c.end.seal = nil
	wantFound(t, "a segment made a file by itself", d, c.file(), pieces[0])
	binary.LittleEndian.PutUint32(c.end.table[4:], uint32(len(pieces[0])+lineBytes-len(wholeLine)))
	wantFound(t, "a segment made a file by itself, with its line", d, c.file(), pieces[0])
	c.segments[0] = alone[:len(alone)-entryBytes-footBytes]
	c.end = &ending{seal: sealed(t, d, pieces[0]).end.seal, table: endingOf(alone).table}
	wantFound(t, "a file by itself made a segment", d, c.file(), pieces[0])
}

// forge seals a table for the driver's recipients, as anybody can who has their public keys.
func (p *parts) forge(t *testing.T, d *driver, last link) *parts {
	t.Helper()
	public := &driver{recipients: d.recipients}
	var end bytes.Buffer
	if err := public.finish(&end, &writing{link: last, table: p.end.table}); err != nil {
		t.Fatal(err)
	}
	c := p.clone()
	c.end.seal = end.Bytes()[:end.Len()-len(p.end.table)-footBytes]
	return c
}

func TestAForgerWithThePublicKeys(t *testing.T) {
	d := with(newKey(t))
	pieces := [][]byte{[]byte("first.."), []byte("second."), []byte("third..")}
	content := bytes.Join(pieces, nil)
	p, other := sealed(t, d, pieces...), sealed(t, d, []byte("another"), []byte("file of"), []byte("theirs."))
	wantFound(t, "a seal of an unknown link", d, p.forge(t, d, newLink()).file(), content)
	wantFound(t, "a seal of fewer segments", d, p.move([]int{0, 1}, true).forge(t, d, newLink()).file(), content)
	mixed := p.clone()
	mixed.segments[1] = other.segments[1]
	copy(mixed.end.table.entry(1), other.end.table.entry(1))
	wantFound(t, "a seal of two files", d, mixed.forge(t, d, newLink()).file(), content)

	forged := sealed(t, &driver{recipients: d.recipients}, []byte("first.."), []byte("forged."), []byte("third.."))
	mixed.segments[1] = forged.segments[1]
	copy(mixed.end.table.entry(1), forged.end.table.entry(1))
	wantFound(t, "a forged segment", d, mixed.forge(t, d, newLink()).file(), content)
}

// TestAForgerWithAState has seen the state of the upload when it was suspended after two segments.
func TestAForgerWithAState(t *testing.T) {
	d := with(newKey(t))
	pieces := [][]byte{[]byte("first.."), []byte("second."), []byte("third..")}
	content := bytes.Join(pieces, nil)
	p := sealed(t, d, pieces...)
	seen, err := parseWriting(p.states[2])
	if err != nil {
		t.Fatal(err)
	}
	forged := sealed(t, &driver{recipients: d.recipients}, []byte("forged."))
	for i := range 2 {
		c := p.clone()
		c.segments[i] = forged.segments[0]
		copy(c.end.table.entry(i), forged.end.table.entry(0))
		wantFound(t, fmt.Sprintf("segment %d forged", i), d, c.forge(t, d, seen.link.next(c.end.table.entry(2))).file(), content)
	}
	other := sealed(t, d, []byte("another"), []byte("file of"), []byte("theirs."))
	c := p.clone()
	c.segments[2] = other.segments[2]
	copy(c.end.table.entry(2), other.end.table.entry(2))
	wantFound(t, "another file's segment at the end", d, c.forge(t, d, seen.link.next(c.end.table.entry(2))).file(), content)
	for name, order := range map[string][]int{"swapped": {1, 0}, "cut": {0}, "left out": {1}} {
		wantFound(t, name, d, p.move(order, true).forge(t, d, seen.link).file(), content)
	}
	// What a writer could do is no tampering: the upload ends where it was.
	if got, err := contentOf(d, p.move([]int{0, 1}, true).forge(t, d, seen.link).file()); err != nil || !bytes.Equal(got, content[:14]) {
		t.Errorf("the upload as it was then, ended: %q, %v", got, err)
	}
}

// TestSegmentsForOnePlace is about two writers that went on from one state: the segments of both have the same link.
func TestSegmentsForOnePlace(t *testing.T) {
	d := with(newKey(t))
	base := sealed(t, d, []byte("first.."))
	one := goOn(t, d, base.states[1], &parts{segments: base.segments[:1]}, []byte("one way"), []byte("to end."))
	two := goOn(t, d, base.states[1], &parts{segments: base.segments[:1]}, []byte("another"), []byte("ending."))
	for i, p := range []*parts{one, two} {
		if _, err := contentOf(d, p.file()); err != nil {
			t.Fatalf("file %d: %v", i, err)
		}
	}
	for i := 1; i < 3; i++ {
		c := one.clone()
		c.segments[i] = two.segments[i]
		wantFound(t, fmt.Sprintf("segment %d of the other", i), d, c.file(), []byte("first..one wayto end."))
		copy(c.end.table.entry(i), two.end.table.entry(i))
		wantFound(t, fmt.Sprintf("segment %d and entry of the other", i), d, c.file(), []byte("first..one wayto end."))
		c.end.seal = two.end.seal
		wantFound(t, fmt.Sprintf("segment %d, entry and seal of the other", i), d, c.file(), []byte("first..one wayto end."))
	}
}

// TestRangesAreProven reads from the middle, where no segment before has been seen.
func TestRangesAreProven(t *testing.T) {
	d := with(newKey(t))
	p := sealed(t, d, threePieces...)
	last, err := d.link(p.end)
	if err != nil {
		t.Fatal(err)
	}
	at := func(p *parts, first, count int) ([]byte, error) {
		r, err := parseReading((&reading{first: first, count: count, last: last, table: p.end.table[first*entryBytes:]}).state())
		if err != nil {
			t.Fatal(err)
		}
		return segmentsOf(d, bytes.Join(p.segments[first:first+count], nil), r)
	}
	for first := range 3 {
		for count := 1; first+count <= 3; count++ {
			if got, err := at(p, first, count); err != nil || !bytes.Equal(got, bytes.Join(threePieces[first:first+count], nil)) {
				t.Errorf("%d segments from %d: %q, %v", count, first, got, err)
			}
		}
	}
	other := sealed(t, d, threePieces...)
	c := p.clone()
	c.segments[1] = other.segments[1]
	copy(c.end.table.entry(1), other.end.table.entry(1))
	_, err = at(c, 1, 1)
	wantKind(t, "a segment of another file", err, berth.KindCorrupt)
	_, err = segmentsOf(d, p.segments[1], &reading{first: 0, count: 1, last: last, table: p.end.table[entryBytes:]})
	wantKind(t, "a segment of another place", err, berth.KindCorrupt)
}

func TestSegmentsOfSeveralRecipients(t *testing.T) {
	one, two, third := newKey(t), newKey(t), newKey(t)
	d := &driver{recipients: []age.Recipient{one.Recipient(), two.Recipient()}}
	file := sealed(t, d, threePieces...).file()
	for i, key := range []*age.X25519Identity{one, two} {
		if got, err := contentOf(with(key), file); err != nil || !bytes.Equal(got, bytes.Join(threePieces, nil)) {
			t.Errorf("key %d: %q, %v", i, got, err)
		}
	}
	_, err := contentOf(with(third), file)
	wantKind(t, "a third", err, berth.KindPermission)
}
