package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// numbered is a record with its line.
type numbered struct {
	*trace.Record
	line int
}

// size is about what a record takes.
func (n *numbered) size() int64 {
	total := len(n.Reply) + 32*len(n.Writes) + 8*len(n.Args) + 8*len(n.Results) + 256
	if n.Said != nil {
		total += len(n.Said.Data)
	}
	for _, w := range n.Writes {
		total += len(w.Data)
	}
	return int64(total)
}

// replayed is an instance that runs again, on a goroutine of its own. Its guest waits in host calls until the records that
// come next are read.
type replayed struct {
	r      *replay
	d      *replayDriver
	engine *replayEngine
	number uint64
	in     *instance

	records chan numbered
	done    chan struct{} // closed when nothing takes records any more
	waits   *numbered     // the record that was read last; of the reader

	calls, hosts int
	operation    string
	line         int
	over         bool // a difference was found, or the trace ends
	err          error
	last         outcome
}

// outcome is how a call into the guest ended.
type outcome struct {
	name   string
	trap   error // nil: it returned
	judged error // what the host makes of its reply
}

// errOver ends a guest of which no more is to be known.
var errOver = errors.New("the replay is over")

func (r *replay) start(number uint64, d *replayDriver, e *replayEngine) *replayed {
	p := &replayed{r: r, d: d, engine: e, number: number, records: make(chan numbered), done: make(chan struct{})}
	p.in = &instance{d: d.d, replay: p}
	p.in.begin(r.ctx)
	r.running.Go(func() {
		defer close(p.done)
		p.run()
	})
	return p
}

// feed takes the next record, and passes on the one before.
func (p *replayed) feed(n numbered) error {
	if p.waits != nil {
		p.pass(*p.waits)
		p.r.held -= p.waits.size()
	}
	p.waits = &n
	if p.r.held += n.size(); p.r.held > maxHeld {
		return badTrace("line %d: more than %d bytes at once", n.line, maxHeld)
	}
	return nil
}

func (p *replayed) pass(n numbered) {
	select {
	case p.records <- n:
	case <-p.done:
	case <-p.r.ctx.Done():
	}
}

// finish ends the records. Where the trace was cut the guest does not go on from the last of them unless that ends
// something.
func (p *replayed) finish(cut bool) {
	if n := p.waits; n != nil {
		p.waits = nil
		p.r.held -= n.size()
		switch {
		case !cut || n.Kind == trace.KindReturn || n.Kind == trace.KindError:
			p.pass(*n)
		case n.Kind == trace.KindCall:
			p.r.unfinished(p.number, n.Describe())
		default:
			p.pass(numbered{&trace.Record{}, n.line})
		}
	}
	close(p.records)
}

func (r *replay) unfinished(number uint64, operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.result.Unfinished) < maxReplayList {
		r.result.Unfinished = append(r.result.Unfinished, printable(fmt.Sprintf("instance %d: %s", number, operation)))
	}
}

// next waits for the next record.
func (p *replayed) next() (numbered, bool) {
	select {
	case n, ok := <-p.records:
		if ok && n.Kind == "" {
			p.r.unfinished(p.number, p.operation)
			ok = false
		}
		if !ok {
			p.over = true
			return n, false
		}
		p.line = n.line
		return n, true
	case <-p.r.ctx.Done():
		p.over = true
		return numbered{}, false
	}
}

func (p *replayed) run() {
	defer func() {
		if p.in.wasm != nil {
			_ = p.in.wasm.Close(context.Background()) // nothing of it is left
		}
		if p.err != nil {
			p.r.cancel(p.err)
		}
	}()
	for !p.over && p.err == nil {
		n, ok := p.next()
		switch {
		case !ok:
		case n.Kind == trace.KindCall:
			if err := p.last.judged; err != nil {
				p.differs("the host takes the reply for a failure", "no error", err.Error())
				return
			}
			p.call(n)
		case n.Kind == trace.KindError:
			p.fails(n)
		case n.Kind == trace.KindHost:
			p.differs("the guest returned instead of making a host call", n.Describe(), "the call is over")
		default:
			p.bad("it has no call under way")
		}
	}
}

func (p *replayed) bad(format string, args ...any) {
	p.over = true
	p.err = badTrace("line %d: %s", p.line, fmt.Sprintf(format, args...))
}

// differs notes where the replay parts from the trace.
func (p *replayed) differs(what, recorded, replayed string) {
	p.over = true
	p.r.differs(&Difference{Line: p.line, Instance: p.number, Call: p.calls, Operation: p.operation, HostCall: p.hosts, What: what, Recorded: recorded, Replayed: replayed})
}

// call calls the guest as n says and holds what it returns against the record of that.
func (p *replayed) call(n numbered) {
	p.operation, p.hosts = n.Describe(), 0
	if n.Begin {
		p.in.stderr.b = p.in.stderr.b[:0]
	}
	err, ok := p.perform(n)
	if !ok || p.over {
		return
	}
	want, ok := p.next()
	if !ok {
		return
	}
	got := p.returned(n.Func, err)
	switch {
	case want.Kind != trace.KindReturn:
		p.differs("the guest returned instead of making a host call", want.Describe(), got.Describe())
		return
	case !sameTrap(want.Trap, got.Trap):
		p.differs("the call ended otherwise"+whereTrap(want.Trap, got.Trap), want.Describe(), got.Describe())
		return
	case string(want.Reply) != string(got.Reply):
		p.differs("the guest answered otherwise"+where(want.Reply, got.Reply), want.Describe(), got.Describe())
		return
	case !slices.Equal(want.Results, got.Results):
		p.differs("the guest answered otherwise", fmt.Sprintf("results %#x", want.Results), fmt.Sprintf("results %#x", got.Results))
		return
	}
	p.last = outcome{name: n.Func, trap: err}
	if n.Func == abi.ExportDispatch && err == nil {
		p.in.denied = want.Denied
		op := abi.Op(uint32(n.Args[0]))
		p.last.judged = p.in.judge(op, newReply(op))
	}
}

// perform makes the call. ok is false when the trace makes no sense, which has been said.
func (p *replayed) perform(n numbered) (err error, ok bool) {
	if n.Func == trace.Instantiate {
		if p.in.wasm != nil {
			p.bad("the instance is there already")
			return nil, false
		}
		wasm, err := p.engine.compiled.Instantiate(&p.in.cc)
		if err == nil {
			p.in.wasm, p.in.mem = wasm, wasm.Memory()
		}
		return err, true
	}
	export, known := requiredExports()[n.Func]
	if p.in.wasm == nil || !known && n.Func != abi.ExportInitialize || len(n.Args) != len(export.Params) {
		p.bad("no such call can be made: %s", printable(n.Describe()))
		return nil, false
	}
	f := p.in.wasm.Func(n.Func)
	if f == nil {
		p.bad("the module has no %s", n.Func)
		return nil, false
	}
	if n.Func == abi.ExportDispatch {
		p.calls++
		p.r.counts(func(result *ReplayResult) { result.Calls++ })
		if !p.request(n) {
			return nil, false
		}
	}
	p.in.stack = [3]uint64{}
	copy(p.in.stack[:], n.Args)
	return f.Call(&p.in.cc, p.in.stack[:]), true
}

// request puts the request where the guest expects it.
func (p *replayed) request(n numbered) bool {
	if n.Said == nil || n.Said.SHA256 != "" {
		p.bad("the request is missing")
		return false
	}
	view, ok := p.in.mem.Read(uint32(n.Args[1]), uint32(n.Args[2]))
	if !ok || len(view) != len(n.Said.Data) {
		p.bad("the request is not where the guest has room for it")
		return false
	}
	copy(view, n.Said.Data)
	return true
}

// returned is the record that would be made of how the call ended.
func (p *replayed) returned(name string, err error) *trace.Record {
	rec := &trace.Record{Kind: trace.KindReturn}
	var trap *engine.Trap
	switch {
	case errors.As(err, &trap):
		rec.Trap = &trace.Trap{Text: strings.ToValidUTF8(trap.Reason, "?"), Stack: strings.ToValidUTF8(trap.Stack, "?")}
	case err != nil:
		rec.Trap = &trace.Trap{Text: strings.ToValidUTF8(err.Error(), "?")}
	default:
		rec.Results = append(rec.Results, p.in.stack[:resultsOf(name)]...)
		if name == abi.ExportDispatch {
			rec.Reply = replyAt(p.in.mem, p.in.stack[0])
		}
	}
	return rec
}

// fails holds the error that the host makes of the last call against the recorded one.
func (p *replayed) fails(n numbered) {
	op, known := opNamed(n.Op)
	if n.Error == nil || !known {
		p.bad("it has an error of no operation")
		return
	}
	got := p.failure(op, n.Error)
	p.last.judged = nil
	if got.Text != n.Error.Text || got.Stderr != n.Error.Stderr || got.Stack != n.Error.Stack {
		p.differs("the failure is another", allOf(n.Error), allOf(got))
		return
	}
	p.r.counts(func(result *ReplayResult) {
		if !got.Guest {
			result.ErrorReplies++
			return
		}
		result.FailureCount++
		if len(result.Failures) < maxReplayList {
			result.Failures = append(result.Failures, ReplayedFailure{p.number, p.calls, op.String(), got.Text, got.Stderr, got.Stack})
		}
	})
}

func allOf(e *trace.Error) string { return strings.Join([]string{e.Text, e.Stderr, e.Stack}, "\n") }

// failure makes the error of the last call as the host made it. What it found wrong with a reply beyond the message itself depends on
// more than the guest: that reason is taken from the recorded error, of a reply that was the same.
func (p *replayed) failure(op abi.Op, recorded *trace.Error) *trace.Error {
	err := p.last.judged
	var g *GuestError
	switch {
	case p.last.trap != nil && p.last.name == abi.ExportInitialize:
		err = p.in.guestFailure(op, fmt.Errorf("%s: %w", abi.ExportInitialize, p.last.trap))
	case p.last.trap != nil:
		err = p.in.guestFailure(op, p.last.trap)
	case recorded.Guest && !errors.As(err, &g):
		err = p.in.guestFailure(op, errors.New(recorded.Reason))
	case err == nil:
		return &trace.Error{Text: "no error"}
	}
	out := &trace.Error{Text: strings.ToValidUTF8(err.Error(), "?")}
	if errors.As(err, &g) {
		out.Guest = true
		out.Reason, out.Stderr, out.Stack = strings.ToValidUTF8(g.Reason, "?"), strings.ToValidUTF8(g.Stderr, "?"), strings.ToValidUTF8(g.Stack, "?")
	}
	return out
}

func (r *replay) counts(f func(*ReplayResult)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.result)
}

func opNamed(name string) (abi.Op, bool) {
	for op := range abi.Op(abi.NumOps) {
		if op.String() == name {
			return op, true
		}
	}
	return 0, false
}

// newReply returns what a reply to op is decoded into.
func newReply(op abi.Op) abi.Message {
	switch op {
	case abi.OpDescribe:
		return &abi.DescribeReply{}
	case abi.OpOpen:
		return &abi.OpenReply{}
	case abi.OpStat:
		return &abi.Entry{}
	case abi.OpList, abi.OpListTree, abi.OpListUploads:
		return &abi.ListReply{}
	case abi.OpRead:
		return &abi.ReadReply{}
	case abi.OpRedirect:
		return &abi.RedirectReply{}
	case abi.OpUploadOpen:
		return &abi.UploadOpenReply{}
	case abi.OpUploadPart:
		return &abi.UploadPartReply{}
	case abi.OpStream:
		return &abi.StreamReply{}
	}
	return &abi.Empty{}
}

// replayedTrap is what a host function panics with again.
type replayedTrap struct {
	text string
	err  *storagedriver.Error
}

func (t *replayedTrap) Error() string { return t.text }

func (t *replayedTrap) Unwrap() error { return t.err }
