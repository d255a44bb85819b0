package migrate_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/migrate"
)

// childVariable makes the test binary another process of a test: KIND|OLD|NEW|SEED.
const childVariable = "MIGRATE_TEST_CHILD"

func TestMain(m *testing.M) {
	arg := os.Getenv(childVariable)
	if arg == "" {
		_ = flag.Set("test.parallel", "8") // most wait for heartbeats; the command line has the last word
		flag.Parse()
		for name, value := range map[string]string{"nofailfile": "true", "shrinktime": "2s", "checks": "5000"} {
			_ = flag.Set("rapid."+name, value)
		}
		os.Exit(m.Run())
	}
	fields := strings.Split(arg, "|")
	seed, err := strconv.ParseUint(fields[3], 10, 64)
	if err == nil {
		err = child(fields[0], fields[1], fields[2], seed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the child ended:", err)
		os.Exit(1)
	}
}

// killScale is a heartbeat there: short enough to wait for what was killed, long enough for a machine that is busy.
const killScale = 400 * time.Millisecond

func openRoots(ctx context.Context, old, new string, copy bool) (*migrate.Driver, error) {
	var stores [2]storagedriver.Backend
	for i, root := range []string{old, new} {
		b, err := filesystem.New(ctx, filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
		if err != nil {
			return nil, err
		}
		stores[i] = b
	}
	return migrate.Open(ctx, migrate.Quick(migrate.Config{Old: stores[0], New: stores[1], Copy: copy, Copying: migrate.CopyOptions{Parallel: 2, Rate: 4 << 20}}, killScale))
}

// child copies, or is a client that does what it is told and says what became of it, until it is killed.
func child(kind, old, new string, _ uint64) error {
	ctx := context.Background()
	d, err := openRoots(ctx, old, new, kind == "copier")
	if err != nil {
		return err
	}
	fmt.Println("open")
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		answer, err := perform(ctx, d, orders.Text())
		if err != nil {
			answer = "failed " + strconv.Quote(err.Error())
		}
		fmt.Println(answer)
	}
	return errors.Join(orders.Err(), d.Close())
}

// perform does what an order says: get PATH, put PATH CONTENT, upload PATH CONTENT, delete PATH, move PATH PATH.
func perform(ctx context.Context, d storagedriver.StorageDriver, order string) (string, error) {
	f := strings.Fields(order)
	switch f[0] {
	case "get":
		content, err := d.GetContent(ctx, f[1])
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			return "got -", nil
		}
		if len(content) > 20 { // what is large is one word again and again
			word := content[:strings.IndexByte(string(content), ',')+1]
			if strings.Repeat(string(word), len(content)/len(word)) != string(content) {
				return "", errors.New("a mixture")
			}
			content = word
		}
		return "got " + string(content), err
	case "put":
		return "done", d.PutContent(ctx, f[1], []byte(f[2]))
	case "upload":
		w, err := d.Writer(ctx, f[1], false)
		if err != nil {
			return "", err
		}
		// In three requests, as a registry does.
		for i := range 3 {
			if i > 0 {
				if err = w.Close(); err == nil {
					w, err = d.Writer(ctx, f[1], true)
				}
				if err != nil {
					return "", err
				}
			}
			if _, err := io.WriteString(w, strings.Repeat(f[2], 10_000)); err != nil {
				return "", errors.Join(err, w.Close())
			}
		}
		return "done", errors.Join(w.Commit(ctx), w.Close())
	case "delete":
		err := d.Delete(ctx, f[1])
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			err = nil
		}
		return "done", err
	case "move":
		return "done", d.Move(ctx, f[1], f[2])
	}
	return "", fmt.Errorf("no order: %s", order)
}

// running is a child.
type running struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
}

func start(t *testing.T, kind, old, new string) *running {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &running{cmd: exec.Command(self)}
	r.cmd.Env = append(os.Environ(), childVariable+"="+kind+"|"+old+"|"+new+"|0")
	r.cmd.Stderr = os.Stderr
	out, err := r.cmd.StdoutPipe()
	if err == nil {
		r.orders, err = r.cmd.StdinPipe()
	}
	if err == nil {
		err = r.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	r.answers = bufio.NewScanner(out)
	if !r.answers.Scan() || r.answers.Text() != "open" {
		t.Fatalf("a child said %q", r.answers.Text())
	}
	return r
}

func (r *running) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait() // it was killed
}

// tell gives an order and returns the answer, or "" when the child was killed.
func (r *running) tell(order string) string {
	if _, err := fmt.Fprintln(r.orders, order); err != nil || !r.answers.Scan() {
		return ""
	}
	return r.answers.Text()
}

// file is what a client knows of a path of its own: what may be there, several if an answer was lost.
type file struct {
	path string
	may  []string
}

// client changes paths that nobody else changes, in a process that is killed now and then, and checks what it reads there.
type client struct {
	t        *testing.T
	old, new string
	files    []*file
	random   *rand.Rand
	changes  int
}

// run goes on for so many changes, and until enough copiers were killed.
func (c *client) run(changes int, enough <-chan struct{}) {
	r := start(c.t, "client", c.old, c.new)
	defer func() { r.kill() }()
	for !c.t.Failed() {
		select {
		case <-enough:
			if c.changes >= changes {
				return
			}
		default:
		}
		if c.random.IntN(25) == 0 {
			timer := time.AfterFunc(time.Duration(c.random.IntN(20))*time.Millisecond, func() { _ = r.cmd.Process.Kill() })
			for c.step(r) {
			}
			timer.Stop()
			r.kill()
			r = start(c.t, "client", c.old, c.new)
		}
		if !c.step(r) {
			r.kill()
			r = start(c.t, "client", c.old, c.new)
		}
	}
}

// step does one thing, and returns false if the process is gone.
func (c *client) step(r *running) bool {
	f := c.files[c.random.IntN(len(c.files))]
	if !c.look(r, f) {
		return false
	}
	c.changes++
	value := fmt.Sprintf("v%d,", c.random.Uint32())
	switch c.random.IntN(6) {
	case 0, 1:
		return c.change(r, "put "+f.path+" "+value, map[*file]string{f: value})
	case 2:
		return c.change(r, "upload "+f.path+" "+value, map[*file]string{f: value})
	case 3:
		return c.change(r, "delete "+f.path, map[*file]string{f: "-"})
	case 4:
		to := c.files[c.random.IntN(len(c.files))]
		if to == f || f.may[0] == "-" || !c.look(r, to) {
			return true
		}
		return c.change(r, "move "+f.path+" "+to.path, map[*file]string{f: "-", to: f.may[0]})
	}
	return true
}

// look reads, and demands what is known.
func (c *client) look(r *running, f *file) bool {
	answer := r.tell("get " + f.path)
	if answer == "" {
		return false
	}
	for _, may := range f.may {
		if answer == "got "+may {
			f.may = []string{may}
			return true
		}
	}
	c.t.Errorf("%s: want one of %q, %s", f.path, f.may, answer)
	return true
}

// change gives an order after which the files have other contents; without an answer it may have been done or not.
func (c *client) change(r *running, order string, after map[*file]string) bool {
	answer := r.tell(order)
	for f, content := range after {
		if answer == "done" {
			f.may = []string{content}
		} else {
			f.may = append(f.may, content)
		}
	}
	if strings.HasPrefix(answer, "failed") {
		c.t.Logf("%s: %s", order, answer)
	}
	return answer != ""
}

// TestKilledProcesses has clients change what is there while it is copied, and kills them and the copier at any moment.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	old, new := t.TempDir(), t.TempDir()
	const clients, each = 3, 12
	changes, copiers := 250, 4
	if os.Getenv("BERTH_LONG") != "" {
		changes, copiers = 5000, 40
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	gate := fill(t, old, 300)
	all := make([]*client, clients)
	for i := range all {
		all[i] = &client{t: t, old: old, new: new, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		for j := range each {
			path := fmt.Sprintf("/client%d/dir%d/f%d", i, j%3, j)
			if err := gate.PutContent(t.Context(), path, []byte("old,")); err != nil {
				t.Fatal(err)
			}
			all[i].files = append(all[i].files, &file{path, []string{"old,"}})
		}
	}
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	enough := make(chan struct{})
	for _, c := range all {
		working.Go(func() { c.run(changes, enough) })
	}
	done := make(chan struct{})
	go func() {
		working.Wait()
		close(done)
	}()
	killCopiers(t, old, new, rand.New(rand.NewPCG(seed, 99)), copiers, enough, done)
	total := 0
	for _, c := range all {
		total += c.changes
	}
	t.Logf("%d changes, %d copiers killed", total, copiers)
	if t.Failed() {
		return
	}
	finishAndLook(t, old, new, all)
}

// fill stores n files below /still, which nobody changes.
func fill(t *testing.T, root string, n int) storagedriver.StorageDriver {
	t.Helper()
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	gate := layers.Complete(b)
	for i := range n {
		if err := gate.PutContent(t.Context(), fmt.Sprintf("/still/%d", i), []byte(strings.Repeat(fmt.Sprintf("%d,", i), 10_000))); err != nil {
			t.Fatal(err)
		}
	}
	return gate
}

// killCopiers kills so many copiers, and lets the next one go on until done.
func killCopiers(t *testing.T, old, new string, random *rand.Rand, n int, enough chan<- struct{}, done <-chan struct{}) {
	for range n {
		r := start(t, "copier", old, new)
		select {
		case <-done:
		case <-time.After(time.Duration(4000+random.IntN(4000)) * time.Millisecond): // the next one waits nearly as long for this one
		}
		r.kill()
	}
	close(enough)
	r := start(t, "copier", old, new)
	<-done
	r.kill()
}

// finishAndLook ends the migration, and looks on new alone.
func finishAndLook(t *testing.T, old, new string, all []*client) {
	t.Helper()
	d, err := openRoots(t.Context(), old, new, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: old, Fsync: filesystem.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	before := contents(t, d, all)
	// The times are short here: on a machine that is busy the copier may give up, which an operator's is started again after.
	for err = d.Copy(t.Context(), migrate.CopyOptions{}); storagedriver.IsTemporary(err) && t.Context().Err() == nil; {
		t.Log(err)
		err = d.Copy(t.Context(), migrate.CopyOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Finish(t.Context()), b.Close()); err != nil {
		t.Fatal(err)
	}
	if b, err = filesystem.New(t.Context(), filesystem.Config{RootDirectory: new, Fsync: filesystem.FsyncOff}); err != nil {
		t.Fatal(err)
	}
	alone := layers.Complete(b)
	defer alone.Close()
	after := contents(t, alone, all)
	for path, content := range before {
		if after[path] != content {
			t.Errorf("%s: %q before the copy, and %q on new alone", path, content, after[path])
		}
	}
	for i := range 300 {
		order := fmt.Sprintf("get /still/%d", i)
		if got, err := perform(t.Context(), alone, order); err != nil || got != fmt.Sprintf("got %d,", i) {
			t.Errorf("%s: %s, %v", order, got, err)
		}
	}
	intents, err := os.ReadDir(new + migrate.CopyingDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, intent := range intents {
		if !storagedriver.IsPrivate(intent.Name()) { // else the driver's: a copier was killed in the middle of a Put
			t.Errorf("the intent %s stays", intent.Name())
		}
	}
}

// contents reads all files of all clients, and checks them.
func contents(t *testing.T, d storagedriver.StorageDriver, all []*client) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, c := range all {
		for _, f := range c.files {
			got, err := perform(t.Context(), d, "get "+f.path)
			got = strings.TrimPrefix(got, "got ")
			ok := false
			for _, may := range f.may {
				ok = ok || may == got
			}
			if err != nil || !ok {
				t.Errorf("%s: want one of %q, got %q, %v", f.path, f.may, got, err)
			}
			out[f.path] = got
		}
	}
	return out
}
