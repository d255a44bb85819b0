//go:build unix

package ipc

import (
	"context"
	"fmt"
	"os"
	"strings"
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
	{"manifest without a name", manifest(`{"version":"1"}`), storagedriver.KindInvalidArgument, `its manifest: malformed message: the manifest: the name ""`},
	{"manifest with an odd name", manifest(`{"name":"../\u001b\n"}`), storagedriver.KindInvalidArgument, "the manifest: the name"},
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
		var all started
		c := all.noting(inMode(mode))
		c.Grace = time.Minute
		within(t, 30*time.Second, mode, func() {
			var err error
			longer(500*time.Millisecond, func(d time.Duration) bool {
				c.StartTimeout = d
				_, err = Load(t.Context(), ourselves(t), c)
				return err == nil || strings.Contains(err.Error(), op)
			})
			wantLost(t, err, ourselves(t), fmt.Sprintf("%s: it has not answered within %v", op, c.StartTimeout))
		})
		c.StartTimeout = time.Minute
		within(t, 30*time.Second, mode, func() {
			before := all.count()
			longer(300*time.Millisecond, func(d time.Duration) bool {
				_, err := Load(lasting(t, d), ourselves(t), c)
				wantFault(t, err, storagedriver.KindDeadline, ourselves(t))
				return all.count() > before
			})
		})
		all.noneLeft(t)
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
	c.Grace = time.Minute
	var all started
	opens := func(ctx context.Context) (asked bool, err error) {
		_, err = described(t, all.noting(c)).Open(ctx, nil)
		return err == nil || strings.Contains(err.Error(), "open: "), err
	}
	within(t, 30*time.Second, "Open", func() {
		var err error
		longer(500*time.Millisecond, func(d time.Duration) (asked bool) {
			c.StartTimeout = d
			asked, err = opens(t.Context())
			return asked
		})
		wantLost(t, err, ourselves(t), fmt.Sprintf("open: it has not answered within %v", c.StartTimeout))
	})
	c.StartTimeout = time.Minute
	within(t, 30*time.Second, "Open", func() {
		var err error
		longer(300*time.Millisecond, func(d time.Duration) (asked bool) {
			asked, err = opens(lasting(t, d))
			return asked
		})
		wantFault(t, err, storagedriver.KindDeadline, ourselves(t), "open: ")
	})
	all.noneLeft(t)
}
