package chunked

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
)

// listPage is how many entries are asked for at a time: the most that S3 gives.
const listPage = 1000

// derived is the protocol of a Backend without parts, for one writer: every part is
// stored as a segment, and a segment's name is its receipt.
type derived struct {
	b            storagedriver.Backend
	capabilities storagedriver.Capabilities
	path, dir    string
	timeout      time.Duration // of what runs detached from the caller's context
	rank         rank
	upload       string
	resumed      []segment // the chain this writer continues

	mu        sync.Mutex
	known     map[string]bool // names that were there at open
	attempted map[string]bool // names this writer may have stored; true of those it did
	ending    []string        // what a Cancel that may be repeated removes
}

// privateDir is where the segments of the upload to path are.
func privateDir(path string) string { return path + storagedriver.PrivateMark }

func openDerived(ctx context.Context, b storagedriver.Backend, path string, append bool, o Options) (*derived, storagedriver.Upload, error) {
	d := &derived{
		b: b, capabilities: b.Capabilities(), path: path, dir: privateDir(path), timeout: o.SuspendTimeout,
		rank: rank{generation: 1, writer: nonce()}, known: map[string]bool{}, attempted: map[string]bool{},
	}
	d.upload = d.rank.writer
	upload := storagedriver.Upload{Limits: storagedriver.PartLimits{Max: d.capabilities.MaxObject}}
	if !d.capabilities.Has(storagedriver.AbilityConcat) {
		upload.Limits.Total = d.capabilities.MaxObject
	}
	if !append {
		return d, upload, nil
	}
	now, err := d.look(ctx)
	if err != nil {
		return nil, upload, err
	}
	for name, s := range now.complete {
		d.known[name] = true
		d.rank.generation = max(d.rank.generation, s.rank.generation+1)
	}
	if d.resumed = now.chain(); len(d.resumed) == 0 {
		return d, upload, d.mayStart(ctx)
	}
	d.upload = d.resumed[0].upload
	upload.Resumed, upload.Receipts = true, &storagedriver.Receipts{}
	for i, s := range d.resumed {
		upload.Receipts.Set(storagedriver.Receipt{Number: i + 1, Offset: s.offset, Size: s.length, Data: []byte(s.name())})
	}
	return d, upload, nil
}

// nonce returns 16 random hexadecimal digits.
func nonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// mayStart returns KindUnsupported when the path has committed content to append to.
func (d *derived) mayStart(ctx context.Context) error {
	entry, err := d.b.Stat(ctx, d.path)
	switch {
	case storagedriver.KindOf(err) == storagedriver.KindNotFound:
		return nil
	case err != nil:
		return err
	case !entry.Dir && entry.Size > 0:
		return storagedriver.Errorf(storagedriver.KindUnsupported, "this driver does not append to committed content; there are %d bytes", entry.Size)
	case entry.Dir && !d.capabilities.Has(storagedriver.AbilityFilesUnderFiles):
		return storagedriver.NewError(storagedriver.KindInvalidPath, "there is a directory")
	}
	return nil
}

// look lists what is stored. What the listing must show is what this writer had stored
// before it began: other parts land meanwhile.
func (d *derived) look(ctx context.Context) (listing, error) {
	mine := d.expected()
	entries, err := list(ctx, d.b, d.dir)
	if err != nil {
		return listing{}, err
	}
	now := newListing(entries)
	for _, name := range mine {
		if _, there := now.complete[name]; !there {
			now.gone = true
		}
	}
	return now, nil
}

// expected returns the names of the segments that this writer continues or has stored.
func (d *derived) expected() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, s := range d.resumed {
		names = append(names, s.name())
	}
	for name, stored := range d.attempted {
		if stored {
			names = append(names, name)
		}
	}
	return names
}

func (d *derived) wrote() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.attempted) > 0
}

// stale reports whether another writer has taken the upload over since this one opened,
// or ended it: then a segment of this writer's chain is gone.
func (d *derived) stale(now listing, wrote bool) bool {
	if now.gone {
		return true
	}
	// A writer that stored nothing yet speaks for the chain it found.
	mine := d.rank
	if !wrote {
		mine = rank{}
		if n := len(d.resumed); n > 0 {
			mine = d.resumed[n-1].rank
		}
	}
	for _, s := range now.valid {
		if s.rank.writer == d.rank.writer || d.known[s.name()] {
			continue
		}
		if c := s.rank.compare(mine); c > 0 || c == 0 && !wrote {
			return true
		}
	}
	return false
}

var errConflict = storagedriver.NewError(storagedriver.KindConflict, "another writer has taken the upload over, or ended it")

// check returns what is stored, or KindConflict when this writer is stale or a segment
// that receipts name is gone.
func (d *derived) check(ctx context.Context, receipts *storagedriver.Receipts, wrote bool) (listing, error) {
	now, err := d.look(ctx)
	if err != nil {
		return now, err
	}
	if d.stale(now, wrote) {
		return now, errConflict
	}
	for _, r := range receipts.All() {
		if _, ok := now.complete[string(r.Data)]; !ok {
			return now, errConflict
		}
	}
	return now, nil
}

// segment describes the part with the number.
func (d *derived) segment(number int, offset, length int64) segment {
	s := segment{offset: offset, length: length, upload: d.upload, rank: d.rank, sequence: uint32(number), predecessor: root}
	switch {
	case number > len(d.resumed)+1:
		s.predecessor = segment{rank: d.rank, sequence: uint32(number - 1)}.id()
	case number > 1:
		s.predecessor = d.resumed[number-2].id()
	}
	return s
}

func (d *derived) putPart(ctx context.Context, _ string, part storagedriver.Part) ([]byte, error) {
	if part.Number == len(d.resumed)+1 {
		if _, err := d.check(ctx, d.resumedReceipts(), false); err != nil {
			return nil, err
		}
	}
	return d.store(ctx, part)
}

// store puts a segment. Once more with the same bytes is harmless.
func (d *derived) store(ctx context.Context, part storagedriver.Part) ([]byte, error) {
	name := d.segment(part.Number, part.Offset, part.Body.Size()).name()
	d.note(name, false)
	if err := d.b.Put(ctx, storagedriver.JoinPath(d.dir, name), part.Body); err != nil {
		return nil, err
	}
	d.note(name, true)
	return []byte(name), nil
}

func (d *derived) note(name string, stored bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.attempted[name] = d.attempted[name] || stored
}

// storeAgain is store for what is not sent as a part, and so not repeated by its sender.
func (d *derived) storeAgain(ctx context.Context, part storagedriver.Part) (name []byte, err error) {
	err = repeat(ctx, func() error {
		name, err = d.store(ctx, part)
		return err
	})
	return name, err
}

func (d *derived) resumedReceipts() *storagedriver.Receipts {
	out := &storagedriver.Receipts{}
	for i, s := range d.resumed {
		out.Set(storagedriver.Receipt{Number: i + 1, Data: []byte(s.name())})
	}
	return out
}

func (d *derived) suspend(ctx context.Context, _ string, receipts *storagedriver.Receipts, tail storagedriver.Source) error {
	if _, err := d.check(ctx, receipts, d.wrote()); err != nil || tail == nil {
		return err
	}
	_, err := d.storeAgain(ctx, storagedriver.Part{Number: receipts.Len() + 1, Offset: endOf(receipts), Body: tail})
	return err
}

func (d *derived) durable(ctx context.Context) (int64, error) {
	now, err := d.look(ctx)
	if err != nil {
		return 0, err
	}
	if chain := now.chain(); len(chain) > 0 {
		return chain[len(chain)-1].end(), nil
	}
	return 0, nil
}

func (d *derived) stored(_ int64, receipts *storagedriver.Receipts) int64 { return endOf(receipts) }
