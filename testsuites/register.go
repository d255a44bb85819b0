package testsuites

import (
	"context"
	"os"
	"testing"

	"github.com/berth-dev/storagedriver"
	"go.uber.org/goleak"
)

// Option changes what a Register function registers.
type Option func(*registration)

type registration struct {
	harness Harness
	leaks   bool
	ignored []goleak.Option
}

// Configure has f change the Harness: Skip, Run, PartSize, Parallel and so on.
func Configure(f func(h *Harness)) Option {
	return func(r *registration) { f(&r.harness) }
}

// CheckLeaks fails the test when the suite leaves goroutines behind that were not there before and
// are not among the ignored.
func CheckLeaks(ignored ...goleak.Option) Option {
	return func(r *registration) { r.leaks, r.ignored = true, append(r.ignored, ignored...) }
}

// RegisterSuite runs the suite in t as h says.
func RegisterSuite(t *testing.T, h Harness, options ...Option) {
	t.Helper()
	r := registration{harness: h}
	for _, o := range options {
		o(&r)
	}
	if r.leaks {
		// Registered first, so that it is called after the suite has closed its drivers.
		verify := append([]goleak.Option{goleak.IgnoreCurrent()}, r.ignored...)
		t.Cleanup(func() { goleak.VerifyNone(t, verify...) })
	}
	Run(Testing(t), r.harness)
}

// RegisterInProcessSuite runs the suite in t on the native driver that open returns. Every call of
// open opens the same storage anew, as another process would; the suite closes what it returns.
func RegisterInProcessSuite(t *testing.T, open func(t T) storagedriver.StorageDriver, options ...Option) {
	t.Helper()
	RegisterSuite(t, Harness{New: open}, options...)
}

// LoadFunc opens the driver in the file at path with parameters. The context governs the opening
// only. The caller closes the driver. The Load of a factory's loader is one.
type LoadFunc func(ctx context.Context, path string, parameters map[string]any) (storagedriver.StorageDriver, error)

// RegisterWasmSuite runs the suite in t on the driver in the .wasm file at path, which load opens. Every
// call of load opens the same storage anew: on instances of its own, as another process would.
func RegisterWasmSuite(t *testing.T, path string, parameters map[string]any, load LoadFunc, options ...Option) {
	t.Helper()
	registerFile(t, path, parameters, load, options)
}

// RegisterIPCSuite runs the suite in t on the driver in the executable at path, registry-storage-NAME, which load starts. Every
// call of load opens the same storage in another process.
func RegisterIPCSuite(t *testing.T, path string, parameters map[string]any, load LoadFunc, options ...Option) {
	t.Helper()
	registerFile(t, path, parameters, load, options)
}

func registerFile(t *testing.T, path string, parameters map[string]any, load LoadFunc, options []Option) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the driver under test is missing, make guests builds ours: %v", err)
	}
	RegisterInProcessSuite(t, func(t T) storagedriver.StorageDriver {
		t.Helper()
		d, err := load(t.Context(), path, parameters)
		if err != nil {
			t.Fatalf("open %s: %v", path, err)
		}
		return d
	}, options...)
}
