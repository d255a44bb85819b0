package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

const (
	transformedPath = "/delegated/transformed/a/data"
	transformedDest = "/in-store/a/data"
)

// untransformed returns the content that the exercise guest's frames have, and how many there are.
func untransformed(t *testing.T, stored []byte) (content []byte, frames int) {
	t.Helper()
	for {
		header, rest, found := bytes.Cut(stored, []byte(">"))
		fields := strings.Split(string(bytes.TrimPrefix(header, []byte("<"))), ":")
		if !found || len(fields) != 3 || len(header) > 100 {
			t.Fatalf("after %d frames with %d bytes: no frame, but %.60q", frames, len(content), stored)
		}
		if fields[0] == "end" {
			if want := []string{"end", strconv.Itoa(frames), strconv.Itoa(len(content))}; frames > 0 && !slices.Equal(fields, want) || len(rest) > 0 {
				t.Fatalf("the end is %v with %d bytes after it, want %v", fields, len(rest), want)
			}
			return content, frames
		}
		n, err := strconv.Atoi(fields[1])
		if err != nil || fields[0] != strconv.Itoa(frames) || n > len(rest) {
			t.Fatalf("frame %d with %d bytes before it is %v with %d bytes after it", frames, len(content), fields, len(rest))
		}
		content, stored = append(content, rest[:n]...), rest[n:]
		frames++
	}
}

// wantTransformed looks at the committed upload, and for what must not be beside it.
func wantTransformed(t *testing.T, under storagedriver.StorageDriver, want []byte) (frames int) {
	t.Helper()
	r, err := under.Reader(t.Context(), transformedDest, 0)
	ok(t, err, "Reader")
	stored, err := io.ReadAll(r)
	ok(t, err, "reading")
	ok(t, r.Close(), "Close")
	content, frames := untransformed(t, stored)
	if !bytes.Equal(content, want) {
		t.Fatalf("the content is %d others bytes, want %d", len(content), len(want))
	}
	noRecords(t, under, transformedDest)
	return frames
}

func noRecords(t *testing.T, under storagedriver.StorageDriver, want ...string) {
	t.Helper()
	names, err := under.List(t.Context(), "/in-store/a")
	if err != nil && (len(want) > 0 || storagedriver.KindOf(err) != storagedriver.KindNotFound) {
		t.Fatal(err)
	}
	if !slices.Equal(names, want) {
		t.Errorf("in the store: %q, want %q", names, want)
	}
}

// transforms opens the guest below a gate as a process of its own would.
func transforms(t *testing.T, under storagedriver.StorageDriver, parts int64) (storagedriver.StorageDriver, *store, *runtime.Module) {
	t.Helper()
	b, s, m := open(t, runtime.Config{Stores: map[string]storagedriver.StorageDriver{"under": under}}, nil)
	return layers.Complete(b, layers.WithPartSize(parts)), s, m
}

func TestUploadsAreTransformed(t *testing.T) {
	content := unique(9<<20 + 77)
	stores := map[string]func(t *testing.T) storagedriver.StorageDriver{
		"inmemory": func(*testing.T) storagedriver.StorageDriver { return memory() },
		"filesystem": func(t *testing.T) storagedriver.StorageDriver {
			b, err := filesystem.Open(t.Context(), map[string]any{"rootdirectory": t.TempDir()})
			ok(t, err, "Open")
			return layers.Complete(b)
		},
	}
	for name, newStore := range stores {
		for _, c := range []struct {
			name   string
			parts  int64
			stops  []int // where it is suspended
			frames int
		}{
			{"at once", 4 << 20, nil, 3},
			{"suspended in a piece, and at its end", 4 << 20, []int{100, 4<<20 + 100, 5 << 20}, 5},
			{"in small parts", 64 << 10, []int{1 << 20, 6 << 20}, 4},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				under := newStore(t)
				d, _, m := transforms(t, under, c.parts)
				w, err := d.Writer(t.Context(), transformedPath, false)
				ok(t, err, "Writer")
				at := 0
				for _, stop := range c.stops {
					write(t, w, content[at:stop])
					ok(t, w.Close(), "Close")
					if at = stop; w.Size() != int64(at) {
						t.Errorf("suspended: %d bytes, want %d", w.Size(), at)
					}
					d, _, m = transforms(t, under, c.parts) // another process
					w, err = d.Writer(t.Context(), transformedPath, true)
					if ok(t, err, "Writer"); w.Size() != int64(at) {
						t.Fatalf("resumed at %d, want %d", w.Size(), at)
					}
				}
				write(t, w, content[at:])
				_, err = under.Stat(t.Context(), transformedDest)
				wantKind(t, err, storagedriver.KindNotFound)
				ok(t, w.Commit(t.Context()), "Commit")
				ok(t, w.Close(), "Close")
				if frames := wantTransformed(t, under, content); frames != c.frames {
					t.Errorf("%d frames, want %d", frames, c.frames)
				}
				if n := m.Stats().Streams; n != 0 {
					t.Errorf("%d streams", n)
				}
			})
		}
	}
}

// TestAPieceThatFailsComesAgain fails pieces halfway.
func TestAPieceThatFailsComesAgain(t *testing.T) {
	content := unique(9 << 20)
	for how, want := range map[string]storagedriver.Kind{"error": storagedriver.KindUnavailable, "panic": storagedriver.KindGuest, "huge": storagedriver.KindLimit, "state": storagedriver.KindGuest} {
		t.Run(how, func(t *testing.T) {
			under := memory()
			d, s, _ := transforms(t, under, 4<<20)
			w, err := d.Writer(t.Context(), transformedPath, false)
			ok(t, err, "Writer")
			write(t, w, content[:5<<20])
			ok(t, w.Close(), "Close")
			s.set("/fail-piece", []byte(how))
			w, err = d.Writer(t.Context(), transformedPath, true)
			ok(t, err, "Writer")
			_, _ = w.Write(content[5<<20:]) // parts are on their way: the commit knows
			parts := map[string][]string{"huge": {"more than 8454144 bytes"}, "state": {"524289"}}
			wantKind(t, w.Commit(t.Context()), want, parts[how]...)
			_ = w.Close() // fails as well: what was suspended is what there is
			if w.Size() != 5<<20 {
				t.Errorf("afterwards: %d bytes, want those that were suspended", w.Size())
			}
			s.mu.Lock()
			delete(s.objects, "/fail-piece")
			s.mu.Unlock()
			w, err = d.Writer(t.Context(), transformedPath, true)
			if ok(t, err, "Writer"); w.Size() != 5<<20 {
				t.Fatalf("resumed at %d, want %d", w.Size(), 5<<20)
			}
			write(t, w, content[5<<20:])
			ok(t, w.Commit(t.Context()), "Commit")
			ok(t, w.Close(), "Close")
			wantTransformed(t, under, content)
		})
	}
}

// dying is the backend of a store that a process reaches until it dies: with its last call, or right before.
type dying struct {
	storagedriver.Backend
	left *atomic.Int64 // changes that it lives to make
	half bool          // the next one still takes effect
}

func (d dying) dead() error {
	if d.left.Load() < 0 {
		return storagedriver.NewError(storagedriver.KindClosed, "the process is dead")
	}
	return nil
}

func (d dying) change(f func() error) error {
	switch left := d.left.Add(-1); {
	case left == -1 && d.half:
		_ = f()
		return d.dead()
	case left < 0:
		return d.dead()
	}
	return f()
}

func (d dying) Stat(ctx context.Context, path string) (storagedriver.Entry, error) {
	if err := d.dead(); err != nil {
		return storagedriver.Entry{}, err
	}
	return d.Backend.Stat(ctx, path)
}

func (d dying) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	if err := d.dead(); err != nil {
		return storagedriver.Page{}, err
	}
	return d.Backend.List(ctx, path, cursor, limit)
}

func (d dying) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if err := d.dead(); err != nil {
		return nil, 0, err
	}
	return d.Backend.Read(ctx, path, offset, length)
}

func (d dying) Put(ctx context.Context, path string, body storagedriver.Source) error {
	return d.change(func() error { return d.Backend.Put(ctx, path, body) })
}

func (d dying) Delete(ctx context.Context, path string) error {
	return d.change(func() error { return d.Backend.Delete(ctx, path) })
}

func (d dying) DeleteTree(ctx context.Context, path string) error {
	return d.change(func() error { return d.Backend.DeleteTree(ctx, path) })
}

func (d dying) Copy(ctx context.Context, source, dest string) error {
	return d.change(func() error { return d.Backend.Copy(ctx, source, dest) })
}

func (d dying) Move(ctx context.Context, source, dest string) error {
	return d.change(func() error { return d.Backend.Move(ctx, source, dest) })
}

func (d dying) Concat(ctx context.Context, dest string, sources []string) error {
	return d.change(func() error { return d.Backend.Concat(ctx, dest, sources) })
}

func (dying) Close() error { return nil }

// TestAProcessThatDiesLeavesNoWrongBytes kills an upload at every change that it makes in the store, and has another process finish it.
func TestAProcessThatDiesLeavesNoWrongBytes(t *testing.T) {
	const part = 64 << 10
	content := unique(6*part + 1000)
	steps := func(d storagedriver.StorageDriver) (done bool) {
		at := 0
		for _, stop := range []int{part + 100, part + 150, 4 * part, len(content)} {
			w, err := d.Writer(context.Background(), transformedPath, at > 0)
			if err != nil || w.Size() != int64(at) {
				return false
			}
			if _, err := w.Write(content[at:stop]); err != nil {
				_ = w.Close()
				return false
			}
			if at = stop; at == len(content) {
				err = w.Commit(context.Background())
			}
			if closeErr := w.Close(); err != nil || closeErr != nil {
				return false
			}
		}
		return true
	}
	sizes := map[int64]int64{} // of what is in the store, and of the content it was made of
	for _, half := range []bool{false, true} {
		for n := int64(0); ; n += deathStride {
			kept := inmemory.New()
			left := new(atomic.Int64)
			left.Store(n)
			small := layers.WithPartSize(part)
			process := func(under storagedriver.Backend) storagedriver.StorageDriver {
				b, _, _ := open(t, runtime.Config{Stores: map[string]storagedriver.StorageDriver{"under": layers.Complete(under, small)}}, nil)
				return layers.Complete(b, small)
			}
			done := steps(process(dying{kept, left, half}))
			under := layers.Complete(kept, small)
			d := process(kept)
			if !done {
				var stored int64
				if w, err := under.Writer(t.Context(), transformedDest, true); err == nil {
					stored = w.Size()
					ok(t, w.Close(), "Close")
				}
				w, err := d.Writer(t.Context(), transformedPath, true)
				switch {
				case storagedriver.KindOf(err) == storagedriver.KindUnsupported: // it is committed, and the answer was lost
				case err != nil:
					t.Fatalf("%d changes: %v", n, err)
				default:
					if at := w.Size(); !slices.Contains([]int64{0, part + 100, part + 150, 4 * part, int64(len(content))}, at) {
						t.Errorf("%d changes: resumed at %d, where it never was suspended", n, at)
					} else if before, known := sizes[stored]; known && at != before {
						t.Errorf("%d changes: resumed at %d with %d bytes in the store, which had %d once", n, at, stored, before)
					} else if at > 0 {
						sizes[stored] = at
					}
					write(t, w, content[w.Size():])
					ok(t, w.Commit(t.Context()), fmt.Sprintf("%d changes: Commit", n))
					ok(t, w.Close(), "Close")
				}
			}
			r, err := under.Reader(t.Context(), transformedDest, 0)
			ok(t, err, fmt.Sprintf("%d changes: Reader", n))
			stored, err := io.ReadAll(r)
			ok(t, err, "reading")
			ok(t, r.Close(), "Close")
			if got, _ := untransformed(t, stored); !bytes.Equal(got, content) {
				t.Fatalf("%d changes: %d other bytes", n, len(got))
			}
			if done {
				if n < 10 {
					t.Errorf("the upload makes %d changes only", n)
				}
				break
			}
		}
	}
	if len(sizes) < 3 {
		t.Errorf("it was resumed at %v only", sizes)
	}
}

// part of a transformed upload whose content begins like others and goes on as mark says.
func variant(mark byte, from, to int) []byte {
	b := unique(to)[from:]
	for i := range b {
		b[i] ^= mark
	}
	return b
}

// TestTwoWritersOfATransformedUploadAreNotMixed has two processes go on with one upload, with content of the same sizes.
func TestTwoWritersOfATransformedUploadAreNotMixed(t *testing.T) {
	const first, second, all = 100_000, 300_000, 500_000
	for _, order := range [][]int{{0, 1}, {1, 0}, {0}} { // who is suspended, in which order
		under := memory()
		d, _, _ := transforms(t, under, 64<<10)
		w, err := d.Writer(t.Context(), transformedPath, false)
		ok(t, err, "Writer")
		write(t, w, unique(first))
		ok(t, w.Close(), "Close")
		var both []storagedriver.FileWriter
		for mark := range 2 {
			d, _, _ := transforms(t, under, 64<<10)
			w, err := d.Writer(t.Context(), transformedPath, true)
			if ok(t, err, "Writer"); w.Size() != first {
				t.Fatalf("resumed at %d, want %d", w.Size(), first)
			}
			both = append(both, w)
			_, err = w.Write(variant(byte(mark+1), first, second))
			ok(t, err, "Write")
		}
		for _, i := range order {
			if err := both[i].Close(); err != nil && storagedriver.KindOf(err) != storagedriver.KindConflict {
				t.Errorf("Close: %v", err)
			}
		}
		last, _, _ := transforms(t, under, 64<<10)
		w, err = last.Writer(t.Context(), transformedPath, true)
		ok(t, err, "Writer")
		at := int(w.Size())
		write(t, w, unique(all)[at:])
		ok(t, w.Commit(t.Context()), "Commit")
		ok(t, w.Close(), "Close")
		r, err := under.Reader(t.Context(), transformedDest, 0)
		ok(t, err, "Reader")
		stored, err := io.ReadAll(r)
		ok(t, err, "reading")
		ok(t, r.Close(), "Close")
		got, _ := untransformed(t, stored)
		mine := false
		for mark := range 3 { // 0: of neither
			want := append(unique(first), variant(byte(mark), first, second)...)
			want = append(want, unique(all)[second:]...)
			mine = mine || bytes.Equal(got, want) && (mark == 0 || at == second)
		}
		if !mine {
			t.Errorf("%v, resumed at %d: the content is a mixture", order, at)
		}
		for _, w := range both {
			_ = w.Close() // another has taken its upload over
		}
	}
}

// TestATransformedUploadThatEndsLeavesNothing ends suspended uploads in each way there is.
func TestATransformedUploadThatEndsLeavesNothing(t *testing.T) {
	ends := map[string]func(b storagedriver.Backend, d storagedriver.StorageDriver, w storagedriver.FileWriter) error{
		"cancel": func(_ storagedriver.Backend, _ storagedriver.StorageDriver, w storagedriver.FileWriter) error {
			return w.Cancel(context.Background())
		},
		"abort": func(b storagedriver.Backend, _ storagedriver.StorageDriver, _ storagedriver.FileWriter) error {
			return statOnly(b, "abort under "+transformedDest)
		},
		"cancel a resume": func(_ storagedriver.Backend, d storagedriver.StorageDriver, _ storagedriver.FileWriter) error {
			w, err := d.Writer(context.Background(), transformedPath, true)
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte("more")); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			return w.Cancel(context.Background())
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			under := memory()
			b, _, _ := open(t, runtime.Config{Stores: map[string]storagedriver.StorageDriver{"under": under}}, nil)
			d := layers.Complete(b, layers.WithPartSize(64<<10))
			w, err := d.Writer(t.Context(), transformedPath, false)
			ok(t, err, "Writer")
			write(t, w, unique(200_000))
			ok(t, w.Close(), "Close")
			names, err := under.List(t.Context(), "/in-store/a")
			if ok(t, err, "List"); len(names) != 1 {
				t.Fatalf("beside the suspended upload: %q, want its records", names)
			}
			ok(t, end(b, d, w), name)
			noRecords(t, under)
			if n := uploadSize(t, under, transformedDest); n != 0 {
				t.Errorf("the store still has an upload of %d bytes", n)
			}
			w, err = d.Writer(t.Context(), transformedPath, true)
			if ok(t, err, "Writer"); w.Size() != 0 {
				t.Errorf("it goes on at %d", w.Size())
			}
			ok(t, w.Close(), "Close")
		})
	}
}

func statOnly(b storagedriver.Backend, path string) error {
	_, err := b.Stat(context.Background(), path)
	return err
}

// TestARefusedCommitOfATransformedUploadLeavesIt refuses, and asks again with more.
func TestARefusedCommitOfATransformedUploadLeavesIt(t *testing.T) {
	under := memory()
	d, _, _ := transforms(t, under, 64<<10)
	const path = "/delegated/transformed-refused/a/data"
	w, err := d.Writer(t.Context(), path, false)
	ok(t, err, "Writer")
	write(t, w, unique(200_000))
	wantKind(t, w.Commit(t.Context()), storagedriver.KindPermission, "no "+path)
	ok(t, w.Close(), "Close")
	w, err = d.Writer(t.Context(), path, true)
	if ok(t, err, "Writer"); w.Size() != 200_000 {
		t.Fatalf("resumed at %d", w.Size())
	}
	write(t, w, unique(400_000)[200_000:])
	ok(t, w.Commit(t.Context()), "Commit")
	ok(t, w.Close(), "Close")
	wantTransformed(t, under, unique(400_000))
}
