package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxErrorBody is the most bytes of an answer that are read for what it says of an error.
const maxErrorBody = 64 << 10

// place is what the texts of errors say about where requests go, and with what.
type place struct {
	Bucket, Region string
	// Host is the endpoint's.
	Host string
	// Custom: parameter regionendpoint names the endpoint.
	Custom bool
	// Keys and Token: parameters accesskey and sessiontoken are given.
	Keys, Token bool
	// Customer: parameter ssecustomerkey is given.
	Customer bool
	// V2: requests have signatures of version 2.
	V2 bool
}

// answer is what the last answer to a request said that was no success, beyond what the SDK takes from it.
type answer struct {
	header http.Header
	at     time.Time // when it came, by this machine's clock
	said   struct {
		Region   string
		Endpoint string
	}
	text string // the beginning of the body
}

// failed is an error of the SDK's with what classify says about it.
type failed struct {
	place  *place
	answer answer
	err    error
}

func (f *failed) Error() string { return f.err.Error() }
func (f *failed) Unwrap() error { return f.err }

type answerKey struct{}

// explaining wraps what the SDK returns in a failed.
func explaining(p *place) func(*middleware.Stack) error {
	outermost := middleware.InitializeMiddlewareFunc("s3:explain", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		var a answer
		out, metadata, err := next.HandleInitialize(middleware.WithStackValue(ctx, answerKey{}, &a), in)
		if err != nil {
			err = &failed{place: p, answer: a, err: err}
		}
		return out, metadata, err
	})
	nearest := middleware.DeserializeMiddlewareFunc("s3:answer", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil && resp.StatusCode >= http.StatusMultipleChoices {
			if a, ok := middleware.GetStackValue(ctx, answerKey{}).(*answer); ok {
				a.read(resp.Response)
			}
		}
		return out, metadata, err
	})
	return func(stack *middleware.Stack) error {
		if err := stack.Initialize.Add(outermost, middleware.Before); err != nil {
			return err
		}
		return stack.Deserialize.Add(nearest, middleware.After)
	}
}

// read takes what it needs of the response's body and leaves the whole to be read again.
func (a *answer) read(resp *http.Response) {
	*a = answer{header: resp.Header, at: time.Now()}
	if resp.Body == nil {
		return
	}
	start, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what there is says enough
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	_ = xml.Unmarshal(start, &a.said) // of an answer in another language nothing is known
	a.text = string(start)
}

// region is the one that the service says the bucket is in, or that it expects in signatures; "" when it did not say.
func (a *answer) region() string {
	if r := a.header.Get("X-Amz-Bucket-Region"); r != "" {
		return oneLine(r)
	}
	return oneLine(a.said.Region)
}

// skew is how far the service's clock is ahead of this machine's.
func (a *answer) skew() (time.Duration, bool) {
	date, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		return 0, false
	}
	return date.Sub(a.at).Round(time.Second), true
}
