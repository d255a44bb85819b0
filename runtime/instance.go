package runtime

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// instance is a guest's instance and the state of the call that it runs. It is used by one
// goroutine at a time.
type instance struct {
	d        *driver
	wasm     engine.Instance
	dispatch engine.Func
	mem      engine.Memory
	stack    [3]uint64

	buffer, room uint32 // the request buffer in the guest, kept between calls
	message      []byte // the request as it is encoded

	cc      callContext
	ctx     context.Context // the operation's
	table   handles
	reply   []byte // of the last host operation, until taken
	waiting bool
	inline  []byte // a response's body on its way into a message
	forms   forms
	answer  abi.HTTPReply
	denied  string // why policy last refused the call something

	redirects []string // URLs that granted stores have redirected the call to

	stderr     tail
	describing bool // nothing but clock, random and log
	broken     bool // never to be used again
	idleSince  time.Time
	rec        *recording    // nil: it is not recorded
	replay     *replayed     // nil but in Replay
	lane       chan struct{} // of the pool, whose slot the call has
}

// keptBuffer is the largest buffer kept by an idle instance.
const keptBuffer = 64 << 10

// callContext is the operation's context, from which host functions find the instance.
type callContext struct {
	context.Context
	in *instance
}

type instanceKey struct{}

func (c *callContext) Value(key any) any {
	if key == (instanceKey{}) {
		return c.in
	}
	return c.Context.Value(key)
}

// instanceOf returns the instance that a host function was called by. Engines may wrap the
// context while they instantiate.
func instanceOf(ctx context.Context) *instance {
	if c, ok := ctx.(*callContext); ok {
		return c.in
	}
	return ctx.Value(instanceKey{}).(*instance)
}

// newInstance instantiates and initialises a guest. The caller closes it.
func (d *driver) newInstance(ctx context.Context, describing bool) (*instance, error) {
	if err := d.m.enter(); err != nil {
		return nil, err
	}
	in := &instance{d: d, describing: describing, rec: d.record(describing)}
	in.begin(ctx)
	defer in.end()
	wasm, err := in.instantiate()
	if err != nil {
		d.m.leave()
		defer in.rec.ends()
		switch {
		case storagedriver.KindOf(err) == storagedriver.KindLimit:
			return nil, err
		case ctx.Err() != nil: // in the module's start function
			return nil, guest.ContextError(ctx.Err())
		}
		return nil, in.guestFailure(abi.OpOpen, err)
	}
	in.wasm, in.mem = wasm, wasm.Memory()
	in.dispatch = wasm.Func(abi.ExportDispatch)
	if init := wasm.Func(abi.ExportInitialize); init != nil {
		if err := init.Call(&in.cc, in.stack[:]); err != nil {
			defer in.close()
			if ctx.Err() != nil {
				return nil, guest.ContextError(ctx.Err())
			}
			return nil, in.guestFailure(abi.OpOpen, fmt.Errorf("%s: %w", abi.ExportInitialize, err))
		}
	}
	return in, nil
}

// close frees the instance, which must not be running.
func (in *instance) close() {
	if err := in.wasm.Close(context.Background()); err != nil {
		in.d.m.cfg.Logger.Warn("closing a guest's instance", "driver", in.d.Name(), "error", err)
	}
	in.d.m.leave()
}

// begin makes ctx that of the operation.
func (in *instance) begin(ctx context.Context) {
	in.rec.begins()
	in.ctx = ctx
	in.cc = callContext{Context: ctx, in: in}
	in.stderr.b = in.stderr.b[:0] // what an earlier call wrote explains nothing of this one
}

// end closes what the operation left open.
func (in *instance) end() {
	in.table.closeAll()
	in.ctx, in.waiting, in.denied, in.redirects = nil, false, "", nil
	in.cc = callContext{Context: context.Background(), in: in}
	for _, b := range []*[]byte{&in.message, &in.reply, &in.inline, &in.answer.Data} {
		if cap(*b) > keptBuffer {
			*b = nil
		}
	}
	in.forms.trim()
}

// call runs one operation between begin and end. Handles in reply are still in the table.
// After an error that is the guest's fault the instance is broken.
func (in *instance) call(op abi.Op, request, reply abi.Message) error {
	in.d.count(op)
	message, err := abi.Append(in.message[:0], request)
	if err != nil {
		return storagedriver.Errorf(storagedriver.KindLimit, "%v: %w", op, err)
	}
	in.message = message
	err = in.run(op, reply)
	if ctxErr := in.ctx.Err(); ctxErr != nil {
		return guest.ContextError(ctxErr)
	}
	return err
}

func (in *instance) run(op abi.Op, reply abi.Message) error {
	view, err := in.requestBuffer(len(in.message))
	if err != nil {
		return in.fault(op, err)
	}
	copy(view, in.message)
	in.stack = [3]uint64{uint64(op), uint64(in.buffer), uint64(len(in.message))}
	if err := in.dispatch.Call(&in.cc, in.stack[:]); err != nil {
		return in.fault(op, err)
	}
	return in.judge(op, reply)
}

// judge takes what dispatch has answered.
func (in *instance) judge(op abi.Op, reply abi.Message) error {
	ptr, n := uint32(in.stack[0]>>32), uint32(in.stack[0])
	if n > abi.MaxMessage {
		return in.fault(op, fmt.Errorf("a reply of %d bytes, more than %d", n, abi.MaxMessage))
	}
	view, ok := in.mem.Read(ptr, n)
	if !ok {
		return in.fault(op, fmt.Errorf("a reply of %d bytes at %#x, outside memory", n, ptr))
	}
	failure, err := abi.DecodeReply(view, reply)
	if err != nil {
		return in.fault(op, err)
	}
	if failure != nil {
		return in.replyError(op, failure)
	}
	return nil
}

// fault marks the instance as broken and makes the error.
func (in *instance) fault(op abi.Op, err error) error {
	in.broken = true
	return in.guestFailure(op, err)
}

// requestBuffer returns a view of n bytes of the request buffer, growing it when needed.
func (in *instance) requestBuffer(n int) ([]byte, error) {
	if uint32(n) > in.room || in.room == 0 {
		if in.room > 0 {
			in.stack = [3]uint64{uint64(in.buffer), uint64(in.room)}
			in.room = 0
			if err := in.wasm.Func(abi.ExportFree).Call(&in.cc, in.stack[:]); err != nil {
				return nil, err
			}
		}
		room := uint32(max(1<<bits.Len(uint(n-1)), 4096))
		in.stack = [3]uint64{uint64(room)}
		if err := in.wasm.Func(abi.ExportAlloc).Call(&in.cc, in.stack[:]); err != nil {
			return nil, err
		}
		in.buffer = uint32(in.stack[0])
		if in.buffer == 0 {
			return nil, fmt.Errorf("it has no memory for a request of %d bytes", n)
		}
		if _, ok := in.mem.Read(in.buffer, room); !ok {
			return nil, fmt.Errorf("alloc gave %d bytes at %#x, outside memory", room, in.buffer)
		}
		in.room = room
	}
	view, ok := in.mem.Read(in.buffer, uint32(n))
	if !ok {
		return nil, fmt.Errorf("the request buffer is outside memory")
	}
	return view, nil
}
