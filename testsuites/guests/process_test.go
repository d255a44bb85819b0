package guests

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/guestbuild"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

// processVariable makes the test binary another process that uploads: a process as JSON.
const processVariable = "BERTH_GUESTS_TEST_PROCESS"

// process is what another process does with the driver of a module. It says on standard output the size that
// each of its writers has when it is opened, one a line, and at last "done".
type process struct {
	Module, Cache, Store string
	// Total is how long the whole content is.
	Total int
	// Steps are sizes: at each but the last the writer is closed, and the next opened with append. 0 is Total.
	Steps []int
	// Resume has the first writer opened with append as well.
	Resume bool
	// Commit ends with one. Otherwise the last writer is closed.
	Commit bool
}

func runProcess(arg string) int {
	var p process
	err := json.Unmarshal([]byte(arg), &p)
	if err == nil {
		err = p.run(context.Background())
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println("done")
	return 0
}

func (p process) run(ctx context.Context) (err error) {
	m, err := runtime.Load(ctx, p.Module, runtime.Config{Allow: egress.Origins(p.Store), CacheDir: p.Cache, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close(ctx)) }()
	b, err := m.Open(ctx, map[string]any{"endpoint": p.Store, "min-part": minPart})
	if err != nil {
		return err
	}
	// One part at a time: the next one at the store says that those before are stored.
	d := layers.Complete(b, layers.WithPartSize(partSize), layers.WithParallel(1))
	defer func() { err = errors.Join(err, d.Close()) }()
	content := pattern(p.Total)
	for i, until := range p.Steps {
		w, err := d.Writer(ctx, target, p.Resume || i > 0)
		if err != nil {
			return err
		}
		fmt.Println(w.Size())
		if _, err := w.Write(content[w.Size():until]); err != nil {
			return err
		}
		if p.Commit && i == len(p.Steps)-1 {
			if err := w.Commit(ctx); err != nil {
				return err
			}
		}
		if err := w.Close(); err != nil {
			return err
		}
	}
	return nil
}

// start begins the process. What it says arrives on the channel, which is closed when it has ended.
func (p process) start(t *testing.T, s *server) (*exec.Cmd, <-chan string) {
	t.Helper()
	p.Module, p.Cache, p.Store = guestbuild.Path(t, "parts"), cacheDir, s.url
	arg, err := json.Marshal(p)
	ok(t, err, "Marshal")
	self, err := os.Executable()
	ok(t, err, "Executable")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), processVariable+"="+string(arg))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ok(t, err, "StdoutPipe")
	ok(t, cmd.Start(), "start of a process")
	said, ended := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
		_ = cmd.Wait() // it may have been killed; what it said tells
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return cmd, said
}

// kill has the process meet moment at the store, which holds the request, and kills it there. It returns
// what the process said.
func (p process) kill(t *testing.T, s *server, moment func(partstore.Request) bool) []string {
	t.Helper()
	met, over := make(chan struct{}, 1), make(chan struct{})
	defer close(over)
	s.Intercept(func(ctx context.Context, r partstore.Request) *partstore.Fault {
		if !moment(r) {
			return nil
		}
		select {
		case met <- struct{}{}:
		default:
		}
		select {
		case <-ctx.Done():
		case <-over: // a server that has not read the body does not see that the connection is gone
		}
		return &partstore.Fault{}
	})
	defer s.Intercept(nil)
	cmd, said := p.start(t, s)
	var lines []string
	for {
		select {
		case line, more := <-said:
			if !more {
				t.Fatalf("the process ended before it could be killed: %q", lines)
			}
			lines = append(lines, line)
		case <-met:
			ok(t, cmd.Process.Signal(syscall.SIGKILL), "kill")
			for line := range said {
				lines = append(lines, line)
			}
			if status, is := cmd.ProcessState.Sys().(syscall.WaitStatus); !is || status.Signal() != syscall.SIGKILL {
				t.Fatalf("want a process that was killed, got %v: %q", cmd.ProcessState, lines)
			}
			return lines
		case <-time.After(2 * time.Minute):
			t.Fatalf("the process does not come to where it is to be killed: %q", lines)
		}
	}
}

// TestAProcessThatIsKilledIsContinuedByAnother kills a process in the middle of its upload. Another one finds
// exactly what was durable, and completes the content.
func TestAProcessThatIsKilledIsContinuedByAnother(t *testing.T) {
	const (
		total = partSize*6 + 1000
		first = partSize*2 + 3000 // less than a part is left over
	)
	part := func(n int) func(partstore.Request) bool {
		return func(r partstore.Request) bool { return r.Op == partstore.OpPart && r.N == n }
	}
	for name, c := range map[string]struct {
		process process
		moment  func(partstore.Request) bool
		said    []string
		durable int
		orphans int // uploads that only their killed writer knew, left at the store
	}{
		"with two parts stored and nothing suspended": {
			process{Steps: []int{total}}, part(3), []string{"0"}, 0, 1},
		"with two parts more than were suspended": {
			process{Steps: []int{first, total}}, part(5), []string{"0", fmt.Sprint(first)}, first, 0},
		"in its second suspend": {
			process{Steps: []int{first, partSize * 4}}, func(r partstore.Request) bool {
				return r.Op == partstore.OpPut && strings.HasSuffix(r.Key, "~upload") && r.N == 2
			}, []string{"0", fmt.Sprint(first)}, first, 0},
		"in its commit": {
			process{Steps: []int{first, total}, Commit: true}, func(r partstore.Request) bool { return r.Op == partstore.OpComplete },
			[]string{"0", fmt.Sprint(first)}, total, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStore(t)
			c.process.Total = total
			if said := c.process.kill(t, s, c.moment); !slices.Equal(said, c.said) {
				t.Fatalf("the process that was killed said %q, want %q", said, c.said)
			}
			d := open(testsuites.Testing(t), s.nativeParts(), s.parameters())
			defer d.Close()
			if _, err := d.Stat(t.Context(), target); storagedriver.KindOf(err) != storagedriver.KindNotFound {
				t.Errorf("Stat before the commit: want nothing to be visible, got %v", err)
			}
			_, said := process{Total: total, Steps: []int{total}, Resume: true, Commit: true}.start(t, s)
			var lines []string
			for line := range said {
				lines = append(lines, line)
			}
			if want := []string{fmt.Sprint(c.durable), "done"}; !slices.Equal(lines, want) {
				t.Fatalf("the second process said %q, want the size that was durable: %q", lines, want)
			}
			wantDigest(t, d, pattern(total))
			if left := s.Unfinished(); len(left) != c.orphans {
				t.Errorf("unfinished uploads at the store: want %d, got %q", c.orphans, left)
			}
			ok(t, d.Delete(t.Context(), target), "Delete")
			if keys, left := s.Keys(), s.Unfinished(); len(keys)+len(left) > 0 {
				t.Errorf("want nothing left after Delete, got %q and uploads to %q", keys, left)
			}
		})
	}
}

// wantDigest streams the content at target.
func wantDigest(t *testing.T, d storagedriver.StorageDriver, want []byte) {
	t.Helper()
	r, err := d.Reader(t.Context(), target, 0)
	ok(t, err, "Reader")
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, r)
	ok(t, err, "Read")
	sum := sha256.Sum256(want)
	if n != int64(len(want)) || !bytes.Equal(h.Sum(nil), sum[:]) {
		t.Errorf("content: want %d bytes with the digest %x, got %d with %x", len(want), sum, n, h.Sum(nil))
	}
}
