package seal

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"filippo.io/age"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

const (
	// chunk is what age encrypts on its own, and what is read and written at a time.
	chunk = 64 << 10
	// nonceBytes are between the header of an age file and its first chunk.
	nonceBytes = 16
)

// sealing is where an age file is written: it keeps its head until that is complete, and counts.
type sealing struct {
	to     io.Writer
	head   []byte
	passes bool
	n      int64
}

// Write implements io.Writer.
func (s *sealing) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	if !s.passes {
		s.head = append(s.head, p...)
		return len(p), nil
	}
	return s.to.Write(p)
}

// seal writes an age file that has first, and then what content has, and returns how long the file is, how much content there was, and the
// digest of its head.
func (d *driver) seal(to io.Writer, first []byte, content io.Reader) (stored, n int64, head digest, err error) {
	s := &sealing{to: to}
	w, err := age.Encrypt(s, d.recipients...)
	if err != nil {
		return 0, 0, head, err
	}
	head = digestOf(s.head)
	s.passes = true
	if _, err = to.Write(s.head); err != nil {
		return 0, 0, head, err
	}
	if _, err = w.Write(first); err != nil {
		return 0, 0, head, err
	}
	buffer := make([]byte, chunk)
	for err == nil {
		var got int
		got, err = content.Read(buffer)
		n += int64(got)
		if _, failed := w.Write(buffer[:got]); failed != nil {
			return 0, 0, head, failed
		}
	}
	if err != io.EOF {
		return 0, 0, head, err
	}
	return s.n, n, head, w.Close()
}

// pack writes one more segment, with at most maxContent bytes of content, and returns how many it has.
func (d *driver) pack(to io.Writer, w *writing, content io.Reader) (int64, error) {
	if w.table.segments() == maxSegments {
		_, err := w.table.with(0, 0, digest{})
		return 0, err
	}
	stored, n, head, err := d.seal(to, w.link.line(w.table.segments()), io.LimitReader(content, maxContent))
	if err != nil {
		return 0, err
	}
	if w.table, err = w.table.with(stored, n, head); err != nil {
		return 0, err
	}
	w.link = w.link.next(w.table.entry(w.table.segments() - 1))
	return n, nil
}

// finish writes what is after the segments.
func (d *driver) finish(to io.Writer, w *writing) error {
	var seal bytes.Buffer
	if _, _, _, err := d.seal(&seal, w.link.text(w.table), bytes.NewReader(nil)); err != nil {
		return err
	}
	_, err := to.Write((&ending{seal: seal.Bytes(), table: w.table}).bytes())
	return err
}

// link returns the last link of a file, if the seal is the table's.
func (d *driver) link(e *ending) (link, error) {
	if len(d.identities) == 0 {
		return link{}, errNoIdentity()
	}
	r, err := age.Decrypt(bytes.NewReader(e.seal), d.identities...)
	if err != nil {
		return link{}, opening(err)
	}
	text, err := io.ReadAll(io.LimitReader(r, 1024))
	if err != nil {
		return link{}, errDamaged(err.Error())
	}
	l, ok := sealedLink(text, e.table)
	if !ok {
		return link{}, errDamaged("its table is not the one that was sealed")
	}
	return l, nil
}

// source is the bytes of segments. It keeps why they ended, so that a failure of the store's is not taken for damage.
type source struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// unpack writes the content of the segments that are read, whose bytes segments has.
func (d *driver) unpack(segments io.Reader, r *reading, out io.Writer) error {
	if len(d.identities) == 0 {
		return errNoIdentity()
	}
	from := &source{from: segments}
	buffered := bufio.NewReaderSize(from, chunk)
	buffer := make([]byte, chunk)
	var l link
	for i := range r.count {
		err := d.segment(buffered, r, i, &l, buffer, out)
		if from.err != nil {
			return from.err
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// segment writes the content of the i-th segment of r. Before the first it sets the link, and then takes it along.
func (d *driver) segment(from *bufio.Reader, r *reading, i int, l *link, buffer []byte, out io.Writer) error {
	stored, size := r.table.segment(i)
	head, err := readHead(from)
	if err != nil {
		return errDamaged(err.Error())
	}
	if digestOf(head) != r.table.head(i) || int64(len(head)) > stored {
		return errDamaged("a segment is not the one that was sealed for its place")
	}
	content, err := age.Decrypt(io.MultiReader(bytes.NewReader(head), io.LimitReader(from, stored-int64(len(head)))), d.identities...)
	if err != nil {
		return opening(err)
	}
	line := buffer[:lineBytes]
	if r.whole {
		line = buffer[:len(wholeLine)]
	}
	if _, err = io.ReadFull(content, line); err != nil {
		return errDamaged(err.Error())
	}
	if !r.follows(line, i, l) {
		return errDamaged("a segment was sealed for another file, or another place")
	}
	return copyContent(out, content, size, buffer)
}

// follows reports whether line is that of the i-th segment of r, and takes the link along: l is that of the segment, but for the first.
func (r *reading) follows(line []byte, i int, l *link) bool {
	if r.whole {
		return string(line) == wholeLine
	}
	found, ok := lineLink(line, r.first+i)
	if !ok || i > 0 && !found.equal(*l) || i == 0 && !r.leads(found) {
		return false
	}
	*l = found.next(r.table.entry(i))
	return true
}

// leads reports whether l is the link of the first segment of r: the one from which that in the seal follows.
func (r *reading) leads(l link) bool {
	for i := range r.table.segments() {
		l = l.next(r.table.entry(i))
	}
	return l.equal(r.last)
}

// copyContent writes what content has, which must be size bytes.
func copyContent(out io.Writer, content io.Reader, size int64, buffer []byte) error {
	for {
		n, err := content.Read(buffer)
		if size -= int64(n); size < 0 {
			return errDamaged("a segment has more content than the table says")
		}
		if n > 0 {
			if _, failed := out.Write(buffer[:n]); failed != nil {
				return failed
			}
		}
		switch {
		case err == io.EOF && size == 0:
			return nil
		case err == io.EOF:
			return errDamaged("a segment has less content than the table says")
		case err != nil:
			return errDamaged(err.Error())
		}
	}
}

// readHead reads the header of an age file, and the nonce after it.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case err != nil && err != io.EOF && err != bufio.ErrBufferFull:
			return nil, err
		case err != nil || len(head) > maxHead-nonceBytes:
			return nil, errors.New("a segment does not begin as age files do")
		case bytes.HasPrefix(line, []byte("--- ")):
			var nonce [nonceBytes]byte
			_, err = io.ReadFull(r, nonce[:])
			return append(head, nonce[:]...), err
		}
	}
}

var _ berth.Driver = (*driver)(nil)
