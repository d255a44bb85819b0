package s3

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

// maxMessage is the most bytes of a service's message that are repeated.
const maxMessage = 300

// classify gives an error of the SDK its Kind and one line that says what to do. action is what a policy must grant for the request, such as
// "s3:PutObject". nil stays nil, an error that has a Kind stays as it is, and those of a context become context.Canceled and context.DeadlineExceeded.
func classify(action string, err error) error {
	if err == nil {
		return nil
	}
	var ours *storagedriver.Error
	if errors.As(err, &ours) {
		return ours
	}
	if ended := endedContext(err); ended != nil {
		return ended
	}
	f := &failed{place: &place{}, err: err}
	errors.As(err, &f)
	var (
		keys     *credentialsError
		response *smithyhttp.ResponseError
		send     *smithyhttp.RequestSendError
	)
	switch {
	case errors.As(err, &keys):
		return f.noCredentials(keys)
	case errors.As(err, &response) && response.HTTPStatusCode() != 0:
		return f.answered(action, response)
	case errors.As(err, &send):
		return f.unreachable(send.Err)
	case isBroken(err):
		return f.unreachable(err)
	}
	return storagedriver.Errorf(storagedriver.KindUnknown, "%s", oneLine(innermost(err).Error()))
}

// endedContext returns the context's error where it is why. A deadline of a connection's own is not.
func endedContext(err error) error {
	var (
		canceled *smithy.CanceledError
		stopped  *aws.RequestCanceledError
		send     *smithyhttp.RequestSendError
	)
	if !errors.As(err, &canceled) && !errors.As(err, &stopped) && (errors.As(err, &send) || isTimeout(err)) {
		return nil
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return nil
}

func isTimeout(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Timeout()
}

// isBroken reports whether a connection ended in the middle of an answer.
func isBroken(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// answered is the error of a request that the service answered.
func (f *failed) answered(action string, response *smithyhttp.ResponseError) error {
	status := response.HTTPStatusCode()
	var decoding *smithy.DeserializationError
	var api smithy.APIError
	switch {
	case errors.As(response.Err, &api):
	case status >= http.StatusMultipleChoices: // its status says enough
		api = &smithy.GenericAPIError{}
	case isBroken(response.Err): // while it was decoded, or before, where the SDK looks whether a 200 is an <Error>
		if errors.As(response.Err, &decoding) {
			return f.unreachable(decoding.Err)
		}
		return f.unreachable(response.Err)
	default:
		return storagedriver.Errorf(storagedriver.KindUnavailable, "the service at %s does not answer as S3 does: look at %s: %s", f.place.Host, f.endpoint(), oneLine(response.Err.Error()))
	}
	var header http.Header
	if response.Response != nil && response.Response.Response != nil {
		header = response.Response.Header
	}
	if f.answer.header == nil {
		f.answer.header = header
	}
	kind, temporary, after := objects.Status(status, header)
	out := &storagedriver.Error{Kind: kind, Temporary: temporary, RetryAfter: after}
	advice := f.advice(action, status, api.ErrorCode(), out)
	if !out.Temporary {
		out.RetryAfter = 0
	}
	out.Err = errors.New(advice + f.said(status, api, requestID(f.err)))
	return out
}

// classifyCode is classify for one of the objects that a request was for: of the service's answer it has a code and a message.
func classifyCode(action, code, message string) error {
	f := &failed{place: &place{}}
	status := 0
	if code == "AccessDenied" {
		status = http.StatusForbidden
	}
	out := &storagedriver.Error{}
	advice := f.advice(action, status, code, out)
	out.Err = errors.New(advice + f.said(0, &smithy.GenericAPIError{Code: code, Message: message}, ""))
	return out
}

// said is what the service answered, in one line. status 0 is left out.
func (f *failed) said(status int, api smithy.APIError, id string) string {
	var b strings.Builder
	b.WriteString("the service answers")
	if status != 0 {
		b.WriteString(" " + strconv.Itoa(status))
	}
	code := oneLine(api.ErrorCode())
	if code != "" && code != "UnknownError" {
		b.WriteString(" " + code)
	}
	if message := oneLine(strings.TrimSuffix(strings.TrimSpace(api.ErrorMessage()), ".")); message != "" && message != code && message != "UnknownError" {
		b.WriteString(": " + message)
	}
	if id != "" {
		b.WriteString(" (request " + id + ")")
	}
	return b.String()
}

func requestID(err error) string {
	var identified interface{ ServiceRequestID() string }
	if errors.As(err, &identified) {
		return oneLine(identified.ServiceRequestID())
	}
	return ""
}

// unreachable is the error of a request that had no answer. err is the transport's.
func (f *failed) unreachable(err error) error {
	host := f.place.Host
	var at *url.Error
	if errors.As(err, &at) {
		if u, parsed := url.Parse(at.URL); parsed == nil && u.Host != "" {
			host = u.Host
		}
	}
	err = withoutURL(err)
	what := "the service at " + host + " cannot be reached"
	out := &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true}
	var (
		missing *net.DNSError
		dial    *net.OpError
	)
	switch {
	case isUntrusted(err):
		out.Kind, out.Temporary = storagedriver.KindInvalidArgument, false
		what = "the certificate of " + host + ` is not accepted: name its authority in parameter "cacert", or correct ` + f.endpoint() + ` (or, for tests, set "skipverify")`
	case errors.Is(err, http.ErrSchemeMismatch):
		out.Kind, out.Temporary = storagedriver.KindInvalidArgument, false
		what = "the service at " + host + ` does not speak TLS: set parameter "secure" to false, or begin "regionendpoint" with http://`
	case errors.As(err, &missing) && missing.IsNotFound:
		what = "there is no host " + host + ": look at " + f.endpoint()
	case errors.As(err, &dial) && dial.Op == "dial":
		what += ": look at " + f.endpoint() + ", and whether the service runs"
	}
	out.Err = errors.New(what + ": " + oneLine(err.Error()))
	return out
}

// withoutURL is why the transport failed, without the URL, which may be presigned.
func withoutURL(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// endpoint names the parameters that say where the service is.
func (f *failed) endpoint() string {
	if f.place.Custom {
		return `parameter "regionendpoint"`
	}
	return `parameters "region" and "regionendpoint"`
}

// innermost leaves out what the SDK puts around an error: which operation of which service, and its attempts.
func innermost(err error) error {
	var operation *smithy.OperationError
	if errors.As(err, &operation) {
		return operation.Err
	}
	return err
}

// oneLine makes text of others fit for an error: one line, not too long, without control characters, and without what may be worth a secret.
func oneLine(text string) string {
	text = withoutSecrets(text)
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	text = strings.Map(func(r rune) rune {
		if !printable(r) && r != utf8.RuneError {
			return -1
		}
		return r
	}, text)
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}
