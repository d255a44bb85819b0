package berth

import (
	"reflect"
	"strings"
	"testing"
)

func TestTemplateSendsWhatARequestSends(t *testing.T) {
	for name, r := range map[string]Request{
		"bare":        {Method: "GET"},
		"a prefix":    {Method: "GET", URL: "http://127.0.0.1:9/"},
		"no headers":  {Method: "GET", Want: []string{}},
		"all of them": {Method: "PROPFIND", Headers: []string{"Depth", "0"}, Data: []byte("<x/>"), Max: 65536, Want: []string{"location"}},
	} {
		plain, templated := newWireHost(&fakeImports{}), newWireHost(&fakeImports{})
		template := NewTemplate(r)
		for range 2 {
			whole := template.To("http://127.0.0.1:9/a/b")
			if _, err := plain.HTTP(whole); err == nil {
				t.Fatal("an empty reply is an answer")
			}
			if _, err := templated.Ask(template, "http://127.0.0.1:9/a/b"); err == nil {
				t.Fatal("an empty reply is an answer")
			}
			want, got := decoder{b: plain.request.b}, decoder{b: templated.request.b}
			if want, got := want.tree(), got.tree(); !reflect.DeepEqual(want, got) {
				t.Errorf("%s: want %v, got %v", name, want, got)
			}
			if want.end() != nil || got.end() != nil {
				t.Errorf("%s: %v, %v", name, want.err, got.err)
			}
		}
	}
}

func TestTemplateOfALongURL(t *testing.T) {
	im := &fakeImports{}
	w := newWireHost(im)
	template := NewTemplate(Request{Method: "GET", URL: "http://127.0.0.1:9/"})
	for _, n := range []int{0, 100, 1000, maxTemplateURL - 19, maxTemplateURL - 18, maxTemplateURL + 100} {
		rest := strings.Repeat("x", n)
		if _, err := w.Ask(template, rest); err == nil {
			t.Fatal("an empty reply is an answer")
		}
		d := decoder{b: im.request}
		if got, _ := d.tree().(map[string]any); got["url"] != "http://127.0.0.1:9/"+rest || d.end() != nil {
			t.Errorf("%d bytes after the URL: %d arrive, %v", n, len(got["url"].(string)), d.err)
		}
	}
}
