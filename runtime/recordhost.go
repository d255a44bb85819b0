package runtime

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// recordedFunctions are functions whose calls by recorded instances are recorded.
func recordedFunctions(functions []engine.HostFunc) []engine.HostFunc {
	out := make([]engine.HostFunc, len(functions))
	for i, f := range functions {
		out[i] = f
		out[i].Call = func(ctx context.Context, mem engine.Memory, stack []uint64) {
			if in := instanceOf(ctx); in.rec.on() {
				in.rec.host(f, ctx, mem, stack)
				return
			}
			f.Call(ctx, mem, stack)
		}
	}
	return out
}

// host runs a host function and records what it was told, what it answered and what it changed.
func (r *recording) host(f engine.HostFunc, ctx context.Context, mem engine.Memory, stack []uint64) {
	name := f.Module + "." + f.Name
	rec := &trace.Record{Kind: trace.KindHost, Func: name, Args: argsOf(f, stack), Source: r.source}
	rec.Said = r.saidTo(name, mem, rec.Args)
	began := time.Now()
	w := &watched{mem: mem, longest: maxWatched}
	if most, ok := outputs[name]; ok || !r.file {
		w.longest = most
	}
	returned := false
	defer func() {
		if !returned {
			v := recover()
			text, kind := trapText(v)
			rec.Took = time.Since(began)
			rec.Trap = &trace.Trap{Text: r.redactor.Text(text), Kind: uint8(kind)}
			r.hostEnded(rec, w)
			panic(v)
		}
	}()
	f.Call(ctx, w, stack)
	returned = true
	rec.Took = time.Since(began)
	if name == importCall {
		r.redactor = r.to.Redactor(r.d.allSecrets()) // a request may have had a credential renewed
	}
	rec.Results = append([]uint64(nil), stack[:len(f.Type.Results)]...)
	r.hostEnded(rec, w)
}

// nameLines has the instances of a module with debug information be recorded with the lines of source that they make host calls in. That costs time and
// memory which the guest decides on: see trace.Options.Sources.
func nameLines(cfg *engine.Config, wasm []byte) {
	if cfg.Lines = engine.NewLines(wasm); cfg.Lines == nil {
		return
	}
	cfg.Source = func(ctx context.Context, at string) {
		if in := instanceOf(ctx); in.rec != nil {
			in.rec.source = in.d.secrets.Clean(at, longestSource)
		}
	}
	if cfg.CacheDir != "" {
		cfg.CacheDir += "-lines"
	}
}

// longestSource is the most bytes of a line's name.
const longestSource = 200

// argsOf are the arguments of a host call. The upper half of an i32 is whatever the register held.
func argsOf(f engine.HostFunc, stack []uint64) []uint64 {
	args := slices.Clone(stack[:len(f.Type.Params)])
	for i, t := range f.Type.Params {
		if t == engine.I32 {
			args[i] = uint64(uint32(args[i]))
		}
	}
	return args
}

func (r *recording) hostEnded(rec *trace.Record, w *watched) {
	if reply, at, ok := replyIn(rec, w.mem); ok {
		rec.Writes = []trace.Write{{At: at, Data: r.redactor.Bytes(reply)}}
	} else if r.file {
		rec.Writes = w.changes(r.redactor)
	}
	if w.over {
		r.cut(fmt.Sprintf("%s was given more than %d bytes of memory at once", rec.Func, maxWatched))
		return
	}
	r.add(rec)
}

// The names of imports about which something is known here.
const (
	importCall    = abi.Module + "." + abi.ImportCall
	importTake    = abi.Module + "." + abi.ImportTake
	importWrite   = abi.Module + "." + abi.ImportWrite
	importLog     = abi.Module + "." + abi.ImportLog
	importFdWrite = wasiModule + ".fd_write"
	importPoll    = wasiModule + ".poll_oneoff"
)

// outputs is how long a view may be that a function changes, for those that are given views of the
// guest's which they only read, and those whose output is known.
var outputs = map[string]uint32{importWrite: 0, importLog: 0, importFdWrite: 8, importCall: 0, importTake: 0}

// replyIn returns the reply that call or take put into memory.
func replyIn(rec *trace.Record, mem engine.Memory) (reply []byte, at uint32, ok bool) {
	i := 0
	switch {
	case rec.Trap != nil:
		return nil, 0, false
	case rec.Func == importCall:
		i = 3
	case rec.Func != importTake:
		return nil, 0, false
	}
	at, room := uint32(rec.Args[i]), uint32(rec.Args[i+1])
	if n := rec.Results[0]; n > 0 && n <= uint64(room) {
		reply, ok = mem.Read(at, uint32(n))
	}
	return reply, at, ok
}

const (
	maxWatched = 8 << 20  // bytes of memory that one host call may change
	maxSaid    = 64 << 10 // bytes of standard error that are kept whole
	maxHashed  = 1 << 20  // and that are looked at
	saidHead   = 64       // what is kept of others
)

// saidTo returns what a guest gives to a function, which may be nothing. What is not in memory is for the
// function to refuse.
func (r *recording) saidTo(name string, mem engine.Memory, args []uint64) *trace.Said {
	return saidBy(name, mem, args, r.said)
}

// saidBy is saidTo with what makes a Said of bytes, of which so many are kept whole.
func saidBy(name string, mem engine.Memory, args []uint64, said func(b []byte, whole int) *trace.Said) *trace.Said {
	at := func(ptr, n uint64, whole int) *trace.Said {
		b, ok := mem.Read(uint32(ptr), uint32(n))
		if !ok {
			return nil
		}
		return said(b, whole)
	}
	switch name {
	case importCall:
		return at(args[1], args[2], abi.MaxMessage)
	case importWrite:
		return at(args[1], args[2], saidHead)
	case importLog:
		return at(args[1], args[2], abi.MaxText)
	case importPoll:
		if count := uint64(uint32(args[2])); count <= maxSubscriptions {
			return at(args[0], count*subscriptionSize, maxSubscriptions*subscriptionSize)
		}
	case importFdWrite:
		var text []byte
		total := int64(0)
		vectors(mem, args, func(p []byte) {
			total += int64(len(p))
			text = append(text, p[:min(len(p), maxHashed-len(text))]...)
		})
		s := said(text, maxSaid)
		s.Len = total
		return s
	}
	return nil
}

// vectors calls f with what fd_write is given, as far as that is in memory.
func vectors(mem engine.Memory, args []uint64, f func(p []byte)) {
	count := uint64(uint32(args[2]))
	if count > 1024 {
		return
	}
	list, ok := mem.Read(uint32(args[1]), uint32(8*count))
	for ; ok && len(list) > 0; list = list[8:] {
		var p []byte
		if p, ok = mem.Read(binary.LittleEndian.Uint32(list), binary.LittleEndian.Uint32(list[4:])); ok {
			f(p)
		}
	}
}

// said redacts b, and keeps at most so many bytes whole.
func (r *recording) said(b []byte, whole int) *trace.Said {
	if !r.file && len(b) > whole { // a digest is of no use to people
		head, _ := r.redactor.Range(b, 0, saidHead)
		return &trace.Said{Len: int64(len(b)), Data: bytes.Clone(head[:saidHead])}
	}
	return saidOf(r.redactor.Bytes(b), whole)
}

func saidOf(b []byte, whole int) *trace.Said {
	s := &trace.Said{Len: int64(len(b))}
	if len(b) <= whole {
		s.Data = bytes.Clone(b)
		return s
	}
	sum := sha256.Sum256(b)
	s.SHA256, s.Data = hex.EncodeToString(sum[:]), bytes.Clone(b[:saidHead])
	return s
}

// watched is a memory that notes the views which a host function was given, with what was in them before.
type watched struct {
	mem     engine.Memory
	longest uint32 // views beyond are not changed by this function
	views   []viewed
	held    int
	over    bool
}

type viewed struct {
	at     uint32
	before []byte
}

func (w *watched) Read(offset, n uint32) ([]byte, bool) {
	b, ok := w.mem.Read(offset, n)
	if !ok || n == 0 || w.longest < maxWatched && n > w.longest {
		return b, ok
	}
	if w.held += int(n); w.held > maxWatched {
		w.over = true
		return b, ok
	}
	w.views = append(w.views, viewed{offset, bytes.Clone(b)})
	return b, ok
}

// changes returns what is different in the views now: of each the bytes from the first to the last.
func (w *watched) changes(r *trace.Redactor) []trace.Write {
	var list []trace.Write
	for _, v := range w.views {
		now, ok := w.mem.Read(v.at, uint32(len(v.before)))
		if !ok || bytes.Equal(now, v.before) {
			continue // a memory never shrinks
		}
		from, to := 0, len(now)
		for now[from] == v.before[from] {
			from++
		}
		for now[to-1] == v.before[to-1] {
			to--
		}
		data, from := r.Range(now, from, to)
		list = append(list, trace.Write{At: v.at + uint32(from), Data: bytes.Clone(data)})
	}
	return list
}
