package servers

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startPatience = time.Minute
	stopPatience  = 20 * time.Second
	askPause      = 20 * time.Millisecond
)

// Start runs the script until the test ends and returns the server's URL once it answers HTTP, whatever it answers. The
// script is run as SCRIPT DIR PORT with what env adds, KEY=VALUE, to the environment. A server that does not come
// up fails the test with what it printed.
func Start(t testing.TB, script string, env ...string) (url string) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	port := freePort(t)
	// Not t.TempDir: a server that runs as another user must be able to enter every folder above.
	dir, err := os.MkdirTemp("", "berth-server-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // what a server leaves in it is a matter of the temporary folder
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	cmd := exec.Command(filepath.Join(filepath.Dir(here), script), dir, port)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // that a signal ended it
	}()
	t.Cleanup(func() { stop(t, cmd, ended) })
	url = "http://127.0.0.1:" + port
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(startPatience); ; {
		resp, err := client.Get(url)
		if err == nil {
			_ = resp.Body.Close() // of an answer nobody reads
			return url
		}
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", script, output.String())
		case <-time.After(askPause):
		}
		if time.Now().After(deadline) {
			stop(t, cmd, ended) // before its output is read
			t.Fatalf("%s does not answer: %v\n%s", script, err, output.String())
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's address has a port
	return port
}

func stop(t testing.TB, cmd *exec.Cmd, ended <-chan struct{}) {
	_ = cmd.Process.Signal(syscall.SIGTERM) // unless it has ended
	select {
	case <-ended:
	case <-time.After(stopPatience):
		t.Errorf("%s did not end within %v of SIGTERM", filepath.Base(cmd.Path), stopPatience)
		_ = cmd.Process.Kill()
		<-ended
	}
}
