package stack_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/drivers/filesystem"
	"github.com/berth-dev/storagedriver/drivers/inmemory"
	"github.com/berth-dev/storagedriver/layers/limit"
	"github.com/berth-dev/storagedriver/layers/retry"
	"github.com/berth-dev/storagedriver/layers/stack"
	"github.com/berth-dev/storagedriver/layers/timeout"
)

type m = map[string]any

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  stack.Config
	}{
		"absent":                {nil, stack.Config{}},
		"empty":                 {m{}, stack.Config{}},
		"readonly":              {m{"readonly": "true"}, stack.Config{ReadOnly: true}},
		"retry with defaults":   {m{"retry": nil}, stack.Config{Retry: &retry.Config{Attempts: 4, Budget: 100, Wait: 100 * time.Millisecond, MaxWait: 10 * time.Second}}},
		"retry":                 {map[any]any{"retry": map[any]any{"attempts": "7", "wait": "1s", "maxwait": "1m", "budget": 5}}, stack.Config{Retry: &retry.Config{Attempts: 7, Budget: 5, Wait: time.Second, MaxWait: time.Minute}}},
		"limit":                 {m{"limit": m{"concurrency": 2}}, stack.Config{Limit: &limit.Config{Concurrency: 2}}},
		"limit with bodies":     {m{"limit": m{"concurrency": "64", "bodies": 128}}, stack.Config{Limit: &limit.Config{Concurrency: 64, Bodies: 128}}},
		"timeout":               {m{"timeout": m{"operation": "30s", "bulk": "1h", "progress": "1m"}}, stack.Config{Timeout: &timeout.Config{Operation: 30 * time.Second, Bulk: time.Hour, Progress: time.Minute}}},
		"observers switched":    {m{"metrics": "false", "tracing": true}, stack.Config{Metrics: new(false), Tracing: new(true)}},
		"rules in a list":       {m{"fault": []any{"fail before on Put,PutPart call 3", "hang before on Stat"}}, stack.Config{}},
		"rules in one string":   {m{"fault": "fail before on Put,PutPart call 3; hang before on Stat;"}, stack.Config{}},
		"rules in a typed list": {m{"fault": []string{"fail before on Put,PutPart call 3", "hang before on Stat"}}, stack.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := stack.Parse(c.value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(name, "rules") {
				if len(got.Fault) != 2 || !strings.Contains(got.Fault.String(), "Put,PutPart") {
					t.Errorf("want two rules, got %v", got.Fault)
				}
				return
			}
			if got.ReadOnly != c.want.ReadOnly || !equal(got.Retry, c.want.Retry) || !equal(got.Limit, c.want.Limit) || !equal(got.Timeout, c.want.Timeout) ||
				!equal(got.Metrics, c.want.Metrics) || !equal(got.Tracing, c.want.Tracing) || len(got.Fault) != 0 {
				t.Errorf("want %+v, got %+v", c.want, got)
			}
		})
	}
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func TestBadSectionsNameTheParameter(t *testing.T) {
	for text, value := range map[string]any{
		`parameter "layers" must be a map`: "true",
		`layers: unknown parameter "retries": allowed are fault, limit, metrics, readonly, retry, `: m{"retries": m{}},
		`layers: parameter "readonly" must be true or false`:                                        m{"readonly": "maybe"},
		`layers: parameter "retry" must be a map`:                                                   m{"retry": 3},
		`layers.retry: unknown parameter "atempts": allowed are attempts, budget, maxwait, wait`:    m{"retry": m{"atempts": 3}},
		`layers.retry: parameter "attempts" must be a whole number from 1 to 20`:                    m{"retry": m{"attempts": 0}},
		`layers.retry: parameter "budget" must be a whole number from 1 to`:                         m{"retry": m{"budget": -1}},
		`layers.retry: parameter "wait" must be a duration such as "30s"`:                           m{"retry": m{"wait": "5"}},
		`layers.retry: parameter "wait" must be a duration from 1ms to 10m0s`:                       m{"retry": m{"wait": "11m"}},
		`layers.retry: parameter "maxwait" must be a duration from 1ms to 10m0s`:                    m{"retry": m{"maxwait": "0s"}},
		`layers.limit: parameter "concurrency" must be a whole number from 2 to 65535`:              m{"limit": nil},
		`layers.limit: parameter "concurrency" must be a whole number from 2 to 65535: `:            m{"limit": m{"concurrency": 1}},
		`layers.limit: parameter "bodies" must be a whole number from 0 to 65535`:                   m{"limit": m{"concurrency": 2, "bodies": -1}},
		`layers.timeout: there is no deadline: set operation, bulk or progress`:                     m{"timeout": m{}},
		`layers.timeout: parameter "progress" must be 0, or a duration from 1ms to 24h0m0s`:         m{"timeout": m{"progress": "1us"}},
		`layers.timeout: unknown parameter "total": allowed are bulk, operation, progress`:          m{"timeout": m{"total": "1s"}},
		`layers.fault: rule 1, "explode": `:                                                         m{"fault": "explode"},
		`layers.fault: parameter "fault" must be a list`:                                            m{"fault": m{}},
	} {
		t.Run(text, func(t *testing.T) {
			opened := false
			open := stack.Open(func(context.Context, map[string]any) (storagedriver.Backend, error) {
				opened = true
				return inmemory.New(), nil
			}, stack.Observers{})
			_, err := open(t.Context(), m{"layers": value})
			wantInvalid(t, err, text)
			if opened {
				t.Error("want nothing opened")
			}
		})
	}
}

// TestTheSameKeysForEveryDriver opens drivers with parameters of their own and layers.
func TestTheSameKeysForEveryDriver(t *testing.T) {
	layers := m{"readonly": true, "retry": m{}, "limit": m{"concurrency": 4}, "timeout": m{"operation": "30s"}}
	for name, c := range map[string]struct {
		open       storagedriver.OpenFunc
		parameters m
	}{
		"inmemory":   {inmemory.Open, m{"layers": layers}},
		"filesystem": {filesystem.Open, m{"layers": layers, "rootdirectory": t.TempDir()}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := stack.Open(c.open, stack.Observers{})(t.Context(), c.parameters)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if _, err := b.Stat(t.Context(), "/"); err != nil {
				t.Error(err)
			}
			err = b.Put(t.Context(), "/a", storagedriver.BytesSource("x"))
			if storagedriver.KindOf(err) != storagedriver.KindPermission {
				t.Errorf("Put: want %q, got %v", storagedriver.KindPermission, err)
			}
			if _, there := c.parameters["layers"]; !there {
				t.Error("want the caller's parameters left alone")
			}
		})
	}
}

func TestObserversAreThereUnlessSwitchedOff(t *testing.T) {
	for name, c := range map[string]struct {
		layers m
		there  bool
		want   string
	}{
		"nothing said":            {nil, true, "tracing metrics"},
		"one switched off":        {m{"tracing": false}, true, "metrics"},
		"switched on":             {m{"tracing": true, "metrics": true}, true, "tracing metrics"},
		"not there, nothing said": {nil, false, ""},
		"not there, switched off": {m{"metrics": false}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			var o stack.Observers
			if c.there {
				o = stack.Observers{Tracing: note(stack.Tracing, &got).Wrap, Metrics: note(stack.Metrics, &got).Wrap}
			}
			b, err := stack.Open(inmemory.Open, o)(t.Context(), m{"layers": c.layers})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Stat(t.Context(), "/"); err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("want %q, got %q", c.want, s)
			}
		})
	}
	_, err := stack.Open(inmemory.Open, stack.Observers{})(t.Context(), m{"layers": m{"metrics": true}})
	wantInvalid(t, err, "layers.metrics", "was not told to export")
}

// TestVariablesOfTheEnvironment reads what distribution's parser makes of them.
func TestVariablesOfTheEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"READONLY": "true", "RETRY_ATTEMPTS": "6", "RETRY_MAXWAIT": "2s", "LIMIT_CONCURRENCY": "16", "TIMEOUT_PROGRESS": "45s",
		"FAULT": "slow 1ms on Stat; stale on List",
	} {
		t.Setenv("REGISTRY_STORAGE_FILESYSTEM_LAYERS_"+name, value)
	}
	config, err := configuration.Parse(strings.NewReader("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /x\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := stack.Parse(config.Storage.Parameters()[stack.Key])
	if err != nil {
		t.Fatalf("%v, of %v", err, config.Storage.Parameters())
	}
	if !got.ReadOnly || got.Retry == nil || got.Retry.Attempts != 6 || got.Retry.MaxWait != 2*time.Second ||
		got.Limit == nil || got.Limit.Concurrency != 16 || got.Timeout == nil || got.Timeout.Progress != 45*time.Second || len(got.Fault) != 2 {
		t.Errorf("got %+v of %v", got, config.Storage.Parameters())
	}
}
