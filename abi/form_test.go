package abi_test

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/berth-dev/storagedriver/abi"
)

// formMessage is a request with the URL written as head and text.
func formMessage(t testing.TB, head, url string) []byte {
	t.Helper()
	const mark = "\xa8http://a"
	b, err := abi.Append(nil, &abi.HTTPRequest{Method: "PROPFIND", URL: "http://a", Headers: []string{"depth", "0"},
		Data: []byte("<propfind/>"), Max: 100, Want: []string{"etag"}})
	if err != nil || bytes.Count(b, []byte(mark)) != 1 {
		t.Fatalf("%q, %v", b, err)
	}
	return bytes.Replace(b, []byte(mark), []byte(head+url), 1)
}

// kept is a form that has kept b.
func kept(t testing.TB, b []byte) *abi.HTTPForm {
	t.Helper()
	f := new(abi.HTTPForm)
	if err := abi.Decode(b, f); err != nil {
		t.Fatal(err)
	}
	if !f.Keep(b) {
		t.Fatal("not kept")
	}
	return f
}

// checkAgain holds what a form makes of b against what decoding b makes of it.
func checkAgain(t testing.TB, f *abi.HTTPForm, b []byte) bool {
	t.Helper()
	before := f.HTTPRequest
	if !f.Again(b) {
		if !reflect.DeepEqual(before, f.HTTPRequest) {
			t.Errorf("%q was not recognised and changed the form", b)
		}
		return false
	}
	plain := new(abi.HTTPForm)
	if err := abi.Decode(b, plain); err != nil {
		t.Errorf("%q was recognised: %v", b, err)
	} else if !equalRequests(&f.HTTPRequest, &plain.HTTPRequest) {
		t.Errorf("%q is %+v, recognised as %+v", b, plain.HTTPRequest, f.HTTPRequest)
	}
	return true
}

func equalRequests(a, b *abi.HTTPRequest) bool {
	return a.Method == b.Method && a.URL == b.URL && slices.Equal(a.Headers, b.Headers) && bytes.Equal(a.Data, b.Data) &&
		slices.Equal(a.Body, b.Body) && a.Max == b.Max && slices.Equal(a.Want, b.Want) && a.All == b.All
}

func TestAFormIsRecognisedWithAnyURL(t *testing.T) {
	long := strings.Repeat("x", 300)
	f := kept(t, formMessage(t, "\xa8", "http://a"))
	for name, b := range map[string][]byte{
		"the same": formMessage(t, "\xa8", "http://a"), "another": formMessage(t, "\xa8", "http://b"), "shorter": formMessage(t, "\xa1", "x"),
		"none": formMessage(t, "\xa0", ""), "longer": formMessage(t, "\xbf", long[:31]), "in 8 bits": formMessage(t, "\xd9\x20", long[:32]),
		"longest in 8 bits": formMessage(t, "\xd9\xff", long[:255]), "in 16 bits": formMessage(t, "\xda\x01\x2c", long),
		"in too many bits": formMessage(t, "\xda\x00\x01", "x"), "like another key": formMessage(t, "\xa5", "\xa3max\x01"[:1]+"abcd"),
		"not ASCII": formMessage(t, "\xa2", "é"), "longest": formMessage(t, "\xda\xff\xff", strings.Repeat("x", 65535)),
	} {
		want := name != "like another key" // which is not UTF-8
		if got := checkAgain(t, f, b); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestWhatIsNotTheFormIsNotRecognised(t *testing.T) {
	whole := formMessage(t, "\xa8", "http://a")
	f := kept(t, whole)
	at := bytes.Index(whole, []byte("http://a"))
	for i := range whole {
		for _, c := range []byte{whole[i] ^ 1, whole[i] ^ 0x80, whole[i] + 1, 0, 0xff} {
			b := slices.Clone(whole)
			b[i] = c
			if got := checkAgain(t, f, b); got && c != whole[i] && (i < at || i >= at+8) {
				t.Errorf("byte %d as %#x was recognised", i, c)
			}
		}
		if checkAgain(t, f, whole[:i]) {
			t.Errorf("%d of %d bytes were recognised", i, len(whole))
		}
		if checkAgain(t, f, slices.Insert(slices.Clone(whole), i, 'x')) {
			t.Errorf("a byte more at %d was recognised", i)
		}
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "trailing": append(slices.Clone(whole), 0xc0), "twice": append(slices.Clone(whole), whole...),
		"not UTF-8": formMessage(t, "\xa1", "\xff"), "in 32 bits": formMessage(t, "\xdb\x00\x00\x00\x01", "x"),
		"bytes": formMessage(t, "\xc4\x01", "x"), "a number": formMessage(t, "\x01", ""), "nil": formMessage(t, "\xc0", ""),
		"announced too long": formMessage(t, "\xa9", "http://a"), "announced too short": formMessage(t, "\xa7", "http://a"),
	} {
		if checkAgain(t, f, b) {
			t.Errorf("%s was recognised", name)
		}
	}
	if new(abi.HTTPForm).Again(whole) {
		t.Error("a form that kept nothing recognised something")
	}
}

// TestWhatIsNotKept has messages that decode, and that a form cannot stand for.
func TestWhatIsNotKept(t *testing.T) {
	url := func(n int) []byte { return []byte("\xa3url\xa1x")[:6*n] }
	for name, b := range map[string][]byte{
		"no URL": []byte("\x81\xa3max\x01"), "two URLs": append([]byte{0x82}, slices.Concat(url(1), url(1))...),
		"handles":    append([]byte{0x82}, slices.Concat(url(1), []byte("\xa4body\x91\x01"))...),
		"a long one": append([]byte{0x82}, slices.Concat(url(1), []byte("\xa4data\xc5\x10\x00"), make([]byte, 4096))...),
	} {
		f := new(abi.HTTPForm)
		if err := abi.Decode(b, f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Keep(b) || f.Again(b) {
			t.Errorf("%s was kept", name)
		}
	}
	whole := formMessage(t, "\xa8", "http://a")
	f := kept(t, whole)
	if err := abi.Decode([]byte("\x81\xa3max\x01"), f); err != nil || f.Again(whole) {
		t.Errorf("a form recognised what it was before it was decoded again, %v", err)
	}
}

func TestAFormKeepsACopy(t *testing.T) {
	whole := formMessage(t, "\xa8", "http://a")
	guest := slices.Clone(whole)
	f := kept(t, guest)
	clear(guest)
	if !checkAgain(t, f, whole) || f.Again(guest) {
		t.Error("the form changed with the message")
	}
}

// FuzzHTTPForm has a form recognise exactly what decodes to the same with another URL.
func FuzzHTTPForm(f *testing.F) {
	whole := formMessage(f, "\xa8", "http://a")
	nested, err := msgpack.Marshal(map[string]any{"url": "x", "more": map[string]any{"url": "y"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{formMessage(f, "\xa1", "x"), formMessage(f, "\xd9\x01", "x"), formMessage(f, "\xa1", "\xff"), whole[:20], nested} {
		f.Add(whole, b)
		f.Add(b, whole)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		form := new(abi.HTTPForm)
		if abi.Decode(first, form) != nil {
			return
		}
		if !form.Keep(first) {
			if form.Again(first) || form.Again(second) {
				t.Fatal("what was not kept was recognised")
			}
			return
		}
		checkAgain(t, form, second)
		if len(form.URL) < 1<<16 && !bytes.Contains(first, []byte{0xdb}) && !checkAgain(t, form, first) {
			t.Fatalf("%q is not recognised", first)
		}
	})
}
