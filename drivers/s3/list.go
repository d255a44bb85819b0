package s3

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
)

// maxKeys is the most keys of a page.
const maxKeys = 1000

// listing is one page to ask for.
type listing struct {
	prefix    string
	delimiter bool
	after     string // a key
	cursor    string // of the page before
	limit     int
}

// List implements storagedriver.Backend.
func (d *Driver) List(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	return d.list(ctx, listing{prefix: d.below(path), delimiter: true, cursor: cursor, limit: limit})
}

// ListTree implements storagedriver.Backend.
func (d *Driver) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	l := listing{prefix: d.below(path), cursor: cursor, limit: limit}
	if startAfter != "" {
		l.after = l.prefix + startAfter
	}
	return d.list(ctx, l)
}

// list returns a page whose names are relative to the prefix. Keys that end with "/" are what others put there for a directory.
func (d *Driver) list(ctx context.Context, l listing) (storagedriver.Page, error) {
	out, err := d.keysBelow(ctx, l)
	if err != nil {
		return storagedriver.Page{}, err
	}
	page := storagedriver.Page{Cursor: next(out)}
	page.Entries = make([]storagedriver.Entry, 0, len(out.Contents)+len(out.CommonPrefixes))
	for _, p := range out.CommonPrefixes {
		if name := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), l.prefix), "/"); name != "" {
			page.Entries = append(page.Entries, storagedriver.Entry{Name: name, Dir: true})
		}
	}
	for _, o := range out.Contents {
		name := strings.TrimPrefix(aws.ToString(o.Key), l.prefix)
		if name == "" || strings.HasSuffix(name, "/") {
			continue
		}
		page.Entries = append(page.Entries, storagedriver.Entry{Name: name, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified)})
	}
	if len(out.CommonPrefixes) > 0 {
		slices.SortFunc(page.Entries, func(a, b storagedriver.Entry) int { return cmp.Compare(order(a), order(b)) })
	}
	return page, nil
}

func order(e storagedriver.Entry) string {
	if e.Dir {
		return e.Name + "/"
	}
	return e.Name
}

// keysBelow runs the request of a listing.
func (d *Driver) keysBelow(ctx context.Context, l listing) (*s3.ListObjectsV2Output, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: d.bucket(), Prefix: &l.prefix, MaxKeys: aws.Int32(int32(min(max(l.limit, 1), maxKeys))), RequestPayer: d.common.payer,
	}
	if l.delimiter {
		in.Delimiter = aws.String("/")
	}
	if l.after != "" {
		in.StartAfter = &l.after
	}
	if l.cursor != "" {
		in.ContinuationToken = &l.cursor
	}
	out, err := d.client.api.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, classify("s3:ListBucket", err)
	}
	return out, l.check(out)
}

// next is where a listing goes on; "" is its end.
func next(out *s3.ListObjectsV2Output) string {
	if !aws.ToBool(out.IsTruncated) {
		return ""
	}
	return aws.ToString(out.NextContinuationToken)
}

// check returns KindCorrupt for a page of another listing, and for one that does not say where it goes on: what follows from a listing is deleted, or is not.
func (l listing) check(out *s3.ListObjectsV2Output) error {
	if aws.ToBool(out.IsTruncated) && (next(out) == "" || next(out) == l.cursor) {
		return storagedriver.NewError(storagedriver.KindCorrupt, "the service says that a listing goes on, and not where")
	}
	for i := range out.Contents {
		if key := aws.ToString(out.Contents[i].Key); key == "" || !strings.HasPrefix(key, l.prefix) {
			return storagedriver.Errorf(storagedriver.KindCorrupt, "the service lists the key %q, which does not begin with %q", key, l.prefix)
		}
	}
	for i := range out.CommonPrefixes {
		if prefix := aws.ToString(out.CommonPrefixes[i].Prefix); prefix == "" || !strings.HasPrefix(prefix, l.prefix) {
			return storagedriver.Errorf(storagedriver.KindCorrupt, "the service lists the prefix %q, which does not begin with %q", prefix, l.prefix)
		}
	}
	return nil
}

// ListUploads implements storagedriver.Uploads: the multipart uploads that the service lists below the prefix.
func (d *Driver) ListUploads(ctx context.Context, path, cursor string, limit int) (storagedriver.Page, error) {
	prefix := d.below(path)
	uploads, next, err := d.uploadsBelow(ctx, prefix, cursor, limit)
	if err != nil {
		return storagedriver.Page{}, err
	}
	page := storagedriver.Page{Cursor: next}
	for _, u := range uploads {
		name := strings.TrimPrefix(aws.ToString(u.Key), prefix)
		if name == "" || strings.HasSuffix(name, "/") {
			continue
		}
		page.Entries = append(page.Entries, storagedriver.Entry{Name: name, ModTime: aws.ToTime(u.Initiated)})
	}
	return page, nil
}

// uploadsBelow returns a page of the multipart uploads whose keys begin with prefix. A service that does not list them has none.
func (d *Driver) uploadsBelow(ctx context.Context, prefix, cursor string, limit int) ([]types.MultipartUpload, string, error) {
	in := &s3.ListMultipartUploadsInput{
		Bucket: d.bucket(), Prefix: &prefix, MaxUploads: aws.Int32(int32(min(max(limit, 1), maxKeys))), RequestPayer: d.common.payer,
	}
	if cursor != "" {
		key, id, _ := strings.Cut(cursor, "\n")
		in.KeyMarker, in.UploadIdMarker = &key, &id
	}
	out, err := d.client.api.ListMultipartUploads(ctx, in)
	if err = classify("s3:ListBucketMultipartUploads", err); storagedriver.KindOf(err) == storagedriver.KindInvalidArgument && in.UploadIdMarker != nil {
		in.UploadIdMarker = nil // versitygw refuses those that it gives; of the last key's uploads it lists those on one page
		out, err = d.client.api.ListMultipartUploads(ctx, in)
		err = classify("s3:ListBucketMultipartUploads", err)
	}
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return nil, "", nil
	}
	if err != nil || !aws.ToBool(out.IsTruncated) {
		return uploadsOf(out), "", err
	}
	next := aws.ToString(out.NextKeyMarker) + "\n" + aws.ToString(out.NextUploadIdMarker)
	if next == "\n" || next == cursor {
		return nil, "", storagedriver.NewError(storagedriver.KindCorrupt, "the service says that a listing of uploads goes on, and not where")
	}
	return out.Uploads, next, nil
}

func uploadsOf(out *s3.ListMultipartUploadsOutput) []types.MultipartUpload {
	if out == nil {
		return nil
	}
	return out.Uploads
}

// allUploads calls f with every multipart upload whose key begins with prefix.
func (d *Driver) allUploads(ctx context.Context, prefix string, f func(key, id string) error) error {
	for cursor := ""; ; {
		uploads, next, err := d.uploadsBelow(ctx, prefix, cursor, maxKeys)
		if err != nil {
			return err
		}
		for _, u := range uploads {
			if err := f(aws.ToString(u.Key), aws.ToString(u.UploadId)); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}
