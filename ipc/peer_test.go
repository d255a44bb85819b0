//go:build unix

package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

// aHost is one that speaks the protocol by hand.
type aHost struct {
	t    testing.TB
	conn *net.UnixConn
	in   *receiver
	out  *sender
	over chan error // what serve returns
}

// hosted serves a Backend to a host by hand. When the test ends nothing of it may be left.
func hosted(t testing.TB, served storagedriver.Backend) *aHost {
	t.Helper()
	host, driver := socketEnds(t)
	h := &aHost{t: t, conn: host, in: newReceiver(host), out: newSender(host, 10*time.Second, nil), over: make(chan error, 1)}
	go func() {
		h.over <- serve(context.Background(), driver, []byte(`{"name":"test"}`), func(context.Context, map[string]any) (storagedriver.Backend, error) { return served, nil })
	}()
	t.Cleanup(func() { _ = host.Close() })
	return h
}

// ends closes the socket if nothing else has ended the driver, and checks what serve returned: "" is nil.
func (h *aHost) ends(says string) {
	h.t.Helper()
	select {
	case err := <-h.over:
		switch {
		case says == "" && err != nil:
			h.t.Errorf("serve: %v", err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n")):
			h.t.Errorf("serve: %v, wanted one line with %q", err, says)
		}
	case <-time.After(time.Minute):
		h.t.Fatal("serve has not returned")
	}
}

func (h *aHost) send(call uint32, kind frameType, payload []byte) {
	h.t.Helper()
	if err := h.out.send(context.Background(), call, kind, payload); err != nil {
		h.t.Logf("%v for the call %d: %v", kind, call, err) // what it ended with tells
	}
}

func (h *aHost) raw(b []byte) { _, _ = h.conn.Write(b) } // as with send

func (h *aHost) call(call uint32, op abi.Op, m abi.Message) {
	h.t.Helper()
	payload, err := abi.Append(binary.BigEndian.AppendUint32([]byte{byte(op)}, 0), m)
	if err != nil {
		h.t.Fatal(err)
	}
	h.send(call, frameCall, payload)
}

func (h *aHost) next(kind frameType) frame {
	h.t.Helper()
	_ = h.conn.SetReadDeadline(time.Now().Add(time.Minute)) // else the read fails
	f, err := h.in.next()
	if err != nil || f.kind != kind {
		h.t.Fatalf("%v %q, %v; wanted %v", f.kind, f.payload, err, kind)
	}
	return f
}

// failure waits for a REPLY, or an END, that is an error.
func (h *aHost) failure(frameKind frameType, kind storagedriver.Kind, says string) {
	h.t.Helper()
	f := h.next(frameKind)
	wire, err := abi.DecodeReply(f.payload, &abi.Empty{})
	if err != nil || wire == nil || storagedriver.Kind(wire.Kind) != kind || !strings.Contains(wire.Message, says) {
		h.t.Errorf("%+v, %v; wanted %v: %q", wire, err, kind, says)
	}
}

// greeted is a host that has opened the driver.
func greeted(t testing.TB, served storagedriver.Backend) *aHost {
	t.Helper()
	h := hosted(t, served)
	h.send(0, frameHello, []byte(`{"version":"1.0","later":true}`))
	if f := h.next(frameHello); string(f.payload) != `{"version":"1.0"}` || f.call != 0 {
		t.Errorf("HELLO is %q, in the call %d", f.payload, f.call)
	}
	h.call(1, abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")})
	h.next(frameReply)
	return h
}

func TestHostsThatAreNone(t *testing.T) {
	hello := func(text string) func(h *aHost) {
		return func(h *aHost) { h.send(0, frameHello, []byte(text)) }
	}
	for name, c := range map[string]struct {
		host func(h *aHost)
		says string
	}{
		"nothing":          {func(h *aHost) { _ = h.conn.Close() }, ""},
		"text":             {func(h *aHost) { h.raw([]byte("GET / HTTP/1.1\r\n")) }, "a frame of type"},
		"CALL first":       {func(h *aHost) { h.call(1, abi.OpDescribe, &abi.Empty{}) }, "the host began with CALL"},
		"bad JSON":         {hello(`{`), "HELLO is no JSON object with a version"},
		"no version":       {hello(`{}`), `HELLO has no version such as "1.0"`},
		"next major":       {hello(`{"version":"2.0"}`), "Berth speaks version 2.0 and this driver 1.0"},
		"earlier":          {hello(`{"version":"0.9"}`), "Berth speaks version 0.9 and this driver 1.0: update Berth, or build the driver for its version"},
		"half a HELLO":     {func(h *aHost) { h.raw(header(8, 0, 0)); _ = h.conn.Close() }, "the socket ended in a HELLO frame"},
		"half a header":    {func(h *aHost) { h.raw(header(8, 0, 0)[:3]); _ = h.conn.Close() }, "the socket ended in a frame's header"},
		"a later HELLO":    {func(h *aHost) { hello(`{"version":"1.0"}`)(h); hello(`{"version":"1.0"}`)(h) }, "the host: a second HELLO"},
		"no more":          {func(h *aHost) { hello(`{"version":"1.7"}`)(h); _ = h.conn.CloseWrite() }, ""},
		"a frame too long": {func(h *aHost) { hello(`{"version":"1.0"}`)(h); h.raw(header(maxPayload+1, 1, 1)) }, "the host: a CALL frame of 1048593 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosted(t, &own{Driver: inmemory.New()})
			c.host(h)
			h.ends(c.says)
		})
	}
}

func TestHostsThatBreakARule(t *testing.T) {
	putRequest := &abi.PutRequest{Path: "/a", Size: 10, Body: lent}
	for name, c := range map[string]struct {
		host func(h *aHost)
		says string
	}{
		"an unknown type":         {func(h *aHost) { h.raw(header(0, 2, 9)) }, "a frame of type 9"},
		"CALL that is short":      {func(h *aHost) { h.send(2, frameCall, make([]byte, 4)) }, "CALL of 4 bytes"},
		"CALL of a number in use": {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.call(2, abi.OpPut, putRequest) }, "the call 2 is under way"},
		"REPLY":                   {func(h *aHost) { h.send(2, frameReply, nil) }, "REPLY, which is the driver's to send"},
		"empty DATA":              {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.send(2, frameData, nil) }, "a DATA frame without a byte"},
		"DATA after END": {func(h *aHost) {
			h.call(2, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent, Body: lent, Size: 1}) // which waits for its receipts
			h.send(2, frameEnd, nil)
			h.send(2, frameData, []byte("x"))
		}, "DATA after the body's end"},
		"DATA beyond the credit": {func(h *aHost) {
			h.call(2, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent, Body: lent, Size: 1})
			h.send(2, frameData, make([]byte, window))
			h.send(2, frameData, []byte("x"))
		}, "1 bytes of DATA with a credit of 0"},
		"END that is garbage":      {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.send(2, frameEnd, []byte("garbage")) }, "END: malformed message"},
		"CREDIT beyond the window": {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.send(2, frameCredit, []byte{0, 0, 0, 1}) }, "CREDIT of 1 bytes, which makes 262145, more than the window"},
		"CREDIT that is no number": {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.send(2, frameCredit, nil) }, "CREDIT of 0 bytes"},
		"AGAIN":                    {func(h *aHost) { h.call(2, abi.OpPut, putRequest); h.send(2, frameAgain, nil) }, "AGAIN that nobody asked for"},
		"RECEIPTS": {func(h *aHost) {
			h.call(2, abi.OpPut, putRequest)
			h.send(2, frameReceipts, encoded(&abi.ReceiptsPage{}))
		}, "RECEIPTS for put"},
		"RECEIPTS that are garbage": {func(h *aHost) {
			h.call(2, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent})
			h.send(2, frameReceipts, []byte("garbage"))
		}, "RECEIPTS: malformed message"},
	} {
		t.Run(name, func(t *testing.T) {
			h := greeted(t, &own{Driver: inmemory.New()})
			c.host(h)
			h.ends("the host: " + c.says)
		})
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	h := hosted(t, &own{Driver: inmemory.New()})
	h.send(0, frameHello, []byte(`{"version":"1.0"}`))
	h.next(frameHello)
	h.call(1, abi.OpStat, &abi.PathRequest{Path: "/a"})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "a call before open")
	h.call(1, abi.OpDescribe, &abi.Empty{})
	h.next(frameReply)
	h.call(1, abi.OpOpen, &abi.OpenRequest{Params: []byte("[")})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "open: the parameters are no JSON object")
	h.call(1, abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "open comes once")
	_ = h.conn.Close()
	h.ends("")

	h = greeted(t, &own{Driver: inmemory.New()})
	h.call(2, 200, &abi.Empty{})
	h.failure(frameReply, storagedriver.KindUnsupported, "the operation 200 is not known")
	h.call(2, abi.OpOpen, &abi.OpenRequest{Params: []byte("{}")})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "open comes once")
	h.call(2, abi.OpPut, &abi.PutRequest{Path: "/a"})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "put without a body")
	h.send(2, frameCall, []byte{byte(abi.OpStat), 0, 0, 0, 0, 0xc1})
	h.failure(frameReply, storagedriver.KindInvalidArgument, "stat: malformed message")
	h.call(2, abi.OpDeleteTree, &abi.PathRequest{Path: "/b"})
	h.failure(frameReply, storagedriver.KindNotFound, "nothing is there")
	// What belongs to no call under way is thrown away.
	for _, kind := range []frameType{frameData, frameEnd, frameCredit, frameCancel, frameAgain, frameReceipts} {
		h.send(7, kind, []byte("x"))
	}
	h.call(2, abi.OpStat, &abi.PathRequest{Path: "/"})
	h.next(frameReply)
	_ = h.conn.Close()
	h.ends("")
}

// A host that goes away takes its calls along, whatever they wait for, and the driver is closed after them.
func TestAHostThatEndsEndsItsCalls(t *testing.T) {
	var under, closed atomic.Int64
	count := func() func() { under.Add(1); return func() { under.Add(-1) } }
	served := closing{&own{Driver: inmemory.New(), put: func(ctx context.Context, path string, body storagedriver.Source) error {
		defer count()()
		for range 2 {
			r, err := body.Open(ctx) // the second time it waits for AGAIN
			if err != nil {
				return err
			}
			if path == "/read" {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, stat: func(ctx context.Context, _ string) (storagedriver.Entry, error) {
		defer count()()
		<-ctx.Done()
		return storagedriver.Entry{}, ctx.Err()
	}, read: func(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, int64, error) {
		done := count()
		return closer{endless{ctx}, done}, 1 << 40, nil
	}}, &under, &closed, t}
	for _, abruptly := range []bool{true, false} {
		closed.Store(0)
		h := greeted(t, served)
		h.call(2, abi.OpPut, &abi.PutRequest{Path: "/read", Size: 10, Body: lent})
		h.call(3, abi.OpPut, &abi.PutRequest{Path: "/again", Size: 10, Body: lent})
		h.call(4, abi.OpStat, &abi.PathRequest{Path: "/a"})
		h.call(5, abi.OpRead, &abi.ReadRequest{Path: "/a", Len: -1})
		h.call(6, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent})
		until(t, "four calls are under way", func() bool { return under.Load() == 4 })
		if abruptly {
			_ = h.conn.Close()
		} else {
			_ = h.conn.CloseWrite() // and reads nothing
		}
		h.ends("")
		if closed.Load() != 1 {
			t.Errorf("the driver was closed %d times", closed.Load())
		}
	}
}

// closing is a Backend that is to be closed when nothing is under way.
type closing struct {
	*own
	under, closed *atomic.Int64
	t             *testing.T
}

func (c closing) Close() error {
	if n := c.under.Load(); n != 0 {
		c.t.Errorf("the driver is closed with %d calls under way", n)
	}
	c.closed.Add(1)
	return nil
}

type closer struct {
	io.Reader
	close func()
}

func (c closer) Close() error {
	c.close()
	return nil
}

func TestADriverThatCannotBeClosedSaysWhy(t *testing.T) {
	h := greeted(t, failingClose{&own{Driver: inmemory.New()}})
	_ = h.conn.Close()
	h.ends("the journal is not flushed")
}

type failingClose struct{ *own }

func (failingClose) Close() error { return errors.New("the journal is not flushed") }

// What a host sends for a body that nobody reads yet costs the driver its credit.
func TestCreditIsHeld(t *testing.T) {
	release := make(chan struct{})
	h := greeted(t, &own{Driver: inmemory.New(), put: func(ctx context.Context, _ string, body storagedriver.Source) error {
		r, err := body.Open(ctx)
		if err != nil {
			return err
		}
		<-release
		_, err = io.Copy(io.Discard, r)
		return err
	}})
	h.call(2, abi.OpPut, &abi.PutRequest{Path: "/a", Size: 2 * window, Body: lent})
	for range window / chunkSize {
		h.send(2, frameData, make([]byte, chunkSize))
	}
	close(release)
	var credit uint32
	for credit < window {
		credit += binary.BigEndian.Uint32(h.next(frameCredit).payload)
	}
	for range window / chunkSize {
		h.send(2, frameData, make([]byte, chunkSize))
	}
	h.next(frameCredit)
	h.next(frameCredit)
	h.send(2, frameEnd, nil)
	h.next(frameReply)
	_ = h.conn.Close()
	h.ends("")
}

func TestCancelIsAnswered(t *testing.T) {
	h := greeted(t, &own{Driver: inmemory.New(), stat: func(ctx context.Context, _ string) (storagedriver.Entry, error) {
		<-ctx.Done()
		return storagedriver.Entry{}, ctx.Err()
	}, read: func(ctx context.Context, _ string, _, _ int64) (io.ReadCloser, int64, error) {
		return io.NopCloser(&hanging{ctx, 0}), 1 << 20, nil
	}})
	h.call(2, abi.OpStat, &abi.PathRequest{Path: "/a"})
	h.send(2, frameCancel, nil)
	h.failure(frameReply, storagedriver.KindCanceled, "")
	h.call(2, abi.OpRead, &abi.ReadRequest{Path: "/a", Len: -1})
	h.next(frameReply)
	h.send(2, frameCancel, nil)
	h.failure(frameEnd, storagedriver.KindCanceled, "")
	h.call(2, abi.OpUploadCommit, &abi.UploadEndRequest{Token: "t", Receipts: lent}) // whose receipts do not come
	h.send(2, frameCancel, nil)
	h.failure(frameReply, storagedriver.KindCanceled, "")
	h.call(2, abi.OpPut, &abi.PutRequest{Path: "/a", Size: 1, Body: lent})
	h.send(2, frameCancel, nil)
	h.failure(frameReply, storagedriver.KindCanceled, "")
	payload, err := abi.Append([]byte{byte(abi.OpStat), 0, 0, 0, 50}, &abi.PathRequest{Path: "/a"}) // 50 ms
	if err != nil {
		t.Fatal(err)
	}
	h.send(2, frameCall, payload)
	h.failure(frameReply, storagedriver.KindDeadline, "")
	_ = h.conn.Close()
	h.ends("")
}

// An executable whose socket is none, or nothing, says so in one line.
func TestMainWithoutAHost(t *testing.T) {
	for name, redirect := range map[string]string{"nothing": "3<&-", "a file": "3</dev/null"} {
		c := exec.Command("/bin/sh", "-c", `exec "$0" '{}' `+redirect, ourselves(t))
		c.Env = []string{childVariable + "=1", modeVariable + "=inmemory"}
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		err := c.Run()
		want := "registry-storage-inmemory: this is a storage driver, which Berth starts: put it into a folder of BERTH_DRIVER_PATH and name it in the configuration\n"
		if c.ProcessState.ExitCode() != 2 || stderr.String() != want || stdout.Len() > 0 {
			t.Errorf("%s: %v, %q, %q", name, err, &stdout, &stderr)
		}
	}
}

// The exit status of Main, and its last words, when the host is none that it can serve.
func TestMainAndHosts(t *testing.T) {
	for name, c := range map[string]struct {
		host  func(h *aHost)
		how   string
		words string
	}{
		"the end":    {func(*aHost) {}, "exit status 0", ""},
		"bad JSON":   {func(h *aHost) { h.send(0, frameHello, []byte("{")) }, "exit status 1", "registry-storage-inmemory: HELLO is no JSON object with a version"},
		"next major": {func(h *aHost) { h.send(0, frameHello, []byte(`{"version":"2.0"}`)) }, "exit status 1", "registry-storage-inmemory: unsupported: Berth speaks version 2.0 and this driver 1.0: update Berth, or build the driver for its version"},
		"garbage":    {func(h *aHost) { h.raw([]byte("GET / HTTP/1.1\r\n")) }, "exit status 1", "registry-storage-inmemory: a frame of type 84, which there is not"},
	} {
		t.Run(name, func(t *testing.T) {
			config := inMode("inmemory")
			p := begin(t, processConfig{path: ourselves(t), argument: "{}", env: config.Env, confine: true, grace: time.Minute})
			h := &aHost{t: t, conn: p.host, out: newSender(p.host, 10*time.Second, nil)}
			c.host(h)
			_ = p.host.CloseWrite() // its words are told by the status
			ended(t, p, c.how)
			if words := p.lastWords(); words != c.words {
				t.Errorf("the last words are %q, wanted %q", words, c.words)
			}
		})
	}
}

// The last page of a table is one that is not full, also when there is nothing for it.
func TestReceiptsEndWithAPageThatIsNotFull(t *testing.T) {
	for n, want := range map[int][]int{0: nil, 1: {1}, 256: {256, 0}, 300: {256, 44}} {
		h := greeted(t, &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
			return storagedriver.Upload{Token: "t", Receipts: tableOf(n)}, nil
		}})
		h.call(2, abi.OpUploadOpen, &abi.UploadOpenRequest{Path: "/a", Receipts: lent})
		for _, count := range want {
			var page abi.ReceiptsPage
			if err := abi.Decode(h.next(frameReceipts).payload, &page); err != nil || len(page.Page) != count {
				t.Errorf("a page of %d receipts, %v; wanted %d of %d", len(page.Page), err, count, n)
			}
		}
		h.next(frameReply)
		_ = h.conn.Close()
		h.ends("")
	}
}

func TestTheFirstArgument(t *testing.T) {
	for argument, says := range map[string]string{
		"{}": "", `{"a":1}`: "", "": "no JSON object", "{bad": "no JSON object", "[1]": "no JSON object", "null": "no JSON object",
	} {
		err := checkArgument([]string{"registry-storage-x", argument})
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%q: %v, want %q", argument, err, says)
		}
	}
	if err := checkArgument([]string{"registry-storage-x"}); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("none: %v", err)
	}
}
