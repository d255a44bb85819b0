package killloop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/berth-dev/storagedriver"
)

// Options say what is killed, and how often. Command and Open are required.
type Options struct {
	// Seed decides everything but the moments of the kills and how goroutines interleave.
	Seed uint64
	// Kills is how many processes are killed.
	Kills int
	// Command returns the command that calls Child on its standard input and output, with a driver on the same storage
	// as Open's. Run sets those two and starts it.
	Command func(ctx context.Context, round int) *exec.Cmd
	// Open opens the driver that looks at what is left. Run closes it.
	Open func(ctx context.Context) (storagedriver.StorageDriver, error)
	// Private returns how many private files there are: segments, temporary files, unfinished uploads. nil: nobody can tell.
	Private func(ctx context.Context) (int, error)
	// Log, if set, is told how far it is.
	Log func(format string, args ...any)
}

// Report is what a run did.
type Report struct {
	Kills                                                              int
	Uploads, Commits, Suspends, Resumes, Cancels, Puts, Moves, Deletes int
	// InFlight are the kills that met an effect on its way.
	InFlight int
	// Checked are the files read whole and compared after a kill; Continued the uploads that were gone on with after
	// one; Visible the entries that were walked over.
	Checked, Continued, Visible int
	// MostPrivate is the most private files that were left by a kill.
	MostPrivate int
	Took        time.Duration
}

func (r Report) String() string {
	return fmt.Sprintf("%d kills (%d in the middle of an effect) in %v: %d uploads begun, %d commits, %d suspends, %d resumes, %d cancels, %d puts, %d moves, %d deletes; "+
		"%d files compared, %d uploads continued after a kill, %d entries walked, at most %d private files left by a kill",
		r.Kills, r.InFlight, r.Took.Round(time.Second), r.Uploads, r.Commits, r.Suspends, r.Resumes, r.Cancels, r.Puts, r.Moves, r.Deletes,
		r.Checked, r.Continued, r.Visible, r.MostPrivate)
}

// roundTimeout bounds one child and what follows: it works for milliseconds.
const roundTimeout = 2 * time.Minute

// Run kills o.Kills children and returns what was done, and the first thing that is not as it must be. The storage
// must be empty, and is so again unless there is an error.
func Run(ctx context.Context, o Options) (report Report, err error) {
	begin := time.Now()
	r := &run{o: o, m: newModel(), random: rand.New(rand.NewPCG(o.Seed, 0))}
	r.d, err = o.Open(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, r.d.Close()) }()
	for r.round = 1; r.round <= o.Kills; r.round++ {
		if err := r.once(ctx); err != nil {
			return r.report, fmt.Errorf("seed %d, kill %d: %w", o.Seed, r.round, err)
		}
		if o.Log != nil && r.round%100 == 0 {
			r.report.Took = time.Since(begin)
			o.Log("%v", r.report)
		}
	}
	err = r.clear(ctx)
	r.report.Took = time.Since(begin)
	return r.report, err
}

type run struct {
	o      Options
	d      storagedriver.StorageDriver
	m      *model
	random *rand.Rand
	round  int
	report Report
	// busy is how many effects the last child was in the middle of.
	busy int
}

func (r *run) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	r.busy = 0
	if err := r.child(ctx); err != nil {
		return err
	}
	r.report.Kills++
	if r.busy > 0 {
		r.report.InFlight++
	}
	if err := r.leftovers(ctx); err != nil {
		return err
	}
	return r.check(ctx)
}

// task is what the next child goes on with: what is certain now.
func (r *run) task() task {
	t := task{Seed: r.o.Seed, Round: r.round, Files: map[string]content{}, Uploads: map[string]unfinished{}}
	for path, f := range r.m.paths {
		if c := f.contents[0]; c.ID != 0 {
			t.Files[path] = c
		}
		if u := f.uploads[0]; u.Content.ID != 0 {
			t.Uploads[path] = unfinished{u.Content, u.min}
		}
	}
	return t
}

// child starts one and kills it after some lines of its journal.
func (r *run) child(ctx context.Context) (err error) {
	cmd := r.o.Command(ctx, r.round)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // that it was killed is no news
	}()
	if err := json.NewEncoder(in).Encode(r.task()); err != nil {
		return err
	}
	lines, after := 0, 1+r.random.IntN(60)
	delay := time.Duration(r.random.Int64N(int64(3 * time.Millisecond)))
	journal := bufio.NewReader(out)
	for {
		text, err := journal.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("the journal has the line %q: %w", text, err)
		}
		r.count(l)
		if err := r.m.apply(l); err != nil {
			return err
		}
		if lines++; lines == after {
			<-time.After(delay)
			_ = cmd.Process.Kill() // what it wrote until now is read to its end
		}
	}
	if lines < after {
		return fmt.Errorf("the child ended by itself after %d lines", lines)
	}
	return nil
}

func (r *run) count(l line) {
	switch {
	case l.Lost:
		r.busy--
		return
	case !l.Done:
		r.busy++
		if _, isShared := r.m.shared[l.Path]; l.Op == opFresh || isShared && l.Op == opCommit {
			r.report.Uploads++
		}
		return
	}
	r.busy--
	n := map[operation]*int{
		opCommit: &r.report.Commits, opSuspend: &r.report.Suspends, opResume: &r.report.Resumes, opCancel: &r.report.Cancels,
		opPut: &r.report.Puts, opMove: &r.report.Moves, opDelete: &r.report.Deletes,
	}[l.Op]
	if n != nil {
		*n++
	}
}

// maxPrivate is the most private files that kills may leave. Each goroutine can leave two at each of its paths (an
// upload, and a put's temporary file) and at each shared one (its own upload's and its put's), and a path has another
// writer's of the kill before.
const maxPrivate = workers * (3*own + 3*shared)

func (r *run) leftovers(ctx context.Context) error {
	if r.o.Private == nil {
		return nil
	}
	n, err := r.o.Private(ctx)
	if err != nil {
		return err
	}
	r.report.MostPrivate = max(r.report.MostPrivate, n)
	if n > maxPrivate {
		return fmt.Errorf("%d private files are left, more than %d: they pile up", n, maxPrivate)
	}
	return nil
}
