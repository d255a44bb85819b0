//go:build servers

package s3

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/layers"
)

// TestUploadsAreListedInPages on versitygw, which refuses the markers of uploads that it gives. minio lists none below a prefix.
func TestUploadsAreListedInPages(t *testing.T) {
	b := opened(t, started(t, "versitygw", "BERTH_VERSITYGW")(map[string]any{"filesunderfiles": "refused"}))
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("%d/data", i)
		if _, err := b.client.api.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: b.bucket(), Key: ptr(b.key("/pages/" + name))}); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	for _, limit := range []int{1, 2, 3, 1000} {
		var got []string
		for cursor, pages := "", 0; pages < 10; pages++ {
			page, err := b.ListUploads(t.Context(), "/pages", cursor, limit)
			if err != nil {
				t.Fatalf("page %d of at most %d: %v", pages, limit, err)
			}
			for _, e := range page.Entries {
				got = append(got, e.Name)
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("pages of at most %d have %q, want %q", limit, got, want)
		}
	}
}

// TestMovesThatMeet moves the same content to one path as clients do that push one layer. Each ends what is under way there, the copies in
// parts of the others with it.
func TestMovesThatMeet(t *testing.T) {
	const part = 5 << 20
	b := opened(t, started(t, "versitygw", "BERTH_VERSITYGW")(map[string]any{
		"filesunderfiles": "refused", "multipartcopythresholdsize": part, "multipartcopychunksize": part,
	}))
	const dir, name = "/meet", "blob"
	want := bytes.Repeat([]byte("layer"), 3*part/5)
	source := func(i int) string { return fmt.Sprintf("/upload%d", i) }
	var failures [6]error
	for i := range failures {
		if err := b.Put(t.Context(), source(i), storagedriver.BytesSource(want)); err != nil {
			t.Fatal(err)
		}
	}
	d := layers.Complete(b) // which b's Close closes
	var moves sync.WaitGroup
	for i := range failures {
		moved := make(chan struct{})
		moves.Go(func() {
			defer close(moved)
			failures[i] = d.Move(t.Context(), source(i), dir+"/"+name)
		})
		for copying, done := false, false; !copying && !done; {
			page, err := b.ListUploads(t.Context(), dir, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			copying = len(page.Entries) > 0
			select {
			case <-moved:
				done = true
			default:
			}
		}
	}
	moves.Wait()
	if err := errors.Join(failures[:]...); err != nil {
		t.Error(err)
	}
	if got, err := d.GetContent(t.Context(), dir+"/"+name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("want the %d bytes of the source, got %d, %v", len(want), len(got), err)
	}
}
