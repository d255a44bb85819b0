package runtime

import (
	"fmt"
	"slices"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// host answers a host call as the trace says, once it is the one that the trace has.
func (p *replayed) host(f engine.HostFunc, mem engine.Memory, stack []uint64) {
	if p.over || p.err != nil {
		panic(errOver)
	}
	p.hosts++
	p.r.counts(func(result *ReplayResult) { result.HostCalls++ })
	got := &trace.Record{Kind: trace.KindHost, Func: f.Module + "." + f.Name, Args: argsOf(f, stack)}
	got.Said = saidBy(got.Func, mem, got.Args, saidOf)
	want, ok := p.next()
	if !ok {
		panic(errOver)
	}
	if p.compare(want, got); p.over {
		panic(errOver)
	}
	if got.Func == importFdWrite && (want.Trap != nil || len(want.Results) == 1 && want.Results[0] == wasiSuccess) {
		vectors(mem, got.Args, p.in.stderr.write)
	}
	for _, w := range want.Writes {
		view, ok := mem.Read(w.At, uint32(len(w.Data)))
		if !ok {
			p.bad("%d bytes at %#x are outside memory", len(w.Data), w.At)
			panic(errOver)
		}
		copy(view, w.Data)
	}
	switch {
	case want.Trap != nil:
		panic(&replayedTrap{want.Trap.Text, storagedriver.NewError(storagedriver.Kind(want.Trap.Kind), want.Trap.Text)})
	case len(want.Results) != len(f.Type.Results):
		p.bad("%s has %d results", got.Func, len(f.Type.Results))
		panic(errOver)
	}
	copy(stack, want.Results)
}

// compare notes how what the guest asks for differs from the record.
func (p *replayed) compare(want numbered, got *trace.Record) {
	switch {
	case want.Kind != trace.KindHost:
		p.differs("the guest made a host call instead of returning", want.Describe(), got.Asked())
	case want.Func != got.Func:
		p.differs("the guest made another host call", want.Asked(), got.Asked())
	case !sameSaid(want.Said, got.Said):
		p.differs("the guest said something else"+whereSaid(want.Said, got.Said), want.Asked(), got.Asked())
	case !slices.Equal(want.Args, got.Args):
		p.differs("the arguments are others", fmt.Sprintf("%s %#x", want.Asked(), want.Args), fmt.Sprintf("%s %#x", got.Asked(), got.Args))
	}
}

func sameSaid(a, b *trace.Said) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Len == b.Len && a.SHA256 == b.SHA256 && string(a.Data) == string(b.Data)
}

func whereSaid(a, b *trace.Said) string {
	if a == nil || b == nil {
		return ""
	}
	return where(a.Data, b.Data)
}

// where tells from which byte on two messages differ.
func where(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf(" from byte %d of %d on", i, len(a))
		}
	}
	if len(a) != len(b) {
		return fmt.Sprintf(": %d bytes, not %d", len(b), len(a))
	}
	return ""
}

func sameTrap(a, b *trace.Trap) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Text == b.Text && a.Stack == b.Stack
}

// whereTrap says so when only the stack differs, which is shown nowhere else.
func whereTrap(a, b *trace.Trap) string {
	if a == nil || b == nil || a.Text != b.Text {
		return ""
	}
	return ", with another stack" + where([]byte(a.Stack), []byte(b.Stack))
}
