package berth

import (
	"bytes"
	"testing"
)

func TestTemplateSendsWhatARequestSends(t *testing.T) {
	for name, r := range map[string]Request{
		"bare":        {Method: "GET"},
		"no headers":  {Method: "GET", Want: []string{}},
		"all of them": {Method: "PROPFIND", Headers: []string{"Depth", "0"}, Data: []byte("<x/>"), Max: 65536, Want: []string{"location"}},
	} {
		whole := r
		whole.URL = "http://127.0.0.1:9/a/b"
		plain, templated := newWireHost(&fakeImports{}), newWireHost(&fakeImports{})
		template := NewTemplate(r)
		for range 2 {
			if err := plain.encodeRequest(&whole); err != nil {
				t.Fatal(err)
			}
			if err := templated.encodeRequest(template.To(whole.URL)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(plain.request.b, templated.request.b) {
				t.Errorf("%s: want %x, got %x", name, plain.request.b, templated.request.b)
			}
		}
	}
}
