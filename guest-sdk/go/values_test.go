package berth

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// logging keeps the lines of the log.
type logging struct {
	fakeImports
	lines []string
}

func (l *logging) log(_ int32, line []byte) int64 {
	l.lines = append(l.lines, string(line))
	return 0
}

func TestAMetricThatIsRefusedIsAWarning(t *testing.T) {
	var e encoder
	e.object().key("err")
	o := e.object()
	o.int("kind", int64(KindLimit))
	o.str("msg", "a driver has at most 64 metrics")
	im := &logging{fakeImports: fakeImports{reply: e.b}}
	newWireHost(im).call().Count("retries", 1)
	if len(im.lines) != 1 || im.lines[0] != "the metric retries: limit reached: a driver has at most 64 metrics" {
		t.Errorf("the log has %q", im.lines)
	}
}

func TestTimesThatNanosecondsCannotSayAreErrors(t *testing.T) {
	im := &fakeImports{reply: []byte{0x80}}
	c := newWireHost(im).call()
	for _, at := range []time.Time{{}, time.Date(1677, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := c.FormatTime(at, TimeHTTP); KindOf(err) != KindInvalidArgument || im.request != nil {
			t.Errorf("%v: %v", at, err)
		}
	}
	if _, err := c.FormatTime(time.Date(2261, 12, 31, 23, 59, 59, 0, time.UTC), TimeHTTP); err != nil {
		t.Error(err)
	}
}

func TestKeysAndStreamsOfAnotherHostAreErrors(t *testing.T) {
	w := newWireHost(&fakeImports{reply: []byte{0x80}})
	foreign := NewStream(strangeStream{}, 1)
	for name, err := range map[string]error{
		"keyed without a key": second(w.HTTP(&Request{Keyed: []Keyed{{Name: "a"}}})),
		"several":             second(w.call().HTTPAll(&Request{}, &Request{Body: []*Stream{foreign}})),
		"begin":               second(w.Begin(&Request{Keyed: []Keyed{{Name: "a", Key: NewKey(strangeStream{})}}}, 1)),
		"hmac":                second(NewKey(strangeStream{}).HMAC(w.call(), SHA256, nil)),
		"hash":                second(w.call().Compress(Compression{Alg: Gzip}, foreign)),
		"put":                 w.call().Store("s").PutStreams("/a", foreign),
	} {
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindInvalidArgument || !strings.Contains(e.Msg, "of another host") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

type strangeStream struct{}

func (strangeStream) Read([]byte) (int, error) { return 0, nil }
func (strangeStream) Close() error             { return nil }

func TestTheManifestNamesWhatIsLent(t *testing.T) {
	m := Manifest{Name: "x", Stores: []string{"under"}, Credentials: []string{"storage"}, Secrets: []string{"salt", "key"}}
	if got := string(m.JSON()); !strings.Contains(got, `"stores":["under"],"credentials":["storage"],"secrets":["salt","key"]`) {
		t.Errorf("the manifest is %s", got)
	}
	if got := string((&Manifest{Name: "x"}).JSON()); strings.Contains(got, "stores") {
		t.Errorf("the manifest of a driver that uses nothing is %s", got)
	}
}
