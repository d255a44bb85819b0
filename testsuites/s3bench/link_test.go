//go:build servers

package s3bench

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

const (
	// linkBuffer is the most bytes that are delayed as one.
	linkBuffer = 128 << 10
	// linkQueue is how many of them are on their way in one direction of a connection: more than any of them needs for 2 GB/s.
	linkQueue = 512
)

// startLink starts a link to the service at upstream, until the test ends, and returns the service's URL over it. What is sent, in either direction, arrives
// half of roundTrip later. Any number of bytes are on their way at a time, so that a link has no bandwidth of its own, and opening a connection takes no time, as
// if there were a cheaper handshake than TCP's.
func startLink(t testing.TB, upstream string, roundTrip time.Duration) string {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // closed
			}
			far, err := net.Dial("tcp", u.Host)
			if err != nil {
				_ = near.Close()
				continue
			}
			mu.Lock()
			open[near], open[far] = true, true
			mu.Unlock()
			running.Go(func() {
				var both sync.WaitGroup
				both.Go(func() { carry(far, near, roundTrip/2) })
				both.Go(func() { carry(near, far, roundTrip/2) })
				both.Wait()
				mu.Lock()
				defer mu.Unlock()
				delete(open, near)
				delete(open, far)
				_ = near.Close()
				_ = far.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	at := *u
	at.Host = listener.Addr().String()
	return at.String()
}

// carried is some bytes on their way.
type carried struct {
	due   time.Time
	bytes []byte // nil: the end
}

// carry takes bytes from one connection to the other, each after the delay, until the end.
func carry(to, from net.Conn, delay time.Duration) {
	way := make(chan carried, linkQueue)
	buffers := sync.Pool{New: func() any { b := make([]byte, linkBuffer); return &b }}
	go func() {
		defer close(way)
		for {
			b := *buffers.Get().(*[]byte)
			n, err := from.Read(b)
			if n > 0 {
				way <- carried{time.Now().Add(delay), b[:n]}
			}
			if err != nil {
				way <- carried{due: time.Now().Add(delay)}
				return
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failed error
	for c := range way {
		if wait := time.Until(c.due); wait > 0 {
			timer.Reset(wait)
			<-timer.C
		}
		if failed != nil {
			continue // what is on its way is lost
		}
		if c.bytes == nil {
			_ = to.(*net.TCPConn).CloseWrite()
			continue
		}
		if _, failed = to.Write(c.bytes); failed != nil {
			_ = from.Close()
		}
		b := c.bytes[:linkBuffer]
		buffers.Put(&b)
	}
}

// TestLinkDelaysAndCarries: every byte arrives, in order, not before the round trip.
func TestLinkDelaysAndCarries(t *testing.T) {
	const roundTrip, size = 20 * time.Millisecond, 8 << 20
	at := startLink(t, "http://"+echo(t), roundTrip)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	begin := time.Now()
	go func() {
		_ = pour(c, size) // the other side says what came
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	var first [1]byte
	if _, err := io.ReadFull(c, first[:]); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < roundTrip {
		t.Errorf("the first byte came back after %v, before %v", took, roundTrip)
	}
	got := append(make([]byte, 0, size), first[0])
	rest, err := io.ReadAll(c)
	if got = append(got, rest...); err != nil || len(got) != size {
		t.Fatalf("want %d bytes, got %d, %v", size, len(got), err)
	}
	for i := range got {
		if got[i] != piece[i%pieceSize] {
			t.Fatalf("byte %d is another", i)
		}
	}
}

// echo starts what sends back what it gets, until the test ends, and returns its address.
func echo(t testing.TB) string {
	return listening(t, func(c net.Conn) { _, _ = io.Copy(c, struct{ io.Reader }{c}) })
}

// listening has serve serve connections until the test ends.
func listening(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// linkRate is the bytes per second that the link carries by itself: size bytes to somebody who drops them.
func linkRate(t testing.TB, size int64) float64 {
	t.Helper()
	sink := listening(t, func(c net.Conn) {
		_, _ = io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c})
		_, _ = c.Write([]byte{1})
	})
	u, err := url.Parse(startLink(t, "http://"+sink, latency))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	block := make([]byte, 1<<20)
	begin := time.Now()
	for sent := int64(0); sent < size; sent += int64(len(block)) {
		if _, err := c.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	var end [1]byte
	if _, err := io.ReadFull(c, end[:]); err != nil {
		t.Fatal(err)
	}
	return float64(size) / time.Since(begin).Seconds()
}
