package wazero

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/berth-dev/storagedriver/runtime/engine"
)

// listening has the host functions that are made with the context tell cfg.Source what line they are called from.
func listening(ctx context.Context, cfg engine.Config) context.Context {
	before := func(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64, stack experimental.StackIterator) {
		var offsets []uint64
		for stack.Next() {
			offsets = append(offsets, stack.Function().SourceOffsetForPC(stack.ProgramCounter()))
		}
		cfg.Source(ctx, cfg.Lines.Stack(offsets).Source())
	}
	return experimental.WithFunctionListenerFactory(ctx, experimental.FunctionListenerFactoryFunc(func(api.FunctionDefinition) experimental.FunctionListener {
		return experimental.FunctionListenerFunc(before)
	}))
}

// linedFunction is a function whose traps have the lines of source.
type linedFunction struct {
	*function
	lines *engine.Lines
}

// Call makes a trap of a panic of wazero's: it writes stacks of debug information that may make no sense.
func (f *linedFunction) Call(ctx context.Context, stack []uint64) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &engine.Trap{Reason: "it traps, and its debug information makes no sense: build it without, or with another compiler", Err: fmt.Errorf("wazero: %v", v)}
		}
	}()
	err = f.function.Call(ctx, stack)
	var trap *engine.Trap
	if errors.As(err, &trap) {
		_, text, _ := strings.Cut(trap.Err.Error(), stackBegins)
		text, _, _ = strings.Cut(text, stackEnds)
		functions, offsets := functionsOf(text)
		trap.Sources = sources(functions, f.lines.Stack(offsets))
	}
	return err
}

// functionsOf takes the functions out of wazero's stack, and for each where it is in the code section, 0 where that is not said. Below a function
// "\t0x1f: FILE:LINE" says it, and lines that have no offset tell of what was inlined.
func functionsOf(stack string) (functions []string, offsets []uint64) {
	for l := range strings.SplitSeq(stack, "\n") {
		detail, is := strings.CutPrefix(l, "\t\t")
		if !is || len(functions) == 0 {
			functions, offsets = append(functions, strings.TrimSpace(l)), append(offsets, 0)
			continue
		}
		hex, _, _ := strings.Cut(detail, ":")
		if offset, err := strconv.ParseUint(hex, 0, 64); err == nil {
			offsets[len(offsets)-1] = offset
		}
	}
	return functions, offsets
}

// sources writes the functions with their lines below them.
func sources(functions []string, stack engine.Stack) string {
	var out []string
	for i, f := range functions {
		out = append(out, f)
		for _, at := range stack.Function(i) {
			out = append(out, "  at "+at)
		}
	}
	return strings.Join(out, "\n")
}
