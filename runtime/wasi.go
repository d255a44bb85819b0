package runtime

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/berth-dev/storagedriver"
	"github.com/berth-dev/storagedriver/abi"
	"github.com/berth-dev/storagedriver/runtime/engine"
)

const wasiModule = "wasi_snapshot_preview1"

// The error numbers of wasi_snapshot_preview1 used here.
const (
	wasiSuccess = 0
	wasiBadF    = 8
	wasiInval   = 28
)

type wasiCall = func(ctx context.Context, mem engine.Memory, stack []uint64)

// wasiFunctions are the functions of WASI that guests may import: clock, random and
// standard error work, everything about files and sockets answers EBADF.
func wasiFunctions(start time.Time) []engine.HostFunc {
	const i, l = engine.I32, engine.I64
	var list []engine.HostFunc
	add := func(name string, call wasiCall, params ...engine.ValueType) {
		list = append(list, engine.HostFunc{Module: wasiModule, Name: name, Call: call,
			Type: engine.FuncType{Params: params, Results: []engine.ValueType{i}}})
	}
	add("args_get", wasiOK, i, i)
	add("args_sizes_get", wasiSizes, i, i)
	add("environ_get", wasiOK, i, i)
	add("environ_sizes_get", wasiSizes, i, i)
	add("clock_res_get", wasiClockRes, i, i)
	add("clock_time_get", wasiClockTime(start), i, l, i)
	add("random_get", wasiRandom, i, i)
	add("fd_write", wasiWrite, i, i, i, i)
	add("fd_fdstat_get", wasiFdstat, i, i)
	add("poll_oneoff", wasiPoll(start), i, i, i, i)
	add("sched_yield", wasiOK)
	for _, f := range wasiBad() {
		add(f.name, wasiEBADF, f.params...)
	}
	return append(list, engine.HostFunc{Module: wasiModule, Name: "proc_exit", Call: wasiExit, Type: engine.FuncType{Params: []engine.ValueType{i}}})
}

type wasiSignature struct {
	name   string
	params []engine.ValueType
}

// wasiBad are the functions that answer EBADF whatever they are given.
func wasiBad() []wasiSignature {
	const i, l = engine.I32, engine.I64
	p := func(params ...engine.ValueType) []engine.ValueType { return params }
	return []wasiSignature{
		{"fd_advise", p(i, l, l, i)}, {"fd_allocate", p(i, l, l)}, {"fd_close", p(i)}, {"fd_datasync", p(i)},
		{"fd_fdstat_set_flags", p(i, i)}, {"fd_fdstat_set_rights", p(i, l, l)}, {"fd_filestat_get", p(i, i)},
		{"fd_filestat_set_size", p(i, l)}, {"fd_filestat_set_times", p(i, l, l, i)}, {"fd_pread", p(i, i, i, l, i)},
		{"fd_prestat_get", p(i, i)}, {"fd_prestat_dir_name", p(i, i, i)}, {"fd_pwrite", p(i, i, i, l, i)},
		{"fd_read", p(i, i, i, i)}, {"fd_readdir", p(i, i, i, l, i)}, {"fd_renumber", p(i, i)}, {"fd_seek", p(i, l, i, i)},
		{"fd_sync", p(i)}, {"fd_tell", p(i, i)}, {"path_create_directory", p(i, i, i)},
		{"path_filestat_get", p(i, i, i, i, i)}, {"path_filestat_set_times", p(i, i, i, i, l, l, i)},
		{"path_link", p(i, i, i, i, i, i, i)}, {"path_open", p(i, i, i, i, i, l, l, i, i)},
		{"path_readlink", p(i, i, i, i, i, i)}, {"path_remove_directory", p(i, i, i)}, {"path_rename", p(i, i, i, i, i, i)},
		{"path_symlink", p(i, i, i, i, i)}, {"path_unlink_file", p(i, i, i)}, {"proc_raise", p(i)},
		{"sock_accept", p(i, i, i)}, {"sock_recv", p(i, i, i, i, i, i)}, {"sock_send", p(i, i, i, i, i)}, {"sock_shutdown", p(i, i)},
	}
}

func wasiOK(_ context.Context, _ engine.Memory, stack []uint64) { result(stack, wasiSuccess) }

func wasiEBADF(_ context.Context, _ engine.Memory, stack []uint64) { result(stack, wasiBadF) }

// result sets the result of a function, which may have no parameters.
func result(stack []uint64, errno uint64) { stack[0] = errno }

// wasiSizes answers that there is nothing: no arguments, no environment.
func wasiSizes(_ context.Context, mem engine.Memory, stack []uint64) {
	clear(view(mem, stack[0], 4))
	clear(view(mem, stack[1], 4))
	result(stack, wasiSuccess)
}

const (
	wasiRealtime  = 0
	wasiMonotonic = 1
)

func wasiClockRes(_ context.Context, mem engine.Memory, stack []uint64) {
	out := view(mem, stack[1], 8)
	if id := uint32(stack[0]); id != wasiRealtime && id != wasiMonotonic {
		result(stack, wasiInval)
		return
	}
	binary.LittleEndian.PutUint64(out, 1)
	result(stack, wasiSuccess)
}

// wasiClockTime gives the true time; the monotonic one counts from start.
func wasiClockTime(start time.Time) wasiCall {
	return func(_ context.Context, mem engine.Memory, stack []uint64) {
		out := view(mem, stack[2], 8)
		switch uint32(stack[0]) {
		case wasiRealtime:
			binary.LittleEndian.PutUint64(out, uint64(time.Now().UnixNano()))
		case wasiMonotonic:
			binary.LittleEndian.PutUint64(out, uint64(time.Since(start)))
		default:
			result(stack, wasiInval)
			return
		}
		result(stack, wasiSuccess)
	}
}

func wasiRandom(_ context.Context, mem engine.Memory, stack []uint64) {
	fillRandom(view(mem, stack[0], stack[1]))
	result(stack, wasiSuccess)
}

// wasiWrite sends standard output and error to the log. Of one call at most MaxText bytes
// are looked at; all count as written.
func wasiWrite(ctx context.Context, mem engine.Memory, stack []uint64) {
	fd, count := uint32(stack[0]), uint64(uint32(stack[2]))
	if fd != 1 && fd != 2 {
		result(stack, wasiBadF)
		return
	}
	if count > 1024 { // what POSIX calls IOV_MAX
		result(stack, wasiInval)
		return
	}
	vectors := view(mem, stack[1], 8*count)
	in := instanceOf(ctx)
	total := uint32(0)
	var line []byte
	for ; len(vectors) > 0; vectors = vectors[8:] {
		p := view(mem, uint64(binary.LittleEndian.Uint32(vectors)), uint64(binary.LittleEndian.Uint32(vectors[4:])))
		total += uint32(len(p))
		in.stderr.write(p)
		if room := abi.MaxText - len(line); room > 0 {
			line = append(line, p[:min(room, len(p))]...)
		}
	}
	in.d.log(slog.LevelDebug, line)
	binary.LittleEndian.PutUint32(view(mem, stack[3], 4), total)
	result(stack, wasiSuccess)
}

// wasiFdstat describes the three standard descriptors as character devices that can be
// written to.
func wasiFdstat(_ context.Context, mem engine.Memory, stack []uint64) {
	if uint32(stack[0]) > 2 {
		result(stack, wasiBadF)
		return
	}
	out := view(mem, stack[1], 24)
	clear(out)
	out[0] = 2                                        // character device
	binary.LittleEndian.PutUint64(out[8:], 1<<6|1<<1) // the rights to write and to read
	result(stack, wasiSuccess)
}

func wasiExit(_ context.Context, _ engine.Memory, stack []uint64) {
	panic(storagedriver.NewError(storagedriver.KindGuest, fmt.Sprintf("it called proc_exit(%d)", uint32(stack[0]))))
}
