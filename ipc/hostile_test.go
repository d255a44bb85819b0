//go:build unix

package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	for _, m := range strangers {
		childModes["stranger: "+m.name] = byHand(m.child)
	}
	for _, m := range misdeeds {
		childModes["misdeed: "+m.name] = byHand(m.child)
	}
}

// strangers are executables that Load refuses, as drivers of this version or as drivers at all.
var strangers = []struct {
	name  string
	child func(c *handmade)
	kind  storagedriver.Kind
	says  string
}{
	{"text", func(c *handmade) { c.raw([]byte("Listening on :8080, press Ctrl-C to stop\n")); c.serve() },
		storagedriver.KindGuest, "HELLO: the driver's process was killed, because it broke a rule of docs/ipc.md: a frame of type 103, which there is not"},
	{"zeros", func(c *handmade) { c.raw(make([]byte, 100)); c.serve() }, storagedriver.KindGuest, "HELLO is no JSON object with a version"},
	{"next major", func(c *handmade) { c.until(helloItself); c.hello(`{"version":"2.0"}`); c.serve() },
		storagedriver.KindUnsupported, "it speaks version 2.0 and Berth 1.0: the major must be equal and the minor no greater"},
	{"next minor", func(c *handmade) { c.until(helloItself); c.hello(`{"version":"1.1"}`); c.serve() },
		storagedriver.KindUnsupported, "it speaks version 1.1 and Berth 1.0"},
	{"bad JSON", func(c *handmade) { c.until(helloItself); c.hello(`{"version":`); c.serve() }, storagedriver.KindGuest, "HELLO is no JSON object with a version"},
	{"no version", func(c *handmade) { c.until(helloItself); c.hello(`{"name":"x"}`); c.serve() }, storagedriver.KindGuest, `HELLO has no version such as "1.0"`},
	{"odd version", func(c *handmade) { c.until(helloItself); c.hello(`{"version":"1.0\u001b[31m"}`); c.serve() }, storagedriver.KindGuest, "HELLO has no version"},
	{"HELLO in a call", func(c *handmade) { c.send(7, frameHello, []byte(`{"version":"1.0"}`)); c.serve() }, storagedriver.KindGuest, "HELLO in the call 7"},
	{"HELLO twice", func(c *handmade) {
		c.hello(`{"version":"1.0"}`)
		c.until(abi.OpDescribe) // the first was taken, with the one that until sends
		c.serve()
	}, storagedriver.KindGuest, "a second HELLO"},
	{"REPLY first", func(c *handmade) { c.reply(1, &abi.Empty{}); c.serve() }, storagedriver.KindGuest, "REPLY for the call 1, which there is not"},
	{"dies with words", func(*handmade) {
		fmt.Fprintln(os.Stderr, "cannot load libsqlite3.so.0")
		os.Exit(3)
	}, storagedriver.KindUnavailable, "HELLO: the driver's process ended (exit status 3); its last words: cannot load libsqlite3.so.0"},
	{"dies without", func(*handmade) { os.Exit(0) }, storagedriver.KindUnavailable, "HELLO: the driver's process ended (exit status 0)"},
	{"panics", func(*handmade) { panic("no disk") }, storagedriver.KindUnavailable, "(exit status 2); its last words: panic: no disk"},
	{"closes its socket, then dies", func(c *handmade) {
		_ = c.conn.Close()
		_ = os.NewFile(socket, "socket").Close()
		<-time.After(50 * time.Millisecond) // what it does at its end, for which it is not yet killed
		fmt.Fprintln(os.Stderr, "at last")
		os.Exit(4)
	}, storagedriver.KindUnavailable, "(exit status 4); its last words: at last"},
	{"describe refused", func(c *handmade) {
		c.reply(c.until(abi.OpDescribe), &abi.Error{Kind: abi.Kind(storagedriver.KindNoSpace), Message: "no\nroom"})
		c.serve()
	}, storagedriver.KindNoSpace, `describe: no\nroom`},
	{"describe is garbage", func(c *handmade) { c.send(c.until(abi.OpDescribe), frameReply, []byte("garbage")); c.serve() }, storagedriver.KindGuest, "describe: malformed message"},
	{"dies of describe", func(c *handmade) { c.until(abi.OpDescribe); os.Exit(5) }, storagedriver.KindUnavailable, "describe: the driver's process ended (exit status 5)"},
	{"manifest is garbage", manifest("{{"), storagedriver.KindInvalidArgument, "its manifest: malformed message: the manifest: invalid character"},
	{"manifest is nothing", manifest(""), storagedriver.KindInvalidArgument, "its manifest: malformed message: the manifest: unexpected end"},
	{"manifest without a name", manifest(`{"version":"1"}`), storagedriver.KindInvalidArgument, `its manifest: malformed message: the manifest's name ""`},
	{"manifest with an odd name", manifest(`{"name":"../\u001b\n"}`), storagedriver.KindInvalidArgument, "the manifest's name"},
	{"schema of an odd type", manifest(`{"name":"a","schema":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"rope"}}}}`),
		storagedriver.KindInvalidArgument, "the manifest's schema"},
	{"schema that is open", manifest(`{"name":"a","schema":{"type":"object"}}`), storagedriver.KindInvalidArgument, `"additionalProperties": false`},
	{"schema with a reference", manifest(`{"name":"a","schema":{"type":"object","additionalProperties":false,"properties":{"a":{"$ref":"file:///etc/passwd"}}}}`),
		storagedriver.KindInvalidArgument, `the manifest's schema has a "$ref"`},
}

func manifest(text string) func(c *handmade) {
	return func(c *handmade) {
		c.reply(c.until(abi.OpDescribe), &abi.DescribeReply{Manifest: []byte(text)})
		c.serve()
	}
}

// loaded calls Load and sees to it that the process it started is gone.
func loaded(t *testing.T, ctx context.Context, path string, c Config) (*Driver, error) {
	t.Helper()
	var all started
	d, err := Load(ctx, path, all.noting(c))
	all.noneLeft(t)
	return d, err
}

func TestStrangersAreNotLoaded(t *testing.T) {
	for _, m := range strangers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d, err := loaded(t, t.Context(), ourselves(t), inMode("stranger: "+m.name))
			if d != nil {
				t.Errorf("a driver: %+v", d)
			}
			wantFault(t, err, m.kind, ourselves(t), m.says)
			if strings.Count(err.Error(), m.kind.String()+": ") != 1 {
				t.Errorf("%q does not say %q once", err, m.kind)
			}
		})
	}
}

func TestAScriptThatEndsAtOnceIsNotLoaded(t *testing.T) {
	path := written(t, "#!/bin/sh\nexit 0\n", 0o700)
	_, err := loaded(t, t.Context(), path, Config{Logger: (&lines{}).logger()})
	wantLost(t, err, path, "HELLO: the driver's process ended (exit status 0)")
}

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	childModes["silent"] = block
	childModes["no describe"] = byHand(func(c *handmade) { c.until(abi.OpDescribe); block() })
	childModes["no open"] = byHand(func(c *handmade) { c.until(abi.OpOpen); block() })
	childModes["no stat"] = byHand(func(c *handmade) { c.until(abi.OpStat); block() })
	childModes["hasty"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpDescribe), &abi.DescribeReply{Manifest: []byte(`{"name":"hasty"}`)})
		os.Exit(0)
	})
	childModes["chatty"] = byHand(func(c *handmade) { fmt.Println("{\"listening\":true}\x1b[2J"); c.serve() })
}

func TestAnExecutableThatNeverAnswersIsKilledInTime(t *testing.T) {
	for mode, op := range map[string]string{"silent": "HELLO", "no describe": "describe"} {
		c := inMode(mode)
		c.StartTimeout, c.Grace = 500*time.Millisecond, time.Minute
		within(t, 20*time.Second, mode, func() {
			_, err := loaded(t, t.Context(), ourselves(t), c)
			wantLost(t, err, ourselves(t), op+": it has not answered within 500ms")
		})
		c.StartTimeout = time.Minute
		within(t, 20*time.Second, mode, func() {
			_, err := loaded(t, lasting(t, 300*time.Millisecond), ourselves(t), c)
			wantFault(t, err, storagedriver.KindDeadline, ourselves(t))
		})
	}
}

func TestADriverMayEndWhenItHasDescribedItself(t *testing.T) {
	for range 3 {
		d, err := loaded(t, t.Context(), ourselves(t), inMode("hasty"))
		if err != nil || d.Manifest().Name != "hasty" || d.Version() != "1.0" {
			t.Fatalf("%+v, %v", d, err)
		}
	}
}

func TestWhatADriverPrintsGoesToTheLog(t *testing.T) {
	var log lines
	c := inMode("chatty")
	c.Logger = log.logger()
	if _, err := loaded(t, t.Context(), ourselves(t), c); err != nil {
		t.Fatal(err)
	}
	if got := log.with("listening"); len(got) != 1 || strings.Contains(got[0], "\x1b") || strings.Count(got[0], "\n") != 1 {
		t.Errorf("the log has %q", got)
	}
}

func TestOpenThatIsNeverAnsweredEndsInTime(t *testing.T) {
	c := inMode("no open")
	c.StartTimeout, c.Grace = 500*time.Millisecond, time.Minute
	var all started
	within(t, 20*time.Second, "Open", func() {
		_, err := described(t, all.noting(c)).Open(t.Context(), nil)
		wantLost(t, err, ourselves(t), "open: it has not answered within 500ms")
	})
	c.StartTimeout = time.Minute
	within(t, 20*time.Second, "Open", func() {
		_, err := described(t, all.noting(c)).Open(lasting(t, 300*time.Millisecond), nil)
		wantFault(t, err, storagedriver.KindDeadline, ourselves(t), "open: ")
	})
	all.noneLeft(t)
}

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

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	// Answers stat when it is told that nobody wants the answer, and not before.
	childModes["late"] = byHand(func(c *handmade) {
		for {
			call := c.until(abi.OpStat)
			for f := c.next(); f.kind != frameCancel; f = c.next() {
			}
			c.reply(call, &abi.Entry{Size: 1})
		}
	})
	// Reads nothing once it is open.
	childModes["deaf"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpOpen), &abi.OpenReply{Caps: abi.AllAbilities})
		block()
	})
	// Sends nothing and reads all.
	childModes["mute"] = byHand(func(c *handmade) {
		c.reply(c.until(abi.OpOpen), &abi.OpenReply{Caps: abi.AllAbilities})
		for {
			c.next()
		}
	})
	// Leaves the first stat unanswered, and answers the others.
	childModes["forgetful"] = byHand(func(c *handmade) {
		c.until(abi.OpStat)
		c.serve()
	})
}

func TestACallThatIsNeverAnsweredEndsWithItsContext(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, b *backend) error{
		"stat": statIt, "put": putIt, "list": listIt, "read": readIt, "upload_open": openUploadOf,
		"a large put": func(ctx context.Context, b *backend) error {
			return b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, 4*window)))
		},
	} {
		for _, mode := range []string{"mute", "deaf"} {
			if mode == "deaf" && name != "stat" && name != "a large put" {
				continue
			}
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				b := driverIn(t, inMode(mode), nil)
				r := b.running
				within(t, 10*time.Second, "the call", func() {
					wantFault(t, call(lasting(t, 100*time.Millisecond), b), storagedriver.KindDeadline, "deadline exceeded")
				})
				gone(t, r.p.pid()) // after CancelTimeout
				wantLost(t, r.explain(t.Context(), errLost), "the driver's process was killed: ", " was cancelled and is not over after 200ms")
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(100*time.Millisecond, cancel)
				wantFault(t, call(ctx, b), storagedriver.KindCanceled, "canceled")
				until(t, "the process was started again", func() bool { return b.pid() != r.p.pid() })
			})
		}
	}
}

// Others do not suffer from a call that is never answered until the process is killed for it; those under way then are told that they may be repeated.
func TestTheCallsBesideOneThatIsNeverAnswered(t *testing.T) {
	c := inMode("forgetful")
	c.CancelTimeout = time.Second
	b := driverIn(t, c, nil)
	pid := b.pid()
	wantFault(t, statIt(lasting(t, 50*time.Millisecond), b), storagedriver.KindDeadline)
	for range 10 {
		if err := statIt(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if b.pid() != pid {
		t.Errorf("the process was killed before its time")
	}
	gone(t, pid)
}

func TestACallMayEndInTimeAfterItWasCancelled(t *testing.T) {
	c := inMode("late")
	c.Settle = 30 * time.Second
	b := driverIn(t, c, nil)
	pid := b.pid()
	within(t, 10*time.Second, "three calls", func() {
		for range 3 {
			wantFault(t, statIt(lasting(t, 50*time.Millisecond), b), storagedriver.KindDeadline)
		}
	})
	b.running.noCalls(t)
	if b.pid() != pid {
		t.Errorf("the process was started again")
	}
}

// jam fills the socket to a driver that does not read, and returns what the calls that fill it will return.
func jam(t *testing.T, ctx context.Context, b *backend, calls int) <-chan error {
	t.Helper()
	errs := make(chan error, calls)
	for range calls {
		go func() { errs <- b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, 4*window))) }()
	}
	until(t, "the socket is full", func() bool {
		out := b.running.out
		out.mu.Lock()
		defer out.mu.Unlock()
		return out.writing != 0 && len(b.running.out.turn) == 1 && b.running.calling() == calls
	})
	return errs
}

func (l *link) calling() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}

// A driver that does not read holds up no call beyond its context, whether its frames wait for their turn or are half written.
func TestADriverThatDoesNotReadHoldsUpNobody(t *testing.T) {
	c := inMode("deaf")
	c.CancelTimeout = time.Minute
	b := driverIn(t, c, nil)
	ctx, cancel := context.WithCancel(t.Context())
	errs := jam(t, ctx, b, 4)
	within(t, 5*time.Second, "a call beside them", func() {
		wantFault(t, statIt(lasting(t, 100*time.Millisecond), b), storagedriver.KindDeadline)
	})
	within(t, 5*time.Second, "the ends of the calls", func() {
		cancel()
		for range 4 {
			wantFault(t, <-errs, storagedriver.KindCanceled)
		}
	})
	if !b.running.alive() {
		t.Errorf("the process was killed: %v", b.running.reason())
	}
}

// A driver that does not read is killed in the end, also when no call is cancelled.
func TestADriverThatDoesNotReadIsKilled(t *testing.T) {
	b := driverIn(t, inMode("deaf"), nil)
	b.running.out.timeout = 300 * time.Millisecond
	r := b.running
	errs := jam(t, t.Context(), b, 4)
	for range 4 {
		wantLost(t, <-errs, "the driver's process was killed: it has not read what was sent for 300ms")
	}
	gone(t, r.p.pid())
}

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	childModes["noisy"] = byHand(func(c *handmade) {
		call := c.until(abi.OpStat)
		line := strings.Repeat("noise ", 20) + "\n"
		for range 50_000 {
			fmt.Print(line)
			fmt.Fprint(os.Stderr, line)
		}
		fmt.Fprint(os.Stderr, strings.Repeat("x", 20<<20)) // without an end
		c.reply(call, &abi.Entry{})
		c.serve()
	})
	// A body of one byte a frame.
	childModes["crumbs"] = byHand(func(c *handmade) {
		for {
			call := c.until(abi.OpRead)
			promise(c, call, crumbs)
			crumb := append(header(1, call, byte(frameData)), 'x')
			c.raw(bytes.Repeat(crumb, crumbs))
			c.send(call, frameEnd, nil)
		}
	})
	// Frames that are all right, for ever.
	for name, f := range map[string]func(call uint32) []byte{
		"REPLY":   nil,
		"AGAIN":   func(call uint32) []byte { return header(0, call, byte(frameAgain)) },
		"CREDIT":  func(call uint32) []byte { return append(header(4, call, byte(frameCredit)), 0, 0, 0, 0) },
		"CREDIT2": func(call uint32) []byte { return append(header(4, call+9, byte(frameCredit)), 255, 0, 0, 0) },
	} {
		if f != nil {
			childModes["flood of "+name] = byHand(onCall(abi.OpPut, func(c *handmade, call uint32) {
				flood := bytes.Repeat(f(call), 1000)
				for {
					c.raw(flood)
				}
			}))
		}
	}
}

func TestFloodsOfOutputAreBounded(t *testing.T) {
	var log lines
	c := inMode("noisy")
	c.Logger = log.logger()
	b := driverIn(t, c, nil)
	before := heap()
	if err := statIt(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	if err := statIt(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if n := len(log.with("noise")); n < 100 || n > 5000 {
		t.Errorf("%d of 100,000 lines were logged", n)
	}
	if longest := slices.MaxFunc(log.with(""), func(a, b string) int { return len(a) - len(b) }); len(longest) > 5000 {
		t.Errorf("a line of %d bytes was logged", len(longest))
	}
}

// crumbs is how many frames of one byte a body is cut into.
const crumbs = window / 8

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Credit is of bytes, and what a body costs while nobody reads it is bounded by its credit, into however many frames it is cut.
func TestBodiesThatNobodyReadCostTheirCredit(t *testing.T) {
	b := driverIn(t, inMode("crumbs"), nil)
	before := heap()
	var bodies []io.ReadCloser
	for range 4 {
		r, n, err := b.Read(t.Context(), "/a", 0, -1)
		if err != nil || n != crumbs {
			t.Fatalf("%d, %v", n, err)
		}
		bodies = append(bodies, r)
	}
	b.running.noCalls(t) // all has come
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("4 bodies of %d bytes cost %d", crumbs, grown)
	}
	for _, r := range bodies {
		got, err := readAll(r)
		if err != nil {
			t.Error(err)
		}
		sameBytes(t, "the body", got, bytes.Repeat([]byte("x"), crumbs))
	}
}

func TestFloodsOfFramesHoldUpNobody(t *testing.T) {
	for _, name := range []string{"AGAIN", "CREDIT", "CREDIT2"} {
		b := driverIn(t, inMode("flood of "+name), nil)
		r := b.running
		before := heap()
		within(t, 20*time.Second, name, func() {
			wantFault(t, putIt(lasting(t, 200*time.Millisecond), b), storagedriver.KindDeadline)
		})
		gone(t, r.p.pid())
		if grown := heap() - before; grown > 8<<20 {
			t.Errorf("%s: the heap has grown by %d bytes", name, grown)
		}
	}
}

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	dying := func(do func()) func(c *handmade, call uint32) {
		return func(*handmade, uint32) {
			fmt.Fprintln(os.Stderr, "the disk is on fire, "+theSecret)
			do()
		}
	}
	exit := func() { os.Exit(7) }
	killed := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); block() }
	childModes["dies of put"] = byHand(onCall(abi.OpPut, dying(exit)))
	childModes["is killed in put"] = byHand(onCall(abi.OpPut, dying(killed)))
	childModes["dies of commit"] = byHand(onCall(abi.OpUploadCommit, dying(exit)))
	childModes["dies of read"] = byHand(onCall(abi.OpRead, dying(exit)))
	childModes["dies in a body"] = byHand(onCall(abi.OpRead, func(c *handmade, call uint32) {
		promise(c, call, 10)
		c.send(call, frameData, []byte("12345"))
		dying(exit)(c, call)
	}))
	childModes["dies when it is fed"] = byHand(onCall(abi.OpPut, func(c *handmade, call uint32) {
		for f := c.next(); f.kind != frameData; f = c.next() {
		}
		dying(exit)(c, call)
	}))
	childModes["grandchild"] = byHand(onCall(abi.OpStat, func(*handmade, uint32) {
		s := sleeper()
		s.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		s.Stdout, s.Stderr = os.Stdout, os.Stderr
		s.ExtraFiles = []*os.File{os.NewFile(socket, "socket")}
		if err := s.Start(); err != nil {
			fmt.Println(err)
		}
		fmt.Println("grandchild", s.Process.Pid)
		os.Exit(8)
	}))
}

func TestAProcessThatDiesInACall(t *testing.T) {
	large := func(ctx context.Context, b *backend) error {
		return b.Put(ctx, "/a", storagedriver.BytesSource(make([]byte, 8*window)))
	}
	commit := func(ctx context.Context, b *backend) error {
		return b.CommitUpload(ctx, "t", &storagedriver.Receipts{}, storagedriver.BytesSource("end"))
	}
	for mode, c := range map[string]struct {
		call func(ctx context.Context, b *backend) error
		how  string
	}{
		"dies of put": {putIt, "exit status 7"}, "is killed in put": {large, "signal: killed"}, "dies of commit": {commit, "exit status 7"},
		"dies of read": {readIt, "exit status 7"}, "dies in a body": {readIt, "exit status 7"}, "dies when it is fed": {large, "exit status 7"},
	} {
		b := driverIn(t, inMode(mode), map[string]any{"password": theSecret})
		pid := b.pid()
		within(t, 10*time.Second, mode, func() {
			wantLost(t, c.call(t.Context(), b), "the driver's process ended ("+c.how+"); its last words: the disk is on fire, (secret)")
		})
		gone(t, pid)
		wantLost(t, c.call(t.Context(), b), c.how) // on another process
		if b.pid() == pid {
			t.Errorf("%s: no process was started again", mode)
		}
	}
}

func TestAGrandchildThatHoldsTheSocketHoldsUpNobody(t *testing.T) {
	var log lines
	c := inMode("grandchild")
	c.Logger = log.logger()
	b := driverIn(t, c, nil)
	within(t, 20*time.Second, "stat", func() { wantLost(t, statIt(t.Context(), b), "exit status 8") })
	for _, line := range log.with("grandchild") {
		_, number, _ := strings.Cut(line, "grandchild ")
		number, _, _ = strings.Cut(number, `"`)
		pid, err := strconv.Atoi(number)
		if err != nil {
			t.Fatalf("%q", line)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL) // it has left the group
	}
}
