package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/internal/transfer"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/layers/fault"
)

// onDisk is a filesystem driver, and its root.
func onDisk(t *testing.T) (storagedriver.StorageDriver, string) {
	t.Helper()
	root := t.TempDir()
	b, err := filesystem.New(t.Context(), filesystem.Config{RootDirectory: root, Fsync: filesystem.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	return complete(t, b), root
}

// complete is the driver of b, with parts as small as they can be, so that little content is many of them.
func complete(t *testing.T, b storagedriver.Backend) storagedriver.StorageDriver {
	t.Helper()
	d := layers.Complete(b, layers.WithPartSize(64<<10))
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// inMemory is a driver without parts, and its backend, which must not be misused.
func inMemory(t *testing.T) (storagedriver.StorageDriver, *chunkedtest.Memory) {
	t.Helper()
	m := &chunkedtest.Memory{Can: storagedriver.AbilityMove | storagedriver.AbilityCopy}
	t.Cleanup(func() {
		if b := m.Breaches(); len(b) > 0 {
			t.Errorf("breaches: %q", b)
		}
	})
	return complete(t, m), m
}

func faulty(t *testing.T, b storagedriver.Backend, rules ...string) storagedriver.StorageDriver {
	t.Helper()
	parsed, err := fault.Parse(rules...)
	if err != nil {
		t.Fatal(err)
	}
	return complete(t, fault.New(b, parsed))
}

// content is n bytes, others for each seed.
func content(n int, seed uint64) []byte {
	out := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range out {
		out[i] = byte(r.Uint32())
	}
	return out
}

func put(t *testing.T, d storagedriver.StorageDriver, path string, content []byte) {
	t.Helper()
	if err := d.PutContent(t.Context(), path, content); err != nil {
		t.Fatal(err)
	}
}

func wantContent(t *testing.T, d storagedriver.StorageDriver, path string, want []byte) {
	t.Helper()
	got, err := d.GetContent(t.Context(), path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes that are equal: %v, want %d (%v)", path, len(got), bytes.Equal(got, want), len(want), err)
	}
}

func wantKind(t *testing.T, err error, kind storagedriver.Kind, texts ...string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind || err == nil {
		t.Fatalf("want %v, got %v", kind, err)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("want %q in %q", text, err)
		}
	}
}

// events keeps what Progress was told.
type events struct {
	mu  sync.Mutex
	all []transfer.Event
}

func (e *events) tell(one transfer.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
}

func (e *events) bytes(stage transfer.Stage) (n int64) {
	for _, one := range e.all {
		if one.Stage == stage {
			n += one.Bytes
		}
	}
	return n
}

func TestFile(t *testing.T) {
	memory, _ := inMemory(t)
	disk, _ := onDisk(t)
	for _, pair := range [][2]storagedriver.StorageDriver{{memory, disk}, {disk, memory}, {disk, disk}} {
		for _, n := range []int{0, 1, 64 << 10, 64<<10 + 1, 1<<20 + 7} {
			for _, verify := range []transfer.Verify{"", transfer.VerifySize, transfer.VerifyNone} {
				src, dst := pair[0], pair[1]
				from, to := fmt.Sprintf("/from/%d", n), fmt.Sprintf("/%s-to-%s%s/%d", src.Name(), dst.Name(), verify, n)
				want := content(n, 1)
				put(t, src, from, want)
				var e events
				o := transfer.Options{Verify: verify, Progress: e.tell}
				r, err := transfer.File(t.Context(), src, dst, from, to, o)
				if err != nil || r.Bytes != int64(n) || r.Written != int64(n) || r.Skipped || r.Resumed != 0 || strings.HasPrefix(r.Digest, "sha256:") != (verify == "") {
					t.Errorf("got %+v, %v", r, err)
				}
				back := int64(0)
				if verify == "" {
					back = int64(n)
				}
				if e.bytes(transfer.Read) != int64(n) || e.bytes(transfer.ReadBack) != back {
					t.Errorf("%d bytes: told of %d read and %d read back", n, e.bytes(transfer.Read), e.bytes(transfer.ReadBack))
				}
				wantContent(t, dst, to, want)
				r, err = transfer.File(t.Context(), src, dst, from, to, o)
				if err != nil || !r.Skipped || r.Written != 0 || r.Bytes != int64(n) {
					t.Errorf("again: got %+v, %v", r, err)
				}
				if n == 0 {
					continue
				}
				put(t, src, from, content(n, 2))
				r, err = transfer.File(t.Context(), src, dst, from, to, o)
				if want := verify != ""; err != nil || r.Skipped != want {
					t.Errorf("other content of that size: got %+v, %v; skipped should be %v", r, err, want)
				}
				if verify == "" {
					wantContent(t, dst, to, content(n, 2))
				}
			}
		}
	}
}

func TestFileRefusals(t *testing.T) {
	src, _ := inMemory(t)
	dst, _ := inMemory(t)
	put(t, src, "/d/f", []byte("x"))
	put(t, dst, "/there/below", []byte("x"))
	_, err := transfer.File(t.Context(), src, dst, "/missing", "/a", transfer.Options{})
	wantKind(t, err, storagedriver.KindNotFound, "/missing")
	_, err = transfer.File(t.Context(), src, dst, "/d", "/a", transfer.Options{})
	wantKind(t, err, storagedriver.KindInvalidArgument, "/d is a directory")
	_, err = transfer.File(t.Context(), src, dst, "/d/f", "/there", transfer.Options{})
	wantKind(t, err, storagedriver.KindInvalidPath, "a directory at /there")
	_, err = transfer.File(t.Context(), src, dst, "/d/f", "/a", transfer.Options{Verify: "md5"})
	wantKind(t, err, storagedriver.KindInvalidArgument, "digest, size or none")
	_, err = transfer.Tree(t.Context(), src, dst, "/d", "/a", transfer.Options{Parallel: -1})
	wantKind(t, err, storagedriver.KindInvalidArgument, "parallel")
}

// TestWhatTheDestinationSpoils turns a bit over on the way into the destination, and cuts what it gives back.
func TestWhatTheDestinationSpoils(t *testing.T) {
	src, _ := inMemory(t)
	for _, n := range []int{100, 300 << 10} {
		put(t, src, "/f", content(n, 1))
		for verify, want := range map[transfer.Verify]storagedriver.Kind{transfer.VerifyDigest: storagedriver.KindCorrupt, transfer.VerifySize: 0, transfer.VerifyNone: 0} {
			m := &chunkedtest.Memory{}
			dst := faulty(t, m, "corrupt source 50 on Put")
			_, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{Verify: verify})
			if want == 0 && err != nil {
				t.Errorf("%s: %v", verify, err)
			}
			if want != 0 {
				wantKind(t, err, want, "/g: the destination gives back", "sha256:")
			}
		}
	}
}

// TestSourceThatChanges has the source replaced once it was read, by content of the same size as well.
func TestSourceThatChanges(t *testing.T) {
	for _, n := range []int{100, 300 << 10} {
		for _, change := range []string{"longer", "same size", "removed"} {
			src, root := onDisk(t)
			dst, _ := inMemory(t)
			put(t, src, "/f", content(n, 1))
			put(t, dst, "/g", []byte("what was there"))
			var once sync.Once
			o := transfer.Options{Progress: func(e transfer.Event) {
				if e.Stage != transfer.Read {
					return
				}
				once.Do(func() {
					var err error
					switch change {
					case "longer":
						err = src.PutContent(t.Context(), "/f", content(n+1, 2))
					case "same size":
						err = os.WriteFile(filepath.Join(root, "f"), content(n, 2), 0o600)
						past, _ := os.Stat(filepath.Join(root, "f"))
						err2 := os.Chtimes(filepath.Join(root, "f"), past.ModTime(), past.ModTime().Add(1e9))
						if err == nil {
							err = err2
						}
					case "removed":
						err = src.Delete(t.Context(), "/f")
					}
					if err != nil {
						t.Error(err)
					}
				})
			}}
			_, err := transfer.File(t.Context(), src, dst, "/f", "/g", o)
			wantKind(t, err, storagedriver.KindConflict, "/f", "while it was copied")
			wantContent(t, dst, "/g", []byte("what was there"))
			if change == "removed" {
				continue
			}
			r, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
			if err != nil || r.Resumed != 0 {
				t.Errorf("once it is still: %+v, %v", r, err)
			}
		}
	}
}

// interrupted copies /f to /g until n bytes of it were read, and suspends.
func interrupted(t *testing.T, src, dst storagedriver.StorageDriver, n int64, o transfer.Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var read int64
	o.Progress = func(e transfer.Event) {
		if e.Stage == transfer.Read {
			if read += e.Bytes; read >= n {
				cancel()
			}
		}
	}
	_, err := transfer.File(ctx, src, dst, "/f", "/g", o)
	wantKind(t, err, storagedriver.KindCanceled)
	if _, err := dst.Stat(t.Context(), "/g"); storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Fatalf("want nothing to be seen of it, got %v", err)
	}
}

func suspendedSize(t *testing.T, d storagedriver.StorageDriver, path string) int64 {
	t.Helper()
	w, err := d.Writer(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.Size()
}

func TestInterruptedCopyIsContinued(t *testing.T) {
	for name, open := range map[string]func() storagedriver.StorageDriver{
		"filesystem": func() storagedriver.StorageDriver { d, _ := onDisk(t); return d },
		"memory":     func() storagedriver.StorageDriver { d, _ := inMemory(t); return d },
	} {
		t.Run(name, func(t *testing.T) {
			src, _ := inMemory(t)
			want := content(2<<20, 1)
			put(t, src, "/f", want)
			dst := open()
			interrupted(t, src, dst, 1<<20, transfer.Options{})
			r, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
			if err != nil || r.Resumed < 512<<10 || r.Resumed+r.Written != 2<<20 {
				t.Errorf("got %+v, %v", r, err)
			}
			wantContent(t, dst, "/g", want)
		})
	}
}

// TestWithoutDigestsNothingIsContinued: nothing would tell that the upload is of this file.
func TestWithoutDigestsNothingIsContinued(t *testing.T) {
	src, _ := inMemory(t)
	put(t, src, "/f", content(2<<20, 1))
	dst, m := inMemory(t)
	interrupted(t, src, dst, 1<<20, transfer.Options{Verify: transfer.VerifySize})
	if left := m.Content(); len(left) > 0 {
		t.Errorf("want nothing left of the upload, got %d files", len(left))
	}
	interrupted(t, src, dst, 1<<20, transfer.Options{})
	r, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{Verify: transfer.VerifyNone})
	if err != nil || r.Resumed != 0 || r.Written != 2<<20 {
		t.Errorf("got %+v, %v", r, err)
	}
	wantContent(t, dst, "/g", content(2<<20, 1))
}

func TestUploadOfOtherContentIsBegunAnew(t *testing.T) {
	for name, n := range map[string]int{"shorter": 1 << 20, "as long": 2 << 20, "longer": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			src, _ := inMemory(t)
			want := content(2<<20, 1)
			put(t, src, "/f", want)
			dst, _ := inMemory(t)
			w, err := dst.Writer(t.Context(), "/g", false)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(content(n, 2)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
			if err != nil || r.Resumed != 0 {
				t.Errorf("got %+v, %v", r, err)
			}
			wantContent(t, dst, "/g", want)
		})
	}
}

// TestReadThatBreaks leaves what was accepted to the next call.
func TestReadThatBreaks(t *testing.T) {
	m := &chunkedtest.Memory{}
	put(t, complete(t, m), "/f", content(2<<20, 1))
	dst, _ := onDisk(t)
	src := faulty(t, m, "fail body 1048576 unavailable temporary on Read call 1")
	_, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
	wantKind(t, err, storagedriver.KindUnavailable, "/f")
	r, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
	if err != nil || r.Resumed == 0 || r.Resumed > 1<<20 {
		t.Errorf("got %+v, %v", r, err)
	}
	wantContent(t, dst, "/g", content(2<<20, 1))
}

func TestCommitThatFails(t *testing.T) {
	src, _ := inMemory(t)
	put(t, src, "/f", content(2<<20, 1))
	m := &chunkedtest.Memory{Can: storagedriver.AbilityMove}
	dst := faulty(t, m, "fail before no-space on Move,Put at /g call 1")
	_, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{})
	wantKind(t, err, storagedriver.KindNoSpace, "/g")
	if _, err := transfer.File(t.Context(), src, dst, "/f", "/g", transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, dst, "/g", content(2<<20, 1))
}
