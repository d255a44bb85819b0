package s3

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

// minPart is the least bytes of a part that others follow.
const minPart = 5 << 20

// abortParallel is how many uploads are ended at a time.
const abortParallel = 8

func (d *Driver) limits() storagedriver.PartLimits {
	return storagedriver.PartLimits{
		Min: minPart, Max: maxPut, Count: maxParts, Equal: d.config.EqualParts, Want: d.config.ChunkSize, Parallel: d.config.Parallel,
	}
}

// OpenUpload implements storagedriver.Uploads. Nothing is begun before there is something to store.
func (d *Driver) OpenUpload(ctx context.Context, path string, append bool) (storagedriver.Upload, error) {
	t := d.sessions.token(d.key(path))
	if append {
		found, err := d.find(ctx, t.key)
		if err != nil {
			return storagedriver.Upload{}, err
		}
		if up, ok, err := d.resume(ctx, t, found); err != nil || ok {
			return up, err
		}
		if found.committed && found.object.entry.Size > 0 {
			return storagedriver.Upload{}, storagedriver.NewError(storagedriver.KindUnsupported, "content that has been committed cannot be appended to")
		}
	}
	return storagedriver.Upload{Token: t.String(), Limits: d.limits()}, nil
}

// found is what there is at a key.
type found struct {
	state     *state
	tag       string // of the state
	uploads   []types.MultipartUpload
	committed bool
	object    object
}

// find looks for all of it at once.
func (d *Driver) find(ctx context.Context, key string) (found, error) {
	var f found
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		f.state, f.tag, err = d.loadState(inner, key)
		return err
	})
	group.Go(func() error {
		uploads, _, err := d.uploadsBelow(inner, key, "", maxKeys) // those of the key itself come first
		for _, u := range uploads {
			if aws.ToString(u.Key) == key {
				f.uploads = append(f.uploads, u)
			}
		}
		return err
	})
	group.Go(func() (err error) {
		f.object, err = d.head(inner, key)
		f.committed = err == nil
		if storagedriver.KindOf(err) == storagedriver.KindNotFound {
			return nil
		}
		return err
	})
	return f, group.Wait()
}

// resume goes on with the upload that was found, if there is one.
func (d *Driver) resume(ctx context.Context, t token, f found) (storagedriver.Upload, bool, error) {
	none := storagedriver.Upload{}
	switch {
	case f.state == nil:
		return d.adopt(ctx, t, f)
	case f.committed && f.state.Mark != "" && f.state.Mark == f.object.upload:
		return none, false, d.forgetVersion(ctx, t.key, f.state, f.tag) // its upload has been committed
	case f.state.Rebuilding:
		return d.rebuildAgain(ctx, t, f)
	}
	parts := f.state.Parts
	if f.state.Upload != "" && (f.state.Begun || !listed(f.uploads, f.state.Upload)) {
		limit := 1
		if f.state.Begun {
			limit = maxParts
		}
		stored, err := d.listParts(ctx, t.key, f.state.Upload, limit)
		switch {
		case storagedriver.KindOf(err) == storagedriver.KindConflict:
			return none, false, d.forgetVersion(ctx, t.key, f.state, f.tag) // it has ended, by a crash or somebody's rule
		case err != nil:
			return none, false, err
		case f.state.Begun:
			parts, _ = whole(stored)
		}
	}
	if f.state.Begun && len(parts) == 0 && f.committed && f.object.entry.Size > 0 {
		return none, false, nil // its first part is still on its way
	}
	t.id, t.base = f.state.Upload, f.tag
	d.sessions.find(t, f.state)
	return d.resumed(t, f.state, parts), true, nil
}

func (d *Driver) resumed(t token, s *state, parts []part) storagedriver.Upload {
	up := storagedriver.Upload{Token: t.String(), Limits: d.limits(), Resumed: true, Receipts: (&state{Parts: parts}).receipts()}
	switch {
	case s.TailKey != "":
		up.Tail = &stored{d: d, key: s.TailKey, size: s.TailSize}
	case s.TailSize > 0:
		up.Tail = storagedriver.BytesSource(s.Tail)
	}
	return up
}

func listed(uploads []types.MultipartUpload, id string) bool {
	for _, u := range uploads {
		if aws.ToString(u.UploadId) == id {
			return true
		}
	}
	return false
}

// stored is an object of known size as a Source.
type stored struct {
	d    *Driver
	key  string
	size int64
}

// Size implements storagedriver.Source.
func (s *stored) Size() int64 { return s.size }

// Open implements storagedriver.Source.
func (s *stored) Open(ctx context.Context) (io.ReadCloser, error) {
	body, _, err := s.d.body(ctx, s.key, 0, -1)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil, storagedriver.NewError(storagedriver.KindConflict, "another writer has ended the upload")
	}
	if err != nil {
		return nil, err
	}
	return storagedriver.ExactBody(body, s.size), nil
}

// listParts returns the parts of a multipart upload, at most limit.
func (d *Driver) listParts(ctx context.Context, key, id string, limit int) ([]part, error) {
	var parts []part
	in := &s3.ListPartsInput{
		Bucket: d.bucket(), Key: &key, UploadId: &id, MaxParts: aws.Int32(int32(min(limit, maxKeys))), RequestPayer: d.common.payer,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
	}
	for {
		out, err := d.client.api.ListParts(ctx, in)
		if err != nil {
			return nil, classify("s3:ListMultipartUploadParts", err)
		}
		for _, p := range out.Parts {
			parts = append(parts, part{Number: int(aws.ToInt32(p.PartNumber)), Size: aws.ToInt64(p.Size), Tag: aws.ToString(p.ETag)})
		}
		if !aws.ToBool(out.IsTruncated) || len(parts) >= limit {
			return parts, nil
		}
		before := aws.ToString(in.PartNumberMarker)
		if in.PartNumberMarker = out.NextPartNumberMarker; aws.ToString(in.PartNumberMarker) == before {
			return nil, storagedriver.NewError(storagedriver.KindCorrupt, "the service says that a listing of parts goes on, and not where")
		}
	}
}

// whole returns the parts without a gap from the first that others may follow, with their offsets, and the one after them if that is too short for it.
func whole(stored []part) (parts []part, short *part) {
	var offset int64
	for i, p := range stored {
		p.Offset = offset
		switch {
		case p.Number != i+1:
			return parts, nil
		case p.Size < minPart:
			return parts, &p
		}
		parts = append(parts, p)
		offset += p.Size
	}
	return parts, nil
}

// AbortUploads implements storagedriver.Uploads: those that the service lists, and those whose states are there.
func (d *Driver) AbortUploads(ctx context.Context, path string) error {
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return d.endAt(inner, path) })
	group.Go(func() error { return d.abortListed(inner, path) })
	group.Go(func() error { return d.statesBelow(inner, d.below(path), d.endEach) })
	return group.Wait()
}

// abortListed aborts the uploads to path and below that the service lists.
func (d *Driver) abortListed(ctx context.Context, path string) error {
	key, below := d.key(path), d.below(path)
	prefix := below
	if path != "/" {
		prefix = key
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(abortParallel)
	err := d.allUploads(ctx, prefix, func(k, id string) error {
		if k == key || strings.HasPrefix(k, below) { // and not beside it
			group.Go(func() error { return d.abort(ctx, k, id) })
		}
		return nil
	})
	return cmp.Or(group.Wait(), err)
}

// endEach ends the uploads to the keys, which have states.
func (d *Driver) endEach(ctx context.Context, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(abortParallel)
	for _, key := range keys {
		group.Go(func() error { return d.end(ctx, key) })
	}
	return group.Wait()
}

// statesBelow calls f with the targets of the states whose keys begin with prefix, a page at a time.
func (d *Driver) statesBelow(ctx context.Context, prefix string, f func(ctx context.Context, targets []string) error) error {
	for cursor := ""; ; {
		out, err := d.keysBelow(ctx, listing{prefix: prefix, cursor: cursor, limit: maxKeys})
		if err != nil {
			return err
		}
		if _, targets := sortStates(out.Contents); len(targets) > 0 {
			if err := f(ctx, targets); err != nil {
				return err
			}
		}
		if cursor = next(out); cursor == "" {
			return nil
		}
	}
}

// sortStates returns the keys of states as those of their targets, and the other keys.
func sortStates(objects []types.Object) (keys, targets []string) {
	keys = make([]string, 0, len(objects))
	for _, o := range objects {
		if target, ok := strings.CutSuffix(aws.ToString(o.Key), stateSuffix); ok {
			targets = append(targets, target)
		} else {
			keys = append(keys, aws.ToString(o.Key))
		}
	}
	return keys, targets
}

// endAt ends the upload to path and removes tails that nothing names.
func (d *Driver) endAt(ctx context.Context, path string) error {
	if path == "/" {
		return nil
	}
	key := d.key(path)
	out, err := d.keysBelow(ctx, listing{prefix: key + "~", limit: maxKeys})
	if err != nil {
		return err
	}
	// The state first, and then tails: one whose tail is missing cannot be gone on with.
	_, targets := sortStates(out.Contents)
	if slices.Contains(targets, key) {
		if err := d.end(ctx, key); err != nil {
			return err
		}
	}
	for _, o := range out.Contents {
		k := aws.ToString(o.Key)
		if strings.HasPrefix(k, key+tailSuffix) && !strings.Contains(k[len(key):], "/") {
			if err := d.remove(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

// end ends the upload to key that has a state. The state goes first: what is left when the rest fails is resumed by nobody.
func (d *Driver) end(ctx context.Context, key string) error {
	s, _, err := d.loadState(ctx, key)
	if storagedriver.KindOf(err) == storagedriver.KindCorrupt {
		return d.remove(ctx, key+stateSuffix)
	}
	if err != nil || s == nil {
		return err
	}
	if err := d.forget(ctx, key, s); err != nil || s.Upload == "" {
		return err
	}
	return d.abort(ctx, key, s.Upload)
}
