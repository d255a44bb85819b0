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
		"delete_tree": opDeleteTree, "copy": opCopy, "move": opMove, "concat": opConcat, "list_tree": opListTree, "list_uploads": opListUploads,
		"redirect": opRedirect, "upload_part": opUploadPart, "upload_suspend": opUploadSuspend,
		"upload_commit": opUploadCommit, "upload_cancel": opUploadCancel, "upload_abort": opUploadAbort,
		"upload_open": opUploadOpen, "stream": opStream, "committing": opCommitting,
	}
	left := map[string]bool{} // operations that no vector was for
	for op := range ops {
		left[op] = true
	}
	for _, v := range vectors(t) {
		op, known := ops[v.Op]
		if !known || v.Dir == "request" {
			continue
		}
		delete(left, v.Op)
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
	if len(left) > 0 {
		t.Fatalf("no vector was for %v", left)
	}
}
