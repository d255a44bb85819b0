package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
)

type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

func packed(lines ...string) []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	_, _ = zip.Write([]byte(strings.Join(lines, "\n") + "\n"))
	_ = zip.Close()
	return b.Bytes()
}

const head = `{"kind":"trace","format":1}`

func TestRecordsComeBack(t *testing.T) {
	out := &buffer{}
	r := New(out, Options{})
	records := []*Record{
		{Kind: KindCall, Instance: 1, Func: "dispatch", Begin: true, Args: []uint64{2, 1 << 63, 0}, Said: &Said{Len: 3, Data: []byte{0, 255, 'x'}}},
		{Kind: KindHost, Instance: 1, Func: "berth.call", Results: []uint64{7}, Writes: []Write{{At: 1 << 31, Data: bytes.Repeat([]byte("x"), 1<<20)}}, Trap: &Trap{Text: "<no>", Kind: 8}},
		{Kind: KindError, Instance: 1, Op: "stat", Error: &Error{Text: "a\nb", Guest: true, Stderr: "c"}},
	}
	for _, rec := range records {
		r.Add(rec)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := NewReader(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range records {
		if got, err := in.Next(); err != nil || !reflect.DeepEqual(got, want) || in.Line() != i+2 {
			t.Errorf("line %d: %+v, %v, want %+v", in.Line(), got, err, want)
		}
	}
	if _, err := in.Next(); !errors.Is(err, io.EOF) || in.Cut() {
		t.Errorf("at the end: %v, cut: %v", err, in.Cut())
	}
}

func TestBadTracesAreOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		trace []byte
		text  string
	}{
		"nothing":        {nil, "it is no trace: it ends early"},
		"not gzip":       {[]byte("#!/bin/sh\n echo no trace here\n"), "it is no trace"},
		"not JSON":       {packed("hello"), "line 1 is no record"},
		"another kind":   {packed(`{"kind":"call"}`), "first line"},
		"another format": {packed(`{"kind":"trace","format":2}`), "format 2"},
		"no line":        {packed(head)[:11], "cut off at its beginning"},
		"bad line":       {packed(head, `{"kind":`, head), "line 2 is no record"},
		"wrong type":     {packed(head, `{"kind":"call","args":"x"}`), "line 2 is no record"},
		"long line":      {packed(head, strings.Repeat(" ", MaxLine+1)), "more than 16777216 bytes"},
		"bad sum":        {append(packed(head)[:len(packed(head))-8], 1, 2, 3, 4, 5, 6, 7, 8), "checksum"},
	} {
		err := readAll(c.trace)
		if storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, c.text)
		}
	}
}

// TestListsAreBounded: a short line of a long list would take many times its length in memory.
func TestListsAreBounded(t *testing.T) {
	line := func(n int, key, element string) string {
		return `{"kind":"host","said":{"data":""},"` + key + `":[` + strings.Repeat(element+",", n-1) + element + `]}`
	}
	for key, element := range map[string]string{"args": "0", "results": "0", "writes": `{}`, "placeholders": `{"text":"a,],\"\\"}`} {
		in, err := NewReader(bytes.NewReader(packed(head, line(MaxElements, key, element), line(MaxElements+1, key, element))))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := in.Next()
		if err != nil || len(rec.Args)+len(rec.Results)+len(rec.Writes)+len(rec.Placeholders) != MaxElements {
			t.Errorf("%s: %v, want %d elements", key, err, MaxElements)
		}
		rec, err = in.Next()
		if rec != nil || storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || !strings.Contains(err.Error(), "line 3: its lists have more than 65536 elements") {
			t.Errorf("%s: %v", key, err)
		}
	}
	both := strings.TrimSuffix(line(MaxElements, "args", "0"), "}") + "," + line(1, "writes", "{}")[1:]
	if err := readAll(packed(head, both)); err == nil || !strings.Contains(err.Error(), "its lists have more than") {
		t.Errorf("two lists: %v", err)
	}
	if err := readAll(packed(head, `{"kind":"driver","parameters":{"list":[`+strings.Repeat(`[1,2],`, MaxElements+1)+`0]}}`)); err != nil {
		t.Errorf("parameters are kept as text: %v", err)
	}
}

// TestALongLineOfAListTakesLittle beside the line itself, which grows by doubling until it is MaxLine.
func TestALongLineOfAListTakesLittle(t *testing.T) {
	trace := packed(head, `{"kind":"host","writes":[`+strings.Repeat("{},", MaxLine/3-20)+`{}]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := readAll(trace)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "its lists have more than") {
		t.Errorf("got %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 10*MaxLine {
		t.Errorf("reading it allocates %d bytes", n)
	}
}

func readAll(b []byte) error {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, _ = rec.Line(), rec.Describe()
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(head + "\n" + `{"kind":"host","instance":1,"func":"berth.call","args":[0,1,2,3,4],"said":{"len":3,"data":"gaNlcnI="},"results":[3],"writes":[{"at":1,"data":"gA=="}]}`))
	f.Add([]byte(head + "\n" + `{"kind":"call","func":"dispatch","args":[2],"said":{"data":"3///////"}}` + "\n" + `{"kind":"return","reply":"3////w=="}`))
	f.Fuzz(func(t *testing.T, lines []byte) {
		err := readAll(packed(string(lines)))
		if err != nil && (storagedriver.KindOf(err) != storagedriver.KindInvalidArgument || len(err.Error()) > 1000) {
			t.Errorf("%v", err)
		}
		if err := readAll(lines); err == nil {
			t.Errorf("%q is taken for a trace", lines)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("\x82\xa3err\x81\xa4kind\x01\xa4data\xc4\x02\x00\xff"))
	f.Add([]byte("\xdf\xff\xff\xff\xff"))
	f.Add(bytes.Repeat([]byte("\x91"), 1000))
	f.Fuzz(func(t *testing.T, b []byte) {
		if text := Message(b, 100); len(text) > 1000 {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	})
}

func TestMessagesAreShownAsJSON(t *testing.T) {
	for message, want := range map[string]string{
		"\x82\xa4path\xa2/a\xa4size\x05":         `{"path":"/a","size":5}`,
		"\x81\xa4data\xc4\x03\x00\x01\xff":       `{"data":(3 bytes, 0001ff)}`,
		"\x81\xa4tail\xc4\x02ab":                 `{"tail":"ab"}`,
		"\x81\xa1x\x93\xc0\xc3\xff":              `{"x":[null,true,-1]}`,
		"\xc1":                                   "no message: (1 bytes, c1)",
		"\x80\x80":                               `no message: (2 bytes, 8080)`,
		"\xdf\xff\xff\xff\xff":                   "no message: (5 bytes, dfffffffff)",
		"\x81\xa1x" + strings.Repeat("\x91", 40): "no message: (43 bytes, 81a17891919191919191919191919191)",
	} {
		if got := Message([]byte(message), 200); got != want {
			t.Errorf("%q: %s, want %s", message, got, want)
		}
	}
	if got := Message([]byte("\x81\xa1x\xd9\xc8"+strings.Repeat("y", 200)), 20); !strings.HasSuffix(got, "...") || len(got) > 30 {
		t.Errorf("a long one: %s", got)
	}
}

func TestATranscriptHasTheLastLines(t *testing.T) {
	r := New(nil, Options{Lines: 3, Logger: slog.New(slog.DiscardHandler)})
	for i := range 5 {
		r.Transcribe(&Record{Kind: KindHost, Instance: 7, Func: "berth.read", Args: []uint64{uint64(i), 0, 100}, Results: []uint64{10}})
		r.Transcribe(&Record{Kind: KindHost, Instance: 7, Func: "berth.now"})
	}
	want := "(2 lines before)\n[7]   read 0x2 into 100 bytes: 10\n[7]   read 0x3 into 100 bytes: 10\n[7]   read 0x4 into 100 bytes: 10"
	if got := r.Transcript(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := r.Transcript(); got != "" {
		t.Errorf("again: %q", got)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestATraceCanBeReadWithGunzip(t *testing.T) {
	out := &buffer{}
	r := New(out, Options{})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(out)
	if err != nil {
		t.Fatal(err)
	}
	var rec Record
	if err := json.NewDecoder(zip).Decode(&rec); err != nil || rec.Kind != KindTrace {
		t.Errorf("%+v, %v", rec, err)
	}
}

// TestRequestsSideBySideAreTold wants each request and what came of it in the line, before the messages.
func TestRequestsSideBySideAreTold(t *testing.T) {
	asked, err := abi.Append(nil, &abi.HTTPAllRequest{Requests: []abi.HTTPRequest{{Method: "GET", URL: "http://a/x"}, {Method: "HEAD", URL: "http://a/y"}, {Method: "G\nT", URL: "x\n[9] forged\x1b[2J"}}})
	if err != nil {
		t.Fatal(err)
	}
	answered, err := abi.Append(nil, &abi.HTTPAllReply{Replies: []abi.HTTPOutcome{
		{HTTPReply: abi.HTTPReply{Status: 200}}, {Err: &abi.Error{Kind: abi.KindUnavailable, Message: "no answer"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	rec := &Record{
		Kind: KindHost, Func: abi.Module + "." + abi.ImportCall, Args: []uint64{uint64(abi.HostHTTPAll), 0, 0, 0, 0}, Said: &Said{Data: asked},
		Results: []uint64{uint64(len(answered))}, Writes: []Write{{Data: answered}},
	}
	got := rec.Describe()
	for _, want := range []string{`http_all GET http://a/x, HEAD http://a/y, G\nT x\n[9] forged\x1b[2J {`, "}: 200, unavailable {", "no answer"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	if strings.ContainsAny(got, "\n\x1b") {
		t.Errorf("%q would be obeyed by a terminal", got)
	}
}
