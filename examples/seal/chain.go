package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	lineMark  = "berth-seal/1 "
	lineBytes = len(lineMark) + 8 + 1 + 2*linkBytes + 1
	linkBytes = sha256.Size

	// wholeLine is what the segment begins with that is a file by itself.
	wholeLine = lineMark + "whole\n"
)

// link is what a segment of a file has in common with no other file.
type link [linkBytes]byte

func newLink() (l link) {
	_, _ = rand.Read(l[:]) // which does not fail
	return l
}

// equal takes the same time for all links: how far one was guessed cannot be measured.
func (l link) equal(other link) bool { return subtle.ConstantTimeCompare(l[:], other[:]) == 1 }

// next returns the link of the segment after that of the entry.
func (l link) next(entry []byte) link {
	return sha256.Sum256(append(l[:], entry...))
}

// line returns what the i-th segment begins with.
func (l link) line(i int) []byte {
	digits := strconv.Itoa(100_000_000 + i)[1:]
	return []byte(lineMark + digits + " " + hex.EncodeToString(l[:]) + "\n")
}

// text returns what the seal of a table has, to which l is the last link.
func (l link) text(t table) []byte { return []byte(textBefore(t) + hex.EncodeToString(l[:]) + "\n") }

func textBefore(t table) string {
	_, content := t.size()
	sum := sha256.Sum256(t)
	return lineMark + "end\nsegments " + strconv.Itoa(t.segments()) + "\nbytes " + strconv.FormatInt(content, 10) + "\ntable " + hex.EncodeToString(sum[:]) + "\nlink "
}

// sealedLink returns the link in a seal's text, which must be that of the table.
func sealedLink(text []byte, t table) (link, bool) {
	rest, ok := bytes.CutPrefix(text, []byte(textBefore(t)))
	rest, ended := bytes.CutSuffix(rest, []byte("\n"))
	var l link
	if !ok || !ended || len(rest) != hex.EncodedLen(len(l)) {
		return link{}, false
	}
	_, err := hex.Decode(l[:], rest)
	return l, err == nil
}

// lineLink returns the link in the line of the i-th segment.
func lineLink(line []byte, i int) (link, bool) {
	var l link
	if len(line) != lineBytes {
		return l, false
	}
	_, err := hex.Decode(l[:], line[lineBytes-1-2*linkBytes:lineBytes-1])
	return l, err == nil && bytes.Equal(line, l.line(i))
}

// The first byte of a state tells what it is of.
const (
	writingMark = 1
	readingMark = 2

	writingBytes = 1 + linkBytes
	readingBytes = 1 + 8 + linkBytes
)

// writing is the state of an upload.
type writing struct {
	link  link  // of the next segment
	table table // of those before
}

func (w *writing) state() []byte {
	return append(append([]byte{writingMark}, w.link[:]...), w.table...)
}

// parseWriting parses the state of an upload; an empty one is that of an upload without segments.
func parseWriting(state []byte) (*writing, error) {
	if len(state) == 0 {
		return &writing{link: newLink()}, nil
	}
	if len(state) < writingBytes || state[0] != writingMark || !table(state[writingBytes:]).possible(false) {
		return nil, errState()
	}
	return &writing{link: link(state[1:]), table: bytes.Clone(state[writingBytes:])}, nil
}

// reading is the state of a read, or for Read's own use.
type reading struct {
	whole        bool  // the segment is a file by itself, and has no link; never in a state
	first, count int   // the segments to read
	last         link  // the seal's
	table        table // of the first segment and all after it
}

func (r *reading) state() []byte {
	out := binary.LittleEndian.AppendUint32([]byte{readingMark}, uint32(r.first))
	out = binary.LittleEndian.AppendUint32(out, uint32(r.count))
	return append(append(out, r.last[:]...), r.table...)
}

func parseReading(state []byte) (*reading, error) {
	if len(state) < readingBytes || state[0] != readingMark || !table(state[readingBytes:]).possible(false) {
		return nil, errState()
	}
	r := &reading{first: int(binary.LittleEndian.Uint32(state[1:])), count: int(binary.LittleEndian.Uint32(state[5:])), last: link(state[9:]), table: bytes.Clone(state[readingBytes:])}
	if r.first < 0 || r.first > maxSegments || r.count < 0 || r.count > r.table.segments() {
		return nil, errState()
	}
	return r, nil
}

func errState() error {
	return berth.NewError(berth.KindInvalidArgument, "not a state of this driver's")
}
