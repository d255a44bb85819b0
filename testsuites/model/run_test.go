package model_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/model"
)

const partSize = 1000

// on opens processes on one backend.
func on(b storagedriver.Backend, dir string) model.Harness {
	return model.Harness{Dir: dir, Open: func(context.Context, int64) (model.Process, error) {
		return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver {
			return layers.Complete(b, layers.WithPartSize(partSize), layers.WithBudget(chunked.NewBudget(20*partSize)))
		}), nil
	}}
}

func parse(t *testing.T, text string) model.Script {
	t.Helper()
	s, err := model.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// everything has each operation do what it is for at least once.
const everything = `put /a/b 1234
put /a-b 10
get /a/b
get /missing
read /a/b 17
read /a/b -1
stat /a
list /a
walk /
walk / after=/a-b
walk / skip=/a stop=/a-b
walk / fail=/a
walk /missing
reader r1 /a/b 34
next r1 100
writer w1 /a/c append
write w1 2500
write w1 0
interrupt w1
write w1 1
writer w2 /a/c append
write w2 1
crash
writer w1 /a/c append
write w1 700
close w1
close w1
cancel w1
writer w1 /a/c
write w1 5500
commit w1
cancel w1
write w1 1
commit w1
reader r1 /a/c 5499
next r1 1
close r1
writer w3 /d append
write w3 2000
delete /d
commit w3
move /a /e/f
move /e/f/b /e/f/b/x
move /e /a-b
crash-in 2
move /a-b /e
crash-in 9
put /g 5
writer w4 /g/h append
crash-in 1
put /i 5
writer w4 /i append
write w4 3100
crash-in 2
commit w4
crash-in 3
delete /a-b
reopen
writer w1 /e~
check
delete /e
delete /e
`

// TestRun leaves nothing, and what was there alone.
func TestRun(t *testing.T) {
	for _, dir := range []string{"", "/deep/down"} {
		b := inmemory.New()
		other := layers.Complete(b)
		if dir != "" {
			if err := other.PutContent(t.Context(), "/deep/a", []byte("not the script's")); err != nil {
				t.Fatal(err)
			}
		}
		script := parse(t, everything)
		performed := 0
		if err := model.Run(t.Context(), on(b, dir), script, func(done int, op model.Op) {
			if done != performed || op != script[done] {
				t.Errorf("want operation %d, %s, to be announced, got %d, %s", performed, script[performed], done, op)
			}
			performed++
		}); err != nil {
			t.Errorf("in %q: want the script to pass, got %v", dir, err)
		}
		if performed != len(script) {
			t.Errorf("want all %d operations to be announced, got %d", len(script), performed)
		}
		want := 0
		if dir != "" {
			want = 1
		}
		var left []string
		_ = other.Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
			if !info.IsDir() {
				left = append(left, info.Path())
			}
			return nil
		})
		if len(left) != want {
			t.Errorf("in %q: want %d files left, got %q", dir, want, left)
		}
	}
}

// broken is inmemory whose Stat of one path panics, and whose listing loses another.
type broken struct {
	*inmemory.Driver
	panics, loses string
}

func (b broken) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if path == b.panics {
		panic("broken")
	}
	return b.Driver.Stat(ctx, path)
}

func (b broken) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	p, err := b.Driver.List(ctx, path, cursor, limit)
	var kept []storagedriver.Entry
	for _, e := range p.Entries {
		if storagedriver.JoinPath(path, e.Name) != b.loses {
			kept = append(kept, e)
		}
	}
	p.Entries = kept
	return p, err
}

func TestMismatchSaysWhere(t *testing.T) {
	script := parse(t, "# two\nput /a 1\n\nput /b 2 # this one\n")
	for name, c := range map[string]struct {
		b     broken
		atEnd bool
		want  string
	}{
		"a panic":       {broken{panics: "/b"}, false, "line 4: put /b 2 seed=4: the driver: want no panic, got broken\n"},
		"seen later on": {broken{loses: "/b"}, true, `at the end of the script: Walk /: want ["/a" "/b"], got ["/a"]`},
	} {
		t.Run(name, func(t *testing.T) {
			c.b.Driver = inmemory.New()
			err := model.Run(t.Context(), on(c.b, ""), script, nil)
			var m *model.Mismatch
			if !errors.As(err, &m) || m.AtEnd != c.atEnd || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("want %s, got %v", c.want, err)
			}
		})
	}
}

func TestRunThatCannotGoOn(t *testing.T) {
	script := parse(t, "put /a 1\ncrash\nput /b 2\n")
	h := on(inmemory.New(), "")
	open, opened := h.Open, 0
	refused := errors.New("refused")
	h.Open = func(ctx context.Context, partSize int64) (model.Process, error) {
		if opened++; opened == 2 {
			return model.Process{}, refused
		}
		return open(ctx, partSize)
	}
	if err := model.Run(t.Context(), h, script, nil); !errors.Is(err, refused) {
		t.Errorf("want the error of opening, got %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	performed := 0
	err := model.Run(ctx, on(inmemory.New(), ""), script, func(int, model.Op) { performed++; cancel() })
	if !errors.Is(err, context.Canceled) || performed > 1 {
		t.Errorf("want the context's error after one operation, got %v after %d", err, performed)
	}
	var m *model.Mismatch
	if errors.As(err, &m) {
		t.Errorf("want no mismatch of what was interrupted, got %v", m)
	}
}

// resilient is a backend where a writer stores a part at a path as soon as a directory above was first deleted.
type resilient struct {
	storagedriver.Backend
	once *sync.Once
	part string
}

func (b resilient) DeleteTree(ctx context.Context, path string) error {
	err := b.Backend.DeleteTree(ctx, path)
	if err == nil && storagedriver.IsBelow(b.part, path) {
		b.once.Do(func() { err = b.Put(ctx, b.part, storagedriver.BytesSource([]byte("part"))) })
	}
	return err
}

// TestAWriterBelowADeletedDirectory may have made it again, and a Move takes along what was made: here directories.
func TestAWriterBelowADeletedDirectory(t *testing.T) {
	for _, crash := range []string{"", "crash-in 9\n"} {
		root := t.TempDir()
		var once sync.Once
		h := model.Harness{Open: func(ctx context.Context, partSize int64) (model.Process, error) {
			b, err := filesystem.New(ctx, filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
			if err != nil {
				return model.Process{}, err
			}
			return on(resilient{b, &once, "/a/b/c" + storagedriver.PrivateMark}, "").Open(ctx, partSize)
		}}
		script := parse(t, "writer w /a/b/c append\nwrite w 1\nput /a/x 1\ndelete /a\n"+crash+"move /a /e\nlist /e\n")
		if err := model.Run(t.Context(), h, script, nil); err != nil {
			t.Errorf("%s%v", crash, err)
		}
	}
}

// TestKill wants nothing of a process that was killed to reach the backend.
func TestKill(t *testing.T) {
	b := inmemory.New()
	p, err := on(b, "").Open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.Driver.Writer(t.Context(), "/a", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, partSize/2)); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := w.Close(); storagedriver.KindOf(err) != storagedriver.KindClosed {
		t.Errorf("Close: want %q, got %v", storagedriver.KindClosed, err)
	}
	for what, call := range map[string]func() error{
		"PutContent": func() error { return p.Driver.PutContent(t.Context(), "/b", []byte("b")) },
		"Move":       func() error { return p.Driver.Move(t.Context(), "/b", "/c") },
		"Delete":     func() error { return p.Driver.Delete(t.Context(), "/b") },
		"Stat":       func() error { _, err := p.Driver.Stat(t.Context(), "/"); return err },
		"Reader":     func() error { _, err := p.Driver.Reader(t.Context(), "/b", 0); return err },
		"List":       func() error { _, err := p.Driver.List(t.Context(), "/"); return err },
	} {
		if err := call(); storagedriver.KindOf(err) != storagedriver.KindClosed {
			t.Errorf("%s: want %q, got %v", what, storagedriver.KindClosed, err)
		}
	}
	if page, err := b.List(t.Context(), "/", "", 10); err != nil || len(page.Entries) > 0 {
		t.Errorf("want nothing at the backend, got %v, %v", page.Entries, err)
	}
}

func ExampleRun() {
	script, err := model.Parse(`
put /a/b 1234
writer w1 /a/c append
write w1 70000
crash                     # nothing was suspended: from 1 to 70000 bytes, or nothing
writer w2 /a/c append
commit w2
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(model.Run(context.Background(), on(inmemory.New(), ""), script, nil))
	// Output: <nil>
}
