package berth

import (
	"reflect"
	"testing"
)

// repliesOf returns a reply of the host to requests that run side by side: an error for "", Data for anything else.
func repliesOf(data ...string) []byte {
	var e encoder
	e.object().key("replies").arrayLen(len(data))
	for _, text := range data {
		o := e.object()
		o.int("status", 200)
		o.bin("data", []byte(text))
		if text == "" {
			o.key("err")
			failure := e.object()
			failure.int("kind", int64(KindLimit))
			failure.str("msg", "too long")
		}
	}
	return e.b
}

func TestWhatCameOfSeveralRequestsStays(t *testing.T) {
	im := &fakeImports{}
	w := newWireHost(im)
	im.reply = repliesOf("first", "", "third")
	first, err := w.HTTPAll(three())
	if err != nil {
		t.Fatal(err)
	}
	im.reply = repliesOf("other", "other", "other")
	if _, err := w.HTTPAll(three()); err != nil {
		t.Fatal(err)
	}
	want := []Exchange{
		{Response: Response{Status: 200, Data: []byte("first")}}, {Err: &Error{Kind: KindLimit, Msg: "too long"}}, {Response: Response{Status: 200, Data: []byte("third")}},
	}
	if !reflect.DeepEqual(first, want) {
		t.Errorf("after another call the answers are %+v, want %+v", first, want)
	}
}

func TestALongReplyToSeveralRequestsIsTaken(t *testing.T) {
	long := string(make([]byte, 2*replyPiece))
	all, err := newWireHost(&fakeImports{reply: repliesOf("a", long, "c")}).HTTPAll(three())
	if err != nil || string(all[0].Data) != "a" || string(all[1].Data) != long || string(all[2].Data) != "c" {
		t.Errorf("got %d answers, %v", len(all), err)
	}
}

func TestEachOfSeveralRequestsIsAnswered(t *testing.T) {
	for name, reply := range map[string][]byte{"none": {0x80}, "fewer": repliesOf("a", "b"), "more": repliesOf("a", "b", "c", "d")} {
		if all, err := newWireHost(&fakeImports{reply: reply}).HTTPAll(three()); err != errReplies || all != nil {
			t.Errorf("%s: got %+v, %v, want the error %v", name, all, err, errReplies)
		}
	}
}

func TestSeveralRequestsAreSentOrNone(t *testing.T) {
	im := &fakeImports{op: -1}
	_, err := newWireHost(im).HTTPAll([]*Request{{Method: "GET"}, {Method: "PUT", Data: []byte("x"), Body: []*Stream{NewStream(&handle{}, 1)}}})
	if KindOf(err) != KindInvalidArgument || im.op != -1 {
		t.Errorf("one with both Data and Body: %v, and operation %d was called", err, im.op)
	}
	_, err = newWireHost(im).HTTPAll([]*Request{{Data: make([]byte, MaxMessage/2)}, {Data: make([]byte, MaxMessage/2)}})
	if err != errTooLong || im.op != -1 {
		t.Errorf("more than a message: %v, and operation %d was called", err, im.op)
	}
}

func three() []*Request { return []*Request{{}, {}, {}} }
