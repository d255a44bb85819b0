//go:build unix

package ipc

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/internal/guest"
)

// stream is frames one after another.
func stream(frames ...frame) (b []byte) {
	for _, f := range frames {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f.payload)))
		b = binary.BigEndian.AppendUint32(b, f.call)
		b = append(append(b, byte(f.kind)), f.payload...)
	}
	return b
}

func called(call uint32, op abi.Op, m abi.Message) frame {
	return frame{call, frameCall, append([]byte{byte(op), 0, 0, 0, 0}, encoded(m)...)}
}

// soon is how long one input may take. It is generous, because fuzzing takes all of the machine.
const soon = 20 * time.Second

// FuzzHost feeds a host what a driver might send: whatever comes, its calls return, in time, and nothing is left.
func FuzzHost(f *testing.F) {
	hello := frame{0, frameHello, []byte(`{"version":"1.0"}`)}
	entry := frame{1, frameReply, encoded(&abi.Entry{Size: 3})}
	f.Add([]byte("Listening on :8080\n"))
	f.Add(stream(hello, entry))
	f.Add(stream(hello, entry, frame{2, frameReply, encoded(&abi.ReadReply{Len: 5, Body: lent})}, frame{2, frameData, []byte("12345")}, frame{2, frameEnd, nil},
		frame{3, frameAgain, nil}, frame{3, frameCredit, []byte{0, 0, 0, 1}}, frame{3, frameReply, encoded(&abi.Empty{})},
		frame{4, frameReceipts, encoded(&abi.ReceiptsPage{Page: []abi.Receipt{{Num: 1}, {Num: 2}}})},
		frame{4, frameReply, encoded(&abi.UploadOpenReply{Token: "t", Tail: []byte("tail")})},
		frame{5, frameReply, encoded(&abi.ListReply{Entries: []abi.Entry{{Name: "a"}}})}, frame{6, frameReply, encoded(&abi.ListReply{Entries: []abi.Entry{{Name: "a/b", Time: 1}}})}))
	f.Add(stream(hello, frame{1, frameReply, encoded(&abi.Error{Kind: 1, Message: "none"})}, frame{2, frameEnd, nil}))
	f.Add(append(stream(hello), header(maxPayload, 1, byte(frameReply))...))
	f.Add(stream(hello, entry, frame{2, frameReply, encoded(&abi.ReadReply{Len: 9, Body: lent})}, frame{2, frameEnd, encoded(&abi.Error{Kind: 12})}))
	f.Fuzz(func(t *testing.T, input []byte) {
		leaks := goleak.IgnoreCurrent()
		ours, theirs := socketEnds(t)
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		defer cancel()
		b := fed(ours)
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // what the host says
		go func() {
			_, _ = theirs.Write(input) // the host may have had enough
			_ = theirs.CloseWrite()
		}()
		if _, err := b.running.greet(ctx); err == nil {
			everyCall(ctx, b)
		}
		if ctx.Err() != nil {
			t.Error("the calls are not over")
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		_ = theirs.Close()
		if err := goleak.Find(leaks); err != nil {
			t.Error(err)
		}
	})
}

// fed is a backend whose process is one by name only.
func fed(conn *net.UnixConn) *backend {
	c := Config{Logger: (&lines{}).logger(), Settle: time.Millisecond, Grace: time.Millisecond, MinRestart: time.Hour, MaxRestart: time.Hour}.withDefaults()
	b := newBackend(&Driver{path: "fed", cfg: c, manifest: aManifest}, guest.Values{})
	b.Caps = storagedriver.Capabilities{Abilities: storagedriver.Ability(abi.AllAbilities)}
	b.life, b.end = context.WithCancel(context.Background())
	b.not = time.Now().Add(time.Hour) // it is not started again
	r := &running{p: &process{host: conn, gone: true, over: make(chan struct{})}, started: time.Now()}
	r.link = newLink(conn, &c, func(text string) string { return text })
	go r.receive()
	go func() {
		<-r.ended
		close(r.p.over)
	}()
	b.running = r
	return b
}

// everyCall makes one call of each kind of answer.
func everyCall(ctx context.Context, b *backend) {
	_, _ = b.Stat(ctx, "/a")
	if r, _, err := b.Read(ctx, "/a", 0, -1); err == nil {
		_, _ = io.Copy(io.Discard, r)
		_ = r.Close()
	}
	_ = b.Put(ctx, "/a", storagedriver.BytesSource("content"))
	if up, err := b.OpenUpload(ctx, "/a", true); err == nil && up.Tail != nil {
		if r, err := up.Tail.Open(ctx); err == nil {
			_, _ = io.Copy(io.Discard, r)
			_ = r.Close()
		}
	}
	_, _ = b.List(ctx, "/a", "", 0)
	_, _ = b.ListUploads(ctx, "/a", "", 0)
	_ = b.CommitUpload(ctx, "t", tableOf(2), storagedriver.BytesSource("end"))
}

// FuzzDriver feeds a driver what a host might send: whatever comes, serve returns when that has ended, and nothing is left.
func FuzzDriver(f *testing.F) {
	hello := frame{0, frameHello, []byte(`{"version":"1.0"}`)}
	open := called(1, abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")})
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add(stream(hello, called(1, abi.OpDescribe, &abi.Empty{}), open))
	f.Add(stream(hello, open, called(2, abi.OpPut, &abi.PutRequest{Path: "/a", Size: 5, Body: lent}), frame{2, frameData, []byte("12345")}, frame{2, frameEnd, nil},
		called(3, abi.OpRead, &abi.ReadRequest{Path: "/a", Len: -1}), frame{3, frameCredit, []byte{0, 0, 0, 1}}, frame{3, frameCancel, nil},
		called(4, abi.OpStat, &abi.PathRequest{Path: "/"}), called(5, abi.OpList, &abi.ListRequest{Path: "/", Limit: 10}), called(6, abi.OpListUploads, &abi.ListRequest{Path: "/", Limit: 10})))
	f.Add(stream(hello, open, called(2, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent, Body: lent, Size: 3}),
		frame{2, frameReceipts, encoded(&abi.ReceiptsPage{Page: []abi.Receipt{{Num: 1}}})}, frame{2, frameData, []byte("123")}, frame{2, frameEnd, nil}))
	f.Add(stream(hello, open, called(2, abi.OpPut, &abi.PutRequest{Path: "/a", Size: 1 << 60, Body: lent}), frame{2, frameAgain, nil}))
	f.Add(stream(hello, open, called(2, abi.OpPut, &abi.PutRequest{Path: "/a", Size: 1, Body: lent}), frame{2, frameEnd, encoded(&abi.Error{Kind: 8})}))
	f.Fuzz(func(t *testing.T, input []byte) {
		leaks := goleak.IgnoreCurrent()
		ours, theirs := socketEnds(t)
		go func() { _, _ = io.Copy(io.Discard, theirs) }() // what the driver says
		go func() {
			_, _ = theirs.Write(input) // the driver may have had enough
			_ = theirs.CloseWrite()
		}()
		memory := &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
			return storagedriver.Upload{Token: "t", Tail: plain(pattern(window))}, nil
		}, commit: func(ctx context.Context, _ *storagedriver.Receipts, last storagedriver.Source) error {
			if last == nil {
				return nil
			}
			for range 2 {
				r, err := last.Open(ctx)
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					return err
				}
			}
			return nil
		}, putPart: func(context.Context, storagedriver.Part) ([]byte, error) { return []byte("receipt"), nil }}
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = serve(t.Context(), ours, []byte(`{"name":"test"}`), func(context.Context, map[string]any) (storagedriver.Backend, error) { return memory, nil })
			_ = ours.Close()
		}()
		select {
		case <-over:
		case <-time.After(soon):
			t.Fatal("serve has not returned")
		}
		_ = theirs.Close()
		if err := goleak.Find(leaks); err != nil {
			t.Error(err)
		}
	})
}
