package runtime

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

// http runs one request under the operation's context.
func (in *instance) http(request []byte) (abi.Message, error) {
	m, err := in.forms.decode(request)
	if err != nil {
		return nil, err
	}
	r := egress.Request{Method: m.Method, URL: m.URL, Headers: m.Headers, Data: m.Data, Checked: m.checked, Credential: m.Credential, SHA256: m.SHA256, Outlasts: m.Outlast}
	if r.Keyed, err = in.keyed(m.URL, m.Keyed); err != nil {
		return nil, err
	}
	ctx := in.ctx
	if in.sinking() {
		if len(m.Body) > 0 {
			return nil, storagedriver.NewError(storagedriver.KindLimit, "http: a request with a body of handles while the sink of another is open: finish or close that first")
		}
		ctx = egress.Feeding(ctx)
	}
	var parts *sequence
	if len(m.Body) > 0 {
		if parts, err = in.sequence(m.Body); err != nil {
			return nil, err
		}
		r.Size, r.Once, r.Open = parts.size, parts.once, parts.open
	}
	resp, err := in.d.client.Do(ctx, &r)
	if m.checked == nil {
		in.forms.keep(m, r.Checked, request)
	}
	if parts != nil && (err != nil || r.Size == 0) { // nobody opens, and closes, an empty body
		parts.drop()
	}
	if err != nil {
		return nil, err
	}
	return in.answerHTTP(resp, m.Max, m.want, m.All)
}

// sinking reports whether the call writes a request's body: then it must not wait for turns that only the ends of such give back.
func (in *instance) sinking() bool {
	for i := range in.table.slots {
		if _, is := in.table.slots[i].sink.(*httpSink); is {
			return true
		}
	}
	return false
}

func checkAnswer(limit int64, want []string) error {
	if limit > abi.MaxInline {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "max is %d, more than %d", limit, abi.MaxInline)
	}
	if len(want) > abi.MaxHeaders {
		return storagedriver.Errorf(storagedriver.KindLimit, "%d wanted headers, more than %d", len(want), abi.MaxHeaders)
	}
	return nil
}

// answerHTTP takes over the response.
func (in *instance) answerHTTP(resp *egress.Response, limit int64, want []wanted, all bool) (abi.Message, error) {
	m := &in.answer
	*m = abi.HTTPReply{Status: resp.Status, Len: resp.Length, Headers: m.Headers[:0]}
	if all {
		m.Headers = allHeaders(m.Headers, resp)
	}
	for i := range want {
		for _, value := range resp.Header[want[i].canonical] {
			m.Headers = append(m.Headers, want[i].lower, strings.ToValidUTF8(value, "?"))
		}
	}
	switch {
	case resp.NoBody:
		return m, resp.Body.Close()
	case resp.Length >= 0 && resp.Length <= limit:
		in.inline = slices.Grow(in.inline[:0], int(resp.Length))[:resp.Length]
		_, err := io.ReadFull(resp.Body, in.inline)
		if cerr := resp.Body.Close(); err == nil {
			err = cerr
		}
		m.Data = in.inline
		return m, err
	}
	b, err := in.d.newBody(resp)
	if err != nil {
		return nil, err
	}
	m.Body, err = in.table.add(slot{kind: kindBody, body: b})
	if err != nil {
		_ = b.Close() // the limit is the error to tell
		return nil, err
	}
	return m, nil
}

func allHeaders(list []string, resp *egress.Response) []string {
	names := make([]string, 0, len(resp.Header))
	for name := range resp.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range resp.Header[name] {
			list = append(list, strings.ToLower(name), strings.ToValidUTF8(value, "?"))
		}
	}
	return list
}

// part is one piece of a request's body: a source, or a response's body that the request
// has taken over.
type part struct {
	src  storagedriver.Source
	body body
	size int64 // -1 when not known
}

// sequence is a request's body made of handles.
type sequence struct {
	parts []part
	size  int64 // -1 when not known
	once  bool
}

// sequence resolves the handles of a request's body. Bodies leave the table.
func (in *instance) sequence(list []abi.Handle) (_ *sequence, err error) {
	s := &sequence{parts: make([]part, 0, len(list))}
	defer func() {
		if err != nil {
			s.drop()
		}
	}()
	for _, h := range list {
		sl, err := in.table.get(h)
		if err != nil {
			return nil, err
		}
		switch sl.kind {
		case kindSource:
			s.add(part{src: sl.source.src, size: sl.source.src.Size()})
		case kindBody:
			s.add(part{body: sl.body, size: sl.body.Left()})
			s.once = true
			in.table.remove(h)
		default:
			return nil, wrongKind(h, sl.kind, "a source or a body")
		}
	}
	return s, nil
}

func (s *sequence) add(p part) {
	s.parts = append(s.parts, p)
	if p.size < 0 || s.size < 0 {
		s.size = -1
		return
	}
	s.size += p.size
}

// drop closes the bodies taken over by a request that was not made.
func (s *sequence) drop() {
	for _, p := range s.parts {
		if p.body != nil {
			_ = p.body.Close() // the request's failure is the error to tell
		}
	}
}

func (s *sequence) open(ctx context.Context) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &sequenceReader{s: s, ctx: ctx, rest: s.parts}, nil
}

// sequenceReader opens each part when it is reached.
type sequenceReader struct {
	s    *sequence
	ctx  context.Context
	rest []part
	cur  io.ReadCloser
}

func (r *sequenceReader) Read(p []byte) (int, error) {
	for {
		if r.cur == nil {
			if len(r.rest) == 0 {
				return 0, io.EOF
			}
			if err := r.next(); err != nil {
				return 0, err
			}
		}
		n, err := r.cur.Read(p)
		if err == io.EOF {
			err = r.cur.Close()
			r.cur = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (r *sequenceReader) next() error {
	p := r.rest[0]
	r.rest = r.rest[1:]
	if p.body != nil {
		r.cur = p.body
	} else {
		open, err := p.src.Open(r.ctx)
		if err != nil {
			return err
		}
		r.cur = open
	}
	if p.size >= 0 {
		r.cur = storagedriver.ExactBody(r.cur, p.size)
	}
	return nil
}

// Close closes the part being read, and the bodies taken over when nobody can ask for
// them again.
func (r *sequenceReader) Close() error {
	var err error
	if r.cur != nil {
		err = r.cur.Close()
		r.cur = nil
	}
	r.rest = nil
	if r.s.once {
		r.s.drop()
	}
	return err
}
