package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/berth-dev/storagedriver"
)

// The SDK's names of the services that give out credentials.
const (
	metadataService = "ec2imds"
	stsService      = "STS"
	portalService   = "SSO"
	renewalService  = "SSO OIDC"
)

// noCredentials says which request for credentials failed and how. Of the SDK's texts only the codes are repeated: some have a process's output or a
// server's answer in them, and that is where the keys are.
func (f *failed) noCredentials(keys *credentialsError) error {
	out := &storagedriver.Error{Kind: storagedriver.KindPermission}
	var (
		operation *smithy.OperationError
		response  *smithyhttp.ResponseError
		api       smithy.APIError
		send      *smithyhttp.RequestSendError
		process   *processcreds.ProviderError
	)
	what := "no credentials"
	service := ""
	if errors.As(keys.err, &operation) {
		service = operation.Service()
	}
	status := 0
	if errors.As(keys.err, &response) {
		status = response.HTTPStatusCode()
	}
	switch {
	case errors.As(keys.err, &process):
		what += ": credential_process of the profile failed, or did not print what it should"
	case endedSession(keys.err, service, status):
		what += `: the SSO session of the profile has expired or was never begun: run "aws sso login"`
	case service == metadataService && status != http.StatusTooManyRequests && status < http.StatusInternalServerError:
		what += `: give parameters "accesskey" and "secretkey", "profile" or "webidentitytokenfile", or AWS's environment variables; this machine has no instance role either`
	case service == stsService && errors.As(keys.err, &api):
		what += fmt.Sprintf(`: STS refuses %s: look at parameter "rolearn", at the role's trust policy, and at the credentials it is assumed with: %s`, operation.Operation(), code(api))
		out.Temporary = status == http.StatusTooManyRequests || status >= http.StatusInternalServerError || strings.HasPrefix(api.ErrorCode(), "Throttling")
	case errors.As(keys.err, &api):
		what += fmt.Sprintf(": %s of %s failed: %s", operation.Operation(), service, code(api))
		out.Temporary = status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
	case errors.As(keys.err, &send) && service == stsService:
		what += `: STS cannot be reached: look at parameter "stsendpoint": ` + transportText(send)
		out.Temporary = true
	case errors.As(keys.err, &send):
		what += fmt.Sprintf(": %s cannot be reached: %s", service, transportText(send))
		out.Temporary = true
	case service == "" && f.place.Keys:
		what += `: look at parameters "accesskey" and "secretkey"`
	case service == "":
		what += `: AWS's default chain has none: look at the profile, and at the token file of "webidentitytokenfile"`
	default:
		what += fmt.Sprintf(": %s of %s failed: status %d", operation.Operation(), service, status)
		out.Temporary = status >= http.StatusInternalServerError
	}
	if out.Temporary {
		out.Kind = storagedriver.KindUnavailable
	}
	out.Err = errors.New(what)
	return out
}

// endedSession reports whether there is no token of SSO any more that gives credentials: the file is not there or too old, it
// cannot be renewed, or the portal refuses it. For a profile with an sso-session the SDK has no type for the first two.
func endedSession(err error, service string, status int) bool {
	var token *ssocreds.InvalidTokenError
	switch service {
	case "":
		return errors.As(err, &token) || strings.Contains(err.Error(), "SSO token")
	case portalService:
		return status == http.StatusUnauthorized
	case renewalService:
		return status == http.StatusUnauthorized || status == http.StatusBadRequest
	}
	return false
}

// code is an error's, if it looks like one.
func code(api smithy.APIError) string {
	text := api.ErrorCode()
	if text == "" || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.')
	}) {
		return "an error without a code"
	}
	return text
}

// transportText is why nobody answered, without the URL.
func transportText(send *smithyhttp.RequestSendError) string {
	return oneLine(withoutURL(send.Err).Error())
}
