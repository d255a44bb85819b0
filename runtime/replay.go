package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/engine/wazero"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// ReplayOptions are how Replay replays. The zero value replays all.
type ReplayOptions struct {
	// Instance is the only instance that is replayed, by its number in the trace; 0 is all.
	Instance uint64
	// Force replays what another module was recorded with.
	Force bool
	// CacheDir is Config.CacheDir.
	CacheDir string
}

// ReplayResult is what came of a replay.
type ReplayResult struct {
	// Instances, Calls and HostCalls count what was replayed. Calls are those of dispatch.
	Instances int `json:"instances"`
	Calls     int `json:"calls"`
	HostCalls int `json:"hostCalls"`
	// Others counts the instances of other modules, which were left out.
	Others int `json:"others,omitempty"`
	// Failures are the guest's that happened again, at most 100; FailureCount counts all.
	Failures     []ReplayedFailure `json:"failures"`
	FailureCount int               `json:"failureCount"`
	// ErrorReplies counts the errors that the guest answered with, again.
	ErrorReplies int `json:"errorReplies"`
	// Unfinished are the calls that the trace has no end of, at most 100: what ran when its writer was ended.
	Unfinished []string `json:"unfinished,omitempty"`
	// Notes say why the trace, or that of an instance, ends early; at most 100.
	Notes []string `json:"notes,omitempty"`
	// Difference is the first that there is, in the order of the trace; nil is none.
	Difference *Difference `json:"difference,omitempty"`
}

// ReplayedFailure is a failure of a guest that happened again, word for word.
type ReplayedFailure struct {
	Instance uint64 `json:"instance"`
	Call     int    `json:"call"`
	Op       string `json:"op"`
	Text     string `json:"text"`
	Stderr   string `json:"stderr,omitempty"`
	Stack    string `json:"stack,omitempty"`
}

// Difference is where a replay parted from its trace.
type Difference struct {
	// Line is that of the record in the trace.
	Line     int    `json:"line"`
	Instance uint64 `json:"instance"`
	// Call counts the calls of dispatch of the instance, from 1; Operation says what was called. HostCall counts
	// the host calls of it, from 1; 0 is not in one.
	Call      int    `json:"call"`
	Operation string `json:"operation"`
	HostCall  int    `json:"hostCall"`
	// What differs, and both sides of it.
	What     string `json:"what"`
	Recorded string `json:"recorded"`
	Replayed string `json:"replayed"`
}

// The most that Replay keeps of a trace that may be anybody's.
const (
	maxReplayed   = 1024      // instances at once
	maxHeld       = 256 << 20 // bytes of records that wait for their turn
	maxEngines    = 4         // limits of memory
	maxReplayList = 100       // of each list of a result
	maxDrivers    = 1 << 16
)

// Replay runs what reader's trace has of the module in wasm, called name in messages, again: every host call is
// answered from the trace, and nothing is reached. A trace that makes no sense, or is of another module, is
// KindInvalidArgument; an instance that is not in it is KindNotFound. A difference is no error. Replays do not end
// before the guest computes its way to the next host call: ctx is looked at there.
func Replay(ctx context.Context, name string, wasm []byte, reader *trace.Reader, o ReplayOptions) (*ReplayResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &replay{ctx: ctx, cancel: cancel, name: name, wasm: wasm, reader: reader, o: o, sum: sha256.Sum256(wasm),
		drivers: map[uint64]*replayDriver{}, live: map[uint64]*replayed{}, engines: map[uint32]*replayEngine{}}
	r.result.Failures = []ReplayedFailure{}
	err := r.read()
	r.running.Wait()
	for _, e := range r.engines {
		err = errors.Join(err, e.engine.Close(context.WithoutCancel(ctx)))
	}
	if cause := context.Cause(ctx); cause != nil && err == nil {
		err = cause
	}
	if err == nil {
		err = r.verdict()
	}
	if err != nil {
		return nil, err
	}
	return &r.result, nil
}

// replay is one run of Replay.
type replay struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	name    string
	wasm    []byte
	sum     [sha256.Size]byte
	reader  *trace.Reader
	o       ReplayOptions
	drivers map[uint64]*replayDriver
	live    map[uint64]*replayed // nil: one that is left out
	engines map[uint32]*replayEngine
	held    int64
	other   string // the digest of another module that the trace is of
	running sync.WaitGroup

	mu     sync.Mutex
	result ReplayResult
}

// replayDriver is a driver of the trace.
type replayDriver struct {
	d     *driver
	sum   string
	pages uint32
	name  string
}

// replayEngine is the module, compiled under a limit of memory.
type replayEngine struct {
	engine   engine.Engine
	compiled engine.Compiled
}

func badTrace(format string, args ...any) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "the trace makes no sense: "+format, args...)
}

// read hands the records to their instances, each one late: a guest runs on only while it is known what comes next.
func (r *replay) read() error {
	for r.ctx.Err() == nil {
		rec, err := r.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = r.record(rec)
		}
		if err != nil {
			r.cancel(err)
			break
		}
	}
	for _, p := range r.live {
		if p != nil {
			p.finish(true)
		}
	}
	if r.reader.Cut() {
		r.note("the trace was cut off: it ends with line %d", r.reader.Line())
	}
	return nil
}

func (r *replay) record(rec *trace.Record) error {
	line := r.reader.Line()
	switch rec.Kind {
	case trace.KindTrace:
		return badTrace("line %d begins it again", line)
	case trace.KindDriver:
		return r.driver(rec)
	case trace.KindInstance:
		return r.instance(rec)
	case trace.KindStop:
		if rec.Instance == 0 {
			r.note("the recording stopped: %s", guest.Clip(rec.Reason, 500))
			return nil
		}
	case trace.KindCall, trace.KindHost, trace.KindReturn, trace.KindError, trace.KindEnd:
	default:
		return badTrace("line %d is a record of kind %q", line, guest.Clip(rec.Kind, 40))
	}
	p, ok := r.live[rec.Instance]
	switch {
	case !ok:
		return badTrace("line %d is of instance %d, which does not exist then", line, rec.Instance)
	case rec.Kind == trace.KindStop || rec.Kind == trace.KindEnd:
		delete(r.live, rec.Instance)
		if p != nil {
			if rec.Kind == trace.KindStop {
				r.note("the recording of instance %d stopped: %s", rec.Instance, guest.Clip(rec.Reason, 500))
			}
			p.finish(rec.Kind == trace.KindStop)
		}
		return nil
	case p == nil:
		return nil
	}
	return p.feed(numbered{rec, line})
}

func (r *replay) driver(rec *trace.Record) error {
	if _, there := r.drivers[rec.Driver]; there || len(r.drivers) >= maxDrivers || rec.MemoryPages < 1 || rec.MemoryPages > maxPages {
		return badTrace("line %d has a driver that is there already, or one too many, or a limit of %d pages of memory", r.reader.Line(), rec.MemoryPages)
	}
	hidden := map[string]any{}
	for _, p := range rec.Placeholders {
		if p.Hidden {
			hidden[p.Text] = p.Text
		}
	}
	values, err := guest.DecodeWith(nil, hidden)
	if err != nil {
		return badTrace("line %d has placeholders that are none", r.reader.Line())
	}
	m := &Module{name: r.name, cfg: Config{Logger: slog.New(slog.DiscardHandler)}}
	r.drivers[rec.Driver] = &replayDriver{d: &driver{m: m, Calls: guest.Calls{Driver: rec.Name}, secrets: &hiding{fixed: values.Secrets}}, sum: rec.SHA256, pages: rec.MemoryPages, name: rec.Name}
	return nil
}

func (r *replay) instance(rec *trace.Record) error {
	d := r.drivers[rec.Driver]
	if _, there := r.live[rec.Instance]; d == nil || there || rec.Instance == 0 {
		return badTrace("line %d begins an instance that is there already, or of a driver that is not", r.reader.Line())
	}
	if len(r.live) >= maxReplayed {
		return badTrace("line %d: more than %d instances at once", r.reader.Line(), maxReplayed)
	}
	r.live[rec.Instance] = nil
	if d.sum != hex.EncodeToString(r.sum[:]) && !r.o.Force {
		r.result.Others++
		r.other = d.sum
		return nil
	}
	if r.o.Instance != 0 && r.o.Instance != rec.Instance {
		return nil
	}
	e, err := r.engineFor(d.pages)
	if err != nil {
		return err
	}
	r.result.Instances++
	r.live[rec.Instance] = r.start(rec.Instance, d, e)
	return nil
}

// engineFor compiles the module once for each limit of memory.
func (r *replay) engineFor(pages uint32) (*replayEngine, error) {
	if e := r.engines[pages]; e != nil {
		return e, nil
	}
	if len(r.engines) >= maxEngines {
		return nil, badTrace("it has more than %d limits of memory", maxEngines)
	}
	functions := hostFunctions()
	for i, f := range functions {
		functions[i].Call = func(ctx context.Context, mem engine.Memory, stack []uint64) {
			instanceOf(ctx).replay.host(f, mem, stack)
		}
	}
	if _, err := checkModule(r.wasm, functions, int64(pages)*engine.PageSize); err != nil {
		return nil, invalidModule(r.name, err)
	}
	wasm, err := engine.LimitTables(r.wasm)
	if err != nil {
		return nil, invalidModule(r.name, err)
	}
	if r.o.CacheDir != "" {
		if err := engine.PrivateDir(r.o.CacheDir); err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the compile cache: %w", err)
		}
	}
	m := &Module{cfg: Config{CacheDir: r.o.CacheDir}, sum: r.sum}
	e := &replayEngine{}
	e.engine, err = wazero.New(r.ctx, engine.Config{Functions: functions, MemoryPages: pages, CacheDir: m.cacheDir(pages)})
	if err != nil {
		return nil, err
	}
	r.engines[pages] = e
	if e.compiled, err = e.engine.Compile(r.ctx, wasm); err != nil {
		return nil, invalidModule(r.name, err)
	}
	return e, nil
}

func (r *replay) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.result.Notes) < maxReplayList {
		r.result.Notes = append(r.result.Notes, printable(fmt.Sprintf(format, args...)))
	}
}

// printable makes one line of a text of the trace's.
func printable(s string) string { return guest.Secrets{}.Clean(s, 4*abi.MaxText) }

// differs notes a difference if it is the first.
func (r *replay) differs(d *Difference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.result.Difference == nil || d.Line < r.result.Difference.Line {
		d.Operation, d.What, d.Recorded, d.Replayed = printable(d.Operation), printable(d.What), printable(d.Recorded), printable(d.Replayed)
		r.result.Difference = d
	}
}

// verdict is the error of a trace of which nothing was replayed.
func (r *replay) verdict() error {
	switch {
	case r.result.Instances > 0:
		return nil
	case r.result.Others > 0:
		return storagedriver.Errorf(storagedriver.KindInvalidArgument,
			"the trace is of the module with sha256 %s, and %s has %s: name the file that it was recorded with, or force it", guest.Clip(printable(r.other), 80), r.name, hex.EncodeToString(r.sum[:]))
	case r.o.Instance != 0:
		return storagedriver.Errorf(storagedriver.KindNotFound, "the trace has no instance %d", r.o.Instance)
	}
	notes := strings.Join(r.result.Notes, "; ")
	if notes != "" {
		notes = " (" + notes + ")"
	}
	return storagedriver.Errorf(storagedriver.KindNotFound, "the trace has no instances: nothing was recorded%s", notes)
}
