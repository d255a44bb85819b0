package killloop

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers"
)

// TestCheckCatches has a journal, and a storage that holds what it says or something else.
func TestCheckCatches(t *testing.T) {
	path, other := ownPath(0, 0), ownPath(0, 1)
	old, fresh := content{ID: 11, Size: 20_001}, content{ID: 13, Size: 30_001}
	committed := []line{{Op: opFresh, Path: path, Content: old}, {Op: opFresh, Path: path, Content: old, Done: true},
		{Op: opCommit, Path: path, Content: old}, {Op: opCommit, Path: path, Content: old, Done: true}}
	suspended := []line{{Op: opFresh, Path: path, Content: fresh}, {Op: opFresh, Path: path, Content: fresh, Done: true},
		{Op: opSuspend, Path: path, Content: fresh, At: 20_000}, {Op: opSuspend, Path: path, Content: fresh, At: 20_000, Done: true}}
	overwriting := append(committed[:4:4], line{Op: opPut, Path: path, Content: fresh})
	moving := append(committed[:4:4], line{Op: opMove, Path: path, Dest: other})
	torn := append(old.bytes()[:10_000], fresh.bytes()[10_000:20_001]...)
	for name, c := range map[string]struct {
		journal []line
		store   map[string][]byte // files
		upload  []byte            // an unfinished upload to path
		want    string            // "": all is well
	}{
		"committed":              {committed, map[string][]byte{path: old.bytes()}, nil, ""},
		"commit lost":            {committed, nil, nil, "is gone"},
		"commit torn":            {committed, map[string][]byte{path: torn}, nil, "bytes before"},
		"commit short":           {committed, map[string][]byte{path: old.bytes()[:16_384]}, nil, "has 16384 bytes"},
		"other content":          {committed, map[string][]byte{path: fresh.bytes()}, nil, "bytes before"},
		"overwritten or not":     {overwriting, map[string][]byte{path: old.bytes()}, nil, ""},
		"overwritten":            {overwriting, map[string][]byte{path: fresh.bytes()}, nil, ""},
		"overwritten, torn":      {overwriting, map[string][]byte{path: torn}, nil, "bytes before"},
		"overwritten, lost":      {overwriting, nil, nil, "is gone"},
		"moved or not":           {moving, map[string][]byte{path: old.bytes()}, nil, ""},
		"moved":                  {moving, map[string][]byte{other: old.bytes()}, nil, ""},
		"lost between two paths": {moving, nil, nil, "is at neither"},
		"suspended":              {suspended, nil, fresh.bytes()[:20_000], ""},
		"suspended, lost":        {suspended, nil, nil, "an upload of 0 bytes is left"},
		"suspended, shorter":     {suspended, nil, fresh.bytes()[:16_384], "an upload of 16384 bytes is left"},
		"suspended, other bytes": {suspended, nil, old.bytes()[:20_000], "continued after 20000 bytes"},
		"visible too early":      {suspended, map[string][]byte{path: fresh.bytes()[:20_000]}, fresh.bytes()[:20_000], "never committed"},
		"visible by itself":      {committed, map[string][]byte{path: old.bytes(), "/own-0/d0/temporary": nil}, nil, "never committed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := layers.Complete(inmemory.New(), layers.WithPartSize(PartSize), layers.WithBudget(chunked.NewBudget(1<<20)))
			for path, content := range c.store {
				if err := d.PutContent(t.Context(), path, content); err != nil {
					t.Fatal(err)
				}
			}
			if c.upload != nil {
				w, err := d.Writer(t.Context(), path, false)
				if err != nil {
					t.Fatal(err)
				}
				_, err = w.Write(c.upload)
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
			}
			// The second number is chosen so that the upload is gone on with, and not left to the next child.
			r := &run{d: d, m: newModel(), random: rand.New(rand.NewPCG(1, goesOn(t)))}
			for _, l := range c.journal {
				if err := r.m.apply(l); err != nil {
					t.Fatal(err)
				}
			}
			switch err := r.check(t.Context()); {
			case c.want == "" && err != nil:
				t.Errorf("all is well, but: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// goesOn returns a seed with which goOn finishes the first upload that it meets.
func goesOn(t *testing.T) uint64 {
	for seed := range uint64(100) {
		if rand.New(rand.NewPCG(1, seed)).IntN(2) == 1 {
			return seed
		}
	}
	t.Fatal("no seed")
	return 0
}

func TestContentIsDecidedByOffset(t *testing.T) {
	c := content{ID: 5, Size: 1001}
	whole := c.bytes()
	for _, at := range []int64{0, 1, 7, 8, 500, 993} {
		piece := make([]byte, 8)
		c.fill(piece, at)
		if string(piece) != string(whole[at:at+8]) {
			t.Errorf("at %d: %x, want %x", at, piece, whole[at:at+8])
		}
	}
}

func TestFailedChildIsReported(t *testing.T) {
	if err := newModel().apply(line{Op: opFailed, Error: "no space"}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}
