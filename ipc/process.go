package ipc

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// processConfig is how a process is started.
type processConfig struct {
	path     string   // the executable
	argument string   // its first argument
	env      []string // beside PATH, LANG and TMPDIR; of two of a name the last counts
	confine  bool
	memory   int64  // RLIMIT_DATA in bytes; 0: none
	files    uint64 // RLIMIT_NOFILE; 0: none
	// grace is the time between the closing of the socket and the kill.
	grace time.Duration
	// line is called for each line of the child's stdout and stderr, one at a time, until exited. It must not block: the
	// child waits for it. text is raw, without its end of line, and cut after maxLine bytes: much later than what is shown of it, or half a secret would
	// not be found in it.
	line func(text string)
}

const (
	// maxLine is the most of a line that is told, and maxWords what lastWords returns of one, in bytes: four and eight times what
	// docs/ipc.md and an error show.
	maxLine  = 16 << 10
	maxWords = 4 << 10
	// patience is how long output is read after the leader's death: whoever else holds it open has left the group, and
	// may never close it.
	patience = time.Second
)

// process is a child process, the leader of a group of its own. Its methods may be called concurrently. Whoever started it
// calls stop, or else kill and closes conn.
type process struct {
	host   *net.UnixConn
	leader int
	grace  time.Duration
	out    output
	over   chan struct{}
	state  string // what how returns, once over is closed

	mu   sync.Mutex
	gone bool // the leader has been waited for: its number may be another's
}

// conn returns the host's end of the socket. After the leader's death it stays open until stop; on Linux what was sent before can still
// be read, and then comes the end, whoever holds the other end.
func (p *process) conn() net.Conn { return p.host }

// pid returns the leader's number, which after exited may be another process's.
func (p *process) pid() int { return p.leader }

// exited is closed when the leader has been waited for and the output read, or given up 1 s later. line is not called any more.
func (p *process) exited() <-chan struct{} { return p.over }

// how tells how the leader ended, "exit status 3" or "signal: killed". It may be called after exited only.
func (p *process) how() string { return p.state }

// lastWords returns what the process most likely died of, raw and at most maxWords bytes: the message of a Go panic or of a Python
// exception, else the last line that is neither empty nor the continuation of another. It may be called after exited only.
func (p *process) lastWords() string { return p.out.words(p.state) }

// kill kills the leader and its group at once. After the leader's death it does nothing: the group was killed with it.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.gone {
		killGroup(p.leader)
	}
}

// stop closes the socket, kills the group if the leader does not end within the grace, and returns after exited.
func (p *process) stop() {
	_ = p.host.Close() // it may be closed already
	timer := time.NewTimer(p.grace)
	defer timer.Stop()
	select {
	case <-p.over:
	case <-timer.C:
		p.kill()
		<-p.over
	}
}

// environment returns the environment of a process, which has nothing of ours but TMPDIR.
func environment(more []string) []string {
	all := append([]string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TMPDIR=" + os.TempDir(),
	}, more...)
	last := make(map[string]int, len(all))
	for i, v := range all {
		name, _, _ := strings.Cut(v, "=")
		last[name] = i
	}
	env := all[:0]
	for i, v := range all {
		if name, _, _ := strings.Cut(v, "="); last[name] == i {
			env = append(env, v)
		}
	}
	return env
}

// output is what a process writes, on both of its descriptors.
type output struct {
	line func(text string)

	mu    sync.Mutex // held while a line is told
	last  string
	fatal string // of a Go panic
	raise string // of a Python exception, if nothing came on the same descriptor since
}

// place is where in a Python traceback the lines of a descriptor are.
type place int

const (
	outside place = iota
	inside
	behind // the line before was its last
)

// read tells the lines of r until it ends or its deadline passes.
func (o *output) read(r io.Reader) {
	lines := bufio.NewReaderSize(r, 2*maxLine)
	at := outside
	for err := error(nil); err == nil; {
		var b []byte
		b, err = lines.ReadSlice('\n')
		text, some := "", len(b) > 0
		if some {
			b = bytes.TrimSuffix(b, []byte{'\n'})
			text = string(b[:min(len(b), maxLine)])
		}
		for err == bufio.ErrBufferFull {
			_, err = lines.ReadSlice('\n')
		}
		if some {
			at = o.tell(text, at)
		}
	}
}

// tell takes over the next line of a descriptor whose lines are at a place, and returns the next place.
func (o *output) tell(text string, at place) place {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.line != nil {
		o.line(text)
	}
	if strings.TrimSpace(text) == "" {
		return at
	}
	continued := text[0] == ' ' || text[0] == '\t'
	words := text[:min(len(text), maxWords)]
	if o.last == "" || !continued && !aside(text) {
		o.last = words
	}
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		o.fatal = words
	}
	switch {
	case strings.HasPrefix(text, "Traceback (most recent call last):"):
		return inside
	case at == inside && continued:
		return inside
	case at == inside:
		o.raise = words
		return behind
	case at == behind:
		o.raise = ""
	}
	return outside
}

// aside reports whether line is one that Node.js or Rust ends a message with.
func aside(line string) bool {
	return line == "}" || strings.HasPrefix(line, "Node.js v") || strings.HasPrefix(line, "note: run with `RUST_BACKTRACE")
}

// words returns the last words of a process that ended in state.
func (o *output) words(state string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	// What was recovered from is written the same way: only these are the ends of a Go program that was not.
	case o.fatal != "" && (state == "exit status 2" || strings.HasPrefix(state, "signal: abort")):
		return o.fatal
	// Python flushes what it has for stdout after the traceback.
	case o.raise != "" && state != "exit status 0":
		return o.raise
	}
	return o.last
}
