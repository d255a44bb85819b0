package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/internal/kit"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites"
)

func (a *app) driverTestCommand() *cobra.Command {
	var (
		o      conformance
		params []string
	)
	c := &cobra.Command{
		Use:   "test [FILE|NAME|DIR]",
		Short: "Run the conformance suite on a driver",
		Long: `Runs the conformance suite on a driver: one in a .wasm file or an executable, one in the search path, or a compiled-in
one. Give it an empty storage of its own: the suite writes there, and removes what it wrote. DIR is the project of a driver that 'berth driver build' has built,
and so is the working directory where nothing is named: the section in its driver.yml is what the driver is opened with.

--run selects cases by patterns separated by commas: "walk", "walk/*", "write/commit-*". Exit status 7 says
that a case failed.

--config FILE has all that an operator can say of the driver: its section alone, or the configuration of a registry whose
storage it is.

--script performs the operations in a file instead, one a line, and compares each answer with what the contract
permits: "put /a 1234", "writer w1 /a append", "write w1 70000", "crash", "commit w1". The model-based tests write
such files when they find something. Exit status 7 says that an answer was not permitted, and which.

A case that fails on a sandboxed driver is shown with the last host calls of its guest. --record FILE writes all that the guest is
told, which 'berth driver replay' runs again; FILE is replaced.`,
		Example: "  berth driver test\n  berth driver test filesystem --param rootdirectory=/tmp/empty\n" +
			"  berth driver test build/guests/webdav.wasm --param endpoint=http://127.0.0.1:8080/t --allow http://127.0.0.1:8080\n" +
			"  berth driver test ./registry-storage-sqlite --param database=/tmp/empty.db\n" +
			"  berth driver test build/guests/webdav.wasm --config section.yml --run walk\n" +
			"  berth driver test inmemory --run walk --output json\n" +
			"  berth driver test filesystem --param rootdirectory=/tmp/empty --script found.script",
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter of the driver, key=value; a.b=value is b in the map a (repeatable)")
	c.Flags().StringArrayVar(&o.driver.allow, "allow", nil, allowUsage)
	c.Flags().StringVar(&o.driver.config, "config", "", configUsage)
	c.Flags().StringVar(&o.run, "run", "", "the cases to run: patterns separated by commas")
	c.Flags().StringVar(&o.script, "script", "", "a file of operations to perform instead of the cases (docs/conformance.md, Scripts)")
	o.recording.flags(c)
	output := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		parameters, err := parseParams(params)
		if err != nil {
			return err
		}
		subject, err := a.subjectOf(args)
		if err != nil {
			return err
		}
		o.driver.name, o.driver.section, o.driver.own, o.driver.parameters, o.output = subject.name, subject.section, subject.own, parameters, *output
		if c.Flags().Changed("script") {
			if o.run != "" {
				return usageError{errors.New("--run selects cases of the suite, and --script runs none: give one of them")}
			}
			return a.performScript(c.Context(), o)
		}
		return a.testDriver(c.Context(), o)
	}
	return c
}

// subjectOf is the driver that an argument names, or the project in the folder that it names; without one that in the working directory.
func (a *app) subjectOf(args []string) (named, error) {
	name := dirArgument(args)
	if info, err := os.Stat(name); err != nil || !info.IsDir() || len(args) > 0 && !strings.ContainsAny(name, `/\.`) && (!hasProject(name) || slices.Contains(a.compose().Names(), name)) {
		return named{name: name}, nil
	}
	return project(name)
}

// hasProject reports whether the folder dir is a project: a folder may have the name of a driver.
func hasProject(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, kit.FileName))
	return err == nil
}

// What --allow and --config say of themselves.
const (
	allowUsage  = "an origin that a sandboxed driver may reach, scheme://host:port; =CIDR[,CIDR] behind it for a name that has private addresses (repeatable)"
	configUsage = "a file with the driver's section, or a registry's configuration; --param and --allow add to it"
)

// parseParams makes a driver's parameters of key=value.
func parseParams(params []string) (map[string]any, error) {
	out := map[string]any{}
	for _, p := range params {
		key, value, found := strings.Cut(p, "=")
		if !found || key == "" {
			return nil, usageError{fmt.Errorf("--param %s: write it as key=value", key)}
		}
		names := strings.Split(key, ".")
		into := out
		for _, name := range names[:len(names)-1] {
			if _, taken := into[name]; !taken {
				into[name] = map[string]any{}
			}
			deeper, ok := into[name].(map[string]any)
			if !ok {
				return nil, usageError{fmt.Errorf("--param %s: %s has a value already", key, name)}
			}
			into = deeper
		}
		last := names[len(names)-1]
		if _, taken := into[last]; taken {
			return nil, usageError{fmt.Errorf("--param %s is given twice", key)}
		}
		into[last] = value
	}
	return out, nil
}

// conformance is one run of the suite.
type conformance struct {
	driver named
	run    string
	script string // "": the suite
	recording
	output format
}

// caseReport is one case of the report.
type caseReport struct {
	ID     string            `json:"id"`
	Status testsuites.Status `json:"status"`
	Reason string            `json:"reason"`
	MS     int64             `json:"ms"`
	// Transcript is the last that a sandboxed driver did in a case that failed.
	Transcript []string `json:"transcript,omitempty"`
}

// report is what --output json prints.
type report struct {
	Driver  string       `json:"driver"`
	Seed    uint64       `json:"seed"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Skipped int          `json:"skipped"`
	MS      int64        `json:"ms"`
	Error   string       `json:"error,omitempty"`
	Cases   []caseReport `json:"cases"`
}

func (a *app) testDriver(ctx context.Context, o conformance) error {
	s, recorder, err := a.recorded(o)
	if err != nil {
		return err
	}
	defer recorder.Close()
	if err := s.reach(ctx); err != nil {
		return err
	}
	open := func(t testsuites.T, options ...layers.Option) storagedriver.StorageDriver {
		d, err := s.open(t.Context(), options...)
		if err != nil {
			t.Fatalf("open %s: %v", o.driver.name, err)
		}
		return d
	}
	bar := newProgress(a.stderr)
	total, ended := len(testsuites.Cases()), 0
	result := testsuites.RunAll(ctx, testsuites.Harness{
		Run: o.run, Transcript: recorder.Transcript,
		New: func(t testsuites.T) storagedriver.StorageDriver { return open(t) },
		NewWithBudget: func(t testsuites.T, bytes int64) storagedriver.StorageDriver {
			return open(t, layers.WithBudget(chunked.NewBudget(bytes)))
		},
	}, func(c testsuites.CaseResult) {
		ended++
		bar.clear()
		if o.output == formatTable && (!bar.isTerminal() || c.Status != testsuites.Pass) {
			fmt.Fprintln(a.stdout, caseLine(c))
			printTranscript(a.stdout, c)
		}
		bar.show("%d of %d  %s", ended, total, c.ID)
	})
	bar.clear()
	if err := a.printReport(o, result); err != nil {
		return err
	}
	return verdict(ctx, result)
}

func caseLine(c testsuites.CaseResult) string {
	line := fmt.Sprintf("%-4s  %s  %d ms", c.Status, c.ID, c.Duration.Milliseconds())
	if c.Reason != "" {
		line += ": " + oneLine(c.Reason)
	}
	return line
}

func (a *app) printReport(o conformance, result testsuites.Result) error {
	r := report{
		Driver: result.Driver, Seed: result.Seed, MS: result.Duration.Milliseconds(), Cases: []caseReport{},
		Passed: result.Count(testsuites.Pass), Failed: result.Count(testsuites.Fail), Skipped: result.Count(testsuites.Skip),
	}
	if o.output == formatTable {
		_, err := fmt.Fprintf(a.stdout, "%s: %d passed, %d failed, %d skipped in %s (seed %d)\n",
			o.driver.name, r.Passed, r.Failed, r.Skipped, result.Duration.Round(time.Millisecond), r.Seed)
		return err
	}
	if result.Err != nil {
		r.Error = oneLine(result.Err.Error())
	}
	for _, c := range result.Cases {
		r.Cases = append(r.Cases, caseReport{c.ID, c.Status, c.Reason, c.Duration.Milliseconds(), transcript(c)})
	}
	return printJSON(a.stdout, r)
}

// verdict returns the error of a suite that did not pass.
func verdict(ctx context.Context, result testsuites.Result) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the suite was interrupted: %w", ctx.Err())
	case result.Err != nil && len(result.Cases) == 0:
		return usageError{result.Err}
	case !result.Conforms():
		text := fmt.Sprintf("the driver does not conform: %d of %d cases failed", result.Count(testsuites.Fail), len(result.Cases))
		if result.Err != nil {
			text += ": " + oneLine(result.Err.Error())
		}
		return conformanceError{fmt.Errorf("%s", text)}
	}
	return nil
}
