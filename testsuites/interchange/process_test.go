//go:build servers

package interchange

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds the waits of these tests: two slow cores with the race detector.
const patience = 2 * time.Minute

// implementation is one of the two registries. Both read the same configuration.
type implementation struct {
	name     string
	program  *string
	announce *regexp.Regexp // what it prints once it listens, and where
}

var (
	ours   = implementation{"berth", &berth, regexp.MustCompile(`the registry listens on ([0-9.:]+)`)}
	theirs = implementation{"distribution", &distribution, regexp.MustCompile(`msg="listening on ([0-9.:]+)"`)}
)

// eachWay runs f with either as the one that wrote and the other as the one that finds it.
func eachWay(t *testing.T, f func(t *testing.T, writer, reader implementation)) {
	t.Run("distribution, then berth", func(t *testing.T) { f(t, theirs, ours) })
	t.Run("berth, then distribution", func(t *testing.T) { f(t, ours, theirs) })
}

// configure writes the configuration of a registry on root and returns where it is.
func configure(t *testing.T, root string) string {
	t.Helper()
	return configureStorage(t, fmt.Sprintf("  filesystem:\n    rootdirectory: %q\n", root))
}

// configureStorage is configure for any storage. The secret is the same for all: it signs what the URL of an upload carries.
func configureStorage(t *testing.T, section string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yml")
	config := fmt.Sprintf(`version: 0.1
log:
  accesslog:
    disabled: true
storage:
%s  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: 127.0.0.1:0
  secret: of-these-tests
  draintimeout: 30s
`, section)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(home string) []string {
	return append(os.Environ(), "HOME="+home, "OTEL_TRACES_EXPORTER=none")
}

// server is a running registry.
type server struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	addr   string // host:port
	exited chan error
	log    *transcript
}

// start runs the registry on root and returns when it accepts requests. It is killed when the test ends.
func (i implementation) start(t *testing.T, root string) *server {
	t.Helper()
	return i.serve(t, configure(t, root))
}

// serve is start with a configuration.
func (i implementation) serve(t *testing.T, config string) *server {
	t.Helper()
	out, in := io.Pipe()
	cmd := exec.Command(*i.program, "serve", config)
	cmd.Env = environment(t.TempDir())
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, name: i.name, cmd: cmd, exited: make(chan error, 1), log: &transcript{}}
	go func() {
		err := cmd.Wait()
		in.Close()
		s.exited <- err
	}()
	ready := make(chan struct{})
	go s.read(out, i.announce, ready)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", s.name, s.log)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatalf("%s: no address was announced:\n%s", s.name, s.log)
	}
	if s.addr == "" {
		t.Fatalf("%s ended:\n%s", s.name, s.log)
	}
	return s
}

// read collects what the process prints and takes the address from it.
func (s *server) read(out io.Reader, announce *regexp.Regexp, ready chan struct{}) {
	announced := sync.OnceFunc(func() { close(ready) })
	defer announced()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !strings.Contains(lines.Text(), `msg="response completed" `) { // a line for each request says nothing
			s.log.add(lines.Text())
		}
		if found := announce.FindStringSubmatch(lines.Text()); found != nil && s.addr == "" {
			s.addr = found[1]
			announced()
		}
	}
	_, _ = io.Copy(io.Discard, out) // a line too long must not block the process
}

// kill ends the process as a power cut would, and waits.
func (s *server) kill() {
	s.t.Helper()
	_ = s.cmd.Process.Kill() // it may have ended
	s.wait()
}

// stop ends the process in good order.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.wait(); err != nil {
		s.t.Fatalf("%s: want status 0 after SIGTERM, got %v", s.name, err)
	}
}

func (s *server) wait() error {
	s.t.Helper()
	select {
	case err := <-s.exited:
		s.exited <- err
		return err
	case <-time.After(patience):
		s.t.Fatalf("%s does not end:\n%s", s.name, s.log)
		return nil
	}
}

// collect runs the registry's garbage collection on root; untagged also removes manifests without a tag.
func (i implementation) collect(t *testing.T, root string, untagged bool) {
	t.Helper()
	args := []string{"garbage-collect", configure(t, root)}
	if untagged {
		args = append(args, "--delete-untagged")
	}
	run(t, *i.program, args...)
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
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	cmd.Env = environment(t.TempDir())
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, &out, &problems)
	}
	return out.String()
}

// push copies everything that a layout has to the name, an index with its images.
func push(t *testing.T, s *server, layout, name string) {
	t.Helper()
	run(t, skopeo, "--insecure-policy", "copy", "--all", "--quiet", "--preserve-digests", "--dest-tls-verify=false", "oci:"+layout+":latest", "docker://"+s.addr+"/"+name)
}

// pull is the opposite of push, into a layout that is new.
func pull(t *testing.T, s *server, name string) (layout string) {
	t.Helper()
	layout = filepath.Join(t.TempDir(), "back")
	run(t, skopeo, "--insecure-policy", "copy", "--all", "--quiet", "--preserve-digests", "--src-tls-verify=false", "docker://"+s.addr+"/"+name, "oci:"+layout+":latest")
	return layout
}

// tags lists a repository.
func tags(t *testing.T, s *server, repository string) []string {
	t.Helper()
	return strings.Fields(run(t, crane, "ls", "--insecure", s.addr+"/"+repository))
}
