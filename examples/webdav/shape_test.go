package webdav

import (
	"fmt"
	"strings"
	"testing"

	berth "github.com/berth-dev/storagedriver/guest-sdk/go"
)

func answer(href, properties string) string {
	return `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>` + href + `</D:href><D:propstat><D:prop>` +
		properties + `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`
}

func file(size, time string) string {
	return `<D:resourcetype/><D:getcontentlength>` + size + `</D:getcontentlength><D:getlastmodified>` + time + `</D:getlastmodified>`
}

const (
	oneTime     = "Sat, 21 Nov 2026 05:40:55 GMT"
	anotherTime = "Sun, 06 Nov 1994 08:49:37 GMT"
	collected   = `<D:resourcetype><D:collection/></D:resourcetype>`
)

func readWhole(data string) ([]span, []resource, error) {
	var all []resource
	spans, err := multistatusSpans([]byte(data), nil, func(r *resource) error { all = append(all, *r); return nil })
	return spans, all, err
}

// readWithoutHref returns what a shape is to find.
func readWithoutHref(data string) ([]resource, error) {
	_, all, err := readWhole(data)
	for i := range all {
		all[i].href = ""
	}
	return all, err
}

func readShape(s *shapes, data string) (resource, bool) {
	var r resource
	ok := s.read(&berth.Response{Status: 207, Data: []byte(data)}, &r)
	return r, ok
}

// learnFrom returns shapes that know the answers that can be learned.
func learnFrom(answers ...string) *shapes {
	s := &shapes{}
	for _, a := range answers {
		if spans, all, err := readWhole(a); err == nil && len(all) == 1 && spans != nil {
			s.learn([]byte(a), spans, &all[0])
		}
	}
	return s
}

func TestShapesReadWhatIsAlike(t *testing.T) {
	known := learnFrom(answer("/a/b", file("4096", oneTime)), answer("/a/", collected))
	for _, tt := range []struct {
		name, data string
		fits       bool
	}{
		{"the same", answer("/a/b", file("4096", oneTime)), true},
		{"another file", answer("/a/long-name_1.2", file("0", anotherTime)), true},
		{"a collection", answer("/z/", collected), true},
		{"white space around", answer(" /a/b\n", file(" 12 ", oneTime)), true},
		{"an entity", answer("/a&amp;b", file("1", oneTime)), false},
		{"no number", answer("/a/b", file("many", oneTime)), false},
		{"a negative number", answer("/a/b", file("-1", oneTime)), false},
		{"no time", answer("/a/b", file("1", "yesterday")), false},
		{"a tag in the text", answer("/a<x/>b", file("1", oneTime)), false},
		{"another status", strings.Replace(answer("/a/b", file("1", oneTime)), "200 OK", "404 Not Found", 1), false},
		{"two responses", strings.Replace(answer("/a/b", file("1", oneTime)), "</D:response>", "</D:response><D:response/>", 1), false},
		{"more at the end", answer("/a/b", file("1", oneTime)) + "\n", false},
		{"cut", answer("/a/b", file("1", oneTime))[:150], false},
		{"nothing", "", false},
	} {
		r, ok := readShape(known, tt.data)
		if ok != tt.fits {
			t.Errorf("%s: fits %v, want %v", tt.name, ok, tt.fits)
			continue
		}
		if all, err := readWithoutHref(tt.data); ok && (err != nil || len(all) != 1 || all[0] != r) {
			t.Errorf("%s: read as %+v, in full %+v, %v", tt.name, r, all, err)
		}
	}
}

func TestOddAnswersAreNotLearned(t *testing.T) {
	for name, data := range map[string]string{
		"CDATA":            answer("<![CDATA[/a/b]]>", file("1", oneTime)),
		"an entity":        answer("/a&amp;b", file("1", oneTime)),
		"a comment inside": answer("/a<!-- x -->/b", file("1", oneTime)),
		"two lengths":      answer("/a", file("1", oneTime)+file("2", oneTime)),
		"refused":          strings.Replace(answer("/a", file("1", oneTime)), "200 OK", "403 Forbidden", 1),
		"no length":        answer("/a", "<D:resourcetype/>"),
		"gone":             strings.Replace(answer("/a", file("1", oneTime)), "<D:propstat>", "<D:status>HTTP/1.1 404 Not Found</D:status><D:propstat>", 1),
		"two hrefs":        strings.Replace(answer("/a", file("1", oneTime)), "</D:href>", "</D:href><D:href>/b</D:href>", 1),
	} {
		if _, ok := readShape(learnFrom(data), data); ok {
			t.Errorf("%s: learned", name)
		}
	}
}

func FuzzShapes(f *testing.F) {
	f.Add(answer("/a/b", file("4096", oneTime)), answer("/a/c", file("1", anotherTime)))
	f.Add(answer("/a/", collected), answer("/b/", collected))
	f.Add(answer("/a", file("1", oneTime)), answer("/a", file("<x/>", oneTime)))
	f.Fuzz(func(t *testing.T, learned, data string) {
		r, ok := readShape(learnFrom(learned), data)
		if !ok {
			return
		}
		all, err := readWithoutHref(data)
		if want := fmt.Sprintf("%+v", []resource{r}); err != nil || fmt.Sprintf("%+v", all) != want {
			t.Errorf("learned from %q: %q is read as %s, in full as %+v, %v", learned, data, want, all, err)
		}
	})
}
