package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/internal/objects"
)

// bucket is what DeleteAll deletes from. It is strict: a key is asked for only while it is there or was refused, and no cursor twice.
type bucket struct {
	t        *testing.T
	keys     []string
	page     int                                      // keys of one page
	refuse   func(key string, attempt int) error      // a key
	fail     func(number int, keys []string) error    // a batch as a whole
	failPage func(cursor string) error                // a page
	during   func(ctx context.Context, keys []string) // a batch, without mu
	listed   func(from int)                           // a page, without mu

	mu       sync.Mutex
	attempts map[string]int
	deleted  map[string]bool
	batches  int
	running  int
	most     int // batches at a time
	ahead    int // the most keys that were listed and not yet asked to be deleted
	handed   int
}

func newBucket(t *testing.T, keys, page int) *bucket {
	b := &bucket{t: t, page: page, attempts: map[string]int{}, deleted: map[string]bool{}}
	for i := range keys {
		b.keys = append(b.keys, fmt.Sprintf("prefix/%06d", i))
	}
	return b
}

func (b *bucket) pages(ctx context.Context, cursor string) ([]string, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if b.failPage != nil {
		if err := b.failPage(cursor); err != nil {
			return nil, "", err
		}
	}
	from, _ := strconv.Atoi(cursor)
	if b.listed != nil {
		b.listed(from)
	}
	to := min(from+b.page, len(b.keys))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handed += to - from
	b.ahead = max(b.ahead, b.handed-len(b.attempts))
	if to == len(b.keys) {
		return b.keys[from:to], "", nil
	}
	return b.keys[from:to], strconv.Itoa(to), nil
}

func (b *bucket) batch(ctx context.Context, keys []string) ([]objects.Failure, error) {
	b.mu.Lock()
	number := b.batches
	b.batches++
	b.running++
	b.most = max(b.most, b.running)
	if len(keys) == 0 || len(keys) > objects.BatchSize {
		b.t.Errorf("a batch has %d keys", len(keys))
	}
	var failures []objects.Failure
	for _, key := range keys {
		if b.deleted[key] {
			b.t.Errorf("%s is deleted twice", key)
		}
		b.attempts[key]++
		if b.refuse != nil {
			if err := b.refuse(key, b.attempts[key]); err != nil {
				failures = append(failures, objects.Failure{Key: key, Err: err})
				continue
			}
		}
		b.deleted[key] = true
	}
	b.mu.Unlock()
	if b.during != nil {
		b.during(ctx, keys)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if b.fail != nil {
		if err := b.fail(number, keys); err != nil {
			for _, key := range keys {
				delete(b.deleted, key)
			}
			return nil, err
		}
	}
	return failures, ctx.Err()
}

func slowDown(after time.Duration) error {
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, RetryAfter: after, Err: errors.New("slow down")}
}

func TestDeleteAllDeletesEveryKeyOnce(t *testing.T) {
	for _, c := range []struct{ keys, page, parallel, batches int }{
		{0, 1000, 4, 0}, {1, 1000, 4, 1}, {1000, 1000, 4, 1}, {1001, 1000, 4, 2}, {5500, 300, 4, 6}, {5000, 2500, 1, 5}, {2500, 1000, 0, 3}, {10_000, 1000, 16, 10},
	} {
		b := newBucket(t, c.keys, c.page)
		if err := objects.DeleteAll(t.Context(), b.pages, b.batch, c.parallel); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if len(b.deleted) != c.keys || b.batches != c.batches {
			t.Errorf("%+v: want all keys in that many batches, got %d keys and %d batches", c, len(b.deleted), b.batches)
		}
	}
}

// TestBatchesRunInParallelWithinMemory has no batch end before as many run as may, and the list run ahead of them.
func TestBatchesRunInParallelWithinMemory(t *testing.T) {
	const parallel = 4
	b := newBucket(t, 40_000, 1000)
	all, ahead := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	running.Add(parallel)
	go func() { running.Wait(); close(all) }()
	var firsts sync.Map
	b.during = func(ctx context.Context, keys []string) {
		if n, _ := strconv.Atoi(strings.TrimPrefix(keys[0], "prefix/")); n < parallel*1000 {
			if _, again := firsts.LoadOrStore(n, true); !again {
				running.Done()
			}
			<-all
			<-ahead
		}
	}
	b.listed = func(from int) {
		if from == (parallel+1)*1000 {
			close(ahead) // before any of the first batches ended
		}
	}
	if err := objects.DeleteAll(t.Context(), b.pages, b.batch, parallel); err != nil {
		t.Fatal(err)
	}
	if b.most != parallel {
		t.Errorf("want %d batches at a time, got %d", parallel, b.most)
	}
	if bound := (2*parallel + 2) * objects.BatchSize; b.ahead > bound {
		t.Errorf("want at most %d keys in memory, got %d", bound, b.ahead)
	}
	if len(b.deleted) != len(b.keys) {
		t.Errorf("want all keys deleted, got %d", len(b.deleted))
	}
}

func TestKeysThatAreGoneAreDeleted(t *testing.T) {
	b := newBucket(t, 2000, 1000)
	b.refuse = func(string, int) error { return storagedriver.NewError(storagedriver.KindNotFound, "no such key") }
	if err := objects.DeleteAll(t.Context(), b.pages, b.batch, 2); err != nil {
		t.Errorf("want nil, got %v", err)
	}
}

func TestEveryFailureIsReported(t *testing.T) {
	b := newBucket(t, 3000, 1000)
	b.refuse = func(key string, _ int) error {
		switch n, _ := strconv.Atoi(strings.TrimPrefix(key, "prefix/")); {
		case n == 500:
			return storagedriver.NewError(storagedriver.KindPermission, "a legal hold")
		case n%200 == 1:
			return slowDown(0)
		}
		return nil
	}
	err := objects.DeleteAll(t.Context(), b.pages, b.batch, 3)
	wantKind(t, err, storagedriver.KindPermission, false, `16 objects could not be deleted: "prefix/000500": permission denied: a legal hold; "prefix/000001": unavailable: slow down; `)
	if err != nil && (!strings.HasSuffix(err.Error(), "; and 6 more") || strings.Count(err.Error(), "prefix/") != 10) {
		t.Errorf("want 10 keys and that 6 are more, got %v", err)
	}
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("the error of a key is not found in %v", err)
	}
	if len(b.deleted) != 3000-16 {
		t.Errorf("want all other keys deleted, got %d", len(b.deleted))
	}
	if b.attempts["prefix/000500"] != 1 || b.attempts["prefix/000001"] != 2 {
		t.Errorf("want 1 attempt at what is denied and 2 at what is Temporary, got %d and %d", b.attempts["prefix/000500"], b.attempts["prefix/000001"])
	}
}

func TestTemporaryFailuresAreRepeatedOnce(t *testing.T) {
	b := newBucket(t, 2500, 1000)
	b.refuse = func(key string, attempt int) error {
		if strings.HasSuffix(key, "7") && attempt == 1 {
			return slowDown(time.Millisecond)
		}
		return nil
	}
	if err := objects.DeleteAll(t.Context(), b.pages, b.batch, 2); err != nil || len(b.deleted) != 2500 {
		t.Errorf("want all deleted, got %d, error %v", len(b.deleted), err)
	}
	b = newBucket(t, 1500, 1000)
	b.refuse = func(key string, attempt int) error {
		if key == b.keys[3] || key == b.keys[1200] {
			return slowDown(0)
		}
		return nil
	}
	err := objects.DeleteAll(t.Context(), b.pages, b.batch, 2)
	wantKind(t, err, storagedriver.KindUnavailable, true, `2 objects could not be deleted: "prefix/000003": unavailable: slow down; "prefix/001200": unavailable: slow down`)
	b = newBucket(t, 10, 1000)
	b.refuse = func(key string, attempt int) error { return slowDown(time.Minute) }
	err = objects.DeleteAll(t.Context(), b.pages, b.batch, 2)
	wantKind(t, err, storagedriver.KindUnavailable, true, "10 objects could not be deleted")
	if e := (*storagedriver.Error)(nil); !errors.As(err, &e) || e.RetryAfter != time.Minute || b.batches != 1 {
		t.Errorf("want 1 batch and the minute that was asked for, got %d batches and %v", b.batches, err)
	}
}

func TestABatchThatFailsEndsDeleteAll(t *testing.T) {
	denied := storagedriver.NewError(storagedriver.KindPermission, "s3:DeleteObject is denied")
	b := newBucket(t, 50_000, 1000)
	begun := make(chan struct{})
	b.during = func(ctx context.Context, keys []string) {
		if keys[0] == b.keys[0] {
			close(begun)
		}
		<-begun // the first batch of the pages need not be the first that is sent
	}
	b.fail = func(number int, keys []string) error {
		if number >= 3 && keys[0] != b.keys[0] {
			return denied
		}
		return nil
	}
	b.refuse = func(key string, _ int) error {
		if key == b.keys[5] {
			return storagedriver.NewError(storagedriver.KindConflict, "locked")
		}
		return nil
	}
	err := objects.DeleteAll(t.Context(), b.pages, b.batch, 2)
	wantKind(t, err, storagedriver.KindPermission, false, `s3:DeleteObject is denied; besides, an object could not be deleted: "prefix/000005": conflict: locked`)
	if b.batches > 6 {
		t.Errorf("want no batch to begin after the one that was denied, got %d batches", b.batches)
	}

	b = newBucket(t, 3000, 1000)
	b.fail = func(number int, _ []string) error {
		if number == 1 {
			return slowDown(0)
		}
		return nil
	}
	if err := objects.DeleteAll(t.Context(), b.pages, b.batch, 1); err != nil || len(b.deleted) != 3000 || b.batches != 4 {
		t.Errorf("want a batch repeated and all deleted, got %d batches, %d keys, error %v", b.batches, len(b.deleted), err)
	}
}

func TestAPageThatFailsEndsDeleteAll(t *testing.T) {
	b := newBucket(t, 5000, 1000)
	b.failPage = func(cursor string) error {
		if cursor == "3000" {
			return slowDown(time.Second)
		}
		return nil
	}
	err := objects.DeleteAll(t.Context(), b.pages, b.batch, 2)
	wantKind(t, err, storagedriver.KindUnavailable, true, "slow down")
	if len(b.deleted) != 3000 {
		t.Errorf("want the keys of the pages before deleted, got %d", len(b.deleted))
	}
	again := func(ctx context.Context, cursor string) ([]string, string, error) { return nil, "x", nil }
	err = objects.DeleteAll(t.Context(), again, b.batch, 2)
	wantKind(t, err, storagedriver.KindCorrupt, false, `"x": the service gives the same cursor again`)
}

func TestTheContextEndsDeleteAll(t *testing.T) {
	b := newBucket(t, 50_000, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	b.during = func(ctx context.Context, keys []string) {
		if slices.Contains(keys, b.keys[2500]) {
			cancel()
		}
		if slices.Contains(keys, b.keys[3500]) {
			<-ctx.Done()
		}
	}
	err := objects.DeleteAll(ctx, b.pages, b.batch, 2)
	if err != context.Canceled {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if b.batches > 6 {
		t.Errorf("want no batch to begin after the end of the context, got %d batches", b.batches)
	}
}
