package goplugin

import (
	"context"
	"errors"
	"io"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Main serves b to the host that started this process, and returns when that wants no more of it.
func Main(b storagedriver.Backend) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		Plugins:         plugin.PluginSet{name: &dispensed{backend: b}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

// dispensed is the plugin, on both sides.
type dispensed struct {
	plugin.NetRPCUnsupportedPlugin
	backend storagedriver.Backend // nil in the host
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *dispensed) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&description, &server{p.backend})
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *dispensed) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &client{conn}, nil
}

// server answers calls. Errors go as their texts: the benchmark has none to tell apart.
type server struct{ b storagedriver.Backend }

func handleList(s any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	in := new(wrapperspb.BytesValue)
	if err := decode(in); err != nil {
		return nil, err
	}
	if interceptor == nil {
		return s.(*server).list(ctx, in)
	}
	handler := func(ctx context.Context, in any) (any, error) {
		return s.(*server).list(ctx, in.(*wrapperspb.BytesValue))
	}
	return interceptor(ctx, in, &grpc.UnaryServerInfo{Server: s, FullMethod: methodList}, handler)
}

func (s *server) list(ctx context.Context, in *wrapperspb.BytesValue) (*wrapperspb.BytesValue, error) {
	var request abi.ListRequest
	if err := abi.Decode(in.GetValue(), &request); err != nil {
		return nil, err
	}
	page, err := s.b.List(ctx, request.Path, request.Cursor, request.Limit)
	if err != nil {
		return nil, err
	}
	reply := abi.ListReply{Cursor: page.Cursor, Entries: make([]abi.Entry, len(page.Entries))}
	for i, e := range page.Entries {
		reply.Entries[i] = abi.Entry{Name: e.Name, Size: e.Size, Time: e.ModTime.UnixNano(), Dir: e.Dir}
	}
	return wrap(&reply)
}

// wrap makes a message one that gRPC carries.
func wrap(m abi.Message) (*wrapperspb.BytesValue, error) {
	b, err := abi.Append(nil, m)
	return wrapperspb.Bytes(b), err
}

// handleRead answers with the reply, and then the content.
func handleRead(s any, stream grpc.ServerStream) error {
	var in wrapperspb.BytesValue
	var request abi.ReadRequest
	if err := errors.Join(stream.RecvMsg(&in), abi.Decode(in.GetValue(), &request)); err != nil {
		return err
	}
	r, n, err := s.(*server).b.Read(stream.Context(), request.Path, request.Off, request.Len)
	if err != nil {
		return err
	}
	defer r.Close()
	reply, err := wrap(&abi.ReadReply{Len: n, Body: 1})
	if err != nil {
		return err
	}
	if err := stream.SendMsg(reply); err != nil {
		return err
	}
	_, err = io.Copy(messages{stream}, r)
	return err
}

// stream is what a grpc.ClientStream and a grpc.ServerStream have in common.
type stream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// messages sends what is written, in messages. What is lent is encoded when SendMsg returns.
type messages struct{ stream stream }

func (m messages) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		b := p[n:min(n+chunk, len(p))]
		if err = m.stream.SendMsg(wrapperspb.Bytes(b)); err == nil {
			n += len(b)
		}
	}
	return n, err
}

// handlePut takes the request, and then the content.
func handlePut(s any, stream grpc.ServerStream) error {
	var in wrapperspb.BytesValue
	var request abi.PutRequest
	if err := errors.Join(stream.RecvMsg(&in), abi.Decode(in.GetValue(), &request)); err != nil {
		return err
	}
	if err := s.(*server).b.Put(stream.Context(), request.Path, &source{stream, request.Size}); err != nil {
		return err
	}
	reply, err := wrap(&abi.Empty{})
	if err != nil {
		return err
	}
	return stream.SendMsg(reply)
}

// source is the content that comes on a stream. It can be opened once.
type source struct {
	stream stream
	size   int64
}

// Size implements storagedriver.Source.
func (s *source) Size() int64 { return s.size }

// Open implements storagedriver.Source.
func (s *source) Open(context.Context) (io.ReadCloser, error) {
	return &content{stream: s.stream, left: s.size, cancel: func() {}}, nil
}

// content reads what comes on a stream. Closing it cancels the stream.
type content struct {
	stream stream
	chunk  []byte // of the last message, not read yet
	left   int64  // bytes that are to come
	cancel context.CancelFunc
}

// next receives a message when the last was read. The end is io.EOF if it comes after the promised bytes.
func (c *content) next() error {
	for len(c.chunk) == 0 {
		m := new(wrapperspb.BytesValue)
		err := c.stream.RecvMsg(m)
		if err == io.EOF && c.left > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		c.chunk = m.GetValue()
		if c.left -= int64(len(c.chunk)); c.left < 0 {
			return errors.New("the content goes on after the promised bytes")
		}
	}
	return nil
}

// Read implements io.Reader.
func (c *content) Read(p []byte) (int, error) {
	if err := c.next(); err != nil {
		return 0, err
	}
	n := copy(p, c.chunk)
	c.chunk = c.chunk[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: without a copy.
func (c *content) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if err := c.next(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(c.chunk)
		total += int64(n)
		c.chunk = c.chunk[n:]
		if err != nil {
			return total, err
		}
	}
}

// Close implements io.Closer.
func (c *content) Close() error {
	c.cancel()
	return nil
}
