package abi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/abi"
)

var update = flag.Bool("update", false, "rewrite testdata/messages.json")

const goldenFile = "testdata/messages.json"

// vector is one golden message. Value is the message with the keys of the wire; bytes are
// base64 in it.
type vector struct {
	Name  string          `json:"name"`
	Op    string          `json:"op"`
	Dir   string          `json:"dir"`
	Hex   string          `json:"hex"`
	Value json.RawMessage `json:"value"`
}

type sample struct {
	name, op, dir string
	m             abi.Message
}

const manifest = `{"name":"webdav","version":"1.0.0","schema":{"type":"object","additionalProperties":false}}`

func samples() []sample {
	const handle = abi.Handle(3<<32 | 7)
	when := int64(1700000000123456789)
	receipts := []abi.Receipt{{Num: 1, Size: 5 << 20, Data: []byte("etag-1")}, {Num: 2, Off: 5 << 20, Size: 5 << 20, Data: []byte{0, 255}}}
	entries := []abi.Entry{{Name: "a", Size: 1, Time: when}, {Name: "blobs", Dir: true}, {Name: "c~" + strings.Repeat("x", 300), Size: 1 << 40, Time: -1}}
	return []sample{
		{"describe", "describe", "request", &abi.Empty{}},
		{"describe", "describe", "reply", &abi.DescribeReply{Manifest: []byte(manifest)}},
		{"open", "open", "request", &abi.OpenRequest{Params: []byte(`{"endpoint":"http://127.0.0.1:1"}`)}},
		{"open with features", "open", "request", &abi.OpenRequest{Params: []byte(`{}`), Features: 3}},
		{"open", "open", "reply", &abi.OpenReply{Caps: abi.AbilityMove | abi.AbilityConditional, MaxObject: 5 << 30}},
		{"open without abilities", "open", "reply", &abi.OpenReply{}},
		{"stat", "stat", "request", &abi.PathRequest{Path: "/a/b"}},
		{"stat of a file", "stat", "reply", &abi.Entry{Size: 65536, Time: when}},
		{"stat of a directory", "stat", "reply", &abi.Entry{Dir: true}},
		{"list", "list", "request", &abi.ListRequest{Path: "/", Limit: 1000}},
		{"list continued", "list", "request", &abi.ListRequest{Path: "/a", Cursor: "next", Limit: 2}},
		{"list", "list", "reply", &abi.ListReply{Entries: entries, Cursor: "next"}},
		{"list of nothing", "list", "reply", &abi.ListReply{}},
		{"read", "read", "request", &abi.ReadRequest{Path: "/a", Off: 70000, Len: -1}},
		{"read of a range", "read", "request", &abi.ReadRequest{Path: "/a", Len: 128}},
		{"read by body", "read", "reply", &abi.ReadReply{Len: 200, Body: handle}},
		{"read by data", "read", "reply", &abi.ReadReply{Len: 3, Data: []byte{1, 2, 3}}},
		{"read by some of the data", "read", "reply", &abi.ReadReply{Len: 1 << 20, Data: []byte{1, 2, 3}, Version: []byte("v1")}},
		{"read at the end", "read", "reply", &abi.ReadReply{}},
		{"put", "put", "request", &abi.PutRequest{Path: "/a", Size: 255, Body: handle}},
		{"put", "put", "reply", &abi.Empty{}},
		{"delete", "delete", "request", &abi.PathRequest{Path: "/a"}},
		{"delete", "delete", "reply", &abi.Empty{}},
		{"delete_tree", "delete_tree", "request", &abi.PathRequest{Path: "/a"}},
		{"delete_tree", "delete_tree", "reply", &abi.Empty{}},
		{"copy", "copy", "request", &abi.CopyRequest{Path: "/a", Dest: "/b"}},
		{"copy", "copy", "reply", &abi.Empty{}},
		{"move", "move", "request", &abi.CopyRequest{Path: "/a", Dest: "/b"}},
		{"move", "move", "reply", &abi.Empty{}},
		{"concat", "concat", "request", &abi.ConcatRequest{Dest: "/d", Paths: []string{"/d~/1", "/d~/2"}}},
		{"concat", "concat", "reply", &abi.Empty{}},
		{"list_tree", "list_tree", "request", &abi.ListRequest{Path: "/a", After: "b/c", Cursor: "x", Limit: 10}},
		{"list_tree", "list_tree", "reply", &abi.ListReply{Entries: []abi.Entry{{Name: "b/d", Size: 128}}}},
		{"redirect", "redirect", "request", &abi.RedirectRequest{Path: "/a", Method: "GET", Remote: "10.0.0.1:99", Forwarded: "192.0.2.1"}},
		{"redirect", "redirect", "reply", &abi.RedirectReply{URL: "https://store.example/a?sig=1"}},
		{"no redirect", "redirect", "reply", &abi.RedirectReply{}},
		{"upload_open", "upload_open", "request", &abi.UploadOpenRequest{Path: "/a", Append: true, Receipts: handle}},
		{"upload_open", "upload_open", "reply", &abi.UploadOpenReply{Token: "/a\tid", Limits: abi.Limits{
			Min: 5 << 20, Max: 5 << 30, Count: 10000, Multiple: 1 << 18, Equal: true, Seq: true, Total: 5 << 40, Digests: []string{"sha256", "md5"}}}},
		{"upload_open resumed with data", "upload_open", "reply", &abi.UploadOpenReply{Token: "t", Resumed: true, Tail: []byte("tail"), Len: 4}},
		{"upload_open resumed with a body", "upload_open", "reply", &abi.UploadOpenReply{Token: "t", Resumed: true, Body: handle, Len: 1 << 20}},
		{"upload_part", "upload_part", "request", &abi.UploadPartRequest{Token: "t", Num: 2, Off: 5 << 20, Size: 5 << 20, Body: handle,
			Digests: map[string][]byte{"md5": {1, 2}, "crc32c": {3, 4, 5, 6}}}},
		{"upload_part", "upload_part", "reply", &abi.UploadPartReply{Data: []byte("etag")}},
		{"upload_suspend", "upload_suspend", "request", &abi.UploadEndRequest{Token: "t", Receipts: handle, Size: 9, Body: handle + 1}},
		{"upload_suspend", "upload_suspend", "reply", &abi.Empty{}},
		{"upload_commit", "upload_commit", "request", &abi.UploadEndRequest{Token: "t", Receipts: handle, Num: 3, Off: 10 << 20, Size: 9, Body: handle + 1}},
		{"upload_commit without a last part", "upload_commit", "request", &abi.UploadEndRequest{Token: "t", Receipts: handle}},
		{"upload_commit", "upload_commit", "reply", &abi.Empty{}},
		{"upload_cancel", "upload_cancel", "request", &abi.TokenRequest{Token: "t"}},
		{"upload_cancel", "upload_cancel", "reply", &abi.Empty{}},
		{"upload_abort", "upload_abort", "request", &abi.PathRequest{Path: "/a"}},
		{"upload_abort", "upload_abort", "reply", &abi.Empty{}},
		{"list_uploads", "list_uploads", "request", &abi.ListRequest{Path: "/a", Cursor: "x", Limit: 10}},
		{"list_uploads", "list_uploads", "reply", &abi.ListReply{Entries: []abi.Entry{{Name: "b/d", Time: when}, {Name: "c", Time: when}}, Cursor: "y"}},
		{"http with handles", "http", "request", &abi.HTTPRequest{Method: "PUT", URL: "http://127.0.0.1:1/a", Headers: []string{"content-type", "text/plain"}, Body: []abi.Handle{handle, handle + 1}, All: true}},
		{"http with data", "http", "request", &abi.HTTPRequest{Method: "PROPFIND", URL: "http://127.0.0.1:1/", Data: []byte("<x/>"), Max: 524288, Want: []string{"etag", "content-length"}}},
		{"http wanting no headers", "http", "request", &abi.HTTPRequest{Method: "GET", URL: "http://127.0.0.1:1/", Want: []string{}}},
		{"http with data", "http", "reply", &abi.HTTPReply{Status: 207, Headers: []string{"etag", `"1"`}, Len: 4, Data: []byte("<x/>")}},
		{"http with a body", "http", "reply", &abi.HTTPReply{Status: 200, Headers: []string{"etag", `"1"`}, Len: -1, Body: handle}},
		{"http without a body", "http", "reply", &abi.HTTPReply{Status: 204}},
		{"http_begin", "http_begin", "request", &abi.HTTPBeginRequest{Method: "PUT", URL: "http://127.0.0.1:1/a", Size: -1}},
		{"http_begin", "http_begin", "reply", &abi.HTTPBeginReply{Sink: handle}},
		{"http_finish", "http_finish", "request", &abi.HTTPFinishRequest{Sink: handle, Max: 100, All: true}},
		{"http_finish wanting headers", "http_finish", "request", &abi.HTTPFinishRequest{Sink: handle, Want: []string{"etag"}}},
		{"http_finish", "http_finish", "reply", &abi.HTTPReply{Status: 201}},
		{"http that outlasts its call", "http", "request", &abi.HTTPRequest{Method: "POST", URL: "http://127.0.0.1:1/a", Data: []byte("<x/>"), Outlast: true, All: true, Signing: abi.Signing{Credential: "storage"}}},
		{"http_all", "http_all", "request", &abi.HTTPAllRequest{Requests: []abi.HTTPRequest{
			{Method: "GET", URL: "http://127.0.0.1:1/a", Max: 1000, Want: []string{}, Signing: abi.Signing{Credential: "storage"}},
			{Method: "POST", URL: "http://127.0.0.1:1/b", Headers: []string{"content-type", "text/plain"}, Data: []byte("x"), All: true}}}},
		{"http_all", "http_all", "reply", &abi.HTTPAllReply{Replies: []abi.HTTPOutcome{
			{HTTPReply: abi.HTTPReply{Status: 200, Headers: []string{"etag", `"1"`}, Len: 4, Data: []byte("<x/>")}},
			{Err: &abi.Error{Kind: abi.KindUnavailable, Temporary: true, Message: "no answer"}},
			{HTTPReply: abi.HTTPReply{Status: 204}}}}},
		{"receipts_get", "receipts_get", "request", &abi.ReceiptsGetRequest{Receipts: handle, After: 256, Limit: 256}},
		{"receipts_get", "receipts_get", "reply", &abi.ReceiptsPage{Page: receipts}},
		{"receipts_set", "receipts_set", "request", &abi.ReceiptsPage{Receipts: handle, Page: receipts}},
		{"receipts_set", "receipts_set", "reply", &abi.Empty{}},
		{"read by a stream", "read", "reply", &abi.ReadReply{Len: 200, Stream: []byte("frame 7"), Skip: 4000}},
		{"upload_open in a store", "upload_open", "reply", &abi.UploadOpenReply{Store: "under", Dest: "/a"}},
		{"upload_open in a store, transformed", "upload_open", "reply", &abi.UploadOpenReply{Store: "under", Dest: "/a", Transform: true}},
		{"stream of a read", "stream", "request", &abi.StreamRequest{Path: "/a", State: []byte("frame 7"), Sink: handle}},
		{"stream of an upload", "stream", "request", &abi.StreamRequest{Path: "/a", Body: handle, Size: 4 << 20, Sink: handle + 1}},
		{"stream", "stream", "reply", &abi.StreamReply{State: []byte("frame 8")}},
		{"stream of a read", "stream", "reply", &abi.StreamReply{}},
		{"committing", "committing", "request", &abi.CommittingRequest{Path: "/a", Size: 9 << 20}},
		{"committing what was transformed", "committing", "request", &abi.CommittingRequest{Path: "/a", Size: 9 << 20, State: []byte("frame 8"), Sink: handle}},
		{"committing", "committing", "reply", &abi.Empty{}},
		{"http with a credential", "http", "request", &abi.HTTPRequest{Method: "PUT", URL: "http://127.0.0.1:1/a", Body: []abi.Handle{handle}, All: true,
			Signing: abi.Signing{Credential: "storage", SHA256: []byte{1, 2, 3}}}},
		{"http with keyed values", "http", "request", &abi.HTTPRequest{Method: "GET", URL: "http://127.0.0.1:1/a", All: true, Signing: abi.Signing{Keyed: []abi.Keyed{
			{Name: "authorization", Text: "AKI id:{key}", Key: handle, Encoding: "base64"}, {Name: "?sig", Text: "{key}", Key: handle, Encoding: "hex"}}}}},
		{"http_begin with a credential", "http_begin", "request", &abi.HTTPBeginRequest{Method: "PUT", URL: "http://127.0.0.1:1/a", Size: 5, Signing: abi.Signing{Credential: "storage"}}},
		{"presign", "presign", "request", &abi.PresignRequest{Method: "GET", URL: "http://127.0.0.1:1/a", Headers: []string{"x-a", "b"}, Credential: "storage", Seconds: 1200}},
		{"presign", "presign", "reply", &abi.RedirectReply{URL: "http://127.0.0.1:1/a?sig=1"}},
		{"hmac with a secret", "hmac", "request", &abi.HMACRequest{Secret: "key", Alg: "sha256", Data: []byte("20261121")}},
		{"hmac with a key", "hmac", "request", &abi.HMACRequest{Key: handle, Alg: "sha1", Data: []byte{0, 255}}},
		{"hmac", "hmac", "reply", &abi.HMACReply{Key: handle}},
		{"secret", "secret", "request", &abi.SecretRequest{Name: "salt"}},
		{"secret", "secret", "reply", &abi.SecretReply{Data: []byte("s3cret")}},
		{"hash of data", "hash", "request", &abi.HashRequest{Algs: []string{"sha256", "md5"}, Data: []byte("abc")}},
		{"hash of handles", "hash", "request", &abi.HashRequest{Algs: []string{"crc64"}, Body: []abi.Handle{handle, handle + 1}}},
		{"hash", "hash", "reply", &abi.HashReply{Digests: map[string][]byte{"md5": {1, 2}, "crc32c": {3, 4, 5, 6}}, Size: 3}},
		{"hash_begin", "hash_begin", "request", &abi.HashBeginRequest{Algs: []string{"crc32c"}}},
		{"hash_begin", "hash_begin", "reply", &abi.SinkMessage{Sink: handle}},
		{"hash_finish", "hash_finish", "request", &abi.SinkMessage{Sink: handle}},
		{"hash_finish", "hash_finish", "reply", &abi.HashReply{Digests: map[string][]byte{"crc32c": {3, 4, 5, 6}}, Size: 70000}},
		{"compress", "compress", "request", &abi.CompressRequest{Alg: "zstd", Level: 3, Body: []abi.Handle{handle}}},
		{"compress undone", "compress", "request", &abi.CompressRequest{Alg: "gzip", Undo: true, Body: []abi.Handle{handle, handle + 1}, Max: 1 << 30}},
		{"compress", "compress", "reply", &abi.CompressReply{Body: handle}},
		{"time_format", "time_format", "request", &abi.TimeRequest{Time: when, Format: "http"}},
		{"time_format", "time_format", "reply", &abi.TimeReply{Text: "Tue, 14 Nov 2023 22:13:20 GMT"}},
		{"time_parse", "time_parse", "request", &abi.TimeRequest{Text: "2023-11-14T22:13:20Z", Format: "rfc3339"}},
		{"time_parse", "time_parse", "reply", &abi.TimeReply{Time: -1}},
		{"metric", "metric", "request", &abi.MetricRequest{Name: "retries", Type: "counter", Value: 1}},
		{"metric", "metric", "reply", &abi.Empty{}},
		{"store_info", "store_info", "request", &abi.StoreRequest{Store: "under"}},
		{"store_info", "store_info", "reply", &abi.OpenReply{Caps: abi.AbilityMove, MaxObject: 64 << 20}},
		{"store_stat", "store_stat", "request", &abi.StoreRequest{Store: "under", Path: "/a"}},
		{"store_stat", "store_stat", "reply", &abi.Entry{Size: 65536, Time: when}},
		{"store_list", "store_list", "request", &abi.StoreListRequest{Store: "under", Path: "/a", Cursor: "next", Limit: 1000}},
		{"store_list", "store_list", "reply", &abi.ListReply{Entries: entries, Cursor: "next"}},
		{"store_read", "store_read", "request", &abi.StoreReadRequest{Store: "under", Path: "/a", Off: 70000, Len: -1}},
		{"store_read", "store_read", "reply", &abi.StoreReadReply{Len: 200, Body: handle}},
		{"store_put with data", "store_put", "request", &abi.StorePutRequest{Store: "under", Path: "/a", Data: []byte("abc")}},
		{"store_put with handles", "store_put", "request", &abi.StorePutRequest{Store: "under", Path: "/a", Body: []abi.Handle{handle, handle + 1}}},
		{"store_put", "store_put", "reply", &abi.Empty{}},
		{"store_begin", "store_begin", "request", &abi.StoreRequest{Store: "under", Path: "/a"}},
		{"store_begin", "store_begin", "reply", &abi.SinkMessage{Sink: handle}},
		{"store_finish", "store_finish", "request", &abi.SinkMessage{Sink: handle}},
		{"store_finish", "store_finish", "reply", &abi.Empty{}},
		{"store_delete", "store_delete", "request", &abi.StoreRequest{Store: "under", Path: "/a"}},
		{"store_delete", "store_delete", "reply", &abi.Empty{}},
		{"store_delete_tree", "store_delete_tree", "request", &abi.StoreRequest{Store: "under", Path: "/a"}},
		{"store_delete_tree", "store_delete_tree", "reply", &abi.Empty{}},
		{"store_move", "store_move", "request", &abi.StoreMoveRequest{Store: "under", Path: "/a", Dest: "/b"}},
		{"store_move", "store_move", "reply", &abi.Empty{}},
		{"store_redirect", "store_redirect", "request", &abi.StoreRedirectRequest{Store: "under", Path: "/a", Method: "GET", Remote: "10.0.0.1:99", Forwarded: "192.0.2.1"}},
		{"store_redirect", "store_redirect", "reply", &abi.RedirectReply{URL: "http://127.0.0.1:1/a"}},
		{"store_abort", "store_abort", "request", &abi.StoreRequest{Store: "under", Path: "/a"}},
		{"store_abort", "store_abort", "reply", &abi.Empty{}},
		{"not found", "stat", "error", &abi.Error{Kind: abi.KindNotFound, Status: 404, Message: "nothing at /a"}},
		{"overloaded", "put", "error", &abi.Error{Kind: abi.KindUnavailable, Temporary: true, After: 1500, Status: 503, Message: "slow down"}},
		{"unknown", "put", "error", &abi.Error{Message: "?"}},
	}
}

func TestGoldenMessages(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	all := samples()
	if len(vectors) != len(all) {
		t.Fatalf("%d vectors in %s, %d samples; regenerate with -update", len(vectors), goldenFile, len(all))
	}
	for i, s := range all {
		v := vectors[i]
		t.Run(v.Op+"/"+v.Dir+"/"+v.Name, func(t *testing.T) {
			want, err := hex.DecodeString(v.Hex)
			if err != nil {
				t.Fatal(err)
			}
			got, err := abi.Append(nil, s.m)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("encoded as\n%x, %v, the vector says\n%x", got, err, want)
			}
			checkDecode(t, s, want)
			var value, now bytes.Buffer
			if err := json.Compact(&value, v.Value); err != nil {
				t.Fatal(err)
			}
			b, _ := json.Marshal(s.m)
			_ = json.Compact(&now, b)
			if value.String() != now.String() {
				t.Fatalf("value is %s, the vector says %s", now.String(), value.String())
			}
		})
	}
}

// checkDecode decodes b into a fresh message and compares it with the sample.
func checkDecode(t *testing.T, s sample, b []byte) {
	t.Helper()
	m := reflect.New(reflect.TypeOf(s.m).Elem()).Interface().(abi.Message)
	if s.dir == "error" {
		e, err := abi.DecodeReply(b, &abi.Empty{})
		if err != nil || !reflect.DeepEqual(e, s.m) {
			t.Fatalf("decoded as %+v, %v, want %+v", e, err, s.m)
		}
		return
	}
	if err := abi.Decode(b, m); err != nil {
		t.Fatal(err)
	}
	got, _ := abi.Append(nil, m)
	if !bytes.Equal(got, b) {
		t.Fatalf("decoded as %+v, want %+v", m, s.m)
	}
	gotJSON, _ := json.Marshal(m)
	wantJSON, _ := json.Marshal(s.m)
	if !bytes.Equal(gotJSON, wantJSON) {
		t.Fatalf("decoded as %s, want %s", gotJSON, wantJSON)
	}
}

func writeGolden(t *testing.T) {
	var vectors []vector
	for _, s := range samples() {
		b, err := abi.Append(nil, s.m)
		if err != nil {
			t.Fatal(err)
		}
		value, err := json.Marshal(s.m)
		if err != nil {
			t.Fatal(err)
		}
		vectors = append(vectors, vector{s.name, s.op, s.dir, hex.EncodeToString(b), value})
	}
	out, err := json.MarshalIndent(vectors, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(goldenFile, append(out, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
