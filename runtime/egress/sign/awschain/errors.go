package awschain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"

	"github.com/berth-dev/storagedriver"
)

// passing are errors of STS that come with the status of a refusal and are none.
var passing = []string{"Throttling", "ThrottlingException", "RequestLimitExceeded", "IDPCommunicationError", "RequestExpired"}

// retrieveError says which request of the chain failed and how. The SDK's texts are left out: some have the output of a
// process or a server's answer in them, and that is where the keys are.
func retrieveError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	out := &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true}
	what := []string{"the AWS credential chain has no credentials"}
	var (
		classified *storagedriver.Error
		operation  *smithy.OperationError
		api        smithy.APIError
		response   interface{ HTTPStatusCode() int }
		process    *processcreds.ProviderError
	)
	if errors.As(err, &operation) {
		what = append(what, fmt.Sprintf("%s of %s failed", operation.Operation(), operation.Service()))
	}
	if errors.As(err, &response) {
		status := response.HTTPStatusCode()
		what = append(what, fmt.Sprintf("status %d", status))
		if status == 400 || status == 401 || status == 403 {
			out.Kind, out.Temporary = storagedriver.KindPermission, false
		}
	}
	if errors.As(err, &api) && named(api.ErrorCode()) {
		what = append(what, api.ErrorCode())
		if slices.Contains(passing, api.ErrorCode()) {
			out.Kind, out.Temporary = storagedriver.KindUnavailable, true
		}
	}
	switch {
	case errors.As(err, &process):
		what = append(what, "credential_process failed, or did not print what it should")
	case errors.As(err, &classified):
		out.Kind, out.Temporary = classified.Kind, classified.Temporary
		what = append(what, classified.Error())
	}
	out.Err = errors.New(strings.Join(what, ": "))
	return out
}

// named reports whether s is the name of an error, which servers of AWS's choose from a list.
func named(s string) bool {
	return 0 < len(s) && len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '.') }) < 0
}
