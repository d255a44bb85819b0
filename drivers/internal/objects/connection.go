package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// errStalled is that of a Read that no byte came for.
var errStalled = errors.New("the connection stalled")

// connection is the body of one answer, whose Reads do not wait for ever.
type connection struct {
	body    io.ReadCloser
	cancel  context.CancelFunc // of its request; nil when that is not ours
	stall   time.Duration      // 0 or less is for ever
	timer   *time.Timer        // runs during a Read
	stalled atomic.Bool
	closing sync.Once
}

func newConnection(body io.ReadCloser, cancel context.CancelFunc, stall time.Duration) *connection {
	return &connection{body: body, cancel: cancel, stall: stall}
}

// Read implements io.Reader.
func (c *connection) Read(p []byte) (int, error) {
	if c.stall <= 0 {
		return c.body.Read(p)
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(c.stall, c.interrupt)
	} else {
		c.timer.Reset(c.stall)
	}
	n, err := c.body.Read(p)
	c.timer.Stop()
	if err != nil && err != io.EOF && c.stalled.Load() {
		err = fmt.Errorf("%w: no byte came for %v", errStalled, c.stall)
	}
	return n, err
}

// interrupt ends the Read under way.
func (c *connection) interrupt() {
	c.stalled.Store(true)
	if c.cancel != nil {
		c.cancel()
		return
	}
	c.closing.Do(func() { _ = c.body.Close() }) // nothing of it is wanted
}

func (c *connection) close() {
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.cancel != nil {
		c.cancel()
	}
	c.closing.Do(func() { _ = c.body.Close() }) // its bytes are there, or not wanted
}
