package goplugin

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Driver is the driver in a plugin's process. It may be used concurrently, and is closed by its caller.
type Driver struct {
	*client
	process *plugin.Client
}

// Open starts the executable at path and connects with it.
func Open(path string) (*Driver, error) {
	process := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          plugin.PluginSet{name: &dispensed{}},
		Cmd:              exec.Command(path),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
	})
	c, err := dispense(process)
	if err != nil {
		process.Kill()
		return nil, fmt.Errorf("plugin %s: %w", path, err)
	}
	return &Driver{c, process}, nil
}

func dispense(process *plugin.Client) (*client, error) {
	connection, err := process.Client()
	if err != nil {
		return nil, err
	}
	raw, err := connection.Dispense(name)
	if err != nil {
		return nil, err
	}
	c, is := raw.(*client)
	if !is {
		return nil, fmt.Errorf("it dispenses a %T", raw)
	}
	return c, nil
}

// Close ends the process.
func (d *Driver) Close() error {
	d.process.Kill()
	return nil
}

// client makes calls.
type client struct{ conn *grpc.ClientConn }

// List is Backend's.
func (c *client) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	in, err := wrap(&abi.ListRequest{Path: path, Cursor: cursor, Limit: limit})
	if err != nil {
		return storagedriver.Page{}, err
	}
	out := new(wrapperspb.BytesValue)
	if err := c.conn.Invoke(ctx, methodList, in, out, grpc.StaticMethod()); err != nil {
		return storagedriver.Page{}, err
	}
	var reply abi.ListReply
	if err := abi.Decode(out.GetValue(), &reply); err != nil {
		return storagedriver.Page{}, err
	}
	page := storagedriver.Page{Cursor: reply.Cursor, Entries: make([]storagedriver.Entry, len(reply.Entries))}
	for i, e := range reply.Entries {
		page.Entries[i] = storagedriver.Entry{Name: e.Name, Size: e.Size, ModTime: time.Unix(0, e.Time).UTC(), Dir: e.Dir}
	}
	return page, nil
}

// Read is Backend's.
func (c *client) Read(ctx context.Context, path string, offset, length int64) (_ io.ReadCloser, _ int64, err error) {
	in, err := wrap(&abi.ReadRequest{Path: path, Off: offset, Len: length})
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		if err != nil {
			cancel()
		}
	}()
	stream, err := c.conn.NewStream(ctx, &description.Streams[streamRead], methodRead, grpc.StaticMethod())
	if err != nil {
		return nil, 0, err
	}
	if err := stream.SendMsg(in); err != nil {
		return nil, 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return nil, 0, err
	}
	out := new(wrapperspb.BytesValue)
	if err := stream.RecvMsg(out); err != nil {
		return nil, 0, err
	}
	var reply abi.ReadReply
	if err := abi.Decode(out.GetValue(), &reply); err != nil {
		return nil, 0, err
	}
	return &content{stream: stream, left: reply.Len, cancel: cancel}, reply.Len, nil
}

// Put is Backend's.
func (c *client) Put(ctx context.Context, path string, body storagedriver.Source) error {
	in, err := wrap(&abi.PutRequest{Path: path, Size: body.Size(), Body: 1})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &description.Streams[streamPut], methodPut, grpc.StaticMethod())
	if err != nil {
		return err
	}
	if err := stream.SendMsg(in); err != nil {
		return err
	}
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	// An error of sending is io.EOF: the reply tells why.
	if _, err := io.Copy(messages{stream}, r); err != nil && err != io.EOF {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return stream.RecvMsg(new(wrapperspb.BytesValue))
}
