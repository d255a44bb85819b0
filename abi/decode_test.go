package abi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/berth-dev/storagedriver/abi"
)

func TestUnknownKeysAreIgnored(t *testing.T) {
	known, err := abi.Append(nil, &abi.ReadRequest{Path: "/a", Off: 1, Len: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{
		nil, true, -1, 1 << 40, 1.5, float32(2), strings.Repeat("x", 70000), []byte{1, 2}, []any{1, []any{"a", map[string]any{"b": nil}}},
		map[string]any{"deep": map[string]any{"deeper": []any{}}}, "é",
	} {
		value, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b := append([]byte{known[0] + 1, 0xa3, 'n', 'e', 'w'}, value...)
		b = append(b, known[1:]...)
		var m abi.ReadRequest
		if err := abi.Decode(b, &m); err != nil || m != (abi.ReadRequest{Path: "/a", Off: 1, Len: 2}) {
			t.Errorf("beside %T: %+v, %v", v, m, err)
		}
	}
}

func TestExtensionsAreSkipped(t *testing.T) {
	for _, ext := range []string{"d401ff", "d8010102030405060708090a0b0c0d0e0f10", "c70301010203"} {
		b, _ := hex.DecodeString("81a16e" + ext)
		if err := abi.Decode(b, &abi.Empty{}); err != nil {
			t.Errorf("%s: %v", ext, err)
		}
	}
}

func TestEveryIntegerFormatIsRead(t *testing.T) {
	for text, want := range map[string]int64{"7f": 127, "cc80": 128, "cd0100": 256, "ce00010000": 65536, "cf0000000100000000": 1 << 32,
		"d07f": 127, "d10100": 256, "d200010000": 65536, "d30000000100000000": 1 << 32, "ff": -1, "d0ff": -1, "d1ffff": -1, "d2ffffffff": -1, "d3ffffffffffffffff": -1} {
		b, _ := hex.DecodeString("81a36c656e" + text)
		var m abi.ReadRequest
		if err := abi.Decode(b, &m); err != nil || m.Len != want {
			t.Errorf("%s: %d, %v; want %d", text, m.Len, err, want)
		}
	}
}

func TestMalformedMessages(t *testing.T) {
	deep := "81a178" + strings.Repeat("91", 1<<19) + "c0"
	for name, text := range map[string]string{
		"nothing": "", "not a map": "90", "nil": "c0", "cut key": "81a4", "cut value": "81a470617468", "trailing": "8080",
		"key that is no string": "8101c0", "string of a wrong type": "81a47061746801", "bytes for a string": "81a470617468c40161",
		"string for an integer": "81a36f6666a131", "float for an integer": "81a36f6666cb3ff0000000000000", "nil for an integer": "81a36f6666c0",
		"not UTF-8": "81a470617468a1ff", "huge map": "dfffffffff", "huge string": "81a470617468dbffffffff", "negative": "81a36f6666ff",
		"beyond 63 bits": "81a36f6666cfffffffffffffffff", "huge unknown array": "81a178ddffffffff", "huge unknown map": "81a178dfffffffff",
		"huge unknown string": "81a178dbffffffff", "huge unknown extension": "81a178c9ffffffff00", "no code": "81a178c1", "deep": deep,
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := abi.Decode(b, &abi.ReadRequest{}); !errors.Is(err, abi.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := abi.Decode(make([]byte, abi.MaxMessage+1), &abi.Empty{}); !errors.Is(err, abi.ErrMalformed) {
		t.Errorf("too long: %v", err)
	}
}

func TestDepthIsLimitedExactly(t *testing.T) {
	nested := func(n int) []byte { // n containers, the message among them
		return append(append([]byte("\x81\xa1x"), bytes.Repeat([]byte{0x91}, n-1)...), 0xc0)
	}
	if err := abi.Decode(nested(abi.MaxDepth), &abi.Empty{}); err != nil {
		t.Errorf("depth %d: %v", abi.MaxDepth, err)
	}
	if err := abi.Decode(nested(abi.MaxDepth+1), &abi.Empty{}); !errors.Is(err, abi.ErrMalformed) {
		t.Errorf("depth %d: %v", abi.MaxDepth+1, err)
	}
}

func TestCountsAreLimited(t *testing.T) {
	many := func(key string, n int) []byte {
		b, _ := abi.Append(nil, &abi.Empty{})
		b[0] = 0x81
		b = append(b, 0xa0|byte(len(key)))
		b = append(b, key...)
		b = append(b, 0xdd, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		return append(b, bytes.Repeat([]byte{0x80}, n)...)
	}
	if err := abi.Decode(many("entries", abi.MaxList), &abi.ListReply{}); err != nil {
		t.Error(err)
	}
	if err := abi.Decode(many("entries", abi.MaxList+1), &abi.ListReply{}); err == nil {
		t.Error("more entries than MaxList were accepted")
	}
	if err := abi.Decode(many("page", abi.MaxReceiptPage+1), &abi.ReceiptsPage{}); err == nil {
		t.Error("more receipts than MaxReceiptPage were accepted")
	}
}

func TestLongMessagesAreNotWritten(t *testing.T) {
	if _, err := abi.Append(nil, &abi.ReadReply{Data: make([]byte, abi.MaxMessage)}); err == nil {
		t.Error("a message longer than MaxMessage was written")
	}
}

func TestDecodedMessagesAreCopies(t *testing.T) {
	b, _ := abi.Append(nil, &abi.ReadReply{Len: 3, Data: []byte("abc")})
	var m abi.ReadReply
	if err := abi.Decode(b, &m); err != nil {
		t.Fatal(err)
	}
	clear(b)
	if string(m.Data) != "abc" {
		t.Errorf("data changed to %q with the message", m.Data)
	}
}

func TestErrorRepliesAreTold(t *testing.T) {
	b, _ := abi.Append(nil, &abi.Error{Kind: 200, Temporary: true})
	e, err := abi.DecodeReply(b, &abi.Entry{})
	if err != nil || e == nil || e.Kind != abi.KindUnknown || !e.Temporary {
		t.Errorf("an unknown kind came as %+v, %v", e, err)
	}
	b, _ = abi.Append(nil, &abi.Entry{Size: 4})
	var m abi.Entry
	if e, err := abi.DecodeReply(b, &m); e != nil || err != nil || m.Size != 4 {
		t.Errorf("a reply came as %+v, %+v, %v", m, e, err)
	}
}

func TestManifest(t *testing.T) {
	for _, member := range []string{`"version":"1\u001b"`, `"description":"a\nb"`, `"hosts":["a\tb"]`, `"memory":-1`} {
		if _, err := abi.ParseManifest([]byte(`{"name":"a",` + member + `}`)); !errors.Is(err, abi.ErrMalformed) {
			t.Errorf("%s: %v", member, err)
		}
	}
	m, err := abi.ParseManifest([]byte(`{"name":"a-1_b","abilities":["move","levitate","parts"],"later":1}`))
	if err != nil || m.Caps() != abi.AbilityMove|abi.AbilityParts {
		t.Errorf("%+v, %v", m, err)
	}
	for _, bad := range []string{"", "[]", `{}`, `{"name":"A"}`, `{"name":"a/b"}`, `{"name":"` + strings.Repeat("a", 65) + `"}`, `{"name":"a","instances":2}`} {
		if _, err := abi.ParseManifest([]byte(bad)); !errors.Is(err, abi.ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// fuzzMessage checks that whatever decodes encodes to what decodes to the same.
func fuzzMessage(f *testing.F, op, dir string, fresh func() abi.Message) {
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		f.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		f.Fatal(err)
	}
	for _, v := range vectors {
		if v.Op == op && (v.Dir == dir || v.Dir == "error") {
			b, _ := hex.DecodeString(v.Hex)
			f.Add(b)
		}
	}
	f.Add([]byte("\x81\xa1x\xdd\x00\x00\x00\x01\x91\x91\x91\xc0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := fresh()
		if _, err := abi.DecodeReply(b, m); err != nil {
			if !errors.Is(err, abi.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		once, err := abi.Append(nil, m)
		if err != nil {
			return // longer than a message: defaults of an odd encoding grew
		}
		again := fresh()
		if err := abi.Decode(once, again); err != nil {
			t.Fatalf("%x does not decode: %v", once, err)
		}
		twice, err := abi.Append(nil, again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%x became %x, %v", once, twice, err)
		}
	})
}

func of[M any, P interface {
	*M
	abi.Message
}]() func() abi.Message {
	return func() abi.Message { return P(new(M)) }
}

func FuzzOpenRequest(f *testing.F)   { fuzzMessage(f, "open", "request", of[abi.OpenRequest]()) }
func FuzzOpenReply(f *testing.F)     { fuzzMessage(f, "open", "reply", of[abi.OpenReply]()) }
func FuzzDescribeReply(f *testing.F) { fuzzMessage(f, "describe", "reply", of[abi.DescribeReply]()) }
func FuzzPathRequest(f *testing.F)   { fuzzMessage(f, "stat", "request", of[abi.PathRequest]()) }
func FuzzEntry(f *testing.F)         { fuzzMessage(f, "stat", "reply", of[abi.Entry]()) }
func FuzzListRequest(f *testing.F)   { fuzzMessage(f, "list_tree", "request", of[abi.ListRequest]()) }
func FuzzListReply(f *testing.F)     { fuzzMessage(f, "list", "reply", of[abi.ListReply]()) }
func FuzzReadRequest(f *testing.F)   { fuzzMessage(f, "read", "request", of[abi.ReadRequest]()) }
func FuzzReadReply(f *testing.F)     { fuzzMessage(f, "read", "reply", of[abi.ReadReply]()) }
func FuzzPutRequest(f *testing.F)    { fuzzMessage(f, "put", "request", of[abi.PutRequest]()) }
func FuzzCopyRequest(f *testing.F)   { fuzzMessage(f, "copy", "request", of[abi.CopyRequest]()) }
func FuzzConcatRequest(f *testing.F) { fuzzMessage(f, "concat", "request", of[abi.ConcatRequest]()) }
func FuzzRedirectRequest(f *testing.F) {
	fuzzMessage(f, "redirect", "request", of[abi.RedirectRequest]())
}
func FuzzRedirectReply(f *testing.F) { fuzzMessage(f, "redirect", "reply", of[abi.RedirectReply]()) }
func FuzzUploadOpenRequest(f *testing.F) {
	fuzzMessage(f, "upload_open", "request", of[abi.UploadOpenRequest]())
}
func FuzzUploadOpenReply(f *testing.F) {
	fuzzMessage(f, "upload_open", "reply", of[abi.UploadOpenReply]())
}
func FuzzUploadPartRequest(f *testing.F) {
	fuzzMessage(f, "upload_part", "request", of[abi.UploadPartRequest]())
}
func FuzzUploadPartReply(f *testing.F) {
	fuzzMessage(f, "upload_part", "reply", of[abi.UploadPartReply]())
}
func FuzzUploadEndRequest(f *testing.F) {
	fuzzMessage(f, "upload_commit", "request", of[abi.UploadEndRequest]())
}
func FuzzTokenRequest(f *testing.F) {
	fuzzMessage(f, "upload_cancel", "request", of[abi.TokenRequest]())
}
func FuzzHTTPRequest(f *testing.F) { fuzzMessage(f, "http", "request", of[abi.HTTPRequest]()) }
func FuzzHTTPReply(f *testing.F)   { fuzzMessage(f, "http", "reply", of[abi.HTTPReply]()) }
func FuzzHTTPBeginRequest(f *testing.F) {
	fuzzMessage(f, "http_begin", "request", of[abi.HTTPBeginRequest]())
}
func FuzzHTTPBeginReply(f *testing.F) {
	fuzzMessage(f, "http_begin", "reply", of[abi.HTTPBeginReply]())
}
func FuzzHTTPFinishRequest(f *testing.F) {
	fuzzMessage(f, "http_finish", "request", of[abi.HTTPFinishRequest]())
}
func FuzzHTTPAllRequest(f *testing.F) {
	fuzzMessage(f, "http_all", "request", of[abi.HTTPAllRequest]())
}
func FuzzHTTPAllReply(f *testing.F) { fuzzMessage(f, "http_all", "reply", of[abi.HTTPAllReply]()) }
func FuzzReceiptsGet(f *testing.F) {
	fuzzMessage(f, "receipts_get", "request", of[abi.ReceiptsGetRequest]())
}
func FuzzReceiptsPage(f *testing.F) { fuzzMessage(f, "receipts_get", "reply", of[abi.ReceiptsPage]()) }

func FuzzManifest(f *testing.F) {
	f.Add([]byte(manifest))
	f.Add([]byte(`{"name":"a","hosts":["{b}"],"memory":1e9,"instances":1,"abilities":["move"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := abi.ParseManifest(b)
		if (m == nil) == (err == nil) {
			t.Fatal(m, err)
		}
	})
}

func BenchmarkEntry(b *testing.B) {
	m := &abi.Entry{Name: "blob", Size: 65536, Time: 1700000000123456789}
	buf, _ := abi.Append(nil, m)
	var got abi.Entry
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = abi.Append(buf[:0], m)
		if err := abi.Decode(buf, &got); err != nil {
			b.Fatal(err)
		}
	}
	if !reflect.DeepEqual(&got, m) {
		b.Fatal(got)
	}
}
