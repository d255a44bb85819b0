package runtime_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

func TestTracesThatMakeNoSense(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) { everything(t, d, s) })
	for name, c := range map[string]struct {
		edit func(rec *trace.Record)
		text string
	}{
		"a write outside memory": {func(rec *trace.Record) {
			edited(rec, rec.Func == "berth.call", func() { rec.Writes = []trace.Write{{At: 0xfffffff0, Data: make([]byte, 100)}} })
		}, "outside memory"},
		"results that are too many": {func(rec *trace.Record) {
			edited(rec, rec.Func == "berth.call", func() { rec.Results = []uint64{1, 2} })
		}, "has 1 results"},
		"a request elsewhere":         {func(rec *trace.Record) { edited(rec, rec.Func == "dispatch", func() { rec.Args[1] = 0xfffffff0 }) }, "not where the guest has room"},
		"no request":                  {func(rec *trace.Record) { edited(rec, rec.Func == "dispatch", func() { rec.Said = nil }) }, "the request is missing"},
		"an export that is none":      {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Func = "memory" }) }, "no such call"},
		"arguments that are too many": {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Args = make([]uint64, 9) }) }, "no such call"},
		"no instance":                 {func(rec *trace.Record) { edited(rec, rec.Kind == trace.KindInstance, func() { rec.Instance = 99 }) }, "does not exist"},
		"an instance made twice":      {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Func = trace.Instantiate }) }, "there already"},
		"no driver":                   {func(rec *trace.Record) { edited(rec, rec.Kind == trace.KindInstance, func() { rec.Driver = 99 }) }, "of a driver that is not"},
		"too much memory": {func(rec *trace.Record) {
			edited(rec, rec.Kind == trace.KindDriver, func() { rec.MemoryPages = 1 << 20 })
		}, "1048576 pages"},
		"too little memory":   {func(rec *trace.Record) { edited(rec, rec.Kind == trace.KindDriver, func() { rec.MemoryPages = 1 }) }, "memory limit"},
		"another kind":        {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Kind = "nonsense\n" }) }, "of kind"},
		"an error of nothing": {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Kind = trace.KindError }) }, "an error of no operation"},
		"two beginnings":      {func(rec *trace.Record) { edited(rec, rec.Func == "alloc", func() { rec.Kind = trace.KindTrace }) }, "begins it again"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := replay(t, out.edit(t, c.edit), runtime.ReplayOptions{})
			wantKind(t, err, storagedriver.KindInvalidArgument, c.text)
		})
	}
}

// edited edits a record if it is one of those.
func edited(_ *trace.Record, is bool, edit func()) {
	if is {
		edit()
	}
}

// FuzzReplay replays traces that are anybody's on a guest that makes no host calls and does not loop.
func FuzzReplay(f *testing.F) {
	wasm := still{version: abi.Version, reply: described(`{"name":"still"}`), other: []byte("\x80")}.build()
	out := &tape{}
	recorder := trace.New(out, trace.Options{Logger: slog.New(slog.DiscardHandler)})
	m, err := runtime.Compile(f.Context(), "still.wasm", wasm, runtime.Config{Logger: slog.New(slog.DiscardHandler), MemoryLimit: 1 << 20, Record: recorder})
	if err != nil {
		f.Fatal(err)
	}
	d, err := m.Open(f.Context(), nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := d.Stat(f.Context(), "/a"); err != nil {
		f.Fatal(err)
	}
	if err := m.Close(f.Context()); err != nil {
		f.Fatal(err)
	}
	if err := recorder.Close(); err != nil {
		f.Fatal(err)
	}
	zip, err := gzip.NewReader(out)
	if err != nil {
		f.Fatal(err)
	}
	lines, err := io.ReadAll(zip)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(lines)
	sum := sha256.Sum256(wasm)
	f.Fuzz(func(t *testing.T, lines []byte) {
		var b bytes.Buffer
		zip := gzip.NewWriter(&b)
		for line := range bytes.Lines(lines) {
			var rec trace.Record // the digest would keep the fuzzer out
			if json.Unmarshal(line, &rec) == nil && rec.Kind == trace.KindDriver && rec.MemoryPages < 100 {
				rec.SHA256 = hex.EncodeToString(sum[:])
				line, _ = json.Marshal(&rec)
				line = append(line, '\n')
			}
			_, _ = zip.Write(line)
		}
		_ = zip.Close()
		r, err := trace.NewReader(&b)
		if err != nil {
			return
		}
		result, err := runtime.Replay(t.Context(), "still.wasm", wasm, r, runtime.ReplayOptions{})
		if err == nil {
			return
		}
		var known *storagedriver.Error
		if !errors.As(err, &known) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 8<<10 || result != nil {
			t.Errorf("%v, %+v", err, result)
		}
	})
}
