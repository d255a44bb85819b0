package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/berth-dev/storagedriver"
)

// markKey is the metadata key under which an object says which upload made it.
const markKey = "berth-upload"

// begin makes the upload this writer's, once, with a multipart upload to store parts in, and returns its ID.
func (d *Driver) begin(ctx context.Context, t token) (string, error) {
	s := d.sessions.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != nil && s.state.Upload != "" {
		return s.state.Upload, nil
	}
	now, err := d.current(ctx, t, s)
	if err != nil {
		return "", err
	}
	next := *now
	next.Writer = t.writer
	if next.Upload == "" {
		created := &state{Mark: random(8)}
		if created.Upload, err = d.create(ctx, t.key, created.Mark); err != nil {
			return "", err
		}
		s.created = created
		next = *s.with(&next)
	}
	if err := d.first(ctx, t, s, func() error { return d.save(ctx, t, s, &next) }); err != nil {
		if refused(err) && s.created != nil {
			d.discard(ctx, t.key, s.created)
			s.created = nil
		}
		return "", err
	}
	return next.Upload, nil
}

// refused reports whether a state was not saved: after other errors it may have been.
func refused(err error) bool {
	switch storagedriver.KindOf(err) {
	case storagedriver.KindConflict, storagedriver.KindInvalidPath, storagedriver.KindUnsupported:
		return true
	}
	return false
}

// current returns the upload's state, of which a writer that has not begun it makes its own. It is KindConflict when another has
// moved on. s.mu is held.
func (d *Driver) current(ctx context.Context, t token, s *session) (*state, error) {
	now, err := d.saved(ctx, t, s)
	if err != nil {
		return nil, err
	}
	return s.with(now), nil
}

func (d *Driver) saved(ctx context.Context, t token, s *session) (*state, error) {
	if s.state != nil {
		return s.state, nil
	}
	if t.base == "" && t.instance == d.sessions.instance {
		return &state{Upload: t.id, Begun: t.id != ""}, nil // nobody's, or distribution's
	}
	if found := d.sessions.foundBy(t); found != nil {
		return found, nil // if it is another by now, it is not replaced
	}
	now, tag, err := d.loadState(ctx, t.key)
	switch {
	case err != nil:
		return nil, err
	case now != nil && now.Writer == t.writer: // begun elsewhere
		s.state, s.tag = now, tag
		return now, nil
	case now == nil && t.base == "":
		return &state{Upload: t.id, Begun: t.id != ""}, nil
	case now == nil:
		return nil, storagedriver.NewError(storagedriver.KindConflict, "another writer has ended the upload")
	case tag != t.base:
		return nil, storagedriver.NewError(storagedriver.KindConflict, "another writer has moved on")
	}
	return now, nil
}

// save replaces the state by next. s.mu is held.
func (d *Driver) save(ctx context.Context, t token, s *session, next *state) error {
	tag, err := d.saveState(ctx, t.key, next, s.replaces(t))
	if err != nil {
		return err
	}
	s.state, s.tag, s.created = next, tag, nil
	return nil
}

// first runs what stores the first of an upload, or more of it. Below a file minio would store the first, and list it only when the file has gone.
// s.mu is held.
func (d *Driver) first(ctx context.Context, t token, s *session, store func() error) error {
	if s.replaces(t) != "" {
		return store()
	}
	return d.placed(ctx, d.path(t.key), store)
}

// create begins a multipart upload.
func (d *Driver) create(ctx context.Context, key, mark string) (string, error) {
	out, err := d.client.api.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: d.bucket(), Key: &key, ContentType: d.common.contentType, Metadata: map[string]string{markKey: mark},
		ACL: d.common.acl, StorageClass: d.common.storageClass, RequestPayer: d.common.payer,
		ServerSideEncryption: d.common.encryption, SSEKMSKeyId: d.common.kmsKey,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
	})
	if err != nil {
		return "", classify("s3:PutObject", err)
	}
	if aws.ToString(out.UploadId) == "" {
		return "", storagedriver.NewError(storagedriver.KindCorrupt, "the service gives an upload no ID")
	}
	return *out.UploadId, nil
}

// PutPart implements storagedriver.Uploads. The receipt is the part's ETag.
func (d *Driver) PutPart(ctx context.Context, name string, p storagedriver.Part) ([]byte, error) {
	t, err := parseToken(name)
	if err != nil {
		return nil, err
	}
	id, err := d.begin(ctx, t)
	if err != nil {
		return nil, err
	}
	tag, err := d.putPart(ctx, t.key, id, p.Number, p.Body)
	return []byte(tag), err
}

func (d *Driver) putPart(ctx context.Context, key, id string, number int, body storagedriver.Source) (string, error) {
	content := seekable(ctx, body)
	defer content.Close()
	out, err := d.client.api.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: d.bucket(), Key: &key, UploadId: &id, PartNumber: aws.Int32(int32(number)), Body: content, ContentLength: aws.Int64(body.Size()),
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
		RequestPayer: d.common.payer,
	})
	if err != nil {
		return "", d.ended(ctx, key, id, sending("s3:PutObject", content, err))
	}
	tag := aws.ToString(out.ETag)
	if tag == "" {
		return "", storagedriver.NewError(storagedriver.KindCorrupt, "the service gives a part no ETag")
	}
	return tag, nil
}

// ended is the error of a request of an upload. Some services answer one whose upload ends meanwhile as if they had failed.
func (d *Driver) ended(ctx context.Context, key, id string, err error) error {
	if storagedriver.KindOf(err) == storagedriver.KindUnavailable {
		if _, gone := d.listParts(ctx, key, id, 1); storagedriver.KindOf(gone) == storagedriver.KindConflict {
			return gone
		}
	}
	return err
}

// SuspendUpload implements storagedriver.Uploads. A long tail is stored before the state that names it.
func (d *Driver) SuspendUpload(ctx context.Context, name string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	s := d.sessions.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := d.current(ctx, t, s)
	if err != nil {
		return err
	}
	next := &state{Upload: before.Upload, Mark: before.Mark, Writer: t.writer, Parts: partsOf(receipts)}
	store := func() error {
		if tail != nil && tail.Size() > 0 {
			if err := d.keepTail(ctx, t, next, tail); err != nil {
				return err
			}
		}
		return d.save(ctx, t, s, next)
	}
	if err := d.first(ctx, t, s, store); err != nil {
		if refused(err) {
			d.discard(ctx, t.key, &state{TailKey: next.TailKey})
		}
		return err
	}
	if before.TailKey != "" && before.TailKey != next.TailKey {
		_ = d.remove(ctx, before.TailKey) // nothing names it any more
	}
	s.state = &state{Upload: next.Upload, Mark: next.Mark, Writer: next.Writer} // for a repeat; the rest is stored
	return nil
}

// keepTail puts a tail into the state or beside it. A writer has one at most, under its own name: a repeat, which is of the same bytes, replaces it.
func (d *Driver) keepTail(ctx context.Context, t token, next *state, tail storagedriver.Source) error {
	next.TailSize = tail.Size()
	if next.TailSize > inlineTail {
		next.TailKey = t.key + tailSuffix + t.writer
		_, err := d.put(ctx, next.TailKey, tail, condition{})
		return err
	}
	text, err := readSource(ctx, tail)
	next.Tail = text
	return err
}

// CancelUpload implements storagedriver.Uploads. What another writer has gone on with stays.
func (d *Driver) CancelUpload(ctx context.Context, name string) error {
	t, err := parseToken(name)
	if err != nil {
		return err
	}
	if t.id == "" && t.base == "" && d.sessions.unused(t) {
		return nil // nothing was stored
	}
	if err := d.cancel(ctx, t); err != nil {
		return err
	}
	s := d.sessions.of(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created != nil {
		d.discard(ctx, t.key, s.created)
	}
	d.sessions.drop(t)
	return nil
}

func (d *Driver) cancel(ctx context.Context, t token) error {
	now, tag, err := d.loadState(ctx, t.key)
	switch {
	case err != nil:
		return err
	case now == nil && t.id == "":
		return nil
	case now == nil:
		return d.abort(ctx, t.key, t.id)
	case now.Writer != t.writer && tag != t.base:
		return nil
	}
	if err := d.forget(ctx, t.key, now); err != nil || now.Upload == "" {
		return err
	}
	return d.abort(ctx, t.key, now.Upload)
}
