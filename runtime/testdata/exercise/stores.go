//go:build wasip1

package main

import (
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

// storeCall answers operations whose path is words: what to do with a store, the store's name, and paths in it. The last
// result is false for others.
func storeCall(op abi.Op, b []byte) (abi.Message, *abi.Error, bool) {
	var words []string
	is := func(path string) bool {
		words = append(strings.Fields(path), "", "", "")
		return len(words) > 4
	}
	var m abi.Message
	var e *abi.Error
	switch op {
	case abi.OpStat:
		var q abi.PathRequest
		must(abi.Decode(b, &q))
		if !is(q.Path) {
			return nil, nil, false
		}
		m, e = storeStat(words)
	case abi.OpList:
		var q abi.ListRequest
		must(abi.Decode(b, &q))
		if !is(q.Path) {
			return nil, nil, false
		}
		m = &abi.ListReply{}
		e = call(abi.HostStoreList, &abi.StoreListRequest{Store: words[1], Path: words[2], Cursor: q.Cursor, Limit: q.Limit}, m)
	case abi.OpRead:
		var q abi.ReadRequest
		must(abi.Decode(b, &q))
		if !is(q.Path) {
			return nil, nil, false
		}
		m, e = storeRead(words, &q)
	case abi.OpPut:
		var q abi.PutRequest
		must(abi.Decode(b, &q))
		if !is(q.Path) {
			return nil, nil, false
		}
		m, e = &abi.Empty{}, storePut(words, &q)
	case abi.OpRedirect:
		var q abi.RedirectRequest
		must(abi.Decode(b, &q))
		if !is(q.Path) {
			return nil, nil, false
		}
		r := &abi.RedirectReply{}
		e = call(abi.HostStoreRedirect, &abi.StoreRedirectRequest{Store: words[1], Path: words[2], Method: q.Method, Remote: q.Remote, Forwarded: q.Forwarded}, r)
		if words[0] == "other" {
			r.URL += "x"
		}
		m = r
	case abi.OpUploadOpen:
		var q abi.UploadOpenRequest
		must(abi.Decode(b, &q))
		if !strings.HasPrefix(q.Path, "/delegated/") {
			return nil, nil, false
		}
		m = delegate(&q)
	case abi.OpCommitting:
		var q abi.CommittingRequest
		must(abi.Decode(b, &q))
		m, e = &abi.Empty{}, committing(&q)
		if e == nil && q.Sink != 0 {
			e = transformEnd(&q)
		}
	default:
		return nil, nil, false
	}
	return m, e, true
}

func storeStat(words []string) (abi.Message, *abi.Error) {
	one := &abi.StoreRequest{Store: words[1], Path: words[2]}
	switch words[0] {
	case "info":
		var r abi.OpenReply
		e := call(abi.HostStoreInfo, one, &r)
		return &abi.Entry{Size: r.MaxObject, Time: int64(r.Caps)}, e
	case "stat":
		r := &abi.Entry{}
		return r, call(abi.HostStoreStat, one, r)
	case "delete":
		return &abi.Entry{}, call(abi.HostStoreDelete, one, &abi.Empty{})
	case "tree":
		return &abi.Entry{}, call(abi.HostStoreDeleteTree, one, &abi.Empty{})
	case "abort":
		return &abi.Entry{}, call(abi.HostStoreAbort, one, &abi.Empty{})
	case "move":
		return &abi.Entry{}, call(abi.HostStoreMove, &abi.StoreMoveRequest{Store: words[1], Path: words[2], Dest: words[3]}, &abi.Empty{})
	case "http-then-store": // sinks of both kinds
		var s abi.SinkMessage
		if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/x", Size: 5}, &s); e != nil {
			return nil, e
		}
		return nil, call(abi.HostStoreBegin, one, &s)
	case "http-then-http":
		var s abi.SinkMessage
		if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/x", Size: 5}, &s); e != nil {
			return nil, e
		}
		return nil, call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/y", Size: 5}, &s)
	case "http-then-body":
		var s abi.SinkMessage
		if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/x", Size: 5}, &s); e != nil {
			return nil, e
		}
		return nil, call(abi.HostHTTP, &abi.HTTPRequest{Method: "PUT", URL: config.Endpoint + "/y", Body: []abi.Handle{1<<32 | 1}, All: true}, &abi.HTTPReply{})
	case "store-then-http":
		var s abi.SinkMessage
		if e := call(abi.HostStoreBegin, one, &s); e != nil {
			return nil, e
		}
		return nil, call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/x", Size: 5}, &s)
	case "finish-other":
		var s abi.SinkMessage
		if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + "/x", Size: 5}, &s); e != nil {
			return nil, e
		}
		return nil, call(abi.HostStoreFinish, &s, &abi.Empty{})
	}
	return nil, fail(abi.KindUnsupported, words[0])
}

func storeRead(words []string, q *abi.ReadRequest) (abi.Message, *abi.Error) {
	var r abi.StoreReadReply
	if e := call(abi.HostStoreRead, &abi.StoreReadRequest{Store: words[1], Path: words[2], Off: q.Off, Len: q.Len}, &r); e != nil {
		return nil, e
	}
	switch words[0] {
	case "short": // promises more than there is
		r.Len++
	case "behind": // has read some of it
		p := make([]byte, 10)
		n := hostRead(int64(r.Body), unsafe.Pointer(unsafe.SliceData(p)), uint32(len(p)))
		r.Len -= max(n, 0)
	case "many":
		for range 10 {
			if e := call(abi.HostStoreRead, &abi.StoreReadRequest{Store: words[1], Path: words[2], Len: -1}, &abi.StoreReadReply{}); e != nil {
				return nil, e
			}
		}
	}
	return &abi.ReadReply{Len: r.Len, Body: r.Body}, nil
}

func storePut(words []string, q *abi.PutRequest) *abi.Error {
	m := &abi.StorePutRequest{Store: words[1], Path: words[2]}
	switch words[0] {
	case "put":
		m.Body = []abi.Handle{q.Body}
	case "twice":
		m.Body = []abi.Handle{q.Body, q.Body}
	case "data":
		m.Data = make([]byte, q.Size)
		for at := int64(0); at < q.Size; {
			n := hostRead(int64(q.Body), unsafe.Pointer(unsafe.SliceData(m.Data[at:])), uint32(q.Size-at))
			if n <= 0 {
				return fail(abi.KindCorrupt, "the body")
			}
			at += n
		}
	case "both":
		m.Data, m.Body = []byte("x"), []abi.Handle{q.Body}
	case "behind": // what another file has, and the body
		var r abi.StoreReadReply
		if e := call(abi.HostStoreRead, &abi.StoreReadRequest{Store: words[1], Path: words[3], Len: -1}, &r); e != nil {
			return e
		}
		m.Body = []abi.Handle{r.Body, q.Body}
	default:
		return storeSink(words, q)
	}
	return call(abi.HostStorePut, m, &abi.Empty{})
}

// storeSink moves the body into a sink, and does with that what the first word says.
func storeSink(words []string, q *abi.PutRequest) *abi.Error {
	var s abi.SinkMessage
	if e := call(abi.HostStoreBegin, &abi.StoreRequest{Store: words[1], Path: words[2]}, &s); e != nil {
		return e
	}
	if n := hostSplice(int64(s.Sink), int64(q.Body), -1); n != q.Size {
		return fail(abi.KindCorrupt, "splice")
	}
	switch words[0] {
	case "sink":
		return call(abi.HostStoreFinish, &s, &abi.Empty{})
	case "close":
		hostClose(int64(s.Sink))
	case "trap":
		panic("in the middle of a sink")
	case "drop":
	case "second":
		return call(abi.HostStoreBegin, &abi.StoreRequest{Store: words[1], Path: words[3]}, &abi.SinkMessage{})
	case "second-put":
		return call(abi.HostStorePut, &abi.StorePutRequest{Store: words[1], Path: words[3], Data: []byte("x")}, &abi.Empty{})
	}
	return nil
}

// delegate answers as the path says, /delegated/KIND/....
func delegate(q *abi.UploadOpenRequest) *abi.UploadOpenReply {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(q.Path, "/delegated/"), "/")
	r := &abi.UploadOpenReply{Store: "under", Dest: "/in-store/" + rest}
	r.Transform = strings.HasPrefix(kind, "transformed")
	switch kind {
	case "unknown":
		r.Store = "missing"
	case "both":
		r.Token = "mine"
	case "path":
		r.Dest = "/../" + rest
	case "nameless":
		r.Store = ""
	case "forged":
		return &abi.UploadOpenReply{Token: "~store:under:plain:0:/x:nABC/y"}
	}
	return r
}

// committing refuses what is below /delegated/refused until the content is long enough.
func committing(q *abi.CommittingRequest) *abi.Error {
	if (strings.HasPrefix(q.Path, "/delegated/refused/") || strings.HasPrefix(q.Path, "/delegated/transformed-refused/")) && q.Size < 300_000 {
		return fail(abi.KindPermission, "no "+q.Path+" of "+strings.Repeat("k", int(q.Size/100_000)))
	}
	return nil
}
