//go:build wasip1

package main

import (
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

var stale abi.Handle

var keep []byte

// answerRaw answers with bytes that need not be a message.
func answerRaw(b []byte) (abi.Message, *abi.Error) {
	keep = b
	return answerResult(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b))))<<32 | uint64(len(b)))
}

// answerResult makes dispatch return n.
func answerResult(n uint64) (abi.Message, *abi.Error) {
	raw = &n
	return nil, nil
}

// hostile does what the last component of the path says.
func hostile(path string) (abi.Message, *abi.Error) {
	switch name := path[strings.LastIndexByte(path, '/')+1:]; name {
	case "trap":
		var p *int
		return &abi.Entry{Size: int64(*p)}, nil
	case "panic":
		os.Stderr.WriteString("about to fail with " + config.Password + "\x1b[31m\n")
		panic("boom " + config.Password)
	case "exit":
		os.Exit(3)
	case "nothing":
		return answerResult(0)
	case "outside":
		return answerResult(0xffff0000<<32 | 1000)
	case "huge":
		return answerResult(0x10000<<32 | 0xffffffff)
	case "garbage":
		return answerRaw([]byte("\xc1\xc1\xc1"))
	case "trailing":
		return answerRaw([]byte("\x80\x80"))
	case "count":
		return answerRaw([]byte("\xdf\xff\xff\xff\xff"))
	case "deep":
		b := []byte("\x81\xa1x")
		for range 1 << 19 {
			b = append(b, 0x91)
		}
		return answerRaw(append(b, 0xc0))
	case "negative":
		return answerRaw([]byte("\x81\xa4size\xff"))
	case "kind":
		return nil, &abi.Error{Kind: 15, Message: strings.Repeat("long\n", 5000)}
	case "entries", "slash", "dotdot":
		names := map[string]string{"entries": "", "slash": "a/b", "dotdot": ".."}
		return &abi.ListReply{Entries: []abi.Entry{{Name: names[name]}}}, nil
	case "log":
		line := []byte(strings.Repeat("l", 100000) + "\n\x1b")
		for range 1000 {
			hostLog(3, unsafe.Pointer(unsafe.SliceData(line)), uint32(len(line)))
		}
		return &abi.Entry{}, nil
	case "memory":
		for {
			leaked = append(leaked, make([]byte, 1<<20))
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "nap":
		begun := time.Now()
		time.Sleep(20 * time.Millisecond)
		if time.Since(begun) < 20*time.Millisecond {
			return nil, fail(abi.KindGuest, "the clock stands still")
		}
		return &abi.Entry{}, nil
	}
	return hostileCalls(path[strings.LastIndexByte(path, '/')+1:])
}

// hostileCalls misuses the host's functions. The size is what the host answered, negated.
func hostileCalls(name string) (abi.Message, *abi.Error) {
	p := unsafe.Pointer(unsafe.SliceData(out))
	answer := func(n int64) (abi.Message, *abi.Error) { return &abi.Entry{Size: -n}, nil }
	switch name {
	case "pointer":
		hostRead(1, unsafe.Add(nil, 0xfffffff0), 1000)
	case "length":
		hostCall(0, p, 0xffffffff, p, 1)
	case "stale":
		if stale == 0 {
			var r abi.HTTPReply
			call(abi.HostHTTP, request("GET", "/big"), &r)
			stale = r.Body
			return answer(0)
		}
		return answer(hostRead(int64(stale), p, 10))
	case "forged":
		for _, h := range []int64{0, -1, 1, 1 << 32, 1<<32 | 255, 1<<62 | 7, -1 << 63} {
			if n := hostRead(h, p, 10); n != abi.Failure(abi.KindInvalidArgument) {
				return answer(n)
			}
			if n := hostClose(h); n != abi.Failure(abi.KindInvalidArgument) {
				return answer(n)
			}
		}
		return answer(hostSplice(5, 6, 7))
	case "leak":
		var r abi.HTTPReply
		for i := range 1000 {
			if e := call(abi.HostHTTP, request("GET", "/big"), &r); e != nil {
				e.Message += " after " + strconv.Itoa(i)
				return nil, e
			}
		}
	case "consumed": // a body read to its end is empty, and can be sent
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, request("GET", "/big"), &r); e != nil {
			return nil, e
		}
		for hostRead(int64(r.Body), p, uint32(len(out))) > 0 {
		}
		q := request("PUT", "/consumed")
		q.Body = []abi.Handle{r.Body}
		return &abi.Entry{}, call(abi.HostHTTP, q, &abi.HTTPReply{})
	case "wants":
		q := request("GET", "/big")
		q.All, q.Want = false, make([]string, 100_000)
		for i := range q.Want {
			q.Want[i] = "date"
		}
		return &abi.Entry{}, call(abi.HostHTTP, q, &abi.HTTPReply{})
	case "host", "crlf", "redirect", "escape", "unreachable", "user", "scheme":
		return hostileRequest(name)
	case "take":
		return answer(hostTake(p, 10))
	case "op":
		return nil, call(99, &abi.Empty{}, &abi.Empty{})
	case "message":
		n := hostCall(0, p, 3, p, uint32(len(out)))
		e, err := abi.DecodeReply(out[:n], &abi.Empty{})
		must(err)
		return nil, e
	case "receipts":
		return nil, call(abi.HostReceiptsSet, &abi.ReceiptsPage{Receipts: 1<<32 | 1}, &abi.Empty{})
	}
	return nil, fail(abi.KindUnsupported, name)
}

func hostileRequest(name string) (abi.Message, *abi.Error) {
	q := request("GET", "/big")
	switch name {
	case "host":
		q.Headers = []string{"host", "elsewhere"}
	case "crlf":
		q.Headers = []string{"x", "a\r\nhost: b"}
	case "redirect":
		q.URL = config.Endpoint + "/redirect"
	case "escape":
		q.URL = "http://169.254.169.254/latest"
	case "unreachable":
		q.URL = "http://127.0.0.1:1/"
	case "user":
		q.URL = "http://a:b@127.0.0.1:1/"
	case "scheme":
		q.URL = "file:///etc/passwd"
	}
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	return &abi.Entry{Size: int64(r.Status)}, nil
}

// hostileRead answers reads with what they were not asked for.
func hostileRead(m *abi.ReadRequest) (abi.Message, *abi.Error) {
	get := func(path string, headers ...string) abi.HTTPReply {
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, request("GET", path, headers...), &r); e != nil {
			panic(e.Message)
		}
		return r
	}
	switch m.Path[len("/hostile/"):] {
	case "offset": // from the start whatever was asked
		return &abi.ReadReply{Len: 10, Body: get("/big").Body}, nil
	case "status":
		return &abi.ReadReply{Len: 1, Body: get("/missing").Body}, nil
	case "longer":
		r := get("/big")
		return &abi.ReadReply{Len: r.Len + 1, Body: r.Body}, nil
	case "both":
		return &abi.ReadReply{Len: 1, Data: []byte("x"), Body: get("/big").Body}, nil
	case "promise":
		return &abi.ReadReply{Len: 5, Data: []byte("x")}, nil
	case "source":
		return &abi.ReadReply{Len: 5, Body: 1<<32 | 77}, nil
	case "prefix": // reads some of it before
		r := get("/big")
		var head [100]byte
		n := 0
		for n < len(head) {
			n += int(hostRead(int64(r.Body), unsafe.Pointer(&head[n]), uint32(len(head)-n)))
		}
		return &abi.ReadReply{Len: r.Len - 100, Body: r.Body}, nil
	case "cut":
		return &abi.ReadReply{Len: 1000, Body: get("/cut").Body}, nil
	case "stall":
		return &abi.ReadReply{Len: 1000, Body: get("/stall").Body}, nil
	case "range", "multipart":
		return &abi.ReadReply{Len: 10, Body: get("/" + m.Path[len("/hostile/"):]).Body}, nil
	}
	return nil, fail(abi.KindUnsupported, m.Path)
}
