package trace

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are how a Recorder records. The zero value has the defaults said at the fields.
type Options struct {
	// MaxBytes is the most bytes of the file. Recording stops before it would be longer, and the
	// trace says so. Default 1 GiB.
	MaxBytes int64
	// Sample records one of so many instances, the first included, each from its birth to its end. An
	// instance that only describes its module is recorded when all are. Default 1.
	Sample int
	// Lines is how many host calls Transcript tells of at most. Default 0, which is none.
	Lines int
	// Sources has the transcript name lines of source, of modules that have debug information. What reads that takes the time and the memory that it says: set
	// it for modules that were compiled by whoever reads the transcript.
	Sources bool
	// Line, if it is not nil, is told each line that Transcript would have, as it comes, with how long the host call or the operation took that it tells of, 0 where it
	// tells of none. It is called by one goroutine at a time, which waits for it.
	Line func(line string, took time.Duration)
	// Logger gets why recording stopped before Close. Default slog.Default.
	Logger *slog.Logger
}

const (
	maxPending = 8 << 20         // bytes that wait to be written before who records has to wait
	patience   = 2 * time.Second // how long it waits
	lastWait   = 5 * time.Second // how long Close does
	noteRoom   = 1 << 10         // for the record that says why there are no more
	// maxRedactors is how many are kept for the next call: one for each driver, and one more whenever a credential is renewed.
	maxRedactors = 64
	cheap        = gzip.BestSpeed // what is recorded compresses well, or not at all
)

// Recorder writes a trace and keeps a transcript. Its methods may be called concurrently. Whoever made it
// closes it, after the modules that it was given to.
type Recorder struct {
	options   Options
	file      io.WriteCloser // nil: a transcript only
	lines     *lines
	instances atomic.Uint64 // the last number given
	drivers   atomic.Uint64
	sampled   atomic.Uint64
	stopped   atomic.Bool

	mu        sync.Mutex
	pending   []byte
	why       string // recording is to stop, for this reason
	closing   bool
	told      bool          // that recording has stopped, or that the end may be missing, has been logged
	wake      chan struct{} // has room for one: there is something pending, or Close waits
	taken     chan struct{} // closed when what was pending is written
	done      chan struct{} // closed when the file is
	redactors map[string]*Redactor
	stand     map[string]string // the placeholders, by secret

	closed sync.Once
	grace  time.Duration // how long Close waits for the disk

	zip     *gzip.Writer
	counted counter
	room    int64 // bytes that certainly fit, uncompressed
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// New returns a Recorder that writes to file, which it closes. With nil it keeps a transcript only.
func New(file io.WriteCloser, o Options) *Recorder {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Sample < 1 {
		o.Sample = 1
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	r := &Recorder{options: o, file: file, redactors: map[string]*Redactor{}, stand: map[string]string{}, grace: lastWait}
	if o.Lines > 0 {
		r.lines = &lines{most: o.Lines}
	}
	if file == nil {
		return r
	}
	r.wake, r.taken, r.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
	r.counted.w = file
	r.zip, _ = gzip.NewWriterLevel(&r.counted, cheap) // the level is one
	r.room = o.MaxBytes - noteRoom
	go r.run()
	r.Add(&Record{Kind: KindTrace, Format: Format, Berth: version()})
	return r
}

// Create is New with a new file at path, which only its owner may read. A file that is there is replaced.
func Create(path string, o Options) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err == nil {
		err = forOwner(f)
	}
	if err != nil {
		return nil, err
	}
	return New(f, o), nil
}

// forOwner has only the owner read f, which may have been there with another mode. What is no file of a disk is left alone. It closes f when
// it fails.
func forOwner(f *os.File) error {
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// Recording reports whether records still go to a file.
func (r *Recorder) Recording() bool { return r.file != nil && !r.stopped.Load() }

// Driver returns a number for a driver.
func (r *Recorder) Driver() uint64 { return r.drivers.Add(1) }

// Instance returns a number for an instance that is about to be made, and whether it is to be recorded.
func (r *Recorder) Instance(describing bool) (uint64, bool) {
	record := r.Recording()
	switch sample := uint64(r.options.Sample); {
	case describing:
		record = record && sample == 1
	case record:
		record = r.sampled.Add(1)%sample == 1%sample
	}
	return r.instances.Add(1), record
}

// Redactor returns what keeps the secrets out. The same secrets have the same placeholders in all of the trace.
func (r *Recorder) Redactor(secrets []string) *Redactor {
	key := strings.Join(secrets, "\x00")
	r.mu.Lock()
	defer r.mu.Unlock()
	found := r.redactors[key]
	if found == nil {
		if len(r.redactors) == maxRedactors {
			clear(r.redactors)
		}
		found = newRedactor(secrets, r.stand)
		r.redactors[key] = found
	}
	return found
}

// Add writes a record, which must be redacted. It waits for the disk for at most some seconds; when that is not
// enough, or writing fails, recording stops. The record may be used again afterwards.
func (r *Recorder) Add(rec *Record) {
	if !r.Recording() {
		return
	}
	line, err := json.Marshal(rec)
	if err != nil {
		r.stop(fmt.Sprintf("a record has no JSON form: %v", err))
		return
	}
	deadline := time.Now().Add(patience)
	r.mu.Lock()
	for len(r.pending) > maxPending && !r.stopped.Load() {
		taken := r.taken
		r.mu.Unlock()
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-taken:
			timer.Stop()
		case <-timer.C:
			r.stop(fmt.Sprintf("the disk has not taken %d bytes within %v", maxPending, patience))
			return
		}
		r.mu.Lock()
	}
	if !r.stopped.Load() {
		r.pending = append(append(r.pending, line...), '\n')
	}
	r.mu.Unlock()
	r.signal()
}

func (r *Recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// stop ends the recording before its time.
func (r *Recorder) stop(why string) {
	r.mu.Lock()
	if r.why == "" && !r.closing {
		r.why = why
	}
	r.stopped.Store(true)
	r.mu.Unlock()
	r.signal()
}

// Close writes what is left. It is idempotent, and waits for the disk for at most some seconds: when that is not enough, the
// trace ends early and the file is left to a goroutine that waits for the disk. What goes wrong is logged.
func (r *Recorder) Close() error {
	if r.file == nil {
		return nil
	}
	r.closed.Do(func() {
		r.mu.Lock()
		r.closing = true
		r.mu.Unlock()
		r.signal()
		timer := time.NewTimer(r.grace)
		defer timer.Stop()
		select {
		case <-r.done:
		case <-timer.C:
			r.stopped.Store(true)
			r.tell("recording of guests: the trace may lack its end", "error", fmt.Sprintf("the disk has not taken it within %v", r.grace))
		}
	})
	return nil
}

// tell logs the first thing that goes wrong.
func (r *Recorder) tell(message string, args ...any) {
	r.mu.Lock()
	told := r.told
	r.told = true
	r.mu.Unlock()
	if !told {
		r.options.Logger.Warn(message, args...)
	}
}

// run writes what is pending until Close. Nothing but it uses the file.
func (r *Recorder) run() {
	defer close(r.done)
	var spare []byte
	for {
		<-r.wake
		r.mu.Lock()
		batch, why, closing := r.pending, r.why, r.closing
		r.pending = spare[:0]
		taken := r.taken
		r.taken = make(chan struct{})
		r.mu.Unlock()
		err := r.write(batch)
		if spare = batch; cap(spare) > 2*maxPending {
			spare = nil
		}
		close(taken)
		switch {
		case err != nil && why == "":
			why = err.Error()
			fallthrough
		case why != "":
			r.finish(why)
			r.await()
			return
		case closing:
			r.finish("")
			return
		}
	}
}

// await waits for Close after recording has stopped.
func (r *Recorder) await() {
	r.mu.Lock()
	r.pending = nil
	closing := r.closing
	r.mu.Unlock()
	for !closing {
		<-r.wake
		r.mu.Lock()
		closing = r.closing
		r.mu.Unlock()
	}
}

// finish closes the file. why is why there will be no more records, "" when that is Close.
func (r *Recorder) finish(why string) {
	r.stopped.Store(true)
	if why != "" {
		r.tell("recording of guests has stopped: the trace ends here", "reason", why)
		line, _ := json.Marshal(&Record{Kind: KindStop, Reason: why[:min(len(why), noteRoom/2)]}) // texts have a JSON form
		_, _ = r.zip.Write(append(line, '\n'))                                                    // what is wrong has been logged
	}
	err := r.zip.Close()
	if cerr := r.file.Close(); err == nil {
		err = cerr
	}
	if err != nil && why == "" {
		r.tell("recording of guests: the trace may lack its end", "error", err)
	}
}

// write writes whole lines as far as the file may grow, and makes a reader see them.
func (r *Recorder) write(lines []byte) error {
	for len(lines) > 0 {
		n := min(r.fitting(lines), len(lines))
		if n == 0 {
			if err := r.flush(); err != nil {
				return err
			}
			if n = r.fitting(lines); n == 0 {
				return fmt.Errorf("the file has reached its limit of %d bytes", r.options.MaxBytes)
			}
		}
		if _, err := r.zip.Write(lines[:n]); err != nil {
			return err
		}
		r.room -= grown(n)
		lines = lines[n:]
	}
	return r.flush()
}

// fitting returns how many bytes of whole lines fit in any case.
func (r *Recorder) fitting(lines []byte) int {
	if grown(len(lines)) <= r.room {
		return len(lines)
	}
	most := max(0, (r.room-64)*1000/1001)
	return bytes.LastIndexByte(lines[:most], '\n') + 1
}

// grown is how long n bytes are at most once they are compressed: deflate stores what does not compress,
// at some bytes for each 64 KiB.
func grown(n int) int64 { return int64(n) + int64(n)/1000 + 64 }

func (r *Recorder) flush() error {
	err := r.zip.Flush()
	r.room = r.options.MaxBytes - noteRoom - r.counted.n
	return err
}
