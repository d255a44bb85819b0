//go:build wasip1

// Command exercise is a guest for the runtime's tests. It stores objects on a plain HTTP
// server, and breaks every rule when the path asks for it.
package main

import (
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

func main() {}

//go:wasmimport berth call
func hostCall(op uint32, ptr unsafe.Pointer, n uint32, out unsafe.Pointer, room uint32) int64

//go:wasmimport berth take
func hostTake(out unsafe.Pointer, room uint32) int64

//go:wasmimport berth read
func hostRead(h int64, ptr unsafe.Pointer, n uint32) int64

//go:wasmimport berth write
func hostWrite(h int64, ptr unsafe.Pointer, n uint32) int64

//go:wasmimport berth splice
func hostSplice(dst, src, n int64) int64

//go:wasmimport berth close
func hostClose(h int64) int64

//go:wasmimport berth log
func hostLog(level uint32, ptr unsafe.Pointer, n uint32) int64

const manifest = `{"name":"exercise","version":"1.0.0","hosts":["{endpoint}"],"abilities":["parts","list-tree","redirect","list-uploads"],"schema":{
"type":"object","additionalProperties":false,"required":["endpoint"],"properties":{
"endpoint":{"type":"string","description":"the server's URL"},
"chunksize":{"type":"integer","minimum":1,"maximum":100},
"verify":{"type":"boolean"},
"tags":{"type":"array","items":{"type":"string"}},
"mode":{"enum":["plain","fancy"]},
"openfails":{"type":"string"},
"password":{"type":"string","minLength":8,"writeOnly":true}}}}`

var config struct {
	Endpoint, Password, OpenFails string
	Tags                          []string
}

var (
	pinned = map[uintptr][]byte{}
	reply  []byte
	out    = make([]byte, 64<<10)
	leaked [][]byte
)

//go:wasmexport abi
func abiVersion() uint32 { return abi.Version }

//go:wasmexport alloc
func alloc(n uint32) unsafe.Pointer {
	b := make([]byte, n)
	p := unsafe.Pointer(unsafe.SliceData(b))
	pinned[uintptr(p)] = b
	return p
}

//go:wasmexport free
func free(p unsafe.Pointer, _ uint32) { delete(pinned, uintptr(p)) }

//go:wasmexport dispatch
func dispatch(op uint32, p unsafe.Pointer, n uint32) uint64 {
	raw = nil
	m, err := run(abi.Op(op), unsafe.Slice((*byte)(p), n))
	if raw != nil {
		return *raw
	}
	if err != nil {
		m = err
	}
	reply, _ = abi.Append(reply[:0], m)
	runtime.Gosched()
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(reply))))<<32 | uint64(len(reply))
}

// raw is what dispatch returns instead of a message.
var raw *uint64

func fail(kind abi.Kind, text string) *abi.Error { return &abi.Error{Kind: kind, Message: text} }

// call runs a host operation.
func call(op abi.HostOp, m, reply abi.Message) *abi.Error {
	b, err := abi.Append(nil, m)
	if err != nil {
		return fail(abi.KindGuest, err.Error())
	}
	n := hostCall(uint32(op), unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
	if n < 0 {
		return fail(abi.Kind(-1-n), "call")
	}
	r := out
	if n > int64(len(out)) {
		r = make([]byte, n)
		hostTake(unsafe.Pointer(unsafe.SliceData(r)), uint32(n))
	}
	e, err := abi.DecodeReply(r[:n], reply)
	if err != nil {
		return fail(abi.KindGuest, err.Error())
	}
	return e
}

func request(method, path string, headers ...string) *abi.HTTPRequest {
	return &abi.HTTPRequest{Method: method, URL: config.Endpoint + path, Headers: headers, All: true}
}

func ofStatus(r *abi.HTTPReply) *abi.Error {
	switch {
	case r.Status/100 == 2:
		return nil
	case r.Status == 404:
		return &abi.Error{Kind: abi.KindNotFound, Status: 404, Message: "nothing there"}
	case r.Status == 416:
		return &abi.Error{Kind: abi.KindInvalidOffset, Status: 416}
	}
	return &abi.Error{Kind: abi.KindUnavailable, Temporary: true, After: 1500, Status: r.Status, Message: "the server is unwell"}
}

func run(op abi.Op, b []byte) (abi.Message, *abi.Error) {
	if m, e, ok := storeCall(op, b); ok {
		return m, e
	}
	switch op {
	case abi.OpDescribe:
		return &abi.DescribeReply{Manifest: []byte(describe())}, nil
	case abi.OpOpen:
		var m abi.OpenRequest
		must(abi.Decode(b, &m))
		must(json.Unmarshal(m.Params, &config))
		if config.OpenFails != "" {
			return nil, fail(abi.KindPermission, config.OpenFails+" "+config.Password)
		}
		return &abi.OpenReply{Caps: abi.AbilityParts | abi.AbilityListTree | abi.AbilityRedirect | abi.AbilityListUploads | abi.AbilityCopy | 1<<40}, nil
	case abi.OpStat:
		var m abi.PathRequest
		must(abi.Decode(b, &m))
		return stat(m.Path)
	case abi.OpList, abi.OpListTree:
		var m abi.ListRequest
		must(abi.Decode(b, &m))
		return list(&m)
	case abi.OpListUploads:
		var m abi.ListRequest
		must(abi.Decode(b, &m))
		return listUploads(&m)
	case abi.OpRead:
		var m abi.ReadRequest
		must(abi.Decode(b, &m))
		return read(&m)
	case abi.OpPut:
		var m abi.PutRequest
		must(abi.Decode(b, &m))
		return put(&m)
	case abi.OpDelete:
		var m abi.PathRequest
		must(abi.Decode(b, &m))
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, request("DELETE", m.Path), &r); e != nil {
			return nil, e
		}
		return &abi.Empty{}, ofStatus(&r)
	case abi.OpStream:
		var m abi.StreamRequest
		must(abi.Decode(b, &m))
		return stream(&m)
	case abi.OpRedirect:
		var m abi.RedirectRequest
		must(abi.Decode(b, &m))
		if strings.HasPrefix(m.Path, "/signing/") {
			return signingURL(m.Path)
		}
		if m.Path == "/elsewhere" {
			return &abi.RedirectReply{URL: "http://elsewhere.invalid/a"}, nil
		}
		return &abi.RedirectReply{URL: config.Endpoint + m.Path}, nil
	}
	return upload(op, b)
}

// describe shows what a manifest's making may reach: nothing.
func describe() string {
	probe := []byte("x")
	p := unsafe.Pointer(unsafe.SliceData(probe))
	denied := abi.Failure(abi.KindDenied)
	if hostCall(0, p, 1, p, 0) != denied || hostTake(p, 0) != denied || hostRead(1, p, 1) != denied || hostWrite(1, p, 1) != denied ||
		hostSplice(1, 1, 1) != denied || hostClose(1) != denied || hostLog(1, p, 1) != 0 {
		return `{"name":"NOT DENIED"}`
	}
	return manifest
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func list(m *abi.ListRequest) (abi.Message, *abi.Error) {
	if strings.HasPrefix(m.Path, "/hostile/") {
		return hostile(m.Path)
	}
	q := request("GET", m.Path+"?list")
	q.Max = abi.MaxInline
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	if e := ofStatus(&r); e != nil {
		return nil, e
	}
	var l abi.ListReply
	for _, name := range strings.Fields(string(r.Data)) {
		dir := strings.HasSuffix(name, "/")
		l.Entries = append(l.Entries, abi.Entry{Name: strings.TrimSuffix(name, "/"), Dir: dir, Size: 7})
	}
	return &l, nil
}

// listUploads answers the request, as entries, and what breaks the rules of a page.
func listUploads(m *abi.ListRequest) (abi.Message, *abi.Error) {
	if name, ok := strings.CutPrefix(m.Path, "/hostile/"); ok {
		if name == "type" {
			return answerRaw([]byte("\x81\xa7entries\x01"))
		}
		return &abi.ListReply{Entries: []abi.Entry{{Name: name + "/../../up"}}, Cursor: m.Cursor}, nil
	}
	return &abi.ListReply{Cursor: "after " + m.Cursor, Entries: []abi.Entry{
		{Name: m.Path[1:] + "/" + strconv.Itoa(m.Limit), Time: 1700000000123456789}, {Name: "data", Time: 1},
	}}, nil
}
