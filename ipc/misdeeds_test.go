//go:build unix

package ipc

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// misdeeds are what breaks a rule in a call of an opened driver.
var misdeeds = []struct {
	name  string
	child func(c *handmade)
	host  func(ctx context.Context, b *backend) error
	kind  storagedriver.Kind
	says  string
}{
	{"a frame too long", onCall(abi.OpStat, func(c *handmade, call uint32) { c.raw(header(maxPayload+1, call, 2)) }), statIt,
		storagedriver.KindGuest, "a REPLY frame of 1048593 bytes, more than 1048592"},
	{"a frame of the most bytes there are", onCall(abi.OpStat, func(c *handmade, call uint32) { c.raw(header(1<<32-1, call, 3)) }), statIt,
		storagedriver.KindGuest, "a DATA frame of 4294967295 bytes"},
	{"an unknown type", onCall(abi.OpStat, func(c *handmade, call uint32) { c.raw(header(0, call, 9)) }), statIt,
		storagedriver.KindGuest, "a frame of type 9, which there is not"},
	{"dies in a header", onCall(abi.OpStat, func(c *handmade, call uint32) { c.raw(header(8, call, 2)[:5]); os.Exit(6) }), statIt,
		storagedriver.KindUnavailable, "the driver's process ended (exit status 6)"},
	{"dies in a frame", onCall(abi.OpStat, func(c *handmade, call uint32) { c.raw(append(header(8, call, 2), 0x80)); os.Exit(6) }), statIt,
		storagedriver.KindUnavailable, "the driver's process ended (exit status 6)"},
	{"DATA before REPLY", onCall(abi.OpRead, func(c *handmade, call uint32) { c.send(call, frameData, []byte("x")) }), readIt,
		storagedriver.KindGuest, "DATA before the REPLY to read"},
	{"END before REPLY", onCall(abi.OpRead, func(c *handmade, call uint32) { c.send(call, frameEnd, nil) }), readIt,
		storagedriver.KindGuest, "END before the REPLY to read"},
	{"a second REPLY", onCall(abi.OpRead, func(c *handmade, call uint32) { promise(c, call, 10); promise(c, call, 10) }), readIt,
		storagedriver.KindGuest, "a second REPLY to read"},
	{"REPLY to an unknown call", onCall(abi.OpStat, func(c *handmade, call uint32) { c.reply(call+1, &abi.Empty{}) }), statIt,
		storagedriver.KindGuest, "REPLY for the call 3, which there is not"},
	{"DATA in an unknown call", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call+1, frameData, []byte("x")) }), statIt,
		storagedriver.KindGuest, "DATA for the call 3, which there is not"},
	{"empty DATA", onCall(abi.OpRead, func(c *handmade, call uint32) { promise(c, call, 10); c.send(call, frameData, nil) }), readIt,
		storagedriver.KindGuest, "a DATA frame without a byte"},
	{"DATA beyond the credit", onCall(abi.OpRead, func(c *handmade, call uint32) {
		promise(c, call, 1<<20)
		c.send(call, frameData, make([]byte, window))
		c.send(call, frameData, []byte("x"))
	}), func(ctx context.Context, b *backend) error {
		r, _, err := b.Read(ctx, "/a", 0, -1)
		if err != nil {
			return err
		}
		defer r.Close()
		<-b.running.ended // nothing was consumed
		_, err = readAll(r)
		return err
	}, storagedriver.KindGuest, "1 bytes of DATA with a credit of 0"},
	{"DATA after END", onCall(abi.OpRead, func(c *handmade, call uint32) {
		promise(c, call, 1)
		c.send(call, frameData, []byte("x"))
		c.send(call, frameEnd, nil)
		c.send(call, frameData, []byte("x"))
	}), thenStat(readIt), storagedriver.KindGuest, "DATA for the call 2, which there is not"},
	{"END with garbage", onCall(abi.OpRead, func(c *handmade, call uint32) { promise(c, call, 10); c.send(call, frameEnd, []byte("garbage")) }), readIt,
		storagedriver.KindGuest, "END: malformed message"},
	{"END with what is no error", onCall(abi.OpRead, func(c *handmade, call uint32) { promise(c, call, 10); c.send(call, frameEnd, encoded(&abi.Empty{})) }), readIt,
		storagedriver.KindGuest, "END with a message that is no error"},
	{"RECEIPTS for stat", onCall(abi.OpStat, func(c *handmade, call uint32) { receipts(c, call, 1) }), statIt, storagedriver.KindGuest, "RECEIPTS for stat"},
	{"RECEIPTS that are garbage", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) { c.send(call, frameReceipts, []byte("garbage")) }), openUploadOf,
		storagedriver.KindGuest, "RECEIPTS: malformed message"},
	{"RECEIPTS that do not ascend", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) { receipts(c, call, 1, 2); receipts(c, call, 2) }), openUploadOf,
		storagedriver.KindGuest, "RECEIPTS with the number 2 after 2"},
	{"RECEIPTS of part 0", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) { receipts(c, call, 0) }), openUploadOf, storagedriver.KindGuest, "RECEIPTS with the number 0"},
	{"too many RECEIPTS", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) { receipts(c, call, 100_001) }), openUploadOf,
		storagedriver.KindGuest, "the number 100001 of a receipt is not 1 to 100000"},
	{"RECEIPTS after REPLY", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) {
		c.reply(call, &abi.UploadOpenReply{Token: "t", Body: lent, Len: 1})
		receipts(c, call, 1)
	}), func(ctx context.Context, b *backend) error {
		up, err := b.OpenUpload(ctx, "/a", true)
		if err != nil {
			return err
		}
		r, err := up.Tail.Open(ctx)
		if err != nil {
			return err
		}
		_, err = readAll(r)
		return err
	}, storagedriver.KindGuest, "RECEIPTS after the REPLY to upload_open"},
	{"CREDIT beyond the window", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameCredit, []byte{0, 0, 0, 1}) }), statIt,
		storagedriver.KindGuest, "CREDIT of 1 bytes, which makes 262145, more than the window"},
	{"CREDIT that is no number", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameCredit, []byte{1}) }), statIt, storagedriver.KindGuest, "CREDIT of 1 bytes"},
	{"AGAIN with a payload", onCall(abi.OpPut, func(c *handmade, call uint32) { c.send(call, frameAgain, []byte("x")) }), putIt, storagedriver.KindGuest, "AGAIN of 1 bytes"},
	{"CALL", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameCall, make([]byte, 5)) }), statIt, storagedriver.KindGuest, "CALL, which is the host's to send"},
	{"CANCEL", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameCancel, nil) }), statIt, storagedriver.KindGuest, "CANCEL, which is the host's to send"},
	{"HELLO later", onCall(abi.OpStat, func(c *handmade, _ uint32) { c.hello(`{"version":"1.0"}`); c.hello(`{"version":"1.0"}`) }), statIt,
		storagedriver.KindGuest, "a second HELLO"},
	{"REPLY that is garbage", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameReply, []byte("garbage")) }), statIt,
		storagedriver.KindGuest, "stat: malformed message"},
	{"REPLY that is empty", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameReply, nil) }), statIt, storagedriver.KindGuest, "stat: malformed message"},
	{"REPLY that goes on", onCall(abi.OpStat, func(c *handmade, call uint32) { c.send(call, frameReply, append(encoded(&abi.Empty{}), 0)) }), statIt,
		storagedriver.KindGuest, "stat: malformed message"},
	{"an entry with a slash", listing(abi.ListReply{Entries: []abi.Entry{{Name: "../../etc/\x1b"}}}), listIt, storagedriver.KindGuest, `the entry "../../etc/\x1b" has a slash`},
	{"an entry that is no name", listing(abi.ListReply{Entries: []abi.Entry{{Name: ".."}}}), listIt, storagedriver.KindGuest, `the entry ".." is no name`},
	{"the cursor it was given", listing(abi.ListReply{Cursor: "c"}), listIt, storagedriver.KindGuest, "the cursor of a page is that of the page before"},
	{"a cursor too long", listing(abi.ListReply{Cursor: strings.Repeat("c", 5000)}), listIt, storagedriver.KindGuest, "a cursor of 5000 bytes"},
	{"a tree that climbs", onCall(abi.OpListTree, func(c *handmade, call uint32) {
		c.reply(call, &abi.ListReply{Entries: []abi.Entry{{Name: "a/../../b"}}})
	}), func(ctx context.Context, b *backend) error { _, err := b.ListTree(ctx, "/", "", "", 0); return err }, storagedriver.KindGuest, "is no name"},
	{"uploads that climb", onCall(abi.OpListUploads, func(c *handmade, call uint32) {
		c.reply(call, &abi.ListReply{Entries: []abi.Entry{{Name: "a/../../b"}}})
	}), func(ctx context.Context, b *backend) error { _, err := b.ListUploads(ctx, "/", "", 0); return err }, storagedriver.KindGuest, "is no name"},
	{"a promise beyond what was asked", onCall(abi.OpRead, func(c *handmade, call uint32) { promise(c, call, 11) }), readTen,
		storagedriver.KindGuest, "it promises 11 bytes, asked for 10"},
	{"a body and data", onCall(abi.OpRead, func(c *handmade, call uint32) {
		c.reply(call, &abi.ReadReply{Len: 1, Data: []byte("x"), Body: lent})
	}), readIt, storagedriver.KindGuest, "it answers with a body and with data"},
	{"less data than promised", onCall(abi.OpRead, func(c *handmade, call uint32) { c.reply(call, &abi.ReadReply{Len: 10, Data: []byte("x")}) }), readIt,
		storagedriver.KindGuest, "it promises 10 bytes and answers with 1"},
	{"more data than promised", onCall(abi.OpRead, func(c *handmade, call uint32) { c.reply(call, &abi.ReadReply{Len: 1, Data: []byte("xyz")}) }), readIt,
		storagedriver.KindGuest, "it promises 1 bytes and answers with 3"},
	{"no token", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) { c.reply(call, &abi.UploadOpenReply{}) }), openUploadOf,
		storagedriver.KindGuest, "upload_open: a token of 0 bytes, not 1 to 2048"},
	{"a token too long", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) {
		c.reply(call, &abi.UploadOpenReply{Token: strings.Repeat("t", 2049)})
	}), openUploadOf, storagedriver.KindGuest, "upload_open: a token of 2049 bytes, not 1 to 2048"},
	{"a digest that there is not", onCall(abi.OpUploadOpen, func(c *handmade, call uint32) {
		c.reply(call, &abi.UploadOpenReply{Token: "t", Limits: abi.Limits{Digests: []string{"md4"}}})
	}), openUploadOf, storagedriver.KindGuest, `the digest "md4"`},
	{"a receipt too long", onCall(abi.OpUploadPart, func(c *handmade, call uint32) {
		c.reply(call, &abi.UploadPartReply{Data: make([]byte, 1025)})
	}), func(ctx context.Context, b *backend) error {
		_, err := b.PutPart(ctx, "t", storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("x")})
		return err
	}, storagedriver.KindGuest, "a receipt of 1025 bytes, more than 1024"},
	{"the secret in what breaks a rule", listing(abi.ListReply{Entries: []abi.Entry{{Name: "/" + theSecret}}}), listIt, storagedriver.KindGuest, `the entry "/(secret)"`},
}

// onCall is a driver that does something when op is called, and goes on as if it had not.
func onCall(op abi.Op, do func(c *handmade, call uint32)) func(c *handmade) {
	return func(c *handmade) {
		do(c, c.until(op))
		c.serve()
	}
}

func listing(reply abi.ListReply) func(c *handmade) {
	return onCall(abi.OpList, func(c *handmade, call uint32) { c.reply(call, &reply) })
}

// promise answers read with a body that is to come.
func promise(c *handmade, call uint32, n int64) { c.reply(call, &abi.ReadReply{Len: n, Body: lent}) }

func receipts(c *handmade, call uint32, numbers ...int64) {
	var page abi.ReceiptsPage
	for _, n := range numbers {
		page.Page = append(page.Page, abi.Receipt{Num: n})
	}
	c.send(call, frameReceipts, encoded(&page))
}

func statIt(ctx context.Context, b *backend) error {
	_, err := b.Stat(ctx, "/a")
	return err
}

func listIt(ctx context.Context, b *backend) error {
	_, err := b.List(ctx, "/a", "c", 10)
	return err
}

func putIt(ctx context.Context, b *backend) error {
	return b.Put(ctx, "/a", storagedriver.BytesSource("content"))
}

func openUploadOf(ctx context.Context, b *backend) error {
	_, err := b.OpenUpload(ctx, "/a", true)
	return err
}

func readIt(ctx context.Context, b *backend) error { return readSome(ctx, b, -1) }

func readTen(ctx context.Context, b *backend) error { return readSome(ctx, b, 10) }

func readSome(ctx context.Context, b *backend, n int64) error {
	r, _, err := b.Read(ctx, "/a", 0, n)
	if err != nil {
		return err
	}
	_, err = readAll(r)
	return err
}

// thenStat is a call that succeeds, and another, which hears of what came with the first.
func thenStat(call func(ctx context.Context, b *backend) error) func(ctx context.Context, b *backend) error {
	return func(ctx context.Context, b *backend) error {
		r := b.running
		if err := call(ctx, b); err != nil {
			return err
		}
		<-r.ended
		return r.explain(ctx, errLost)
	}
}

func TestMisdeedsEndTheProcess(t *testing.T) {
	for _, m := range misdeeds {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			b := driverIn(t, inMode("misdeed: "+m.name), map[string]any{"password": theSecret})
			pid := b.pid()
			err := m.host(lasting(t, time.Minute), b)
			wantFault(t, err, m.kind, m.says)
			if m.kind == storagedriver.KindGuest && !strings.Contains(err.Error(), "killed, because it broke a rule of docs/ipc.md: ") {
				t.Errorf("%q does not say what became of the process", err)
			}
			gone(t, pid)
		})
	}
}

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	childModes["open refused"] = byHand(onCall(abi.OpOpen, func(c *handmade, call uint32) {
		c.reply(call, &abi.Error{Kind: abi.Kind(storagedriver.KindPermission), Message: "the server refuses\n" + theSecret, Status: 403})
	}))
	childModes["open is garbage"] = byHand(onCall(abi.OpOpen, func(c *handmade, call uint32) { c.send(call, frameReply, []byte{0xc1}) }))
	childModes["short body"] = body(10, frameEnd, nil)
	childModes["long body"] = body(2, frameEnd, nil)
	childModes["failing body"] = body(10, frameEnd, encoded(&abi.Error{Kind: abi.Kind(storagedriver.KindNoSpace), Temporary: true, Message: "lost\x1b " + theSecret}))
	childModes["bad request"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpStat), &abi.Error{Kind: abi.Kind(storagedriver.KindUnavailable), Temporary: true, After: 1500, Message: "busy with " + theSecret})
		c.serve()
	})
}

// body is a driver that answers read with a promise of n bytes, and with 5.
func body(n int64, kind frameType, end []byte) func() {
	return byHand(func(c *handmade) {
		for {
			call := c.until(abi.OpRead)
			promise(c, call, n)
			c.send(call, frameData, []byte("12345"))
			c.send(call, kind, end)
		}
	})
}

func TestOpenThatFailsSaysWhy(t *testing.T) {
	var all started
	parameters := map[string]any{"password": theSecret}
	_, err := described(t, all.noting(inMode("open refused"))).Open(t.Context(), parameters)
	wantFault(t, err, storagedriver.KindPermission, `the server refuses\n(secret) (HTTP status 403)`)
	_, err = described(t, all.noting(inMode("open is garbage"))).Open(t.Context(), parameters)
	wantFault(t, err, storagedriver.KindGuest, ourselves(t), "open: ", "malformed message")
	all.noneLeft(t)
}

func TestErrorsOfADriverAreTold(t *testing.T) {
	b := driverIn(t, inMode("bad request"), map[string]any{"password": theSecret})
	err := statIt(t.Context(), b)
	wantLost(t, err, "busy with (secret)")
	if e, ok := err.(*storagedriver.Error); !ok || e.RetryAfter != 1500*time.Millisecond {
		t.Errorf("%#v has no RetryAfter of 1.5s", err)
	}
	if err := statIt(t.Context(), b); err != nil {
		t.Errorf("the process did not go on: %v", err)
	}
}

// A body that is not what was promised breaks no rule that the process must die of: the reader is told, at its end.
func TestBodiesThatAreNotWhatWasPromised(t *testing.T) {
	for mode, want := range map[string]struct {
		kind storagedriver.Kind
		says string
	}{
		"short body":   {storagedriver.KindCorrupt, "the body ended after 5 of 10 bytes"},
		"long body":    {storagedriver.KindCorrupt, "the body goes on after the promised 2 bytes"},
		"failing body": {storagedriver.KindNoSpace, `lost\x1b (secret)`},
	} {
		b := driverIn(t, inMode(mode), map[string]any{"password": theSecret})
		pid := b.pid()
		for range 3 {
			wantFault(t, readIt(t.Context(), b), want.kind, want.says)
		}
		if b.pid() != pid {
			t.Errorf("%s: the process was started again", mode)
		}
		b.running.noCalls(t)
	}
}

// noCalls waits until no call is under way.
func (r *running) noCalls(t testing.TB) {
	t.Helper()
	until(t, "no call is under way", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.calls) == 0
	})
}
