//go:build wasip1

package main

import (
	"strings"
	"unsafe"

	"github.com/berth-dev/storagedriver/abi"
)

// signing is a path /signing/HOW/CREDENTIAL/..., in which the rest is one of the server's. The credential "-" is none, and
// "keyed" a key made of the secret "key".
type signing struct {
	how, credential, path string
}

func signingOf(path string) signing {
	parts := strings.SplitN(strings.TrimPrefix(path, "/signing/"), "/", 3)
	return signing{parts[0], parts[1], "/" + parts[2]}
}

func (s *signing) sign(m *abi.Signing) *abi.Error {
	switch s.credential {
	case "-":
	case "keyed":
		key, e := hmacOf(&abi.HMACRequest{Secret: "key", Alg: "sha256", Data: []byte("20231114")})
		if e == nil {
			key, e = hmacOf(&abi.HMACRequest{Key: key, Alg: "sha256", Data: []byte("a string to sign")})
		}
		m.Keyed = []abi.Keyed{{Name: "authorization", Text: "Test id:" + abi.KeyMark, Key: key, Encoding: "base64"}, {Name: "?sig", Text: abi.KeyMark, Key: key, Encoding: "hex"}}
		return e
	default:
		m.Credential = s.credential
	}
	return nil
}

func hmacOf(m *abi.HMACRequest) (abi.Handle, *abi.Error) {
	var r abi.HMACReply
	e := call(abi.HostHMAC, m, &r)
	return r.Key, e
}

// signingRead asks the server and passes on what it gets, in each way that there is.
func signingRead(path string) (abi.Message, *abi.Error) {
	s := signingOf(path)
	var r abi.HTTPReply
	if s.how == "finish" {
		m := abi.HTTPBeginRequest{Method: "POST", URL: config.Endpoint + s.path}
		if e := s.sign(&m.Signing); e != nil {
			return nil, e
		}
		var sink abi.HTTPBeginReply
		if e := call(abi.HostHTTPBegin, &m, &sink); e != nil {
			return nil, e
		}
		if e := call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: sink.Sink, Max: abi.MaxInline, All: true}, &r); e != nil {
			return nil, e
		}
		return &abi.ReadReply{Len: int64(len(r.Data)), Data: r.Data}, nil
	}
	if s.how == "all" {
		return signingAll(&s)
	}
	q := request("GET", s.path)
	if s.how == "inline" {
		q.Max = abi.MaxInline
	}
	if e := s.sign(&q.Signing); e != nil {
		return nil, e
	}
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	return passOn(s.how, &r)
}

// signingAll asks twice, side by side, and passes on both answers and their headers.
func signingAll(s *signing) (abi.Message, *abi.Error) {
	m := abi.HTTPAllRequest{Requests: []abi.HTTPRequest{*request("GET", s.path), *request("GET", s.path)}}
	for i := range m.Requests {
		m.Requests[i].Max = abi.MaxInline / 2
		if e := s.sign(&m.Requests[i].Signing); e != nil {
			return nil, e
		}
	}
	var r abi.HTTPAllReply
	if e := call(abi.HostHTTPAll, &m, &r); e != nil {
		return nil, e
	}
	var data []byte
	for i := range r.Replies {
		if e := r.Replies[i].Err; e != nil {
			return nil, e
		}
		data = append(append(data, strings.Join(r.Replies[i].Headers, " ")...), r.Replies[i].Data...)
	}
	return &abi.ReadReply{Len: int64(len(data)), Data: data}, nil
}

func passOn(how string, r *abi.HTTPReply) (abi.Message, *abi.Error) {
	data := r.Data
	switch how {
	case "body":
		return &abi.ReadReply{Len: r.Len, Body: r.Body}, nil
	case "read":
		var e *abi.Error
		if data, e = readBody(r.Body); e != nil {
			return nil, e
		}
	case "headers":
		data = []byte(strings.Join(r.Headers, "\n"))
	case "splice":
		sink, e := begin("/copied", r.Len, r.Body, -1)
		if e != nil {
			return nil, e
		}
		if e := call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: sink, All: true}, r); e != nil {
			return nil, e
		}
	case "send":
		q := request("PUT", "/copied")
		q.Body = []abi.Handle{r.Body}
		if e := call(abi.HostHTTP, q, r); e != nil {
			return nil, e
		}
	case "logged":
		line := []byte(strings.Join(r.Headers, " "))
		hostLog(3, unsafe.Pointer(unsafe.SliceData(line)), uint32(len(line)))
		return nil, fail(abi.KindConflict, string(line))
	}
	return &abi.ReadReply{Len: int64(len(data)), Data: data}, nil
}

// readBody reads through a buffer in which nothing must be left of what was not answered.
func readBody(h abi.Handle) ([]byte, *abi.Error) {
	var data []byte
	buf := make([]byte, 3000)
	for {
		n := hostRead(int64(h), unsafe.Pointer(unsafe.SliceData(buf)), uint32(len(buf)))
		if n < 0 {
			return nil, fail(abi.Kind(-1-n), "read "+string(buf))
		}
		if n == 0 {
			return data, nil
		}
		data = append(data, buf[:n]...)
		clear(buf)
	}
}

// signingPut sends the source with a credential.
func signingPut(m *abi.PutRequest) (abi.Message, *abi.Error) {
	s := signingOf(m.Path)
	var r abi.HTTPReply
	if s.how == "sink" {
		b := abi.HTTPBeginRequest{Method: "PUT", URL: config.Endpoint + s.path, Size: m.Size}
		if e := s.sign(&b.Signing); e != nil {
			return nil, e
		}
		var sink abi.HTTPBeginReply
		if e := call(abi.HostHTTPBegin, &b, &sink); e != nil {
			return nil, e
		}
		if n := hostSplice(int64(sink.Sink), int64(m.Body), -1); n < 0 {
			return nil, fail(abi.Kind(-1-n), "splice")
		}
		e := call(abi.HostHTTPFinish, &abi.HTTPFinishRequest{Sink: sink.Sink, All: true}, &r)
		if e == nil {
			e = ofStatus(&r)
		}
		return &abi.Empty{}, e
	}
	q := request("PUT", s.path)
	q.Body = []abi.Handle{m.Body}
	if e := s.sign(&q.Signing); e != nil {
		return nil, e
	}
	if e := call(abi.HostHTTP, q, &r); e != nil {
		return nil, e
	}
	return &abi.Empty{}, ofStatus(&r)
}

// signingURL presigns.
func signingURL(path string) (abi.Message, *abi.Error) {
	s := signingOf(path)
	var r abi.RedirectReply
	if e := call(abi.HostPresign, &abi.PresignRequest{Method: "GET", URL: config.Endpoint + s.path, Credential: s.credential, Seconds: 60}, &r); e != nil {
		return nil, e
	}
	return &r, nil
}

// signingMisuse does what it may not.
func signingMisuse(name string) *abi.Error {
	presign := func(seconds int64, url string, headers ...string) *abi.Error {
		return call(abi.HostPresign, &abi.PresignRequest{Method: "GET", URL: url, Headers: headers, Credential: "main", Seconds: seconds}, &abi.RedirectReply{})
	}
	bad := map[string]abi.HMACRequest{
		"algorithm": {Secret: "key", Alg: "md5"}, "no-key": {Alg: "sha1"}, "both": {Secret: "key", Key: 1<<32 | 1, Alg: "sha1"},
		"forged": {Key: 1<<32 | 77, Alg: "sha1"}, "unknown": {Secret: "nothing", Alg: "sha1"}, "readable": {Secret: "readable", Alg: "sha1"},
	}
	if m, ok := bad[name]; ok {
		_, e := hmacOf(&m)
		return e
	}
	key, e := hmacOf(&abi.HMACRequest{Secret: "key", Alg: "sha384", Data: []byte("x")})
	if e != nil {
		return e
	}
	k := abi.Keyed{Name: "x-sig", Text: abi.KeyMark, Key: key, Encoding: "base64url"}
	q := request("GET", "/echo/body")
	switch name {
	case "seconds":
		return presign(0, config.Endpoint+"/a")
	case "many-seconds":
		return presign(abi.MaxPresign+1, config.Endpoint+"/a")
	case "presign-elsewhere":
		return presign(1, "http://169.254.169.254/latest")
	case "presign-a-header":
		return presign(1, config.Endpoint+"/a", "host", "b")
	case "read-a-key":
		n := hostRead(int64(key), unsafe.Pointer(unsafe.SliceData(out)), 10)
		return fail(abi.Kind(-1-n), "read")
	case "send-a-key":
		q.Body = []abi.Handle{key}
	case "no-mark":
		k.Text = "x"
	case "two-marks":
		k.Text = abi.KeyMark + abi.KeyMark
	case "encoding":
		k.Encoding = "raw"
	case "another-handle":
		var r abi.HTTPReply
		if e := call(abi.HostHTTP, request("GET", "/plain"), &r); e != nil {
			return e
		}
		k.Key = r.Body
	case "another-origin":
		q.URL = config.Tags[0] + "/echo/body"
	case "host":
		k.Name = "host"
	case "line":
		k.Text = "a\r\nb: " + abi.KeyMark
	case "digest":
		q.SHA256 = []byte("short")
	case "authorization":
		q.Headers = []string{"authorization", "Basic mine"}
	}
	if name != "authorization" && name != "digest" && name != "send-a-key" {
		q.Keyed = []abi.Keyed{k}
	}
	return call(abi.HostHTTP, q, &abi.HTTPReply{})
}
