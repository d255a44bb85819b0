package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/layers"
)

// IPCStorageDriver is a driver in a process of its own.
type IPCStorageDriver interface {
	storagedriver.StorageDriver
	// Version is what the driver speaks: its major equals that of storagedriver.CurrentVersion, and its minor is at most that.
	Version() storagedriver.Version
}

// New opens the driver in the executable at path with the operator's parameters and completes it. The context governs the opening only.
// The caller closes the driver.
func New(ctx context.Context, path string, parameters map[string]any, c Config, options ...layers.Option) (IPCStorageDriver, error) {
	d, err := Load(ctx, path, c)
	if err != nil {
		return nil, err
	}
	b, err := d.Open(ctx, parameters)
	if err != nil {
		return nil, storagedriver.WrapError("Open", d.manifest.Name, "", err)
	}
	return completed{layers.Complete(b, options...), d.version}, nil
}

type completed struct {
	storagedriver.StorageDriver
	version storagedriver.Version
}

func (c completed) Version() storagedriver.Version { return c.version }

// Driver is an executable that has said what it is. No process of it runs. It may be used concurrently.
type Driver struct {
	path     string
	cfg      Config
	version  storagedriver.Version
	manifest *abi.Manifest
	params   *guest.Parameters // nil: the driver declares no schema
}

// Load starts the executable at path, asks for its manifest, and ends it. What cannot be started, speaks another version or is no driver
// is an error of one line that names the file, what is wrong and what to do.
func Load(ctx context.Context, path string, c Config) (*Driver, error) {
	d := &Driver{path: path, cfg: c.withDefaults()}
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.StartTimeout, errSlow)
	defer cancel()
	r, err := d.start(ctx, "{}", guest.Secrets{})
	if err != nil {
		return nil, err
	}
	defer r.stop()
	var reply abi.DescribeReply
	if err := r.do(ctx, abi.OpDescribe, &abi.Empty{}, &reply); err != nil {
		r.giveUp(ctx)
		return nil, d.failed(ctx, "describe", err)
	}
	if d.manifest, err = abi.ParseManifest(reply.Manifest); err != nil {
		return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: its manifest: %w", path, err)
	}
	if len(d.manifest.Schema) > 0 {
		if d.params, err = guest.NewParameters(d.manifest.Schema); err != nil {
			return nil, storagedriver.Errorf(storagedriver.KindInvalidArgument, "%s: %w", path, err)
		}
	}
	d.version = r.version
	return d, nil
}

// errSlow is the cause of a context that Config.StartTimeout has ended.
var errSlow = errors.New("it takes too long to start")

// failed is the error of what was to be done under ctx with a process that is not open yet.
func (d *Driver) failed(ctx context.Context, op string, err error) error {
	out := &storagedriver.Error{Kind: storagedriver.KindOf(err)}
	var known *storagedriver.Error
	if errors.As(err, &known) && err == error(known) && known.Err != nil { // do not say the kind twice
		out.Temporary, out.RetryAfter, err = known.Temporary, known.RetryAfter, known.Err
	}
	if out.Kind == storagedriver.KindDeadline && context.Cause(ctx) == errSlow {
		out.Kind, out.Temporary = storagedriver.KindUnavailable, true
		err = fmt.Errorf("it has not answered within %v: see what it waits for, or whether it is a driver", d.cfg.StartTimeout)
	}
	out.Err = fmt.Errorf("%s: %s: %w", d.path, op, err)
	return out
}

// Manifest returns what the driver says of itself. It is not to be changed.
func (d *Driver) Manifest() *abi.Manifest { return d.manifest }

// Version returns what the driver speaks.
func (d *Driver) Version() storagedriver.Version { return d.version }

// Open is a storagedriver.OpenFunc. Parameters are coerced to the types of the manifest's schema and validated; without a schema they are given to the driver as
// they are. A bad one is KindInvalidArgument.
func (d *Driver) Open(ctx context.Context, parameters map[string]any) (storagedriver.Backend, error) {
	values, err := guest.DecodeWith(d.params, parameters)
	if err != nil {
		return nil, err
	}
	b := newBackend(d, values)
	b.life, b.end = context.WithCancel(context.Background())
	r, err := b.connect(ctx)
	if err != nil {
		b.end()
		return nil, err
	}
	b.running = r
	b.Caps = r.caps
	return b, nil
}

// running is a process that has greeted.
type running struct {
	*link
	p       *process
	version storagedriver.Version
	caps    storagedriver.Capabilities
	started time.Time
	grace   time.Duration
	secrets guest.Secrets
}

// start starts a process and greets it.
func (d *Driver) start(ctx context.Context, argument string, secrets guest.Secrets) (*running, error) {
	r := &running{grace: d.cfg.Grace, secrets: secrets, started: time.Now()}
	lines := &guest.Lines{}
	p, err := startProcess(ctx, processConfig{
		path: d.path, argument: argument, env: d.cfg.Env, confine: !d.cfg.Unconfined, memory: d.cfg.Memory, files: d.cfg.Files, grace: d.cfg.Grace,
		line: func(text string) {
			ok, dropped := lines.Take(time.Now())
			if dropped > 0 {
				d.cfg.Logger.Warn("lines of a driver's log were dropped", "driver", d.path, "lines", dropped)
			}
			if ok {
				if len(text) == maxLine {
					text = secrets.Trim(text)
				}
				d.cfg.Logger.Info(secrets.Clean(text, abi.MaxText), "driver", d.path)
			}
		},
	})
	if err != nil && ctx.Err() != nil {
		err = d.failed(ctx, "starting it", err)
	}
	if err != nil {
		return nil, err
	}
	r.p = p
	conn := p.conn()
	if d.cfg.between != nil {
		conn = d.cfg.between(conn, p)
	}
	r.link = newLink(conn, &d.cfg, func(text string) string { return secrets.Clean(text, abi.MaxText) })
	r.settle = 0
	go r.receive()
	go r.watch()
	if r.version, err = r.greet(ctx); err != nil {
		err = d.failed(ctx, "HELLO", r.explain(ctx, err))
		r.p.kill()
		r.stop()
		return nil, err
	}
	return r, nil
}

// farewell is how long a process may take to end that has closed its socket: the kill must not come before its last words.
const farewell = time.Second

// watch ends the process when the link has ended but for stop, and the link when the process has.
func (r *running) watch() {
	select {
	case <-r.p.exited():
		if !r.drained() {
			r.fail(errLost)
		}
		return
	case <-r.ended:
	}
	switch reason := r.reason(); {
	case reason == errLost, reason == errClosedDriver:
		return // it has its grace
	case reason == io.EOF, errors.Is(reason, io.ErrUnexpectedEOF), errors.Is(reason, syscall.EPIPE), errors.Is(reason, syscall.ECONNRESET):
		timer := time.NewTimer(farewell)
		defer timer.Stop()
		select {
		case <-r.p.exited():
			return
		case <-timer.C:
		}
	}
	r.p.kill()
}

// drained waits for the end of the socket of a process that has ended: what it said before is received. Where another process has the socket as well
// there may be none.
func (r *running) drained() bool {
	timer := time.NewTimer(farewell)
	defer timer.Stop()
	select {
	case <-r.ended:
		return true
	case <-timer.C:
		return false
	}
}

// giveUp ends a process at once that has not answered before ctx ended.
func (r *running) giveUp(ctx context.Context) {
	if ctx.Err() != nil {
		r.p.kill()
	}
}

// stop ends the process, which may still say something.
func (r *running) stop() {
	r.fail(errLost)
	r.p.stop()
	<-r.ended
}

// alive reports whether calls may be made.
func (r *running) alive() bool { return r.reason() == nil }

// explain says of errLost what has happened to the process, which it waits for while ctx lasts.
func (r *running) explain(ctx context.Context, err error) error {
	if !errors.Is(err, errLost) {
		return err
	}
	var broken violation
	var late silence
	switch reason := r.reason(); {
	case errors.As(reason, &broken):
		r.p.kill()
		return storagedriver.Errorf(storagedriver.KindGuest, "the driver's process was killed, because it broke a rule of docs/ipc.md: %s", r.secrets.Clean(broken.text, abi.MaxText))
	case errors.As(reason, &late):
		r.p.kill()
		return unavailable("the driver's process was killed: " + late.text)
	case reason == errClosedDriver:
		return errClosedDriver
	}
	switch ended := r.awaitExit(ctx); {
	case !ended && ctx.Err() != nil:
		return guest.ContextError(ctx.Err())
	case !ended: // the kernel does not let it go
		return unavailable("the driver's process was killed, and has not ended")
	}
	text := "the driver's process ended (" + r.p.how() + ")"
	if words := r.p.lastWords(); words != "" {
		if len(words) == maxWords {
			words = r.secrets.Trim(words)
		}
		text += "; its last words: " + r.secrets.Clean(words, 512)
	}
	return unavailable(text)
}

// awaitExit waits for the end of a process that has closed its socket or was killed, no longer than that can take.
func (r *running) awaitExit(ctx context.Context) bool {
	timer := time.NewTimer(farewell + r.grace)
	defer timer.Stop()
	select {
	case <-r.p.exited():
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func unavailable(text string) error {
	return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, Err: errors.New(text)}
}

// do makes a call whose reply has no body.
func (r *running) do(ctx context.Context, op abi.Op, message, reply abi.Message) error {
	return r.run(ctx, request{op: op, message: message}, reply)
}

// run makes a call and decodes its reply, which must have no body.
func (r *running) run(ctx context.Context, q request, reply abi.Message) error {
	p, err := r.ask(ctx, q, reply)
	if p != nil {
		p.over()
	}
	return err
}

// ask makes a call and decodes its reply. Without an error the call is not over: the reply may have a body.
func (r *running) ask(ctx context.Context, q request, reply abi.Message) (*pending, error) {
	p, err := r.call(ctx, q)
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	failure, err := abi.DecodeReply(p.message, reply)
	if err == nil && failure == nil && p.failed == nil {
		return p, nil
	}
	p.over()
	if err == nil && failure == nil {
		return nil, p.failed // the driver did not wait for the end of the body
	}
	if err != nil {
		return nil, r.broken(q.op, err)
	}
	return nil, guest.ErrorOf(failure, r.clean(failure.Message))
}

// broken ends a process whose reply is not what docs/ipc.md says.
func (r *running) broken(op abi.Op, err error) error {
	r.fail(violated("%v: %v", op, err))
	return r.explain(context.Background(), errLost) // which is known
}

// connect starts a process and opens the driver in it.
func (b *backend) connect(ctx context.Context) (*running, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.d.cfg.StartTimeout, errSlow)
	defer cancel()
	r, err := b.d.start(ctx, string(b.values.Public), b.values.Secrets)
	if err != nil {
		return nil, err
	}
	var reply abi.OpenReply
	if err := r.do(ctx, abi.OpOpen, &abi.OpenRequest{Params: b.values.JSON}, &reply); err != nil {
		if !r.alive() || ctx.Err() != nil { // else the driver has said it
			err = b.d.failed(ctx, "open", err)
		}
		r.giveUp(ctx)
		r.stop()
		return nil, err
	}
	r.settle = b.d.cfg.Settle // there was nothing to be settled before
	abilities := reply.Caps & b.d.manifest.Caps() & abi.AllAbilities
	r.caps = storagedriver.Capabilities{Abilities: storagedriver.Ability(abilities), MaxObject: reply.MaxObject}
	return r, nil
}

// backend is an opened driver. It implements storagedriver.Backend, in files named after what they do.
type backend struct {
	guest.Calls
	d      *Driver
	values guest.Values
	life   context.Context // until Close
	end    context.CancelFunc

	mu      sync.Mutex
	running *running // the last
	judged  *running // whose end was the reason of the last start
	start   *restart // under way
	pause   time.Duration
	not     time.Time // before which no process is started
	closed  bool
}

func newBackend(d *Driver, values guest.Values) *backend {
	b := &backend{Calls: guest.Calls{Driver: d.manifest.Name}, d: d, values: values}
	b.Do = b.do
	return b
}

// restart is a start of a process that several calls wait for.
type restart struct {
	done chan struct{} // closed when r or err is set
	r    *running
	err  error
}

var errClosedDriver error = storagedriver.NewError(storagedriver.KindClosed, "the driver is closed")

// live returns a process that runs, and starts one if the last has died.
func (b *backend) live(ctx context.Context) (*running, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, errClosedDriver
	}
	if b.start == nil {
		if b.running.alive() {
			defer b.mu.Unlock()
			return b.running, nil
		}
		if err := b.mayStart(); err != nil {
			b.mu.Unlock()
			return nil, err
		}
		b.start = &restart{done: make(chan struct{})}
		go b.restart(b.start)
	}
	start := b.start
	b.mu.Unlock()
	select {
	case <-start.done:
		return start.r, start.err
	case <-ctx.Done():
		return nil, guest.ContextError(ctx.Err())
	}
}

// mayStart decides whether the process that died is started again now. b.mu is held.
func (b *backend) mayStart() error {
	now := time.Now()
	if left := b.not.Sub(now); left > 0 {
		return &storagedriver.Error{Kind: storagedriver.KindUnavailable, Temporary: true, RetryAfter: left,
			Err: fmt.Errorf("the driver's process has died and is started again in %v at the earliest", left.Round(time.Millisecond))}
	}
	if b.judged != b.running && now.Sub(b.running.started) >= steady {
		b.pause = 0
	}
	b.judged = b.running
	b.pause = min(max(2*b.pause, b.d.cfg.MinRestart), b.d.cfg.MaxRestart)
	b.not = now.Add(b.pause)
	return nil
}

// restart starts a process in the place of the one that died.
func (b *backend) restart(start *restart) {
	old := b.running
	b.d.cfg.Logger.Warn("a driver's process is started again", "driver", b.d.path, "because", old.explain(b.life, errLost).Error())
	old.fail(errLost)
	old.p.kill()
	old.awaitExit(b.life) // what it was doing must not come after what the next one does
	r, err := b.connect(b.life)
	if err != nil {
		// Whatever kind it has, it says nothing about the path of the call that waits for this.
		err = unavailable("the driver's process has died, and starting it again failed: " + err.Error())
	}
	if err == nil && r.caps != b.Caps {
		r.stop()
		err = storagedriver.NewError(storagedriver.KindGuest, "the driver's process was started again and has other abilities than before")
	}
	b.mu.Lock()
	closed := b.closed
	if err == nil && !closed {
		b.running = r
	}
	b.start = nil
	b.mu.Unlock()
	if closed {
		if err == nil {
			r.stop()
		}
		r, err = nil, errClosedDriver
	}
	start.r, start.err = r, err
	close(start.done)
}

// Close implements storagedriver.Backend. Calls under way and readers still open fail.
func (b *backend) Close() error {
	b.mu.Lock()
	b.closed = true
	start := b.start
	b.mu.Unlock()
	b.end()
	if start != nil {
		<-start.done
	}
	b.running.fail(errClosedDriver)
	b.running.stop()
	return nil
}
