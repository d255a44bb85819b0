//go:build servers

package s3

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
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
