package runtime_test

import (
	"context"
	"io"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

func TestContentIsAnsweredInlineAPieceAtATime(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "abcdefghijklmnopqrstuvwxyz"}, {5, 7, "fghijkl"}, {24, 10, "yz"}, {0, 3, "abc"}, {26, -1, ""}} {
		r, n, err := d.Read(t.Context(), "/inline/whole", c.offset, c.length)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != c.want || n != int64(len(c.want)) {
			t.Errorf("from %d, %d bytes: want %q, got %q of %d, %v", c.offset, c.length, c.want, got, n, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if c.want != "" {
			_, err = r.Read(make([]byte, 1))
			wantKind(t, err, storagedriver.KindClosed)
		}
	}
}

func TestContentThatIsReplacedWhileItIsReadInlineIsAConflict(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	for kind, want := range map[string]storagedriver.Kind{
		"replaced": storagedriver.KindConflict, "unnamed": storagedriver.KindConflict, "gone": storagedriver.KindConflict, "shorter": storagedriver.KindConflict,
		"busy": storagedriver.KindUnavailable, "long-version": storagedriver.KindConflict,
		"other-length": storagedriver.KindGuest, "nothing": storagedriver.KindGuest, "more-than-asked": storagedriver.KindGuest,
	} {
		t.Run(kind, func(t *testing.T) {
			r, n, err := d.Read(t.Context(), "/inline/"+kind, 0, 20)
			if err != nil || n != 20 {
				t.Fatalf("want 20 bytes, got %d, %v", n, err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if string(got) != "abcdef" {
				t.Errorf("want what came before, got %q", got)
			}
			wantKind(t, err, want)
			if _, again := r.Read(make([]byte, 1)); again != err { //nolint:errorlint // the same error is the promise
				t.Errorf("want the same error again, got %v", again)
			}
		})
	}
	for _, kind := range []string{"nothing", "long-version", "more-than-asked"} {
		_, _, err := d.Read(t.Context(), "/inline/"+kind, 6, 10)
		wantKind(t, err, storagedriver.KindGuest, "read")
	}
}

func TestAReaderOfInlineContentHeedsItsContext(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	r, _, err := d.Read(ctx, "/inline/whole", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	_, err = io.ReadAll(r)
	wantKind(t, err, storagedriver.KindCanceled)
}
