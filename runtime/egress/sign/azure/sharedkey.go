package azure

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	vendor "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/runtime/egress/sign"
	"github.com/berth-dev/storagedriver/runtime/egress/sign/internal/scheme"
)

const dateHeader = "X-Ms-Date"

// sasVersion is the service version of the SAS in presigned URLs: old enough for emulators and clouds that lag behind.
const sasVersion = "2022-11-02"

// sharedKey signs with an account's key.
type sharedKey struct {
	scheme.Name
	account    string
	credential *blob.SharedKeyCredential
	client     *blob.Client
	secrets    []factory.Secret
}

// Sign implements sign.Signer. The signature covers the length of the body, and its Content-MD5 if there is one.
func (s *sharedKey) Sign(ctx context.Context, req *http.Request, payload sign.Payload) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := scheme.Query(req.URL); err != nil {
		return err
	}
	ours := req.Clone(ctx)
	ours.Body, ours.GetBody = nil, nil
	ours.Header = http.Header{}
	for name, values := range req.Header {
		values = slices.Clone(values)
		for i := range values {
			values[i] = strings.TrimSpace(values[i]) // as they are read
		}
		if name == "Content-Md5" {
			name = "Content-MD5" // as the library looks for it
		}
		ours.Header[name] = values
	}
	if size := payload.Size(); size > 0 {
		ours.Header.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	if err := signShared(ctx, s.client, ours); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return storagedriver.NewError(storagedriver.KindInvalidArgument, "the request cannot be signed with a storage account's key")
	}
	req.Header.Set(dateHeader, ours.Header.Get(dateHeader))
	req.Header.Set("Authorization", ours.Header.Get("Authorization"))
	return nil
}

// Presign implements sign.Signer: a service SAS for reading one blob.
func (s *sharedKey) Presign(ctx context.Context, req *http.Request, valid time.Duration) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return "", storagedriver.Errorf(storagedriver.KindUnsupported, "presigned URLs are for GET and HEAD, not for %s", req.Method)
	}
	container, name, err := s.blobOf(req)
	if err != nil {
		return "", err
	}
	seconds, err := scheme.Seconds(valid)
	if err != nil {
		return "", err
	}
	protocol := vendor.ProtocolHTTPS
	if req.URL.Scheme == "http" {
		protocol = vendor.ProtocolHTTPSandHTTP
	}
	permissions := vendor.BlobPermissions{Read: true}
	query, err := vendor.BlobSignatureValues{
		Version:       sasVersion,
		Protocol:      protocol,
		ExpiryTime:    time.Now().UTC().Add(time.Duration(seconds) * time.Second),
		Permissions:   permissions.String(),
		ContainerName: container,
		BlobName:      name,
	}.SignWithSharedKey(s.credential)
	if err != nil {
		return "", errors.New("a shared access signature cannot be made")
	}
	u := *req.URL
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// blobOf returns the container and the name of the blob that req reads.
func (s *sharedKey) blobOf(req *http.Request) (container, name string, err error) {
	if req.URL.RawQuery != "" {
		return "", "", storagedriver.NewError(storagedriver.KindUnsupported, "presigned URLs are for a blob's content: the URL must have no query")
	}
	path := strings.TrimPrefix(req.URL.Path, "/")
	if !strings.HasPrefix(req.URL.Host, s.account+".") && !strings.HasPrefix(req.URL.Host, s.account+"-secondary.") {
		path = strings.TrimPrefix(path, s.account+"/") // as emulators have it; a host of the account's own has no such part
	}
	container, name, found := strings.Cut(path, "/")
	if !found {
		container, name = "$root", path
	}
	if container == "" || name == "" {
		return "", "", storagedriver.NewError(storagedriver.KindUnsupported, "presigned URLs are for one blob: the URL must name a container and a blob")
	}
	return container, name, nil
}

// Owns implements sign.Signer.
func (s *sharedKey) Owns() []string {
	return []string{"Authorization", dateHeader, "?se", "?sig", "?sp", "?spr", "?sr", "?sv"}
}

// Sent implements sign.Signer: nothing is sent as it is.
func (s *sharedKey) Sent() []string { return nil }

// Secrets implements sign.Signer.
func (s *sharedKey) Secrets() []string { return reveal(s.secrets) }
