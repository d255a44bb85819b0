package objects

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

const (
	// BatchSize is the most keys of one batch: what S3's DeleteObjects takes.
	BatchSize = 1000

	// maxNamed is how many failures an error names. The rest is counted: a line has an end.
	maxNamed = 10

	// deletePause is the pause before keys are deleted again where the service did not ask for one.
	deletePause = 200 * time.Millisecond
)

// PageFunc returns one page of keys, in any number, beginning with cursor "" and going on with the next of the page before; next
// "" says that it was the last. Its cursors must stay good while keys of earlier pages are deleted.
type PageFunc func(ctx context.Context, cursor string) (keys []string, next string, err error)

// BatchFunc deletes keys, at most BatchSize, and returns those that it could not delete. An error says that nothing is known of
// any of them. It is called concurrently.
type BatchFunc func(ctx context.Context, keys []string) ([]Failure, error)

// Failure is a key that was not deleted, and why.
type Failure struct {
	Key string
	Err error
}

// DeleteAll deletes the keys of all pages, in batches of which as many as parallel are under way at a time while the next pages are
// listed. A key that is not there counts as deleted. What fails with a Temporary error is tried once more. One key that cannot be
// deleted does not keep others; a page or a batch that fails as a whole is the end, after the batches that are under way.
//
// The error has the Kind of the first failure, in the order of the batches and with those of a batch first that were not repeated.
// It is Temporary if each is, and names up to 10 keys with their errors, which errors.Is finds, and the number of the others. When
// ctx ends it is that of ctx. No more than 2*parallel+2 batches and a page of keys are held at a time.
func DeleteAll(ctx context.Context, pages PageFunc, batch BatchFunc, parallel int) error {
	parallel = max(parallel, 1)
	listing, stopListing := context.WithCancel(ctx)
	defer stopListing()
	d := &deletion{pages: pages, batch: batch, batches: make(chan keyBatch, parallel), stopListing: stopListing}
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for b := range d.batches {
				d.delete(ctx, b)
			}
		})
	}
	if err := d.list(listing); err != nil {
		d.listed(err)
	}
	close(d.batches)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return d.result()
}

// keyBatch has its place in the order of the pages.
type keyBatch struct {
	number int
	keys   []string
}

type deletion struct {
	pages       PageFunc
	batch       BatchFunc
	batches     chan keyBatch
	stopListing context.CancelFunc

	mu       sync.Mutex
	stopped  bool
	err      error // what ended it
	failures []numbered
	failed   int
	lasting  bool // one of the failures is not Temporary
}

type numbered struct {
	batch int
	Failure
}

// list makes batches of pages until a batch fails.
func (d *deletion) list(ctx context.Context) error {
	var b keyBatch
	send := func() error {
		select {
		case d.batches <- b:
			b = keyBatch{number: b.number + 1}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for cursor := ""; ; {
		keys, next, err := d.pages(ctx, cursor)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if b.keys = append(b.keys, key); len(b.keys) == BatchSize {
				if err := send(); err != nil {
					return err
				}
			}
		}
		switch {
		case next == "" && len(b.keys) == 0:
			return nil
		case next == "":
			return send()
		case next == cursor:
			return storagedriver.Errorf(storagedriver.KindCorrupt, "the list of objects to be deleted comes back to %q: the service gives the same cursor again", cursor)
		}
		cursor = next
	}
}

// listed notes why list ended, unless a batch that failed made it end.
func (d *deletion) listed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.err = err
	}
}

// stop ends the listing, and leaves the batches that are not under way alone.
func (d *deletion) stop(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.stopped, d.err = true, err
	}
	d.stopListing()
}

func (d *deletion) isStopped() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stopped
}

// delete deletes a batch, and once more what may have better luck.
func (d *deletion) delete(ctx context.Context, b keyBatch) {
	if d.isStopped() {
		return
	}
	failures, err := d.batch(ctx, b.keys)
	lasting, again, wait := sortOut(b.keys, failures, err)
	if len(again) > 0 && wait <= maxPause && pause(ctx, wait) == nil {
		failures, err = d.batch(ctx, again)
		failures = append(lasting, failures...)
	}
	if err != nil {
		d.stop(err)
	}
	d.note(b.number, failures)
}

// sortOut returns the failures that will last, the keys that are worth another try, and the pause before it.
func sortOut(keys []string, failures []Failure, err error) (lasting []Failure, again []string, wait time.Duration) {
	wait = deletePause/2 + rand.N(deletePause/2)
	if err != nil {
		if storagedriver.IsTemporary(err) {
			again = keys
		}
		return nil, again, max(wait, retryAfter(err))
	}
	for _, f := range failures {
		if !storagedriver.IsTemporary(f.Err) {
			lasting = append(lasting, f)
			continue
		}
		again = append(again, f.Key)
		wait = max(wait, retryAfter(f.Err))
	}
	return lasting, again, wait
}

func retryAfter(err error) time.Duration {
	var e *storagedriver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.RetryAfter
}

// pause returns an error when ctx ends first.
func pause(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps the first failures, in the order of the pages, and counts all.
func (d *deletion) note(batch int, failures []Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range failures {
		if storagedriver.KindOf(f.Err) == storagedriver.KindNotFound {
			continue
		}
		d.failed++
		d.lasting = d.lasting || !storagedriver.IsTemporary(f.Err)
		d.failures = append(d.failures, numbered{batch, f})
	}
	slices.SortStableFunc(d.failures, func(a, b numbered) int { return a.batch - b.batch })
	clear(d.failures[min(maxNamed, len(d.failures)):])
	d.failures = d.failures[:min(maxNamed, len(d.failures))]
}

// result makes one error of what has failed.
func (d *deletion) result() error {
	if d.failed == 0 {
		return d.err
	}
	first, cause := d.failures[0].Err, error(&failedKeys{d.failures, d.failed})
	temporary := !d.lasting
	if d.err != nil {
		first, cause = d.err, fmt.Errorf("%w; besides, %w", d.err, cause)
		temporary = temporary && storagedriver.IsTemporary(d.err)
	}
	return &storagedriver.Error{Kind: storagedriver.KindOf(first), Temporary: temporary, RetryAfter: retryAfter(first), Err: cause}
}

// failedKeys names the first of them.
type failedKeys struct {
	first []numbered
	all   int
}

// Error returns one line.
func (f *failedKeys) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d objects could not be deleted", f.all)
	if f.all == 1 {
		text.Reset()
		text.WriteString("an object could not be deleted")
	}
	for i, x := range f.first {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&text, "%s%q: %v", separator, x.Key, x.Err)
	}
	if more := f.all - len(f.first); more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	return text.String()
}

// Unwrap returns the errors of the keys that are named.
func (f *failedKeys) Unwrap() []error {
	out := make([]error, len(f.first))
	for i, x := range f.first {
		out[i] = x.Err
	}
	return out
}
