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
