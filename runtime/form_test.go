package runtime

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/egress"
)

func encoded(t *testing.T, m *abi.HTTPRequest) []byte {
	t.Helper()
	b, err := abi.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestARequestIsCheckedOnce has more forms than are kept, each coming again with other URLs.
func TestARequestIsCheckedOnce(t *testing.T) {
	var s forms
	checked := new(egress.Checked)
	ask := func(kind, url int) *form {
		want := &abi.HTTPRequest{Method: "PUT", URL: fmt.Sprintf("http://a/%d", url), Headers: []string{"a", fmt.Sprint(kind)}, Data: []byte{1, byte(kind)}, Want: []string{"ETag", "etag", "x-y"}}
		request := encoded(t, want)
		f, err := s.decode(request)
		if err != nil {
			t.Fatal(err)
		}
		if f.Method != want.Method || f.URL != want.URL || !slices.Equal(f.Headers, want.Headers) || !bytes.Equal(f.Data, want.Data) ||
			!slices.Equal(f.want, []wanted{{"Etag", "etag"}, {"X-Y", "x-y"}}) {
			t.Fatalf("%+v, want %+v", f, want)
		}
		return f
	}
	for kind := range 3 * len(s.list) {
		f := ask(kind, 0)
		if f.checked != nil {
			t.Fatalf("form %d was checked before it was there", kind)
		}
		s.keep(f, checked, encoded(t, &f.HTTPRequest))
		for url := range 10 {
			for back := range min(kind+1, len(s.list)) {
				if f := ask(kind-back, url); f.checked != checked {
					t.Errorf("form %d was forgotten after %d others", kind-back, back)
				}
			}
		}
	}
}

func TestARefusedRequestIsRefusedAgain(t *testing.T) {
	var s forms
	for name, m := range map[string]*abi.HTTPRequest{
		"both data and body": {URL: "x", Data: []byte("x"), Body: []abi.Handle{1}},
		"max":                {URL: "x", Max: abi.MaxInline + 1},
		"wanted":             {URL: "x", Want: make([]string, abi.MaxHeaders+1)},
	} {
		for range 2 {
			if f, err := s.decode(encoded(t, m)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %+v, %v", name, f, err)
			}
		}
	}
	for range 2 { // what the client refuses is decoded again and asked again
		request := encoded(t, &abi.HTTPRequest{URL: "x", Headers: []string{"host", "x"}, Data: make([]byte, 100)})
		f, err := s.decode(request)
		if err != nil || f.checked != nil || len(f.Data) != 100 {
			t.Fatalf("%+v, %v", f, err)
		}
		s.keep(f, nil, request)
	}
	if _, err := s.decode([]byte{0x81}); storagedriver.KindOf(err) != storagedriver.KindInvalidArgument {
		t.Errorf("%v", err)
	}
}

func TestAnIdleInstanceHoldsLittle(t *testing.T) {
	var s forms
	long := &abi.HTTPRequest{URL: strings.Repeat("x", 100_000), Headers: make([]string, 2*keptStrings), Data: make([]byte, 100_000), All: true}
	for range 2 * len(s.list) {
		request := encoded(t, long)
		f, err := s.decode(request)
		if err != nil {
			t.Fatal(err)
		}
		s.keep(f, new(egress.Checked), request)
		s.trim()
	}
	for i := range s.list {
		if f := &s.list[i]; len(f.URL)+len(f.Data)+cap(f.Headers) > keptStrings {
			t.Errorf("form %d holds a URL of %d bytes, data of %d, %d strings", i, len(f.URL), len(f.Data), cap(f.Headers))
		}
	}
}
