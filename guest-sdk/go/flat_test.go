package berth

import (
	"bytes"
	"testing"
)

// roomy returns b as flat wants it.
func roomy(b []byte) []byte { return append(make([]byte, 0, len(b)+8), b...) }

// checkFlat holds flat to what the decoder reads.
func checkFlat(t *testing.T, b []byte) (read bool) {
	t.Helper()
	b = roomy(b)
	var p [len(pathKeys)]flatValue
	if flat(b, pathKeys[:], p[:]) {
		read = true
		var r request
		if err := r.decode(b); err != nil || !bytes.Equal(r.path, p[0].bytes) || r.off != p[1].number || r.length != p[2].number {
			t.Errorf("% x: flat reads %+v, the decoder %+v, %v", b, p, r, err)
		}
	}
	w := newWireHost(&fakeImports{})
	var v [len(responseKeys)]flatValue
	if flat(b, responseKeys[:], v[:]) {
		read = true
		r, err := w.decodeResponse(b, false)
		if err != nil {
			t.Fatalf("% x: flat reads %+v, the decoder says %v", b, v, err)
		}
		var body int64
		if r.Body != nil {
			body = r.Body.host.(*handle).h
		}
		if int64(r.Status) != int64(int(v[0].number)) || r.Length != v[1].number || body != v[2].number || !bytes.Equal(r.Data, v[3].bytes) {
			t.Errorf("% x: flat reads %+v, the decoder %+v", b, v, r)
		}
	}
	return read
}

func TestFlatReadsTheGoldenMessages(t *testing.T) {
	read := map[string]int{}
	for _, v := range vectors(t) {
		if checkFlat(t, v.message(t)) {
			read[v.Op+" "+v.Dir]++
		}
	}
	for _, want := range []string{"stat request", "read request", "http reply"} {
		if read[want] == 0 {
			t.Errorf("no %s was read: %v", want, read)
		}
	}
}

func TestFlatRefuses(t *testing.T) {
	whole := []byte("\x83\xa6status\xcc\xc8\xa3len\xcd\x10\x00\xa4body\xcf\x00\x00\x00\x01\x00\x00\x00\x02")
	if !checkFlat(t, whole) {
		t.Fatal("a reply is not read")
	}
	for n := range whole {
		if checkFlat(t, whole[:n]) {
			t.Errorf("read when cut to %d bytes", n)
		}
	}
	for name, b := range map[string]string{
		"another key":   "\x81\xa3lex\x01",
		"a wrong type":  "\x81\xa3len\xa1x",
		"nil":           "\x81\xa3len\xc0",
		"an array":      "\x81\xa3len\x91\x01",
		"too large":     "\x81\xa3len\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
		"a signed one":  "\x81\xa3len\xd0\x01",
		"more after it": "\x81\xa3len\x01\x02",
		"a longer text": "\x81\xa4path\xa5/a",
		"16 keys":       "\xde\x00\x01\xa3len\x01",
	} {
		if checkFlat(t, []byte(b)) {
			t.Errorf("%s is read", name)
		}
	}
}

func FuzzFlat(f *testing.F) {
	f.Add([]byte("\x83\xa6status\xcc\xc8\xa3len\xcd\x10\x00\xa4body\xcf\x00\x00\x00\x01\x00\x00\x00\x02"))
	f.Add([]byte("\x82\xa6status\xcc\xcf\xa4data\xc4\x02ab"))
	f.Add([]byte("\x83\xa4path\xa2/a\xa3off\x05\xa3len\xff"))
	f.Fuzz(func(t *testing.T, b []byte) { checkFlat(t, b) })
}
