package seal

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

// newKey is a key pair as age-keygen makes it.
func newKey(t testing.TB) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// with is a driver that seals for a key and opens with it.
func with(key *age.X25519Identity) *driver {
	return &driver{recipients: []age.Recipient{key.Recipient()}, identities: []age.Identity{key}}
}

// parts is a file taken apart, as a store may do it, and what its writer had when it was written.
type parts struct {
	segments [][]byte
	end      *ending
	states   [][]byte // before each segment, and after the last
}

// sealed is the file of these pieces.
func sealed(t testing.TB, d *driver, pieces ...[]byte) *parts {
	t.Helper()
	return goOn(t, d, nil, &parts{}, pieces...)
}

// goOn writes pieces where state is, after those that p has, and ends the file.
func goOn(t testing.TB, d *driver, state []byte, p *parts, pieces ...[]byte) *parts {
	t.Helper()
	out := &parts{segments: slices.Clone(p.segments), states: slices.Clone(p.states)}
	for _, piece := range pieces {
		w, err := parseWriting(state)
		if err != nil {
			t.Fatal(err)
		}
		var segment bytes.Buffer
		if _, err = d.pack(&segment, w, bytes.NewReader(piece)); err != nil {
			t.Fatal(err)
		}
		out.states = append(out.states, state)
		out.segments = append(out.segments, segment.Bytes())
		state = w.state()
	}
	out.states = append(out.states, state)
	w, err := parseWriting(state)
	if err != nil {
		t.Fatal(err)
	}
	var end bytes.Buffer
	if err := d.finish(&end, w); err != nil {
		t.Fatal(err)
	}
	size, _ := w.table.size()
	if out.end = parseEnding(end.Bytes(), size+int64(end.Len())); out.end == nil {
		t.Fatalf("the ending %x is none", end.Bytes())
	}
	return out
}

// whole is a file without a seal.
func whole(t testing.TB, d *driver, content []byte) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := d.putWhole(&file, berth.NewStream(memory{bytes.NewReader(content)}, int64(len(content)))); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// file puts the parts together. The checksum fits, as a store can compute it.
func (p *parts) file() []byte {
	return append(bytes.Join(p.segments, nil), p.end.bytes()...)
}

// clone is p for somebody to change.
func (p *parts) clone() *parts {
	c := &parts{states: p.states, end: &ending{seal: bytes.Clone(p.end.seal), table: bytes.Clone(p.end.table)}}
	for _, s := range p.segments {
		c.segments = append(c.segments, bytes.Clone(s))
	}
	return c
}

// contentOf reads a file as the driver does; what is written before an error is returned with it.
func contentOf(d *driver, file []byte) ([]byte, error) {
	e := endingOf(file)
	if e == nil {
		return nil, berth.NewError(berth.KindCorrupt, "no file of the format")
	}
	var last link
	var err error
	if !e.whole() {
		if last, err = d.link(e); err != nil {
			return nil, err
		}
	}
	return segmentsOf(d, file, &reading{whole: e.whole(), count: e.table.segments(), last: last, table: e.table})
}

// segmentsOf reads r from the beginning of file.
func segmentsOf(d *driver, file []byte, r *reading) ([]byte, error) {
	var out bytes.Buffer
	err := d.unpack(bytes.NewReader(file), r, &out)
	return out.Bytes(), err
}

func endingOf(file []byte) *ending {
	n := endingSize(file)
	if n == 0 || n > int64(len(file)) {
		return nil
	}
	return parseEnding(file[int64(len(file))-n:], int64(len(file)))
}

func wantKind(t *testing.T, what string, err error, kind berth.Kind) {
	t.Helper()
	if err == nil || berth.KindOf(err) != kind {
		t.Errorf("%s: want the kind %q, got %v", what, kind, err)
	}
}

var threePieces = [][]byte{bytes.Repeat([]byte("one "), 50), bytes.Repeat([]byte("two "), 50), bytes.Repeat([]byte("three "), 20)}

func TestWhatIsSealedIsRead(t *testing.T) {
	key := newKey(t)
	d := with(key)
	p := sealed(t, d, threePieces...)
	if got, err := contentOf(d, p.file()); err != nil || !bytes.Equal(got, bytes.Join(threePieces, nil)) {
		t.Errorf("%q, %v", got, err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), (3*chunk+5*16)/16)
	for _, size := range []int{1, chunk - lineBytes, chunk - lineBytes + 1, chunk, 2*chunk - lineBytes, len(large)} {
		if got, err := contentOf(d, sealed(t, d, large[:size]).file()); err != nil || !bytes.Equal(got, large[:size]) {
			t.Errorf("%d bytes: %d, %v", size, len(got), err)
		}
	}
	for _, size := range []int{0, 1, inline} {
		if got, err := contentOf(d, whole(t, d, large[:size])); err != nil || !bytes.Equal(got, large[:size]) {
			t.Errorf("%d bytes by themselves: %d, %v", size, len(got), err)
		}
	}
	if got, err := contentOf(d, sealed(t, d).file()); err != nil || len(got) != 0 {
		t.Errorf("nothing: %q, %v", got, err)
	}
}

// TestAgeAloneReadsAFile follows the README's recovery: it knows where age files begin, and nothing of the format.
func TestAgeAloneReadsAFile(t *testing.T) {
	key := newKey(t)
	d := with(key)
	for name, file := range map[string][]byte{"segments": sealed(t, d, threePieces...).file(), "by itself": whole(t, d, bytes.Join(threePieces, nil))} {
		var offsets []int
		for at := 0; ; {
			i := bytes.Index(file[at:], []byte("age-encryption.org/v1\n"))
			if i < 0 {
				break
			}
			offsets = append(offsets, at+i)
			at += i + 1
		}
		seal := int(binary.LittleEndian.Uint32(file[len(file)-44:]))
		segments := int(binary.LittleEndian.Uint32(file[len(file)-48:]))
		offsets = append(offsets, len(file)-48-24*segments)
		if seal > 0 {
			offsets = offsets[:len(offsets)-1] // the seal is no content
		}
		var got []byte
		for i := range offsets[:len(offsets)-1] {
			r, err := age.Decrypt(bytes.NewReader(file[offsets[i]:offsets[i+1]]), key)
			if err != nil {
				t.Fatalf("%s: age file %d: %v", name, i, err)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("%s: age file %d: %v", name, i, err)
			}
			_, rest, _ := bytes.Cut(content, []byte("\n"))
			got = append(got, rest...)
		}
		if !bytes.Equal(got, bytes.Join(threePieces, nil)) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestOthersCannotRead(t *testing.T) {
	d, other := with(newKey(t)), with(newKey(t))
	writer := &driver{recipients: d.recipients}
	for name, file := range map[string][]byte{"segments": sealed(t, d, threePieces...).file(), "by itself": whole(t, d, []byte("content")), "nothing": sealed(t, d).file()} {
		_, err := contentOf(other, file)
		wantKind(t, name+", with another key", err, berth.KindPermission)
		_, err = contentOf(writer, file)
		wantKind(t, name+", without a key", err, berth.KindDenied)
	}
	both := &driver{identities: []age.Identity{other.identities[0], d.identities[0]}}
	if _, err := contentOf(both, sealed(t, d, threePieces...).file()); err != nil {
		t.Errorf("with both keys: %v", err)
	}
}

func TestAFailureOfTheStoreIsNotDamage(t *testing.T) {
	d := with(newKey(t))
	file := sealed(t, d, threePieces...).file()
	e := endingOf(file)
	last, err := d.link(e)
	if err != nil {
		t.Fatal(err)
	}
	gone := berth.NewError(berth.KindUnavailable, "the store went away")
	for _, n := range []int{0, 10, len(file) / 2} {
		err := d.unpack(io.MultiReader(bytes.NewReader(file[:n]), failing{gone}), &reading{count: 3, last: last, table: e.table}, io.Discard)
		wantKind(t, "a store that fails", err, berth.KindUnavailable)
		err = d.unpack(bytes.NewReader(file[:n]), &reading{count: 3, last: last, table: e.table}, io.Discard)
		wantKind(t, "a store that ends", err, berth.KindCorrupt)
	}
	done := berth.NewError(berth.KindCanceled, "the reader has all it wants")
	if err := d.unpack(bytes.NewReader(file), &reading{count: 3, last: last, table: e.table}, failing{done}); err != done {
		t.Errorf("a reader that is gone: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error)  { return 0, f.err }
func (f failing) Write([]byte) (int, error) { return 0, f.err }
