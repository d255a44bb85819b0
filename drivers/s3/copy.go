package s3

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/berth-dev/storagedriver"
	"golang.org/x/sync/errgroup"
)

// copyAttempts is how often a copy is begun whose source is replaced meanwhile, or whose upload is ended.
const copyAttempts = 3

// Copy implements storagedriver.Backend: in one request, or in parts and in parallel what is longer than the threshold.
func (d *Driver) Copy(ctx context.Context, source, dest string) error {
	return d.placed(ctx, dest, func() error {
		for attempt := 1; ; attempt++ {
			from, err := d.head(ctx, d.key(source))
			if err != nil {
				return err
			}
			if from.entry.Size <= d.config.MultipartCopyThresholdSize {
				return d.copyWhole(ctx, d.key(source), d.key(dest))
			}
			err = d.copyParts(ctx, d.key(source), d.key(dest), from)
			if storagedriver.KindOf(err) != storagedriver.KindConflict || attempt == copyAttempts {
				return err
			}
		}
	})
}

// from is a key as the header of a copy has it.
func (d *Driver) from(key string) *string {
	return aws.String(d.config.Bucket + "/" + strings.ReplaceAll(url.QueryEscape(key), "%2F", "/"))
}

func (d *Driver) copyWhole(ctx context.Context, source, dest string) error {
	_, err := d.client.api.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: d.bucket(), Key: &dest, CopySource: d.from(source), ContentType: d.common.contentType,
		ACL: d.common.acl, StorageClass: d.common.storageClass, RequestPayer: d.common.payer,
		ServerSideEncryption: d.common.encryption, SSEKMSKeyId: d.common.kmsKey,
		SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
		CopySourceSSECustomerAlgorithm: d.common.customer.algorithm, CopySourceSSECustomerKey: d.common.customer.key, CopySourceSSECustomerKeyMD5: d.common.customer.md5,
	})
	return d.copied(ctx, source, classify("s3:GetObject and s3:PutObject", err))
}

// copied is the error of a copy. Some services answer one whose source has gone meanwhile as if they had failed.
func (d *Driver) copied(ctx context.Context, source string, err error) error {
	if storagedriver.KindOf(err) != storagedriver.KindUnavailable {
		return err
	}
	if _, gone := d.head(ctx, source); storagedriver.KindOf(gone) == storagedriver.KindNotFound {
		return gone
	}
	return err
}

// copyParts copies one version of the source. What it began is aborted when it fails.
func (d *Driver) copyParts(ctx context.Context, source, dest string, from object) error {
	id, err := d.create(ctx, dest, random(8))
	if err != nil {
		return err
	}
	parts, err := d.copyRanges(ctx, source, dest, id, from, cuts(from.entry.Size, d.config.MultipartCopyChunkSize))
	if err == nil {
		err = d.sendList(ctx, dest, id, parts)
	}
	if err != nil {
		d.abandon(ctx, dest, id)
	}
	return d.copied(ctx, source, err)
}

// span is a range of bytes: the first and the one behind the last.
type span struct{ begin, end int64 }

// cuts cuts size bytes into spans of chunk bytes; larger ones if those were more than an upload may have.
func cuts(size, chunk int64) []span {
	chunk = max(chunk, (size+maxParts-1)/maxParts)
	var spans []span
	for begin := int64(0); begin < size; begin += chunk {
		spans = append(spans, span{begin, min(begin+chunk, size)})
	}
	return spans
}

// copyRanges copies the ranges of one version of the source into the parts of an upload, numbered from 1.
func (d *Driver) copyRanges(ctx context.Context, source, dest, id string, from object, spans []span) ([]types.CompletedPart, error) {
	parts := make([]types.CompletedPart, len(spans))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(int(min(d.config.MultipartCopyMaxConcurrency, int64(d.config.Connections))))
	for i, s := range spans {
		group.Go(func() error {
			number := aws.Int32(int32(i + 1))
			out, err := d.client.api.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket: d.bucket(), Key: &dest, UploadId: &id, PartNumber: number, RequestPayer: d.common.payer,
				CopySource: d.from(source), CopySourceIfMatch: &from.tag, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", s.begin, s.end-1)),
				SSECustomerAlgorithm: d.common.customer.algorithm, SSECustomerKey: d.common.customer.key, SSECustomerKeyMD5: d.common.customer.md5,
				CopySourceSSECustomerAlgorithm: d.common.customer.algorithm, CopySourceSSECustomerKey: d.common.customer.key, CopySourceSSECustomerKeyMD5: d.common.customer.md5,
			})
			if err != nil {
				return classify("s3:GetObject and s3:PutObject", err)
			}
			if out.CopyPartResult == nil || aws.ToString(out.CopyPartResult.ETag) == "" {
				return storagedriver.NewError(storagedriver.KindCorrupt, "the service gives a copied part no ETag")
			}
			parts[i] = types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: number}
			return nil
		})
	}
	return parts, group.Wait()
}
