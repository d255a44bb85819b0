package webdav

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func parse(data string, r io.Reader) (string, error) {
	var out []string
	err := multistatus([]byte(data), r, func(r *resource) error {
		out = append(out, fmt.Sprintf("%s status=%d found=%v dir=%v size=%d time=%d", r.href, r.status, r.found, r.dir, r.size, max(r.modTime.Unix(), 0)))
		return nil
	})
	return strings.Join(out, "\n"), err
}

const apache = `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/a%20b/</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype><D:collection/></lp1:resourcetype>
<lp1:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</lp1:getlastmodified>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
<D:propstat>
<D:prop>
<ns0:getcontentlength/>
</D:prop>
<D:status>HTTP/1.1 404 Not Found</D:status>
</D:propstat>
</D:response>
</D:multistatus>`

func TestMultistatusOfServers(t *testing.T) {
	for name, c := range map[string]struct{ xml, want string }{
		"apache": {apache, "/dav/a%20b/ status=0 found=true dir=true size=-1 time=784111777"},
		"default namespace, CDATA, entities, comments": {
			`<multistatus xmlns="DAV:"><!-- <response> --><response><href><![CDATA[/a&b]]>&lt;&#x41;&#66;&amp;</href><propstat><prop><getcontentlength> 42
</getcontentlength><resourcetype/></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`,
			"/a&b<AB& status=0 found=true dir=false size=42 time=0"},
		"namespaces are honoured": {
			`<x:multistatus xmlns:x="DAV:" xmlns="urn:other"><response/><x:response><x:href>/a</x:href><href>/b</href><x:propstat><x:prop>` +
				`<getcontentlength>9</getcontentlength><x:getcontentlength a='>"' b=">">3</x:getcontentlength><y xmlns="DAV:" xmlns:x="urn:z"><x:resourcetype/></y>` +
				`</x:prop></x:propstat></x:response></x:multistatus>`,
			"/a status=0 found=true dir=false size=3 time=0"},
		"a 404 for the whole": {
			`<multistatus xmlns="DAV:"><response><href>/a</href><status>HTTP/1.1 404 Not Found</status></response></multistatus>`,
			"/a status=404 found=false dir=false size=-1 time=0"},
		"nothing": {`<multistatus xmlns="DAV:"/>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(c.xml, nil)
			if err != nil || got != c.want {
				t.Fatalf("got %s, %v\nwant %s", got, err, c.want)
			}
			got, err = parse("", iotest.OneByteReader(strings.NewReader(c.xml)))
			if err != nil || got != c.want {
				t.Fatalf("byte by byte: got %s, %v\nwant %s", got, err, c.want)
			}
			for n := range len(c.xml) {
				if _, err := parse(c.xml[:n], nil); err == nil {
					t.Fatalf("cut to %d bytes it was accepted", n)
				}
			}
		})
	}
}

func TestWhatIsNoMultistatusIsRefused(t *testing.T) {
	for _, xml := range []string{
		"", "plain", "<html></html>", `<multistatus/>`, `<multistatus xmlns="DAV:"></multistatus></x>`,
		`<!DOCTYPE x [<!ENTITY a "b">]><multistatus xmlns="DAV:"/>`, `<multistatus xmlns="DAV:"><response><href>&nope;</href></response></multistatus>`,
		`<multistatus xmlns="DAV:">` + strings.Repeat("<a>", maxNest+1),
	} {
		if got, err := parse(xml, nil); err == nil {
			t.Errorf("%.80s: accepted as %q", xml, got)
		}
	}
	endless := io.MultiReader(strings.NewReader(`<multistatus xmlns="DAV:"><response><href>`), endlessReader{})
	if _, err := parse("", endless); err != errXMLSize {
		t.Errorf("endless text: %v, want %v", err, errXMLSize)
	}
}

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestHrefs(t *testing.T) {
	for href, want := range map[string]string{
		"/a/b/": "/a/b", "http://h:1/a%2Fb": "/a/b", "//h/a": "/a", "http://h": "", " /a \n": "/a", "x%20y": "/base/x y", "./x": "/base/x",
		"/a://b": "/a://b", "": "/base", "/": "",
	} {
		if got, ok := hrefPath(href, "/base"); !ok || got != want {
			t.Errorf("%q: got %q, want %q", href, got, want)
		}
	}
	if _, ok := hrefPath("/a%2", ""); ok {
		t.Error("a wrong escape was accepted")
	}
}

func FuzzMultistatus(f *testing.F) {
	f.Add(apache)
	f.Add(`<multistatus xmlns="DAV:"><response><href>&#x41;<![CDATA[x]]></href></response></multistatus>`)
	f.Fuzz(func(t *testing.T, xml string) {
		whole, err := parse(xml, nil)
		pieces, pieceErr := parse("", iotest.OneByteReader(strings.NewReader(xml)))
		if whole != pieces || (err == nil) != (pieceErr == nil) {
			t.Fatalf("whole: %q, %v; in pieces: %q, %v", whole, err, pieces, pieceErr)
		}
	})
}

func BenchmarkMultistatus(b *testing.B) {
	data := []byte(apache)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for range b.N {
		multistatus(data, nil, func(*resource) error { return nil })
	}
}

func TestDatesAreThoseOfPackageTime(t *testing.T) {
	for at := time.Date(1969, 1, 1, 0, 0, 59, 0, time.UTC); at.Year() < 2110; at = at.Add(1000003 * time.Second) {
		text := at.Format(http.TimeFormat)
		if got := httpDate([]byte(text)); !got.Equal(at) {
			t.Fatalf("%s: got %v", text, got)
		}
	}
	for text, want := range map[string]int64{"Sun, 06 Nov 1994 09:49:37 +0100": 0, "Sun, 06 Nov 1994 08:49:37 UTC": 784111777, "Sun, 6 Nov 94": 0, "": 0, "Sun, 06 Nox 1994 08:49:37 GMT": 0} {
		if got := max(httpDate([]byte(text)).Unix(), 0); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
