//go:build servers

package s3_test

import (
	"encoding/pem"
	"fmt"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What the drivers behind a strict are told besides the encryption.
const (
	strictAgent = "strict/1 (test)"
	strictACL   = "bucket-owner-full-control"
	strictClass = "REDUCED_REDUNDANCY"
)

// The headers that S3 knows besides those of signatures, by the requests that have them. AWS refuses some of the others where they do not
// belong, and ignores the rest; minio ignores nearly all.
const (
	payerHeader  = "X-Amz-Request-Payer"
	cryptHeader  = "X-Amz-Server-Side-Encryption"
	kmsHeader    = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
	customerHead = "X-Amz-Server-Side-Encryption-Customer-"
	sourceHead   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

var (
	// creating are the requests that make an object, or say what a multipart upload will make.
	creating = []string{"CopyObject", "CreateMultipartUpload", "PutObject"}
	// keyed are those that S3 encrypts or decrypts for.
	keyed = []string{"CopyObject", "CreateMultipartUpload", "GetObject", "HeadObject", "PutObject", "UploadPart", "UploadPartCopy"}
	// sourced are those with a source.
	sourced = []string{"CopyObject", "UploadPartCopy"}
	// maybeKeyed may have the key of SSE-C.
	maybeKeyed = []string{"CompleteMultipartUpload", "ListParts"}
	// keyless have no word of encryption.
	keyless = []string{"AbortMultipartUpload", "DeleteObject", "DeleteObjects", "ListMultipartUploads", "ListObjectsV2"}
)

// strict is a proxy that passes on what each request of S3 must have and may have, and answers anything else with 400.
type strict struct {
	t     *testing.T
	e     encryption
	proxy http.Handler

	mu   sync.Mutex
	seen map[string]bool
}

// strictly puts a strict before the look's service, and has the driver's parameters name it.
func (l *look) strictly(t *testing.T) *strict {
	t.Helper()
	target, err := url.Parse(l.service.URL)
	if err != nil {
		t.Fatal(err)
	}
	s := &strict{t: t, e: l.encryption, seen: map[string]bool{}, proxy: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }, // the Host is signed
		Transport: l.service.HTTP().Transport,
		ErrorLog:  log.New(t.Output(), "", 0),
	}}
	front := httptest.NewUnstartedServer(s)
	l.parameters = maps.Clone(l.parameters)
	if l.service.CAFile == "" {
		front.Start()
	} else {
		front.StartTLS()
		file := filepath.Join(t.TempDir(), "front.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		l.parameters["cacert"] = file
	}
	t.Cleanup(front.Close)
	maps.Copy(l.parameters, map[string]any{
		"regionendpoint": front.URL, "requestpayer": true, "useragent": strictAgent, "objectacl": strictACL, "storageclass": strictClass,
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := operationOf(r)
	s.mu.Lock()
	s.seen[operation] = true
	s.mu.Unlock()
	wrong := s.judge(operation, r)
	if len(wrong) == 0 {
		s.proxy.ServeHTTP(w, r)
		return
	}
	for _, what := range wrong {
		s.t.Errorf("%s, %s %s: %s", operation, r.Method, r.URL.Path, what)
	}
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, "<Error><Code>InvalidArgument</Code><Message>%s</Message></Error>", wrong[0])
}

// wantAll fails unless every request that the driver has was made.
func (s *strict) wantAll(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	want := slices.Sorted(slices.Values(slices.Concat(keyed, maybeKeyed, keyless)))
	if got := slices.Sorted(maps.Keys(s.seen)); !slices.Equal(got, want) {
		t.Errorf("the driver made the requests %q, want %q", got, want)
	}
}

func (s *strict) judge(operation string, r *http.Request) (wrong []string) {
	want, may := s.headers(operation)
	header := r.Header.Clone()
	presigned := r.URL.Query().Has("X-Amz-Signature")
	if presigned { // of a client that knows the URL alone
		header.Set(payerHeader, r.URL.Query().Get(strings.ToLower(payerHeader)))
	} else if agent := r.UserAgent(); !strings.HasSuffix(agent, " "+strictAgent) {
		wrong = append(wrong, "the User-Agent is "+agent)
	}
	for name, value := range want {
		if got := header.Get(name); got != value {
			wrong = append(wrong, fmt.Sprintf("%s is %q, want %q", name, got, value))
		}
	}
	for name := range header {
		if _, wanted := want[name]; strings.HasPrefix(name, "X-Amz-") && !wanted && !slices.Contains(may, name) {
			wrong = append(wrong, name+" does not belong to it")
		}
	}
	return wrong
}

// headers are those that a request must have, with their values, and those that it may have.
func (s *strict) headers(operation string) (want map[string]string, may []string) {
	want = map[string]string{payerHeader: "requester"}
	may = []string{"X-Amz-Date", "X-Amz-Content-Sha256"}
	customer := func(to map[string]string, prefix string) {
		if s.e.customer != "" {
			to[prefix+"Algorithm"], to[prefix+"Key"], to[prefix+"Key-Md5"] = "AES256", s.e.customer, *digest(s.e.customer)
		}
	}
	if slices.Contains(creating, operation) {
		want["X-Amz-Acl"], want["X-Amz-Storage-Class"] = strictACL, strictClass
		if s.e.algorithm != "" {
			want[cryptHeader] = string(s.e.algorithm)
		}
		if s.e.kmsKey != "" {
			want[kmsHeader] = s.e.kmsKey
		}
	}
	if slices.Contains(keyed, operation) {
		customer(want, customerHead)
	}
	if slices.Contains(sourced, operation) {
		customer(want, sourceHead)
		may = append(may, "X-Amz-Copy-Source", "X-Amz-Copy-Source-Range", "X-Amz-Copy-Source-If-Match")
	}
	if slices.Contains(maybeKeyed, operation) {
		optional := map[string]string{}
		customer(optional, customerHead)
		may = slices.AppendSeq(may, maps.Keys(optional))
	}
	if operation == "PutObject" || operation == "CreateMultipartUpload" {
		may = append(may, "X-Amz-Meta-Berth-Upload")
	}
	return want, may
}

// operationOf is S3's name of a request.
func operationOf(r *http.Request) string {
	query := r.URL.Query()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	part, source := query.Has("uploadId"), r.Header.Get("X-Amz-Copy-Source") != ""
	for _, o := range []struct {
		is   bool
		name string
	}{
		{r.Method == http.MethodHead && key != "", "HeadObject"},
		{r.Method == http.MethodGet && key == "" && query.Has("uploads"), "ListMultipartUploads"},
		{r.Method == http.MethodGet && key == "" && query.Get("list-type") == "2", "ListObjectsV2"},
		{r.Method == http.MethodGet && key != "" && part, "ListParts"},
		{r.Method == http.MethodGet && key != "", "GetObject"},
		{r.Method == http.MethodPut && part && source, "UploadPartCopy"},
		{r.Method == http.MethodPut && part, "UploadPart"},
		{r.Method == http.MethodPut && source, "CopyObject"},
		{r.Method == http.MethodPut && key != "", "PutObject"},
		{r.Method == http.MethodPost && query.Has("uploads"), "CreateMultipartUpload"},
		{r.Method == http.MethodPost && part, "CompleteMultipartUpload"},
		{r.Method == http.MethodPost && query.Has("delete"), "DeleteObjects"},
		{r.Method == http.MethodDelete && part, "AbortMultipartUpload"},
		{r.Method == http.MethodDelete && key != "", "DeleteObject"},
	} {
		if o.is {
			return o.name
		}
	}
	return "a request that the driver does not have"
}
