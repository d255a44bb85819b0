//go:build servers

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds the waits of these tests: two slow cores with the race detector.
const patience = 2 * time.Minute

// storage is one way to run a registry. Starting it again after it ended finds what it kept.
type storage struct {
	name string
	// volatile: nothing survives the process.
	volatile bool
	// args are the command line, given the folder that keeps everything.
	args func(t *testing.T, dir string) []string
	// collect is the configuration that garbage-collect needs while s runs.
	collect func(t *testing.T, dir string, s *server) string
}

var storages = []storage{
	{
		name: "webdav.wasm",
		args: func(_ *testing.T, dir string) []string {
			return []string{"quickstart", "--addr", "127.0.0.1:0", "--dir", dir}
		},
		collect: func(t *testing.T, dir string, s *server) string {
			return writeConfig(t, dir, "collect.yml", fmt.Sprintf(
				"  webdav:\n    allow: [%q]\n    parameters:\n      endpoint: %q\n", s.origin, s.origin))
		},
	},
	{
		name: "filesystem",
		args: func(t *testing.T, dir string) []string {
			return []string{"serve", writeConfig(t, dir, "config.yml", filesystemSection(dir))}
		},
		collect: func(t *testing.T, dir string, _ *server) string {
			return writeConfig(t, dir, "config.yml", filesystemSection(dir))
		},
	},
	{
		name:     "inmemory",
		volatile: true,
		args: func(t *testing.T, dir string) []string {
			return []string{"serve", writeConfig(t, dir, "config.yml", "  inmemory: {}\n")}
		},
	},
}

func filesystemSection(dir string) string {
	return fmt.Sprintf("  filesystem:\n    rootdirectory: %q\n", filepath.Join(dir, "data"))
}

func writeConfig(t *testing.T, dir, name, section string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	config := "version: 0.1\nlog:\n  level: warn\n  accesslog:\n    disabled: true\nstorage:\n" + section +
		"  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:0\n  secret: of-these-tests\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// server is a running registry.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string // host:port
	origin string // of the storage, where it is a server
	exited chan error
	log    *transcript
}

// start runs the registry on what is in dir and returns when it accepts requests.
func (s storage) start(t *testing.T, dir string) *server {
	t.Helper()
	log := &transcript{}
	out, in := io.Pipe()
	cmd := exec.Command(berth, s.args(t, dir)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none", "BERTH_CACHE_DIR="+filepath.Join(compiled, "cache"))
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &server{t: t, cmd: cmd, exited: make(chan error, 1), log: log}
	go func() {
		err := cmd.Wait()
		in.Close()
		r.exited <- err
	}()
	ready := make(chan struct{})
	go r.read(out, ready)
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", s.name, log)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatalf("%s: no address was announced:\n%s", s.name, log)
	}
	if r.addr == "" {
		t.Fatalf("%s ended:\n%s", s.name, log)
	}
	return r
}

// read takes the addresses from what the process prints, which it collects.
func (r *server) read(out io.Reader, ready chan struct{}) {
	announced := sync.OnceFunc(func() { close(ready) })
	defer announced()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		r.log.add(line)
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "registry":
			r.addr = strings.TrimPrefix(fields[1], "http://")
		case len(fields) > 1 && fields[0] == "storage":
			r.origin = strings.TrimSuffix(fields[1], ",")
			announced()
		case strings.HasPrefix(line, "berth: the registry listens on "):
			r.addr = fields[len(fields)-1]
			announced()
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line too long must not block the process
}

// kill ends the process as a power cut would, and waits.
func (r *server) kill() {
	r.t.Helper()
	_ = r.cmd.Process.Kill() // it may have ended
	r.wait()
}

// stop ends the process in good order.
func (r *server) stop() {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := r.wait(); err != nil {
		r.t.Fatalf("want status 0 after SIGTERM, got %v", err)
	}
}

func (r *server) wait() error {
	r.t.Helper()
	select {
	case err := <-r.exited:
		r.exited <- err
		return err
	case <-time.After(patience):
		r.t.Fatalf("the process does not end:\n%s", r.log)
		return nil
	}
}

// transcript is what a process printed.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(line + "\n")
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run runs a program to its end and returns its standard output.
func run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "OTEL_TRACES_EXPORTER=none", "BERTH_CACHE_DIR="+filepath.Join(compiled, "cache"))
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, &out, &problems)
	}
	return out.String()
}

// isUp reports whether something accepts connections at addr.
func isUp(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
