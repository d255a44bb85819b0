package layers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked/chunkedtest"
	"github.com/berth-dev/storagedriver/layers"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// flat is a backend of the keys it is given, in ascending order. Each listing takes one round of the clock.
type flat struct {
	chunkedtest.Memory
	keys []string // without the first "/"
	page int
	fail string // listings that begin after it fail; "" for none
	turn func() // instead of a round of the clock

	mu             sync.Mutex
	requests, cut  int // listings that began, those among them that were ended early
	inFlight, peak int
}

const round = time.Second

var closed = func() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}()

func newFlat(page int, keys []string) *flat {
	slices.Sort(keys)
	return &flat{keys: slices.Compact(keys), page: page}
}

func (*flat) Name() string { return "flat" }

func (*flat) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: storagedriver.AbilityListTree | storagedriver.AbilityFilesUnderFiles}
}

func (f *flat) Stat(_ context.Context, path string) (storagedriver.Entry, error) {
	key := path[1:]
	if _, found := slices.BinarySearch(f.keys, key); found {
		return storagedriver.Entry{}, nil
	}
	if i, _ := slices.BinarySearch(f.keys, key+"/"); path == "/" || i < len(f.keys) && strings.HasPrefix(f.keys[i], key+"/") {
		return storagedriver.Entry{Dir: true}, nil
	}
	return storagedriver.Entry{}, storagedriver.NewError(storagedriver.KindNotFound, "nothing there")
}

func (f *flat) ListTree(ctx context.Context, path, startAfter, cursor string, limit int) (storagedriver.Page, error) {
	if err := f.wait(ctx); err != nil {
		return storagedriver.Page{}, err
	}
	below := strings.TrimPrefix(path+"/", "/")
	if path == "/" {
		below = ""
	}
	after := max(startAfter, cursor)
	if f.fail != "" && after >= f.fail {
		return storagedriver.Page{}, storagedriver.NewError(storagedriver.KindUnavailable, "the listing failed")
	}
	var page storagedriver.Page
	i := sort.Search(len(f.keys), func(i int) bool { return f.keys[i] >= below && f.keys[i] > below+after })
	for ; i < len(f.keys) && strings.HasPrefix(f.keys[i], below); i++ {
		if len(page.Entries) == min(limit, f.page) {
			page.Cursor = page.Entries[len(page.Entries)-1].Name
			break
		}
		page.Entries = append(page.Entries, storagedriver.Entry{Name: f.keys[i][len(below):]})
	}
	return page, nil
}

func (f *flat) wait(ctx context.Context) error {
	f.mu.Lock()
	f.requests++
	f.inFlight++
	f.peak = max(f.peak, f.inFlight)
	f.mu.Unlock()
	var over <-chan time.Time
	if f.turn != nil {
		f.turn()
		over = closed
	} else {
		over = time.After(round) // of a bubble's clock
	}
	var err error
	select {
	case <-over:
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	if err != nil {
		f.cut++
	}
	return err
}

// The shapes of trees that are walked.

// digest is one of 16 digits.
func digest(i int) string {
	r := rand.New(rand.NewPCG(2, uint64(i)))
	return fmt.Sprintf("%016x", r.Uint64())
}

func blobs(n int) []string {
	var keys []string
	for i := range n {
		d := digest(i)
		keys = append(keys, "docker/registry/v2/blobs/sha256/"+d[:2]+"/"+d+"/data")
	}
	return keys
}

func repositories(n int, name func(i int) string) []string {
	var keys []string
	for i := range n {
		d := digest(i)
		repo := "docker/registry/v2/repositories/" + name(i)
		keys = append(keys, repo+"/_layers/sha256/"+d+"/link", repo+"/_manifests/revisions/sha256/"+d+"/link",
			repo+"/_manifests/tags/latest/current/link", repo+"/_manifests/tags/latest/index/sha256/"+d+"/link")
	}
	return keys
}

func numbered(i int) string { return fmt.Sprintf("library/app-%05d", i) }

// worded is a name of syllables: its letters are not as even as digits.
func worded(i int) string {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	syllables := strings.Fields("al ba ca con de do en go gra im in ka le lo ma mo na no pro py re ro sa sta te ti tor un ve web")
	word := func() string { return syllables[r.IntN(len(syllables))] + syllables[r.IntN(len(syllables))] }
	return word() + "/" + word() + syllables[r.IntN(len(syllables))]
}

// TestWalkReadsATreeInParallel says what walking a tree costs: in listings, and in rounds, which are how many of them have to
// wait for one another. Read one after the other they are as many as there are pages.
func TestWalkReadsATreeInParallel(t *testing.T) {
	skipBelow := func(depth int) storagedriver.WalkFunc {
		return func(info storagedriver.FileInfo) error {
			if info.IsDir() && strings.Count(info.Path(), "/") == depth {
				return storagedriver.ErrSkipDir
			}
			return nil
		}
	}
	first := func(n int) storagedriver.WalkFunc {
		return func(storagedriver.FileInfo) error {
			if n--; n == 0 {
				return storagedriver.ErrFilledBuffer
			}
			return nil
		}
	}
	var unpadded, numbers []string
	for i := range 100_000 {
		unpadded = append(unpadded, fmt.Sprintf("dir/file-%d", i))
		numbers = append(numbers, fmt.Sprintf("dir/file-%06d", i))
	}
	var deep []string
	for i := range 20 {
		for j := range 5_000 {
			deep = append(deep, fmt.Sprintf("images/repo%02d/layers/%05x/data", i, j*7919%0xfffff))
		}
	}
	registry := append(blobs(50_000), repositories(12_500, worded)...)
	for _, c := range []struct {
		name     string
		keys     []string
		f        storagedriver.WalkFunc
		after    string
		requests int // which parts are listed at a time is the scheduler's: the most of hundreds of runs, and some
		rounds   int
	}{
		{name: "100,000 blobs", keys: blobs(100_000), requests: 150, rounds: 24},
		{name: "300,000 blobs", keys: blobs(300_000), requests: 380, rounds: 55},
		{name: "10,000 repositories, numbered", keys: repositories(10_000, numbered), requests: 65, rounds: 12},
		{name: "10,000 repositories, words", keys: repositories(10_000, worded), requests: 160, rounds: 40},
		{name: "blobs and repositories", keys: registry, requests: 250, rounds: 50},
		{name: "100,000 files, padded", keys: numbers, requests: 150, rounds: 24},
		{name: "100,000 files, not padded", keys: unpadded, requests: 150, rounds: 24},
		{name: "20 directories of 5,000", keys: deep, requests: 150, rounds: 40},
		{name: "a small tree", keys: blobs(1000), requests: 1, rounds: 1},
		{name: "two pages", keys: blobs(1500), requests: 4, rounds: 2},
		{name: "a walk that skips every repository", keys: repositories(10_000, numbered), f: skipBelow(6), requests: 65, rounds: 12},
		{name: "a walk that skips the blobs", keys: registry, f: skipBelow(4), requests: 5, rounds: 3},
		{name: "the end of 100,000 blobs", keys: blobs(100_000), after: "/docker/registry/v2/blobs/sha256/ff/ff", requests: 1, rounds: 1},
		{name: "the first 10", keys: blobs(100_000), f: first(10), requests: 2, rounds: 1},
		{name: "the first 3,000", keys: blobs(100_000), f: first(3000), requests: 12, rounds: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlat(1000, c.keys)
				begin := time.Now()
				files := 0
				err := layers.Complete(f).Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
					if !info.IsDir() {
						files++
					}
					if c.f != nil {
						return c.f(info)
					}
					return nil
				}, storagedriver.WithStartAfterHint(c.after))
				ok(t, "Walk", err)
				rounds := int(time.Since(begin) / round)
				t.Logf("%d keys, %d called back: %d listings, %d of them ended early, %d at a time, in %d rounds", len(f.keys), files, f.requests, f.cut, f.peak, rounds)
				if c.f == nil && c.after == "" && files != len(f.keys) {
					t.Errorf("%d files called back, want %d", files, len(f.keys))
				}
				if f.requests > c.requests || rounds > c.rounds || f.peak > 8 {
					t.Errorf("%d listings, %d at a time, in %d rounds; want at most %d, 8 and %d", f.requests, f.peak, rounds, c.requests, c.rounds)
				}
				if f.inFlight != 0 {
					t.Errorf("%d listings are under way after Walk", f.inFlight)
				}
			})
		})
	}
}

// sequential is what a walk of keys calls back, directories with "/", as one reads them.
func sequential(keys []string, after string, skips func(dir string) bool) []string {
	start := after
	_, file := slices.BinarySearch(keys, strings.TrimPrefix(after, "/"))
	for _, k := range keys {
		if !file && strings.HasPrefix("/"+k, after+"/") {
			start = after + "/"
		}
	}
	var out []string
	prev, skip := "", "none"
	for _, key := range keys {
		path := "/" + key
		if storagedriver.ValidatePath(path) != nil || path+"/" <= start && path <= start || strings.HasPrefix(path, skip) {
			continue
		}
		for i := 1; i < len(path); i++ {
			dir := path[:i+1]
			if path[i] != '/' || strings.HasPrefix(prev, dir) || after != "" && dir <= start || dir == after+"/" {
				continue
			}
			out = append(out, dir)
			if skips(dir) {
				skip = dir
				break
			}
		}
		prev = path
		if !strings.HasPrefix(path, skip) && (after == "" || path > start) {
			out = append(out, path)
		}
	}
	return out
}

// splitTree returns keys below the heads as registries have them, of blobs, of links, and of repositories with numbers.
func splitTree(heads [][]string, seed uint64, files int) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	var keys []string
	for i := range files {
		d := fmt.Sprintf("%08x", r.Uint32()>>r.IntN(20))
		tail := [][]string{{d}, {d[:2], d, "data"}, {d, "link"}, {fmt.Sprintf("app-%03d", i), d}}[r.IntN(4)]
		keys = append(keys, strings.Join(append(slices.Clone(heads[r.IntN(len(heads))]), tail...), "/"))
	}
	return keys
}

// TestWalkSplitsNamesThatAreShort: a name between two others may have fewer digits than the directories that are named after the first of them.
func TestWalkSplitsNamesThatAreShort(t *testing.T) {
	f := newFlat(2, splitTree([][]string{{"a b"}}, 4, 68))
	f.turn = runtime.Gosched
	const after = "/a b/00/000ca68e"
	want := 0
	for _, path := range sequential(f.keys, after, func(string) bool { return false }) {
		if !strings.HasSuffix(path, "/") {
			want++
		}
	}
	files := 0
	err := layers.Complete(f).Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
		if !info.IsDir() {
			files++
		}
		return nil
	}, storagedriver.WithStartAfterHint(after))
	if err != nil || files != want {
		t.Errorf("%d files of %d, %v", files, want, err)
	}
}

// TestWalkOfSplitTrees walks trees of many pages, whose listings come in any order, and wants what one listing gives.
func TestWalkOfSplitTrees(t *testing.T) {
	defer goleak.VerifyNone(t)
	word := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{4}`), rapid.StringMatching(`[0-9]{1,3}`), rapid.StringMatching(`[a-z_.-]{0,2}[a-z]|a b|~p`))
	rapid.Check(t, func(t *rapid.T) {
		heads := rapid.SliceOfN(rapid.SliceOfN(word, 0, 3), 1, 4).Draw(t, "heads")
		seed := rapid.Uint64().Draw(t, "seed")
		keys := splitTree(heads, seed, rapid.IntRange(1, 400).Draw(t, "files"))
		f := newFlat(rapid.IntRange(1, 40).Draw(t, "page"), keys)
		f.turn = func() {
			for range rand.IntN(4) {
				runtime.Gosched()
			}
		}
		after := rapid.OneOf(rapid.Just(""), rapid.Just("/"+rapid.SampledFrom(f.keys).Draw(t, "after"))).Draw(t, "begins")
		if i := strings.LastIndexByte(after, '/'); i > 0 && rapid.Bool().Draw(t, "at a directory") {
			after = after[:i]
		}
		every := rapid.IntRange(1, 12).Draw(t, "skips")
		skips := func(dir string) bool { return every < 10 && (len(dir)*31+int(dir[len(dir)/2]))%10 >= every }
		want := sequential(f.keys, after, skips)
		stop := rapid.IntRange(1, 600).Draw(t, "stop")
		var got []string
		err := layers.Complete(f).Walk(context.Background(), "/", func(info storagedriver.FileInfo) error {
			path := info.Path()
			if info.IsDir() {
				path += "/"
			}
			got = append(got, path)
			switch {
			case len(got) == stop:
				return storagedriver.ErrFilledBuffer
			case info.IsDir() && skips(path):
				return storagedriver.ErrSkipDir
			}
			return nil
		}, storagedriver.WithStartAfterHint(after))
		if want = want[:min(stop, len(want))]; err != nil || !slices.Equal(got, want) {
			t.Fatalf("after %q: %v, %v, want\n%v", after, got, err, want)
		}
		if f.peak > 8 || f.inFlight != 0 {
			t.Fatalf("%d listings at a time, %d left", f.peak, f.inFlight)
		}
	})
}

// TestWalkFailsWhereTheListingDoes: what was listed ahead, and failed, counts when the walk comes to it.
func TestWalkFailsWhereTheListingDoes(t *testing.T) {
	f := newFlat(1000, blobs(20_000))
	f.turn = runtime.Gosched
	failed := f.keys[10_000]
	f.fail = failed
	last := ""
	err := layers.Complete(f).Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
		last = info.Path()
		return nil
	})
	if kind := storagedriver.KindOf(err); kind != storagedriver.KindUnavailable {
		t.Errorf("Walk: %v, want KindUnavailable", err)
	}
	if i, _ := slices.BinarySearch(f.keys, strings.TrimPrefix(last, "/")); i < 9_000 || i > 12_000 {
		t.Errorf("the walk came to the file %d, want about 10,000, behind which listings fail", i)
	}
	f.requests = 0
	err = layers.Complete(f).Walk(t.Context(), "/", func(info storagedriver.FileInfo) error {
		if info.Path() > "/"+f.keys[9_000] {
			return storagedriver.ErrFilledBuffer
		}
		return nil
	})
	ok(t, "Walk that ends before", err)
}

// TestListingsBeginWhereTheyWereToldTo: a backend that begins earlier would have files called back twice.
func TestListingsBeginWhereTheyWereToldTo(t *testing.T) {
	l := &liar{pages: map[string]storagedriver.Page{"": names("", "a", "b", "c")}}
	l.Can = storagedriver.AbilityListTree
	_, err := walked(t, layers.Complete(l), "/", nil, storagedriver.WithStartAfterHint("/b"))
	wantKind(t, "Walk", err, storagedriver.KindCorrupt)
}
