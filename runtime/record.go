package runtime

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// recorded is what a driver's instances have in common in a trace.
type recorded struct {
	once    sync.Once
	secrets []string // the values of secret parameters
	number  uint64
}

// recording is what one instance is recorded with. Its methods do nothing of nil.
type recording struct {
	to       *trace.Recorder
	d        *driver
	redactor *trace.Redactor // of the call
	number   uint64
	file     bool // records go to the file, not only into the transcript
	begun    bool // an operation has begun, and no call yet
	called   time.Time
	source   string // the line that the host call is made in, if that is known
}

// record returns what a new instance is recorded with, or nil.
func (d *driver) record(describing bool) *recording {
	to := d.m.cfg.Record
	if to == nil {
		return nil
	}
	number, file := to.Instance(describing)
	if !file && !to.Transcribing() {
		return nil
	}
	t := &d.recorded
	t.once.Do(func() { d.recordDriver(to) })
	r := &recording{to: to, d: d, redactor: to.Redactor(d.allSecrets()), number: number, file: file}
	if file {
		to.Add(&trace.Record{Kind: trace.KindInstance, Instance: number, Driver: t.number, Describing: describing})
	}
	return r
}

// recordDriver tells of the driver, with placeholders for its secrets.
func (d *driver) recordDriver(to *trace.Recorder) {
	t := &d.recorded
	redactor := to.Redactor(d.allSecrets())
	t.number = to.Driver()
	to.Add(&trace.Record{Kind: trace.KindDriver, Driver: t.number, Name: redactor.Text(filepath.Base(d.Name())), SHA256: hex.EncodeToString(d.m.sum[:]),
		ABI: fmt.Sprintf("%d.%d", abi.Major, abi.Minor), Engine: engineVersion(), MemoryPages: uint32(d.m.cfg.MemoryLimit / engine.PageSize),
		Parameters: redactor.Bytes(d.params), Placeholders: redactor.Placeholders(func(s string) bool { return d.secrets.Hide(s) != s })})
}

// allSecrets are what must not be in a trace: secret parameters, the operator's secrets, and what credentials hold now.
func (d *driver) allSecrets() []string {
	list := append([]string(nil), d.recorded.secrets...)
	for _, s := range d.m.cfg.Secrets {
		list = append(list, s.Value)
	}
	for i := range d.m.cfg.Allow {
		if s := d.m.cfg.Allow[i].Credential.Signer; s != nil {
			list = append(list, s.Secrets()...)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

const engineModule = "github.com/tetratelabs/wazero"

// engineVersion names the engine, which decides what traps say.
func engineVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "wazero"
	}
	for _, m := range info.Deps {
		if m.Path == engineModule {
			return "wazero " + m.Version
		}
	}
	return "wazero"
}

// secretValues returns the texts and numbers of the parameters that are secret.
func secretValues(values guest.Values) []string {
	all, public := map[string]any{}, map[string]any{}
	for raw, into := range map[*[]byte]*map[string]any{&values.JSON: &all, &values.Public: &public} {
		d := json.NewDecoder(bytes.NewReader(*raw))
		d.UseNumber()
		if d.Decode(into) != nil {
			return []string{string(values.JSON)} // never: it was encoded here
		}
	}
	var list []string
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				collect(e)
			}
		case []any:
			for _, e := range v {
				collect(e)
			}
		case string:
			list = append(list, v)
		case json.Number:
			list = append(list, v.String())
		}
	}
	for name, v := range all {
		if _, there := public[name]; !there {
			collect(v)
		}
	}
	return list
}

func (r *recording) add(rec *trace.Record) {
	rec.Instance = r.number
	if r.file {
		r.to.Add(rec)
	}
	r.to.Transcribe(rec)
}

// on reports whether anything of the instance is recorded still. Once it is not it stays so.
func (r *recording) on() bool {
	return r != nil && (r.to.Transcribing() || r.file && r.to.Recording())
}

// begins notes that an operation begins.
func (r *recording) begins() {
	if r != nil {
		r.begun = true
	}
}

// calls records that the guest is called.
func (r *recording) calls(name string, args []uint64, said *trace.Said) {
	rec := &trace.Record{Kind: trace.KindCall, Func: name, Args: append([]uint64(nil), args...), Begin: r.begun, Said: said}
	r.begun = false
	r.add(rec)
	r.called = time.Now()
}

// returns records how the call ended.
func (r *recording) returns(in *instance, name string, stack []uint64, err error) {
	rec := &trace.Record{Kind: trace.KindReturn, Denied: r.redactor.Text(in.denied), Took: time.Since(r.called)}
	var trap *engine.Trap
	switch {
	case errors.As(err, &trap):
		rec.Trap = &trace.Trap{Text: r.redactor.Text(trap.Reason), Stack: r.redactor.Text(trap.Stack)}
		rec.Source = in.d.secrets.CleanLines(trap.Sources, abi.MaxText)
	case err != nil:
		rec.Trap = &trace.Trap{Text: r.redactor.Text(err.Error())}
	default:
		rec.Results = append([]uint64(nil), stack[:resultsOf(name)]...)
		if name == abi.ExportDispatch {
			rec.Reply = r.redactor.Bytes(replyAt(in.mem, stack[0]))
		}
	}
	r.add(rec)
}

// failed records the error that came of the last call.
func (r *recording) failed(op abi.Op, err error) {
	if r == nil {
		return
	}
	rec := &trace.Record{Kind: trace.KindError, Op: op.String(), Error: &trace.Error{Text: r.redactor.Text(err.Error())}}
	var g *GuestError
	if errors.As(err, &g) {
		rec.Error = &trace.Error{Text: rec.Error.Text, Guest: true, Reason: r.redactor.Text(g.Reason), Stderr: r.redactor.Text(g.Stderr), Stack: r.redactor.Text(g.functions)}
	}
	r.add(rec)
}

// ends records that the instance is no more.
func (r *recording) ends() {
	if r != nil {
		r.add(&trace.Record{Kind: trace.KindEnd})
	}
}

// cut ends the recording of this instance.
func (r *recording) cut(why string) {
	r.add(&trace.Record{Kind: trace.KindStop, Reason: why})
	r.file = false
}

// recordedInstance records the calls of an instance's exports.
type recordedInstance struct {
	engine.Instance
	in *instance
}

func (r *recordedInstance) Func(name string) engine.Func {
	f := r.Instance.Func(name)
	if f == nil {
		return nil
	}
	return &recordedFunc{f, name, r.in}
}

func (r *recordedInstance) Close(ctx context.Context) error {
	r.in.rec.ends()
	return r.Instance.Close(ctx)
}

type recordedFunc struct {
	engine.Func
	name string
	in   *instance
}

func (f *recordedFunc) Call(ctx context.Context, stack []uint64) error {
	r := f.in.rec
	if !r.on() {
		return f.Func.Call(ctx, stack)
	}
	r.redactor = r.to.Redactor(r.d.allSecrets()) // credentials are renewed
	args := stack[:len(requiredExports()[f.name].Params)]
	var said *trace.Said
	if f.name == abi.ExportDispatch {
		if message, ok := f.in.mem.Read(uint32(args[1]), uint32(args[2])); ok {
			said = r.said(message, len(message))
		}
	}
	r.calls(f.name, args, said)
	err := f.Func.Call(ctx, stack)
	r.returns(f.in, f.name, stack, err)
	return err
}

func resultsOf(export string) int { return len(requiredExports()[export].Results) }

// replyAt returns the message that dispatch answered with; nil when that cannot be one.
func replyAt(mem engine.Memory, result uint64) []byte {
	n := uint32(result)
	if n == 0 || n > abi.MaxMessage {
		return nil
	}
	b, _ := mem.Read(uint32(result>>32), n)
	return b
}

// instantiate makes the guest's instance, and records that if it is to be.
func (in *instance) instantiate() (engine.Instance, error) {
	if in.rec == nil {
		return in.d.m.compiled.Instantiate(&in.cc)
	}
	in.rec.calls(trace.Instantiate, nil, nil)
	wasm, err := in.d.m.compiled.Instantiate(&in.cc)
	if storagedriver.KindOf(err) == storagedriver.KindLimit { // not the guest's doing
		in.rec.cut(err.Error())
		return nil, err
	}
	in.rec.returns(in, trace.Instantiate, nil, err)
	if err != nil {
		return nil, err
	}
	return &recordedInstance{wasm, in}, nil
}

// trapText is what a host function panicked with, in words.
func trapText(v any) (text string, kind storagedriver.Kind) {
	if err, ok := v.(error); ok {
		return strings.ToValidUTF8(err.Error(), "?"), storagedriver.KindOf(err)
	}
	return strings.ToValidUTF8(fmt.Sprint(v), "?"), storagedriver.KindUnknown
}
