package adapt

import (
	"context"

	"github.com/berth-dev/storagedriver"
	"github.com/distribution/distribution/v3/registry/storage/driver"
)

// completed is the writer of an upload that was committed by a process that ended before it made a blob of it, on a
// driver that appends to nothing that is committed. The client may ask how much there is and
// complete the upload again; more it cannot send.
type completed struct {
	name, path string
	size       int64
}

var _ driver.FileWriter = (*completed)(nil)

// completedUpload returns the writer of the content that is committed at path, if that is an upload's.
func (t *toDistribution) completedUpload(ctx context.Context, p string) (*completed, bool) {
	if !isUploadContent(p) {
		return nil, false
	}
	info, err := t.d.Stat(ctx, p)
	if err != nil || info.IsDir() {
		return nil, false
	}
	return &completed{name: t.d.Name(), path: p, size: info.Size()}, true
}

// Write refuses all but nothing.
func (c *completed) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return 0, distributionError(c.name, c.path, 0, storagedriver.NewError(storagedriver.KindUnsupported, "the upload has all its content"))
}

func (c *completed) Size() int64 { return c.size }

func (c *completed) Close() error { return nil }

// Cancel does nothing: distribution deletes the directory of an upload that is cancelled.
func (c *completed) Cancel(context.Context) error { return nil }

func (c *completed) Commit(context.Context) error { return nil }
