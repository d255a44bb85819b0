//go:build servers

package s3bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The works that tasks do.
const (
	workPush   = "push"
	workLayers = "layers"
	workPull   = "pull"
	workWalk   = "walk"
	workDelete = "delete"
	workSmall  = "small"
)

// task is one measurement: work that a driver does in a process of its own.
type task struct {
	Side, Work string
	Parameters map[string]any
	// Name makes the paths of tasks differ.
	Name string
	// Module is the sandboxed driver's file, and Cache the folder with what it was compiled to.
	Module, Cache string `json:",omitempty"`
	// Size is the bytes of a layer, Count how many layers, pulls, objects or rounds of calls there are, AtOnce how many layers are pushed at a time.
	Size          int64
	Count, AtOnce int
	// Dirs is how many directories there are in what is walked.
	Dirs int
	// Profile is the file for a CPU profile of the work; "" is none.
	Profile string
	// Budget is the memory of writers behind the gate, in bytes; 0 is the default.
	Budget int64
}

// outcome is what a task took.
type outcome struct {
	Seconds float64
	CPU     float64 // seconds of user and system time
	Started int64   // bytes resident before the work
	Peak    int64   // and at the most
}

// run does the task in a process of its own.
func (t task) run(ctx context.Context) (outcome, error) {
	var out outcome
	self, err := os.Executable()
	if err != nil {
		return out, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return out, err
	}
	var said, failed bytes.Buffer
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), taskVariable+"="+string(text))
	cmd.Stdout, cmd.Stderr = &said, &failed
	if err := cmd.Run(); err != nil {
		return out, fmt.Errorf("%w: %s", err, failed.String())
	}
	return out, json.Unmarshal(said.Bytes(), &out)
}

// perform does the task in this process. The driver has opened a connection before the work begins.
func (t task) perform(ctx context.Context) (out outcome, err error) {
	d, done, err := t.open(ctx)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if _, err := d.size(ctx, "/nothing"); !absent(err) {
		return out, fmt.Errorf("Stat of what is not there: %w", err)
	}
	if out.Started, err = resident("VmRSS"); err != nil {
		return out, err
	}
	if t.Profile != "" {
		f, err := os.Create(t.Profile)
		if err != nil {
			return out, err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return out, err
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = f.Close()
		}()
	}
	used, begin := cpuTime(), time.Now()
	if err := t.work(ctx, d); err != nil {
		return out, err
	}
	out.Seconds, out.CPU = time.Since(begin).Seconds(), (cpuTime() - used).Seconds()
	out.Peak, err = resident("VmHWM")
	return out, err
}

func (t task) work(ctx context.Context, d store) error {
	switch t.Work {
	case workPush:
		return pushOne(ctx, d, t.Name, 0, t.Size)
	case workLayers:
		return pushAll(ctx, d, t)
	case workPull:
		for range t.Count {
			if err := pull(ctx, d, blob(t.Name, 0), t.Size); err != nil {
				return err
			}
		}
		return nil
	case workWalk:
		files, dirs, err := d.walk(ctx, registry)
		if err == nil && (files != t.Count || dirs != t.Dirs) {
			err = fmt.Errorf("%d files and %d directories, of %d and %d", files, dirs, t.Count, t.Dirs)
		}
		return err
	case workDelete:
		return d.Delete(ctx, goneDir(t.Name))
	case workSmall:
		return smallCalls(ctx, d, t.Name, t.Count)
	}
	return fmt.Errorf("no work is called %q", t.Work)
}

// cpuTime is what this process has used of processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // of this process it does not fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is memory of this process, its program included: VmRSS is what it has now, VmHWM the most that it has had.
func resident(key string) (int64, error) {
	const file = "/proc/self/status"
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != key {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		return kib << 10, err
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}
