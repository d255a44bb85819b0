package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"

	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

// equal reports whether the files at path of both are of one content, which is read.
func equal(ctx context.Context, a, b storagedriver.StorageDriver, path string) (bool, error) {
	var sums [2][]byte
	group, inner := errgroup.WithContext(ctx)
	for i, d := range []storagedriver.StorageDriver{a, b} {
		group.Go(func() (err error) {
			sums[i], err = digest(inner, d, path)
			return err
		})
	}
	err := group.Wait()
	return err == nil && bytes.Equal(sums[0], sums[1]), err
}

func digest(ctx context.Context, d storagedriver.StorageDriver, path string) ([]byte, error) {
	r, err := d.Reader(ctx, path, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	h := sha256.New()
	_, err = io.Copy(h, r)
	return h.Sum(nil), err
}
