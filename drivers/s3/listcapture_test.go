//go:build servers

package s3

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var update = flag.Bool("update", false, "rewrite testdata/pages")

func TestPagesOfVersitygw(t *testing.T) { pagesOf(t, "versitygw", "BERTH_VERSITYGW") }

func TestPagesOfMinio(t *testing.T) { pagesOf(t, "minio", "BERTH_MINIO") }

// pagesOf wants each page of a service's listings read by scanPage, as the SDK reads it.
func pagesOf(t *testing.T, name, variable string) {
	d := opened(t, started(t, name, variable)(nil))
	for _, key := range oddKeys {
		put := &s3.PutObjectInput{Bucket: ptr("registry"), Key: &key, Body: strings.NewReader(key)}
		if _, err := d.client.api.PutObject(t.Context(), put); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	}
	for what, in := range map[string]s3.ListObjectsV2Input{
		"all":        {},
		"truncated":  {MaxKeys: aws.Int32(2)},
		"delimited":  {Delimiter: ptr("/"), StartAfter: ptr("a b")},
		"below":      {Prefix: ptr("dir/")},
		"nothing":    {Prefix: ptr("nothing & more/")},
		"with owner": {FetchOwner: aws.Bool(true)},
	} {
		in.Bucket = ptr("registry")
		var wire wiretap
		out, err := d.client.api.ListObjectsV2(t.Context(), &in, func(o *s3.Options) {
			wire.next = o.HTTPClient
			o.HTTPClient = &wire
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		text := wire.text
		if got, ok := scanPage(text); !ok {
			t.Errorf("%s is left to the SDK: %s", what, text)
		} else if want, err := readBySDK(t, text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v, %v", what, got, want, err)
		}
		if what == "all" {
			wantOddKeys(t, out)
		}
		if *update {
			file := filepath.Join("testdata", "pages", name+"-"+strings.ReplaceAll(what, " ", "-")+".xml")
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestWalkOfPagesOfVersitygw has pages go on from one to the next.
func TestWalkOfPagesOfVersitygw(t *testing.T) {
	d := opened(t, started(t, "versitygw", "BERTH_VERSITYGW")(nil))
	const keys = 7
	for n := range keys {
		if _, err := d.client.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: ptr("registry"), Key: ptr("a&b/" + strconv.Itoa(n)), Body: strings.NewReader("hello")}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for cursor, more := "", true; more; more = cursor != "" {
		page, err := d.ListTree(t.Context(), "/a&b", "", cursor, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if got = append(got, e.Name); e.Size != 5 || e.ModTime.IsZero() {
				t.Errorf("got %+v", e)
			}
		}
		cursor = page.Cursor
	}
	if strings.Join(got, " ") != "0 1 2 3 4 5 6" {
		t.Errorf("got %q", got)
	}
}

// wiretap keeps the body of the last answer.
type wiretap struct {
	next s3.HTTPClient
	text []byte
}

// Do implements s3.HTTPClient.
func (w *wiretap) Do(r *http.Request) (*http.Response, error) {
	resp, err := w.next.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if w.text, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(w.text))
	return resp, nil
}
