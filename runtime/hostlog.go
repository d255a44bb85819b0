package runtime

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// hostNow: now() -> nanoseconds since 1970.
func hostNow(_ context.Context, _ engine.Memory, stack []uint64) {
	stack[0] = uint64(time.Now().UnixNano())
}

// hostRandom: random(ptr, len) -> 0.
func hostRandom(_ context.Context, mem engine.Memory, stack []uint64) {
	fillRandom(view(mem, stack[0], stack[1]))
	stack[0] = 0
}

func fillRandom(p []byte) { _, _ = rand.Read(p) } // crypto/rand.Read never fails

// hostLog: log(level, ptr, len) -> 0.
func hostLog(ctx context.Context, mem engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	text := view(mem, stack[1], stack[2])
	level := slog.LevelDebug
	switch uint32(stack[0]) {
	case 0:
	case 1:
		level = slog.LevelInfo
	case 2:
		level = slog.LevelWarn
	default:
		level = slog.LevelError
	}
	in.d.log(level, text)
	stack[0] = 0
}

// log writes one line of the guest's.
func (d *driver) log(level slog.Level, text []byte) {
	logger := d.m.cfg.Logger
	if !logger.Enabled(context.Background(), level) {
		return
	}
	ok, dropped := d.lines.Take(time.Now())
	if dropped > 0 {
		logger.Warn("lines of a guest's log were dropped", "driver", d.Name(), "lines", dropped)
	}
	if ok {
		logger.Log(context.Background(), level, d.secrets.Clean(string(text[:min(len(text), 4*abi.MaxText)]), abi.MaxText), "driver", d.Name())
	}
}

// tailKept is more than is shown, so that what a Go guest died of is found above the
// stacks that it prints afterwards.
const tailKept = 32 << 10

// tail keeps the end of what was written to it.
type tail struct {
	b []byte
}

func (t *tail) write(p []byte) {
	if len(p) > tailKept {
		p = p[len(p)-tailKept:]
	}
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailKept {
		t.b = append(t.b[:0], t.b[len(t.b)-tailKept:]...)
	}
}

// lastLines returns at most MaxText bytes, from the begin of a line where something was cut.
func lastLines(s string) string {
	if len(s) <= abi.MaxText {
		return s
	}
	s = s[len(s)-abi.MaxText:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return s
}

// lastWords is the line that says most: where a Go guest says why it died, else the last.
func (t *tail) lastWords() string {
	s := strings.TrimRight(string(t.b), "\n")
	last := s[strings.LastIndexByte(s, '\n')+1:]
	for line := range strings.SplitSeq(s, "\n") {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			last = line
		}
	}
	return last
}
