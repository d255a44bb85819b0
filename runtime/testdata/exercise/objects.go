//go:build wasip1

package main

import (
	"strconv"
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

func stat(path string) (abi.Message, *abi.Error) {
	if strings.HasPrefix(path, "/hostile/") {
		return hostile(path)
	}
	if name, ok := strings.CutPrefix(path, "/misuse/"); ok {
		return &abi.Entry{}, signingMisuse(name)
	}
	if path == "/echo" { // nothing but a message each way
		return &abi.Entry{Size: 65536, Time: 1700000000123456789}, nil
	}
	q := request("HEAD", path)
	q.All, q.Want = false, []string{"content-length"}
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	if e := ofStatus(&r); e != nil {
		return nil, e
	}
	if len(r.Headers) != 2 {
		return nil, fail(abi.KindCorrupt, "headers: "+strings.Join(r.Headers, ","))
	}
	return &abi.Entry{Size: r.Len}, nil
}

func read(m *abi.ReadRequest) (abi.Message, *abi.Error) {
	if kind, ok := strings.CutPrefix(m.Path, "/inline/"); ok {
		return inlineRead(kind, m)
	}
	if strings.HasPrefix(m.Path, "/hostile/") {
		return hostileRead(m)
	}
	if strings.HasPrefix(m.Path, "/signing/") {
		return signingRead(m.Path)
	}
	if strings.HasPrefix(m.Path, "/streams/") {
		return streamRead(m)
	}
	if strings.HasPrefix(m.Path, "/services/") {
		return services(m)
	}
	rng := "bytes=" + strconv.FormatInt(m.Off, 10) + "-"
	if m.Len >= 0 {
		rng += strconv.FormatInt(m.Off+m.Len-1, 10)
	}
	q := request("GET", m.Path, "range", rng)
	if m.Path == "/inline" {
		q.Max = abi.MaxInline
	}
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	if e := ofStatus(&r); e != nil {
		return nil, e
	}
	if r.Body == 0 {
		return &abi.ReadReply{Len: int64(len(r.Data)), Data: r.Data}, nil
	}
	return &abi.ReadReply{Len: r.Len, Body: r.Body}, nil
}

func put(m *abi.PutRequest) (abi.Message, *abi.Error) {
	if strings.HasPrefix(m.Path, "/services/") {
		return servicesPut(m)
	}
	var r abi.HTTPReply
	var e *abi.Error
	switch {
	case strings.HasPrefix(m.Path, "/signing/"):
		return signingPut(m)
	case strings.HasSuffix(m.Path, "-spliced"):
		e = putSpliced(m, &r)
	case strings.HasSuffix(m.Path, "-written"):
		e = putWritten(m, &r)
	case strings.HasSuffix(m.Path, "-amid"): // another request while one is being written
		var s abi.HTTPBeginReply
		if e = call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + m.Path, Size: m.Size}, &s); e != nil {
			break
		}
		if hostSplice(int64(s.Sink), int64(m.Body), m.Size-1) < 0 { // so that it has begun
			return nil, fail(abi.KindUnknown, "splice")
		}
		var got abi.HTTPReply
		if e = call(abi.HostHTTP, request("GET", "/first"), &got); e != nil {
			break
		}
		hostSplice(int64(s.Sink), int64(m.Body), 1)
		e = call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: s.Sink, All: true}, &r)
	case strings.HasSuffix(m.Path, "-dropped"):
		_, e = begin(m.Path, m.Size, m.Body, m.Size)
		if e == nil {
			e = fail(abi.KindConflict, "dropped")
		}
		return nil, e
	case strings.HasSuffix(m.Path, "-twice"): // the same source twice, and read before
		var head [3]byte
		hostRead(int64(m.Body), unsafe.Pointer(&head), 3)
		q := request("PUT", m.Path)
		q.Body = []abi.Handle{m.Body, m.Body}
		e = call(abi.HostHTTP, q, &r)
	case strings.HasSuffix(m.Path, "-joined"): // an object before the body
		var got abi.HTTPReply
		if e := call(abi.HostHTTP, request("GET", "/first"), &got); e != nil {
			return nil, e
		}
		q := request("PUT", m.Path)
		q.Body = []abi.Handle{got.Body, m.Body}
		e = call(abi.HostHTTP, q, &r)
	default:
		q := request("PUT", m.Path, "content-type", "application/octet-stream")
		q.Body = []abi.Handle{m.Body}
		e = call(abi.HostHTTP, q, &r)
	}
	if e != nil {
		return nil, e
	}
	return &abi.Empty{}, ofStatus(&r)
}

// begin starts a request and splices n bytes of src into it.
func begin(path string, size int64, src abi.Handle, n int64) (abi.Handle, *abi.Error) {
	var s abi.HTTPBeginReply
	if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + path, Size: size}, &s); e != nil {
		return 0, e
	}
	if got := hostSplice(int64(s.Sink), int64(src), n); got < 0 {
		return 0, fail(abi.Kind(-1-got), "splice")
	}
	return s.Sink, nil
}

func putSpliced(m *abi.PutRequest, r *abi.HTTPReply) *abi.Error {
	size := m.Size
	if strings.Contains(m.Path, "chunked") {
		size = -1
	}
	sink, e := begin(m.Path, size, m.Body, -1)
	if e != nil {
		return e
	}
	return call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: sink, All: true}, r)
}

func putWritten(m *abi.PutRequest, r *abi.HTTPReply) *abi.Error {
	var s abi.HTTPBeginReply
	if e := call(abi.HostHTTPBegin, &abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + m.Path, Size: m.Size}, &s); e != nil {
		return e
	}
	buf := make([]byte, 4096)
	p := unsafe.Pointer(unsafe.SliceData(buf))
	for {
		n := hostRead(int64(m.Body), p, uint32(len(buf)))
		if n < 0 {
			return fail(abi.Kind(-1-n), "read")
		}
		if n == 0 {
			break
		}
		if got := hostWrite(int64(s.Sink), p, uint32(n)); got != n {
			return fail(abi.Kind(-1-got), "write")
		}
	}
	return call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: s.Sink, All: true}, r)
}

// upload keeps its parts on the server; what it is told is in the names.
func upload(op abi.Op, b []byte) (abi.Message, *abi.Error) {
	switch op {
	case abi.OpUploadOpen:
		var m abi.UploadOpenRequest
		must(abi.Decode(b, &m))
		return uploadOpen(&m)
	case abi.OpUploadPart:
		var m abi.UploadPartRequest
		must(abi.Decode(b, &m))
		q := request("PUT", m.Token+"~"+strconv.FormatInt(m.Num, 10))
		q.Body = []abi.Handle{m.Body}
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, q, &r); e != nil {
			return nil, e
		}
		return &abi.UploadPartReply{Data: []byte("receipt " + string(m.Digests["md5"]))}, ofStatus(&r)
	case abi.OpUploadSuspend, abi.OpUploadCommit:
		var m abi.UploadEndRequest
		must(abi.Decode(b, &m))
		return uploadEnd(op, &m)
	case abi.OpUploadCancel, abi.OpUploadAbort:
		return &abi.Empty{}, nil
	}
	return nil, fail(abi.KindUnsupported, op.String())
}

func uploadOpen(m *abi.UploadOpenRequest) (abi.Message, *abi.Error) {
	r := &abi.UploadOpenReply{Token: m.Path, Limits: abi.Limits{Min: 4, Count: 100, Digests: []string{"md5"}}}
	if !m.Append {
		return r, nil
	}
	page := &abi.ReceiptsPage{Receipts: m.Receipts, Page: []abi.Receipt{{Num: 1, Size: 5, Data: []byte("one")}}}
	if e := call(abi.HostReceiptsSet, page, &abi.Empty{}); e != nil {
		return nil, e
	}
	var got abi.HTTPReply
	if e := call(abi.HostHTTP, request("GET", m.Path+"~tail"), &got); e != nil {
		return nil, e
	}
	if got.Status == 200 {
		r.Resumed, r.Body, r.Len = true, got.Body, got.Len
	}
	return r, nil
}

func uploadEnd(op abi.Op, m *abi.UploadEndRequest) (abi.Message, *abi.Error) {
	var page abi.ReceiptsPage
	after := int64(0)
	names := ""
	for {
		if e := call(abi.HostReceiptsGet, &abi.ReceiptsGetRequest{Receipts: m.Receipts, After: after, Limit: 2}, &page); e != nil {
			return nil, e
		}
		for _, r := range page.Page {
			after = r.Num
			names += strconv.FormatInt(r.Num, 10) + ":" + string(r.Data) + ";"
		}
		if len(page.Page) < 2 {
			break
		}
	}
	path := m.Token
	if op == abi.OpUploadSuspend {
		path += "~tail"
	}
	q := request("PUT", path, "x-receipts", names, "x-last", strconv.FormatInt(m.Num, 10)+"@"+strconv.FormatInt(m.Off, 10))
	if m.Body != 0 {
		q.Body = []abi.Handle{m.Body}
	}
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	return &abi.Empty{}, ofStatus(&r)
}
