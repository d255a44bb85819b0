package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/berth-dev/storagedriver/internal/transfer"
)

const (
	// lineEvery is how often a long job says where it is when nobody sees bars: a log keeps the lines.
	lineEvery = 30 * time.Second
	// barFrom is how many bytes a file has at least that gets a bar of its own.
	barFrom = 64 << 20
)

// transferProgress shows where copying or checking is: bars on a terminal, and a line now and then elsewhere.
type transferProgress struct {
	verb string
	w    io.Writer     // nil: nothing is shown
	bars *mpb.Progress // nil: no terminal

	mu     sync.Mutex
	total  *mpb.Bar
	files  map[string]*fileProgress // those that have begun
	sizes  map[string]int64         // of those that have not
	found  int64
	bytes  int64 // of those found
	done   int64
	passed int64 // bytes
	said   time.Time
}

type fileProgress struct {
	size, read int64    // size is -1 when it is not known
	bar        *mpb.Bar // nil: none
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func newTransferProgress(a *app, quiet bool, verb string) *transferProgress {
	p := &transferProgress{verb: verb, files: map[string]*fileProgress{}, sizes: map[string]int64{}, said: time.Now()}
	if quiet {
		return p
	}
	p.w = a.stderr
	if isTerminal(a.stderr) {
		p.start()
	}
	return p
}

// start shows bars.
func (p *transferProgress) start(options ...mpb.ContainerOption) {
	p.bars = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(p.w), mpb.WithWidth(64)}, options...)...)
	p.total = p.bars.AddBar(0,
		mpb.BarPriority(1<<30), // below those of files
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
			p.mu.Lock()
			defer p.mu.Unlock()
			return fmt.Sprintf("%s %d of %d files ", p.verb, p.done, p.found)
		}), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f "), decor.AverageETA(decor.ET_STYLE_GO)))
}

// out is where results are written to: above the bars where both are on the terminal.
func (p *transferProgress) out(stdout io.Writer) io.Writer {
	if p.bars != nil && isTerminal(stdout) {
		return p.bars
	}
	return stdout
}

// tell is a transfer.Options.Progress.
func (p *transferProgress) tell(e transfer.Event) {
	if p.w == nil {
		return
	}
	// Bars are told without the lock: showing them takes it.
	var then []func()
	p.mu.Lock()
	switch e.Stage {
	case transfer.Found:
		p.found++
		p.bytes += e.Bytes
		p.sizes[e.Path] = e.Bytes
		then = append(then, p.raise(p.bytes))
	case transfer.Begun:
		f := &fileProgress{size: -1}
		if size, known := p.sizes[e.Path]; known {
			f.size = size
			delete(p.sizes, e.Path)
		}
		p.files[e.Path] = f
		if p.bars != nil && f.size >= barFrom {
			f.bar = p.bars.AddBar(f.size, mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.Name(tailOf(e.Path, 40)+" "), decor.CountersKibiByte("% .1f / % .1f")), mpb.AppendDecorators(decor.Percentage()))
		}
	case transfer.Read:
		then = append(then, p.advance(p.files[e.Path], e.Bytes))
	case transfer.Done:
		f := p.files[e.Path]
		delete(p.files, e.Path)
		p.done++
		then = append(then, p.advance(f, f.size), f.end)
	}
	line := p.line()
	p.mu.Unlock()
	for _, do := range then {
		do()
	}
	if line != "" {
		fmt.Fprintln(p.w, line)
	}
}

// raise makes the total of the bar, if there is one.
func (p *transferProgress) raise(bytes int64) func() {
	return func() {
		if p.total != nil {
			p.total.SetTotal(bytes, false)
		}
	}
}

// advance counts n bytes of a file, but no more than it has: some are read twice, and some not at all.
func (p *transferProgress) advance(f *fileProgress, n int64) func() {
	if f.size >= 0 {
		n = min(n, f.size-f.read)
	}
	n = max(n, 0)
	f.read += n
	p.passed += n
	return func() {
		if p.total != nil {
			p.total.IncrInt64(n)
		}
		if f.bar != nil {
			f.bar.IncrInt64(n)
		}
	}
}

func (f *fileProgress) end() {
	if f.bar != nil {
		f.bar.Abort(true)
	}
}

// line returns what is to be said now, which is mostly nothing.
func (p *transferProgress) line() string {
	if p.bars != nil || time.Since(p.said) < lineEvery {
		return ""
	}
	p.said = time.Now()
	return fmt.Sprintf("%s %d of %d files found so far, %d bytes", p.verb, p.done, p.found, p.passed)
}

// close removes the bars. Nothing may be told afterwards.
func (p *transferProgress) close() {
	if p.bars == nil {
		return
	}
	for _, f := range p.files {
		f.end()
	}
	p.total.Abort(true)
	p.bars.Wait()
}

// tailOf is the end of a path, of at most n bytes.
func tailOf(path string, n int) string {
	if len(path) <= n {
		return path
	}
	return "..." + path[len(path)-n+3:]
}
