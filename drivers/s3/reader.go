package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

// Read implements storagedriver.Backend. The body goes on where it was when a connection breaks, with the same object or not at all.
func (d *Driver) Read(ctx context.Context, path string, offset, length int64) (io.ReadCloser, int64, error) {
	if path == "/" {
		return nil, 0, storagedriver.NewError(storagedriver.KindNotFound, "it is a directory")
	}
	key := d.key(path)
	if length == 0 {
		err := d.within(ctx, key, offset)
		return nothing(), 0, err
	}
	body, first, err := d.body(ctx, key, offset, length)
	if storagedriver.KindOf(err) == storagedriver.KindInvalidOffset {
		err = d.within(ctx, key, offset) // at the very end there is nothing, and beyond it an error
		return nothing(), 0, err
	}
	if err != nil {
		return nil, 0, err
	}
	return body, first.Length, nil
}

func nothing() io.ReadCloser { return io.NopCloser(bytes.NewReader(nil)) }

// within returns KindInvalidOffset when offset is beyond the object's end.
func (d *Driver) within(ctx context.Context, key string, offset int64) error {
	h, err := d.head(ctx, key)
	if err == nil && offset > h.entry.Size {
		err = storagedriver.Errorf(storagedriver.KindInvalidOffset, "the content has %d bytes", h.entry.Size)
	}
	return err
}

// body is open with a body that goes on where its connection breaks.
func (d *Driver) body(ctx context.Context, key string, offset, length int64) (io.ReadCloser, objects.Opened, error) {
	open := func(ctx context.Context, offset, length int64, tag string) (objects.Opened, error) {
		return d.open(ctx, key, offset, length, tag)
	}
	return objects.Open(ctx, open, offset, length, objects.BodyOptions{})
}

// open gets a range of an object; with a tag of that version alone.
func (d *Driver) open(ctx context.Context, key string, offset, length int64, tag string) (objects.Opened, error) {
	in := &s3.GetObjectInput{
		Bucket: d.bucket(), Key: &key, RequestPayer: d.common.payer,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
	}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	if tag != "" {
		in.IfMatch = &tag
	}
	out, err := d.client.api.GetObject(ctx, in)
	if err != nil {
		return objects.Opened{}, classify("s3:GetObject", err)
	}
	opened := objects.Opened{Body: out.Body, Length: aws.ToInt64(out.ContentLength), Size: aws.ToInt64(out.ContentLength), Tag: aws.ToString(out.ETag)}
	if in.Range != nil {
		opened.Size, err = sizeIn(aws.ToString(out.ContentRange), offset)
	}
	if err == nil && out.ContentLength == nil {
		err = storagedriver.NewError(storagedriver.KindCorrupt, "the service does not say how long the content is")
	}
	if err != nil {
		_ = out.Body.Close()
		return objects.Opened{}, err
	}
	return opened, nil
}

// sizeIn is the object's size in the Content-Range of an answer, which must begin at offset.
func sizeIn(contentRange string, offset int64) (int64, error) {
	span, size, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	begin, _, dash := strings.Cut(span, "-")
	n, err := strconv.ParseInt(size, 10, 64)
	if !ok || !dash || err != nil || begin != strconv.FormatInt(offset, 10) {
		return 0, storagedriver.Errorf(storagedriver.KindCorrupt, "the service answers a range from %d with %q", offset, contentRange)
	}
	return n, nil
}
