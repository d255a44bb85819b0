package adapt

import (
	"context"
	"io"
	"path"

	"github.com/berth-dev/storagedriver"
	"github.com/opencontainers/go-digest"
)

// blobDigest returns the digest whose blob is at .../blobs/ALGORITHM/AB/HEX/data.
func blobDigest(p string) (digest.Digest, bool) {
	hex := path.Dir(p)
	algorithm := path.Dir(path.Dir(hex))
	if path.Base(p) != "data" || path.Base(path.Dir(algorithm)) != "blobs" {
		return "", false
	}
	d := digest.NewDigestFromEncoded(digest.Algorithm(path.Base(algorithm)), path.Base(hex))
	return d, d.Validate() == nil
}

// verifyBlob returns KindConflict unless what is at source has the digest of the blob at dest.
func (t *toDistribution) verifyBlob(ctx context.Context, source, dest string) error {
	d, ok := blobDigest(dest)
	if !ok {
		return nil
	}
	r, err := t.d.Reader(ctx, source, 0)
	if err != nil {
		return err
	}
	defer r.Close()
	verifier := d.Verifier()
	if _, err := io.Copy(verifier, r); err != nil {
		return err
	}
	if !verifier.Verified() {
		return storagedriver.Errorf(storagedriver.KindConflict, "another request has completed the upload with content that is not that of %s; send it again", d)
	}
	return nil
}
