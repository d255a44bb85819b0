package berth

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// hostOps are the host's operations: their numbers and how the SDK asks for each. What send returns are the
// results of the call, in the order of the reply's keys.
var hostOps = map[string]struct {
	number int32
	send   func(w *wireHost, r *goldenRequest) []any
}{
	"http": {hostHTTP, func(w *wireHost, r *goldenRequest) []any { return responseOf(w.HTTP(r.http(w))) }},
	"http_all": {hostHTTPAll, func(w *wireHost, r *goldenRequest) []any {
		var requests []*Request
		for i := range r.Requests {
			requests = append(requests, r.Requests[i].http(w))
		}
		all, err := w.call().HTTPAll(requests...)
		var answers []any
		for i := range all {
			answers = append(answers, responseOf(&all[i].Response, all[i].Err))
		}
		return results(answers, err)
	}},
	"http_begin": {hostHTTPBegin, func(w *wireHost, r *goldenRequest) []any { return handleResult(w.Begin(r.http(w), r.Size)) }},
	"http_finish": {hostHTTPFinish, func(w *wireHost, r *goldenRequest) []any {
		return responseOf((&handle{w, r.Sink}).Finish(r.Max, r.want()))
	}},
	"receipts_get": {hostReceiptsGet, func(w *wireHost, r *goldenRequest) []any {
		return results((&wireReceipts{w, r.Receipts}).Page(r.After, r.Limit))
	}},
	"receipts_set": {hostReceiptsSet, func(w *wireHost, r *goldenRequest) []any {
		return results(nil, (&wireReceipts{w, r.Receipts}).Set(r.page()))
	}},
	"presign": {hostPresign, func(w *wireHost, r *goldenRequest) []any {
		return results(w.call().Presign(r.Method, r.URL, r.Headers, r.Credential, time.Duration(r.Seconds)*time.Second))
	}},
	"hmac": {hostHMAC, func(w *wireHost, r *goldenRequest) []any {
		var k *Key
		var err error
		if r.Key != 0 {
			k, err = NewKey(&handle{w, r.Key}).HMAC(w.call(), r.Alg, r.Data)
		} else {
			k, err = w.call().HMAC(r.Secret, r.Alg, r.Data)
		}
		if err != nil {
			return results(nil, err)
		}
		return handleResult(k.Host(), nil)
	}},
	"secret": {hostSecret, func(w *wireHost, r *goldenRequest) []any { return results(w.call().Secret(r.Name)) }},
	"hash": {hostHash, func(w *wireHost, r *goldenRequest) []any {
		if r.Body == nil {
			digests, err := w.call().Hash(r.Algs, r.Data)
			return results([]any{digests}, err)
		}
		digests, size, err := w.call().HashStreams(r.Algs, r.streams(w)...)
		return results([]any{digests, size}, err)
	}},
	"hash_begin": {hostHashBegin, func(w *wireHost, r *goldenRequest) []any { return handleResult(w.HashBegin(r.Algs)) }},
	"hash_finish": {hostHashFinish, func(w *wireHost, r *goldenRequest) []any {
		digests, size, err := (&HashSink{host: &hashSink{handle{w, r.Sink}}}).Finish()
		return results([]any{digests, size}, err)
	}},
	"compress": {hostCompress, func(w *wireHost, r *goldenRequest) []any {
		s, err := w.call().Compress(Compression{Alg: r.Alg, Undo: r.Undo, Level: r.Level, Max: int64(r.Max)}, r.streams(w)...)
		if err != nil {
			return results(nil, err)
		}
		return handleResult(s.Host(), nil)
	}},
	"time_format": {hostTimeFormat, func(w *wireHost, r *goldenRequest) []any {
		return results(w.call().FormatTime(time.Unix(0, r.Time), r.Format))
	}},
	"time_parse": {hostTimeParse, func(w *wireHost, r *goldenRequest) []any {
		at, err := w.call().ParseTime(r.Text, r.Format)
		return results(at.UnixNano(), err)
	}},
	"metric": {hostMetric, func(w *wireHost, r *goldenRequest) []any {
		if r.Type == "counter" {
			w.call().Count(r.Name, r.Value)
		} else {
			w.call().Gauge(r.Name, r.Value)
		}
		return nil
	}},
	"store_info": {hostStoreInfo, func(w *wireHost, r *goldenRequest) []any {
		info, err := r.store(w).Info()
		return results([]any{int64(info.Abilities), info.MaxObject}, err)
	}},
	"store_stat": {hostStoreStat, func(w *wireHost, r *goldenRequest) []any { return results(r.store(w).Stat(r.Path)) }},
	"store_list": {hostStoreList, func(w *wireHost, r *goldenRequest) []any {
		page, err := r.store(w).List(r.Path, r.Cursor, r.Limit)
		return results([]any{page.Entries, page.Cursor}, err)
	}},
	"store_read": {hostStoreRead, func(w *wireHost, r *goldenRequest) []any {
		content, err := r.store(w).Read(r.Path, r.Off, r.Len)
		if err != nil || content.Body == nil {
			return results([]any{content.Length}, err)
		}
		return append([]any{content.Length}, handleResult(content.Body.Host(), nil)...)
	}},
	"store_put": {hostStorePut, func(w *wireHost, r *goldenRequest) []any {
		if r.Body == nil {
			return results(nil, r.store(w).Put(r.Path, r.Data))
		}
		return results(nil, r.store(w).PutStreams(r.Path, r.streams(w)...))
	}},
	"store_begin": {hostStoreBegin, func(w *wireHost, r *goldenRequest) []any {
		s, err := r.store(w).Begin(r.Path)
		if err != nil {
			return results(nil, err)
		}
		return handleResult(s.host, nil)
	}},
	"store_finish": {hostStoreFinish, func(w *wireHost, r *goldenRequest) []any {
		return results(nil, (&StoreSink{host: &storeSink{handle{w, r.Sink}}}).Finish())
	}},
	"store_delete":      {hostStoreDelete, func(w *wireHost, r *goldenRequest) []any { return results(nil, r.store(w).Delete(r.Path)) }},
	"store_delete_tree": {hostStoreDeleteTree, func(w *wireHost, r *goldenRequest) []any { return results(nil, r.store(w).DeleteTree(r.Path)) }},
	"store_move":        {hostStoreMove, func(w *wireHost, r *goldenRequest) []any { return results(nil, r.store(w).Move(r.Path, r.Dest)) }},
	"store_redirect": {hostStoreRedirect, func(w *wireHost, r *goldenRequest) []any {
		return results(r.store(w).Redirect(r.Path, RedirectOptions{Method: r.Method, RemoteAddr: r.Remote, ForwardedFor: r.Forwarded}))
	}},
	"store_abort": {hostStoreAbort, func(w *wireHost, r *goldenRequest) []any { return results(nil, r.store(w).AbortUploads(r.Path)) }},
}

// goldenRequest is every key that a request of the host's operations may have.
type goldenRequest struct {
	Method, URL, Credential, Store, Path, Dest, Cursor string
	Remote, Forwarded, Name, Secret, Alg, Text, Format string
	Type                                               string
	Headers, Algs                                      []string
	Data, SHA256                                       []byte
	Body                                               []int64
	Max, After, Limit, Level                           int
	Want                                               *[]string
	Size, Receipts, Sink, Key, Seconds, Off, Len       int64
	Time, Value                                        int64
	Undo, Outlast                                      bool
	Page                                               []goldenReceipt
	Keyed                                              []goldenKeyed
	Requests                                           []goldenRequest
}

type goldenReceipt struct {
	Num       int
	Off, Size int64
	Data      []byte
}

type goldenKeyed struct {
	Name, Text, Enc string
	Key             int64
}

func (w *wireHost) call() *Call { return NewCall(w) }

func (r *goldenRequest) store(w *wireHost) *Store { return w.call().Store(r.Store) }

func (r *goldenRequest) want() []string {
	if r.Want == nil {
		return nil
	}
	return append([]string{}, *r.Want...)
}

func (r *goldenRequest) streams(w *wireHost) (streams []*Stream) {
	for _, h := range r.Body {
		streams = append(streams, NewStream(&handle{w, h}, -1))
	}
	return streams
}

func (r *goldenRequest) http(w *wireHost) *Request {
	req := &Request{Method: r.Method, URL: r.URL, Headers: r.Headers, Data: r.Data, Body: r.streams(w), Max: r.Max, Want: r.want(), Outlast: r.Outlast, Credential: r.Credential, SHA256: r.SHA256}
	for _, k := range r.Keyed {
		req.Keyed = append(req.Keyed, Keyed{k.Name, k.Text, NewKey(&handle{w, k.Key}), k.Enc})
	}
	return req
}

func (r *goldenRequest) page() (page []Receipt) {
	for _, p := range r.Page {
		page = append(page, Receipt{p.Num, p.Off, p.Size, p.Data})
	}
	return page
}

// results are a call's results: one value, or those in a []any, or the error.
func results(value any, err error) []any {
	switch list, many := value.([]any); {
	case err != nil:
		return []any{err}
	case many:
		return list
	case value == nil:
		return nil
	}
	return []any{value}
}

// handleResult is results of what stands on a handle.
func handleResult(value any, err error) []any {
	if err != nil {
		return []any{err}
	}
	switch v := value.(type) {
	case *handle:
		return []any{v.h}
	case *hashSink:
		return []any{v.h}
	case *storeSink:
		return []any{v.h}
	}
	return []any{fmt.Errorf("%T has no handle", value)}
}

func responseOf(r *Response, err error) []any {
	if err != nil {
		return []any{err}
	}
	list := []any{r.Status, r.Headers, r.Length, r.Data}
	if r.Body != nil {
		list = append(list, handleResult(r.Body.Host(), nil)...)
	}
	return list
}

func TestHostRequestsAreTheGoldenOnes(t *testing.T) {
	left := map[string]bool{} // operations that no vector was for
	for op := range hostOps {
		left[op] = true
	}
	for _, v := range vectors(t) {
		op, known := hostOps[v.Op]
		if !known || v.Dir != "request" {
			continue
		}
		delete(left, v.Op)
		t.Run(v.Op+"/"+v.Name, func(t *testing.T) {
			var r goldenRequest
			if err := json.Unmarshal(v.Value, &r); err != nil {
				t.Fatal(err)
			}
			im := &fakeImports{reply: []byte{0x80}, op: -1}
			op.send(newWireHost(im), &r)
			if got := hex.EncodeToString(im.request); got != v.Hex || im.op != op.number {
				t.Fatalf("wrote to operation %d\n%s, want to %d\n%s", im.op, got, op.number, v.Hex)
			}
		})
	}
	if len(left) > 0 {
		t.Fatalf("no vector was for %v", left)
	}
	if len(hostOps) != hostHTTPAll+1 {
		t.Fatalf("%d of the host's %d operations are tried", len(hostOps), hostHTTPAll+1)
	}
}

func TestGoldenRepliesOfTheHostAreRead(t *testing.T) {
	at := time.Unix(0, 1700000000123456789).UTC()
	h := int64(3<<32 | 7)
	entries := goldenEntries(t)
	want := map[string][]any{
		"http/http with data":      {207, []string{"etag", `"1"`}, int64(4), []byte("<x/>")},
		"http/http with a body":    {200, []string{"etag", `"1"`}, int64(-1), []byte(nil), h},
		"http/http without a body": {204, []string(nil), int64(0), []byte(nil)},
		"http_all/http_all": {
			[]any{200, []string{"etag", `"1"`}, int64(4), []byte("<x/>")}, []any{&Error{Kind: KindUnavailable, Temporary: true, Msg: "no answer"}},
			[]any{204, []string(nil), int64(0), []byte(nil)},
		},
		"http_begin/http_begin":     {h},
		"http_finish/http_finish":   {201, []string(nil), int64(0), []byte(nil)},
		"receipts_get/receipts_get": {[]Receipt{{1, 0, 5 << 20, []byte("etag-1")}, {2, 5 << 20, 5 << 20, []byte{0, 255}}}}, "receipts_set/receipts_set": nil,
		"presign/presign":                     {"http://127.0.0.1:1/a?sig=1"},
		"hmac/hmac":                           {h},
		"secret/secret":                       {[]byte("s3cret")},
		"hash/hash":                           {map[string][]byte{"md5": {1, 2}, "crc32c": {3, 4, 5, 6}}, int64(3)},
		"hash_begin/hash_begin":               {h},
		"hash_finish/hash_finish":             {map[string][]byte{"crc32c": {3, 4, 5, 6}}, int64(70000)},
		"compress/compress":                   {h},
		"time_format/time_format":             {"Tue, 14 Nov 2023 22:13:20 GMT"},
		"time_parse/time_parse":               {int64(-1)},
		"metric/metric":                       nil,
		"store_info/store_info":               {int64(AbilityMove), int64(64 << 20)},
		"store_stat/store_stat":               {Entry{Size: 65536, ModTime: at}},
		"store_list/store_list":               {entries, "next"},
		"store_read/store_read":               {int64(200), h},
		"store_put/store_put":                 nil,
		"store_begin/store_begin":             {h},
		"store_finish/store_finish":           nil,
		"store_delete/store_delete":           nil,
		"store_move/store_move":               nil,
		"store_abort/store_abort":             nil,
		"store_redirect/store_redirect":       {"http://127.0.0.1:1/a"},
		"store_delete_tree/store_delete_tree": nil,
	}
	seen := 0
	for _, v := range vectors(t) {
		op, known := hostOps[v.Op]
		if !known || v.Dir != "reply" {
			continue
		}
		seen++
		t.Run(v.Op+"/"+v.Name, func(t *testing.T) {
			w := newWireHost(&fakeImports{reply: v.message(t)})
			expected, known := want[v.Op+"/"+v.Name]
			if !known {
				t.Fatal("the test does not say what this reply means")
			}
			r := &goldenRequest{Key: 1, Sink: 1, Receipts: 1, Body: []int64{1}, Requests: make([]goldenRequest, 3)}
			if got := op.send(w, r); !reflect.DeepEqual(got, expected) {
				t.Fatalf("read as\n%v, want\n%v", got, expected)
			}
		})
	}
	if seen != len(want) {
		t.Fatalf("%d replies of the host, want %d", seen, len(want))
	}
}

// goldenEntries are those of the reply to list.
func goldenEntries(t *testing.T) (entries []Entry) {
	t.Helper()
	for _, v := range vectors(t) {
		if v.Dir != "reply" || v.Name != "list" {
			continue
		}
		var reply struct {
			Entries []struct {
				Name       string
				Size, Time int64
				Dir        bool
			}
		}
		if err := json.Unmarshal(v.Value, &reply); err != nil {
			t.Fatal(err)
		}
		for _, e := range reply.Entries {
			entry := Entry{Name: e.Name, Size: e.Size, Dir: e.Dir}
			if e.Time != 0 {
				entry.ModTime = time.Unix(0, e.Time).UTC()
			}
			entries = append(entries, entry)
		}
	}
	return entries
}

// TestErrorsOfTheHostAreRead sends each operation and has it refused.
func TestErrorsOfTheHostAreRead(t *testing.T) {
	var e encoder
	e.object().key("err")
	o := e.object()
	o.int("kind", int64(KindDenied))
	o.str("msg", "not granted")
	for name, op := range hostOps {
		if name == "metric" { // says it to the log
			continue
		}
		got := op.send(newWireHost(&fakeImports{reply: e.b}), &goldenRequest{Key: 1, Sink: 1, Receipts: 1})
		if len(got) == 0 {
			t.Errorf("%s: no error", name)
			continue
		}
		if err, ok := got[len(got)-1].(error); !ok || KindOf(err) != KindDenied || err.Error() != "denied by policy: not granted" {
			t.Errorf("%s: got %v, want denied", name, got)
		}
	}
}
