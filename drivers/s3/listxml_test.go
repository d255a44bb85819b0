package s3

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// oddKeys are in the pages of testdata, in the order of their bytes.
var oddKeys = []string{"a b", `a&b<c>d"e'f`, "a+b%2Fc", "dir/one", "dir/sub/two", "ümlaut/日本 🙂"}

func wantOddKeys(t *testing.T, out *s3.ListObjectsV2Output) {
	t.Helper()
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, aws.ToString(o.Key))
		if aws.ToInt64(o.Size) != int64(len(aws.ToString(o.Key))) || o.LastModified == nil || !strings.HasPrefix(aws.ToString(o.ETag), `"`) {
			t.Errorf("got %q of %d bytes, changed %v, %s", aws.ToString(o.Key), aws.ToInt64(o.Size), o.LastModified, aws.ToString(o.ETag))
		}
	}
	if !slices.Equal(keys, oddKeys) {
		t.Errorf("got %q, want %q", keys, oddKeys)
	}
}

// sdkClient is a client whose every answer is of status 200, with the body.
func sdkClient(body func() io.ReadCloser, options ...func(*middleware.Stack) error) *s3.Client {
	return s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1"), UsePathStyle: true, Retryer: aws.NopRetryer{},
		Credentials: aws.AnonymousCredentials{}, HTTPClient: canned(body), APIOptions: options,
	})
}

type canned func() io.ReadCloser

// Do implements s3.HTTPClient.
func (c canned) Do(r *http.Request) (*http.Response, error) {
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Header: http.Header{}, Body: c(), Request: r}, nil
}

// readBySDK is what the SDK alone makes of a page.
func readBySDK(t testing.TB, text []byte) (*s3.ListObjectsV2Output, error) {
	t.Helper()
	client := sdkClient(func() io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) })
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("registry")})
	if err == nil {
		out.ResultMetadata = middleware.Metadata{}
	}
	return out, err
}

// captured returns the pages of real services.
func captured(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/pages/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %q, %v, want pages", files, err)
	}
	pages := map[string][]byte{}
	for _, file := range files {
		if pages[file], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return pages
}

func TestPagesOfServices(t *testing.T) {
	for file, text := range captured(t) {
		got, ok := scanPage(text)
		if !ok {
			t.Errorf("%s is left to the SDK", file)
			continue
		}
		if want, err := readBySDK(t, text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v, %v", file, got, want, err)
		}
		if strings.Contains(file, "-all") {
			wantOddKeys(t, got)
		}
	}
}

// inPage is a page with more in it, and inObject one with an object.
func inPage(more string) string { return "<ListBucketResult>" + more + "</ListBucketResult>" }

func inObject(more string) string { return inPage("<Contents>" + more + "</Contents>") }

// TestPagesThatAreScanned wants the SDK's result.
func TestPagesThatAreScanned(t *testing.T) {
	for _, text := range []string{
		inPage(""),
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n</ListBucketResult>\r\n\n",
		"<?xml version='1.0' encoding='utf-8' ?><ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'><Name>b</Name></ListBucketResult>",
		inPage("<Prefix/><Delimiter></Delimiter><StartAfter />"),
		inPage("<IsTruncated>true</IsTruncated><NextContinuationToken>a/=+&amp;</NextContinuationToken><KeyCount>-3</KeyCount><MaxKeys>9999999999</MaxKeys>"),
		inPage("<EncodingType>url</EncodingType><Contents><Key>a%20b</Key></Contents>"),
		inPage("<CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>b&#47;</Prefix></CommonPrefixes>"),
		inPage("<CommonPrefixes></CommonPrefixes><Contents></Contents>"),
		inPage("<Name>a</Name><Name>b</Name>"),
		inPage("<Marker></Marker><AllowQuotas>x</AllowQuotas>"),
		inObject("<Key>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x1f642;&#13;&#9;</Key>"),
		inObject("<Key> \n a\tb </Key>"),
		inObject("<Key>ü日本🙂\u007f\u0085\ufffd</Key><Size>-1</Size>"),
		inObject("<Key>a]]b</Key><Type>Normal</Type><Generation>1</Generation>"),
		inObject("<LastModified>2026-11-22T00:50:00.123Z</LastModified>"),
		inObject("<LastModified>2026-11-22T00:50:00+01:00</LastModified>"),
		inObject("<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"),
		inObject("<Owner><ID>1</ID><DisplayName/></Owner><Owner><DisplayName>a</DisplayName></Owner><StorageClass>GLACIER</StorageClass>"),
	} {
		got, ok := scanPage([]byte(text))
		if !ok {
			t.Errorf("left to the SDK: %q", text)
			continue
		}
		if want, err := readBySDK(t, []byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v\nwant %+v, %v", text, got, want, err)
		}
	}
}

// TestPagesThatAreLeft: the SDK reads these, or says what is wrong.
func TestPagesThatAreLeft(t *testing.T) {
	for _, c := range []struct {
		text string
		says string // the SDK's error; "" if it has none
	}{
		{"", ""},
		{inPage("<!-- a --><Name>b</Name>"), ""},
		{inObject("<Key><![CDATA[a&b]]></Key>"), ""},
		{inPage("<?pi a?><Name>b</Name>"), ""},
		{"<a:ListBucketResult xmlns:a=\"b\"><a:Name>c</a:Name></a:ListBucketResult>", ""},
		{"<ListBucketResult xmlns:a=\"b\" c=\"d\"><Name>e</Name></ListBucketResult>", ""},
		{inPage("<Name a=\"b\">c</Name>"), ""},
		{inPage("<name>c</name>"), ""},
		{inPage("<Other><Name>c</Name></Other>"), ""},
		{inObject("<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>"), ""},
		{inObject("<Key>a\rb</Key>"), ""},
		{inObject("<Key>a>b</Key>"), ""},
		{inObject("<LastModified>2026-11-22T00:50:00</LastModified>"), ""},
		{inPage("<Name>a</Name>text"), ""},
		{inPage("") + "more", ""},
		{"<Other></Other>", ""},
		{inPage("<Name>a</Nam>"), "element <Name> closed by </Nam>"},
		{inPage("<Name>a</Name")[:20], "unexpected EOF"},
		{"<ListBucketResult><Contents><Key>a</Key></Contents>", "unexpected EOF"},
		{"<ListBucketResult><Contents><Key>a</Key></ListBucketResult>", "closed by </ListBucketResult>"},
		{inPage("<IsTruncated>perhaps</IsTruncated>"), "expected IsTruncated to be of type *bool"},
		{inPage("<IsTruncated/>"), "expected IsTruncated to be of type *bool"},
		{inPage("<KeyCount>many</KeyCount>"), `parsing "many"`},
		{inObject("<Size>1.5</Size>"), `parsing "1.5"`},
		{inObject("<Size>99999999999999999999</Size>"), "value out of range"},
		{inObject("<LastModified>yesterday</LastModified>"), "yesterday"},
		{inObject("<Key>a<b></b></Key>"), "expected end element"},
		{inObject("<Key>&nbsp;</Key>"), "invalid character entity &nbsp;"},
		{inObject("<Key>&amp</Key>"), "invalid character entity &amp (no semicolon)"},
		{inObject("<Key>&#x110000;</Key>"), "invalid character entity"},
		{inObject("<Key>&#0;</Key>"), "illegal character code U+0000"},
		{inObject("<Key>&#xfffe;</Key>"), "illegal character code U+FFFE"},
		{inObject("<Key>\uffff</Key>"), "illegal character code U+FFFF"},
		{inObject("<Key>\x01</Key>"), "illegal character code U+0001"},
		{inObject("<Key>\xff</Key>"), "invalid UTF-8"},
		{inObject("<Key>a]]>b</Key>"), "unescaped ]]>"},
		{"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" + inPage(""), "ISO-8859-1"},
		{"<?xml version=\"1.1\"?>" + inPage(""), "unsupported version"},
		{"<Error><Code>InternalError</Code><Message>a message</Message></Error>", "InternalError: a message"},
		{`{"a": "b"}`, ""},
	} {
		if got, ok := scanPage([]byte(c.text)); ok {
			t.Errorf("%q is read as %+v", c.text, got)
		}
		_, err := readBySDK(t, []byte(c.text))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: the SDK returns %v, want %q", c.text, err, c.says)
		}
	}
}

// FuzzPage: what scanPage accepts the SDK accepts, and reads as it does.
func FuzzPage(f *testing.F) {
	for _, text := range captured(f) {
		f.Add(text)
	}
	f.Add(pageOf(2))
	f.Add([]byte(inObject("<Key>&#x1f642;&quot;</Key><Owner><ID/></Owner><LastModified>2026-11-22T00:50:00.123Z</LastModified><Type>Normal</Type>")))
	f.Add([]byte(inPage("<Prefix /><CommonPrefixes><Prefix>a/</Prefix></CommonPrefixes><IsTruncated>true</IsTruncated><!-- a --><![CDATA[b]]>")))
	f.Fuzz(readAlike)
}

// FuzzPageOfFragments has pages of what pages are made of: each byte picks a fragment.
func FuzzPageOfFragments(f *testing.F) {
	var fragments []string
	for _, name := range append(pageMembers[:], "Type", "contents", "a:Key", "Ke\u212a") {
		fragments = append(fragments, "<"+name+">", "</"+name+">", "<"+name+"/>")
	}
	for _, name := range []string{"Key", "Prefix", "StorageClass", "ChecksumAlgorithm", "ID", "Type", "Type1"} {
		for _, value := range []string{"", " a ", "&amp;&#34;", "&#x1f642;", "ü", "&#xd;\n", "&#128;", "]]", "\r", "&#55296;", "a>", "&#1114112;", "\ufffe", "&no;", "&#"} {
			fragments = append(fragments, "<"+name+">"+value+"</"+name+">")
		}
	}
	for name, values := range map[string][]string{
		"Size": {"1", "-0", "+1", "1 ", "0x1", "1_0", ""}, "KeyCount": {"1", "4294967297", "a"}, "IsTruncated": {"true", "F", "TRUE", "tRUE", "1"},
		"LastModified": {"2026-11-22T00:50:00Z", "2026-11-22T00:50:00.123456789Z", "2026-11-22T00:50:00,5Z", "2026-11-22T00:50:00-07:00", "2026-02-30T00:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T0:50:00Z", "2026-11-22t00:50:00z"},
	} {
		for _, value := range values {
			fragments = append(fragments, "<"+name+">"+value+"</"+name+">")
		}
	}
	fragments = append(fragments, " ", "\n", "\r", "<!-- a -->", "<![CDATA[a]]>", "<?a b?>", "a", "&amp;", "<Key >a</Key>", "<Key>a</Key >", "<Key />", "<Key/ >", "< Key/>", "<Key a='b'/>", "\x00", "</")
	slices.Sort(fragments)
	if len(fragments) > 256 {
		f.Fatalf("%d fragments", len(fragments))
	}
	f.Add([]byte{0})
	f.Add([]byte("any of them, in any order, twice or never"))
	f.Fuzz(func(t *testing.T, picks []byte) {
		var in strings.Builder
		for _, n := range picks[:min(len(picks), 16)] {
			in.WriteString(fragments[int(n)%len(fragments)])
		}
		for _, text := range []string{in.String(), inPage(in.String()), inObject(in.String()), inObject("<Owner>" + in.String() + "</Owner>"), inPage("<CommonPrefixes>" + in.String() + "</CommonPrefixes>")} {
			readAlike(t, []byte(text))
		}
	})
}

// readAlike wants what scanPage accepts to be accepted by the SDK, with the same result, of which nothing is in text.
func readAlike(t *testing.T, text []byte) {
	before := slices.Clone(text)
	got, ok := scanPage(text)
	if !bytes.Equal(text, before) {
		t.Fatal("the text was changed")
	}
	if !ok {
		return
	}
	want, err := readBySDK(t, before)
	if err != nil {
		t.Fatalf("%q: got %+v, the SDK %v", before, got, err)
	}
	clear(text)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %+v\nwant %+v", before, got, want)
	}
}

// pageOf is a page of count keys of a registry, as versitygw writes it.
func pageOf(count int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>registry</Name><Prefix>docker/</Prefix><Delimiter></Delimiter><ContinuationToken></ContinuationToken><IsTruncated>true</IsTruncated><NextContinuationToken>bmV4dA==</NextContinuationToken><KeyCount>%d</KeyCount><MaxKeys>1000</MaxKeys>`, count)
	for n := range count {
		digest := hex.EncodeToString(bytes.Repeat([]byte{byte(n), byte(n >> 8)}, 16))
		fmt.Fprintf(&b, `<Contents><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><ETag>&#34;%s&#34;</ETag><Key>docker/registry/v2/blobs/sha256/%s/%s%s/data</Key><LastModified>2026-11-22T00:50:%02d.000Z</LastModified><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`,
			digest[:32], digest[:2], digest, digest, n%60, n*1000)
	}
	b.WriteString("</ListBucketResult>")
	return b.Bytes()
}

// BenchmarkListing is a request for a page of a thousand keys without a network: read by the SDK, and here.
func BenchmarkListing(b *testing.B) {
	text := pageOf(maxKeys)
	for name, options := range map[string][]func(*middleware.Stack) error{"sdk": nil, "berth": {readingAnswers()}} {
		b.Run(name, func(b *testing.B) {
			client := sdkClient(func() io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }, options...)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				out, err := client.ListObjectsV2(b.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("registry")})
				if err != nil || len(out.Contents) != maxKeys {
					b.Fatalf("got %+v, %v", out, err)
				}
			}
		})
	}
}
