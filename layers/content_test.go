package layers_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
)

// replacing is a backend whose bodies fail in the middle, the first so many times, as when their content is replaced.
type replacing struct {
	*chunkedtest.Memory
	kind  storagedriver.Kind
	times int
	reads int
}

func (r *replacing) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	body, n, err := r.Memory.Read(ctx, path, offset, length)
	if r.reads++; err != nil || r.reads > r.times {
		return body, n, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, n/2), failed{storagedriver.NewError(r.kind, "replaced")}), body}, n, nil
}

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

func TestGetContentBeginsAgainWhenTheContentIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		kind  storagedriver.Kind
		times int
		want  storagedriver.Kind // of the error
		reads int
	}{
		"never":                   {storagedriver.KindConflict, 0, 0, 1},
		"some times":              {storagedriver.KindConflict, 9, 0, 10},
		"each time":               {storagedriver.KindConflict, 100, storagedriver.KindConflict, 10},
		"another failure is none": {storagedriver.KindUnavailable, 1, storagedriver.KindUnavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := &replacing{Memory: &chunkedtest.Memory{Can: 0}, kind: c.kind, times: c.times}
			d := layers.Complete(b)
			defer d.Close()
			content := strings.Repeat("0123456789", 100)
			if err := d.PutContent(t.Context(), "/a", []byte(content)); err != nil {
				t.Fatal(err)
			}
			got, err := d.GetContent(t.Context(), "/a")
			switch {
			case storagedriver.KindOf(err) != c.want || (err != nil) != (c.want != 0):
				t.Errorf("want kind %v, got %v", c.want, err)
			case err == nil && string(got) != content:
				t.Errorf("want the content, got %d bytes", len(got))
			case b.reads != c.reads:
				t.Errorf("want it read %d times, got %d", c.reads, b.reads)
			}
		})
	}
}
