package s3

import (
	"context"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
)

// adopt goes on with a multipart upload that has no state: one that distribution began, or of ours whose process died at once. It is the first
// that has parts, as for distribution.
func (d *Driver) adopt(ctx context.Context, t token, f found) (storagedriver.Upload, bool, error) {
	for _, u := range f.uploads {
		id := aws.ToString(u.UploadId)
		all, err := d.listParts(ctx, t.key, id, maxParts)
		if storagedriver.KindOf(err) == storagedriver.KindConflict {
			continue // it has ended meanwhile
		}
		if err != nil {
			return storagedriver.Upload{}, false, err
		}
		if f.hides(all) {
			continue
		}
		parts, short := whole(all)
		if short != nil {
			return d.rebuild(ctx, t, f, id, parts, *short)
		}
		if len(parts) > 0 {
			t.id = id
			return d.resumed(t, &state{}, parts), true, nil
		}
	}
	return storagedriver.Upload{}, false, nil
}

// hides reports whether there is content that has been committed and must not be replaced by parts. Where distribution goes on with an upload whose last
// part is short, as rebuild does, the object that it has made of it stays beside the next upload, which begins with the same content.
func (f *found) hides(parts []part) bool {
	if !f.committed || f.object.entry.Size == 0 {
		return false
	}
	var size int64
	for _, p := range parts {
		size += p.Size
	}
	inParts := strings.Contains(f.object.tag, "-")
	return !inParts || f.object.upload != "" || f.object.entry.Size > size
}

// rebuild makes of an upload whose last part is too short to be followed one of the same content that can be gone on with. No
// request reads a part: the upload is completed at its own key, as distribution does to go on, the service
// copies the whole parts into a new upload, and the short one becomes the tail. A crash in between leaves the content at the key, committed.
//
// What another commits meanwhile stays. The state is this writer's before anything changes, in place of the one that was found or of none, so
// that every writer which has none yet fails; what was committed since is not replaced, for the upload is completed only where there is the object
// that was found, or none; and only the version that it made is removed. Until it is completed another may begin anew: see rebuildAgain.
func (d *Driver) rebuild(ctx context.Context, t token, f found, id string, parts []part, short part) (storagedriver.Upload, bool, error) {
	none := func(err error) (storagedriver.Upload, bool, error) { return storagedriver.Upload{}, false, err }
	fence, err := d.saveState(ctx, t.key, &state{Writer: t.writer, Upload: id, Rebuilding: true}, f.tag)
	if err != nil {
		return none(err)
	}
	made, err := d.completeHere(ctx, t.key, id, f.object.tag, append(parts[:len(parts):len(parts)], short))
	if err != nil {
		switch storagedriver.KindOf(err) {
		case storagedriver.KindUnsupported, storagedriver.KindConflict, storagedriver.KindNotFound: // it has changed nothing
			d.unfence(ctx, t.key, fence)
		}
		return none(err)
	}
	next, err := d.again(ctx, t, made, parts, short)
	if err != nil {
		return none(d.replaced(ctx, t.key, made, err))
	}
	if t.base, err = d.saveState(ctx, t.key, next, fence); err != nil {
		if storagedriver.KindOf(err) == storagedriver.KindConflict {
			d.discard(ctx, t.key, next)
		}
		return none(err)
	}
	if _, err := d.removeVersion(ctx, t.key, made); err != nil {
		return none(err)
	}
	t.id, t.writer = next.Upload, random(8)
	return d.resumed(t, next, next.Parts), true, nil
}

// rebuildAgain goes on where a rebuilding ended early, or where another is about to. Once the upload has been completed it leaves all to that other: if
// it has died the content is committed.
func (d *Driver) rebuildAgain(ctx context.Context, t token, f found) (storagedriver.Upload, bool, error) {
	none := storagedriver.Upload{}
	if !listed(f.uploads, f.state.Upload) {
		if f.committed {
			return none, false, nil
		}
		return none, false, d.forgetVersion(ctx, t.key, f.state, f.tag)
	}
	all, err := d.listParts(ctx, t.key, f.state.Upload, maxParts)
	if err != nil {
		return none, false, err
	}
	parts, short := whole(all)
	switch {
	case f.hides(all):
		return none, false, nil
	case short == nil:
		return none, false, storagedriver.NewError(storagedriver.KindConflict, "another writer has moved on")
	}
	return d.rebuild(ctx, t, f, f.state.Upload, parts, *short)
}

// completeHere makes the parts an object in place of the one with the ETag, or of none where that is "", and returns the new one's. Where there is
// another its content has been committed, and the upload stays.
func (d *Driver) completeHere(ctx context.Context, key, id, tag string, parts []part) (string, error) {
	if err := d.unreplaced(ctx, key, tag); err != nil {
		return "", err
	}
	var c condition
	if d.config.ConditionalWrites {
		c = condition{match: tag, absent: tag == ""}
	}
	list := make([]types.CompletedPart, len(parts))
	for i := range parts {
		list[i] = types.CompletedPart{ETag: &parts[i].Tag, PartNumber: aws.Int32(int32(parts[i].Number))}
	}
	made, err := d.sendListIf(ctx, key, id, list, c)
	switch {
	case err == nil:
		return d.version(ctx, key, made)
	case ctx.Err() != nil:
		return "", err
	}
	if taken := d.unreplaced(ctx, key, tag); storagedriver.KindOf(taken) == storagedriver.KindUnsupported {
		return "", taken
	}
	if storagedriver.KindOf(err) == storagedriver.KindUnsupported {
		return "", withoutConditions(err)
	}
	return "", d.ended(ctx, key, id, err)
}

// unreplaced is KindUnsupported where there is another object than the one with the ETag, or than none where that is "".
func (d *Driver) unreplaced(ctx context.Context, key, tag string) error {
	now, err := d.head(ctx, key)
	switch {
	case err == nil && now.tag != tag:
		return storagedriver.NewError(storagedriver.KindUnsupported, "content that has been committed cannot be appended to")
	case err == nil, tag == "" && storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return nil
	}
	return err
}

// version returns the ETag of the object as a HEAD has it, in which form others are compared with it: that of a completion may lack the quotes, or be missing.
func (d *Driver) version(ctx context.Context, key, completed string) (string, error) {
	now, err := d.head(ctx, key)
	if err != nil {
		return "", err
	}
	bare := func(tag string) string { return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) }
	if completed != "" && bare(now.tag) != bare(completed) {
		return "", storagedriver.NewError(storagedriver.KindConflict, "another writer has moved on")
	}
	return now.tag, nil
}

// replaced is the error of a request for the object with the ETag, which may be another by now.
func (d *Driver) replaced(ctx context.Context, key, tag string, err error) error {
	if now, headErr := d.head(ctx, key); headErr == nil && now.tag != tag || storagedriver.KindOf(headErr) == storagedriver.KindNotFound {
		return storagedriver.Errorf(storagedriver.KindConflict, "another writer has moved on: %w", err)
	}
	return err
}

// again stores the content of the upload that made the object once more: the whole parts in a new upload, the short one as the tail.
func (d *Driver) again(ctx context.Context, t token, made string, parts []part, short part) (*state, error) {
	next := &state{Writer: t.writer, TailSize: short.Size}
	var err error
	if next.Tail, err = d.bytes(ctx, t.key, short.Offset, short.Size, made); err != nil {
		return nil, err
	}
	if short.Size > inlineTail {
		next.TailKey = t.key + tailSuffix + t.writer
		if _, err = d.put(ctx, next.TailKey, storagedriver.BytesSource(next.Tail), condition{}); err != nil {
			return nil, err
		}
		next.Tail = nil
	}
	if len(parts) > 0 {
		next.Mark = random(8)
		if next.Upload, err = d.create(ctx, t.key, next.Mark); err == nil {
			next.Parts, err = d.recopy(ctx, t.key, next.Upload, parts, object{tag: made})
		}
		if err != nil {
			d.discard(ctx, t.key, next)
			return nil, err
		}
	}
	return next, nil
}

// unfence removes the state of a rebuilding that has changed nothing, so that the upload is as it was.
func (d *Driver) unfence(ctx context.Context, key, tag string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandonTimeout)
	defer cancel()
	_, _ = d.removeVersion(ctx, key+stateSuffix, tag) // it names the upload: who goes on has its whole parts
}

// removeVersion removes the object if it is still the one with the ETag, and reports whether it was. Some services do not heed the condition of a
// DELETE: it is looked at before as well, which leaves them the moment of the request itself.
func (d *Driver) removeVersion(ctx context.Context, key, tag string) (bool, error) {
	now, err := d.head(ctx, key)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return false, nil
	case err != nil:
		return false, err
	case now.tag != tag:
		return false, nil
	case !d.config.ConditionalWrites:
		return true, d.remove(ctx, key)
	}
	_, err = d.client.api.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: d.bucket(), Key: &key, IfMatch: &tag, RequestPayer: d.common.payer})
	err = classify("s3:DeleteObject", err)
	switch storagedriver.KindOf(err) {
	case storagedriver.KindConflict, storagedriver.KindNotFound:
		return false, nil // another's
	case storagedriver.KindUnsupported:
		err = d.remove(ctx, key)
	}
	return err == nil, err
}

// recopy copies what parts were into parts of another upload.
func (d *Driver) recopy(ctx context.Context, key, id string, parts []part, made object) ([]part, error) {
	spans := make([]span, len(parts))
	for i, p := range parts {
		spans[i] = span{p.Offset, p.Offset + p.Size}
	}
	copies, err := d.copyRanges(ctx, key, key, id, made, spans)
	if err != nil {
		return nil, err
	}
	out := make([]part, len(parts))
	for i, p := range parts {
		out[i] = part{p.Number, p.Offset, p.Size, aws.ToString(copies[i].ETag)}
	}
	return out, nil
}

// bytes reads a short range of one version of an object.
func (d *Driver) bytes(ctx context.Context, key string, offset, length int64, tag string) ([]byte, error) {
	body, opened, err := d.body(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if opened.Tag != tag {
		return nil, storagedriver.NewError(storagedriver.KindConflict, "the content was replaced meanwhile")
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(body, text); err != nil {
		return nil, classify("s3:GetObject", err)
	}
	return text, nil
}
