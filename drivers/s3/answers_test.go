package s3

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/sync/errgroup"

	"github.com/berth-dev/storagedriver"
)

// TestPagesThatBreakOff: a page is text whose end does not come, in an answer with a length, in one with chunks, and in one that ends with the connection.
func TestPagesThatBreakOff(t *testing.T) {
	surroundings(t)
	whole := string(pageOf(20))
	half := whole[:len(whole)/2]
	for _, c := range []struct {
		name      string
		answer    http.HandlerFunc
		temporary bool
		says      string
	}{
		{"length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			fmt.Fprint(w, half)
			panic(http.ErrAbortHandler)
		}, true, "cannot be reached: failed to decode response body, unexpected EOF"},
		{"chunks", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, half)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, true, "cannot be reached: failed to decode response body, unexpected EOF"},
		{"before the page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, true, "cannot be reached: failed to decode response body, unexpected EOF"},
		{"reset", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			fmt.Fprint(w, half)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // closing resets
			_ = conn.Close()
		}, true, "cannot be reached: "},
		{"end", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, half) }, false, "does not answer as S3 does"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, false, c.answer)
			_, err := unprobed(t, s.parameters(map[string]any{"maxattempts": 2})).List(t.Context(), "/a", "", 10)
			says(t, err, storagedriver.KindUnavailable, c.says)
			if storagedriver.IsTemporary(err) != c.temporary {
				t.Errorf("temporary is %v: %v", !c.temporary, err)
			}
			if got := len(s.seen()); (got == 2) != c.temporary {
				t.Errorf("%d requests", got)
			}
		})
	}
}

// TestPagesAreAskedForAgain: the second answer is whole.
func TestPagesAreAskedForAgain(t *testing.T) {
	surroundings(t)
	text := pageOf(3)
	for name, first := range map[string]http.HandlerFunc{
		"broken": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			_, _ = w.Write(text[:len(text)-1])
			panic(http.ErrAbortHandler)
		},
		"an error": refusal(http.StatusOK, "InternalError", ""),
	} {
		t.Run(name, func(t *testing.T) {
			var answers atomic.Int32
			s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
				if answers.Add(1) == 1 {
					first(w, r)
					return
				}
				w.Header().Set("X-Amz-Request-Id", "REQ2")
				w.Header().Set("X-Amz-Request-Charged", "requester")
				_, _ = w.Write(text)
			})
			out, err := unprobed(t, s.parameters(nil)).client.api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("registry")})
			if err != nil {
				t.Fatal(err)
			}
			if id, _ := awsmiddleware.GetRequestIDMetadata(out.ResultMetadata); id != "REQ2" || out.RequestCharged != "requester" {
				t.Errorf("the request is %q, charged %q", id, out.RequestCharged)
			}
			if attempts, ok := retry.GetAttemptResults(out.ResultMetadata); !ok || len(attempts.Results) != 2 {
				t.Errorf("the attempts are %+v", attempts)
			}
			out.ResultMetadata, out.RequestCharged = middleware.Metadata{}, ""
			if want, err := readBySDK(t, text); err != nil || !reflect.DeepEqual(out, want) {
				t.Errorf("got %+v, want %+v, %v", out, want, err)
			}
		})
	}
}

// TestPagesThatAreNone are refused, and not asked for again.
func TestPagesThatAreNone(t *testing.T) {
	surroundings(t)
	for _, c := range []struct {
		name string
		body io.Reader
		says string
	}{
		{"too long", io.MultiReader(strings.NewReader("<ListBucketResult>"), &spaces{}), "the answer has more than 16777216 bytes"},
		{"type", strings.NewReader("<?xml version=\"1.0\"?> <!-- a --> <!DOCTYPE a [<!ENTITY b \"c\">]>" + inObject("<Key>a</Key>")), "the answer has a document type declaration"},
		{"damaged", strings.NewReader(inObject("<Key>a")), "element <Key> closed by </Contents>"},
		{"json", strings.NewReader("{}"), "the answer is no <ListBucketResult>, and no XML"},
		{"nothing", strings.NewReader(""), "the answer is no <ListBucketResult>, and no XML"},
		{"a web page", strings.NewReader("<!-- hello --><html><body>moved</body></html>"), "the answer is a <html>, and no <ListBucketResult>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, c.body) })
			_, err := unprobed(t, s.parameters(nil)).List(t.Context(), "/a", "", 10)
			says(t, err, storagedriver.KindUnavailable, `does not answer as S3 does: look at parameter "regionendpoint": deserialization failed, failed to decode response body, `, c.says)
			if storagedriver.IsTemporary(err) || len(s.seen()) != 1 {
				t.Errorf("temporary is %v after %d requests", storagedriver.IsTemporary(err), len(s.seen()))
			}
		})
	}
}

// spaces never end.
type spaces struct{}

// Read implements io.Reader.
func (*spaces) Read(p []byte) (int, error) { return copy(p, strings.Repeat(" ", len(p))), nil }

// TestPagesWithoutScanning: what scanPage leaves has the SDK's result, and both leave the connection to the next request.
func TestPagesWithoutScanning(t *testing.T) {
	surroundings(t)
	texts := []string{
		inObject("<!-- a --><Key><![CDATA[a/<!DOCTYPE>]]></Key>"),
		inObject("<Key>a/b</Key>"),
		inPage("<Other><Name>c</Name></Other><Contents><Key>a/c</Key></Contents>"),
	}
	var answers, connections atomic.Int32
	s := serve(t, false, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, texts[answers.Add(1)-1]) })
	d := unprobed(t, s.parameters(nil))
	var got []string
	for range texts {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			if !c.Reused {
				connections.Add(1)
			}
		}})
		page, err := d.ListTree(ctx, "/a", "", "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			got = append(got, e.Name)
		}
	}
	// net/http gives up on one whose request was not written to its end 50 ms after the answer.
	if want := []string{"<!DOCTYPE>", "b", "c"}; !slices.Equal(got, want) || connections.Load() == int32(len(want)) {
		t.Errorf("got %q over %d connections, want %q over one", got, connections.Load(), want)
	}
}

// TestPagesAtOnce: what a page was read from is used again.
func TestPagesAtOnce(t *testing.T) {
	surroundings(t)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		prefix := r.URL.Query().Get("prefix")
		fmt.Fprint(w, inPage(strings.Repeat("<Contents><Key>"+prefix+strings.Repeat("x", 100)+"</Key><ETag>&#34;"+prefix+"&#34;</ETag></Contents>", 100)))
	})
	api := unprobed(t, s.parameters(nil)).client.api
	var group errgroup.Group
	for n := range 20 {
		group.Go(func() error {
			var pages []*s3.ListObjectsV2Output
			for m := range 10 {
				out, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("registry"), Prefix: aws.String(fmt.Sprintf("%02d-%02d/", n, m))})
				if err != nil {
					return err
				}
				pages = append(pages, out)
			}
			for m, page := range pages {
				prefix := fmt.Sprintf("%02d-%02d/", n, m)
				for _, o := range page.Contents {
					if *o.Key != prefix+strings.Repeat("x", 100) || *o.ETag != `"`+prefix+`"` {
						return fmt.Errorf("%s has %q, %s", prefix, *o.Key, *o.ETag)
					}
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// TestAnswersThatAreNone: a 2xx in which the SDK would see an empty listing, all keys deleted, a copy that was made.
func TestAnswersThatAreNone(t *testing.T) {
	surroundings(t)
	for name, c := range map[string]struct {
		status int
		body   string
		call   func(d *Driver) error
		says   string
	}{
		"list: no content":  {http.StatusNoContent, "", func(d *Driver) error { _, err := d.List(t.Context(), "/a", "", 10); return err }, "the answer is no <ListBucketResult>, and no XML"},
		"list: a web page":  {http.StatusNonAuthoritativeInfo, "<html></html>", func(d *Driver) error { _, err := d.List(t.Context(), "/a", "", 10); return err }, "the answer is a <html>, and no <ListBucketResult>"},
		"copy":              {http.StatusOK, "", func(d *Driver) error { return d.copyWhole(t.Context(), "a", "b") }, "the answer is no <CopyObjectResult>, and no XML"},
		"delete":            {http.StatusOK, "<html></html>", func(d *Driver) error { _, err := d.removeAll(t.Context(), []string{"a"}); return err }, "the answer is a <html>, and no <DeleteResult>"},
		"complete":          {http.StatusOK, "", func(d *Driver) error { return d.sendList(t.Context(), "a", "id", nil) }, "the answer is no <CompleteMultipartUploadResult>, and no XML"},
		"uploads":           {http.StatusOK, "", func(d *Driver) error { _, _, err := d.uploadsBelow(t.Context(), "a", "", 10); return err }, "the answer is no <ListMultipartUploadsResult>, and no XML"},
		"parts":             {http.StatusOK, "", func(d *Driver) error { _, err := d.listParts(t.Context(), "a", "id", 10); return err }, "the answer is no <ListPartsResult>, and no XML"},
		"list: another key": {http.StatusOK, inObject("<Key>b/c</Key>"), func(d *Driver) error { _, err := d.List(t.Context(), "/a", "", 10); return err }, `the service lists the key "b/c", which does not begin with "a/"`},
		"list: no key":      {http.StatusOK, inObject("<Size>3</Size>"), func(d *Driver) error { _, err := d.List(t.Context(), "/a", "", 10); return err }, `the service lists the key "", which does not begin with "a/"`},
		"list: goes on":     {http.StatusOK, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", func(d *Driver) error { return d.DeleteTree(t.Context(), "/a") }, "a listing goes on, and not where"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
				switch { // a tree is deleted by several requests at a time
				case name == "list: goes on" && r.Method == http.MethodDelete:
					w.WriteHeader(http.StatusNoContent)
					return
				case name == "list: goes on" && r.URL.Query().Has("uploads"):
					fmt.Fprint(w, "<ListMultipartUploadsResult></ListMultipartUploadsResult>")
					return
				}
				w.WriteHeader(c.status)
				if c.status != http.StatusNoContent {
					fmt.Fprint(w, c.body)
				}
			})
			err := c.call(unprobed(t, s.parameters(nil)))
			kind := storagedriver.KindUnavailable
			if strings.HasPrefix(c.says, "the service") || strings.HasPrefix(c.says, "a listing") {
				kind = storagedriver.KindCorrupt
			}
			says(t, err, kind, c.says)
		})
	}
}

// TestMarkersOfDirectoriesHideNothing: consoles and others put an object there whose key ends with "/", which comes first.
func TestMarkersOfDirectoriesHideNothing(t *testing.T) {
	surroundings(t)
	s := serve(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		case r.URL.Query().Get("continuation-token") == "":
			fmt.Fprint(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken><Contents><Key>a/</Key></Contents></ListBucketResult>")
		default:
			fmt.Fprint(w, inObject("<Key>a/b</Key>"))
		}
	})
	entry, err := unprobed(t, s.parameters(nil)).Stat(t.Context(), "/a")
	if err != nil || !entry.Dir {
		t.Errorf("want a directory, got %+v, %v", entry, err)
	}
}
