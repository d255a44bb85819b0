package transfer

import (
	"context"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/berth-dev/storagedriver"
)

// Check reads every file at or below path in d, o.Parallel at a time. The content of a blob in a registry's layout, which is a file
// blobs/ALGORITHM/XX/HEX/data, must have the digest in its path. The error is as that of Tree, and Progress is told the same; of o nothing else counts.
//
// What is removed meanwhile counts as failed.
func Check(ctx context.Context, d storagedriver.StorageDriver, path string, o Options) (Summary, error) {
	if err := o.Check(); err != nil {
		return Summary{}, err
	}
	return each(ctx, d, path, o, "as promised", func(info storagedriver.FileInfo) (Result, error) {
		o.tell(Event{Stage: Begun, Path: info.Path()})
		r := Result{From: info.Path(), Bytes: info.Size()}
		err := checkFile(ctx, d, &r, func(n int64) { o.tell(Event{Stage: Read, Path: r.From, Bytes: n}) })
		o.tell(Event{Stage: Done, Path: r.From, Result: r, Err: err})
		return r, err
	})
}

func checkFile(ctx context.Context, d storagedriver.StorageDriver, r *Result, tell func(int64)) error {
	body, err := d.Reader(ctx, r.From, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	promised := blobDigest(r.From)
	if promised == "" {
		r.Bytes, err = copyInto(io.Discard, counted{body, tell, ctx})
		return err
	}
	digester := promised.Algorithm().Digester()
	if r.Bytes, err = copyInto(digester.Hash(), counted{body, tell, ctx}); err != nil {
		return err
	}
	r.Digest = digester.Digest().String()
	if digester.Digest() != promised {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s: its %d bytes have the digest %s", r.From, r.Bytes, r.Digest)
	}
	return nil
}

// blobDigest returns the digest of the blob whose content is at path, or "" if that is no place of a blob's.
func blobDigest(path string) digest.Digest {
	parts := strings.Split(path, "/")
	if len(parts) < 6 {
		return ""
	}
	parts = parts[len(parts)-5:]
	d := digest.NewDigestFromEncoded(digest.Algorithm(parts[1]), parts[3])
	if parts[0] != "blobs" || parts[4] != "data" || d.Validate() != nil || parts[2] != parts[3][:2] {
		return ""
	}
	return d
}
