package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/berth-dev/storagedriver"
)

// MaxLine is the most bytes of a record as JSON: what one host call may change in memory, in base64,
// and a request.
const MaxLine = 16 << 20

// MaxElements is the most elements of all the lists of a record: a list takes far more memory than the two or three bytes that
// an element takes in a line. A host call has a few arguments and results, and a few places in memory that it changes.
const MaxElements = 1 << 16

// Reader reads a trace. It is used by one goroutine at a time.
type Reader struct {
	in   *bufio.Reader
	line []byte
	n    int  // of lines read
	cut  bool // the trace ends early
}

// NewReader reads the beginning of a trace. What is no trace of this format is KindInvalidArgument.
func NewReader(r io.Reader) (*Reader, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, bad("it is no trace: %s", reasonOf(err))
	}
	zip.Multistream(false)
	out := &Reader{in: bufio.NewReaderSize(zip, 64<<10)}
	first, err := out.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, bad("it is a trace without a whole line: it was cut off at its beginning")
	case err != nil:
		return nil, err
	case first.Kind != KindTrace:
		return nil, bad("it is no trace: its first line is no record of kind %q", KindTrace)
	case first.Format != Format:
		return nil, bad("it has format %d and this Berth reads format %d: replay it with the version that recorded it", first.Format, Format)
	}
	return out, nil
}

func bad(format string, args ...any) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, format, args...)
}

func reasonOf(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends early"
	}
	return err.Error()
}

// Next returns the next record, which is the caller's, or io.EOF. A trace that was cut off ends with its
// last whole line. Anything else that is wrong is KindInvalidArgument and names the line.
func (r *Reader) Next() (*Record, error) {
	err := r.read()
	switch {
	case errors.Is(err, io.EOF) && len(r.line) == 0 && !r.cut:
		return nil, io.EOF
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.cut = true
		return nil, io.EOF
	case err != nil:
		return nil, bad("line %d: %v", r.n+1, err)
	}
	r.n++
	if elements(r.line) > MaxElements {
		return nil, bad("line %d: its lists have more than %d elements", r.n, MaxElements)
	}
	rec := new(Record)
	if err := json.Unmarshal(r.line, rec); err != nil {
		return nil, bad("line %d is no record: %v", r.n, err)
	}
	return rec, nil
}

// read reads a line without its end.
func (r *Reader) read() error {
	r.line = r.line[:0]
	if cap(r.line) > 1<<20 {
		r.line = nil
	}
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.line)+len(part) > MaxLine {
			return fmt.Errorf("it has more than %d bytes", MaxLine)
		}
		r.line = append(r.line, part...)
		if err == nil {
			r.line = r.line[:len(r.line)-1]
			return nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

// elements returns how many elements the lists of a record have, an empty one counting as one. Lists that are deeper, which only
// parameters have, are not looked at: they are kept as text. What it returns for what is no JSON does not matter.
func elements(line []byte) int {
	n, depth, inList := 0, 0, false
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"':
			i = textEnd(line, i+1)
		case '[', '{':
			if depth++; depth == 2 {
				if inList = line[i] == '['; inList {
					n++
				}
			}
		case ']', '}':
			depth--
		case ',':
			if depth == 2 && inList {
				n++
			}
		}
	}
	return n
}

// textEnd returns where the quotes are that end the text that begins at i.
func textEnd(line []byte, i int) int {
	for {
		n := bytes.IndexByte(line[i:], '"')
		if n < 0 {
			return len(line)
		}
		end, back := i+n, 0
		for end-back > i && line[end-back-1] == '\\' {
			back++
		}
		if back%2 == 0 {
			return end
		}
		i = end + 1
	}
}

// Line is the number of the record that Next returned last.
func (r *Reader) Line() int { return r.n }

// Cut reports, after io.EOF, that the trace was cut off: its writer was ended before it could finish.
func (r *Reader) Cut() bool { return r.cut }
