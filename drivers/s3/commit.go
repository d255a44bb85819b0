package s3

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

const (
	// completeAttempts is how often the list of parts is sent when its answer is lost.
	completeAttempts = 3
	// completeTimeout bounds one such request, which outlives its caller. S3 takes minutes for some lists of 10,000 parts.
	completeTimeout = 5 * time.Minute
)

// CommitUpload implements storagedriver.Uploads. Nobody else commits or goes on with the upload once its state says that this writer does.
func (d *Driver) CommitUpload(ctx context.Context, name string, receipts *storagedriver.Receipts, last storagedriver.Source) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	parts := partsOf(receipts)
	if last != nil && last.Size() == 0 {
		last = nil
	}
	var s *state
	err = d.placed(ctx, d.path(t.key), func() error {
		if len(parts) == 0 {
			s, err = d.commitWhole(ctx, t, last)
		} else {
			s, err = d.commitParts(ctx, t, parts, last)
		}
		return err
	})
	if err != nil {
		return err
	}
	d.sessions.drop(t)
	d.clean(ctx, t.key, s, len(parts) == 0)
	return nil
}

// clean removes the state of an upload that has been committed. What remains when that fails is an orphan: the object's mark says
// that nobody is to go on with it.
func (d *Driver) clean(ctx context.Context, key string, s *state, unused bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	var group sync.WaitGroup
	group.Go(func() { _ = d.remove(ctx, key+stateSuffix) })
	if s.TailKey != "" {
		group.Go(func() { _ = d.remove(ctx, s.TailKey) })
	}
	if unused && s.Upload != "" {
		group.Go(func() { _ = d.abort(ctx, key, s.Upload) })
	}
	group.Wait()
}

// fence writes into the state that this writer commits. With a mark it is in the metadata of what becomes of the upload.
func (d *Driver) fence(ctx context.Context, t token, mark string) (*state, error) {
	s := d.sessions.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	now, err := d.current(ctx, t, s)
	if err != nil {
		return nil, err
	}
	next := *now
	next.Writer, next.Committing = t.writer, now.Committing+1
	if mark != "" {
		next.Mark = mark
	}
	if err := d.save(ctx, t, s, &next); err != nil {
		return nil, err
	}
	return &next, nil
}

// commitWhole commits an upload that has no parts.
func (d *Driver) commitWhole(ctx context.Context, t token, content storagedriver.Source) (*state, error) {
	mark := random(8)
	s, err := d.fence(ctx, t, mark)
	if err != nil {
		return nil, err
	}
	if content == nil {
		content = storagedriver.BytesSource(nil)
	}
	_, err = d.putMarked(ctx, t.key, content, condition{}, mark)
	return s, err
}

// commitParts stores the last part while it says in the state that it commits, or afterwards where the upload is not this writer's yet.
func (d *Driver) commitParts(ctx context.Context, t token, parts []part, last storagedriver.Source) (*state, error) {
	var s *state
	fence := func(ctx context.Context) (err error) {
		s, err = d.fence(ctx, t, "")
		return err
	}
	id := d.sessions.of(t).upload()
	if last == nil || id == "" {
		if err := fence(ctx); err != nil {
			return nil, err
		}
	}
	if last == nil {
		return s, d.complete(ctx, t.key, s, parts)
	}
	end := part{Number: len(parts) + 1}
	group, inner := errgroup.WithContext(ctx)
	if id == "" {
		id = s.Upload
	} else {
		group.Go(func() error { return fence(inner) })
	}
	group.Go(func() (err error) {
		end.Tag, err = d.putPart(inner, t.key, id, end.Number, last)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s, d.complete(ctx, t.key, s, append(parts, end))
}

// complete makes the parts the content. When the answer is lost it looks what has become of the upload before it asks again.
func (d *Driver) complete(ctx context.Context, key string, s *state, parts []part) error {
	list := make([]types.CompletedPart, len(parts))
	for i := range parts {
		list[i] = types.CompletedPart{ETag: &parts[i].Tag, PartNumber: aws.Int32(int32(parts[i].Number))}
	}
	for attempt := 1; ; attempt++ {
		err := d.sendList(ctx, key, s.Upload, list)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if s.Mark != "" {
			if h, headErr := d.head(ctx, key); headErr == nil && h.upload == s.Mark {
				return nil
			}
		}
		if !storagedriver.IsTemporary(err) || attempt == completeAttempts {
			return d.ended(ctx, key, s.Upload, err)
		}
		if _, gone := d.listParts(ctx, key, s.Upload, 1); gone != nil {
			return err
		}
	}
}

// sendList asks the service to make an object of parts. When ctx ends nobody waits any longer, and the request goes on: minio loses an upload whose
// completion is broken off.
func (d *Driver) sendList(ctx context.Context, key, id string, list []types.CompletedPart) error {
	_, err := d.sendListIf(ctx, key, id, list, condition{})
	return err
}

// sendListIf is sendList under a condition on the object that is replaced. It returns the new one's ETag.
func (d *Driver) sendListIf(ctx context.Context, key, id string, list []types.CompletedPart, c condition) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	type answer struct {
		tag string
		err error
	}
	done := make(chan answer, 1)
	ifMatch, ifNoneMatch := c.headers()
	d.completing.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), completeTimeout)
		defer cancel()
		out, err := d.client.api.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: d.bucket(), Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: list}, RequestPayer: d.common.payer, IfMatch: ifMatch, IfNoneMatch: ifNoneMatch,
			SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
		})
		if err != nil {
			done <- answer{err: classify("s3:PutObject", err)}
			return
		}
		done <- answer{tag: aws.ToString(out.ETag)}
	})
	select {
	case a := <-done:
		return a.tag, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// readSource reads what is known to be short.
func readSource(ctx context.Context, source storagedriver.Source) ([]byte, error) {
	r, err := source.Open(ctx)
	if err != nil {
		return nil, err
	}
	r = storagedriver.ExactBody(r, source.Size())
	defer r.Close()
	return io.ReadAll(r)
}
