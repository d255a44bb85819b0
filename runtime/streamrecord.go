package runtime

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/internal/served"
)

// recordsMark makes of an upload's path in a store the directory of its records.
const recordsMark = "~transformed"

// record is what one writer of a transformed upload keeps beside it: which state belongs to which size of the upload in the store. It
// is there before the writer's first byte goes to the store.
type record struct {
	// Over names the records of the writers before that this one has gone on from, or discarded.
	Over []string `json:"over,omitempty"`
	// At are the positions from which the upload may go on: the one that the writer began at, and the one that it was suspended at.
	At []position `json:"at,omitempty"`
}

// position is where a transformed upload stands.
type position struct {
	Stored int64  `json:"stored"` // bytes in the store
	Size   int64  `json:"size"`   // of the content that they were made of
	State  []byte `json:"state,omitempty"`
	Ended  bool   `json:"ended,omitempty"` // the guest's end is among the bytes: nothing can follow
}

// goOn returns the position of an upload of which the store has so many bytes, and false when that is not certain. It is when all records are of
// one line of writers, of which the last has been there: a writer that did not know of another leaves two.
func goOn(records map[string]record, stored int64) (position, bool) {
	if len(records) == 0 {
		return position{}, stored == 0
	}
	over := map[string]bool{}
	for _, r := range records {
		for _, name := range r.Over {
			over[name] = true
		}
	}
	var last []record
	for name, r := range records {
		if !over[name] {
			last = append(last, r)
		}
	}
	if len(last) != 1 {
		return position{}, false
	}
	for _, at := range slices.Backward(last[0].At) {
		if at.Stored == stored {
			return at, true
		}
	}
	return position{}, false
}

const (
	// maxRecord is the most bytes of a record: two states in base64, and the names of those before.
	maxRecord = 2 << 20
	// recordLooks is how often records are read that change meanwhile.
	recordLooks = 16
	// maxRecords is how many are looked at. There is one for each writer that died.
	maxRecords = 64
)

// recordsOf is the directory of the records of an upload to the guest's path dest in a store, as the store names it.
func recordsOf(dest string) string { return served.EscapePath(dest + recordsMark) }

// readRecords returns the records in a directory. One that cannot be read as such, as a guest may have put it there, is there, and empty.
func readRecords(ctx context.Context, g granted, dir string) (map[string]record, error) {
	paths, err := g.List(ctx, dir)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, served.Cause(err)
	}
	records := map[string]record{}
	for n, path := range paths {
		var r record
		if n < maxRecords {
			r, err = readRecord(ctx, g, path)
			if storagedriver.KindOf(err) == storagedriver.KindNotFound {
				continue // another has taken its place, or its writer is done
			}
			if err != nil {
				return nil, served.Cause(err)
			}
		}
		records[nameOf(path)] = r
	}
	return records, nil
}

func nameOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// sameRecords reports whether the directory still has the records that were read, and no others: a writer puts a new one there before it removes
// those that it goes on from, and who reads them meanwhile may miss both.
func sameRecords(ctx context.Context, g granted, dir string, records map[string]record) (bool, error) {
	paths, err := g.List(ctx, dir)
	if storagedriver.KindOf(err) == storagedriver.KindNotFound {
		return len(records) == 0, nil
	}
	if err != nil {
		return false, served.Cause(err)
	}
	for _, path := range paths {
		if _, known := records[nameOf(path)]; !known {
			return false, nil
		}
	}
	return len(paths) == len(records), nil
}

func readRecord(ctx context.Context, g granted, path string) (record, error) {
	body, err := g.Reader(ctx, path, 0)
	if err != nil {
		return record{}, err
	}
	defer body.Close()
	content, err := io.ReadAll(io.LimitReader(body, maxRecord+1))
	if err != nil {
		return record{}, err
	}
	var r record
	if len(content) > maxRecord || json.Unmarshal(content, &r) != nil {
		r = record{}
	}
	return r, nil
}

func writeRecord(ctx context.Context, g granted, dir, name string, r record) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return served.Cause(g.PutContent(ctx, storagedriver.JoinPath(dir, name), content))
}

// removeRecords removes records, and the directory with the last. A failure leaves what means nothing beside another
// upload, or none.
func removeRecords(ctx context.Context, g granted, dir string, names []string) {
	for _, name := range names {
		_ = g.Delete(ctx, storagedriver.JoinPath(dir, name))
	}
	if rest, err := g.List(ctx, dir); err == nil && len(rest) == 0 {
		_ = g.Delete(ctx, dir)
	}
}

// abortTransformed ends the uploads to path and below it, as a guest sees them.
func abortTransformed(b storagedriver.Backend, ctx context.Context, path string) error {
	if err := b.AbortUploads(ctx, path); err != nil {
		return err
	}
	err := b.DeleteTree(ctx, path+recordsMark) // those below path go with what is there
	switch storagedriver.KindOf(err) {
	case storagedriver.KindNotFound, storagedriver.KindInvalidPath:
		return nil
	}
	return err
}
