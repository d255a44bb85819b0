package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
)

func (s *store) header(path, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.headers[path].Get(name)
}

func TestRequestBodies(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	first, content := unique(70_000), unique(200_000)
	s.set("/first", first)
	for path, want := range map[string][]byte{
		"/a": content, "/a-twice": append(bytes.Clone(content), content...), "/a-joined": append(bytes.Clone(first), content...),
		"/a-spliced": content, "/a-written": content,
	} {
		if err := d.Put(t.Context(), path, storagedriver.BytesSource(content)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, _ := s.get(path); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, want %d", path, len(got), len(want))
		}
		if got := s.header(path, "X-Length"); got != strconv.Itoa(len(want)) {
			t.Errorf("%s: Content-Length %s, want %d", path, got, len(want))
		}
	}
	for _, path := range []string{"/empty", "/empty-spliced", "/empty-written", "/empty-chunked-spliced"} {
		if err := d.Put(t.Context(), path, storagedriver.BytesSource(nil)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, ok := s.get(path); !ok || len(got) != 0 {
			t.Errorf("%s: %d bytes, %v", path, len(got), ok)
		}
	}
	if err := d.Put(t.Context(), "/chunked-spliced", storagedriver.BytesSource(content)); err != nil {
		t.Fatal(err)
	}
	if got := s.header("/chunked-spliced", "X-Length"); got != "-1" {
		t.Errorf("a body of unknown length was sent with length %s", got)
	}
}

func TestASinkThatIsDroppedMakesNothing(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	for _, content := range [][]byte{unique(1), unique(100_000), nil} {
		err := d.Put(t.Context(), "/x-dropped", storagedriver.BytesSource(content))
		wantKind(t, err, storagedriver.KindConflict, "dropped")
		if _, ok := s.get("/x-dropped"); ok {
			t.Errorf("a sink dropped with all of its %d bytes made an object", len(content))
		}
	}
}

// failing is a source that breaks in the middle.
type failing struct{ size int64 }

var errSource = errors.New("the disk is gone")

func (f failing) Size() int64 { return f.size }

func (f failing) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(unique(int(f.size/2))), broken{})), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, storagedriver.Errorf(storagedriver.KindCorrupt, "%w", errSource)
}

// short is a source that has less than it says.
type short struct{ failing }

func (f short) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(unique(int(f.size / 2)))), nil
}

func TestASourceThatFailsLeavesTheOldContent(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	for _, path := range []string{"/x", "/x-written", "/x-spliced", "/chunked-spliced"} {
		s.set(path, []byte("old"))
		for name, src := range map[string]storagedriver.Source{"failing": failing{300_000}, "short": short{failing{300_000}}} {
			err := d.Put(t.Context(), path, src)
			wantKind(t, err, storagedriver.KindCorrupt)
			if got, _ := s.get(path); string(got) != "old" {
				t.Errorf("%s %s: %d bytes", path, name, len(got))
			}
		}
	}
}

func TestInlineBodies(t *testing.T) {
	d, s, m := open(t, runtime.Config{}, nil)
	for _, n := range []int{1, 1000, 300_000, 524_288, 524_289, 1_000_000} {
		content := unique(n)
		s.set("/inline", content)
		r, got, err := d.Read(t.Context(), "/inline", 0, -1)
		if err != nil || got != int64(n) {
			t.Fatalf("%d bytes: %d, %v", n, got, err)
		}
		if open := m.Stats().OpenBodies; (open == 1) != (n > 524_288) {
			t.Errorf("%d bytes: %d bodies open", n, open)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, content) {
			t.Errorf("%d bytes: %d, %v", n, len(b), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPartsAndReceipts(t *testing.T) {
	d, s, _ := open(t, runtime.Config{}, nil)
	ctx := t.Context()
	up, err := d.OpenUpload(ctx, "/up", false)
	if err != nil || up.Token != "/up" || up.Limits.Min != 4 || up.Limits.Count != 100 || up.Receipts != nil || up.Tail != nil || up.Resumed {
		t.Fatalf("%+v, %v", up, err)
	}
	table := &storagedriver.Receipts{}
	want := ""
	for n := range 5 {
		data, err := d.PutPart(ctx, up.Token, storagedriver.Part{Number: n + 1, Offset: int64(5 * n), Body: storagedriver.BytesSource("abcde"),
			Digests: map[string][]byte{"md5": {'0' + byte(n)}}})
		if err != nil {
			t.Fatal(err)
		}
		table.Set(storagedriver.Receipt{Number: n + 1, Offset: int64(5 * n), Size: 5, Data: data})
		want += strconv.Itoa(n+1) + ":receipt " + strconv.Itoa(n) + ";"
	}
	if got, _ := s.get("/up~3"); string(got) != "abcde" {
		t.Errorf("part 3 is %q", got)
	}
	if err := d.SuspendUpload(ctx, up.Token, table, storagedriver.BytesSource("tail")); err != nil {
		t.Fatal(err)
	}
	if got := s.header("/up~tail", "X-Receipts"); got != want {
		t.Errorf("the guest saw the receipts %q, want %q", got, want)
	}
	resumeTail(t, d)
	if err := d.CommitUpload(ctx, up.Token, table, storagedriver.BytesSource("last")); err != nil {
		t.Fatal(err)
	}
	if got := s.header("/up", "X-Last"); got != "6@25" {
		t.Errorf("the last part is %s, want 6@25", got)
	}
	if err := d.CommitUpload(ctx, up.Token, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.CancelUpload(ctx, up.Token); err != nil {
		t.Fatal(err)
	}
	if err := d.AbortUploads(ctx, "/up"); err != nil {
		t.Fatal(err)
	}
}

func resumeTail(t *testing.T, d storagedriver.Backend) {
	t.Helper()
	up, err := d.OpenUpload(t.Context(), "/up", true)
	if err != nil || !up.Resumed || up.Receipts.Len() != 1 || up.Tail == nil || up.Tail.Size() != 4 {
		t.Fatalf("%+v, %v", up, err)
	}
	r, err := up.Tail.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "tail" {
		t.Errorf("the tail is %q, %v", b, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	_, err = up.Tail.Open(t.Context())
	wantKind(t, err, storagedriver.KindClosed)
}

func TestATailThatNobodyOpensIsClosed(t *testing.T) {
	d, s, m := open(t, runtime.Config{IdleTimeout: 50 * time.Millisecond}, nil)
	s.set("/up~tail", unique(500_000))
	up, err := d.OpenUpload(t.Context(), "/up", true)
	if err != nil || up.Tail == nil {
		t.Fatalf("%+v, %v", up, err)
	}
	eventually(t, "the tail is closed", func() bool { return m.Stats().OpenBodies == 0 })
	_, err = up.Tail.Open(t.Context())
	wantKind(t, err, storagedriver.KindClosed)
}

func TestAbilitiesAreClamped(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	// The guest answers open with copy, which its manifest lacks, and with a bit that nobody knows.
	want := storagedriver.AbilityParts | storagedriver.AbilityListTree | storagedriver.AbilityRedirect | storagedriver.AbilityListUploads
	if got := d.Capabilities().Abilities; got != want {
		t.Errorf("abilities %v, want %v", got, want)
	}
	for name, err := range map[string]error{
		"copy": d.Copy(t.Context(), "/a", "/b"), "move": d.Move(t.Context(), "/a", "/b"), "concat": d.Concat(t.Context(), "/a", nil),
		"delete_tree": d.DeleteTree(t.Context(), "/a"),
	} {
		wantKind(t, err, storagedriver.KindUnsupported, name, "exercise")
	}
	if _, err := d.ListTree(t.Context(), "/", "", "", 10); err != nil {
		t.Error(err)
	}
}

func TestUploadsAreListed(t *testing.T) {
	d, _, m := open(t, runtime.Config{}, nil)
	for _, c := range []struct {
		cursor string
		limit  int
		first  string
	}{{"", 7, "dir/7"}, {"x", 0, "dir/1000"}, {"x", 5000, "dir/1000"}} {
		page, err := d.ListUploads(t.Context(), "/dir", c.cursor, c.limit)
		want := storagedriver.Page{Cursor: "after " + c.cursor, Entries: []storagedriver.Entry{
			{Name: c.first, ModTime: time.Unix(0, 1700000000123456789)}, {Name: "data", ModTime: time.Unix(0, 1)},
		}}
		if err != nil || !reflect.DeepEqual(page, want) {
			t.Errorf("%+v: got %+v, %v, want %+v", c, page, err, want)
		}
	}
	if n := m.Stats().ByOp["list_uploads"]; n != 3 {
		t.Errorf("the guest was asked %d times, want 3", n)
	}
	_, err := d.ListUploads(t.Context(), "/hostile/a", "", 10)
	wantKind(t, err, storagedriver.KindGuest, `"a/../../up" is no name`)
	_, err = d.ListUploads(t.Context(), "/hostile/a", "same", 10)
	wantKind(t, err, storagedriver.KindGuest, "the cursor of a page is that of the page before")
}

func TestGuestErrorsAreClassified(t *testing.T) {
	d, _, _ := open(t, runtime.Config{}, nil)
	err := d.Put(t.Context(), "/x", storagedriver.BytesSource("1"))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = d.Read(t.Context(), "/x", 5, -1)
	wantKind(t, err, storagedriver.KindInvalidOffset, "HTTP status 416")
	_, _, err = d.Read(t.Context(), "/x", -1, -1)
	wantKind(t, err, storagedriver.KindInvalidOffset)
	_, err = d.Stat(t.Context(), "/hostile/no-such-thing")
	wantKind(t, err, storagedriver.KindUnsupported, "no-such-thing")
	if strings.Contains(err.Error(), "HTTP") {
		t.Errorf("%v has a status that nobody sent", err)
	}
}
