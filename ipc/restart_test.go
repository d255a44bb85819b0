//go:build unix

package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// fileVariable names a file that a child looks at, or writes.
const fileVariable = "BERTH_IPC_TEST_FILE"

func init() { //nolint:gochecknoinits // modes, in the table of children_test.go
	childModes["inmemory"] = func() { Main(inmemory.Name, inmemory.Open, nil) }
	childModes["filesystem"] = func() { Main(filesystem.Name, filesystem.Open, nil) }
	childModes["dies of stat"] = byHand(onCall(abi.OpStat, func(*handmade, uint32) { os.Exit(9) }))
	// Has one ability more while there is a file.
	childModes["variable"] = byHand(func(c *handmade) {
		caps := abi.AbilityParts
		if _, err := os.Stat(os.Getenv(fileVariable)); err == nil {
			caps |= abi.AbilityListTree
		}
		c.reply(c.until(abi.OpOpen), &abi.OpenReply{Caps: caps})
		c.serve()
	})
	// Does not open while there is a file.
	childModes["barred"] = byHand(func(c *handmade) {
		call := c.until(abi.OpOpen)
		if _, err := os.Stat(os.Getenv(fileVariable)); err == nil {
			fmt.Fprintln(os.Stderr, "barred")
			os.Exit(10)
		}
		c.reply(call, &abi.OpenReply{})
		c.serve()
	})
	// Does not answer open while there is a file.
	childModes["dreamy"] = byHand(func(c *handmade) {
		call := c.until(abi.OpOpen)
		if _, err := os.Stat(os.Getenv(fileVariable)); err == nil {
			block()
		}
		c.reply(call, &abi.OpenReply{})
		c.serve()
	})
	// Has something to do at its end.
	childModes["tidy"] = byHand(func(c *handmade) {
		call := c.until(abi.OpOpen)
		c.reply(call, &abi.OpenReply{})
		for {
			if _, err := c.in.next(); err != nil {
				<-time.After(100 * time.Millisecond)
				if err := os.WriteFile(os.Getenv(fileVariable), []byte("tidy"), 0o600); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
				os.Exit(0)
			}
		}
	})
}

// killIdle kills the process while nothing is under way, and waits until that was noticed.
func killIdle(t testing.TB, b *backend) {
	t.Helper()
	b.mu.Lock()
	r := b.running
	b.mu.Unlock()
	if err := syscall.Kill(r.p.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the process's death was noticed", func() bool { return !r.alive() })
}

func TestADeathWhileIdleIsNotSeen(t *testing.T) {
	var log lines
	c := inMode("inmemory")
	c.Logger = log.logger()
	b := driverIn(t, c, nil)
	for range 3 {
		killIdle(t, b)
		if err := putIt(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		until(t, "the pause is over", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return time.Now().After(b.not)
		})
	}
	if got := log.with("is started again"); len(got) != 3 || !strings.Contains(got[0], "signal: killed") {
		t.Errorf("the log has %q", got)
	}
}

// Many calls find the process dead: one is started, for all of them.
func TestCallsShareAStart(t *testing.T) {
	var all started
	b := driverIn(t, all.noting(inMode("inmemory")), nil)
	killIdle(t, b)
	var calls sync.WaitGroup
	for range 32 {
		calls.Go(func() {
			if err := putIt(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := all.count(); n != 2 {
		t.Errorf("%d processes, wanted 2", n)
	}
}

func TestACrashLoopIsSlowedDown(t *testing.T) {
	var all started
	c := all.noting(inMode("dies of stat"))
	c.MinRestart, c.MaxRestart = 200*time.Millisecond, 2*time.Second
	b := driverIn(t, c, nil)
	begun := time.Now()
	wantLost(t, statIt(t.Context(), b), "exit status 9")
	wantLost(t, statIt(t.Context(), b), "exit status 9") // started again at once, the first time
	var longest time.Duration
	// A pause is counted from when a start begins, which may take as long: then none is seen.
	for time.Since(begun) < 1500*time.Millisecond || longest <= c.MinRestart && time.Since(begun) < time.Minute {
		err := statIt(t.Context(), b)
		wantLost(t, err)
		var known *storagedriver.Error
		if !errors.As(err, &known) {
			t.Fatalf("%T", err)
		}
		if after := known.RetryAfter; after > 0 {
			wantLost(t, err, "the driver's process has died and is started again in ")
			longest = max(longest, after)
			<-time.After(min(after, 20*time.Millisecond))
		}
	}
	// One to begin with, one at 0, and then each a pause of at least twice the one before it after the last, up to MaxRestart; one may be under way at the end.
	if n := all.count(); n < 3 || n > 7+int(time.Since(begun)/c.MaxRestart) {
		t.Errorf("%d processes were started in %v", n, time.Since(begun))
	}
	if longest > c.MaxRestart || longest <= c.MinRestart {
		t.Errorf("the longest pause is %v, wanted more than %v and at most %v", longest, c.MinRestart, c.MaxRestart)
	}
	all.noneLeft(t)
}

// A process that has lived long is started again at once, and one that then does not start is no reason to try for ever.
func TestStartsThatFailAreSlowedDown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bar")
	var all started
	c := all.noting(inMode("barred", fileVariable+"="+file))
	c.MinRestart, c.MaxRestart = 50*time.Millisecond, time.Minute
	b := driverIn(t, c, nil)
	b.running.started = time.Now().Add(-time.Hour)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	killIdle(t, b)
	begun, starts := time.Now(), 0
	for starts < 2 || time.Since(begun) < 700*time.Millisecond {
		err := statIt(t.Context(), b)
		wantLost(t, err)
		switch {
		case strings.Contains(err.Error(), "open: the driver's process ended (exit status 10); its last words: barred"):
			starts++
		case !strings.Contains(err.Error(), "is started again in "):
			t.Fatal(err)
		}
		<-time.After(5 * time.Millisecond)
	}
	most := 1 // and one more after 50, 150, 350 ms, and so on
	for pause, at := c.MinRestart, c.MinRestart; at < time.Since(begun); at += pause {
		most++
		pause *= 2
	}
	if starts > most {
		t.Errorf("it was started %d times in %v, wanted at most %d", starts, time.Since(begun), most)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	until(t, "the driver is back", func() bool {
		err := statIt(t.Context(), b)
		if err != nil {
			wantLost(t, err)
		}
		return err == nil
	})
	all.mu.Lock()
	all.pids = all.pids[:len(all.pids)-1]
	all.mu.Unlock()
	all.noneLeft(t)
}

func TestADriverThatChangesIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "more")
	b := driverIn(t, inMode("variable", fileVariable+"="+file), nil)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	killIdle(t, b)
	wantFault(t, statIt(t.Context(), b), storagedriver.KindGuest, "the driver's process was started again and has other abilities than before")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	until(t, "the driver is back", func() bool { return statIt(t.Context(), b) == nil })
}

func TestAnExecutableThatIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry-storage-gone")
	if err := os.Symlink(ourselves(t), path); err != nil {
		t.Fatal(err)
	}
	d := described(t, inMode("inmemory"))
	d.path = path
	opened, err := d.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := opened.(*backend)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	killIdle(t, b)
	wantFault(t, statIt(t.Context(), b), storagedriver.KindUnavailable, "starting it again failed", path, "there is no such file")
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	wantFault(t, statIt(t.Context(), b), storagedriver.KindClosed, "the driver is closed")
}

// What the driver says when it is opened again has a kind that would mean something else as the answer to a call.
func TestADriverThatCannotBeOpenedAgain(t *testing.T) {
	b := driverIn(t, inMode("inmemory"), nil)
	b.values.JSON = []byte(`{"nonsense":1}`)
	killIdle(t, b)
	err := statIt(t.Context(), b)
	wantFault(t, err, storagedriver.KindUnavailable, "starting it again failed", "nonsense")
	if !storagedriver.IsTemporary(err) {
		t.Error("it is not temporary")
	}
}

// A process that starts does not hold up a call beyond its context, nor Close.
func TestAStartThatHangsHoldsUpNobody(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dream")
	var all started
	b := driverIn(t, all.noting(inMode("dreamy", fileVariable+"="+file)), nil)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	killIdle(t, b)
	within(t, 5*time.Second, "a call", func() {
		wantFault(t, statIt(lasting(t, 100*time.Millisecond), b), storagedriver.KindDeadline)
	})
	waiting := make(chan error, 1)
	go func() { waiting <- statIt(t.Context(), b) }()
	until(t, "a process is started", func() bool { return all.count() == 2 })
	within(t, 5*time.Second, "Close", func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	wantFault(t, <-waiting, storagedriver.KindClosed, "the driver is closed")
	all.noneLeft(t)
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	for _, mode := range []string{"mute", "deaf", "inmemory"} {
		var all started
		b := driverIn(t, all.noting(inMode(mode)), nil)
		var calls, closes sync.WaitGroup
		for range 8 {
			calls.Go(func() {
				for {
					err := b.Put(t.Context(), "/a", storagedriver.BytesSource(make([]byte, 2*window)))
					if err != nil {
						wantFault(t, err, storagedriver.KindClosed, "the driver is closed")
						return
					}
				}
			})
		}
		until(t, "calls are under way", func() bool { return b.running.calling() > 4 })
		within(t, 10*time.Second, mode, func() {
			for range 3 {
				closes.Go(func() {
					if err := b.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			closes.Wait()
			all.noneLeft(t)
			calls.Wait()
		})
	}
}

func TestCloseLeavesAProcessItsGrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tidy")
	c := inMode("tidy", fileVariable+"="+file)
	c.Grace = time.Minute
	b := driverIn(t, c, nil)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "tidy" {
		t.Errorf("the process was not left to end: %q, %v", got, err)
	}
	if how := b.running.p.how(); how != "exit status 0" {
		t.Errorf("the process ended with %q", how)
	}
}

func TestReadersThatAreOpenWhenTheProcessDies(t *testing.T) {
	b := driverIn(t, inMode("inmemory"), nil)
	content := pattern(8 * window)
	if err := b.Put(t.Context(), "/a", storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
	r, n, err := b.Read(t.Context(), "/a", 0, -1)
	if err != nil || n != int64(len(content)) {
		t.Fatal(n, err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	killIdle(t, b)
	got, err := io.ReadAll(r)
	wantLost(t, err, "the driver's process ended (signal: killed)")
	sameBytes(t, "what came", got, content[10:10+len(got)])
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// A process that the kernel does not let go holds up a call no longer than its grace.
func TestAProcessThatCannotBeKilled(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := Config{Grace: 50 * time.Millisecond}.withDefaults()
	r := &running{p: &process{gone: true, over: make(chan struct{})}, grace: c.Grace} // gone, so that kill does nothing
	r.link = newLink(ours, &c, func(text string) string { return text })
	go r.receive()
	watched := make(chan struct{})
	go func() { defer close(watched); r.watch() }()
	errs := make(chan error, 1)
	go func() { errs <- r.do(context.Background(), abi.OpStat, &abi.PathRequest{Path: "/a"}, &abi.Entry{}) }()
	in := newReceiver(theirs)
	if _, err := in.next(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	wantLost(t, <-errs, "the driver's process was killed, and has not ended")
	<-watched
}

// Uploads of a driver that keeps them outlive its process: the writer goes on, or fails and leaves what a new writer goes on with. What is committed is right.
func TestWritersOutliveTheProcess(t *testing.T) {
	root := t.TempDir()
	b := driverIn(t, inMode("filesystem"), map[string]any{"rootdirectory": root, "fsync": "off"})
	d := layers.Complete(keptOpen{b}, layers.WithPartSize(64<<10))
	defer d.Close()
	content := pattern(1 << 20)
	for name, at := range map[string]int{"first": 1, "middle": 5, "last": 16} {
		path := "/uploads/" + name
		w, err := d.Writer(t.Context(), path, false)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 16 {
			if step+1 == at {
				killIdle(t, b)
			}
			// Written until all is: an error counts what was accepted, and is followed by a new writer.
			for w.Size() < int64(step+1)<<16 {
				if _, err = w.Write(content[w.Size() : (step+1)<<16]); err == nil {
					continue
				}
				wantLost(t, err)
				if err := w.Close(); err != nil {
					wantLost(t, err)
				}
				if w, err = d.Writer(t.Context(), path, true); err != nil {
					t.Fatal(err)
				}
			}
		}
		if at == 16 {
			killIdle(t, b)
		}
		if err := w.Commit(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := d.GetContent(t.Context(), path)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, wanted %d, or others; %v", name, len(got), len(content), err)
		}
	}
}

// keptOpen is closed by the test.
type keptOpen struct{ *backend }

func (keptOpen) Close() error { return nil }
