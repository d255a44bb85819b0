package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/chunked"
	"github.com/berth-dev/storagedriver/layers"
	"github.com/berth-dev/storagedriver/testsuites/model"
)

// scriptReport is what --output json prints of a script.
type scriptReport struct {
	Driver     string          `json:"driver"`
	Script     string          `json:"script"`
	Operations int             `json:"operations"`
	MS         int64           `json:"ms"`
	Mismatch   *mismatchReport `json:"mismatch,omitempty"`
}

// mismatchReport is the answer that is not permitted. Line is 0 when it came after the last operation.
type mismatchReport struct {
	Line      int    `json:"line"`
	Operation string `json:"operation"`
	Asked     string `json:"asked"`
	Want      string `json:"want"`
	Got       string `json:"got"`
}

// readScript reads a script. A text that is none is a usage error that says where.
func readScript(file string) (model.Script, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, model.MaxScript+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	script, err := model.Parse(string(text))
	if syntax := (*model.SyntaxError)(nil); errors.As(err, &syntax) {
		return nil, usageError{fmt.Errorf("%s:%d: %s", file, syntax.Line, syntax.Text)}
	}
	if err == nil && len(script) == 0 {
		err = usageError{fmt.Errorf("%s: there is no operation", file)}
	}
	return script, err
}

// performScript performs a script on the driver, in a directory of its own.
func (a *app) performScript(ctx context.Context, o conformance) error {
	script, err := readScript(o.script)
	if err != nil {
		return err
	}
	s, recorder, err := a.recorded(o)
	if err != nil {
		return err
	}
	defer recorder.Close()
	if err := s.reach(ctx); err != nil {
		return err
	}
	begin := time.Now()
	bar := newProgress(a.stderr)
	err = model.Run(ctx, s.scripted(), script, func(done int, op model.Op) {
		bar.show("%d of %d  %s", done+1, len(script), op)
	})
	bar.clear()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: the script was interrupted: %w", o.script, ctx.Err())
	}
	var wrong *model.Mismatch
	if err != nil && !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %w", o.script, err)
	}
	if err := a.printScript(o, script, time.Since(begin), wrong); err != nil || wrong == nil {
		return err
	}
	where := o.script
	if !wrong.AtEnd {
		where += fmt.Sprintf(":%d", wrong.Op.Line)
	}
	return conformanceError{fmt.Errorf("%s: %s: the driver does not do as the contract says: %s: want %s, got %s",
		where, describeOp(wrong), wrong.What, oneLine(wrong.Want), oneLine(wrong.Got))}
}

func describeOp(m *model.Mismatch) string {
	if m.AtEnd {
		return "at the end"
	}
	return m.Op.String()
}

// scripted is the storage as a script has it: processes that die, each with a memory budget of its own.
func (s storage) scripted() model.Harness {
	return model.Harness{
		Dir: "/model-" + strings.ToLower(rand.Text()),
		Open: func(ctx context.Context, partSize int64) (model.Process, error) {
			b, err := s.backend(ctx)
			if err != nil {
				return model.Process{}, err
			}
			options := []layers.Option{layers.WithBudget(chunked.NewBudget(max(chunked.DefaultBudgetSize, 2*partSize)))}
			if partSize > 0 {
				options = append(options, layers.WithPartSize(partSize))
			}
			return model.NewProcess(b, func(b storagedriver.Backend) storagedriver.StorageDriver {
				return s.complete(b, options...)
			}), nil
		},
	}
}

func (a *app) printScript(o conformance, script model.Script, took time.Duration, wrong *model.Mismatch) error {
	if o.output == formatTable {
		if wrong != nil {
			return nil // the error says it
		}
		_, err := fmt.Fprintf(a.stdout, "%s: %d operations, all as the contract says, in %s\n", o.driver.name, len(script), took.Round(time.Millisecond))
		return err
	}
	r := scriptReport{Driver: o.driver.name, Script: o.script, Operations: len(script), MS: took.Milliseconds()}
	if wrong != nil {
		r.Mismatch = &mismatchReport{wrong.Op.Line, wrong.Op.String(), wrong.What, wrong.Want, wrong.Got}
		if wrong.AtEnd {
			r.Mismatch.Operation = "" // it came of none
		}
	}
	return printJSON(a.stdout, r)
}
