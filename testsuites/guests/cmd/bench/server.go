package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// store is a WebDAV server that remembers names and lengths and answers with bytes that are always the same:
// what it costs must not hide what the drivers cost. It understands what Go's HTTP client sends.
type store struct {
	mu    sync.Mutex
	files map[string]int64
	dirs  map[string]bool
}

func newStore() *store {
	return &store{files: map[string]int64{}, dirs: map[string]bool{"": true}}
}

const bufferSize = 256 << 10

var zeros [bufferSize]byte

func (s *store) listen(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			c := &connection{s: s, r: bufio.NewReaderSize(conn, 4<<10), w: conn}
			for c.exchange() == nil {
			}
		}()
	}
}

// connection serves one client.
type connection struct {
	s      *store
	r      *bufio.Reader
	w      net.Conn
	buffer []byte // for bodies
	head   []byte // of the answer

	method, path, depth, destination, span string
	length                                 int64
}

func (c *connection) exchange() error {
	if err := c.request(); err != nil {
		return err
	}
	if err := c.discard(); err != nil {
		return err
	}
	left := c.answer()
	_, err := c.w.Write(c.head)
	for err == nil && left > 0 {
		var n int
		n, err = c.w.Write(zeros[:min(left, bufferSize)])
		left -= int64(n)
	}
	return err
}

// answer leaves in c.head how the answer begins, and returns how many bytes of content follow.
func (c *connection) answer() int64 {
	c.head = c.head[:0]
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	switch c.method {
	case "PROPFIND":
		c.propfind()
	case "GET":
		return c.get()
	case "HEAD":
		c.stat()
	case "PUT":
		c.s.files[c.path] = c.length
		c.status("201 Created")
	case "MKCOL":
		c.s.dirs[c.path] = true
		c.status("201 Created")
	case "MOVE":
		c.move()
	case "DELETE":
		c.delete()
	default:
		c.status("405 Method Not Allowed")
	}
	return 0
}

// request reads a request's head.
func (c *connection) request() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	method, rest, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(rest, " ")
	c.method, c.path = method, strings.TrimRight(path, "/")
	c.depth, c.destination, c.span, c.length = "", "", "", 0
	for {
		if line, err = c.line(); err != nil || line == "" {
			return err
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Content-Length":
			if c.length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return err
			}
		case "Depth":
			c.depth = value
		case "Destination":
			_, host, _ := strings.Cut(value, "://")
			_, path, _ := strings.Cut(host, "/")
			c.destination = strings.TrimRight("/"+path, "/")
		case "Range":
			c.span = value
		}
	}
}

func (c *connection) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	return strings.TrimRight(string(line), "\r\n"), err
}

// discard reads the request's body, large ones past the small buffer of the heads.
func (c *connection) discard() error {
	left := c.length
	n, err := c.r.Discard(int(min(left, int64(c.r.Buffered()))))
	left -= int64(n)
	if left > 0 && c.buffer == nil {
		c.buffer = make([]byte, bufferSize)
	}
	for err == nil && left > 0 {
		n, err = c.w.Read(c.buffer[:min(left, bufferSize)])
		left -= int64(n)
	}
	return err
}

func (c *connection) status(status string) {
	c.head = append(append(append(c.head, "HTTP/1.1 "...), status...), "\r\nContent-Length: 0\r\n\r\n"...)
}

// The answers below are made while c.s.mu is held.

func (c *connection) get() int64 {
	size, ok := c.s.files[c.path]
	if !ok {
		c.status("404 Not Found")
		return 0
	}
	first, last := int64(0), size-1
	if c.span == "" {
		c.head = append(c.head, "HTTP/1.1 200 OK\r\n"...)
	} else {
		from, to, _ := strings.Cut(strings.TrimPrefix(c.span, "bytes="), "-")
		first, _ = strconv.ParseInt(from, 10, 64) // 0 where there is none
		if n, err := strconv.ParseInt(to, 10, 64); err == nil {
			last = min(last, n)
		}
		c.head = fmt.Appendf(c.head, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\n", first, last, size)
	}
	left := last - first + 1
	c.head = append(c.head, "Content-Type: application/octet-stream\r\nContent-Length: "...)
	c.head = append(strconv.AppendInt(c.head, left, 10), "\r\n\r\n"...)
	if left <= 16<<10 { // one packet
		c.head = append(c.head, zeros[:left]...)
		left = 0
	}
	return left
}

func (c *connection) stat() {
	size, ok := c.s.files[c.path]
	if !ok {
		c.status("404 Not Found")
		return
	}
	c.head = fmt.Appendf(c.head, "HTTP/1.1 200 OK\r\nLast-Modified: Sat, 01 Nov 2025 10:00:00 GMT\r\nContent-Length: %d\r\n\r\n", size)
}

const modified = "<d:getlastmodified>Sat, 01 Nov 2025 10:00:00 GMT</d:getlastmodified>"

func (c *connection) propfind() {
	size, file := c.s.files[c.path]
	if !file && !c.s.dirs[c.path] {
		c.status("404 Not Found")
		return
	}
	body := []byte(`<?xml version="1.0" encoding="utf-8"?><d:multistatus xmlns:d="DAV:">`)
	body = appendResponse(body, c.path, size, !file)
	if c.depth == "1" {
		below := c.path + "/"
		for path, size := range c.s.files {
			if strings.HasPrefix(path, below) && !strings.Contains(path[len(below):], "/") {
				body = appendResponse(body, path, size, false)
			}
		}
		for path := range c.s.dirs {
			if strings.HasPrefix(path, below) && !strings.Contains(path[len(below):], "/") {
				body = appendResponse(body, path, 0, true)
			}
		}
	}
	body = append(body, "</d:multistatus>"...)
	c.head = fmt.Appendf(c.head, "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n", len(body))
	c.head = append(c.head, body...)
}

func appendResponse(b []byte, path string, size int64, dir bool) []byte {
	b = append(append(append(b, "<d:response><d:href>"...), path...), "</d:href><d:propstat><d:prop>"...)
	if dir {
		b = append(b, "<d:resourcetype><d:collection/></d:resourcetype>"...)
	} else {
		b = append(b, "<d:resourcetype/><d:getcontentlength>"...)
		b = append(strconv.AppendInt(b, size, 10), "</d:getcontentlength>"...)
	}
	b = append(b, modified...)
	return append(b, "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"...)
}

// move replaces without asking: it saves nobody's data.
func (c *connection) move() {
	size, ok := c.s.files[c.path]
	if !ok {
		c.status("404 Not Found")
		return
	}
	delete(c.s.files, c.path)
	c.s.files[c.destination] = size
	c.status("201 Created")
}

func (c *connection) delete() {
	delete(c.s.files, c.path)
	delete(c.s.dirs, c.path)
	for path := range c.s.files {
		if strings.HasPrefix(path, c.path+"/") {
			delete(c.s.files, path)
		}
	}
	c.status("204 No Content")
}
