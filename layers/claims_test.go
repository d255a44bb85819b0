package layers_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
)

// liar is a Backend whose answers are given.
type liar struct {
	chunkedtest.Memory
	stat  storagedriver.Entry
	pages map[string]storagedriver.Page // by cursor
	body  string
	err   error // at the body's end
	says  int64
}

func (l *liar) Stat(context.Context, string) (storagedriver.Entry, error) { return l.stat, nil }

func (l *liar) List(_ context.Context, _, cursor string, _ int) (storagedriver.Page, error) {
	return l.pages[cursor], nil
}

func (l *liar) ListTree(_ context.Context, _, _, cursor string, _ int) (storagedriver.Page, error) {
	return l.pages[cursor], nil
}

func (l *liar) Read(context.Context, string, int64, int64) (io.ReadCloser, int64, error) {
	var body io.Reader = strings.NewReader(l.body)
	if l.err != nil {
		body = io.MultiReader(body, failing{l.err})
	}
	return io.NopCloser(body), l.says, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func names(cursor string, names ...string) storagedriver.Page {
	p := storagedriver.Page{Cursor: cursor}
	for _, n := range names {
		p.Entries = append(p.Entries, storagedriver.Entry{Name: strings.TrimSuffix(n, "|"), Dir: strings.HasSuffix(n, "|")})
	}
	return p
}

func TestListingsAreChecked(t *testing.T) {
	for what, pages := range map[string]map[string]storagedriver.Page{
		"descending":                 {"": names("", "b", "a")},
		"descending across pages":    {"": names("1", "b"), "1": names("", "a")},
		"a directory out of place":   {"": names("", "a|", "a-")},
		"the same name twice":        {"": names("", "a", "a")},
		"no name":                    {"": names("", "")},
		"the directory itself":       {"": names("", ".")},
		"the directory above":        {"": names("", "..")},
		"a path":                     {"": names("", "a//b")},
		"the same cursor":            {"": names("1"), "1": names("1")},
		"cursors in a circle":        {"": names("1"), "1": names("2"), "2": names("1")},
		"a long cursor":              {"": names(strings.Repeat("x", storagedriver.MaxCursor+1))},
		"a negative size":            {"": {Entries: []storagedriver.Entry{{Name: "a", Size: -1}}}},
		"a negative size, in a page": {"": names("1"), "1": {Entries: []storagedriver.Entry{{Name: "a", Size: -1}}}},
	} {
		t.Run(what, func(t *testing.T) {
			d := complete(&liar{stat: storagedriver.Entry{Dir: true}, pages: pages})
			_, err := d.List(t.Context(), "/a")
			wantKind(t, "List", err, storagedriver.KindCorrupt)
			nothing := func(storagedriver.FileInfo) error { return storagedriver.ErrSkipDir }
			wantKind(t, "Walk", d.Walk(t.Context(), "/a", nothing), storagedriver.KindCorrupt)
			tree := &liar{stat: storagedriver.Entry{Dir: true}, pages: pages}
			tree.Can = storagedriver.AbilityListTree
			wantKind(t, "Walk by ListTree", complete(tree).Walk(t.Context(), "/a", nothing), storagedriver.KindCorrupt)
		})
	}
}

func TestUnsortedListingsMayBeInAnyOrder(t *testing.T) {
	l := &liar{pages: map[string]storagedriver.Page{"": names("1", "c", "a|"), "1": names("", "b", "c")}}
	l.Can = storagedriver.AbilityUnsorted
	got, err := complete(l).List(t.Context(), "/")
	ok(t, "List", err)
	if want := "/a /b /c"; strings.Join(got, " ") != want {
		t.Errorf("List: %v, want %s", got, want)
	}
}

func TestBodiesAreChecked(t *testing.T) {
	for what, c := range map[string]struct {
		liar *liar
		want storagedriver.Kind
	}{
		"short":             {&liar{body: "abc", says: 4}, storagedriver.KindCorrupt},
		"long":              {&liar{body: "abc", says: 2}, storagedriver.KindCorrupt},
		"negative":          {&liar{body: "abc", says: -1}, storagedriver.KindCorrupt},
		"broken":            {&liar{body: "abc", says: 4, err: storagedriver.NewError(storagedriver.KindUnavailable, "reset")}, storagedriver.KindUnavailable},
		"broken, undefined": {&liar{body: "abc", says: 4, err: errors.New("reset")}, storagedriver.KindUnknown},
	} {
		t.Run(what, func(t *testing.T) {
			d := complete(c.liar)
			_, err := d.GetContent(t.Context(), "/a")
			wantKind(t, "GetContent", err, c.want)
			r, err := d.Reader(t.Context(), "/a", 0)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			wantKind(t, "Reader", err, c.want)
		})
	}
	_, err := complete(&liar{says: 1 << 40}).GetContent(t.Context(), "/a")
	wantKind(t, "GetContent of a terabyte", err, storagedriver.KindLimit)
}

func TestReaderEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := complete(&liar{body: "abc", says: 3}).Reader(ctx, "/a", 0)
	ok(t, "Reader", err)
	cancel()
	_, err = r.Read(make([]byte, 1))
	wantKind(t, "Read", err, storagedriver.KindCanceled)
}

func TestStatIsChecked(t *testing.T) {
	_, err := complete(&liar{stat: storagedriver.Entry{Size: -1}}).Stat(t.Context(), "/a")
	wantKind(t, "Stat of a negative size", err, storagedriver.KindCorrupt)
	_, err = complete(&liar{}).Stat(t.Context(), "/")
	wantKind(t, "Stat of a root that is a file", err, storagedriver.KindCorrupt)
}
