//go:build servers

package s3_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// TestEqualPartsAndSingleDeletions is on minio behind what R2's documentation says of parts, and Google's of deletions in batches.
func TestEqualPartsAndSingleDeletions(t *testing.T) {
	t.Parallel()
	parameters := onMinio(t, map[string]any{"equalparts": true, "chunksize": smallPart + 1<<20})
	target, err := url.Parse(parameters["regionendpoint"].(string))
	if err != nil {
		t.Fatal(err)
	}
	p := &particular{t: t, sizes: map[string]map[int]int64{}, proxy: &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host }, // the Host is signed
		ErrorLog: log.New(io.Discard, "", 0),
	}}
	front := httptest.NewServer(p)
	t.Cleanup(front.Close)
	parameters = maps.Clone(parameters)
	parameters["regionendpoint"] = front.URL
	content := someBytes(4 * smallPart)
	pushes(t, created(t, parameters), "/equal/a", content[:2*smallPart+1<<20+1000], false) // more than the least is left of it
	parameters["chunksize"] = 2 * smallPart                                                // of who goes on
	d := created(t, parameters)
	look{}.goesOn(t, d, "/equal/a", content, 2*smallPart+1<<20+1000)
	if got, err := d.GetContent(t.Context(), "/equal/a"); err != nil || !bytes.Equal(got, content) {
		t.Errorf("want the %d bytes written, got %d, %v", len(content), len(got), err)
	}
	for _, name := range []string{"/equal/b/c", "/equal/b/d"} {
		if err := d.PutContent(t.Context(), name, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Delete(t.Context(), "/equal"); err != nil {
		t.Fatal(err)
	}
	if names, err := d.List(t.Context(), "/"); err != nil || len(names) > 0 {
		t.Errorf("want nothing left, got %q, %v", names, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.completed != 1 || p.refused == 0 {
		t.Errorf("want one upload in more than two parts to be completed, got %d; %d deletions in batches were refused", p.completed, p.refused)
	}
}

// particular is a proxy that refuses deletions in batches, and to complete an upload whose parts but the last are not all of one size, or whose
// last is larger.
type particular struct {
	t     *testing.T
	proxy http.Handler

	mu                 sync.Mutex
	sizes              map[string]map[int]int64 // of the parts, by uploads
	completed, refused int
}

// ServeHTTP implements http.Handler.
func (p *particular) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("uploadId")
	switch operationOf(r) {
	case "DeleteObjects":
		p.mu.Lock()
		p.refused++
		p.mu.Unlock()
		w.WriteHeader(http.StatusNotImplemented)
		fmt.Fprint(w, "<Error><Code>NotImplemented</Code><Message>a header or a query is not implemented</Message></Error>")
		return
	case "UploadPart":
		var number int
		if _, err := fmt.Sscan(r.URL.Query().Get("partNumber"), &number); err != nil {
			p.t.Errorf("UploadPart %s: %v", r.URL, err)
		}
		p.mu.Lock()
		if p.sizes[id] == nil {
			p.sizes[id] = map[int]int64{}
		}
		p.sizes[id][number] = r.ContentLength
		p.mu.Unlock()
	case "CompleteMultipartUpload":
		if sizes, ok := p.equal(r, id); !ok {
			p.t.Errorf("%s is completed of parts of %d bytes", r.URL.Path, sizes)
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, "<Error><Code>InvalidPart</Code><Message>all parts but the last must have the same size</Message></Error>")
			return
		}
	}
	p.proxy.ServeHTTP(w, r)
}

func (p *particular) equal(r *http.Request, id string) (sizes []int64, ok bool) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var list struct {
		Part []struct{ PartNumber int }
	}
	if err != nil || xml.Unmarshal(body, &list) != nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range list.Part {
		sizes = append(sizes, p.sizes[id][part.PartNumber])
	}
	if len(sizes) > 2 {
		p.completed++
	}
	for i, size := range sizes {
		if last := i == len(sizes)-1; size > sizes[0] || !last && size != sizes[0] {
			return sizes, false
		}
	}
	return sizes, true
}
