//go:build wasip1

package main

import (
	"encoding/hex"
	"strconv"
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

// callRaw runs a host operation on a message that is encoded already.
func callRaw(op int, message []byte) ([]byte, *abi.Error) {
	n := hostCall(uint32(op), unsafe.Pointer(unsafe.SliceData(message)), uint32(len(message)), unsafe.Pointer(unsafe.SliceData(out)), uint32(len(out)))
	if n < 0 {
		return nil, fail(abi.Kind(-1-n), "call")
	}
	if n <= int64(len(out)) {
		return append([]byte(nil), out[:n]...), nil
	}
	b := make([]byte, n)
	hostTake(unsafe.Pointer(unsafe.SliceData(b)), uint32(n))
	return b, nil
}

// services answers reads of /services/KIND/OP/MESSAGE in hexadecimal, and with the names of objects after another "/",
// joined by "+", whose bodies the message is given. KIND is
//
//	call     the reply of the operation
//	body     the body of the reply, as long as was asked
//	drained  what reading that body gives
func services(m *abi.ReadRequest) (abi.Message, *abi.Error) {
	f := strings.SplitN(m.Path[len("/services/"):], "/", 4)
	op, err := strconv.Atoi(f[1])
	must(err)
	message, err := hex.DecodeString(f[2])
	must(err)
	if len(f) == 4 {
		bodies, e := bodiesOf(strings.Split(f[3], "+"))
		if e != nil {
			return nil, e
		}
		message = withBodies(abi.HostOp(op), message, bodies)
	}
	reply, e := callRaw(op, message)
	if e != nil {
		return nil, e
	}
	if f[0] == "call" {
		return &abi.ReadReply{Len: int64(len(reply)), Data: reply}, nil
	}
	var made abi.CompressReply
	if e, err := abi.DecodeReply(reply, &made); e != nil || err != nil {
		return nil, e
	}
	if f[0] == "body" {
		return &abi.ReadReply{Len: m.Len, Body: made.Body}, nil
	}
	var all []byte
	buf := make([]byte, 1000)
	for {
		n := hostRead(int64(made.Body), unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
		if n < 0 {
			return nil, fail(abi.Kind(-1-n), "read after "+strconv.Itoa(len(all))+" bytes")
		}
		if n == 0 {
			return &abi.ReadReply{Len: int64(len(all)), Data: all}, nil
		}
		all = append(all, buf[:n]...)
	}
}

func bodiesOf(names []string) (bodies []abi.Handle, _ *abi.Error) {
	for _, name := range names {
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, request("GET", "/"+name), &r); e != nil {
			return nil, e
		}
		if r.Body != 0 { // of an empty object there is none
			bodies = append(bodies, r.Body)
		}
	}
	return bodies, nil
}

func withBodies(op abi.HostOp, message []byte, bodies []abi.Handle) []byte {
	var m abi.Message
	if op == abi.HostHash {
		h := new(abi.HashRequest)
		must(abi.Decode(message, h))
		h.Body, m = bodies, h
	} else {
		c := new(abi.CompressRequest)
		must(abi.Decode(message, c))
		c.Body, m = bodies, c
	}
	b, err := abi.Append(nil, m)
	must(err)
	return b
}

// servicesPut puts what it makes of a source where the path says, as KIND of /services/KIND/OBJECT says.
func servicesPut(m *abi.PutRequest) (abi.Message, *abi.Error) {
	kind, object, _ := strings.Cut(m.Path[len("/services/"):], "/")
	q := request("PUT", "/"+object)
	switch kind {
	case "digest": // of the source named, and of it spliced, and written
		digests, e := digestsOf(m)
		if e != nil {
			return nil, e
		}
		q.Data = []byte(digests)
	case "packed":
		var c abi.CompressReply
		if e := call(abi.HostCompress, &abi.CompressRequest{Alg: "zstd", Body: []abi.Handle{m.Body, m.Body}}, &c); e != nil {
			return nil, e
		}
		q.Body = []abi.Handle{c.Body}
	}
	var r abi.HTTPReply
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	return &abi.Empty{}, ofStatus(&r)
}

func digestsOf(m *abi.PutRequest) (string, *abi.Error) {
	algs := []string{"sha256", "crc64"}
	var r abi.HashReply
	if e := call(abi.HostHash, &abi.HashRequest{Algs: algs, Body: []abi.Handle{m.Body}}, &r); e != nil {
		return "", e
	}
	text := strconv.FormatInt(r.Size, 10) + " " + hex.EncodeToString(r.Digests["sha256"]) + " " + hex.EncodeToString(r.Digests["crc64"]) + "\n"
	var s abi.SinkMessage
	if e := call(abi.HostHashBegin, &abi.HashBeginRequest{Algs: algs}, &s); e != nil {
		return "", e
	}
	if n := write(s.Sink, []byte("a ")); n != 2 {
		return "", fail(abi.Kind(-1-n), "write")
	}
	if n := hostSplice(int64(s.Sink), int64(m.Body), -1); n < 0 {
		return "", fail(abi.Kind(-1-n), "splice")
	}
	r = abi.HashReply{}
	if e := call(abi.HostHashFinish, &s, &r); e != nil {
		return "", e
	}
	text += strconv.FormatInt(r.Size, 10) + " " + hex.EncodeToString(r.Digests["sha256"]) + " " + hex.EncodeToString(r.Digests["crc64"]) + "\n"
	if e := call(abi.HostHashFinish, &s, &r); e == nil || e.Kind != abi.KindInvalidArgument {
		return "", fail(abi.KindGuest, "a sink was finished twice")
	}
	return text, nil
}
