package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/factory"
	"github.com/berth-dev/storagedriver/ipc"
)

// processConfig is the section of a driver in a process of its own: how the process is run, and the parameters that are the
// driver's.
type processConfig struct {
	// Env are variables of its environment, NAME=value. They may be secret.
	Env []string `parameter:"env"`
	// Confine keeps it from new privileges and holds it to the limits of Memory and Files, where the system can.
	Confine bool `parameter:"confine"`
	// Memory is the most bytes of private memory; 0 is 2147483648.
	Memory int64 `parameter:"memory"`
	// Files is the most open files; 0 is 4096.
	Files uint64 `parameter:"files"`
	// Parameters are the driver's own.
	Parameters map[string]any `parameter:"parameters"`
}

func defaultProcess() processConfig { return processConfig{Confine: true} }

const (
	// processMemory and processFiles are ipc.Config's defaults. docs/ipc.md, section 6, has them.
	processMemory = 2 << 30
	processFiles  = 4096
	// With less than leastMemory and leastFiles no language's runtime gets to its main function.
	leastMemory = 64 << 20
	leastFiles  = 16
)

// check returns what is wrong with how the process is to be run. It repeats no value.
func (c processConfig) check() error {
	refuse := func(format string, args ...any) error {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, format, args...)
	}
	for i, v := range c.Env {
		if name, _, found := strings.Cut(v, "="); !found || name == "" || strings.Contains(v, "\x00") {
			return refuse(`parameter "env" must be a list of NAME=value, which its element %d is not`, i+1)
		}
	}
	switch {
	case !c.Confine && (c.Memory != 0 || c.Files != 0):
		return refuse(`parameters "memory" and "files" have no effect with "confine" set to false: leave them out`)
	case c.Memory != 0 && c.Memory < leastMemory:
		return refuse(`parameter "memory" must be at least %d bytes, or 0 for %d`, leastMemory, processMemory)
	case c.Files != 0 && c.Files < leastFiles:
		return refuse(`parameter "files" must be at least %d, or 0 for %d`, leastFiles, processFiles)
	}
	return nil
}

// judgeProcess returns what is wrong with the section of an executable, but for what is the driver's own: that is known when it runs.
func judgeProcess(parameters map[string]any) error {
	if err := judgeLayers(parameters); err != nil {
		return err
	}
	var section struct {
		namedProcess `parameter:",squash"`
		Layers       any `parameter:"layers"`
	}
	section.processConfig = defaultProcess()
	if err := factory.Decode(parameters, &section); err != nil {
		return err
	}
	return section.check()
}

// openExecutable returns what opens the driver in the executable at path.
func (c *composition) openExecutable(path string) storagedriver.OpenFunc {
	return func(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
		config := defaultProcess()
		if err := factory.Decode(parameters, &config); err != nil {
			return nil, err
		}
		return c.openProcess(ctx, path, config)
	}
}

// namedProcess is the section of the driver that is told which executable to start.
type namedProcess struct {
	// Path is the executable.
	Path          string `parameter:"path"`
	processConfig `parameter:",squash"`
}

// openNamedExecutable opens the driver in the executable that its parameters name.
func (c *composition) openNamedExecutable(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	config := namedProcess{processConfig: defaultProcess()}
	err := factory.Decode(parameters, &config)
	if err == nil && config.Path == "" {
		err = storagedriver.NewError(storagedriver.KindInvalidArgument, `parameter "path" is missing: it names the executable`)
	}
	if err != nil {
		return nil, storagedriver.WrapError("Open", ipcDriver, "", err)
	}
	return c.openProcess(ctx, config.Path, config.processConfig)
}

func (c *composition) openProcess(ctx context.Context, path string, config processConfig) (storagedriver.Backend, error) {
	d, err := c.executable(ctx, path, config)
	if err != nil {
		return nil, err
	}
	return d.Open(ctx, config.Parameters)
}

// executable asks the executable at path what it is. What is wrong with the file has the kinds that it has of a .wasm file: not found
// when it is not there, and an invalid argument when it was built for another version.
func (c *composition) executable(ctx context.Context, path string, config processConfig) (*ipc.Driver, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, storagedriver.Errorf(storagedriver.KindNotFound, "there is no executable %s: build the driver, or name the right path", path)
	}
	d, err := ipc.Load(ctx, path, ipc.Config{
		Env: config.Env, Unconfined: !config.Confine, Memory: config.Memory, Files: config.Files, Logger: c.logger,
	})
	if known := (*storagedriver.Error)(nil); errors.As(err, &known) && known.Kind == storagedriver.KindUnsupported {
		return nil, &storagedriver.Error{Kind: storagedriver.KindInvalidArgument, Err: known.Err}
	}
	return d, err
}
