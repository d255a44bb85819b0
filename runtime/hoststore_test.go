package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/runtime"
)

// granting opens the guest with a store "under" of its own, which stays open for the test.
func granting(t *testing.T, cfg runtime.Config, under storagedriver.StorageDriver) (storagedriver.Backend, *runtime.Module) {
	t.Helper()
	cfg.Stores = map[string]storagedriver.StorageDriver{"under": under}
	d, _, m := open(t, cfg, nil)
	return d, m
}

func memory() storagedriver.StorageDriver { return layers.Complete(inmemory.New()) }

func ok(t *testing.T, err error, what string) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func wantContent(t *testing.T, d storagedriver.StorageDriver, path string, want []byte) {
	t.Helper()
	r, err := d.Reader(t.Context(), path, 0)
	ok(t, err, "Reader "+path)
	got, err := io.ReadAll(r)
	ok(t, errors.Join(err, r.Close()), "reading "+path)
	if !bytes.Equal(got, want) {
		t.Errorf("%s: want %d bytes, got %d others", path, len(want), len(got))
	}
}

func TestAStoreIsCalledByItsName(t *testing.T) {
	under := memory()
	d, _ := granting(t, runtime.Config{}, under)
	ctx := t.Context()
	e, err := d.Stat(ctx, "info under")
	ok(t, err, "info")
	caps := storagedriver.Ability(e.ModTime.UnixNano())
	for a, want := range map[storagedriver.Ability]bool{
		storagedriver.AbilityMove: true, storagedriver.AbilityMoveTree: true, storagedriver.AbilityDeleteTree: true,
		storagedriver.AbilityParts: false, storagedriver.AbilityCopy: false, storagedriver.AbilityConcat: false,
		storagedriver.AbilityRedirect: false, storagedriver.AbilityIdempotent: under.Capabilities().Has(storagedriver.AbilityIdempotent),
	} {
		if caps.Has(a) != want {
			t.Errorf("store_info: want %v: %v, got %v", a, want, caps)
		}
	}
	ok(t, under.PutContent(ctx, "/a/file", []byte("content")), "PutContent")
	e, err = d.Stat(ctx, "stat under /a/file")
	if ok(t, err, "stat"); e.Size != 7 || e.Dir || e.ModTime.IsZero() {
		t.Errorf("stat of a file: got %+v", e)
	}
	e, err = d.Stat(ctx, "stat under /")
	if ok(t, err, "stat"); !e.Dir {
		t.Errorf("stat of the root: want a directory, got %+v", e)
	}
	ok(t, d.Put(ctx, "put under /a/x~y", storagedriver.BytesSource("private")), "put of a private name")
	var names []string
	for cursor := ""; ; {
		page, err := d.List(ctx, "list under /a", cursor, 1)
		ok(t, err, "list")
		for _, e := range page.Entries {
			names = append(names, e.Name)
		}
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "file x~y" {
		t.Errorf("list: want file and x~y, got %q", got)
	}
	_, err = d.Stat(ctx, "move under /a/file /b/file")
	ok(t, err, "move")
	wantContent(t, under, "/b/file", []byte("content"))
	_, err = d.Stat(ctx, "delete under /b")
	wantKind(t, err, storagedriver.KindConflict, "not empty")
	_, err = d.Stat(ctx, "tree under /b")
	ok(t, err, "delete_tree")
	_, err = d.Stat(ctx, "stat under /b/file")
	wantKind(t, err, storagedriver.KindNotFound)
	_, err = d.Stat(ctx, "delete under /a/x~y")
	ok(t, err, "delete")
	// An unfinished upload ends.
	w, err := under.Writer(ctx, "/u", false)
	ok(t, err, "Writer")
	_, err = w.Write([]byte("upload"))
	ok(t, errors.Join(err, w.Close()), "Write and Close")
	_, err = d.Stat(ctx, "abort under /u")
	ok(t, err, "abort")
	w, err = under.Writer(ctx, "/u", true)
	if ok(t, err, "Writer"); w.Size() != 0 {
		t.Errorf("after abort: want no upload, got %d bytes", w.Size())
	}
	ok(t, w.Close(), "Close")
}

func TestAStoreThatIsNotGrantedIsDenied(t *testing.T) {
	d, _ := granting(t, runtime.Config{}, memory())
	_, err := d.Stat(t.Context(), "stat other /x")
	wantKind(t, err, storagedriver.KindDenied, `the store "other" is not granted`, "under stores", "it grants under")
	none, _, _ := open(t, runtime.Config{}, nil)
	_, err = none.Stat(t.Context(), "stat under /x")
	wantKind(t, err, storagedriver.KindDenied, `the store "under" is not granted`, "it grants none")
	for path, kind := range map[string]storagedriver.Kind{"relative": storagedriver.KindInvalidPath, "/a/../b": storagedriver.KindInvalidPath, "/": storagedriver.KindInvalidPath} {
		_, err := d.Stat(t.Context(), "delete under "+path)
		wantKind(t, err, kind)
	}
	_, err = d.Stat(t.Context(), "stat under /"+strings.Repeat("x", 2*storagedriver.MaxPath))
	wantKind(t, err, storagedriver.KindInvalidPath)
	wasm, err := exercise()
	ok(t, err, "the guest")
	for name, under := range map[string]storagedriver.StorageDriver{"Upper": memory(), "": memory(), "no-driver": nil} {
		_, err := runtime.Compile(t.Context(), "exercise.wasm", wasm, runtime.Config{Stores: map[string]storagedriver.StorageDriver{name: under}})
		wantKind(t, err, storagedriver.KindInvalidArgument, "stores", `"`+name+`"`)
	}
}

func TestContentOfAStoreGoesToTheReader(t *testing.T) {
	under := memory()
	d, m := granting(t, runtime.Config{MaxOpenBodies: 3}, under)
	ctx := t.Context()
	content := unique(300_000)
	ok(t, under.PutContent(ctx, "/f", content), "PutContent")
	for _, c := range []struct{ off, length int64 }{{0, -1}, {7, -1}, {100_000, 150_000}, {299_999, 5}, {300_000, -1}, {10, 0}} {
		r, n, err := d.Read(ctx, "read under /f", c.off, c.length)
		ok(t, err, "Read")
		want := content[c.off:]
		if c.length >= 0 {
			want = want[:min(c.length, int64(len(want)))]
		}
		got, err := io.ReadAll(r)
		if err != nil || n != int64(len(want)) || !bytes.Equal(got, want) {
			t.Errorf("Read of %d at %d: want %d bytes, got %d promised, %d and %v", c.length, c.off, len(want), n, len(got), err)
		}
		ok(t, r.Close(), "Close")
	}
	_, _, err := d.Read(ctx, "read under /f", 300_001, -1)
	wantKind(t, err, storagedriver.KindInvalidOffset)
	_, _, err = d.Read(ctx, "read under /missing", 0, -1)
	wantKind(t, err, storagedriver.KindNotFound)
	_, _, err = d.Read(ctx, "short under /f", 0, -1)
	wantKind(t, err, storagedriver.KindCorrupt, "has 300000 bytes left, the guest promised 300001")
	r, n, err := d.Read(ctx, "behind under /f", 0, -1)
	ok(t, err, "Read of what the guest has begun")
	if got, err := io.ReadAll(r); err != nil || n != 299_990 || !bytes.Equal(got, content[10:]) {
		t.Errorf("Read of what the guest has begun: want the 299990 bytes that are left, got %d promised, %d and %v", n, len(got), err)
	}
	ok(t, r.Close(), "Close")
	_, _, err = d.Read(ctx, "many under /f", 0, -1)
	wantKind(t, err, storagedriver.KindLimit, "more than 3 response bodies")
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("want no body open, got %d", n)
	}
}

func TestABodyOfAStoreEndsWithTheDriver(t *testing.T) {
	under := memory()
	cfg := runtime.Config{Stores: map[string]storagedriver.StorageDriver{"under": under}}
	d, _, m := open(t, cfg, nil)
	ok(t, under.PutContent(t.Context(), "/f", unique(1<<20)), "PutContent")
	r, _, err := d.Read(t.Context(), "read under /f", 0, -1)
	ok(t, err, "Read")
	_, err = io.ReadFull(r, make([]byte, 1000))
	ok(t, err, "Read")
	ok(t, d.Close(), "Close")
	if _, err := io.Copy(io.Discard, r); err != nil {
		wantKind(t, err, storagedriver.KindClosed)
	} else {
		t.Log("the content was in memory") // it may be read to its end, and nothing of the driver is used
	}
	ok(t, r.Close(), "Close of the reader")
	if n := m.Stats().OpenBodies; n != 0 {
		t.Errorf("want no body open, got %d", n)
	}
	_, err = d.Stat(t.Context(), "stat under /f")
	wantKind(t, err, storagedriver.KindClosed)
	_, err = under.Stat(t.Context(), "/f")
	ok(t, err, "Stat by who granted the store")
}

// largePut is more than is collected for one put.
const largePut = 4<<20 + 12345

func TestContentIsPutIntoAStore(t *testing.T) {
	under := memory()
	d, _ := granting(t, runtime.Config{}, under)
	ctx := t.Context()
	ok(t, under.PutContent(ctx, "/other", []byte("before ")), "PutContent")
	for _, size := range []int{0, 1, 200_000, 4 << 20, 4<<20 + 1, largePut} {
		content := unique(size)
		for _, way := range []string{"put", "sink", "data"} {
			if way == "data" && size > 1<<19 {
				continue // a message has no more
			}
			ok(t, d.Put(ctx, way+" under /f~/"+way, storagedriver.BytesSource(content)), way)
			_, err := d.Stat(ctx, "move under /f~/"+way+" /f")
			ok(t, err, "move")
			wantContent(t, under, "/f", content)
		}
		ok(t, d.Put(ctx, "twice under /f", storagedriver.BytesSource(content)), "twice")
		wantContent(t, under, "/f", append(bytes.Clone(content), content...))
		ok(t, d.Put(ctx, "behind under /f /other", storagedriver.BytesSource(content)), "behind")
		wantContent(t, under, "/f", append([]byte("before "), content...))
	}
	wantKind(t, d.Put(ctx, "both under /f", storagedriver.BytesSource("x")), storagedriver.KindInvalidArgument, "both data and body")
}

// endsEarly is a source whose content ends too early.
type endsEarly struct{ size int64 }

func (b endsEarly) Size() int64 { return b.size }

func (b endsEarly) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.LimitReader(zeros{}, b.size-1)), nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// uploadSize is that of the unfinished upload at a path.
func uploadSize(t *testing.T, d storagedriver.StorageDriver, path string) int64 {
	t.Helper()
	w, err := d.Writer(t.Context(), path, true)
	ok(t, err, "Writer")
	defer func() { ok(t, w.Close(), "Close") }()
	return w.Size()
}

func TestAPutThatFailsLeavesTheOldAndNoUpload(t *testing.T) {
	for _, size := range []int{10, largePut} {
		under := memory()
		d, _ := granting(t, runtime.Config{}, under)
		ctx := t.Context()
		content := storagedriver.BytesSource(unique(size))
		wantKind(t, d.Put(ctx, "put under /f", endsEarly{int64(size)}), storagedriver.KindCorrupt, "ended after")
		for _, way := range []string{"drop", "close"} {
			ok(t, d.Put(ctx, way+" under /f", content), way)
		}
		wantKind(t, d.Put(ctx, "trap under /f", content), storagedriver.KindGuest, "in the middle of a sink")
		cancelled, cancel := context.WithCancel(ctx)
		wantKind(t, d.Put(cancelled, "sink under /f", cancelling{int64(size), cancel}), storagedriver.KindCanceled)
		_, err := under.Stat(ctx, "/f")
		wantKind(t, err, storagedriver.KindNotFound)
		names, err := under.List(ctx, "/")
		if ok(t, err, "List"); len(names) > 0 {
			t.Errorf("%d bytes: want nothing there, got %q", size, names)
		}
		if n := uploadSize(t, under, "/f"); n != 0 {
			t.Errorf("%d bytes: want no unfinished upload, got one of %d bytes", size, n)
		}
	}
}

// cancelling is a source that cancels before its last byte.
type cancelling struct {
	size   int64
	cancel func()
}

func (c cancelling) Size() int64 { return c.size }

func (c cancelling) Open(context.Context) (io.ReadCloser, error) {
	last := readerFunc(func(p []byte) (int, error) { c.cancel(); p[0] = 0; return 1, io.EOF })
	return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, c.size-1), last)), nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestAShortPutLeavesAnUnfinishedUpload also says what a long one does with it.
func TestAShortPutLeavesAnUnfinishedUpload(t *testing.T) {
	for _, way := range []string{"put", "sink"} {
		for size, want := range map[int]int64{1000: 6, 4 << 20: 6, largePut: 0} {
			under := memory()
			d, _ := granting(t, runtime.Config{}, under)
			w, err := under.Writer(t.Context(), "/f", false)
			ok(t, err, "Writer")
			_, err = w.Write([]byte("upload"))
			ok(t, errors.Join(err, w.Close()), "Write and Close")
			ok(t, d.Put(t.Context(), way+" under /f", storagedriver.BytesSource(unique(size))), way)
			if want == 0 { // what is committed is not appended to
				_, err := under.Writer(t.Context(), "/f", true)
				wantKind(t, err, storagedriver.KindUnsupported)
				continue
			}
			if got := uploadSize(t, under, "/f"); got != want {
				t.Errorf("%s of %d bytes: want an upload of %d bytes afterwards, got %d", way, size, want, got)
			}
		}
	}
}

func TestACallHasOneSinkAtATime(t *testing.T) {
	d, _ := granting(t, runtime.Config{}, memory())
	ctx := t.Context()
	for _, way := range []string{"second", "second-put"} {
		err := d.Put(ctx, way+" under /f /g", storagedriver.BytesSource("x"))
		wantKind(t, err, storagedriver.KindLimit, "the sink of a store is open", "finish or close it first")
	}
	_, err := d.Stat(ctx, "store-then-http under /f")
	wantKind(t, err, storagedriver.KindLimit, "http_begin: the sink of a store is open")
	_, err = d.Stat(ctx, "http-then-store under /f")
	wantKind(t, err, storagedriver.KindLimit, "store_begin: the sink of a request is open")
	_, err = d.Stat(ctx, "http-then-http under /f")
	wantKind(t, err, storagedriver.KindLimit, "http_begin: the sink of a request is open")
	_, err = d.Stat(ctx, "http-then-body under /f")
	wantKind(t, err, storagedriver.KindLimit, "http: a request with a body of handles while the sink of another is open")
	_, err = d.Stat(ctx, "finish-other under /f")
	wantKind(t, err, storagedriver.KindInvalidArgument, "is not a sink of store_begin")
}

// redirecting is a driver that has URLs.
type redirecting struct{ storagedriver.StorageDriver }

func (redirecting) Capabilities() storagedriver.Capabilities {
	return storagedriver.Capabilities{Abilities: storagedriver.AbilityRedirect}
}

func (redirecting) RedirectURL(_ context.Context, path string, o storagedriver.RedirectOptions) (string, error) {
	return "https://elsewhere.invalid" + path + "?for=" + o.Method + o.RemoteAddr + o.ForwardedFor, nil
}

func TestAStoresURLMayBeAnswered(t *testing.T) {
	d, _ := granting(t, runtime.Config{}, redirecting{memory()})
	options := storagedriver.RedirectOptions{Method: "GET", RemoteAddr: "client:1", ForwardedFor: "10.0.0.1"}
	url, err := d.Redirect(t.Context(), "redirect under /f", options)
	ok(t, err, "Redirect")
	if want := "https://elsewhere.invalid/f?for=GETclient:110.0.0.1"; url != want {
		t.Errorf("Redirect: want %s, got %s", want, url)
	}
	_, err = d.Redirect(t.Context(), "other under /f", options)
	wantKind(t, err, storagedriver.KindDenied, "elsewhere.invalid")
	_, err = d.Redirect(t.Context(), "/elsewhere", options)
	wantKind(t, err, storagedriver.KindDenied, "elsewhere.invalid")
	plain, _ := granting(t, runtime.Config{}, memory())
	_, err = plain.Redirect(t.Context(), "redirect under /f", options)
	wantKind(t, err, storagedriver.KindUnsupported, "does not redirect")
}

// stuck is a driver whose Stat waits for the end of its context.
type stuck struct {
	storagedriver.StorageDriver
	waiting chan struct{}
}

func (s stuck) Stat(ctx context.Context, path string) (storagedriver.FileInfo, error) {
	close(s.waiting)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestCloseEndsTheCallsOfStores(t *testing.T) {
	under := stuck{memory(), make(chan struct{})}
	d, _ := granting(t, runtime.Config{}, under)
	result := make(chan error, 1)
	go func() {
		_, err := d.Stat(context.Background(), "stat under /f")
		result <- err
	}()
	<-under.waiting
	ok(t, d.Close(), "Close")
	wantKind(t, <-result, storagedriver.KindClosed)
}

// TestPutsHaveBoundedMemory has many puts wait in their driver, and looks how many there are.
func TestPutsHaveBoundedMemory(t *testing.T) {
	const callers, most = 40, 16
	under := &counting{StorageDriver: memory(), gate: make(chan struct{})}
	d, _ := granting(t, runtime.Config{}, under)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			if err := d.Put(ctx, "put under /f", storagedriver.BytesSource(make([]byte, 4<<20))); err != nil {
				t.Errorf("put: %v", err)
			}
		})
	}
	eventually(t, "as many puts as fit have begun", func() bool { return under.now() == most })
	close(under.gate)
	group.Wait()
	if under.most != most {
		t.Errorf("want at most %d puts at a time, got %d", most, under.most)
	}
}

// counting is a driver whose PutContent waits for gate.
type counting struct {
	storagedriver.StorageDriver
	gate chan struct{}

	mu         sync.Mutex
	puts, most int
}

func (c *counting) now() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.puts
}

func (c *counting) PutContent(ctx context.Context, path string, content []byte) error {
	c.mu.Lock()
	c.puts++
	c.most = max(c.most, c.puts)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.puts--
	}()
	select {
	case <-c.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	return c.StorageDriver.PutContent(ctx, path, content)
}

// TestALongPutIsStreamed puts more than all the memory that a put and its writer may have.
func TestALongPutIsStreamed(t *testing.T) {
	const size, budget = 24 << 20, 1 << 20
	b := chunked.NewBudget(budget)
	under := layers.Complete(inmemory.New(), layers.WithPartSize(256<<10), layers.WithBudget(b))
	d, _ := granting(t, runtime.Config{}, under)
	content := unique(size)
	ok(t, d.Put(t.Context(), "put under /f", storagedriver.BytesSource(content)), "put")
	wantContent(t, under, "/f", content)
	if n := b.InUse(); n != 0 {
		t.Errorf("want nothing of the budget in use, got %d bytes", n)
	}
}
