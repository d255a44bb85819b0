package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
	"golang.org/x/sync/errgroup"
)

// deleteParallel is how many batches of a tree are deleted at a time: a service takes a second for one of a thousand keys, and
// eight of them are what it grants one prefix.
const deleteParallel = 8

// abandonTimeout bounds the removal of what a failed call began, which runs detached from the caller's context.
const abandonTimeout = 10 * time.Second

// Delete implements storagedriver.Backend. There are no empty directories to be removed.
func (d *Driver) Delete(ctx context.Context, path string) error { return d.remove(ctx, d.key(path)) }

func (d *Driver) remove(ctx context.Context, key string) error {
	_, err := d.client.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: d.bucket(), Key: &key, RequestPayer: d.common.payer})
	if err = classify("s3:DeleteObject", err); storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil
	}
	return err
}

// DeleteTree implements storagedriver.Backend.
func (d *Driver) DeleteTree(ctx context.Context, path string) error {
	pages := func(ctx context.Context, cursor string) ([]string, string, error) {
		return d.pageOfTree(ctx, path, cursor)
	}
	group, inner := errgroup.WithContext(ctx)
	if path != "/" {
		group.Go(func() error { return d.Delete(inner, path) })
	}
	group.Go(func() error { return d.endAt(inner, path) })
	group.Go(func() error { return d.abortListed(inner, path) })
	group.Go(func() error { return objects.DeleteAll(inner, pages, d.removeAll, deleteParallel) })
	return group.Wait()
}

// pageOfTree returns a page of the keys below path, and ends the uploads whose states are among them.
func (d *Driver) pageOfTree(ctx context.Context, path, cursor string) ([]string, string, error) {
	out, err := d.keysBelow(ctx, listing{prefix: d.below(path), cursor: cursor, limit: maxKeys})
	if err != nil {
		return nil, "", err
	}
	keys, targets := sortStates(out.Contents)
	if err := d.endEach(ctx, targets); err != nil {
		return nil, "", err
	}
	return keys, next(out), nil
}

// removeAll removes up to a thousand objects in one request; one by one where the service has no such request.
func (d *Driver) removeAll(ctx context.Context, keys []string) ([]objects.Failure, error) {
	list := make([]types.ObjectIdentifier, len(keys))
	for i := range keys {
		list[i].Key = &keys[i]
	}
	out, err := d.client.api.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: d.bucket(), Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)}, RequestPayer: d.common.payer,
	})
	if err = classify("s3:DeleteObject", err); storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return d.removeEach(ctx, keys)
	}
	if err != nil {
		return nil, err
	}
	var failures []objects.Failure
	for _, e := range out.Errors {
		err := classifyCode("s3:DeleteObject", aws.ToString(e.Code), aws.ToString(e.Message))
		failures = append(failures, objects.Failure{Key: aws.ToString(e.Key), Err: err})
	}
	return failures, nil
}

func (d *Driver) removeEach(ctx context.Context, keys []string) ([]objects.Failure, error) {
	var failures []objects.Failure
	for _, key := range keys {
		err := d.remove(ctx, key)
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return failures, err
		}
		if err != nil {
			failures = append(failures, objects.Failure{Key: key, Err: err})
		}
	}
	return failures, nil
}

// abandon aborts an upload that a failed call began, also when the caller's context has ended. What remains when
// that fails is an orphan.
func (d *Driver) abandon(ctx context.Context, key, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_ = d.abort(ctx, key, id)
}

// abort aborts a multipart upload. One that is gone is nil.
func (d *Driver) abort(ctx context.Context, key, id string) error {
	_, err := d.client.api.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: d.bucket(), Key: &key, UploadId: &id, RequestPayer: d.common.payer})
	err = classify("s3:AbortMultipartUpload", err)
	switch storagedriver.KindOf(err) {
	case storagedriver.KindConflict, storagedriver.KindNotFound:
		return nil
	}
	return err
}
