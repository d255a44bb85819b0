package modelrapid

import (
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver/testsuites/model"
	"pgregory.net/rapid"
)

// paths are few, so that operations meet: files in directories, names of which one begins like another and that sort
// before and after "/", and directories in directories.
var paths = []string{"/a", "/a/b", "/a/b/c", "/a/d", "/a-b", "/a.b", "/a0", "/e", "/e/f", "/e/f/g"}

// malformed are no paths. They are rare: what refuses one path refuses all.
var malformed = []string{"/", "/a~", "/a/", "a", "/a//b", "/a/../b", "/a/.", "/ä"}

// kinds, each as often as it is to come up.
var kinds = weighted(map[model.Kind]int{
	model.Put: 8, model.Get: 2, model.Read: 2, model.Stat: 1, model.List: 1, model.Walk: 3, model.Move: 7, model.Delete: 5,
	model.Writer: 14, model.Write: 18, model.Commit: 8, model.Cancel: 4, model.Interrupt: 2, model.Close: 8,
	model.Reader: 2, model.Next: 3, model.Crash: 4, model.Reopen: 2, model.Check: 1,
})

func weighted(weights map[model.Kind]int) []model.Kind {
	var out []model.Kind
	for _, k := range []model.Kind{ // simplest first: that is where rapid shrinks to
		model.Put, model.Writer, model.Write, model.Close, model.Commit, model.Cancel, model.Crash, model.Reopen, model.Interrupt,
		model.Delete, model.Move, model.Reader, model.Next, model.Get, model.Read, model.Stat, model.List, model.Walk, model.Check,
	} {
		for range weights[k] {
			out = append(out, k)
		}
	}
	return out
}

// pieces is how many slices a script is drawn in. Rapid's slices have some five elements, whatever their most is.
const pieces = 8

// draft is an operation as it is drawn, which may not make sense where it stands.
type draft struct {
	op     model.Op
	number int // which writer or reader
	// whole has a writer be written to and closed at once, which leaves a suspended upload, and a commit be
	// followed by what distribution does after it.
	whole bool
	// call is the call to the backend at which the process dies in the operation; 0: it does not.
	call int
}

// changing are the operations in which a process may die.
var changing = []model.Kind{
	model.Put, model.Delete, model.Move, model.Writer, model.Write, model.Commit, model.Cancel, model.Interrupt, model.Close,
}

// scripts generates scripts of at most steps operations, with sizes about that of a part.
func scripts(steps int, part int64) *rapid.Generator[model.Script] {
	drafts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) draft { return draw(t, part) }), 0, max(1, steps/pieces))
	return rapid.Custom(func(t *rapid.T) model.Script {
		var all []draft
		for range pieces {
			all = append(all, drafts.Draw(t, "operations")...)
		}
		return append(model.Script{{Kind: model.PartSize, Size: part}}, resolve(all)...)
	})
}

// draw always draws the same things, so that rapid can shrink one without another changing its meaning.
func draw(t *rapid.T, part int64) draft {
	sizes := []int64{10, 0, 1, part / 2, part - 1, part, part + 1, 2*part + 7, 3*part + part/2}
	path := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 60).Draw(t, "malformed") == 60 {
			return rapid.SampledFrom(malformed).Draw(t, "path")
		}
		// Trouble is where operations meet: every other path is the first.
		return rapid.SampledFrom(paths[:[]int{1, 1, 1, 3, 3, len(paths)}[rapid.IntRange(0, 5).Draw(t, "any")]]).Draw(t, "path")
	})
	d := draft{op: model.Op{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
		Path: path.Draw(t, "path"),
		To:   rapid.SampledFrom(append(slices.Clone(paths), malformed[0])).Draw(t, "to"),
		Size: rapid.SampledFrom(sizes).Draw(t, "size"),
	}}
	d.whole = rapid.IntRange(0, 2).Draw(t, "whole") == 2
	if rapid.IntRange(0, 11).Draw(t, "dies") == 11 {
		d.call = rapid.IntRange(1, 8).Draw(t, "call")
	}
	d.number = rapid.IntRange(0, 2).Draw(t, "name")
	d.op.Append = rapid.IntRange(0, 2).Draw(t, "append") > 0
	other := path.Draw(t, "other")
	switch rapid.IntRange(0, 7).Draw(t, "option") {
	case 4, 5:
		d.op.After = other
	case 6:
		d.op.Skip = other
	case 7:
		d.op.Stop = other
	case 3:
		d.op.Fail = other
	}
	if d.op.Kind == model.Walk && !d.whole {
		d.op.Path = "/"
	}
	return d
}

// resolve makes a script of drafts: it leaves out what uses a name that stands for nothing, and numbers seeds.
func resolve(drafts []draft) model.Script {
	var s model.Script
	names := map[string]bool{} // writers that were opened
	readers := map[string]bool{}
	for _, d := range drafts {
		op := d.op
		writer, reader := fmt.Sprintf("w%d", d.number+1), fmt.Sprintf("r%d", d.number+1)
		switch op.Kind {
		case model.Writer:
			op.Name = writer
			names[writer] = true
		case model.Write, model.Commit, model.Cancel, model.Interrupt, model.Close:
			op.Name = writer
			if op.Kind == model.Close && readers[reader] {
				op.Name = reader
				delete(readers, reader)
				break
			}
			if !names[writer] {
				continue
			}
		case model.Reader:
			op.Name = reader
			readers[reader] = true
		case model.Next:
			op.Name = reader
			if !readers[reader] {
				continue
			}
		case model.Crash, model.Reopen:
			names, readers = map[string]bool{}, map[string]bool{}
		}
		dies := d.call > 0 && slices.Contains(changing, op.Kind)
		if dies {
			s = append(s, model.Op{Kind: model.CrashIn, Size: int64(d.call)})
			names, readers = map[string]bool{}, map[string]bool{}
		}
		op.Seed = uint64(len(s) + 1)
		s = append(s, normal(op))
		if dies {
			continue
		}
		switch {
		case op.Kind == model.Writer && d.whole:
			s = append(s, model.Op{Kind: model.Write, Name: writer, Size: d.op.Size, Seed: uint64(len(s) + 1)}, model.Op{Kind: model.Close, Name: writer})
		case op.Kind == model.Commit && d.whole:
			s = append(s, model.Op{Kind: model.Close, Name: writer}, model.Op{Kind: model.Cancel, Name: writer})
		}
	}
	return s
}

// normal returns the operation without what its kind has no use for.
func normal(op model.Op) model.Op {
	parsed, err := model.ParseOp(op.String())
	if err != nil {
		panic(fmt.Sprintf("%q: %v", op, err)) // String and ParseOp are each other's inverse
	}
	return parsed
}
