package berth

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"testing"
)

const goldenFile = "../../abi/testdata/messages.json"

type vector struct {
	Name, Op, Dir, Hex string
	Value              json.RawMessage
}

func (v vector) message(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile(goldenFile)
	if os.IsNotExist(err) {
		if os.Getenv("CI") != "" {
			t.Fatal("the golden vectors of package abi are not beside this module, and under CI they have to be")
		}
		t.Skip("the golden vectors of package abi are not beside this module")
	}
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(b, &vs); err != nil {
		t.Fatal(err)
	}
	return vs
}

// tree decodes any value with the SDK's decoder.
func (d *decoder) tree() any {
	if d.err != nil || d.i == len(d.b) {
		d.fail(errTruncated)
		return nil
	}
	switch c := d.b[d.i]; {
	case c&0xf0 == 0x80, c == 0xde, c == 0xdf:
		m := map[string]any{}
		for n := d.mapLen(); n > 0 && d.err == nil; n-- {
			k := d.str()
			m[k] = d.tree()
		}
		return m
	case c&0xf0 == 0x90, c == 0xdc, c == 0xdd:
		list := []any{}
		for n := d.arrayLen(); n > 0 && d.err == nil; n-- {
			list = append(list, d.tree())
		}
		return list
	case c&0xe0 == 0xa0, c >= 0xd9 && c <= 0xdb:
		return d.str()
	case c >= 0xc4 && c <= 0xc6:
		return base64.StdEncoding.EncodeToString(d.bin())
	case c == 0xc2, c == 0xc3:
		return d.bool()
	}
	return json.Number(strconv.FormatInt(d.int(), 10))
}

func TestDecoderReadsTheGoldenVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Dir+"/"+v.Name, func(t *testing.T) {
			message := v.message(t)
			d := decoder{b: message}
			got := d.tree()
			if err := d.end(); err != nil {
				t.Fatal(err)
			}
			var want any
			j := json.NewDecoder(bytes.NewReader(v.Value))
			j.UseNumber()
			if err := j.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if v.Dir == "error" {
				want = map[string]any{"err": want}
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("decoded\n%v, want\n%v", got, want)
			}
			skip := decoder{b: message}
			if skip.skip(); skip.end() != nil {
				t.Fatalf("skip: %v", skip.err)
			}
		})
	}
}

// TestGuestWritesTheGoldenReplies has a driver answer with what each vector says and
// compares the bytes.
func TestGuestWritesTheGoldenReplies(t *testing.T) {
	ops := map[string]uint32{
		"open": opOpen, "stat": opStat, "list": opList, "read": opRead, "put": opPut, "delete": opDelete,
		"delete_tree": opDeleteTree, "copy": opCopy, "move": opMove, "concat": opConcat, "list_tree": opListTree,
		"redirect": opRedirect, "upload_part": opUploadPart, "upload_suspend": opUploadSuspend,
		"upload_commit": opUploadCommit, "upload_cancel": opUploadCancel, "upload_abort": opUploadAbort,
	}
	seen := 0
	for _, v := range vectors(t) {
		op, known := ops[v.Op]
		if !known || v.Dir == "request" {
			continue
		}
		seen++
		t.Run(v.Dir+"/"+v.Op+"/"+v.Name, func(t *testing.T) {
			driver := &answering{}
			if err := json.Unmarshal(v.Value, &driver.reply); err != nil {
				t.Fatal(err)
			}
			driver.fails = v.Dir == "error"
			g := newGuest(&fakeImports{}, Manifest{}, driver.open)
			driver.host = g.host
			if op != opOpen {
				g.driver = driver
			}
			if got, want := hex.EncodeToString(g.dispatch(op, []byte{0x80})), v.Hex; got != want {
				t.Fatalf("wrote\n%s, want\n%s", got, want)
			}
		})
	}
	if seen < 20 {
		t.Fatalf("only %d vectors were used", seen)
	}
}

func TestHostRequestsAreTheGoldenOnes(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Dir != "request" || v.Op != "http" && v.Op != "http_begin" && v.Op != "receipts_get" && v.Op != "receipts_set" {
			continue
		}
		t.Run(v.Op+"/"+v.Name, func(t *testing.T) {
			var r goldenRequest
			if err := json.Unmarshal(v.Value, &r); err != nil {
				t.Fatal(err)
			}
			im := &fakeImports{reply: []byte{0x80}}
			w := newWireHost(im)
			r.send(w, v.Op)
			if got := hex.EncodeToString(im.request); got != v.Hex {
				t.Fatalf("wrote\n%s, want\n%s", got, v.Hex)
			}
		})
	}
}

type goldenRequest struct {
	Method, URL    string
	Headers        []string
	Data           []byte
	Body           []int64
	Max            int
	Want           *[]string
	Size, Receipts int64
	After, Limit   int
	Page           []goldenReceipt
}

type goldenReceipt struct {
	Num       int
	Off, Size int64
	Data      []byte
}

func (r goldenRequest) send(w *wireHost, op string) {
	req := &Request{Method: r.Method, URL: r.URL, Headers: r.Headers, Data: r.Data, Max: r.Max}
	if r.Want != nil {
		req.Want = append([]string{}, *r.Want...)
	}
	for _, h := range r.Body {
		req.Body = append(req.Body, NewStream(&handle{w, h}, -1))
	}
	table := &wireReceipts{w, r.Receipts}
	switch op {
	case "http":
		w.HTTP(req)
	case "http_begin":
		w.Begin(req, r.Size)
	case "receipts_get":
		table.Page(r.After, r.Limit)
	case "receipts_set":
		var page []Receipt
		for _, p := range r.Page {
			page = append(page, Receipt{p.Num, p.Off, p.Size, p.Data})
		}
		table.Set(page)
	}
}
