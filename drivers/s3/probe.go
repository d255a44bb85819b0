package s3

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/berth-dev/storagedriver"
)

const (
	probeTimeout = 30 * time.Second
	// probeAttempts are enough for a connection that breaks. Who opens a driver wants to know that the service is away.
	probeAttempts = 3
)

// probe asks for one key below the prefix. payer is who the request is charged to.
func (c *client) probe(ctx context.Context, bucket, prefix string, payer types.RequestPayer) error {
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	in := &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(1), RequestPayer: payer}
	if prefix != "" {
		in.Prefix = &prefix
	}
	_, err := c.api.ListObjectsV2(limited, in, func(o *s3.Options) {
		if o.Retryer.MaxAttempts() > probeAttempts {
			o.Retryer = retry.AddWithMaxAttempts(o.Retryer, probeAttempts)
		}
	})
	if err = classify("s3:ListBucket", err); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		late := storagedriver.Errorf(storagedriver.KindUnavailable, `the service at %s does not answer within %v: look at parameter "regionendpoint"`, c.place.Host, probeTimeout)
		late.Temporary = true
		return late
	}
	return err
}
