package compress

import (
	"encoding/binary"
	"strconv"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	tableType  = 0xb7 // of a chunk that readers of S2 skip
	fileMark   = 0x68747262
	headBytes  = 4 // of the chunk
	entryBytes = 8
	footBytes  = 8

	// maxFrames is how many entries fit into a state, together with a mark: those of 256 GiB in frames of 4 MiB.
	maxFrames = berth.MaxState/entryBytes - 1
	// maxContent is the most bytes of a frame: a piece.
	maxContent = berth.MaxPiece
	// maxFrame is the most bytes that those are compressed to.
	maxFrame = maxContent + maxContent/64 + 1024
)

// table is the entries of a file's frames, as they are in the file.
type table []byte

func (t table) frames() int { return len(t) / entryBytes }

// frame returns the bytes of a frame, compressed and not.
func (t table) frame(i int) (stored, content int64) {
	e := t[i*entryBytes:]
	return int64(binary.LittleEndian.Uint32(e)), int64(binary.LittleEndian.Uint32(e[4:]))
}

// with returns the table with one more frame.
func (t table) with(stored, content int) (table, error) {
	if t.frames() == maxFrames {
		return nil, berth.NewError(berth.KindLimit, "a file has at most ", strconv.Itoa(maxFrames), " frames; upload it without suspending it so often")
	}
	out := append(make(table, 0, len(t)+entryBytes), t...)
	out = binary.LittleEndian.AppendUint32(out, uint32(stored))
	return binary.LittleEndian.AppendUint32(out, uint32(content)), nil
}

// size returns the bytes of all frames.
func (t table) size() (stored, content int64) {
	for i := range t.frames() {
		s, c := t.frame(i)
		stored, content = stored+s, content+c
	}
	return stored, content
}

// end returns what a file ends with.
func (t table) end() []byte {
	out := make([]byte, 0, headBytes+len(t)+footBytes)
	out = binary.LittleEndian.AppendUint32(out, tableType|uint32(len(t)+footBytes)<<8)
	out = append(out, t...)
	out = binary.LittleEndian.AppendUint32(out, uint32(t.frames()))
	return binary.LittleEndian.AppendUint32(out, fileMark)
}

// endSize tells from a file's last footBytes how many bytes its end has; 0 when it is no file of the format.
func endSize(foot []byte) int64 {
	if len(foot) < footBytes {
		return 0
	}
	foot = foot[len(foot)-footBytes:]
	frames := binary.LittleEndian.Uint32(foot)
	if binary.LittleEndian.Uint32(foot[4:]) != fileMark || frames > maxFrames {
		return 0
	}
	return headBytes + int64(frames)*entryBytes + footBytes
}

// parse returns the table of a file of size bytes whose end is given; nil when it is none.
func parse(end []byte, size int64) table {
	t := table(end[headBytes : len(end)-footBytes])
	if binary.LittleEndian.Uint32(end) != tableType|uint32(len(end)-headBytes)<<8 {
		return nil
	}
	for i := range t.frames() {
		if stored, content := t.frame(i); stored == 0 || stored > maxFrame || content == 0 || content > maxContent {
			return nil
		}
	}
	if stored, _ := t.size(); stored+int64(len(end)) != size {
		return nil
	}
	return append(table{}, t...)
}
