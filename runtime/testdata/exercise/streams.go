//go:build wasip1

package main

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

// frame is where streams begin: at a multiple of it.
const frame = 64 << 10

// streamRead answers reads of /streams/KIND-SIZE.
func streamRead(m *abi.ReadRequest) (abi.Message, *abi.Error) {
	kind, text, _ := strings.Cut(m.Path[len("/streams/"):], "-")
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fail(abi.KindNotFound, m.Path)
	}
	if m.Off > size {
		return nil, fail(abi.KindInvalidOffset, m.Path)
	}
	n := size - m.Off
	if m.Len >= 0 {
		n = min(n, m.Len)
	}
	skip := m.Off % frame
	r := &abi.ReadReply{Len: n, Stream: []byte(strconv.FormatInt(m.Off-skip, 10)), Skip: skip}
	switch kind {
	case "both":
		r.Data = []byte("x")
	case "state":
		r.Stream = make([]byte, abi.MaxState+1)
	case "skip":
		r.Skip = abi.MaxSkip + 1
	case "pinned": // what /big has now
		var got abi.HTTPReply
		mustCall(call(abi.HostHTTP, request("GET", "/big", "range", "bytes="+strconv.FormatInt(m.Off-skip, 10)+"-"), &got))
		r.Body = got.Body
	}
	return r, nil
}

// words is content in which no two 8-byte words are alike, from offset on.
func words(offset, n int64) []byte {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, n)
	for i := offset; i < offset+n; i++ {
		b = append(b, digits[uint32(i/8)>>(4*(7-i%8))&15])
	}
	return b
}

func write(sink abi.Handle, b []byte) int64 {
	return hostWrite(int64(sink), unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b)))
}

// stream writes the content of /streams/KIND-SIZE as KIND says.
func stream(m *abi.StreamRequest) (abi.Message, *abi.Error) {
	if strings.HasPrefix(m.Path, "/streams/pinned-") {
		if n := hostSplice(int64(m.Sink), int64(m.Body), -1); n < 0 {
			return nil, fail(abi.Kind(-1-n), "splice")
		}
		return &abi.StreamReply{}, nil
	}
	if m.Body != 0 {
		return transform(m)
	}
	kind, text, _ := strings.Cut(m.Path[len("/streams/"):], "-")
	size, err := strconv.ParseInt(text, 10, 64)
	must(err)
	off, err := strconv.ParseInt(string(m.State), 10, 64)
	must(err)
	step := int64(frame)
	switch kind {
	case "bytes":
		step = 1
	case "large":
		step = 1 << 20
	case "early", "error", "panic", "exit", "close":
		size /= 2
	case "more":
		size *= 2
	case "spliced":
		return spliced(m, off)
	case "never":
		var r abi.HTTPReply
		mustCall(call(abi.HostHTTP, request("GET", "/stall"), &r))
		hostRead(int64(r.Body), unsafe.Pointer(unsafe.SliceData(out)), 10)
		return nil, fail(abi.Kind(-1-hostRead(int64(r.Body), unsafe.Pointer(unsafe.SliceData(out)), 10)), "nothing came")
	}
	for ; off < size; off += step {
		if n := write(m.Sink, words(off, min(step, size-off))); n < 0 {
			return after(kind, m.Sink, n)
		}
	}
	switch kind {
	case "error":
		return nil, &abi.Error{Kind: abi.KindUnavailable, Temporary: true, Message: "the source went away"}
	case "panic":
		panic("halfway " + config.Password)
	case "exit":
		os.Exit(3)
	case "close":
		hostClose(int64(m.Sink))
		if n := write(m.Sink, words(off, size)); n != abi.Failure(abi.KindInvalidArgument) {
			return nil, fail(abi.KindGuest, "the closed sink answers "+strconv.FormatInt(n, 10))
		}
	}
	return &abi.StreamReply{}, nil
}

// after is what a stream does whose writing has failed.
func after(kind string, sink abi.Handle, n int64) (abi.Message, *abi.Error) {
	switch kind {
	case "deaf": // and goes on, until the log returns
		for range 100 {
			write(sink, words(0, 1000))
		}
		line := []byte("deaf")
		hostLog(2, unsafe.Pointer(unsafe.SliceData(line)), uint32(len(line)))
	case "crash":
		panic("nobody is listening")
	}
	if n != abi.Failure(abi.KindCanceled) {
		panic("writing after the end: " + strconv.FormatInt(n, 10))
	}
	return nil, fail(abi.KindCanceled, "the reader is gone")
}

// spliced has the host move /big from the state's offset into the sink.
func spliced(m *abi.StreamRequest, off int64) (abi.Message, *abi.Error) {
	var r abi.HTTPReply
	mustCall(call(abi.HostHTTP, request("GET", "/big", "range", "bytes="+strconv.FormatInt(off, 10)+"-"), &r))
	if n := hostSplice(int64(m.Sink), int64(r.Body), -1); n < 0 {
		return nil, fail(abi.Kind(-1-n), "splice")
	}
	return &abi.StreamReply{}, nil
}

func mustCall(e *abi.Error) {
	if e != nil {
		panic(e.Message)
	}
}

// attempts makes what is made of a piece differ each time.
var attempts int

// transform makes a frame of a piece: <number:size:attempt> and the piece. /fail-piece on the server says how it fails halfway.
func transform(m *abi.StreamRequest) (abi.Message, *abi.Error) {
	number := 0
	if len(m.State) > 0 {
		var err error
		number, err = strconv.Atoi(string(m.State))
		must(err)
	}
	attempts++
	if strings.HasPrefix(m.Path, "/delegated/transformed-aside/") { // what is long enough for an upload of its own
		mustCall(call(abi.HostStorePut, &abi.StorePutRequest{Store: "under", Path: "/aside", Body: []abi.Handle{m.Body, m.Body, m.Body}}, &abi.Empty{}))
	}
	header := "<" + strconv.Itoa(number) + ":" + strconv.FormatInt(m.Size, 10) + ":" + strconv.Itoa(attempts) + ">"
	if n := write(m.Sink, []byte(header)); n < 0 {
		return nil, fail(abi.Kind(-1-n), "the header")
	}
	if n := hostSplice(int64(m.Sink), int64(m.Body), m.Size/2); n != m.Size/2 {
		return nil, fail(abi.KindCorrupt, "splice")
	}
	q := request("GET", "/fail-piece")
	q.Max = abi.MaxInline
	var r abi.HTTPReply
	mustCall(call(abi.HostHTTP, q, &r))
	if r.Status == 200 {
		switch string(r.Data) {
		case "panic":
			panic("in the middle of a piece")
		case "huge":
			block := make([]byte, 1<<20)
			for range 10 {
				write(m.Sink, block)
			}
			return &abi.StreamReply{}, nil
		case "state":
			return &abi.StreamReply{State: make([]byte, abi.MaxState+1)}, nil
		}
		return nil, &abi.Error{Kind: abi.KindUnavailable, Temporary: true, Message: "the piece went wrong"}
	}
	if n := hostSplice(int64(m.Sink), int64(m.Body), -1); n != m.Size-m.Size/2 {
		return nil, fail(abi.KindCorrupt, "splice")
	}
	return &abi.StreamReply{State: []byte(strconv.Itoa(number + 1))}, nil
}

// transformEnd writes how many frames there are, and the size.
func transformEnd(m *abi.CommittingRequest) *abi.Error {
	end := "<end:" + string(m.State) + ":" + strconv.FormatInt(m.Size, 10) + ">"
	if n := write(m.Sink, []byte(end)); n < 0 {
		return fail(abi.Kind(-1-n), "the end")
	}
	return nil
}
