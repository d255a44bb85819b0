package s3

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// maxAnswer is the most bytes of an answer. A thousand keys of 1,024 bytes, each byte of which is written as a reference, fit.
	maxAnswer = 16 << 20
	// keptAnswer is the most bytes of a buffer that is kept for the next page.
	keptAnswer = 2 << 20
)

// listOperation is the SDK's name of the requests whose answers are pages, and operationDecoder its name of what reads an answer.
const (
	listOperation    = "ListObjectsV2"
	operationDecoder = "OperationDeserializer"
)

// roots are the elements that answers are, by the SDK's names of the requests. Without them the SDK takes an empty body, or a web page of a proxy's,
// for an answer in which there is nothing: an empty listing, all keys deleted, a copy that was made.
var roots = map[string]string{
	listOperation:             "ListBucketResult",
	"ListMultipartUploads":    "ListMultipartUploadsResult",
	"ListParts":               "ListPartsResult",
	"CopyObject":              "CopyObjectResult",
	"UploadPartCopy":          "CopyPartResult",
	"CompleteMultipartUpload": "CompleteMultipartUploadResult",
	"DeleteObjects":           "DeleteResult",
}

// readingAnswers refuses answers that are none, and has the pages of listings read by scanPage. What that leaves the SDK reads.
func readingAnswers() func(*middleware.Stack) error {
	buffers := &sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return func(stack *middleware.Stack) error {
		root, known := roots[stack.ID()]
		if _, read := stack.Deserialize.Get(operationDecoder); !known || !read {
			return nil // another request, or a URL
		}
		reader := &answerReader{root: root, pages: stack.ID() == listOperation, buffers: buffers}
		var err error
		reader.sdk, err = stack.Deserialize.Swap(operationDecoder, reader)
		return err
	}
}

// answerReader is in the place of sdk.
type answerReader struct {
	sdk     middleware.DeserializeMiddleware
	root    string
	pages   bool
	buffers *sync.Pool // of *bytes.Buffer
}

// ID implements middleware.DeserializeMiddleware.
func (*answerReader) ID() string { return operationDecoder }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (a *answerReader) HandleDeserialize(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if resp, ok := out.RawResponse.(*smithyhttp.Response); ok && resp.StatusCode >= http.StatusOK && resp.StatusCode < http.StatusMultipleChoices {
		switch {
		case err == nil:
			if done, err := a.read(resp.Response, &out); done || err != nil {
				_ = resp.Body.Close() // it was read to its end, or is not to be
				return out, metadata, err
			}
		case isBroken(err): // before the SDK could see whether it is an <Error>
			err = undecoded(a.repeatable(err))
		}
	}
	return a.sdk.HandleDeserialize(ctx, in, middleware.DeserializeHandlerFunc(func(context.Context, middleware.DeserializeInput) (middleware.DeserializeOutput, middleware.Metadata, error) {
		return out, metadata, err
	}))
}

// read makes a page the result of out, and reports whether it could. Otherwise the body is to be read by the SDK.
func (a *answerReader) read(resp *http.Response, out *middleware.DeserializeOutput) (bool, error) {
	buffer, _ := a.buffers.Get().(*bytes.Buffer)
	buffer.Reset()
	_, err := buffer.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	text := buffer.Bytes()
	switch {
	case err != nil:
		return false, undecoded(a.repeatable(err))
	case len(text) > maxAnswer:
		return false, undecoded(fmt.Errorf("the answer has more than %d bytes", maxAnswer))
	}
	if a.pages {
		if page, ok := scanPage(text); ok {
			page.RequestCharged = types.RequestCharged(strings.TrimSpace(resp.Header.Get("X-Amz-Request-Charged")))
			out.Result = page
			if buffer.Cap() <= keptAnswer {
				a.buffers.Put(buffer) // scanPage has copied what it took
			}
			return true, nil
		}
	}
	if err := hasRoot(text, a.root); err != nil {
		return false, undecoded(err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{bytes.NewReader(text), resp.Body}
	return false, nil
}

// undecoded is the error that the SDK has for an answer that it cannot read.
func undecoded(err error) error {
	return &smithy.DeserializationError{Err: fmt.Errorf("failed to decode response body, %w", err)}
}

// brokenOff is the error of a connection that ended in the middle of a page, for which the SDK is to ask once more.
type brokenOff struct{ error }

func (b *brokenOff) Unwrap() error { return b.error }

// ConnectionError says that to the SDK's retryer.
func (b *brokenOff) ConnectionError() bool { return true }

// repeatable makes err a brokenOff if it is one of a listing, which changes nothing.
func (a *answerReader) repeatable(err error) error {
	if a.pages && isBroken(err) {
		return &brokenOff{err}
	}
	return err
}

// hasRoot returns an error where the SDK would take what is no answer for an empty one. What is no XML it sees itself.
func hasRoot(text []byte, root string) error {
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.RawToken()
		if err == io.EOF {
			return fmt.Errorf("the answer is no <%s>, and no XML", root)
		}
		if err != nil {
			return nil
		}
		switch token := token.(type) {
		case xml.Directive:
			return errors.New("the answer has a document type declaration")
		case xml.StartElement:
			if token.Name.Local != root {
				return fmt.Errorf("the answer is a <%.40s>, and no <%s>", token.Name.Local, root)
			}
			return nil
		}
	}
}
