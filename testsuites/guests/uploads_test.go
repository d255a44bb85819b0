package guests

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
	"github.com/berth-dev/storagedriver/testsuites/partstore"
)

const target = "/a/b/data"

// openers are the ways to open another driver on the storage of s that shares nothing with those before.
func (s *server) openers(t *testing.T) map[string]func() storagedriver.OpenFunc {
	return map[string]func() storagedriver.OpenFunc{
		"wasm":   func() storagedriver.OpenFunc { return load(t, "parts", s.url).Open },
		"native": s.nativeParts,
	}
}

// onBoth runs f with drivers of wasm and with native ones, on a store each.
func onBoth(t *testing.T, f func(t *testing.T, s *server, open func(more ...any) storagedriver.StorageDriver)) {
	for _, kind := range []string{"wasm", "native"} {
		t.Run(kind, func(t *testing.T) {
			s := startStore(t)
			opener := s.openers(t)[kind]
			f(t, s, func(more ...any) storagedriver.StorageDriver {
				d := open(testsuites.Testing(t), opener(), s.parameters(more...))
				t.Cleanup(func() { _ = d.Close() }) // a test may have closed it
				return d
			})
		})
	}
}

func writer(t *testing.T, d storagedriver.StorageDriver, resume bool, size int) storagedriver.FileWriter {
	t.Helper()
	w, err := d.Writer(t.Context(), target, resume)
	if err != nil {
		t.Fatalf("Writer (append: %v): %v", resume, err)
	}
	t.Cleanup(func() { _ = w.Close() }) // what a failed test left open
	if w.Size() != int64(size) {
		t.Fatalf("Size of a writer just opened: want %d, got %d", size, w.Size())
	}
	return w
}

func ok(t *testing.T, err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func wantKind(t *testing.T, err error, kind storagedriver.Kind, what string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind || err == nil {
		t.Fatalf("%s: want %v, got %v", what, kind, err)
	}
}

func wantContent(t *testing.T, d storagedriver.StorageDriver, want []byte) {
	t.Helper()
	got, err := d.GetContent(t.Context(), target)
	ok(t, err, "GetContent")
	if !bytes.Equal(got, want) {
		t.Fatalf("GetContent: want the %d bytes written, got %d others", len(want), len(got))
	}
}

// meet has the first parts wait for each other until n are in flight.
func (s *server) meet(n int) {
	var mu sync.Mutex
	met, all := 0, make(chan struct{})
	s.Intercept(func(ctx context.Context, r partstore.Request) *partstore.Fault {
		if r.Op != partstore.OpPart {
			return nil
		}
		mu.Lock()
		if met++; met == n {
			close(all)
		}
		mu.Unlock()
		timeout := time.NewTimer(20 * time.Second)
		defer timeout.Stop()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return &partstore.Fault{}
		case <-timeout.C:
			return &partstore.Fault{Status: 400} // not to be repeated
		}
	})
}

func TestPartsOfOneUploadRunOnSeveralInstances(t *testing.T) {
	s := startStore(t)
	m := load(t, "parts", s.url)
	d := open(testsuites.Testing(t), m.Open, s.parameters())
	defer d.Close()
	s.meet(3)
	content := pattern(partSize*3 + 1000)
	w := writer(t, d, false, 0)
	write(t, w, content)
	ok(t, w.Commit(t.Context()), "Commit")
	ok(t, w.Close(), "Close")
	wantContent(t, d, content)
	if got := s.Overlap(target[1:]); got < 3 {
		t.Errorf("parts of the upload in flight at the store at the same time: want at least 3, got %d", got)
	}
	if stats := m.Stats(); stats.Instances < 3 || stats.ByOp["upload_part"] != 3 {
		t.Errorf("want 3 parts on at least 3 instances, got %d on %d", stats.ByOp["upload_part"], stats.Instances)
	}
}

func TestATrapInOnePartLosesNothing(t *testing.T) {
	s := startStore(t)
	m := load(t, "parts", s.url)
	d := open(testsuites.Testing(t), m.Open, s.parameters("trap-on-part", 2, "digest", "sha256"))
	defer d.Close()
	content := pattern(partSize*4 + 1000)
	w := writer(t, d, false, 0)
	write(t, w, content)
	ok(t, w.Commit(t.Context()), "Commit after a trap in part 2")
	ok(t, w.Close(), "Close")
	wantContent(t, d, content)
	if got := m.Stats().ByOp["upload_part"]; got != 5 {
		t.Errorf("want 4 parts and 1 repeated, got %d", got)
	}
	if keys := strings.Join(s.Keys(), " "); !strings.Contains(keys, "~trap/") {
		t.Errorf("want the mark of a sprung trap at the store, got %s", keys)
	}
	if left := s.Unfinished(); len(left) > 0 {
		t.Errorf("want no upload left, got %q", left)
	}
}

// TestAnotherProcessResumes closes driver and module after the suspend. The tail is longer than what travels
// inside a message, so it is a response's body.
func TestAnotherProcessResumes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server, open func(...any) storagedriver.StorageDriver) {
		content := pattern(partSize*5 + 3000)
		cut := partSize*2 + minPart - 1
		d := open()
		w := writer(t, d, false, 0)
		write(t, w, content[:cut])
		ok(t, w.Close(), "Close")
		ok(t, d.Close(), "Close of the driver")
		second := open()
		w = writer(t, second, true, cut)
		write(t, w, content[cut:partSize*4])
		ok(t, w.Close(), "Close")
		third := open()
		w = writer(t, third, true, partSize*4)
		write(t, w, content[partSize*4:])
		ok(t, w.Commit(t.Context()), "Commit")
		wantContent(t, second, content)
		if got := strings.Join(s.Keys(), " "); got != target[1:] {
			t.Errorf("want nothing but the content at the store, got %s", got)
		}
	})
}

// TestReceiptsTravelInPages has more receipts than a page.
func TestReceiptsTravelInPages(t *testing.T) {
	const part, count = 1000, 600
	store := partstore.New(partstore.Config{MinPart: part})
	s := serve(t, store)
	m := load(t, "parts", s.url)
	b, err := m.Open(t.Context(), s.parameters("min-part", part))
	ok(t, err, "open")
	d := layers.Complete(b, layers.WithPartSize(part))
	defer d.Close()
	content := pattern(part*count + 10)
	w := writer(t, d, false, 0)
	write(t, w, content[:part*count/2])
	ok(t, w.Close(), "Close")
	w = writer(t, d, true, part*count/2)
	write(t, w, content[part*count/2:])
	ok(t, w.Close(), "Close")
	w = writer(t, d, true, len(content))
	ok(t, w.Commit(t.Context()), "Commit")
	wantContent(t, d, content)
}

func TestACommitThatFailedIsContinuedByAnother(t *testing.T) {
	for name, lost := range map[string]bool{"before its effect": false, "after its effect": true} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *server, open func(...any) storagedriver.StorageDriver) {
				content := pattern(partSize*2 + 1000)
				d := open()
				w := writer(t, d, false, 0)
				write(t, w, content[:partSize+500])
				ok(t, w.Close(), "Close")
				w = writer(t, d, true, partSize+500)
				write(t, w, content[partSize+500:])
				s.FailNth(partstore.OpComplete, 1, partstore.Fault{Status: 400, Late: lost})
				if err := w.Commit(t.Context()); err == nil {
					t.Fatal("Commit: want the store's failure, got none")
				}
				// w is left alone, as by a process that dies here.
				other := open()
				if lost {
					_, err := other.Writer(t.Context(), target, true)
					wantKind(t, err, storagedriver.KindUnsupported, "Writer with append where the commit took effect")
				} else {
					next := writer(t, other, true, len(content))
					ok(t, next.Commit(t.Context()), "Commit by another driver")
				}
				wantContent(t, other, content)
				if left := s.Unfinished(); len(left) > 0 {
					t.Errorf("want no upload left, got %q", left)
				}
			})
		})
	}
}

func TestAStaleWriterIsToldConflictForCertain(t *testing.T) {
	ends := map[string]func(w storagedriver.FileWriter) error{
		"suspend": func(w storagedriver.FileWriter) error { return w.Close() },
		"commit":  func(w storagedriver.FileWriter) error { return w.Commit(context.Background()) },
	}
	onBoth(t, func(t *testing.T, _ *server, open func(...any) storagedriver.StorageDriver) {
		for firstName, first := range ends {
			for secondName, second := range ends {
				t.Run(secondName+" after "+firstName, func(t *testing.T) {
					head := pattern(partSize*2 + 1000)
					d := open()
					w := writer(t, d, false, 0)
					write(t, w, head)
					ok(t, w.Close(), "Close")
					winner, stale := writer(t, d, true, len(head)), writer(t, open(), true, len(head))
					write(t, winner, []byte("the winner's"))
					write(t, stale, pattern(partSize))
					ok(t, first(winner), firstName+" of the first writer")
					wantKind(t, second(stale), storagedriver.KindConflict, secondName+" of the writer that was overtaken")
					ok(t, stale.Cancel(t.Context()), "Cancel of the writer that was overtaken")
					want := append(head[:len(head):len(head)], "the winner's"...)
					if firstName == "suspend" {
						w = writer(t, d, true, len(want))
						ok(t, w.Commit(t.Context()), "Commit")
					}
					wantContent(t, d, want)
				})
				ok(t, open().Delete(t.Context(), target), "Delete")
			}
		}
	})
}

// TestAnUploadThatWasDeletedIsNotResumed deletes between the suspend's write and its look.
func TestAnUploadThatWasDeletedIsNotResumed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server, open func(...any) storagedriver.StorageDriver) {
		d, other := open(), open()
		w := writer(t, d, false, 0)
		write(t, w, pattern(partSize+1000))
		var once sync.Once
		s.Intercept(func(ctx context.Context, r partstore.Request) *partstore.Fault {
			if r.Op == partstore.OpPut && strings.HasSuffix(r.Key, "~upload") {
				once.Do(func() {
					if err := other.Delete(ctx, "/a"); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
						t.Errorf("Delete: %v", err)
					}
				})
			}
			return nil
		})
		wantKind(t, w.Close(), storagedriver.KindConflict, "Close of an upload that was deleted meanwhile")
		if w.Size() != 0 {
			t.Errorf("Size after that: want 0, got %d", w.Size())
		}
		writer(t, other, true, 0)
		if keys, left := s.Keys(), s.Unfinished(); len(keys)+len(left) > 0 {
			t.Errorf("want nothing left, got %q and uploads to %q", keys, left)
		}
	})
}
