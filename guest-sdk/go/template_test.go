package berth

import (
	"reflect"
	"strings"
	"testing"
)

func TestTemplateSendsWhatARequestSends(t *testing.T) {
	for name, r := range map[string]Request{
		"bare":         {Method: "GET"},
		"a prefix":     {Method: "GET", URL: "http://127.0.0.1:9/"},
		"no headers":   {Method: "GET", Want: []string{}},
		"all of them":  {Method: "PROPFIND", Headers: []string{"Depth", "0"}, Data: []byte("<x/>"), Max: 65536, Want: []string{"location"}},
		"one varies":   {Method: "MOVE", Headers: []string{"Overwrite", "F", "Destination", ""}, Want: []string{"location"}},
		"signed":       {Method: "PUT", Headers: []string{"Content-Type", ""}, URL: "http://127.0.0.1:9", Credential: "storage"},
		"signed, asks": {Method: "HEAD", URL: "http://127.0.0.1:9", Credential: "storage", Want: []string{"etag"}},
		"only it does": {Method: "MOVE", Headers: []string{"Destination", ""}, URL: "http://127.0.0.1:9"},
	} {
		im := &fakeImports{}
		plain, templated := newWireHost(im), newWireHost(im)
		template := NewTemplate(r)
		for _, v := range []Varying{
			{Path: "http://127.0.0.1:9/a/b", Header: "one"},
			{Path: "/", Header: strings.Repeat("x", 300)},
			{Path: strings.Repeat("/x", 40_000), Header: "y"},
			{Path: "/with-a-body", Header: "z", Body: NewStream(&handle{plain, 1 << 40}, 5)},
			{Path: "/with-a-digest", Header: "z", Body: NewStream(&handle{plain, 1 << 40}, 5), SHA256: []byte{1, 2, 3}},
		} {
			if v.Body != nil && r.Data != nil {
				continue
			}
			if _, err := plain.HTTP(template.To(v)); err == nil {
				t.Fatal("an empty reply is an answer")
			}
			want := decoder{b: im.request}
			if _, err := templated.Send(template, v); err == nil {
				t.Fatal("an empty reply is an answer")
			}
			got := decoder{b: im.request}
			plainTree := want.tree()
			if got := got.tree(); !reflect.DeepEqual(plainTree, got) {
				t.Errorf("%s: want %v, got %v", name, plainTree, got)
			}
			if r.Headers == nil && v.Body == nil {
				if _, err := templated.Ask(template, v.Path); err == nil {
					t.Fatal("an empty reply is an answer")
				}
				asked := decoder{b: im.request}
				if asked := asked.tree(); !reflect.DeepEqual(asked, plainTree) {
					t.Errorf("%s: Ask sent %v, want %v", name, asked, plainTree)
				}
			}
			if want.end() != nil || got.end() != nil {
				t.Errorf("%s: %v, %v", name, want.err, got.err)
			}
		}
	}
}

func TestTemplatesLeaveOutWhatIsOfOneRequest(t *testing.T) {
	im := &fakeImports{}
	w := newWireHost(im)
	template := NewTemplate(Request{
		Method: "PUT", URL: "http://127.0.0.1:9", SHA256: []byte{1}, Keyed: []Keyed{{Name: "authorization", Text: KeyMark, Key: NewKey(&handle{w, 7})}},
		Body: []*Stream{NewStream(&handle{w, 8}, 5)},
	})
	if r := template.To(Varying{}); r.SHA256 != nil || r.Keyed != nil || r.Body != nil {
		t.Errorf("a request has %+v of the Template's", r)
	}
	w.Ask(template, "/a")
	d := decoder{b: im.request}
	if got, want := d.tree(), (map[string]any{"method": "PUT", "url": "http://127.0.0.1:9/a"}); !reflect.DeepEqual(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

func TestJoinedStringsStay(t *testing.T) {
	c := &Call{texts: &texts{}}
	var all, want []string
	for i := range 3000 {
		parts := []string{strings.Repeat("a", i%700), "", strings.Repeat("b", i%11)}
		all, want = append(all, c.Join(parts...)), append(want, strings.Join(parts, ""))
	}
	for i := range all {
		if all[i] != want[i] {
			t.Fatalf("string %d has become %q, want %q", i, all[i], want[i])
		}
	}
	if got := NewCall(nil).Join("a", "", "bc"); got != "abc" {
		t.Errorf("natively %q, want abc", got)
	}
}
