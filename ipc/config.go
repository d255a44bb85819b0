package ipc

import (
	"log/slog"
	"net"
	"time"
)

// Config sets how processes are run. The zero value is usable.
type Config struct {
	// Env are variables for the process, "NAME=value", beside PATH, LANG and TMPDIR.
	Env []string
	// Unconfined leaves out, on Linux, what docs/ipc.md, section 6, says of privileges and limits. Elsewhere there is
	// nothing to be left out.
	Unconfined bool
	// Memory is the most bytes of private memory of a process, and Files the most open files; 0 is 2 GiB and 4,096.
	Memory int64
	Files  uint64
	// StartTimeout is how long a process may take to be ready, with all that it does to open its backend; 0 is 30 s.
	StartTimeout time.Duration
	// CancelTimeout is how long the driver may take to end a call after its context has ended; 0 is 30 s. Then
	// it is killed. Settle is how long the call itself waits for that, so that what it was to do is done or not when it
	// returns; 0 is 2 s.
	CancelTimeout, Settle time.Duration
	// Grace is how long a process may take to end by itself; 0 is 5 s.
	Grace time.Duration
	// MinRestart is the pause before a process that died within 10 s of its start is started again, MaxRestart what
	// it grows to; 0 is 200 ms and 10 s.
	MinRestart, MaxRestart time.Duration
	// Logger gets what drivers write, and when they die; nil is slog.Default().
	Logger *slog.Logger

	// between is put between the host and the socket to a process, for tests.
	between func(conn net.Conn, p *process) net.Conn
}

func (c Config) withDefaults() Config {
	or := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	or(&c.StartTimeout, defaultStart)
	or(&c.CancelTimeout, defaultCancelTimeout)
	or(&c.Settle, defaultSettle)
	or(&c.Grace, defaultGrace)
	or(&c.MinRestart, defaultMinRestart)
	or(&c.MaxRestart, defaultMaxRestart)
	if c.Memory == 0 {
		c.Memory = 2 << 30
	}
	if c.Files == 0 {
		c.Files = 4096
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}
