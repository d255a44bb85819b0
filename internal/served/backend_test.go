package served

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// served returns a gate over memory, and a Backend of it.
func served(t *testing.T) (storagedriver.StorageDriver, *backend) {
	t.Helper()
	d := layers.Complete(inmemory.New())
	s := newBackend(d)
	t.Cleanup(func() { ok(t, s.Close(), "Close") })
	return d, s
}

func ok(t *testing.T, err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantError wants an error of the kind that has the text.
func wantError(t *testing.T, err error, kind storagedriver.Kind, text, what string) {
	t.Helper()
	if err == nil || storagedriver.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Fatalf("%s: want an error of kind %q with %q, got %v", what, kind, text, err)
	}
}

// TestCapabilities says of each ability what becomes of it.
func TestCapabilities(t *testing.T) {
	type fate int
	const (
		never  fate = iota // whatever the driver has
		always             // whatever the driver has
		passed             // as the driver has it
	)
	for _, c := range []struct {
		ability storagedriver.Ability
		fate    fate
		why     string
	}{
		{storagedriver.AbilityCopy, never, "a StorageDriver has no Copy"},
		{storagedriver.AbilityMove, always, "every StorageDriver moves files, and atomically for readers; a Move derived by the host would be all bytes through the socket, twice, and a Delete that takes the files under a file along"},
		{storagedriver.AbilityMoveTree, always, "every StorageDriver moves directories, and ends the uploads below both paths, which a host that moves file by file cannot"},
		{storagedriver.AbilityConcat, never, "a StorageDriver has no Concat"},
		{storagedriver.AbilityParts, always, "parts go to its Writer"},
		{storagedriver.AbilityListTree, never, "Walk has directories and no pages"},
		{storagedriver.AbilityRedirect, passed, "RedirectURL"},
		{storagedriver.AbilityDeleteTree, always, "Delete is of all below a path"},
		{storagedriver.AbilityUnsorted, never, "a StorageDriver's listings are sorted, and private names are sorted in"},
		{storagedriver.AbilityAppendCommitted, passed, "its Writer decides"},
		{storagedriver.AbilityFilesUnderFiles, passed, "it is a fact about the storage"},
		{storagedriver.AbilityConditional, never, "when a writer was closed between two parts, only the size tells whether another has moved on"},
		{storagedriver.AbilityIdempotent, passed, "Put and DeleteTree are its own, and SuspendUpload writes no byte twice"},
		{storagedriver.AbilityListUploads, never, "a StorageDriver has no list of uploads"},
	} {
		for _, has := range []storagedriver.Ability{0, c.ability} {
			want := c.fate == always || c.fate == passed && has != 0
			if got := capabilitiesOf(storagedriver.Capabilities{Abilities: has}).Has(c.ability); got != want {
				t.Errorf("%v of a driver that has %q: want %v, got %v: %s", c.ability, has, want, got, c.why)
			}
		}
	}
	for most, want := range map[int64]int64{0: maxPut, 1000: 1000, maxPut + 1: maxPut} {
		if got := capabilitiesOf(storagedriver.Capabilities{MaxObject: most}).MaxObject; got != want {
			t.Errorf("MaxObject of a driver with %d: want %d, got %d", most, want, got)
		}
	}
}

// pages lists a directory, each page with a Backend of its own if they are many.
func pages(t *testing.T, limit int, backends ...storagedriver.Backend) (keys []string) {
	t.Helper()
	cursor := ""
	for i := 0; ; i++ {
		page, err := backends[i%len(backends)].List(t.Context(), "/d", cursor, limit)
		ok(t, err, "List")
		if len(page.Entries) > limit {
			t.Fatalf("List: want at most %d entries, got %d", limit, len(page.Entries))
		}
		for _, e := range page.Entries {
			keys = append(keys, keyOf(e))
		}
		if cursor = page.Cursor; cursor == "" {
			return keys
		}
	}
}

func TestListingHasPrivateNamesInOrder(t *testing.T) {
	d, s := served(t)
	want := []string{"-", "--a", "--~", "-.-data~", "-.-x/", "-~/", "a", "data", "data-b", "data.c", "data~", "data~x/", "z"}
	for _, name := range []string{"-", "--a", "a", "data", "data-b", "data.c", "z"} {
		ok(t, d.PutContent(t.Context(), "/d/"+name, nil), "PutContent")
	}
	for _, name := range []string{"--~", "-.-data~", "-.-x/y", "-~/y", "data~", "data~x/y"} {
		ok(t, s.Put(t.Context(), "/d/"+name, storagedriver.BytesSource(name)), "Put")
	}
	for _, name := range []string{"-.-foreign", "-.-", "-.-x-u"} { // nobody wrote these here
		ok(t, d.PutContent(t.Context(), "/d/"+name, nil), "PutContent")
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		if got := pages(t, limit, s); !slices.Equal(got, want) {
			t.Errorf("pages of %d: want %q, got %q", limit, want, got)
		}
		// A process that goes on with another's listing.
		if got := pages(t, limit, s, newBackend(d)); !slices.Equal(got, want) {
			t.Errorf("pages of %d by two processes: want %q, got %q", limit, want, got)
		}
	}
	_, err := s.List(t.Context(), "/d/missing", "", 10)
	wantError(t, err, storagedriver.KindNotFound, "not found", "List of what is missing")
	if n := len(s.listings.kept); n > maxListings {
		t.Errorf("want at most %d listings kept, got %d", maxListings, n)
	}
}

func TestPrivatePathsOfTheHostAreThereAndNoOthersSeeThem(t *testing.T) {
	d, s := served(t)
	outer := layers.Complete(keptBackend{s})
	const path = "/a~/-.-b/c~d"
	ok(t, s.Put(t.Context(), path, storagedriver.BytesSource("private")), "Put")
	ok(t, outer.PutContent(t.Context(), "/-.-public", []byte("public")), "PutContent")
	e, err := s.Stat(t.Context(), path)
	if ok(t, err, "Stat"); e.Size != 7 {
		t.Errorf("Stat of a private path: want 7 bytes, got %d", e.Size)
	}
	ok(t, s.Move(t.Context(), path, "/a~/e~"), "Move")
	body, n, err := s.Read(t.Context(), "/a~/e~", 3, -1)
	ok(t, err, "Read")
	if got, err := io.ReadAll(body); string(got) != "vate" || n != 4 || err != nil {
		t.Errorf("Read of a private path: want vate, got %q, %d and %v", got, n, err)
	}
	names, err := outer.List(t.Context(), "/")
	ok(t, err, "List")
	if !slices.Equal(names, []string{"/-.-public"}) {
		t.Errorf("List by the host: want what is public, got %q", names)
	}
	content, err := outer.GetContent(t.Context(), "/-.-public")
	if ok(t, err, "GetContent"); string(content) != "public" {
		t.Errorf("GetContent: want public, got %q", content)
	}
	names, err = d.List(t.Context(), "/")
	ok(t, err, "List")
	if want := []string{"/-.---.--public", "/-.-a-t"}; !slices.Equal(names, want) {
		t.Errorf("List by the driver: want %q, got %q", want, names)
	}
	ok(t, s.DeleteTree(t.Context(), "/a~"), "DeleteTree")
	_, err = s.Stat(t.Context(), "/a~")
	wantError(t, err, storagedriver.KindNotFound, "", "Stat of what was deleted")
	wantError(t, s.Put(t.Context(), "/"+strings.Repeat("-", storagedriver.MaxPath-2)+"~", storagedriver.BytesSource(nil)),
		storagedriver.KindInvalidPath, "bytes, more than 1024", "Put at a path that is too long there")
}

// counting is a driver as it is, with the count of its Stats and Readers.
type counting struct {
	storagedriver.StorageDriver
	stats, readers *int
}

func (d counting) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	*d.stats++
	return d.StorageDriver.Stat(ctx, path)
}

func (d counting) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	*d.readers++
	return d.StorageDriver.Reader(ctx, path, offset)
}

// unsized is a driver whose readers don't tell their size.
type unsized struct{ storagedriver.StorageDriver }

func (d unsized) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := d.StorageDriver.Reader(ctx, path, offset)
	return struct{ io.ReadCloser }{r}, err
}

func TestReadersThatTellTheirSizeNeedNoStat(t *testing.T) {
	d := layers.Complete(inmemory.New())
	content := bytes.Repeat([]byte("a"), 2*smallRead)
	ok(t, d.PutContent(t.Context(), "/f", content), "PutContent")
	for name, to := range map[string]struct {
		d                      storagedriver.StorageDriver
		wantStats, wantReaders int
	}{
		"told":     {d, 0, 3},
		"not told": {unsized{d}, 6, 4}, // one Reader more, by which that is learned
	} {
		t.Run(name, func(t *testing.T) {
			var stats, readers int
			s := newBackend(counting{to.d, &stats, &readers})
			for range 3 {
				body, n, err := s.Read(t.Context(), "/f", 5, -1)
				ok(t, err, "Read")
				got, err := io.ReadAll(storagedriver.ExactBody(body, n))
				ok(t, errors.Join(err, body.Close()), "the body")
				if !bytes.Equal(got, content[5:]) {
					t.Errorf("Read: want %d bytes, got %d", len(content)-5, len(got))
				}
			}
			if stats != to.wantStats || readers != to.wantReaders {
				t.Errorf("three Reads: want %d Stats and %d Readers, got %d and %d", to.wantStats, to.wantReaders, stats, readers)
			}
		})
	}
}

// replacing is a driver whose file is replaced between a Stat and the Reader that follows, by the contents in turn.
type replacing struct {
	storagedriver.StorageDriver
	contents [][]byte
	turn     *int
	andBack  bool // a content that a Reader has found is replaced by the one before it while it is read
}

// replaced returns a backend of a file that is replaced so; that its readers tell no size it has learned before.
func replaced(d storagedriver.StorageDriver, contents [][]byte, turn int, andBack bool) *backend {
	s := newBackend(replacing{d, contents, &turn, andBack})
	s.unsized.Store(true)
	return s
}

func (d replacing) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	if *d.turn < len(d.contents) {
		if err := d.PutContent(ctx, path, d.contents[*d.turn]); err != nil {
			return nil, err
		}
		*d.turn++
		if d.andBack {
			r, err := d.StorageDriver.Reader(ctx, path, offset)
			if err == nil {
				err = d.PutContent(ctx, path, d.contents[*d.turn-2])
			}
			return struct{ io.ReadCloser }{r}, err
		}
	}
	r, err := d.StorageDriver.Reader(ctx, path, offset)
	return struct{ io.ReadCloser }{r}, err
}

func TestReadKeepsItsPromiseWhenTheFileIsReplacedAndBack(t *testing.T) {
	d := layers.Complete(inmemory.New())
	large, larger := bytes.Repeat([]byte("b"), 2*smallRead), bytes.Repeat([]byte("c"), 3*smallRead)
	ok(t, d.PutContent(t.Context(), "/f", large), "PutContent")
	s := replaced(d, [][]byte{large, larger}, 1, true)
	defer func() { ok(t, s.Close(), "Close") }()
	body, n, err := s.Read(t.Context(), "/f", 0, -1)
	ok(t, err, "Read")
	got, err := io.ReadAll(storagedriver.ExactBody(body, n))
	ok(t, errors.Join(err, body.Close()), "the body")
	if !bytes.Equal(got, large) {
		t.Errorf("Read: want the %d bytes that are there, got %d", len(large), len(got))
	}
}

func TestReadKeepsItsPromiseWhenTheFileIsReplaced(t *testing.T) {
	small, large, larger := bytes.Repeat([]byte("a"), 100), bytes.Repeat([]byte("b"), 2*smallRead), bytes.Repeat([]byte("c"), 3*smallRead)
	for name, contents := range map[string][][]byte{
		"large by larger": {large, larger}, "larger by large": {larger, large}, "small by large": {small, large}, "large by small": {large, small},
		"by one of its size": {large, bytes.Repeat([]byte("d"), len(large))}, "twice": {small, larger, large}, "to nothing": {small, {}},
	} {
		t.Run(name, func(t *testing.T) {
			d := layers.Complete(inmemory.New())
			s := replaced(d, contents, 1, false)
			defer func() { ok(t, s.Close(), "Close") }()
			ok(t, d.PutContent(t.Context(), "/f", contents[0]), "PutContent")
			body, n, err := s.Read(t.Context(), "/f", 0, -1)
			ok(t, err, "Read")
			got, err := io.ReadAll(storagedriver.ExactBody(body, n))
			ok(t, errors.Join(err, body.Close()), "the body")
			if want := contents[len(contents)-1]; !bytes.Equal(got, want) {
				t.Errorf("Read: want the %d bytes that are there, got %d", len(want), len(got))
			}
		})
	}
	d := layers.Complete(inmemory.New())
	ok(t, d.PutContent(t.Context(), "/f", small), "PutContent")
	contents := slices.Repeat([][]byte{large, larger}, readAttempts)
	s := replaced(d, contents, 0, false)
	defer func() { ok(t, s.Close(), "Close") }()
	_, _, err := s.Read(t.Context(), "/f", 0, -1)
	wantError(t, err, storagedriver.KindConflict, "replaced again and again", "Read of a file that is replaced all the time")
	if !storagedriver.IsTemporary(err) {
		t.Errorf("Read of a file that is replaced all the time: want a temporary error, got %v", err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*readPause)
	defer cancel()
	s = replaced(d, contents, 0, false)
	defer func() { ok(t, s.Close(), "Close") }()
	if _, _, err := s.Read(ctx, "/f", 0, -1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Read of a file that is replaced all the time, for a moment: want the context's error, got %v", err)
	}
}

func TestReadOfARange(t *testing.T) {
	d, s := served(t)
	content := make([]byte, 3*smallRead)
	for i := range content {
		content[i] = byte(i * 7 / 3)
	}
	ok(t, d.PutContent(t.Context(), "/f", content), "PutContent")
	size := int64(len(content))
	for _, offset := range []int64{0, 1, smallRead, size - 1, size} {
		for _, length := range []int64{-1, 0, 1, smallRead, smallRead + 1, size, size + 5} {
			want := content[offset:]
			if length >= 0 {
				want = want[:min(length, size-offset)]
			}
			body, n, err := s.Read(t.Context(), "/f", offset, length)
			ok(t, err, "Read")
			got, err := io.ReadAll(body)
			if err != nil || n != int64(len(want)) || !bytes.Equal(got, want) {
				t.Errorf("Read of %d bytes at %d: want %d, got a promise of %d, %d bytes and %v", length, offset, len(want), n, len(got), err)
			}
			ok(t, body.Close(), "Close")
		}
	}
	_, _, err := s.Read(t.Context(), "/f", size+1, -1)
	wantError(t, err, storagedriver.KindInvalidOffset, "", "Read beyond the end")
	_, _, err = s.Read(t.Context(), "/missing", 0, -1)
	wantError(t, err, storagedriver.KindNotFound, "", "Read of what is missing")
	if e := (*storagedriver.Error)(nil); !errors.As(err, &e) || e.Op != "" || e.Path != "" {
		t.Errorf("Read of what is missing: want the cause alone, got %v", err)
	}
}

func TestPutTakesWhatItsSourcePromised(t *testing.T) {
	d, s := served(t)
	ok(t, d.PutContent(t.Context(), "/f", []byte("old")), "PutContent")
	for name, source := range map[string]promised{"fewer": {5, "1234"}, "more": {3, "1234"}, "more than nothing": {0, "1"}} {
		wantError(t, s.Put(t.Context(), "/f", source), storagedriver.KindCorrupt, "bytes", "Put of "+name)
	}
	wantError(t, s.Put(t.Context(), "/f", promised{maxPut + 1, ""}), storagedriver.KindLimit, "at most 67108864 bytes", "Put of too much")
	if got, err := d.GetContent(t.Context(), "/f"); string(got) != "old" || err != nil {
		t.Errorf("GetContent after puts that failed: want the old, got %q and %v", got, err)
	}
	// An unfinished upload goes on.
	w, err := d.Writer(t.Context(), "/f", false)
	ok(t, err, "Writer")
	_, err = w.Write([]byte("upload"))
	ok(t, errors.Join(err, w.Close()), "Write and Close")
	ok(t, s.Put(t.Context(), "/f", storagedriver.BytesSource(make([]byte, 5<<20))), "Put")
	w, err = d.Writer(t.Context(), "/f", true)
	if ok(t, err, "Writer"); w.Size() != 6 {
		t.Errorf("size of the upload after a Put: want 6, got %d", w.Size())
	}
	ok(t, w.Cancel(t.Context()), "Cancel")
}

// promised is a Source that gives something else than it promises.
type promised struct {
	size    int64
	content string
}

func (p promised) Size() int64 { return p.size }

func (p promised) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(p.content)), nil
}

func TestDeleteIsOfFilesAndOfWhatIsEmpty(t *testing.T) {
	d, s := served(t)
	ok(t, d.PutContent(t.Context(), "/d/f", nil), "PutContent")
	wantError(t, s.Delete(t.Context(), "/d"), storagedriver.KindConflict, "not empty", "Delete of a directory with a file")
	ok(t, s.Delete(t.Context(), "/d/f"), "Delete of a file")
	if err := s.Delete(t.Context(), "/d"); err != nil && storagedriver.KindOf(err) != storagedriver.KindNotFound {
		t.Errorf("Delete of an empty directory: want no error, or that it is gone, got %v", err)
	}
	wantError(t, s.Delete(t.Context(), "/d/f"), storagedriver.KindNotFound, "", "Delete of what is gone")
}
