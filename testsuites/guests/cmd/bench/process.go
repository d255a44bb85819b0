package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/berth-dev/storagedriver/testsuites/partstore"
	"golang.org/x/net/webdav"
)

// serverVariable tells this binary that it is the server.
const serverVariable = "BERTH_BENCH_SERVER"

// process is the server, seen from the bench.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
}

// The kinds of server.
const (
	// lean answers as cheaply as it can: what differs is what the drivers cost.
	lean = "lean"
	// library is golang.org/x/net/webdav over a directory: what users wait for.
	library = "library"
	// partServer is a part store that keeps contents in a file.
	partServer = "parts"
)

// startServer runs this binary again as the server, on a port of its own.
func startServer(ctx context.Context, kind string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), serverVariable+"="+kind)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, stdin: stdin}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("the server does not say where it listens: %w", err)
	}
	p.url = "http://" + strings.TrimSpace(address)
	return p, nil
}

// stop ends the server: it ends with its standard input.
func (p *process) stop() {
	_ = p.stdin.Close() // it is about to end anyway
	_ = p.cmd.Wait()    // how a server ends that nobody needs any more is no matter
}

// serve is the other end of startServer.
func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := fmt.Println(l.Addr()); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "berth-bench-server-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ended := make(chan error, 1)
	switch os.Getenv(serverVariable) {
	case library:
		go func() {
			ended <- http.Serve(l, &webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()})
		}()
	case partServer:
		file, err := os.Create(filepath.Join(dir, "contents"))
		if err != nil {
			return err
		}
		defer file.Close()
		go func() { ended <- http.Serve(l, partstore.New(partstore.Config{MinPart: 1 << 20, File: file})) }()
	default:
		go func() { ended <- newStore().listen(l) }()
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	return <-ended
}
