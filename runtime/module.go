package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/egress"
	"github.com/berth-dev/storagedriver/runtime/engine"
	"github.com/berth-dev/storagedriver/runtime/engine/wazero"
)

// Module is a loaded .wasm driver. Its compiled code is shared by every driver opened from
// it; nothing else is. It may be used concurrently.
type Module struct {
	name     string // the file, for messages
	cfg      Config
	policy   *egress.Policy
	engine   engine.Engine
	compiled engine.Compiled
	shape    *engine.Shape
	sum      [sha256.Size]byte
	manifest *abi.Manifest
	params   *guest.Parameters
	keys     map[string]*key // the secrets that requests may be keyed with
	returned func(*instance) // of tests: its drivers' pools have it

	bodies     atomic.Int64
	streams    atomic.Int64
	dispatches [abi.NumOps]atomic.Uint64

	mu        sync.Mutex
	instances int
	drivers   map[*driver]struct{} // open
	idle      chan struct{}        // made by Close, closed with the last instance
	closing   bool                 // no instance is made any more
}

// Load reads, checks and compiles the module in the file at path and asks it for its
// manifest. A missing file is KindNotFound; what is no driver for this version of Berth
// is KindInvalidArgument. Every error is one line that names the file, what is wrong and
// what to do. The caller closes the Module.
func Load(ctx context.Context, path string, cfg Config) (*Module, error) {
	wasm, err := readModule(path)
	if err != nil {
		return nil, err
	}
	return Compile(ctx, path, wasm, cfg)
}

func readModule(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, storagedriver.Errorf(storagedriver.KindNotFound, "%s: there is no such file: build the driver or name the right path", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	wasm, err := io.ReadAll(io.LimitReader(f, abi.MaxModule+1))
	if err != nil {
		return nil, err
	}
	return wasm, nil
}

// Compile is Load for a module in memory; name stands for it in messages. wasm must not
// change afterwards.
func Compile(ctx context.Context, name string, wasm []byte, cfg Config) (_ *Module, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkStores(cfg.Stores); err != nil {
		return nil, err
	}
	m := &Module{name: name, cfg: cfg, sum: sha256.Sum256(wasm), drivers: map[*driver]struct{}{}}
	if err := m.checkSum(len(wasm)); err != nil {
		return nil, err
	}
	if m.policy, err = egress.NewPolicy(cfg.Allow); err != nil {
		return nil, err
	}
	if m.keys, err = keysOf(cfg.Secrets); err != nil {
		return nil, err
	}
	functions := hostFunctions()
	if cfg.Record != nil {
		functions = recordedFunctions(functions)
	}
	if m.shape, err = checkModule(wasm, functions, cfg.MemoryLimit); err != nil {
		return nil, invalidModule(name, err)
	}
	if wasm, err = engine.LimitTables(wasm); err != nil {
		return nil, invalidModule(name, err)
	}
	if cfg.CacheDir != "" {
		if err := engine.PrivateDir(cfg.CacheDir); err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "the compile cache: %w", err)
		}
	}
	pages := uint32(cfg.MemoryLimit / engine.PageSize)
	ec := engine.Config{Functions: functions, MemoryPages: pages, CacheDir: m.cacheDir(pages)}
	if cfg.Record != nil && cfg.Record.NamesSources() {
		nameLines(&ec, wasm)
	}
	m.engine, err = wazero.New(ctx, ec)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.engine.Close(context.WithoutCancel(ctx)))
		}
	}()
	if m.compiled, err = m.engine.Compile(ctx, wasm); err != nil {
		return nil, invalidModule(name, err)
	}
	if err = m.describe(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// checkSum holds the module against the digest that the operator has pinned.
func (m *Module) checkSum(size int) error {
	pinned := m.cfg.SHA256
	if pinned == "" || size > abi.MaxModule { // which is refused, and was not read to its end
		return nil
	}
	want, err := hex.DecodeString(pinned)
	if err != nil || len(want) != sha256.Size {
		return invalidModule(m.name, fmt.Errorf("the SHA-256 %q that it must have is not %d hexadecimal digits", guest.Clip(pinned, 80), 2*sha256.Size))
	}
	if [sha256.Size]byte(want) != m.sum {
		return storagedriver.Errorf(storagedriver.KindCorrupt, "%s: %w", m.name, fmt.Errorf("its SHA-256 is %x and must be %x: it is not the file that was approved; if this one is meant, pin its digest", m.sum, want))
	}
	return nil
}

// cacheDir keys compiled code by all that it depends on; the engine adds its own version.
func (m *Module) cacheDir(pages uint32) string {
	if m.cfg.CacheDir == "" {
		return ""
	}
	return filepath.Join(m.cfg.CacheDir, fmt.Sprintf("%s-abi%d.%d-pages%d", hex.EncodeToString(m.sum[:]), abi.Major, abi.Minor, pages))
}

func invalidModule(name string, err error) error {
	return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: %w", name, err)
}

// describe asks the guest for its ABI and its manifest, with nothing in reach.
func (m *Module) describe(ctx context.Context) error {
	d := &driver{m: m, Calls: guest.Calls{Driver: m.name}}
	in, err := d.newInstance(ctx, true)
	if err != nil {
		return m.badGuest(err)
	}
	defer in.close()
	in.begin(ctx)
	defer in.end()
	if err := in.wasm.Func(abi.ExportABI).Call(&in.cc, in.stack[:]); err != nil {
		return m.badGuest(in.fault(abi.OpDescribe, err))
	}
	if err := checkABI(uint32(in.stack[0])); err != nil {
		return invalidModule(m.name, err)
	}
	var reply abi.DescribeReply
	if err := in.call(abi.OpDescribe, &abi.Empty{}, &reply); err != nil {
		return m.badGuest(err)
	}
	if m.manifest, err = abi.ParseManifest(reply.Manifest); err != nil {
		return invalidModule(m.name, err)
	}
	if m.params, err = guest.NewParameters(m.manifest.Schema); err != nil {
		return invalidModule(m.name, err)
	}
	return nil
}

func (m *Module) badGuest(err error) error {
	return storagedriver.Errorf(storagedriver.KindOf(err), "%s: %w", m.name, err)
}

func checkABI(version uint32) error {
	major, minor := version>>16, version&0xffff
	switch {
	case major != abi.Major:
		return fmt.Errorf("it was built for ABI %d.%d and this Berth has %d.%d: rebuild it with an SDK for ABI %d", major, minor, abi.Major, abi.Minor, abi.Major)
	case minor > abi.Minor:
		return fmt.Errorf("it was built for ABI %d.%d and this Berth has %d.%d: use a newer Berth, or rebuild it with an older SDK", major, minor, abi.Major, abi.Minor)
	}
	return nil
}

// Manifest returns what the guest says of itself. It must not be changed.
func (m *Module) Manifest() *abi.Manifest { return m.manifest }

// Close closes the drivers that are still open, waits for the calls that are running, and
// frees the compiled code. When ctx ends before, that is the error, nothing has been freed
// under a running guest, and Close may be called again.
func (m *Module) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closing = true
	if m.idle == nil {
		m.idle = make(chan struct{})
		if m.instances == 0 {
			close(m.idle)
		}
	}
	open := slices.Collect(maps.Keys(m.drivers))
	m.mu.Unlock()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, d := range open {
			_ = d.Close() // an upload to a store that was not suspended is who left the driver open's loss
		}
	}()
	for _, over := range []chan struct{}{closed, m.idle} {
		select {
		case <-over:
		case <-ctx.Done():
			return guest.ContextError(fmt.Errorf("%s: calls are still running: %w", m.name, ctx.Err()))
		}
	}
	return m.engine.Close(ctx)
}

var errClosedModule error = storagedriver.NewError(storagedriver.KindClosed, "the module is closed")

// enter counts an instance that is about to be made.
func (m *Module) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return errClosedModule
	}
	m.instances++
	return nil
}

// leave counts an instance that is gone.
func (m *Module) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instances--
	if m.instances == 0 && m.closing {
		close(m.idle)
	}
}

// opened notes a driver for Close; false when the module has been closed.
func (m *Module) opened(d *driver) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing {
		return false
	}
	m.drivers[d] = struct{}{}
	return true
}

func (m *Module) forget(d *driver) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.drivers, d)
}

// Info describes a module for people.
type Info struct {
	// File is what the module was loaded from.
	File string `json:"file"`
	// SHA256 is the digest of the file, in hexadecimal.
	SHA256 string `json:"sha256"`
	// ABI is the version of the host's ABI that runs it.
	ABI string `json:"abi"`
	// Imports and Exports are listed with their types.
	Imports []string `json:"imports"`
	Exports []string `json:"exports"`
	// MemoryMin and MemoryMax are bytes of linear memory: what it starts with, and what
	// it can grow to under the configuration.
	MemoryMin int64 `json:"memoryMin"`
	MemoryMax int64 `json:"memoryMax"`
	// Manifest is what the guest says of itself, the origins it would like to reach
	// (Hosts) included.
	Manifest *abi.Manifest `json:"manifest"`
}

// Info describes the module.
func (m *Module) Info() Info {
	info := Info{
		File: m.name, SHA256: hex.EncodeToString(m.sum[:]), ABI: fmt.Sprintf("%d.%d", abi.Major, abi.Minor), Manifest: m.manifest,
		MemoryMin: int64(m.shape.Memory.Min) * engine.PageSize, MemoryMax: m.cfg.MemoryLimit / engine.PageSize * engine.PageSize,
	}
	if m.shape.Memory.HasMax {
		info.MemoryMax = min(info.MemoryMax, int64(m.shape.Memory.Max)*engine.PageSize)
	}
	for _, im := range m.shape.Imports {
		info.Imports = append(info.Imports, fmt.Sprintf("%s.%s %v", im.Module, im.Name, im.Type))
	}
	for _, ex := range m.shape.Exports {
		text := ex.Name + " " + ex.Kind.String()
		if ex.Kind == engine.KindFunc {
			text = ex.Name + " " + ex.Type.String()
		}
		info.Exports = append(info.Exports, text)
	}
	slices.Sort(info.Imports)
	slices.Sort(info.Exports)
	return info
}

// Stats are figures of all drivers opened from a module.
type Stats struct {
	// Dispatches counts the calls into guests by operation; ByOp leaves zeros out.
	Dispatches uint64
	ByOp       map[string]uint64
	// Instances are those that exist now, idle ones included.
	Instances int
	// MappedBytes is the linear memory of those instances.
	MappedBytes int64
	// OpenBodies are the response bodies open now.
	OpenBodies int
	// Streams are the calls under way on instances of stream lanes.
	Streams int
}

// Stats returns the figures of this moment.
func (m *Module) Stats() Stats {
	m.mu.Lock()
	instances := m.instances
	m.mu.Unlock()
	s := Stats{ByOp: map[string]uint64{}, Instances: instances, MappedBytes: m.engine.MappedBytes(), OpenBodies: int(m.bodies.Load()), Streams: int(m.streams.Load())}
	for op := range m.dispatches {
		if n := m.dispatches[op].Load(); n > 0 {
			s.ByOp[abi.Op(op).String()] = n
			s.Dispatches += n
		}
	}
	return s
}
