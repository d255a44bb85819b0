package ipc

import (
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// perform decodes the request and calls the backend.
func (c *serving) perform(message []byte) (answer, error) {
	switch c.op {
	case abi.OpDescribe:
		return answer{message: &abi.DescribeReply{Manifest: c.s.manifest}}, nil
	case abi.OpOpen:
		var m abi.OpenRequest
		if err := abi.Decode(message, &m); err != nil {
			return answer{}, err
		}
		b, err := c.s.openBackend(c.ctx, &m)
		if err != nil {
			return answer{}, err
		}
		caps := b.Capabilities()
		return answer{message: &abi.OpenReply{Caps: uint64(caps.Abilities), MaxObject: caps.MaxObject}}, nil
	}
	b, err := c.s.opened()
	if err != nil {
		return answer{}, err
	}
	perform, known := operations[c.op]
	if !known {
		return answer{}, storagedriver.Errorf(storagedriver.KindUnsupported, "the operation %d is not known", c.op)
	}
	return perform(c, b, message)
}

// operation decodes one kind of request and performs it.
type operation func(c *serving, b storagedriver.Backend, message []byte) (answer, error)

// on makes an operation of what is done with a request that is decoded.
func on[M any, P interface {
	*M
	abi.Message
}](perform func(c *serving, b storagedriver.Backend, m *M) (answer, error)) operation {
	return func(c *serving, b storagedriver.Backend, message []byte) (answer, error) {
		var m M
		if err := abi.Decode(message, P(&m)); err != nil {
			return answer{}, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%v: %w", c.op, err)
		}
		return perform(c, b, &m)
	}
}

// nothing is the answer of an operation that has none.
func nothing(err error) (answer, error) { return answer{message: &abi.Empty{}}, err }

var operations = map[abi.Op]operation{
	abi.OpStat: on(func(c *serving, b storagedriver.Backend, m *abi.PathRequest) (answer, error) {
		e, err := b.Stat(c.ctx, m.Path)
		e.Name = ""
		return answer{message: wireEntry(e)}, err
	}),
	abi.OpList: on(func(c *serving, b storagedriver.Backend, m *abi.ListRequest) (answer, error) {
		page, err := b.List(c.ctx, m.Path, m.Cursor, m.Limit)
		return wirePage(page), err
	}),
	abi.OpListTree: on(func(c *serving, b storagedriver.Backend, m *abi.ListRequest) (answer, error) {
		page, err := b.ListTree(c.ctx, m.Path, m.After, m.Cursor, m.Limit)
		return wirePage(page), err
	}),
	abi.OpListUploads: on(func(c *serving, b storagedriver.Backend, m *abi.ListRequest) (answer, error) {
		page, err := b.ListUploads(c.ctx, m.Path, m.Cursor, m.Limit)
		return wirePage(page), err
	}),
	abi.OpRead: on(func(c *serving, b storagedriver.Backend, m *abi.ReadRequest) (answer, error) {
		body, n, err := b.Read(c.ctx, m.Path, m.Off, m.Len)
		if err != nil {
			return answer{}, err
		}
		return readAnswer(body, n)
	}),
	abi.OpPut: on(func(c *serving, b storagedriver.Backend, m *abi.PutRequest) (answer, error) {
		if m.Body == 0 {
			return answer{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "put without a body")
		}
		return nothing(b.Put(c.ctx, m.Path, c.source(m.Body, m.Size)))
	}),
	abi.OpDelete: on(func(c *serving, b storagedriver.Backend, m *abi.PathRequest) (answer, error) {
		return nothing(b.Delete(c.ctx, m.Path))
	}),
	abi.OpDeleteTree: on(func(c *serving, b storagedriver.Backend, m *abi.PathRequest) (answer, error) {
		return nothing(b.DeleteTree(c.ctx, m.Path))
	}),
	abi.OpCopy: on(func(c *serving, b storagedriver.Backend, m *abi.CopyRequest) (answer, error) {
		return nothing(b.Copy(c.ctx, m.Path, m.Dest))
	}),
	abi.OpMove: on(func(c *serving, b storagedriver.Backend, m *abi.CopyRequest) (answer, error) {
		return nothing(b.Move(c.ctx, m.Path, m.Dest))
	}),
	abi.OpConcat: on(func(c *serving, b storagedriver.Backend, m *abi.ConcatRequest) (answer, error) {
		return nothing(b.Concat(c.ctx, m.Dest, m.Paths))
	}),
	abi.OpRedirect: on(func(c *serving, b storagedriver.Backend, m *abi.RedirectRequest) (answer, error) {
		url, err := b.Redirect(c.ctx, m.Path, storagedriver.RedirectOptions{Method: m.Method, RemoteAddr: m.Remote, ForwardedFor: m.Forwarded})
		return answer{message: &abi.RedirectReply{URL: url}}, err
	}),
	abi.OpUploadOpen: on(openUpload),
	abi.OpUploadPart: on(func(c *serving, b storagedriver.Backend, m *abi.UploadPartRequest) (answer, error) {
		if m.Body == 0 {
			return answer{}, storagedriver.NewError(storagedriver.KindInvalidArgument, "upload_part without a body")
		}
		part := storagedriver.Part{Number: int(m.Num), Offset: m.Off, Body: c.source(m.Body, m.Size), Digests: m.Digests}
		data, err := b.PutPart(c.ctx, m.Token, part)
		return answer{message: &abi.UploadPartReply{Data: data}}, err
	}),
	abi.OpUploadSuspend: on(func(c *serving, b storagedriver.Backend, m *abi.UploadEndRequest) (answer, error) {
		table, err := c.table()
		if err != nil {
			return answer{}, err
		}
		return nothing(b.SuspendUpload(c.ctx, m.Token, table, c.source(m.Body, m.Size)))
	}),
	abi.OpUploadCommit: on(func(c *serving, b storagedriver.Backend, m *abi.UploadEndRequest) (answer, error) {
		table, err := c.table()
		if err != nil {
			return answer{}, err
		}
		return nothing(b.CommitUpload(c.ctx, m.Token, table, c.source(m.Body, m.Size)))
	}),
	abi.OpUploadCancel: on(func(c *serving, b storagedriver.Backend, m *abi.TokenRequest) (answer, error) {
		return nothing(b.CancelUpload(c.ctx, m.Token))
	}),
	abi.OpUploadAbort: on(func(c *serving, b storagedriver.Backend, m *abi.PathRequest) (answer, error) {
		return nothing(b.AbortUploads(c.ctx, m.Path))
	}),
}

func openUpload(c *serving, b storagedriver.Backend, m *abi.UploadOpenRequest) (answer, error) {
	up, err := b.OpenUpload(c.ctx, m.Path, m.Append)
	if err != nil {
		return answer{}, err
	}
	l := up.Limits
	reply := &abi.UploadOpenReply{Token: up.Token, Resumed: up.Resumed, Limits: abi.Limits{
		Min: l.Min, Max: l.Max, Count: int64(l.Count), Multiple: l.Multiple, Equal: l.Equal, Seq: l.Sequential, Total: l.Total, Digests: l.Digests,
	}}
	a := answer{message: reply, receipts: up.Receipts.All()}
	if up.Tail != nil && up.Tail.Size() > 0 {
		if a.body, err = up.Tail.Open(c.ctx); err != nil {
			return answer{}, err
		}
		a.size = up.Tail.Size()
		reply.Body, reply.Len = lent, a.size
	}
	return a, nil
}

func wireEntry(e storagedriver.Entry) *abi.Entry {
	out := &abi.Entry{Name: e.Name, Size: e.Size, Dir: e.Dir}
	if !e.ModTime.IsZero() {
		out.Time = e.ModTime.UnixNano()
	}
	return out
}

func wirePage(page storagedriver.Page) answer {
	reply := &abi.ListReply{Cursor: page.Cursor, Entries: make([]abi.Entry, len(page.Entries))}
	for i, e := range page.Entries {
		reply.Entries[i] = *wireEntry(e)
	}
	return answer{message: reply}
}

// inlineMost is the most content that is answered within the reply: one frame instead of three.
const inlineMost = 16 << 10

func readAnswer(body io.ReadCloser, n int64) (answer, error) {
	if n < 0 {
		_ = body.Close() // there is no content
		return answer{}, storagedriver.Errorf(storagedriver.KindCorrupt, "a body of %d bytes was promised", n)
	}
	reply := &abi.ReadReply{Len: n}
	if n > inlineMost {
		reply.Body = lent
		return answer{message: reply, body: body, size: n}, nil
	}
	reply.Data = make([]byte, n)
	body = storagedriver.ExactBody(body, n)
	_, err := io.ReadFull(body, reply.Data)
	if err == nil {
		if _, err = body.Read(make([]byte, 1)); err == io.EOF {
			err = nil
		}
	}
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	return answer{message: reply}, err
}
