//go:build unix

package ipc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/testsuites/faultloop"
)

// killer kills the process of the driver at the n-th CALL that comes from now on.
type killer struct {
	mu   sync.Mutex
	seen int64
	at   int64 // 0: never
	when moment
	// done is closed when the death of the process is known to the link, nil where none is killed.
	done <-chan struct{}
}

// moment is when in a call the process is killed.
type moment int

const (
	beforeCall  moment = iota // before it is sent
	afterCall                 // as soon as it is sent: the driver may be anywhere in it
	beforeReply               // when the driver has answered, and the answer is lost
)

// inject is a faultloop.Inject. What it returns waits for a death: a driver that answered before it died is one that the next run would find dead.
func (k *killer) inject(when moment) faultloop.Inject {
	return func(n int64) func() int64 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.seen, k.at, k.when, k.done = 0, n, when, nil
		return func() int64 {
			k.mu.Lock()
			k.at = 0
			seen, done := k.seen, k.done
			k.mu.Unlock()
			if done != nil {
				<-done
			}
			return seen
		}
	}
}

// call counts a CALL and reports whether the process, whose link closes over, is to die of it, and when.
func (k *killer) call(over <-chan struct{}) (moment, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen++
	now := k.seen == k.at
	if now {
		k.done = over
	}
	return k.when, now
}

// killing is the socket to a process that is killed.
type killing struct {
	net.Conn
	k    *killer
	p    *process
	over chan struct{} // closed by Close, once

	mu     sync.Mutex
	lost   bool // what the driver sends is
	closed bool
}

// Write sees each frame in one piece, or its header alone.
func (c *killing) Write(b []byte) (int, error) {
	if len(b) < headerSize || frameType(b[8]) != frameCall {
		return c.Conn.Write(b)
	}
	when, now := c.k.call(c.over)
	if !now {
		return c.Conn.Write(b)
	}
	if when == beforeCall {
		c.p.kill()
	}
	if when == beforeReply {
		c.mu.Lock()
		c.lost = true
		c.mu.Unlock()
	}
	n, err := c.Conn.Write(b)
	if when == afterCall {
		c.p.kill()
	}
	return n, err
}

func (c *killing) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost {
		c.p.kill()
		return 0, io.EOF
	}
	return n, err
}

// Close is called when the link has ended.
func (c *killing) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.over)
	}
	return c.Conn.Close()
}

// serveVariable makes the test binary the executable of the filesystem driver.
const serveVariable = "BERTH_IPC_TEST_SERVE"

func maybeServe() {
	if os.Getenv(serveVariable) != "" {
		Main(filesystem.Name, filesystem.Open, filesystem.Config{})
	}
}

// TestKilledAtEachCall: never a wrong success, nothing that was committed lost, whichever call the driver's process dies of.
func TestKilledAtEachCall(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	killedAtEachCall(t, faultloop.Harness{Name: "registry-storage-filesystem", Short: true, Parallel: 4}, os.Args[0], func() (map[string]any, func(string) []string, error) {
		dir, err := os.MkdirTemp(root, "")
		return map[string]any{"rootdirectory": dir, "fsync": "off"}, func(path string) []string {
			if _, err := os.Lstat(dir + path); !errors.Is(err, os.ErrNotExist) {
				return []string{path}
			}
			return nil
		}, err
	})
}

// killedAtEachCall runs h on the driver in the executable at path. place returns the parameters for an empty storage, and what finds
// something left in it, or nil.
func killedAtEachCall(t *testing.T, h faultloop.Harness, path string, place func() (map[string]any, func(string) []string, error)) {
	config := Config{Env: []string{serveVariable + "=1", "GORACE=atexit_sleep_ms=0"}, MinRestart: 1, MaxRestart: 1, Logger: slog.New(slog.DiscardHandler)}
	h.New = func(context.Context) (faultloop.Storage, error) {
		parameters, left, err := place()
		if err != nil {
			return faultloop.Storage{}, err
		}
		k := &killer{}
		fragile := config
		fragile.between = func(conn net.Conn, p *process) net.Conn {
			return &killing{Conn: conn, k: k, p: p, over: make(chan struct{})}
		}
		open := func(c Config) func(context.Context) (storagedriver.Backend, error) {
			return func(ctx context.Context) (storagedriver.Backend, error) {
				d, err := Load(ctx, path, c)
				if err != nil {
					return nil, err
				}
				return d.Open(ctx, parameters)
			}
		}
		return faultloop.Storage{Open: open(config), OpenFailing: open(fragile), Left: left, Faults: map[string]faultloop.Inject{
			"killed before": k.inject(beforeCall), "killed after": k.inject(afterCall), "killed before the reply": k.inject(beforeReply),
		}}, nil
	}
	report := faultloop.Run(t.Context(), h)
	for _, f := range report.Failures() {
		t.Error(f)
	}
	runs, faults := report.Totals()
	t.Logf("%v\n%d runs, %d faults", report, runs, faults)
	if faults < 100 {
		t.Errorf("%d faults, fewer than the operations have calls", faults)
	}
}
