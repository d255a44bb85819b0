package s3

import (
	"context"
	"net/http"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/berth-dev/storagedriver"
)

// redirectValid is how long a URL may be used, as in distribution.
const redirectValid = 20 * time.Minute

// Redirect implements storagedriver.Backend with a presigned URL of the redirectendpoint, or of the service. There is none where clients would have to
// send headers that were signed: they follow a redirect without.
func (d *Driver) Redirect(ctx context.Context, path string, options storagedriver.RedirectOptions) (string, error) {
	key := d.key(path)
	valid := s3.WithPresignExpires(redirectValid)
	var r *v4.PresignedHTTPRequest
	var err error
	switch options.Method {
	case http.MethodGet:
		r, err = d.client.presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: d.bucket(), Key: &key, RequestPayer: d.common.payer}, valid)
	case http.MethodHead:
		r, err = d.client.presign.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: d.bucket(), Key: &key, RequestPayer: d.common.payer}, valid)
	default:
		return "", nil
	}
	if err != nil {
		return "", classify("s3:GetObject", err)
	}
	for name := range r.SignedHeader {
		if name != "Host" {
			return "", nil
		}
	}
	return r.URL, nil
}
