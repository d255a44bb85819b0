//go:build unix

package ipc

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

// modeVariable names what a child does that was started as a driver is, with "{}" for its argument: one of childModes.
const modeVariable = "BERTH_IPC_TEST_MODE"

// childModes are added by the files that have them.
var childModes = map[string]func(){}

func init() { //nolint:gochecknoinits // a role, in the table of roles_test.go
	childRoles["{}"] = func() {
		mode, ok := childModes[os.Getenv(modeVariable)]
		if !ok {
			fmt.Fprintf(os.Stderr, "no mode %q\n", os.Getenv(modeVariable))
			os.Exit(97)
		}
		mode()
	}
}

// aManifest is that of a driver with all abilities and no schema.
var aManifest = &abi.Manifest{Name: "test", Version: "1.0", Abilities: abi.AbilityNames(abi.AllAbilities)}

// handmade is a driver that speaks the protocol by hand. Its methods end the process when the socket ends.
type handmade struct {
	conn net.Conn
	in   *receiver
	out  *sender
}

func byHand(child func(c *handmade)) func() {
	return func() {
		conn, err := net.FileConn(os.NewFile(socket, "socket"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(96)
		}
		child(&handmade{conn, newReceiver(conn), newSender(conn, 0, nil)})
	}
}

// raw sends bytes that need not be frames.
func (c *handmade) raw(b []byte) {
	if _, err := c.conn.Write(b); err != nil {
		os.Exit(0)
	}
}

func (c *handmade) send(call uint32, kind frameType, payload []byte) {
	if err := c.out.send(context.Background(), call, kind, payload); err != nil {
		os.Exit(0)
	}
}

func (c *handmade) hello(text string) { c.send(0, frameHello, []byte(text)) }

func (c *handmade) reply(call uint32, m abi.Message) { c.send(call, frameReply, encoded(m)) }

func encoded(m abi.Message) []byte {
	b, err := abi.Append(nil, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(95)
	}
	return b
}

func (c *handmade) next() frame {
	f, err := c.in.next()
	if err != nil {
		os.Exit(0)
	}
	return f
}

// until does what an honest driver does until op is called, and returns the number of the call.
func (c *handmade) until(op abi.Op) uint32 {
	manifest := []byte(`{"name":"test","abilities":["parts","list-tree","redirect"]}`)
	for {
		f := c.next()
		switch {
		case f.kind == frameHello && op == helloItself:
			return 0
		case f.kind == frameHello:
			c.hello(`{"version":"1.0"}`)
		case f.kind != frameCall:
		case abi.Op(f.payload[0]) == op:
			return f.call
		case abi.Op(f.payload[0]) == abi.OpDescribe:
			c.reply(f.call, &abi.DescribeReply{Manifest: manifest})
		case abi.Op(f.payload[0]) == abi.OpOpen:
			c.reply(f.call, &abi.OpenReply{Caps: abi.AllAbilities})
		default:
			c.reply(f.call, &abi.Empty{})
		}
	}
}

// helloItself is what until waits for that comes before all calls.
const helloItself abi.Op = 255

// serve goes on as an honest driver.
func (c *handmade) serve() { c.until(254) }

// header is that of a frame whose payload may not follow.
func header(length, call uint32, kind byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, length)
	return append(binary.BigEndian.AppendUint32(b, call), kind)
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

func (l *lines) with(part string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// inMode is the configuration of drivers that are children in a mode.
func inMode(mode string, env ...string) Config {
	return Config{
		Env: append([]string{childVariable + "=1", modeVariable + "=" + mode, "GORACE=atexit_sleep_ms=0"}, env...), Logger: (&lines{}).logger(), Memory: 4 << 30,
		Settle: 100 * time.Millisecond, Grace: 500 * time.Millisecond, CancelTimeout: 200 * time.Millisecond, MinRestart: time.Millisecond, MaxRestart: time.Millisecond,
	}
}

func ourselves(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// described is what Load returns of a driver with aManifest.
func described(t testing.TB, c Config) *Driver {
	t.Helper()
	return &Driver{path: ourselves(t), cfg: c.withDefaults(), version: storagedriver.CurrentVersion, manifest: aManifest}
}

// driverIn opens a driver that is described, and closes it when the test ends. Nothing of it may then be left.
func driverIn(t testing.TB, c Config, parameters map[string]any) *backend {
	t.Helper()
	opened, err := described(t, c).Open(t.Context(), parameters)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	b := opened.(*backend)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		gone(t, b.pid())
	})
	return b
}

// pid is that of the last process.
func (b *backend) pid() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running.p.pid()
}

// gone waits for the end of a process, which must come soon.
func gone(t testing.TB, pid int) {
	t.Helper()
	until(t, fmt.Sprintf("process %d is gone", pid), func() bool { return !lives(pid) })
}

// wantFault checks an error: its kind, what it says, and that it is one printable line.
func wantFault(t testing.TB, err error, kind storagedriver.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, wanted %v: %q", kind, parts)
	}
	text := err.Error()
	if storagedriver.KindOf(err) != kind {
		t.Errorf("the kind of %q is %v, wanted %v", text, storagedriver.KindOf(err), kind)
	}
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
	if len(text) > 2*abi.MaxText || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		t.Errorf("an error of %d bytes that is no printable line: %q", len(text), text)
	}
	if strings.Contains(text, theSecret) {
		t.Errorf("%q tells the secret", text)
	}
}

// wantLost checks the error of a call whose process ended.
func wantLost(t testing.TB, err error, parts ...string) {
	t.Helper()
	wantFault(t, err, storagedriver.KindUnavailable, parts...)
	if !storagedriver.IsTemporary(err) {
		t.Errorf("%q is not temporary", err)
	}
}

const theSecret = "sesame-4711"

// within checks that f returns in time: most is generous, because the machine may be slow.
func within(t testing.TB, most time.Duration, what string, f func()) {
	t.Helper()
	begun := time.Now()
	f()
	if took := time.Since(begun); took > most {
		t.Errorf("%s took %v, more than %v", what, took, most)
	}
}

// lasting returns a context that ends soon enough.
func lasting(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// longer calls f with d, and with twice as much, up to 8 s, while f says that a busy machine has needed all of it.
func longer(d time.Duration, f func(d time.Duration) (enough bool)) {
	const most = 8 * time.Second
	for !f(d) && d < most {
		d = min(2*d, most)
	}
}

// pattern is content that tells where in it one is.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		binary.BigEndian.PutUint64(b[i:], uint64(i))
	}
	return b
}

// readAll reads a body to its end, and closes it.
func readAll(r io.ReadCloser) ([]byte, error) {
	b, err := io.ReadAll(r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return b, err
}

// sameBytes checks content.
func sameBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s has %d bytes, wanted %d, or others", what, len(got), len(want))
	}
}

// started are the processes of a driver.
type started struct {
	mu   sync.Mutex
	pids []int
}

// noting returns c with which the processes are noted.
func (s *started) noting(c Config) Config {
	c.between = func(conn net.Conn, p *process) net.Conn {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pids = append(s.pids, p.pid())
		return conn
	}
	return c
}

func (s *started) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pids)
}

// noneLeft checks that there were processes, and are none.
func (s *started) noneLeft(t testing.TB) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pid := range s.pids {
		if lives(pid) {
			t.Errorf("the process %d is left", pid)
		}
	}
	if len(s.pids) == 0 {
		t.Error("no process was started")
	}
}
