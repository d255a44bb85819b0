//go:build servers

package s3_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects/objectstest"
	"github.com/berth-dev/storagedriver/drivers/s3"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/testsuites/servers"
)

// kmsKey is the one key that minio's own KMS has.
const kmsKey = "berth-key"

// customerKeys are two of SSE-C.
var customerKeys = [2]string{encoded('k'), encoded('l')}

func encoded(b byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }

// encryption is a way to have the service encrypt.
type encryption struct {
	name       string
	parameters map[string]any
	algorithm  types.ServerSideEncryption
	kmsKey     string
	customer   string // the base64 of the key
}

var encryptions = []encryption{
	{name: "SSE-S3", parameters: map[string]any{"encrypt": true}, algorithm: types.ServerSideEncryptionAes256},
	{name: "SSE-KMS", parameters: map[string]any{"encrypt": true, "keyid": kmsKey}, algorithm: types.ServerSideEncryptionAwsKms, kmsKey: kmsKey},
	{name: "SSE-C", parameters: map[string]any{"ssecustomerkey": customerKeys[0]}, customer: customerKeys[0]},
}

// encrypting starts minio, with a KMS or with TLS, and returns it with the parameters of a driver that has it encrypt.
func (e encryption) encrypting(t *testing.T) (servers.S3, map[string]any) {
	t.Helper()
	options := servers.S3Options{Env: []string{"MINIO_KMS_SECRET_KEY=" + kmsKey + ":" + encoded('m')}}
	if e.customer != "" {
		options = servers.S3Options{TLS: true}
	}
	service := servers.StartS3With(t, "minio", "BERTH_MINIO", options)
	return service, on(t, service, map[string]any{"filesunderfiles": "checked", "cacert": service.CAFile}, e.parameters)
}

func created(t *testing.T, parameters map[string]any) storagedriver.StorageDriver {
	t.Helper()
	d, err := factory.FromOpen(s3.Name, s3.Open).Create(t.Context(), parameters)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// encryptedCases are those of the suite that see what encryption changes: bodies and their ranges, ETags, parts, and copies.
const encryptedCases = "content,reader,stat,append,suspend,cancel,race,redirect,move/file,move/large,move/overwrites,context/mid-read"

func TestConformsEncrypted(t *testing.T) {
	for _, e := range encryptions {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			_, parameters := e.encrypting(t)
			conforms(t, parameters, encryptedCases)
		})
	}
}

// TestEncrypts looks at every request of the driver, and with another client at all that it stores.
func TestEncrypts(t *testing.T) {
	for _, e := range encryptions {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			service, parameters := e.encrypting(t)
			maps.Copy(parameters, map[string]any{"multipartcopythresholdsize": smallPart, "multipartcopychunksize": smallPart})
			l := look{e, service, parameters}
			front := l.strictly(t)
			content := someBytes(2*smallPart + 300_000)
			l.puts(t, content)
			l.suspends(t, content, 2*smallPart+1000, 1)       // the tail is in the state
			l.suspends(t, content, 2*smallPart+inlineTail, 2) // and beside it
			l.breaks(t, content)
			l.redirects(t)
			l.adopts(t, content)
			l.cancels(t, content)
			front.wantAll(t)
			l.refuses(t)
		})
	}
}

// inlineTail is more than the driver keeps in a state.
const inlineTail = 256<<10 + 1

// look is a service and the parameters of drivers that have it encrypt.
type look struct {
	encryption
	service    servers.S3
	parameters map[string]any
}

// puts stores content in one request and in parts, copies both either way, and reads them.
func (l look) puts(t *testing.T, content []byte) {
	t.Helper()
	d := created(t, l.parameters)
	if err := d.PutContent(t.Context(), "/put/small", content[:1000]); err != nil {
		t.Fatal(err)
	}
	pushes(t, d, "/put/large", content, true)
	b := backend(t, l.parameters)
	for _, name := range []string{"small", "large"} {
		if err := b.Copy(t.Context(), "/put/"+name, "/put/copied-"+name); err != nil {
			t.Fatalf("Copy of %s: %v", name, err)
		}
		if err := d.Move(t.Context(), "/put/"+name, "/put/moved-"+name); err != nil {
			t.Fatalf("Move of %s: %v", name, err)
		}
	}
	l.proves(t, "put/", map[string][]byte{
		"copied-small": content[:1000], "moved-small": content[:1000], "copied-large": content, "moved-large": content,
	})
	names, err := d.List(t.Context(), "/put")
	if want := []string{"/put/copied-large", "/put/copied-small", "/put/moved-large", "/put/moved-small"}; err != nil || !slices.Equal(slices.Sorted(slices.Values(names)), want) {
		t.Errorf("List: want %q, got %q, %v", want, names, err)
	}
	for path, want := range map[string][]byte{"/put/copied-small": content[:1000], "/put/copied-large": content} {
		if info, err := d.Stat(t.Context(), path); err != nil || info.Size() != int64(len(want)) {
			t.Errorf("Stat of %s: want %d bytes, got %v, %v", path, len(want), info, err)
		}
		size := int64(len(want))
		for _, r := range [][2]int64{{0, -1}, {0, 1}, {1, 16}, {size / 2, -1}, {smallPart - 5, 10}, {size - 1, 5}, {size, -1}} {
			if r[0] > size {
				continue
			}
			end := size
			if r[1] >= 0 {
				end = min(size, r[0]+r[1])
			}
			body, n, err := b.Read(t.Context(), path, r[0], r[1])
			if err != nil || n != end-r[0] {
				t.Errorf("Read of %s, %v: want %d bytes, got %d, %v", path, r, end-r[0], n, err)
				continue
			}
			wantBytes(t, body, want[r[0]:end])
		}
	}
}

// suspends stores a part of content, looks at what there is then, and goes on in another driver. objects is how many lie beside the target.
func (l look) suspends(t *testing.T, content []byte, at, objects int) {
	t.Helper()
	pushes(t, created(t, l.parameters), "/push/data", content[:at], false)
	if beside := l.proves(t, "push/", nil); len(beside) != objects {
		t.Errorf("want %d objects of an upload, got %q", objects, beside)
	}
	uploads, err := l.service.Client().ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String(bucket), Prefix: aws.String("push/data")})
	if err != nil || len(uploads.Uploads) != 1 {
		t.Fatalf("ListMultipartUploads: want one, got %+v, %v", uploads, err)
	}
	d := created(t, l.parameters)
	l.goesOn(t, d, "/push/data", content, at)
	if left := l.proves(t, "push/", map[string][]byte{"data": content}); len(left) != 1 {
		t.Errorf("want the content alone, got %q", left)
	}
	if err := d.Delete(t.Context(), "/push"); err != nil {
		t.Fatal(err)
	}
}

// proves looks at every object below a prefix, whose keys it returns: it must be encrypted as the driver was told, and with SSE-C be of no use
// without the key. Those of want must be there with their content.
func (l look) proves(t *testing.T, prefix string, want map[string][]byte) []string {
	t.Helper()
	api := l.service.Client()
	var keys []string
	for key := range l.service.Objects(t, bucket) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		keys = append(keys, key)
		in := awss3.GetObjectInput{Bucket: aws.String(bucket), Key: &key}
		if l.customer != "" {
			l.provesCustomer(t, in)
			in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), &l.customer, digest(l.customer)
		}
		out, err := api.GetObject(t.Context(), &in)
		if err != nil {
			t.Fatalf("GetObject of %s: %v", key, err)
		}
		if out.ServerSideEncryption != l.algorithm || !strings.HasSuffix(aws.ToString(out.SSEKMSKeyId), l.kmsKey) || (l.kmsKey == "") != (out.SSEKMSKeyId == nil) {
			t.Errorf("%s is encrypted by %q with the key %q, want %q and %q", key, out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), l.algorithm, l.kmsKey)
		}
		if out.StorageClass != strictClass || aws.ToString(out.ContentType) != "application/octet-stream" {
			t.Errorf("%s has the storage class %q and the content type %q", key, out.StorageClass, aws.ToString(out.ContentType))
		}
		if got := aws.ToString(out.SSECustomerKeyMD5); l.customer != "" && got != *digest(l.customer) {
			t.Errorf("%s is encrypted with the key of digest %q, want the driver's", key, got)
		}
		if content, named := want[strings.TrimPrefix(key, prefix)]; named {
			wantBytes(t, out.Body, content)
		} else {
			_ = out.Body.Close() // of a state nobody reads here
		}
	}
	for name := range want {
		if !slices.Contains(keys, prefix+name) {
			t.Errorf("there is no object %s", prefix+name)
		}
	}
	return keys
}

func (l look) provesCustomer(t *testing.T, in awss3.GetObjectInput) {
	t.Helper()
	for key, want := range map[string]int{"": http.StatusBadRequest, customerKeys[1]: http.StatusForbidden} {
		in := in
		if key != "" {
			in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), &key, digest(key)
		}
		_, err := l.service.Client().GetObject(t.Context(), &in)
		var response *awshttp.ResponseError
		if !errors.As(err, &response) || response.HTTPStatusCode() != want {
			t.Errorf("GetObject of %s with the key %q: want status %d, got %v", *in.Key, key, want, err)
		}
	}
}

// digest is that of a key in base64, which S3 wants beside it.
func digest(key string) *string {
	raw, _ := base64.StdEncoding.DecodeString(key) // the keys above are
	sum := md5.Sum(raw)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// breaks reads over connections each of which ends after 3 MiB.
func (l look) breaks(t *testing.T, content []byte) {
	t.Helper()
	if err := created(t, l.parameters).PutContent(t.Context(), "/break/data", content); err != nil {
		t.Fatal(err)
	}
	proxy := objectstest.NewProxy(t, l.parameters["regionendpoint"].(string))
	parameters := maps.Clone(l.parameters)
	parameters["regionendpoint"] = proxy.URL
	d := created(t, parameters)
	if err := proxy.Add(objectstest.Toxic{Name: "short", Type: "limit_data", Attributes: map[string]any{"bytes": 3 << 20}}); err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{0, 12345} {
		body, err := d.Reader(t.Context(), "/break/data", offset)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, body, content[offset:])
	}
}

// redirects follows a redirect as a client without any key of the driver's. With SSE-C there is none.
func (l look) redirects(t *testing.T) {
	t.Helper()
	d := created(t, l.parameters)
	if err := d.PutContent(t.Context(), "/redirect/data", []byte("the content")); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		url, err := d.RedirectURL(t.Context(), "/redirect/data", storagedriver.RedirectOptions{Method: method})
		if err != nil || (url == "") != (l.customer != "") {
			t.Errorf("RedirectURL of %s: got %q, %v", method, url, err)
		}
		if url == "" {
			continue
		}
		if !strings.Contains(url, "X-Amz-Expires=1200&") {
			t.Errorf("want a URL that is valid for 20 minutes, got %s", url)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := l.service.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if method == http.MethodGet {
			want = "the content"
		}
		if wantBytes(t, resp.Body, []byte(want)); resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len("the content")) {
			t.Errorf("%s of the redirect: %s, %d bytes", method, resp.Status, resp.ContentLength)
		}
	}
}

// refuses has drivers whose parameters do not fit the service, or what is stored.
func (l look) refuses(t *testing.T) {
	t.Helper()
	with := func(more map[string]any) storagedriver.StorageDriver {
		p := maps.Clone(l.parameters)
		maps.DeleteFunc(p, func(name string, _ any) bool { return name == "encrypt" || name == "keyid" || name == "ssecustomerkey" })
		maps.Copy(p, map[string]any{"regionendpoint": l.service.URL, "cacert": l.service.CAFile})
		maps.Copy(p, more)
		return created(t, p)
	}
	if l.customer == "" {
		const refused = `parameter "keyid": KMS refuses the key: the service answers `
		d := with(map[string]any{"encrypt": true, "keyid": "other"})
		wantError(t, d.PutContent(t.Context(), "/refused/a", []byte("a")), storagedriver.KindInvalidArgument, refused)
		w, err := d.Writer(t.Context(), "/refused/b", false)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		wantError(t, w.Commit(t.Context()), storagedriver.KindInvalidArgument, refused)
		if err := with(nil).PutContent(t.Context(), "/refused/c", []byte("c")); err != nil {
			t.Fatal(err)
		}
		wantError(t, d.Move(t.Context(), "/refused/c", "/refused/d"), storagedriver.KindInvalidArgument, refused)
		return
	}
	keyless, other := with(nil), with(map[string]any{"ssecustomerkey": customerKeys[1]})
	if err := errors.Join(keyless.PutContent(t.Context(), "/refused/plain", []byte("a")), other.PutContent(t.Context(), "/refused/other", []byte("a"))); err != nil {
		t.Fatal(err)
	}
	d := with(l.encryption.parameters)
	for path, want := range map[string]struct {
		kind      storagedriver.Kind
		get, stat string
	}{
		"/refused/plain": {storagedriver.KindInvalidArgument, `parameter "ssecustomerkey": the object was not stored with a key that the client keeps: `, `parameter "ssecustomerkey": the object was probably not stored with a key that the client keeps, or the credentials have expired: `},
		"/refused/other": {storagedriver.KindPermission, `stored with another key than that of parameter "ssecustomerkey", or `, `stored with another key than that of parameter "ssecustomerkey", or `},
	} {
		_, err := d.GetContent(t.Context(), path)
		wantError(t, err, want.kind, want.get)
		_, err = d.Stat(t.Context(), path)
		wantError(t, err, want.kind, want.stat)
	}
	_, err := keyless.GetContent(t.Context(), "/refused/other")
	wantError(t, err, storagedriver.KindInvalidArgument, `parameter "ssecustomerkey": the object was stored with a key that the client keeps, and it must be given: `)
	w, err := with(map[string]any{"encrypt": true}).Writer(t.Context(), "/refused/b", false)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	wantError(t, w.Commit(t.Context()), storagedriver.KindInvalidArgument, `parameter "encrypt": the service has no keys to encrypt with, which a KMS would give it: `)
}

func wantError(t *testing.T, err error, kind storagedriver.Kind, says string) {
	t.Helper()
	if storagedriver.KindOf(err) != kind || !strings.Contains(err.Error(), says) {
		t.Errorf("want %q of kind %q, got %v", says, kind, err)
	}
}

// adopts goes on with an upload that another program began and whose last part is too short to be followed.
func (l look) adopts(t *testing.T, content []byte) {
	t.Helper()
	api, name, key := l.service.Client(), aws.String(bucket), aws.String("adopt/data")
	in := &awss3.CreateMultipartUploadInput{Bucket: name, Key: key, ServerSideEncryption: l.algorithm}
	if l.kmsKey != "" {
		in.SSEKMSKeyId = &l.kmsKey
	}
	part := awss3.UploadPartInput{Bucket: name, Key: key}
	if l.customer != "" {
		in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5 = aws.String("AES256"), &l.customer, digest(l.customer)
		part.SSECustomerAlgorithm, part.SSECustomerKey, part.SSECustomerKeyMD5 = in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5
	}
	upload, err := api.CreateMultipartUpload(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	const begun = smallPart + 1000
	part.UploadId = upload.UploadId
	for i, body := range [][]byte{content[:smallPart], content[smallPart:begun]} {
		part.PartNumber, part.Body = aws.Int32(int32(i+1)), bytes.NewReader(body)
		if _, err := api.UploadPart(t.Context(), &part); err != nil {
			t.Fatal(err)
		}
	}
	d := created(t, l.parameters)
	l.goesOn(t, d, "/adopt/data", content, begun)
	l.proves(t, "adopt/", map[string][]byte{"data": content})
}

// goesOn opens the upload to path, of which at bytes are there, and commits it with the rest of content.
func (l look) goesOn(t *testing.T, d storagedriver.StorageDriver, path string, content []byte, at int) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if w.Size() != int64(at) {
		t.Fatalf("want %d bytes to go on from, got %d", at, w.Size())
	}
	if _, err := w.Write(content[at:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// cancels ends an upload in each way, and deletes all that there is.
func (l look) cancels(t *testing.T, content []byte) {
	t.Helper()
	d := created(t, l.parameters)
	pushes(t, d, "/cancel/a", content, false)
	w, err := d.Writer(t.Context(), "/cancel/a", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Cancel(t.Context()), w.Close()); err != nil {
		t.Fatal(err)
	}
	pushes(t, d, "/cancel/b", content, false)
	names, err := d.List(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "/cancel") {
		if err := d.Delete(t.Context(), name); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
			t.Error(err)
		}
	}
	if left := l.service.Objects(t, bucket); len(left) > 0 {
		t.Errorf("want nothing left, got %v", left)
	}
}

func wantBytes(t *testing.T, body io.ReadCloser, want []byte) {
	t.Helper()
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
		t.Errorf("want %d bytes, got %d, equal: %v, %v", len(want), len(got), bytes.Equal(got, want), err)
	}
}

// pushes writes content through a new Writer, and commits it or leaves it.
func pushes(t *testing.T, d storagedriver.StorageDriver, path string, content []byte, commit bool) {
	t.Helper()
	w, err := d.Writer(t.Context(), path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if commit {
		err = w.Commit(t.Context())
	} else {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func backend(t *testing.T, parameters map[string]any) storagedriver.Backend {
	t.Helper()
	b, err := s3.Open(t.Context(), parameters)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}
