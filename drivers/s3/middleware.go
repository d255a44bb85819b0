package s3

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK's names of its own middlewares.
const (
	setupChecksum   = "AWSChecksum:SetupInputContext"
	computeChecksum = "AWSChecksum:ComputeInputPayloadChecksum"
	trackChecksum   = "AWSChecksum:RequestMetricsTracking"
	resolveEndpoint = "ResolveEndpointV2"
	signing         = "Signing"
)

// contentMD5 has DeleteObjects carry a Content-MD5, which every service knows, instead of the CRC32 that is the SDK's and that older
// services answer with MissingContentMD5.
func contentMD5(stack *middleware.Stack) error {
	if stack.ID() != "DeleteObjects" {
		return nil
	}
	if _, err := stack.Initialize.Remove(setupChecksum); err != nil {
		return err
	}
	if _, err := stack.Finalize.Remove(computeChecksum); err != nil {
		return err
	}
	if _, err := stack.Build.Remove(trackChecksum); err != nil {
		return err
	}
	return smithyhttp.AddContentChecksumMiddleware(stack)
}

// agent adds text to the User-Agent header.
func agent(text string) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		if text == "" {
			return nil
		}
		return stack.Build.Add(middleware.BuildMiddlewareFunc("s3:agent", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
			r, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return middleware.BuildOutput{}, middleware.Metadata{}, notHTTP(in.Request)
			}
			r.Header.Set("User-Agent", strings.TrimSpace(r.Header.Get("User-Agent")+" "+text))
			return next.HandleBuild(ctx, in)
		}), middleware.After)
	}
}

// toOrigin puts the scheme and the host of u in place of the endpoint's, before the URL is signed. The path stays, as with distribution:
// a host of u's that stands for the bucket works where the endpoint's does.
func toOrigin(u *url.URL) func(*middleware.Stack) error {
	return afterEndpoint("s3:origin", func(ctx context.Context, r *smithyhttp.Request) context.Context {
		r.URL.Scheme, r.URL.Host = u.Scheme, u.Host
		return ctx
	})
}

// unsignedEncoding leaves Accept-Encoding out of the signature: Google's front ends, and proxies, change it on its way.
func unsignedEncoding(stack *middleware.Stack) error {
	if _, sent := stack.Finalize.Get(signing); !sent {
		return nil // a URL
	}
	const header = "Accept-Encoding"
	type key struct{}
	take := middleware.FinalizeMiddlewareFunc("s3:takeEncoding", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if r, ok := in.Request.(*smithyhttp.Request); ok {
			ctx = middleware.WithStackValue(ctx, key{}, r.Header.Get(header))
			r.Header.Del(header)
		}
		return next.HandleFinalize(ctx, in)
	})
	give := middleware.FinalizeMiddlewareFunc("s3:giveEncoding", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		if value, _ := middleware.GetStackValue(ctx, key{}).(string); value != "" {
			if r, ok := in.Request.(*smithyhttp.Request); ok {
				r.Header.Set(header, value)
			}
		}
		return next.HandleFinalize(ctx, in)
	})
	if err := stack.Finalize.Insert(take, signing, middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(give, signing, middleware.After)
}

// afterEndpoint has do called with each request once it has its URL, before it is signed.
func afterEndpoint(id string, do func(context.Context, *smithyhttp.Request) context.Context) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc(id, func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			r, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, notHTTP(in.Request)
			}
			return next.HandleFinalize(do(ctx, r), in)
		}), resolveEndpoint, middleware.After)
	}
}

func notHTTP(request any) error { return fmt.Errorf("the request is a %T, not one of HTTP", request) }
