package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	fileMark   = "sealed/1"
	digestSize = 16 // of a head, in an entry
	entryBytes = 8 + digestSize
	footBytes  = 8 + sha256.Size + len(fileMark)

	// maxSegments is how many entries fit into a state: those of 85 GiB in segments of 4 MiB.
	maxSegments = (berth.MaxState - readingBytes) / entryBytes
	// maxContent is the most bytes of a segment: a piece.
	maxContent = berth.MaxPiece
	// maxHead is the most bytes before an age file's first chunk, with as many recipients as there may be.
	maxHead = 64 << 10
	// maxStored is the most bytes of a segment, of which each chunk of 64 KiB has 16 more.
	maxStored = int64(maxHead + lineBytes + maxContent + (maxContent>>16+2)*16)
	// maxSeal is the most bytes of a seal.
	maxSeal = maxHead + 1024
)

// digest is the first bytes of the SHA-256 of a head.
type digest [digestSize]byte

func digestOf(head []byte) digest {
	sum := sha256.Sum256(head)
	return digest(sum[:])
}

// table is the entries of a file's segments, as they are in the file.
type table []byte

func (t table) segments() int { return len(t) / entryBytes }

// entry returns the bytes of an entry.
func (t table) entry(i int) []byte { return t[i*entryBytes : (i+1)*entryBytes] }

// segment returns the bytes of a segment and of its content.
func (t table) segment(i int) (stored, content int64) {
	e := t.entry(i)
	return int64(binary.LittleEndian.Uint32(e)), int64(binary.LittleEndian.Uint32(e[4:]))
}

// head returns the digest of a segment's head.
func (t table) head(i int) digest { return digest(t.entry(i)[8:]) }

// with returns the table with one more segment.
func (t table) with(stored, content int64, head digest) (table, error) {
	if t.segments() == maxSegments {
		return nil, berth.NewError(berth.KindLimit, "a file has at most ", strconv.Itoa(maxSegments), " segments; upload it without suspending it so often")
	}
	out := append(make(table, 0, len(t)+entryBytes), t...)
	out = binary.LittleEndian.AppendUint32(out, uint32(stored))
	out = binary.LittleEndian.AppendUint32(out, uint32(content))
	return append(out, head[:]...), nil
}

// size returns the bytes of all segments and of their content.
func (t table) size() (stored, content int64) {
	for i := range t.segments() {
		s, c := t.segment(i)
		stored, content = stored+s, content+c
	}
	return stored, content
}

// possible reports whether there can be segments such as the table's. Only one that is a file by itself may be empty.
func (t table) possible(whole bool) bool {
	if len(t)%entryBytes != 0 || t.segments() > maxSegments || whole && t.segments() != 1 {
		return false
	}
	for i := range t.segments() {
		if stored, content := t.segment(i); content == 0 && !whole || content > inline && whole || content > maxContent || stored <= content || stored > maxStored {
			return false
		}
	}
	return true
}

// span returns where in the file those segments begin that have n bytes from offset, which they are, and how far into them offset is.
func (t table) span(offset, n int64) (begin int64, first, count int, skip int64) {
	var at int64
	for i := range t.segments() {
		stored, content := t.segment(i)
		switch {
		case at+content <= offset:
			begin += stored
		case at < offset+n:
			if count == 0 {
				first, skip = i, offset-at
			}
			count++
		}
		at += content
	}
	return begin, first, count, skip
}

// ending is what a file has after its segments.
type ending struct {
	seal  []byte // an age file; none when the one segment is a file by itself
	table table
	sum   [sha256.Size]byte
}

// whole reports whether the only segment is a file by itself.
func (e *ending) whole() bool { return len(e.seal) == 0 }

// bytes returns it as it is in the file.
func (e *ending) bytes() []byte {
	out := make([]byte, 0, len(e.seal)+len(e.table)+footBytes)
	out = append(append(out, e.seal...), e.table...)
	out = binary.LittleEndian.AppendUint32(out, uint32(e.table.segments()))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(e.seal)))
	e.sum = sha256.Sum256(out)
	return append(append(out, e.sum[:]...), fileMark...)
}

// endingSize tells from a file's last footBytes how many bytes its ending has; 0 when it is no file of the format.
func endingSize(foot []byte) int64 {
	if len(foot) < footBytes {
		return 0
	}
	foot = foot[len(foot)-footBytes:]
	segments, seal := binary.LittleEndian.Uint32(foot), binary.LittleEndian.Uint32(foot[4:])
	if !bytes.HasSuffix(foot, []byte(fileMark)) || segments > maxSegments || seal > maxSeal {
		return 0
	}
	return int64(seal) + int64(segments)*entryBytes + int64(footBytes)
}

// parseEnding parses what endingSize told the size of, at the end of a file of size bytes; nil when it is none.
func parseEnding(end []byte, size int64) *ending {
	foot := end[len(end)-footBytes:]
	seal := int(binary.LittleEndian.Uint32(foot[4:]))
	e := &ending{seal: bytes.Clone(end[:seal]), table: bytes.Clone(end[seal : len(end)-footBytes])}
	e.sum = sha256.Sum256(end[:len(end)-footBytes+8])
	if stored, _ := e.table.size(); !e.table.possible(e.whole()) || !bytes.Equal(e.sum[:], foot[8:8+sha256.Size]) || stored+int64(len(end)) != size {
		return nil
	}
	return e
}
