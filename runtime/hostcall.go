package runtime

import (
	"context"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/internal/guest"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

// hostFunctions are what guests may import.
func hostFunctions() []engine.HostFunc {
	return append(berthFunctions(), wasiFunctions(time.Now())...)
}

// berthFunctions are the functions of module "berth".
func berthFunctions() []engine.HostFunc {
	const i32, i64 = engine.I32, engine.I64
	f := func(name string, call func(context.Context, engine.Memory, []uint64), params ...engine.ValueType) engine.HostFunc {
		return engine.HostFunc{Module: abi.Module, Name: name, Type: engine.FuncType{Params: params, Results: []engine.ValueType{i64}}, Call: call}
	}
	return []engine.HostFunc{
		f(abi.ImportCall, hostCall, i32, i32, i32, i32, i32),
		f(abi.ImportTake, hostTake, i32, i32),
		f(abi.ImportRead, hostRead, i64, i32, i32),
		f(abi.ImportWrite, hostWrite, i64, i32, i32),
		f(abi.ImportSplice, hostSplice, i64, i64, i64),
		f(abi.ImportClose, hostClose, i64),
		f(abi.ImportNow, hostNow),
		f(abi.ImportRandom, hostRandom, i32, i32),
		f(abi.ImportLog, hostLog, i32, i32, i32),
	}
}

// view returns guest memory. A range outside it traps.
func view(mem engine.Memory, ptr, n uint64) []byte {
	b, ok := mem.Read(uint32(ptr), uint32(n))
	if !ok {
		panic(storagedriver.Errorf(storagedriver.KindGuest, "a host function was given %d bytes at %#x, outside memory", uint32(n), uint32(ptr)))
	}
	return b
}

// failed is the result of a host function that returns err.
func (in *instance) failed(err error) uint64 {
	in.note(err)
	return uint64(abi.Failure(abi.Kind(storagedriver.KindOf(err))))
}

// deniedNow is the result of what is not there while a guest describes itself.
func deniedNow() uint64 { return uint64(abi.Failure(abi.KindDenied)) }

// hostCall: call(op, ptr, len, out, cap) -> length of the reply.
func hostCall(ctx context.Context, mem engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	request := view(mem, stack[1], stack[2])
	out := view(mem, stack[3], stack[4])
	if in.describing {
		stack[0] = deniedNow()
		return
	}
	in.runHostOp(abi.HostOp(uint32(stack[0])), request)
	in.waiting = len(in.reply) > len(out)
	if !in.waiting {
		copy(out, in.reply)
	}
	stack[0] = uint64(len(in.reply))
}

// hostTake: take(out, cap) -> length of the waiting reply.
func hostTake(ctx context.Context, mem engine.Memory, stack []uint64) {
	in := instanceOf(ctx)
	out := view(mem, stack[0], stack[1])
	switch {
	case in.describing:
		stack[0] = deniedNow()
	case !in.waiting:
		stack[0] = uint64(abi.Failure(abi.KindInvalidArgument))
	case len(in.reply) > len(out):
		stack[0] = uint64(abi.Failure(abi.KindLimit))
	default:
		in.waiting = false
		stack[0] = uint64(copy(out, in.reply))
	}
}

// runHostOp leaves the reply in in.reply.
func (in *instance) runHostOp(op abi.HostOp, request []byte) {
	reply, err := in.hostOp(op, request)
	if err == nil {
		in.reply, err = abi.Append(in.reply[:0], reply)
		if err != nil {
			err = storagedriver.Errorf(storagedriver.KindLimit, "%v: the reply is %w", op, err)
		}
	}
	if err != nil {
		in.note(err)
		in.reply, _ = abi.Append(in.reply[:0], guest.WireError(err)) // a kind and at most MaxText fit
	}
}

// note keeps what policy refused the call, for who reads of the call's failure.
func (in *instance) note(err error) {
	if storagedriver.KindOf(err) == storagedriver.KindDenied {
		in.denied = guest.WireError(err).Message
	}
}

func (in *instance) hostOp(op abi.HostOp, request []byte) (abi.Message, error) {
	if err := in.ctx.Err(); err != nil {
		return nil, err
	}
	switch op {
	case abi.HostHTTP:
		return in.http(request)
	case abi.HostHTTPAll:
		return in.httpAll(request)
	case abi.HostHTTPBegin:
		return in.httpBegin(request)
	case abi.HostHTTPFinish:
		return in.httpFinish(request)
	case abi.HostReceiptsGet:
		return in.receiptsGet(request)
	case abi.HostReceiptsSet:
		return in.receiptsSet(request)
	case abi.HostPresign, abi.HostHMAC:
		return in.signing(op, request)
	case abi.HostSecret, abi.HostHash, abi.HostHashBegin, abi.HostHashFinish, abi.HostCompress, abi.HostTimeFormat, abi.HostTimeParse, abi.HostMetric:
		return in.service(op, request)
	case abi.HostStoreInfo, abi.HostStoreStat, abi.HostStoreList, abi.HostStoreRead, abi.HostStorePut, abi.HostStoreBegin, abi.HostStoreFinish,
		abi.HostStoreDelete, abi.HostStoreDeleteTree, abi.HostStoreMove, abi.HostStoreRedirect, abi.HostStoreAbort:
		return in.store(op, request)
	}
	return nil, storagedriver.Errorf(storagedriver.KindUnsupported, "host operation %d", uint32(op))
}

func decode(request []byte, m abi.Message) error {
	if err := abi.Decode(request, m); err != nil {
		return storagedriver.Errorf(storagedriver.KindInvalidArgument, "%w", err)
	}
	return nil
}
