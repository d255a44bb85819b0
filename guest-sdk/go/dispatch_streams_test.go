package berth

import (
	"bytes"
	"strings"
	"testing"
)

// transforming keeps what its Stream and Committing were given.
type transforming struct {
	answering
	path, state string
	body        int64
	size        int64
	out         *Output
	content     Content
	upload      Upload
}

func (d *transforming) Stream(_ *Call, path string, state []byte, body *Stream, out *Output) ([]byte, error) {
	d.path, d.state, d.out = path, string(state), out
	if body != nil {
		d.body, d.size = body.host.(*handle).h, body.Size()
	}
	return append([]byte("after "), state...), nil
}

func (d *transforming) Committing(_ *Call, path string, size int64, state []byte, out *Output) error {
	d.path, d.size, d.state, d.out = path, size, string(state), out
	return nil
}

func (d *transforming) Read(*Call, string, int64, int64) (Content, error) { return d.content, nil }

func (d *transforming) OpenUpload(*Call, string, bool, *Receipts) (Upload, error) {
	return d.upload, nil
}

func newTransforming() (*guest, *transforming) {
	d := &transforming{}
	g := newGuest(&fakeImports{}, Manifest{}, nil)
	g.driver = d
	return g, d
}

func TestStreamIsGivenTheStateTheBodyAndTheSink(t *testing.T) {
	g, d := newTransforming()
	var e encoder
	o := e.object()
	o.str("path", "/a")
	o.bin("state", []byte("frame 7"))
	o.int("body", 5)
	o.int("size", 99)
	o.int("sink", 6)
	reply := decoder{b: g.dispatch(opStream, e.b)}
	if got := reply.tree().(map[string]any)["state"]; got != "YWZ0ZXIgZnJhbWUgNw==" { // after frame 7
		t.Errorf("answered with the state %v", got)
	}
	if d.path != "/a" || d.state != "frame 7" || d.body != 5 || d.size != 99 || d.out == nil || d.out.host.(*handle).h != 6 {
		t.Errorf("the driver was given %+v", d)
	}
	*d = transforming{}
	e = encoder{}
	o = e.object()
	o.str("path", "/b")
	o.int("size", 9<<20)
	if reply := g.dispatch(opCommitting, e.b); len(reply) != 1 || reply[0] != 0x80 {
		t.Errorf("committing answered %x, want an empty map", reply)
	}
	if d.path != "/b" || d.size != 9<<20 || d.out != nil {
		t.Errorf("the driver was asked with %+v", d)
	}
}

func TestContentIsOfOneKind(t *testing.T) {
	g, d := newTransforming()
	d.content = Content{Length: 1, State: []byte("s"), Data: []byte("x")}
	if e := replyError(t, g.dispatch(opRead, []byte{0x80})); e.Kind != KindInvalidArgument || e.Msg != "content has a State and Data" {
		t.Errorf("a state and data: %v", e)
	}
	d.content = Content{Length: 1, State: []byte("s"), Body: NewStream(&handle{g.host, 7}, 1)}
	if reply := g.dispatch(opRead, []byte{0x80}); !bytes.Equal(reply, []byte("\x83\xa3len\x01\xa4body\x07\xa6stream\xc4\x01s")) {
		t.Errorf("a state and a body: %q", reply)
	}
	d.upload = Upload{Token: "t", Tail: Content{Length: 1, State: []byte("s")}}
	if e := replyError(t, g.dispatch(opUploadOpen, []byte{0x80})); e.Kind != KindInvalidArgument || !strings.Contains(e.Msg, "tail has a State") {
		t.Errorf("a tail with a state: %v", e)
	}
}

func TestADriverThatTransformsNothingSaysSo(t *testing.T) {
	g := newGuest(&fakeImports{}, Manifest{}, nil)
	g.driver = &struct{ answeringFive }{}
	if e := replyError(t, g.dispatch(opStream, []byte{0x80})); e.Kind != KindUnsupported || e.Msg != "Stream is not supported by this driver" {
		t.Errorf("stream: %v", e)
	}
	if reply := g.dispatch(opCommitting, []byte{0x80}); len(reply) != 1 || reply[0] != 0x80 {
		t.Errorf("committing answered %x, want that nothing prevents it", reply)
	}
}

// answeringFive is a driver of the five functions.
type answeringFive struct{ Unimplemented }

func (answeringFive) Stat(*Call, string) (Entry, error)                 { return Entry{}, nil }
func (answeringFive) List(*Call, string, string, int) (Page, error)     { return Page{}, nil }
func (answeringFive) Read(*Call, string, int64, int64) (Content, error) { return Content{}, nil }
func (answeringFive) Put(*Call, string, *Stream) error                  { return nil }
func (answeringFive) Delete(*Call, string) error                        { return nil }
