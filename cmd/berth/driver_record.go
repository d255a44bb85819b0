package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver/runtime/trace"
	"github.com/berth-dev/storagedriver/testsuites"
)

// transcriptLines is how many lines a transcript has at most: what a person reads.
const transcriptLines = 100

// recording is what the flags say of recording.
type recording struct {
	path string
	max  int64
	// sample is 1 where it is no flag: driver test records all.
	sample int
}

// flags adds --record and --record-max.
func (r *recording) flags(c *cobra.Command) {
	r.sample = 1
	c.Flags().StringVar(&r.path, "record", "", "a file for what a sandboxed driver is told, without secrets; 'berth driver replay' runs it again")
	c.Flags().Int64Var(&r.max, "record-max", 1<<30, "the most bytes of that file")
}

// replaces refuses to replace one of the files that are to be read.
func (r *recording) replaces(files ...string) error {
	old, err := os.Stat(r.path)
	if err != nil {
		return nil // who creates it says what is wrong
	}
	for _, name := range files {
		if read, err := os.Stat(name); err == nil && os.SameFile(old, read) {
			return usageError{fmt.Errorf("--record %s would replace %s: name another file for the trace", r.path, name)}
		}
	}
	return nil
}

// leastRecord is room for the beginning of a trace.
const leastRecord = 64 << 10

// check refuses what makes no sense, also that a driver called name is not sandboxed.
func (r *recording) check(c *composition, name string) error {
	switch {
	case r.path == "":
		return nil
	case r.max < leastRecord:
		return usageError{fmt.Errorf("--record-max %d: give it at least %d bytes", r.max, leastRecord)}
	case r.sample < 1:
		return usageError{fmt.Errorf("--record-sample %d: it is one of how many instances to record, 1 or more", r.sample)}
	case !c.sandboxed(name):
		return usageError{fmt.Errorf("--record is for drivers in .wasm files, and %s is none", name)}
	}
	return nil
}

// sandboxed reports whether the driver called name is in a .wasm file.
func (c *composition) sandboxed(name string) bool {
	if name == wasmDriver || isWasm(name) {
		return true
	}
	for _, f := range c.Files() {
		if f.Name == name {
			return isWasm(f.Path)
		}
	}
	return false
}

// recorder returns what records a driver: its last host calls, and into a file when that was asked for. The caller
// closes it after the driver.
func (r *recording) recorder(c *composition, n named, lines int) (*trace.Recorder, error) {
	if err := r.check(c, n.name); err != nil {
		return nil, err
	}
	o := trace.Options{MaxBytes: r.max, Sample: r.sample, Lines: lines, Sources: n.own, Logger: c.logger}
	if r.path == "" {
		return trace.New(nil, o), nil
	}
	return trace.Create(r.path, o)
}

// recorded returns the storage that is to be tested, and what records its driver, which the caller closes.
func (a *app) recorded(o conformance) (storage, *trace.Recorder, error) {
	drivers := a.compose()
	s, err := drivers.storage(o.driver)
	if err == nil {
		err = o.replaces(o.driver.name, o.driver.config, o.script)
	}
	if err != nil {
		return storage{}, nil, err
	}
	drivers.record, err = o.recorder(drivers, o.driver, transcriptLines)
	return s, drivers.record, err
}

// unusedPath returns path, or that with a number when there is a file: the trace of a process that has crashed is not
// replaced by the process that takes its place.
func unusedPath(path string) (string, error) {
	const most = 10_000
	for n := range most {
		name := path
		if n > 0 {
			name = fmt.Sprintf("%s.%d", path, n)
		}
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", usageError{fmt.Errorf("--record %s: there are %d traces of that name already: remove some", path, most)}
}

func transcript(c testsuites.CaseResult) []string {
	if c.Transcript == "" {
		return nil
	}
	return strings.Split(c.Transcript, "\n")
}

// printTranscript shows the transcript of a case below it.
func printTranscript(w io.Writer, c testsuites.CaseResult) {
	for _, line := range transcript(c) {
		fmt.Fprintln(w, "      "+line)
	}
}
