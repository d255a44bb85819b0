package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// serving is a run of berth serve.
type serving struct {
	t     *testing.T
	url   string
	stop  context.CancelFunc
	ended chan int
	out   *listening
}

// listening finds the address in what serve says.
type listening struct {
	mu    sync.Mutex
	text  []byte
	done  bool
	found chan string
}

var listens = regexp.MustCompile(`the registry listens on (\S+)\n`)

func (l *listening) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if m := listens.FindSubmatch(l.text); m != nil && !l.done {
		l.done = true
		l.found <- string(m[1])
	}
	return len(p), nil
}

func (l *listening) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// serve runs berth serve until end is called.
func serve(t *testing.T, args ...string) *serving {
	t.Helper()
	return serveWith(t, nil, args...)
}

// serveWith is serve with variables of the environment.
func serveWith(t *testing.T, env map[string]string, args ...string) *serving {
	t.Helper()
	c := newConsole(t, env)
	s := &serving{t: t, ended: make(chan int, 1), out: &listening{found: make(chan string, 1)}}
	c.app.stderr = s.out
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- c.app.execute(ctx, append([]string{"serve"}, args...)) }()
	select {
	case addr := <-s.out.found:
		s.url = "http://" + addr
	case status := <-s.ended:
		t.Fatalf("serve ended with %d: %s", status, s.out)
	case <-time.After(2 * time.Minute):
		t.Fatal("serve says no address")
	}
	return s
}

func (s *serving) end() {
	s.t.Helper()
	s.stop()
	if status := <-s.ended; status != statusOK {
		s.t.Fatalf("want status 0 after a signal, got %d: %s", status, s.out)
	}
}

// logged has logrus's standard logger, where the registry's log goes, write to the buffer it returns,
// which is to be read when nothing is served any more.
func logged(t *testing.T) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	std := logrus.StandardLogger()
	before := std.Out
	std.SetOutput(&out)
	t.Cleanup(func() {
		std.SetOutput(before)
		std.SetLevel(logrus.InfoLevel)
		std.SetFormatter(&logrus.TextFormatter{})
	})
	return &out
}

// TestServeTracesTheStorageAtLevelDebug has the log section decide over one line for each operation.
func TestServeTracesTheStorageAtLevelDebug(t *testing.T) {
	for level, want := range map[string]bool{"debug": true, "info": false} {
		t.Run(level, func(t *testing.T) {
			out := logged(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "config.yml")
			config := fmt.Sprintf("version: 0.1\nlog:\n  level: %s\n  formatter: json\n  accesslog:\n    disabled: true\n"+
				"storage:\n  filesystem:\n    rootdirectory: %s\nhttp:\n  addr: 127.0.0.1:0\n", level, filepath.Join(dir, "data"))
			if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			s := serve(t, path)
			client{t, s.url}.push([]byte("a layer"))
			s.end()
			seen := map[string]bool{}
			for line := range bytes.Lines(out.Bytes()) {
				var v struct {
					Msg, Level, Driver, Operation, Path, Kind string
					Duration, Bytes                           int64
				}
				if err := json.Unmarshal(line, &v); err != nil {
					t.Fatalf("%v: %s", err, line)
				}
				if v.Msg != "storage" {
					continue
				}
				seen[v.Operation] = true
				if v.Level != "debug" || v.Driver != "filesystem" || v.Path == "" || v.Duration <= 0 {
					t.Errorf("want level, driver, path and duration, got %s", line)
				}
				if v.Operation == "Commit" && v.Bytes == 0 {
					t.Errorf("want the bytes committed, got %s", line)
				}
			}
			for _, operation := range []string{"Stat", "Writer", "Commit", "Move", "PutContent"} {
				if seen[operation] != want {
					t.Errorf("want a line of %s: %v, seen are %v", operation, want, seen)
				}
			}
		})
	}
}

// TestAnUploadGoesOnAfterARestartWithoutAConfiguration stops serve in the middle of an upload.
func TestAnUploadGoesOnAfterARestartWithoutAConfiguration(t *testing.T) {
	logged(t)
	root := filepath.Join(t.TempDir(), "data")
	t.Setenv("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root)
	t.Setenv("REGISTRY_HTTP_ADDR", "127.0.0.1:0")
	blob := bytes.Repeat([]byte("0123456789abcdef"), 1<<10)
	const cut = 5000
	octets := []string{"Content-Type", "application/octet-stream"}

	s := serve(t)
	c := client{t, s.url}
	at := c.do("POST", "/v2/a/b/blobs/uploads/", nil, 202).Header.Get("Location")
	at = c.do("PATCH", at, blob[:cut], 202, octets...).Header.Get("Location")
	before := s.url
	s.end()
	if mode, err := os.Stat(filepath.Join(root, "http-secret")); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("want a secret that nobody else reads in %s, got %v, %v", root, mode, err)
	}

	s = serve(t)
	defer s.end()
	c = client{t, s.url}
	at = strings.Replace(at, before, s.url, 1)
	at = c.do("PATCH", at, blob[cut:], 202, append(octets, "Content-Range", fmt.Sprintf("%d-%d", cut, len(blob)-1))...).Header.Get("Location")
	c.do("PUT", at+"&digest="+digestOf(blob), nil, 201)
	c.do("GET", "/v2/a/b/blobs/"+digestOf(blob), nil, 200)
}

// TestASecretThatIsGivenIsNotReplaced has REGISTRY_HTTP_SECRET decide.
func TestASecretThatIsGivenIsNotReplaced(t *testing.T) {
	root := filepath.Join(t.TempDir(), "data")
	t.Setenv("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root)
	t.Setenv("REGISTRY_HTTP_SECRET", "of all replicas")
	config, err := newConsole(t, nil).app.serveConfig(nil)
	if err != nil || config.HTTP.Secret != "of all replicas" {
		t.Fatalf("want the secret given, got %v, %v", config, err)
	}
	if _, err := os.Stat(root); !os.IsNotExist(err) {
		t.Errorf("want nothing written, got %v", err)
	}
}
