package filesystem_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
)

// ending is a body that calls end when it has been read.
type ending struct {
	io.Reader
	end func()
}

func (e ending) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err == io.EOF {
		e.end()
	}
	return n, err
}

// TestPartsThatDoNotCountYetAreNotMixed: a writer takes over when another has stored more than counts, and its call
// ends after it wrote.
func TestPartsThatDoNotCountYetAreNotMixed(t *testing.T) {
	root := t.TempDir()
	d := openDurable(t, root)
	d.SyncEvery(24 * time.Hour) // however slow the test is
	a := upload(t, d, "/f", false).parts("head,", "aaaa,")
	b := upload(t, d, "/f", true)
	if b.at != 5 {
		t.Fatalf("%d bytes count, want 5", b.at)
	}
	ctx, cancel := context.WithCancel(t.Context())
	body := reading(10, ending{strings.NewReader("bbbbbbbbb,"), cancel})
	_, err := d.PutPart(ctx, b.up.Token, storagedriver.Part{Number: 2, Offset: 5, Body: body})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	wantKind(t, "a part of the first", a.part(storagedriver.BytesSource("aaaa,")), storagedriver.KindConflict)
	wantKind(t, "its suspend", a.suspend(), storagedriver.KindConflict)
	wantKind(t, "its commit", a.commit(""), storagedriver.KindConflict)
	if err := a.cancel(); err != nil {
		t.Fatal(err)
	}
	if err := b.parts("b,").suspend(); err != nil {
		t.Fatal(err)
	}
	upload(t, d, "/f", true).mustCommit("end")
	if got := get(t, d, "/f"); got != "head,b,end" {
		t.Errorf("got %q", got)
	}
}

// TestPartsThatDoNotCountYetFence: who was opened before them is late.
func TestPartsThatDoNotCountYetFence(t *testing.T) {
	root := t.TempDir()
	d, other := openDurable(t, root), openDurable(t, root)
	d.SyncEvery(24 * time.Hour) // however slow the test is
	a := upload(t, d, "/f", false).parts("head,")
	late := upload(t, other, "/f", true)
	a.parts("a1,")
	wantKind(t, "a part", late.part(storagedriver.BytesSource("late")), storagedriver.KindConflict)
	wantKind(t, "a suspend", late.suspend(), storagedriver.KindConflict)
	wantKind(t, "a commit", late.commit(""), storagedriver.KindConflict)
	if err := late.cancel(); err != nil {
		t.Fatal(err)
	}
	a.parts("a2,").mustCommit("")
	if got := get(t, d, "/f"); got != "head,a1,a2," {
		t.Errorf("got %q", got)
	}
	wantFiles(t, root, "f")

	// One that is opened afterwards may end the upload.
	upload(t, d, "/g", false).parts("head,", "a1,")
	if err := upload(t, other, "/g", true).cancel(); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, root, "f")
}

// TestFailedCallIsRepeated: what it left at the end of the file is not taken for another writer's.
func TestFailedCallIsRepeated(t *testing.T) {
	d := openDurable(t, t.TempDir())
	if err := upload(t, d, "/f", false).parts("head,").suspend(); err != nil {
		t.Fatal(err)
	}
	w := upload(t, d, "/f", true)
	for op, call := range map[string]func(ctx context.Context, body storagedriver.Source) error{
		"part": func(ctx context.Context, body storagedriver.Source) error {
			_, err := d.PutPart(ctx, w.up.Token, storagedriver.Part{Number: 2, Offset: 5, Body: body})
			return err
		},
		"suspend": func(ctx context.Context, body storagedriver.Source) error {
			return d.SuspendUpload(ctx, w.up.Token, &w.receipts, body)
		},
		"commit": func(ctx context.Context, body storagedriver.Source) error {
			return d.CommitUpload(ctx, w.up.Token, &w.receipts, body)
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		err := call(ctx, reading(4, ending{strings.NewReader("lost"), cancel}))
		wantKind(t, op, err, storagedriver.KindCanceled)
	}
	w.parts("more,").mustCommit("end")
	if got := get(t, d, "/f"); got != "head,more,end" {
		t.Errorf("got %q", got)
	}
}

// TestFailedSync: the system says once that it could not write, and that may be about any part since the last sync.
func TestFailedSync(t *testing.T) {
	for op, call := range map[string]func(w *writer) error{
		"suspend": func(w *writer) error { return w.suspend() },
		"suspend with a tail": func(w *writer) error {
			return w.d.SuspendUpload(w.t.Context(), w.up.Token, &w.receipts, storagedriver.BytesSource("tail"))
		},
		"commit": func(w *writer) error { return w.commit("end") },
	} {
		for resumed := range 2 {
			t.Run(fmt.Sprintf("%s, resumed %d", op, resumed), func(t *testing.T) {
				d := openDurable(t, t.TempDir())
				d.SyncEvery(24 * time.Hour) // however slow the test is
				w := upload(t, d, "/f", false).parts("head,")
				if resumed == 1 {
					if err := w.suspend(); err != nil {
						t.Fatal(err)
					}
					w = upload(t, d, "/f", true).parts("more,")
				}
				durable := w.at
				w.parts("a,", "b,")
				d.FailSync(syscall.EIO)
				if err := call(w); !errors.Is(err, syscall.EIO) {
					t.Errorf("%v, want EIO", err)
				}
				d.FailSync(nil)
				wantKind(t, "the same again", call(w), storagedriver.KindConflict)
				wantSize(t, d, "/f", durable)
			})
		}
	}
}

// TestRepeatedWithoutSync: a part, and a suspend with a tail, whose answers were lost.
func TestRepeatedWithoutSync(t *testing.T) {
	d := openDurable(t, t.TempDir())
	d.SyncEvery(24 * time.Hour) // however slow the test is
	w := upload(t, d, "/f", false).parts("head,")
	for range 2 {
		if _, err := d.PutPart(t.Context(), w.up.Token, storagedriver.Part{Number: 2, Offset: 5, Body: storagedriver.BytesSource("part,")}); err != nil {
			t.Fatal(err)
		}
	}
	w.parts("part,")
	wantSize(t, d, "/f", 5)
	for range 2 {
		if err := d.SuspendUpload(t.Context(), w.up.Token, &w.receipts, storagedriver.BytesSource("tail,")); err != nil {
			t.Fatal(err)
		}
		wantSize(t, d, "/f", 15)
	}
	upload(t, d, "/f", true).mustCommit("end")
	if got := get(t, d, "/f"); got != "head,part,tail,end" {
		t.Errorf("got %q", got)
	}
}
