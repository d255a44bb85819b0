package guests

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// sealedFile is a file of seal's, taken apart by what its doc.go says.
type sealedFile struct {
	segments, entries [][]byte
	seal              []byte
}

func takeApart(t *testing.T, under storagedriver.StorageDriver, path string) sealedFile {
	t.Helper()
	b, err := under.GetContent(t.Context(), path)
	ok(t, err, "read what is stored")
	foot := len(b) - 48
	n, seal := int(binary.LittleEndian.Uint32(b[foot:])), int(binary.LittleEndian.Uint32(b[foot+4:]))
	table := foot - 24*n
	f := sealedFile{seal: b[table-seal : table]}
	for at := 0; table < foot; table += 24 {
		f.entries = append(f.entries, b[table:table+24])
		size := int(binary.LittleEndian.Uint32(b[table:]))
		f.segments = append(f.segments, b[at:at+size])
		at += size
	}
	return f
}

// file puts it together, with a checksum that fits.
func (f sealedFile) file() []byte {
	end := append(slices.Clone(f.seal), bytes.Join(f.entries, nil)...)
	end = binary.LittleEndian.AppendUint32(end, uint32(len(f.entries)))
	end = binary.LittleEndian.AppendUint32(end, uint32(len(f.seal)))
	sum := sha256.Sum256(end)
	return append(append(append(bytes.Join(f.segments, nil), end...), sum[:]...), "sealed/1"...)
}

// order has the segments, and with entries those too, be in another order.
func (f sealedFile) order(entries bool, order ...int) sealedFile {
	out := f
	out.segments = nil
	if entries {
		out.entries = nil
	}
	for _, i := range order {
		out.segments = append(out.segments, f.segments[i])
		if entries {
			out.entries = append(out.entries, f.entries[i])
		}
	}
	return out
}

// replaced has the i-th segment, and with entry that too, be another file's.
func (f sealedFile) replaced(i int, other sealedFile, entry bool) sealedFile {
	out := sealedFile{slices.Clone(f.segments), slices.Clone(f.entries), f.seal}
	out.segments[i] = other.segments[i]
	if entry {
		out.entries[i] = other.entries[i]
	}
	return out
}

// segmented writes content as segments of so many bytes: an upload that is suspended as often.
func segmented(t *testing.T, d storagedriver.StorageDriver, path string, content []byte, segment int) {
	t.Helper()
	for at := 0; at < len(content); at += segment {
		w, err := d.Writer(t.Context(), path, at > 0)
		ok(t, err, "Writer")
		write(t, w, content[at:min(at+segment, len(content))])
		if at+segment >= len(content) {
			ok(t, w.Commit(t.Context()), "Commit")
		}
		ok(t, w.Close(), "Close")
	}
}

func TestSealFindsTampering(t *testing.T) {
	const segment = 200 << 10
	under, key := layers.Complete(inmemory.New()), sealKey(t)
	d := sealing(t, under, key)
	content, small := pattern(3*segment), []byte("a small file, which has no seal of its own")
	segmented(t, d, "/a/blob", append(slices.Clone(content[1:]), 1), segment)
	old := takeApart(t, under, "/a/blob")
	segmented(t, d, "/a/blob", content, segment)
	segmented(t, d, "/a/other", append(slices.Clone(content[2:]), 1, 2), segment)
	ok(t, d.PutContent(t.Context(), "/a/small", small), "PutContent")
	f, other, alone := takeApart(t, under, "/a/blob"), takeApart(t, under, "/a/other"), takeApart(t, under, "/a/small")
	if len(f.segments) != 3 || len(other.segments) != 3 || len(alone.segments) != 1 || len(f.segments[0]) != len(other.segments[0]) {
		t.Fatalf("want two files of three segments and one of one, got %d, %d and %d", len(f.segments), len(other.segments), len(alone.segments))
	}
	stored := f.file()
	if got, err := under.GetContent(t.Context(), "/a/blob"); err != nil || !bytes.Equal(got, stored) {
		t.Fatalf("the parts are not the file: %v", err)
	}
	tampered := map[string][]byte{
		"two swapped":               f.order(false, 1, 0, 2).file(),
		"two swapped in the table":  f.order(true, 1, 0, 2).file(),
		"one repeated":              f.order(true, 0, 1, 1, 2).file(),
		"one in place of another":   f.order(false, 0, 0, 2).file(),
		"the first left out":        f.order(true, 1, 2).file(),
		"the last left out":         f.order(true, 0, 1).file(),
		"none left":                 f.order(true).file(),
		"another file's":            f.replaced(1, other, false).file(),
		"another file's, and entry": f.replaced(1, other, true).file(),
		"another file's table":      sealedFile{f.segments, other.entries, f.seal}.file(),
		"another file's ending":     sealedFile{f.segments, other.entries, other.seal}.file(),
		"the old version's ending":  sealedFile{f.segments, old.entries, old.seal}.file(),
		"the old version's segment": f.replaced(2, old, true).file(),
		"no seal":                   sealedFile{f.segments[:1], f.entries[:1], nil}.file(),
		"truncated":                 stored[:len(stored)-1],
		"truncated to the segments": stored[:3*len(f.segments[0])],
		"one byte more":             append([]byte{0}, stored...),
		"a small file's table":      sealedFile{f.segments[:1], alone.entries, nil}.file(),
	}
	end := 3 * len(f.segments[0])
	for region, at := range map[string]int{
		"the first header": 0, "its recipient": 60, "its nonce": 175, "the first line": 210, "the first content": 5000, "a chunk's tag": len(f.segments[0]) - 1,
		"the second header": len(f.segments[0]) + 100, "the last content": end - 500, "the seal's header": end + 60, "the seal's text": end + len(f.seal) - 20,
		"the table's size": end + len(f.seal), "the table's digest": end + len(f.seal) + 20, "the number of segments": len(stored) - 48, "the size of the seal": len(stored) - 44, "the checksum": len(stored) - 20, "the mark": len(stored) - 1,
	} {
		flipped := slices.Clone(stored)
		flipped[at] ^= 4
		tampered["a bit of "+region] = flipped
	}
	for what, b := range tampered {
		ok(t, under.PutContent(t.Context(), "/a/blob", b), "tamper")
		wantTampering(t, d, what, "/a/blob", content)
	}
	for i := range alone.file() {
		b := alone.file()
		b[i] ^= 4
		ok(t, under.PutContent(t.Context(), "/a/small", b), "tamper")
		wantTampering(t, d, fmt.Sprintf("a bit of byte %d of a small file", i), "/a/small", small)
	}
}

// wantTampering reads what was tampered with, all of it and from each place: nothing comes that was not written there.
func wantTampering(t *testing.T, d storagedriver.StorageDriver, what, path string, content []byte) {
	t.Helper()
	found := false
	for _, offset := range []int{0, len(content) / 2, len(content) - 10} {
		var got []byte
		r, err := d.Reader(t.Context(), path, int64(offset))
		if err == nil {
			got, err = io.ReadAll(r)
			err = errors.Join(err, r.Close())
		}
		if err != nil && storagedriver.KindOf(err) != storagedriver.KindCorrupt {
			t.Errorf("%s: from %d: want it corrupt, got %v", what, offset, err)
		}
		if !bytes.HasPrefix(content[offset:], got) || err == nil && len(got) != len(content)-offset {
			t.Errorf("%s: from %d: %d bytes, %v, which are not what was written", what, offset, len(got), err)
		}
		found = found || err != nil
	}
	if !found {
		t.Errorf("%s: nobody noticed", what)
	}
}
