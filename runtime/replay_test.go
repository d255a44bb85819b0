package runtime_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/runtime"
	"github.com/berth-dev/storagedriver/runtime/trace"
)

// tape is where a trace is recorded to.
type tape struct{ bytes.Buffer }

func (*tape) Close() error { return nil }

// recordExercise runs do on the exercise guest, and returns the trace.
func recordExercise(t *testing.T, o trace.Options, cfg runtime.Config, params map[string]any, do func(d storagedriver.Backend, s *store)) *tape {
	t.Helper()
	out := &tape{}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	recorder := trace.New(out, o)
	cfg.Record = recorder
	t.Run("recording", func(t *testing.T) {
		d, s, _ := open(t, cfg, params)
		do(d, s)
	})
	if err := recorder.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

func replay(t *testing.T, out *tape, o runtime.ReplayOptions) (*runtime.ReplayResult, error) {
	t.Helper()
	wasm, err := exercise()
	if err != nil {
		t.Fatal(err)
	}
	r, err := trace.NewReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		return nil, err
	}
	o.CacheDir = cacheDir
	return runtime.Replay(t.Context(), "exercise.wasm", wasm, r, o)
}

func mustReplay(t *testing.T, out *tape) *runtime.ReplayResult {
	t.Helper()
	result, err := replay(t, out, runtime.ReplayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if result.Difference != nil {
		t.Fatalf("a difference: %+v", result.Difference)
	}
	return result
}

// text unpacks a trace.
func (o *tape) text(t *testing.T) string {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(o.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// edit returns the trace with each record as edit leaves it.
func (o *tape) edit(t *testing.T, edit func(rec *trace.Record)) *tape {
	t.Helper()
	out := &tape{}
	zip := gzip.NewWriter(out)
	for line := range strings.Lines(o.text(t)) {
		var rec trace.Record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		edit(&rec)
		if err := json.NewEncoder(zip).Encode(&rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

const password = "geheim&1234+und=ä>?"

func TestRecordedFailuresHappenAgain(t *testing.T) {
	failures := map[string]*runtime.GuestError{}
	replies := 0
	out := recordExercise(t, trace.Options{}, runtime.Config{MemoryLimit: 64 << 20}, map[string]any{"password": password}, func(d storagedriver.Backend, s *store) {
		s.set("/big", unique(100_000))
		for _, name := range []string{"trap", "panic", "exit", "nothing", "outside", "huge", "garbage", "trailing", "count", "deep", "negative", "pointer", "length", "memory"} {
			_, err := d.Stat(t.Context(), "/hostile/"+name)
			var g *runtime.GuestError
			if !errors.As(err, &g) {
				t.Fatalf("%s: %v is no GuestError", name, err)
			}
			failures[err.Error()] = g
		}
		for _, name := range []string{"both", "promise", "source"} {
			_, _, err := d.Read(t.Context(), "/hostile/"+name, 7, -1)
			var g *runtime.GuestError
			if !errors.As(err, &g) {
				t.Fatalf("%s: %v is no GuestError", name, err)
			}
			failures[err.Error()] = g
		}
		_, err := d.ListUploads(t.Context(), "/hostile/type", "", 10)
		var g *runtime.GuestError
		if !errors.As(err, &g) {
			t.Fatalf("%v is no GuestError", err)
		}
		failures[err.Error()] = g
		for _, name := range []string{"kind", "op", "escape", "unreachable", "leak"} {
			if _, err := d.Stat(t.Context(), "/hostile/"+name); err == nil {
				t.Fatalf("%s: no error", name)
			}
			replies++
		}
	})
	result := mustReplay(t, out)
	if result.FailureCount != len(failures) || result.ErrorReplies != replies {
		t.Errorf("%d failures and %d error replies happened again, want %d and %d", result.FailureCount, result.ErrorReplies, len(failures), replies)
	}
	for _, f := range result.Failures {
		g := failures[f.Text]
		if g == nil {
			t.Errorf("the failure %q was not recorded", f.Text)
		} else if f.Stderr != g.Stderr || f.Stack != g.Stack || f.Op != g.Op {
			t.Errorf("%q: stderr or stack differ:\n%s\n%s\nrecorded:\n%s\n%s", f.Text, f.Stderr, f.Stack, g.Stderr, g.Stack)
		}
	}
}

// everything does a bit of everything.
func everything(t *testing.T, d storagedriver.Backend, s *store) {
	t.Helper()
	s.set("/dir/big", unique(100_000))
	if _, err := d.Stat(t.Context(), "/dir/big"); err != nil {
		t.Error(err)
	}
	if _, err := d.List(t.Context(), "/dir", "", 10); err != nil {
		t.Error(err)
	}
	if page, err := d.ListUploads(t.Context(), "/dir", "", 10); err != nil || len(page.Entries) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
	if err := d.Put(t.Context(), "/dir/small", storagedriver.BytesSource([]byte("abc"))); err != nil {
		t.Error(err)
	}
	r, _, err := d.Read(t.Context(), "/dir/big", 10, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Stat(t.Context(), "/hostile/nap"); err != nil {
		t.Error(err)
	}
}

func TestManyInstancesReplayFromOneTrace(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				everything(t, d, s)
				_, _ = d.Stat(t.Context(), fmt.Sprintf("/missing/%d", i))
			})
		}
		all.Wait()
	})
	result := mustReplay(t, out)
	if result.Instances < 3 || result.Calls < 8*6 || result.HostCalls < 8*20 {
		t.Errorf("replayed %d calls with %d host calls on %d instances", result.Calls, result.HostCalls, result.Instances)
	}
	if one, err := replay(t, out, runtime.ReplayOptions{Instance: 2}); err != nil || one.Instances != 1 || one.Calls >= result.Calls {
		t.Errorf("replaying one instance: %+v, %v", one, err)
	}
	_, err := replay(t, out, runtime.ReplayOptions{Instance: 4711})
	wantKind(t, err, storagedriver.KindNotFound, "4711")
}

func TestTheFirstDifferenceIsShown(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) { everything(t, d, s) })
	for name, c := range map[string]struct {
		edit func(rec *trace.Record) bool // reports that it was done
		what string
		text []string
	}{
		"what the guest asked for": {func(rec *trace.Record) bool {
			if rec.Func != "berth.call" || !bytes.Contains(rec.Said.Data, []byte("/dir/big")) {
				return false
			}
			rec.Said.Data = bytes.Replace(rec.Said.Data, []byte("/dir/big"), []byte("/dir/pig"), 1)
			return true
		}, "said something else from byte", []string{"/dir/pig", "/dir/big"}},
		"what the guest answered": {func(rec *trace.Record) bool {
			if rec.Kind != trace.KindReturn || !bytes.Contains(rec.Reply, []byte("big")) {
				return false
			}
			rec.Reply = bytes.Replace(rec.Reply, []byte("big"), []byte("bog"), 1)
			return true
		}, "answered otherwise", []string{"bog", "big"}},
		"another function": {func(rec *trace.Record) bool {
			if rec.Func != "berth.call" {
				return false
			}
			rec.Func = "berth.now"
			return true
		}, "another host call", []string{"now"}},
		"a call that the guest does not make": {func(rec *trace.Record) bool {
			if rec.Kind != trace.KindReturn || rec.Reply == nil {
				return false
			}
			rec.Kind, rec.Func = trace.KindHost, "berth.now"
			return true
		}, "returned instead", []string{"now"}},
		"what the guest was told": {func(rec *trace.Record) bool {
			if rec.Func != "berth.call" || len(rec.Writes) == 0 || !bytes.Contains(rec.Writes[0].Data, []byte("big")) {
				return false
			}
			rec.Writes[0].Data = bytes.Replace(rec.Writes[0].Data, []byte("big"), []byte("bag"), 1)
			return true
		}, "answered otherwise", []string{"big", "bag"}},
	} {
		t.Run(name, func(t *testing.T) {
			done, line, n := false, 0, 0
			edited := out.edit(t, func(rec *trace.Record) {
				n++
				if !done && c.edit(rec) {
					done, line = true, n
				}
			})
			if !done {
				t.Fatal("the trace has no such record")
			}
			result, err := replay(t, edited, runtime.ReplayOptions{})
			if err != nil {
				t.Fatal(err)
			}
			d := result.Difference
			if d == nil {
				t.Fatal("no difference was found")
			}
			if d.Line < line || d.Instance == 0 || d.Call == 0 || !strings.Contains(d.What, c.what) {
				t.Errorf("want %q after line %d, got %+v", c.what, line, d)
			}
			for _, text := range c.text {
				if !strings.Contains(d.Recorded+d.Replayed, text) {
					t.Errorf("want %q in %+v", text, d)
				}
			}
		})
	}
}

func TestATraceThatWasCutReplaysAsFarAsItGoes(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) { everything(t, d, s) })
	whole := mustReplay(t, out)
	unfinished := 0
	for n := out.Len() - 1; n > 0; n -= max(1, out.Len()/23) {
		cut := &tape{}
		cut.Write(out.Bytes()[:n])
		result, err := replay(t, cut, runtime.ReplayOptions{})
		if err != nil { // before the first instance
			if kind := storagedriver.KindOf(err); kind != storagedriver.KindNotFound && kind != storagedriver.KindInvalidArgument {
				t.Errorf("cut at %d: %v", n, err)
			}
			continue
		}
		if result.Difference != nil || result.Calls > whole.Calls || len(result.Notes) == 0 || !strings.Contains(result.Notes[0], "cut off") {
			t.Errorf("cut at %d: %+v", n, result)
		}
		unfinished += len(result.Unfinished)
	}
	if unfinished == 0 {
		t.Error("no cut trace told of a call without an end")
	}
}

func TestAnotherModuleIsRefused(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, nil, func(d storagedriver.Backend, s *store) { everything(t, d, s) })
	other := out.edit(t, func(rec *trace.Record) {
		if rec.Kind == trace.KindDriver {
			rec.SHA256 = strings.Repeat("ab", 32)
		}
	})
	_, err := replay(t, other, runtime.ReplayOptions{})
	wantKind(t, err, storagedriver.KindInvalidArgument, "abababab", "exercise.wasm", "force")
	if result, err := replay(t, other, runtime.ReplayOptions{Force: true}); err != nil || result.Difference != nil {
		t.Errorf("by force: %+v, %v", result, err)
	}
}

// formsOf are the ways in which a secret could be found in a trace.
func formsOf(s string) map[string]string {
	forms := map[string]string{"raw": s, "hex": hex.EncodeToString([]byte(s)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(s))), "query": url.QueryEscape(s), "path": url.PathEscape(s)}
	inJSON, _ := json.Marshal(s)
	forms["json"] = string(inJSON[1 : len(inJSON)-1])
	for skip := range 3 {
		coded := base64.StdEncoding.EncodeToString(append(make([]byte, skip), s...))
		from, to := (8*skip+5)/6, 8*(skip+len(s))/6
		forms[fmt.Sprint("base64 after ", skip)] = coded[from:to]
		forms[fmt.Sprint("base64 for URLs after ", skip)] = strings.NewReplacer("+", "-", "/", "_").Replace(coded[from:to])
	}
	return forms
}

func TestATraceHoldsNoSecret(t *testing.T) {
	out := recordExercise(t, trace.Options{}, runtime.Config{}, map[string]any{"password": password}, func(d storagedriver.Backend, s *store) {
		everything(t, d, s)
		names := []string{}
		for _, form := range formsOf(password) { // as names that are listed, which the guest is told and tells
			names = append(names, form)
		}
		for skip := range 3 {
			names = append(names, base64.StdEncoding.EncodeToString([]byte("xyz"[:skip]+password+"!")), base64.RawURLEncoding.EncodeToString([]byte("xyz"[:skip]+password)))
		}
		for _, name := range names {
			s.set("/names/"+url.PathEscape(name), nil)
		}
		page, err := d.List(t.Context(), "/names", "", 100)
		if err != nil || len(page.Entries) < 10 {
			t.Errorf("%d names, %v", len(page.Entries), err)
		}
		_, err = d.Stat(t.Context(), "/hostile/panic")
		wantKind(t, err, storagedriver.KindGuest, "(secret)")
	})
	text := out.text(t)
	var raw bytes.Buffer // what is in base64 in it as well
	for line := range strings.Lines(text) {
		var rec trace.Record
		if err := json.Unmarshal([]byte(line), &rec); err != nil {
			t.Fatal(err)
		}
		if rec.Said != nil {
			raw.Write(rec.Said.Data)
		}
		raw.Write(rec.Reply)
		for _, w := range rec.Writes {
			raw.Write(w.Data)
		}
		raw.WriteByte('\n')
	}
	for name, form := range formsOf(password) {
		if strings.Contains(text, form) || bytes.Contains(raw.Bytes(), []byte(form)) {
			t.Errorf("the trace holds the password %s: %q", name, form)
		}
	}
	if !strings.Contains(text, `"placeholders"`) || !strings.Contains(text, `"password"`) {
		t.Error("the trace does not show where the password was")
	}
	if result := mustReplay(t, out); result.FailureCount != 1 {
		t.Errorf("%d failures happened again, want 1", result.FailureCount)
	}
}

// replayVariable makes the test's process replay the trace that it names, and nothing else.
const replayVariable = "BERTH_TEST_REPLAY"

func TestAnotherProcessReplaysToTheSameFailure(t *testing.T) {
	if path := os.Getenv(replayVariable); path != "" {
		replayAndPrint(t, path)
		return
	}
	var want error
	out := recordExercise(t, trace.Options{}, runtime.Config{}, map[string]any{"password": password}, func(d storagedriver.Backend, s *store) {
		everything(t, d, s)
		_, want = d.Stat(t.Context(), "/hostile/panic")
	})
	var g *runtime.GuestError
	if !errors.As(want, &g) {
		t.Fatalf("%v is no GuestError", want)
	}
	dir := t.TempDir()
	wasm, err := exercise()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"trace": out.Bytes(), "module.wasm": wasm} {
		if err := os.WriteFile(dir+"/"+name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "-test.run=^TestAnotherProcessReplaysToTheSameFailure$")
	cmd.Dir = dir
	cmd.Env = []string{replayVariable + "=" + dir, "TMPDIR=" + dir, "TZ=Asia/Tokyo", "LANG=tr_TR"}
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	if wanted := fmt.Sprintf("%q %q %q", want, g.Stderr, g.Stack); !strings.Contains(string(printed), wanted) {
		t.Errorf("want\n%s\ngot\n%s", wanted, printed)
	}
}

func replayAndPrint(t *testing.T, dir string) {
	f, err := os.Open(dir + "/trace")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wasm, err := os.ReadFile(dir + "/module.wasm")
	if err != nil {
		t.Fatal(err)
	}
	r, err := trace.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	result, err := runtime.Replay(context.Background(), "module.wasm", wasm, r, runtime.ReplayOptions{})
	if err != nil || result.Difference != nil || len(result.Failures) != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	fail := result.Failures[0]
	fmt.Printf("%q %q %q\n", fail.Text, fail.Stderr, fail.Stack)
}
