package azure

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// Microsoft's library signs in a step of its client's pipeline, and offers it nowhere else. So a client is asked for something,
// and its request is exchanged for ours before that step and taken out after it. Nothing is sent.

// exchanged is the context's key for the request that is to be signed.
type exchanged struct{}

// errSigned ends the pipeline.
var errSigned = errors.New("signed")

// errSent says that the vendor's pipeline is not the one we know.
var errSent = errors.New("a request for a signature must not be sent")

func newClient(credential *blob.SharedKeyCredential) (*blob.Client, error) {
	return blob.NewClientWithSharedKeyCredential("https://"+credential.AccountName()+".invalid/container/blob", credential, &blob.ClientOptions{ClientOptions: azcore.ClientOptions{
		PerCallPolicies:  []policy.Policy{before{}},
		PerRetryPolicies: []policy.Policy{after{}},
		Retry:            policy.RetryOptions{MaxRetries: -1},
		Telemetry:        policy.TelemetryOptions{Disabled: true},
		Transport:        nowhere{},
	}})
}

// signShared signs req in place. Of a client's request it keeps the context.
func signShared(ctx context.Context, client *blob.Client, req *http.Request) error {
	_, err := client.GetProperties(context.WithValue(ctx, exchanged{}, req), nil)
	switch {
	case errors.Is(err, errSigned) && req.Header.Get("Authorization") != "":
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil || errors.Is(err, errSigned):
		return errSent
	}
	return err
}

type before struct{}

func (before) Do(call *policy.Request) (*http.Response, error) {
	ours, ok := call.Raw().Context().Value(exchanged{}).(*http.Request)
	if !ok {
		return nil, errSent
	}
	raw := call.Raw()
	raw.Method, raw.URL, raw.Host, raw.Header, raw.ContentLength = ours.Method, ours.URL, ours.Host, ours.Header.Clone(), ours.ContentLength
	return call.Next()
}

// after comes next to the step that signs.
type after struct{}

func (after) Do(call *policy.Request) (*http.Response, error) {
	ours, ok := call.Raw().Context().Value(exchanged{}).(*http.Request)
	if !ok {
		return nil, errSent
	}
	ours.Header = call.Raw().Header
	return nil, errSigned
}

// nowhere is where the client would send what the two policies let through.
type nowhere struct{}

func (nowhere) Do(*http.Request) (*http.Response, error) { return nil, errSent }
