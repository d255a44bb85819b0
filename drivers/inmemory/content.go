package inmemory

import (
	"context"
	"io"
	"sort"

	"github.com/berth-dev/storagedriver"
)

// chunkSize bounds one allocation, and with it what a wrong promise of a Source costs.
const chunkSize = 1 << 20

// content is the bytes of one object. It never changes once it is stored.
type content struct {
	chunks [][]byte // none is empty
	ends   []int64  // where in the content each chunk ends
}

func (c *content) size() int64 {
	if len(c.ends) == 0 {
		return 0
	}
	return c.ends[len(c.ends)-1]
}

func (c *content) add(chunk []byte) {
	c.chunks = append(c.chunks, chunk)
	c.ends = append(c.ends, c.size()+int64(len(chunk)))
}

// at returns the bytes from offset to the end of the chunk that holds it. The offset is
// below the size.
func (c *content) at(offset int64) []byte {
	i := sort.Search(len(c.ends), func(i int) bool { return c.ends[i] > offset })
	chunk := c.chunks[i]
	return chunk[int64(len(chunk))-(c.ends[i]-offset):]
}

// join returns the contents one after another. The bytes are shared.
func join(parts []*content) *content {
	if len(parts) == 1 {
		return parts[0]
	}
	all := &content{}
	for _, c := range parts {
		for _, chunk := range c.chunks {
			all.add(chunk)
		}
	}
	return all
}

// load reads source straight into the chunks that will be kept.
func load(ctx context.Context, source storagedriver.Source) (*content, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	size := source.Size()
	if size < 0 {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "a body of %d bytes", size)
	}
	opened, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	r := storagedriver.ExactBody(opened, size)
	defer r.Close()
	c := &content{}
	for c.size() < size {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		chunk := make([]byte, min(chunkSize, size-c.size()))
		if err := fill(r, chunk, c.size()+int64(len(chunk)) == size); err != nil {
			return nil, err
		}
		c.add(chunk)
	}
	if size == 0 {
		// An empty body is read as well: it may fail, or not be empty.
		if err := fill(r, nil, true); err != nil {
			return nil, err
		}
	}
	return c, ctx.Err()
}

// fill fills p from r; of the last chunk it demands that r then ends well.
func fill(r io.Reader, p []byte, last bool) error {
	n := 0
	for n < len(p) {
		m, err := r.Read(p[n:])
		n += m
		if err == io.EOF && n == len(p) && last {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	var one [1]byte
	for {
		if _, err := r.Read(one[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// body is an open reader. It belongs to one goroutine at a time.
type body struct {
	ctx         context.Context
	content     *content
	offset, end int64
	closed      bool
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	from, err := b.next()
	if err != nil {
		return 0, err
	}
	n := copy(p, from)
	b.offset += int64(n)
	return n, nil
}

// WriteTo implements io.WriterTo.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	var written int64
	for {
		from, err := b.next()
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(from)
		b.offset += int64(n)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// next returns bytes that follow, at least one, or why there are none.
func (b *body) next() ([]byte, error) {
	switch {
	case b.closed:
		return nil, storagedriver.NewError(storagedriver.KindClosed, "the reader was closed")
	case b.ctx.Err() != nil:
		return nil, b.ctx.Err()
	case b.offset == b.end:
		return nil, io.EOF
	}
	from := b.content.at(b.offset)
	return from[:min(int64(len(from)), b.end-b.offset)], nil
}

func (b *body) Close() error {
	b.closed = true
	return nil
}
