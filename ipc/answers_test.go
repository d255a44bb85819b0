//go:build unix

package ipc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
)

// slowSource is a Source that never comes.
type slowSource int64

func (s slowSource) Size() int64 { return int64(s) }

func (s slowSource) Open(ctx context.Context) (io.ReadCloser, error) {
	return io.NopCloser(&hanging{ctx, 0}), nil
}

func tableOf(n int) *storagedriver.Receipts {
	table := &storagedriver.Receipts{}
	for i := range n {
		table.Set(storagedriver.Receipt{Number: 2*i + 1, Offset: int64(i) << 20, Size: 1 << 20, Data: []byte(fmt.Sprint("receipt ", i))})
	}
	return table
}

func sameReceipts(a, b *storagedriver.Receipts) bool {
	return slices.EqualFunc(a.All(), b.All(), func(a, b storagedriver.Receipt) bool {
		return a.Number == b.Number && a.Offset == b.Offset && a.Size == b.Size && bytes.Equal(a.Data, b.Data)
	})
}

func TestReceiptsTravelBothWays(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 512, 1000} {
		for _, tail := range []int{0, 10, window + 10} {
			want, rest := tableOf(n), pattern(tail)
			b := connected(t, &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
				up := storagedriver.Upload{Token: "t", Resumed: true, Receipts: want}
				if tail > 0 {
					up.Tail = plain(rest)
				}
				return up, nil
			}, commit: func(ctx context.Context, receipts *storagedriver.Receipts, last storagedriver.Source) error {
				if !sameReceipts(receipts, want) {
					return fmt.Errorf("%d receipts came, wanted %d, or others", receipts.Len(), want.Len())
				}
				if last == nil {
					return nil
				}
				for range 2 { // AGAIN after RECEIPTS
					r, err := last.Open(ctx)
					if err != nil {
						return err
					}
					if got, err := readAll(r); err != nil || !bytes.Equal(got, rest) {
						return fmt.Errorf("the last part has %d bytes, wanted %d: %w", len(got), len(rest), err)
					}
				}
				return nil
			}})
			up, err := b.OpenUpload(t.Context(), "/a", true)
			if err != nil {
				t.Fatal(err)
			}
			if !sameReceipts(up.Receipts, want) || !up.Resumed || up.Token != "t" {
				t.Errorf("%d receipts came, wanted %d, or others; %+v", up.Receipts.Len(), n, up)
			}
			var last storagedriver.Source
			if tail > 0 {
				r, err := up.Tail.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := readAll(r)
				if err != nil {
					t.Error(err)
				}
				sameBytes(t, "the tail", got, rest)
				last = plain(rest)
			}
			if err := b.CommitUpload(t.Context(), "t", want, last); err != nil {
				t.Errorf("%d receipts, a last part of %d bytes: %v", n, tail, err)
			}
		}
	}
}

func TestATailOutlivesTheContextOfItsOpening(t *testing.T) {
	content := pattern(2 * window)
	b := connected(t, &own{Driver: inmemory.New(), open: func(context.Context, string) (storagedriver.Upload, error) {
		return storagedriver.Upload{Token: "t", Tail: plain(content)}, nil
	}})
	ctx, cancel := context.WithCancel(t.Context())
	up, err := b.OpenUpload(ctx, "/a", true)
	if err != nil || up.Tail.Size() != 2*window {
		t.Fatal(up, err)
	}
	cancel() // as a layer that bounds calls does
	r, err := up.Tail.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	b.running.noCalls(t)
	if _, err := up.Tail.Open(t.Context()); storagedriver.KindOf(err) != storagedriver.KindUnsupported {
		t.Errorf("opened again: %v", err)
	}
}

// What a Backend answers that no message can hold is an error, and not silence.
func TestAnswersThatAreTooLong(t *testing.T) {
	large := &storagedriver.Receipts{}
	for i := range 200 {
		large.Set(storagedriver.Receipt{Number: i + 1, Data: make([]byte, 10_000)})
	}
	closed := new(atomic.Int64)
	b := connected(t, &own{Driver: inmemory.New(), open: func(_ context.Context, path string) (storagedriver.Upload, error) {
		up := storagedriver.Upload{Token: "t", Receipts: large}
		if path == "/tail" {
			tail := newOdd(window, pattern(window), nil)
			tail.closed = closed
			up.Tail = tail
		}
		return up, nil
	}, putPart: func(context.Context, storagedriver.Part) ([]byte, error) { return make([]byte, 2<<20), nil }})
	_, err := b.OpenUpload(lasting(t, time.Minute), "/a", true)
	wantFault(t, err, storagedriver.KindLimit, "the receipts of upload_open")
	_, err = b.OpenUpload(lasting(t, time.Minute), "/tail", true)
	wantFault(t, err, storagedriver.KindLimit, "the receipts of upload_open")
	until(t, "the tail was closed", func() bool { return closed.Load() == 1 })
	_, err = b.PutPart(lasting(t, time.Minute), "t", storagedriver.Part{Number: 1, Body: plain("x")})
	wantFault(t, err, storagedriver.KindLimit, "the reply to upload_part")
	wantFault(t, b.Delete(t.Context(), "/"+string(make([]byte, 2<<20))), storagedriver.KindLimit, "delete")
}

// A promise that the driver does not keep is told by its server, before the host has to find it out.
func TestPromisesOfABackendAreHeld(t *testing.T) {
	for _, size := range []int{10, window} {
		for _, has := range []int{size - 1, size + 1} {
			b := connected(t, &own{Driver: inmemory.New(), read: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
				return io.NopCloser(bytes.NewReader(make([]byte, has))), int64(size), nil
			}})
			err := readIt(t.Context(), b)
			wantFault(t, err, storagedriver.KindCorrupt)
		}
	}
	b := connected(t, &own{Driver: inmemory.New(), read: func(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(nil)), -1, nil
	}})
	wantFault(t, readIt(t.Context(), b), storagedriver.KindCorrupt, "a body of -1 bytes was promised")
}

func TestUploadsAreListed(t *testing.T) {
	begun := time.Unix(1_000_000, 5)
	m := &chunkedtest.Memory{Can: storagedriver.AbilityParts | storagedriver.AbilityListUploads, Now: func() time.Time { return begun }}
	b := connected(t, m)
	for _, path := range []string{"/a/b/c", "/a/b/c", "/a/d", "/ab/c"} {
		up, err := b.OpenUpload(t.Context(), path, false)
		if err == nil {
			_, err = b.PutPart(t.Context(), up.Token, storagedriver.Part{Number: 1, Body: storagedriver.BytesSource("part")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	first, err := b.ListUploads(t.Context(), "/a", "", 2)
	if err != nil || first.Cursor == "" {
		t.Fatalf("%+v, %v, want two uploads and a cursor", first, err)
	}
	second, err := b.ListUploads(t.Context(), "/a", first.Cursor, 2)
	want := []storagedriver.Entry{{Name: "b/c", ModTime: begun}, {Name: "b/c", ModTime: begun}, {Name: "d", ModTime: begun}}
	if got := append(first.Entries, second.Entries...); err != nil || second.Cursor != "" || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	_, err = connected(t, inmemory.New()).ListUploads(t.Context(), "/a", "", 2)
	if storagedriver.KindOf(err) != storagedriver.KindUnsupported || !strings.Contains(err.Error(), "list-uploads") {
		t.Errorf("of a driver without the ability: %v, want it refused", err)
	}
	if broken := m.Breaches(); len(broken) > 0 {
		t.Errorf("the backend's contract was broken: %q", broken)
	}
}
